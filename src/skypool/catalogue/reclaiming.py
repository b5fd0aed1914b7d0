"""What garbage collection changes in the catalogue.

Chunks are condemned first, so that nobody reuses them unasked; what is still condemned when
it is its turn is forgotten, range by range of a pack, in short transactions (storage rule 3).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from skypool.catalogue.applying import set_state, state
from skypool.catalogue.attributes import delete_attributes
from skypool.catalogue.checks import CRC_OF_BARE
from skypool.catalogue.chunks import ALONE, BAD, CONDEMNED, ChunkIndex, chunk_key, place_of
from skypool.catalogue.collecting import Marks, PlacedRow
from skypool.catalogue.coverages import delete_coverages
from skypool.catalogue.database import Database, all_or_nothing, explained
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.purging import check_rows
from skypool.catalogue.schema import DOCUMENT

__all__ = ["Range", "Reclaim"]

_TABLES = """
CREATE TEMP TABLE wanted(pack INTEGER PRIMARY KEY);
CREATE TEMP TABLE mine(
    pack INTEGER, offset INTEGER, member INTEGER, key INTEGER, stored INTEGER,
    PRIMARY KEY(pack, offset, member, key)
) WITHOUT ROWID;
CREATE TEMP TABLE dead(key INTEGER, document INTEGER, PRIMARY KEY(key, document)) WITHOUT ROWID;
"""

# What one transaction takes: the locks of others wait for no more than that. Less would cost
# more: the keys of a range lie all over the table, and each transaction writes whole pages.
_RANGE_ROWS = 20_000
_RANGE_BYTES = 32 << 20
_SWEPT_AT_ONCE = 2000

_IN_RANGE = (
    " (key, pack, offset, member) IN (SELECT key, pack, offset, member FROM mine"
    " WHERE pack = ? AND offset >= ? AND offset < ?"
)
# Terms of documents that are gone, or whose content is.
_STALE = "NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = {} AND NOT d.bare)"


class Range(NamedTuple):
    """A part of a pack: the records that start from *start* on and before *end*."""

    pack: int
    start: int
    end: int


class Reclaim(Marks):
    """`Marks` that give back what nothing reaches.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # Tells how many rows one transaction may take, where that is not as many as usual.
        self.at_once: Callable[[int], int] | None = None
        with explained(database.path):
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)

    def check(self, *, all_tables: bool) -> None:
        """Make sure that the rows by which is decided what goes are as they were written.

        Parameters
        ----------
        all_tables
            Not of the versions alone, but also of what protects them.

        Raises
        ------
        Damaged
            If one is not.
        """
        check_rows(self._connection, self._database.path, all_tables=all_tables)

    def _most(self, usual: int) -> int:
        return usual if self.at_once is None else self.at_once(usual)

    # -- giving back

    def forgive(self) -> None:
        """Clear the condemnations that an interrupted collection left."""
        mine = f"condemned > 0 AND condemned = {CONDEMNED}"
        if self._all(f"SELECT 1 FROM chunks WHERE {mine} LIMIT 1"):
            with self._writing() as connection:
                connection.execute(f"UPDATE chunks SET condemned = 0 WHERE {mine}")

    def gather(self, packs: Iterable[int]) -> None:
        """Note the rows of packs that are to be rewritten or removed."""
        self._insert("INSERT OR IGNORE INTO wanted(pack) VALUES (?)", ((pack,) for pack in packs))
        with explained(self._database.path):
            self._connection.execute(
                "INSERT OR IGNORE INTO mine SELECT pack, offset, member, key, stored"
                " FROM chunks WHERE pack IN (SELECT pack FROM wanted)"
                " ORDER BY pack, offset, member, key"
            )

    def ranges(self, pack: int, at_most: int | None = None) -> Iterator[Range]:
        """Cut a pack into parts that are dealt with one at a time, each of whole records.

        Parameters
        ----------
        pack
            Its number.
        at_most
            Bytes of a part of more than one record.
        """
        start = -1
        most_bytes = _RANGE_BYTES if at_most is None else at_most
        while True:
            rows = self._all(
                "SELECT offset, stored FROM mine WHERE pack = ? AND offset > ?"
                " ORDER BY offset, member LIMIT ?",
                (pack, start, self._most(_RANGE_ROWS)),
            )
            if not rows:
                return
            first = last = rows[0][0]
            for offset, stored in rows:
                if offset + stored - first > most_bytes and offset != first:
                    break
                last = offset
            yield Range(pack, first, last + 1)
            start = last

    def condemn(self, part: Range) -> None:
        """Condemn the chunks that no document reaches: nobody reuses them unasked."""
        self.flush()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE chunks SET condemned = {CONDEMNED} WHERE{_IN_RANGE}"
                " AND key NOT IN (SELECT key FROM live))",
                part,
            )

    def absolve(self, part: Range) -> None:
        """Clear the condemnation of what was marked since."""
        self.flush()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE chunks SET condemned = 0 WHERE{_IN_RANGE}"
                f" AND key IN (SELECT key FROM live)) AND condemned = {CONDEMNED}",
                part,
            )

    def survivors(self, part: Range) -> dict[PlacedRow, bool]:
        """Return the rows that are not condemned, in the order of the pack.

        Each with whether its chunk may be in another place too. One that was found damaged
        is among them where nothing else holds a needed chunk: the pack must not go then.
        """
        rows = self._all(
            "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length,"
            " EXISTS (SELECT 1 FROM chunks o WHERE o.key = c.key AND NOT o.condemned"
            " AND (o.pack, o.offset, o.member) != (c.pack, c.offset, c.member))"
            " FROM mine m JOIN chunks c ON (c.key, c.pack, c.offset, c.member)"
            " = (m.key, m.pack, m.offset, m.member) JOIN packs p ON p.id = c.pack"
            " WHERE m.pack = ? AND m.offset >= ? AND m.offset < ?"
            f" AND (NOT c.condemned OR c.condemned = {BAD}"
            "  AND c.key IN (SELECT key FROM live) AND NOT EXISTS (SELECT 1 FROM chunks o"
            f" WHERE o.key = c.key AND o.condemned != {BAD})) ORDER BY m.offset, m.member",
            part,
        )
        return {PlacedRow(row[0], place_of(row[1:6])): bool(row[6]) for row in rows}

    def others(self, row: PlacedRow) -> list[ChunkPlace]:
        """Return the places outside its pack that a chunk can be read from."""
        rows = self._all(
            "SELECT p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
            " JOIN packs p ON p.id = c.pack WHERE c.key = ? AND p.name != ? AND NOT c.condemned",
            (row.key, row.place.pack),
        )
        return [place_of(found) for found in rows]

    def replace(
        self,
        part: Range,
        moved: Mapping[PlacedRow, ChunkPlace],
        doubled: Mapping[PlacedRow, ChunkPlace | PlacedRow],
    ) -> list[PlacedRow] | None:
        """Forget a part of a pack in one transaction, giving what it held its new places.

        Parameters
        ----------
        part
            Of which pack, and which part.
        moved
            The new place of each chunk that was copied; durable.
        doubled
            Chunks that were not copied, since they are at that other place too, or are the
            same as another row of this part.

        Returns
        -------
        list of PlacedRow or None
            Chunks that must be copied first, since a commit reuses them now or their
            other place is gone; then nothing was changed.
        """
        with self._writing() as connection:
            missing = [
                row
                for row in self.survivors(part)
                if row not in moved and not self._is_double(row, moved, doubled)
            ]
            if missing:
                return missing
            # The table has no more of a digest than its key.
            ChunkIndex(self._database).insert(
                connection,
                [(row.key.to_bytes(8, "big", signed=True), place) for row, place in moved.items()],
            )
            dead = self._dead_documents(part)
            connection.execute(f"DELETE FROM chunks WHERE{_IN_RANGE})", part)
            self._forget_documents(connection, dead)
        return None

    def shorten(self, pack: int, end: int) -> None:
        """Note that a pack ends earlier now: what was behind is in other packs, or gone."""
        with self._writing() as connection:
            connection.execute("UPDATE packs SET end = ? WHERE id = ?", (end, pack))

    def forget_pack(self, pack: int) -> None:
        """Forget a pack all of whose rows are gone."""
        with self._writing() as connection:
            connection.execute("DELETE FROM packs WHERE id = ?", (pack,))

    def _is_double(
        self,
        row: PlacedRow,
        moved: Mapping[PlacedRow, ChunkPlace],
        doubled: Mapping[PlacedRow, ChunkPlace | PlacedRow],
    ) -> bool:
        """Return whether a chunk stays readable without this row."""
        other = doubled.get(row)
        if isinstance(other, PlacedRow):
            return other in moved
        return other is not None and self._is_row(other, row.key)

    def _is_row(self, place: ChunkPlace, key: int) -> bool:
        member = ALONE if place.member is None else place.member
        return bool(
            self._all(
                "SELECT 1 FROM chunks c JOIN packs p ON p.id = c.pack WHERE c.key = ?"
                " AND p.name = ? AND c.offset = ? AND c.member = ? AND NOT c.condemned",
                (key, place.pack, place.offset, member),
            )
        )

    # -- documents that no version is of, or only such as were given up

    def find_orphans(self) -> int:
        """Look for documents that nobody needs; return how many no version is of."""
        with explained(self._database.path):
            cursor = self._connection.execute(
                "SELECT id, digest FROM documents d WHERE NOT bare AND NOT EXISTS"
                " (SELECT 1 FROM versions v WHERE v.document = d.id AND v.purged = 0)"
            )
            while rows := cursor.fetchmany(1000):
                self._connection.executemany(
                    "INSERT OR IGNORE INTO dead(key, document) VALUES (?, ?)",
                    [(chunk_key(digest), number) for number, digest in rows],
                )
        ((count,),) = self._all(
            "SELECT count(*) FROM dead WHERE NOT EXISTS"
            " (SELECT 1 FROM versions v WHERE v.document = dead.document)"
        )
        return int(count)

    def _dead_documents(self, part: Range) -> list[tuple[int, int]]:
        """Return number and key of the documents nobody needs that are in a part of a pack."""
        return self._all(
            "SELECT DISTINCT d.document, d.key FROM mine m JOIN dead d ON d.key = m.key"
            " WHERE m.pack = ? AND m.offset >= ? AND m.offset < ?",
            part,
        )

    def forget_lost_documents(self) -> None:
        """Forget documents nobody needs whose chunk is in no pack any more."""
        last = (-(2**63), 0)
        while True:
            rows = self._all(
                "SELECT key, document FROM dead WHERE (key, document) > (?, ?)"
                " ORDER BY key, document LIMIT ?",
                (*last, self._most(_RANGE_ROWS)),
            )
            if not rows:
                return
            with self._writing() as connection:
                self._forget_documents(connection, ((number, key) for key, number in rows))
            last = rows[-1]

    def _forget_documents(
        self, connection: sqlite3.Connection, documents: Iterable[tuple[int, int]]
    ) -> None:
        """Forget documents, inside a transaction, unless they are in use again.

        Of those of versions that were given up, what the log says stays. The one with the
        largest number stays too, so that no number is ever given twice: values of documents
        that are gone can then be swept out afterwards, in short transactions.
        """
        ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM documents").fetchall()
        gone, bare = [], []
        for number, key in documents:
            if connection.execute("SELECT 1 FROM chunks WHERE key = ?", (key,)).fetchone():
                continue
            row = connection.execute(
                "SELECT max(purged = 0) FROM versions WHERE document = ?", (number,)
            ).fetchone()
            if row[0] is None and number != last:
                gone.append((number,))
            elif row[0] == 0:
                bare.append((number,))
        if gone or bare:
            connection.executemany("DELETE FROM documents WHERE id = ?", gone)
            delete_coverages(connection, [*gone, *bare])
            delete_attributes(connection, [*gone, *bare])
            connection.executemany(
                f"UPDATE documents SET bare = 1, file_hash = NULL, crc = {CRC_OF_BARE}"
                " WHERE id = ?1",
                bare,
            )
            connection.executemany("DELETE FROM sources WHERE document = ?", gone)
            set_state(connection, {"to_sweep": 1})

    def sweep(self) -> None:
        """Remove the values of documents that are gone, some at a time."""
        if not self._all("SELECT 1 FROM state WHERE key = 'to_sweep' AND value > 0"):
            return
        with self._writing() as connection:
            # What goes from now on is for another sweep.
            set_state(connection, {"to_sweep": 2})
        for (key,) in self._all("SELECT DISTINCT key FROM slots"):
            self._sweep_key(key)
        with self._writing() as connection:
            if state(connection, "to_sweep") == 2:
                set_state(connection, {"to_sweep": 0})

    def _sweep_key(self, key: int) -> None:
        stale, still = (_STALE.format(f"({DOCUMENT.format(name)})") for name in ("p", "postings"))
        while True:
            most = self._most(_SWEPT_AT_ONCE)
            rows = self._all(
                "SELECT p.slot, p.value, p.entry FROM slots s"
                f" JOIN postings p ON p.slot = s.id WHERE s.key = ? AND {stale} LIMIT ?",
                (key, most),
            )
            if rows:
                with self._writing() as connection:
                    connection.executemany(
                        "DELETE FROM postings WHERE slot = ? AND value = ? AND entry = ?"
                        f" AND {still}",
                        rows,
                    )
            if len(rows) < most:
                return

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Change the catalogue itself: all or nothing."""
        connection = self._connection
        with self._database.writing, explained(self._database.path):
            with all_or_nothing(connection, "BEGIN IMMEDIATE"):
                yield connection
            if self._most(_RANGE_ROWS) < _RANGE_ROWS:
                # What was written ahead is used again by the next transaction.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
