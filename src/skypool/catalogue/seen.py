"""Files as they were last seen, and the documents that they became (storage rule 17).

What stands here only saves reading: it maps the figures of a file to a document, never to
"unchanged". The document may be one that no commit has yet: a commit that was interrupted
indexed it ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from skypool.catalogue.checks import DOCUMENT, sure
from skypool.catalogue.database import Database
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.text import to_database

__all__ = ["Seen", "SeenFiles"]

_BATCH = 500
_LIVE = (
    "EXISTS (SELECT 1 FROM versions v WHERE v.document = d.id AND v.purged = 0 AND NOT EXISTS"
    f" (SELECT 1 FROM dropped x WHERE x.urn = v.urn AND x.until = {FOREVER}))"
)


class Figures(Protocol):
    """What `os.stat` says of a file."""

    @property
    def st_size(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int: ...
    @property
    def st_ino(self) -> int: ...
    @property
    def st_dev(self) -> int: ...


class Seen(NamedTuple):
    """The document of a file that was seen.

    Attributes
    ----------
    committed : bool
        Whether a version has it. If none has, its chunks may be on their way out.
    whole : bool
        Whether all of the file was read, and not its headers alone.
    """

    document: bytes
    kind: str
    type: str
    size: int
    committed: bool
    whole: bool


class SeenFiles:
    """The table of files that were seen.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, files: Sequence[tuple[str, Figures]]) -> dict[str, Seen]:
        """Return, by path, the documents of those files whose figures are as last seen."""
        found: dict[str, Seen] = {}
        for start in range(0, len(files), _BATCH):
            part = {to_database(path): (path, stat) for path, stat in files[start : start + _BATCH]}
            rows = self._database.query(
                "SELECT s.path, s.size, s.mtime_ns, s.ctime_ns, s.inode, s.device, s.document,"
                f" {sure(DOCUMENT, 'd.kind')}, d.type, d.size, {_LIVE}, d.file_hash IS NOT NULL"
                " FROM seen s JOIN documents d ON d.digest = s.document"
                f" WHERE s.path IN ({','.join('?' * len(part))}) AND NOT d.bare",
                list(part),
            )
            for stored, *figures, document, kind, type_, size, live, whole in rows:
                path, stat = part[stored]
                if tuple(figures) == _figures(stat):
                    found[path] = Seen(document, kind, type_, size, bool(live), bool(whole))
        return found

    def note(self, files: Iterable[tuple[str, Figures, bytes]]) -> None:
        """Remember which document a file with these figures became."""
        rows = [(to_database(path), *_figures(stat), document) for path, stat, document in files]
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO seen"
                "(path, size, mtime_ns, ctime_ns, inode, device, document)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )


def _figures(stat: Figures) -> tuple[int, ...]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev
