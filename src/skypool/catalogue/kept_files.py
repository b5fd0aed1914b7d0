"""What the catalogue knows of files outside the pool that hold content of products."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from skypool.catalogue.batches import in_batches
from skypool.catalogue.checks import DOCUMENT, VERSION, sure
from skypool.catalogue.database import Database
from skypool.catalogue.draft import SourceRow
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.outside import is_below
from skypool.catalogue.text import from_database, to_database
from skypool.codec.documents import loads

__all__ = ["KeptFile", "KeptFiles", "KnownFile"]

_PAGE = 1000
_BATCH = 500
_ROW = (
    "s.document, d.digest, s.path, s.size, s.mtime_ns, s.inode FROM sources s"
    " JOIN documents d ON d.id = s.document"
)
_UNREAD = "d.file_hash IS NULL AND NOT d.bare"
_LIVE = "EXISTS (SELECT 1 FROM versions v WHERE v.document = s.document AND v.purged = 0)"


class KeptFile(NamedTuple):
    """A file outside the pool, and the document whose content it holds.

    Attributes
    ----------
    number : int
        Of the document, in the catalogue.
    row : SourceRow
    """

    number: int
    row: SourceRow


class KnownFile(NamedTuple):
    """A document of a file outside the pool, and what it is."""

    document: bytes
    kind: str
    type: str
    size: int


class KeptFiles:
    """The files outside the pool, asked for in pages: there may be millions.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, below: str = "") -> Iterator[KeptFile]:
        """Return those of versions that were not given up, in the order of paths.

        Parameters
        ----------
        below
            Only this path, and what is below it.
        """
        last, number = to_database(below), -1
        while True:
            rows = self._database.query(
                f"SELECT {_ROW} WHERE (s.path, s.document) > (?, ?) AND {_LIVE}"
                " ORDER BY s.path, s.document LIMIT ?",
                (last, number, _PAGE),
            )
            found = [_kept(row) for row in rows]
            for each in found:
                if below and not is_below(each.row.path, below):
                    if each.row.path.startswith(below):
                        continue  # a name that only begins like it
                    return
                yield each
            if len(rows) < _PAGE:
                return
            last, number = rows[-1][2], rows[-1][0]

    def unread(self) -> Iterator[KeptFile]:
        """Return those of which only the headers were read, in the order of paths."""
        last, number = "", -1
        while True:
            rows = self._database.query(
                f"SELECT {_ROW} WHERE (s.path, s.document) > (?, ?) AND {_UNREAD} AND {_LIVE}"
                " ORDER BY s.path, s.document LIMIT ?",
                (last, number, _PAGE),
            )
            yield from map(_kept, rows)
            if len(rows) < _PAGE:
                return
            last, number = rows[-1][2], rows[-1][0]

    def unread_size(self) -> tuple[int, int]:
        """Return how many of these there are, and their size together."""
        ((count, size),) = self._database.query(
            "SELECT count(*), coalesce(sum(s.size), 0) FROM sources s"
            f" JOIN documents d ON d.id = s.document WHERE {_UNREAD} AND {_LIVE}"
        )
        return int(count), int(size)

    def unread_of(self, documents: Sequence[int]) -> Iterator[KeptFile]:
        """Return those of which only the headers were read, of some documents, by number."""
        for part in in_batches(documents, _BATCH):
            rows = self._database.query(
                f"SELECT {_ROW} WHERE s.document IN ({','.join('?' * len(part))})"
                f" AND {_UNREAD} AND {_LIVE} ORDER BY s.document, s.path",
                part,
            )
            yield from map(_kept, rows)

    def unread_size_of(self, documents: Sequence[int]) -> tuple[int, int]:
        """Return how many of these there are, and their size together."""
        count = size = 0
        for part in in_batches(documents, _BATCH):
            ((number, together),) = self._database.query(
                "SELECT count(*), coalesce(sum(s.size), 0) FROM sources s"
                " JOIN documents d ON d.id = s.document"
                f" WHERE s.document IN ({','.join('?' * len(part))}) AND {_UNREAD} AND {_LIVE}",
                part,
            )
            count, size = count + number, size + together
        return count, size

    def unread_at(self, path: str, size: int, mtime_ns: int) -> list[bytes]:
        """Return the documents of the headers of a file as it is."""
        rows = self._database.query(
            "SELECT d.digest FROM sources s JOIN documents d ON d.id = s.document"
            f" WHERE s.path = ? AND s.size = ? AND s.mtime_ns = ? AND {_UNREAD} AND {_LIVE}",
            (to_database(path), size, mtime_ns),
        )
        return [digest for (digest,) in rows]

    def known_at(self, path: str, size: int, mtime_ns: int, inode: int) -> Iterator[KnownFile]:
        """Return the documents of a file as it is, those of all of it first.

        Of a file that was followed to another disk the inode is not known.
        """
        rows = self._database.query(
            f"SELECT d.digest, {sure(DOCUMENT, 'd.kind')}, d.type, d.size FROM sources s"
            " JOIN documents d ON d.id = s.document WHERE s.path = ? AND s.size = ?"
            f" AND s.mtime_ns = ? AND s.inode IN (?, 0) AND NOT d.bare AND {_LIVE}"
            " ORDER BY d.file_hash IS NULL, d.id",
            (to_database(path), size, mtime_ns, inode),
        )
        return (KnownFile(*row) for row in rows)

    def of(self, documents: Iterable[int]) -> Iterator[KeptFile]:
        """Return those of some documents, given by number."""
        for number in documents:
            rows = self._database.query(
                f"SELECT {_ROW} WHERE s.document = ? ORDER BY s.path",
                (number,),
            )
            yield from map(_kept, rows)

    def count(self) -> int:
        """Return how many files of all versions there are."""
        return int(self._database.query("SELECT count(*) FROM sources")[0][0])

    def numbers(self, urn: int) -> list[int]:
        """Return the documents in place of a version and of all below it, by number."""
        rows = self._database.query(
            "WITH RECURSIVE below(urn) AS (SELECT ? UNION SELECT r.child FROM refs r"
            " JOIN below b ON r.parent = b.urn WHERE r.child IS NOT NULL)"
            " SELECT DISTINCT v.document FROM below b JOIN versions v ON v.urn = b.urn"
            " WHERE v.purged = 0 AND EXISTS (SELECT 1 FROM sources s"
            " WHERE s.document = v.document) ORDER BY v.document",
            (urn,),
        )
        return [number for (number,) in rows]

    def others_at(self, path: str, document: bytes) -> list[SourceRow]:
        """Return what else a path held, or holds, than the content of a document."""
        rows = self._database.query(
            f"SELECT {_ROW} WHERE s.path = ? AND d.digest != ? AND {_LIVE}",
            (to_database(path), document),
        )
        return [_kept(row).row for row in rows]

    def versions(self, document: bytes) -> list[int]:
        """Return the versions of a document, given by its digest; those given up are left out."""
        rows = self._database.query(
            f"SELECT {sure(VERSION, 'v.urn')} FROM versions v JOIN documents d"
            " ON d.id = v.document WHERE d.digest = ? AND v.purged = 0",
            (document,),
        )
        return [urn for (urn,) in rows]

    def added_again(self, row: SourceRow) -> bool:
        """Tell whether a newer version of what a file held came from one of that name."""
        origins = self._database.query(
            f"SELECT DISTINCT {sure(VERSION, 'd.id')}, n.origin FROM documents d"
            " JOIN versions v ON v.document = d.id JOIN versions n ON n.track = v.track"
            " AND n.version > v.version AND n.origin IS NOT NULL"
            " WHERE d.digest = ? AND v.purged = 0",
            (row.document,),
        )
        name = os.path.basename(row.path)
        paths = (loads(text.encode()).get("path") for _, text in origins)
        return any(isinstance(path, str) and os.path.basename(path) == name for path in paths)

    def has_below(self, folder: str) -> bool:
        """Tell whether there is any below a folder."""
        # In the order of bytes, all that is below it is between `/` and what follows that.
        base = to_database(folder).rstrip("/")
        rows = self._database.query(
            "SELECT 1 FROM sources WHERE path > ? AND path < ? LIMIT 1", (base + "/", base + "0")
        )
        return bool(rows)

    def replaced_by(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the versions that new ones follow, and their documents: only those in place.

        Parameters
        ----------
        first, last
            The numbers of the first and last of the new versions.
        """
        return self._database.query(
            "SELECT p.urn, d.digest FROM versions v JOIN versions p ON p.track = v.track"
            " AND p.version = v.version - 1 JOIN documents d ON d.id = p.document"
            " WHERE v.urn BETWEEN ? AND ? AND v.version > 0 AND p.purged = 0"
            " AND EXISTS (SELECT 1 FROM sources s WHERE s.document = p.document) ORDER BY p.urn",
            (first, last),
        )

    def holders(self, number: int) -> list[tuple[str, int, bool]]:
        """Return name, version, and whether it is the newest in view, of a document's versions."""
        rows = self._database.query(
            "SELECT (SELECT n.name FROM names n WHERE n.track = v.track ORDER BY n.since DESC"
            " LIMIT 1), v.version, v.track, v.until = :forever AND EXISTS (SELECT 1 FROM names n"
            " WHERE n.track = v.track AND n.until = :forever) FROM versions v"
            " WHERE v.document = :number AND v.purged = 0 ORDER BY v.urn",
            {"number": number, "forever": FOREVER},
        )
        return [
            (from_database(name) if name else f"track {track}", version, bool(newest))
            for name, version, track, newest in rows
        ]


def _kept(row: tuple[int, bytes, str, int, int, int]) -> KeptFile:
    number, digest, path, *rest = row
    return KeptFile(number, SourceRow(digest, from_database(path), *rest))
