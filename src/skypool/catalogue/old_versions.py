"""Versions that a user gives up: old ones of some products, or of the whole pool up to a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from skypool.catalogue.beside import TablesBeside
from skypool.catalogue.database import Database, all_or_nothing, explained
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.purging import DOOMED, batches, check_rows, purged_by, spare

__all__ = ["OldVersions", "Spared"]

_OF_TRACK = """
    INSERT OR IGNORE INTO doomed
    SELECT v.urn, d.size, 0 FROM versions v JOIN documents d ON d.id = v.document
    WHERE v.track = :track AND v.purged = 0 AND v.version < (
        SELECT min(version) FROM (SELECT version FROM versions
        WHERE track = :track AND purged = 0 ORDER BY version DESC LIMIT :keep))
"""

# Not in view at a commit, nor at any later one: replaced, or its product was removed, by then.
_UP_TO = """
    INSERT OR IGNORE INTO doomed
    SELECT v.urn, d.size, 0 FROM versions v JOIN documents d ON d.id = v.document
    WHERE v.purged = 0 AND v.since <= :at AND (v.until <= :at OR (
        EXISTS (SELECT 1 FROM names n WHERE n.track = v.track AND n.removed)
        AND NOT EXISTS (SELECT 1 FROM names n WHERE n.track = v.track
            AND n.until > :at AND n.since < v.until)))
"""


class Spared(NamedTuple):
    """Why versions that were asked for stay.

    Attributes
    ----------
    tagged : int
        They carry a tag.
    newest : int
        They are the newest of a product in view.
    needed : int
        A version that stays refers to them, itself or through contexts.
    """

    tagged: int
    newest: int
    needed: int


class OldVersions(TablesBeside):
    """Versions that are to be given up, in a table beside the catalogue.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, (DOOMED,))

    def of_tracks(self, tracks: Iterable[int], keep: int) -> None:
        """Ask for all but the newest *keep* versions of some products."""
        self._ask(_OF_TRACK, ({"track": track, "keep": keep} for track in tracks))

    def up_to(self, commit: int) -> None:
        """Ask for what nobody sees who looks at the pool as of a commit or any later one."""
        self._ask(_UP_TO, ({"at": commit},))

    def _ask(self, sql: str, values: Iterable[dict[str, int]]) -> None:
        with explained(self._database.path), all_or_nothing(self._connection):
            self._connection.executemany(sql, values)

    def spare(self) -> Spared:
        """Take out what is protected, and tell why.

        Raises
        ------
        Damaged
            If a row by which this is decided is not as it was written.
        """
        check_rows(self._connection, self._database.path)
        asked = self.count()[0]
        tagged = self._number(
            "SELECT count(*) FROM doomed d WHERE EXISTS"
            " (SELECT 1 FROM tags t WHERE t.urn = d.urn AND t.until = :forever)"
        )
        newest = self._number(
            "SELECT count(*) FROM doomed d JOIN versions v ON v.urn = d.urn"
            " WHERE v.until = :forever AND NOT EXISTS"
            " (SELECT 1 FROM tags t WHERE t.urn = d.urn AND t.until = :forever)"
            " AND EXISTS (SELECT 1 FROM names n WHERE n.track = v.track AND n.until = :forever)"
        )
        with explained(self._database.path):
            spare(self._connection)
        return Spared(tagged, newest, asked - self.count()[0] - tagged - newest)

    def _number(self, sql: str) -> int:
        with explained(self._database.path):
            return int(self._connection.execute(sql, {"forever": FOREVER}).fetchone()[0])

    def count(self) -> tuple[int, int]:
        """Return how many there are, and the size of their products."""
        with explained(self._database.path):
            found = self._connection.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM doomed"
            ).fetchone()
        return int(found[0]), int(found[1])

    def batches(self, count: int) -> Iterator[list[int]]:
        """Return their numbers, parents before their children."""
        return batches(self._connection, self._database.path, count)

    def purged_by(self, commit: int) -> tuple[int, int]:
        """Return the number of versions that a commit gave up, and the size of their products."""
        return purged_by(self._connection, self._database.path, commit)
