"""Which versions may be given up (storage rule 5).

A version is protected, whatever is asked, if it carries a tag, if it is the newest of a product
in view, or if a version that stays refers to it, itself or through contexts. Everything is
found from the versions in question, so that it takes no longer in a large pool.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from skypool.catalogue.checks import NAME, REF, TAG, VERSION, sure
from skypool.catalogue.database import all_or_nothing, explained
from skypool.catalogue.draft import Purge
from skypool.catalogue.interface import FOREVER

__all__ = [
    "DOOMED",
    "RemovedVersions",
    "Waiting",
    "batches",
    "check_rows",
    "purged_by",
    "spare",
    "still_to_purge",
]

DOOMED = """
CREATE TEMP TABLE IF NOT EXISTS doomed(
    urn INTEGER PRIMARY KEY, size INTEGER NOT NULL, removed INTEGER NOT NULL
)
"""

# Versions, not given up yet, of products that were removed and did not come back, with the
# time of the removal.
_REMOVED = """
    SELECT v.urn, d.size, c.time_us FROM names n JOIN commits c ON c.number = n.until
    JOIN versions v ON v.track = n.track JOIN documents d ON d.id = v.document
    WHERE n.removed AND v.purged = 0
    AND NOT EXISTS (SELECT 1 FROM names m WHERE m.track = n.track AND m.since >= n.until)
"""

_SPARE = """
WITH RECURSIVE safe(urn) AS (
    SELECT d.urn FROM doomed d JOIN versions v ON v.urn = d.urn
    WHERE EXISTS (SELECT 1 FROM tags t WHERE t.urn = d.urn AND t.until = :forever)
    OR (v.until = :forever AND EXISTS
        (SELECT 1 FROM names n WHERE n.track = v.track AND n.until = :forever))
    OR EXISTS (SELECT 1 FROM refs r JOIN versions p ON p.urn = r.parent
        WHERE r.child = d.urn AND p.purged = 0 AND p.urn NOT IN (SELECT urn FROM doomed))
    UNION
    SELECT d.urn FROM safe s JOIN refs r ON r.parent = s.urn JOIN doomed d ON d.urn = r.child
)
DELETE FROM doomed WHERE urn IN (SELECT urn FROM safe)
"""


class Waiting(NamedTuple):
    """Versions of removed products that nothing protects.

    Attributes
    ----------
    versions : int
    size : int
        Bytes of their products, each as if it were alone.
    since : int
        When the first of them was removed, us since 1970; 0 where there are none.
    """

    versions: int
    size: int
    since: int


class RemovedVersions:
    """The versions of removed products that nothing protects.

    Those that are due stand in the temporary table `doomed` of the connection.

    Parameters
    ----------
    connection
        To the catalogue; nobody else's.
    path
        The catalogue's, for messages.
    before
        The limit, us since 1970: what was removed up to then is due, the rest waits.

    Attributes
    ----------
    due, waiting : Waiting
    """

    def __init__(self, connection: sqlite3.Connection, path: str, before: int) -> None:
        self._connection = connection
        self._path = path
        with explained(path):
            connection.execute(DOOMED)
            with all_or_nothing(connection):
                self._find(before)

    def _find(self, before: int) -> None:
        self._connection.execute("DELETE FROM doomed")
        self._connection.execute(f"INSERT OR REPLACE INTO doomed {_REMOVED}")
        spare(self._connection)
        everything = self._count()
        first = self._connection.execute(
            "SELECT coalesce(min(removed), 0) FROM doomed WHERE removed > ?", (before,)
        ).fetchone()[0]
        # What waits protects what it refers to, like all that stays.
        self._connection.execute("DELETE FROM doomed WHERE removed > ?", (before,))
        spare(self._connection)
        self.due = self._count()
        self.waiting = Waiting(
            everything.versions - self.due.versions, everything.size - self.due.size, first
        )

    def clear(self) -> None:
        """Forget them: from now on they stay, or are given up."""
        with explained(self._path):
            self._connection.execute("DELETE FROM doomed")

    def _count(self) -> Waiting:
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(min(removed), 0) FROM doomed"
        ).fetchone()
        return Waiting(*row)

    def batches(self, count: int) -> Iterator[list[int]]:
        """Return the numbers of those that are due, parents before their children."""
        return batches(self._connection, self._path, count)


def batches(connection: sqlite3.Connection, path: str, count: int) -> Iterator[list[int]]:
    """Return the numbers of what stands in `doomed`, parents before their children."""
    last = FOREVER
    while True:
        with explained(path):
            rows = connection.execute(
                "SELECT urn FROM doomed WHERE urn < ? ORDER BY urn DESC LIMIT ?", (last, count)
            ).fetchall()
        if not rows:
            return
        yield [urn for (urn,) in rows]
        last = rows[-1][0]


def check_rows(connection: sqlite3.Connection, path: str, *, all_tables: bool = True) -> None:
    """Make sure that the rows by which is decided what goes are as they were written.

    Parameters
    ----------
    connection, path
        To the catalogue, and where it is.
    all_tables
        Not of the versions alone, but also of what protects them.

    Raises
    ------
    Damaged
        If one is not.
    """
    with explained(path):
        connection.execute(
            f"SELECT count({sure(VERSION, '1')}) FROM versions v"
            " JOIN documents d ON d.id = v.document"
        ).fetchall()
        for check, table in ((NAME, "names n"), (TAG, "tags t"), (REF, "refs r")):
            if all_tables:
                connection.execute(f"SELECT count({sure(check, '1')}) FROM {table}").fetchall()


def purged_by(connection: sqlite3.Connection, path: str, commit: int) -> tuple[int, int]:
    """Return the number of versions that a commit gave up, and the size of their products."""
    with explained(path):
        ((count, size),) = connection.execute(
            "SELECT count(*), coalesce(sum(d.size), 0) FROM versions v"
            " JOIN documents d ON d.id = v.document WHERE v.purged > 0 AND v.purged = ?",
            (commit,),
        ).fetchall()
    return count, size


def still_to_purge(connection: sqlite3.Connection, purge: Purge) -> list[int]:
    """Return those of some versions that may be given up now, inside the transaction.

    References point at versions with smaller numbers: whoever takes many in several commits
    begins with the largest numbers, else children are protected by parents yet to be given up.
    """
    connection.execute(DOOMED)
    connection.execute("DELETE FROM doomed")
    connection.executemany(
        "INSERT OR IGNORE INTO doomed SELECT urn, 0, 0 FROM versions WHERE urn = ? AND purged = 0",
        [(urn,) for urn in purge.versions],
    )
    if purge.removed_before is not None:
        connection.execute(
            "DELETE FROM doomed WHERE urn NOT IN (SELECT d.urn FROM doomed d"
            " JOIN versions v ON v.urn = d.urn JOIN names n ON n.track = v.track AND n.removed"
            " JOIN commits c ON c.number = n.until WHERE c.time_us <= ? AND NOT EXISTS"
            " (SELECT 1 FROM names m WHERE m.track = n.track AND m.since >= n.until))",
            (purge.removed_before,),
        )
    spare(connection)
    found = connection.execute("SELECT urn FROM doomed ORDER BY urn").fetchall()
    connection.execute("DELETE FROM doomed")
    return [urn for (urn,) in found]


def spare(connection: sqlite3.Connection) -> None:
    """Take the protected ones out of the table."""
    connection.execute(_SPARE, {"forever": FOREVER})
