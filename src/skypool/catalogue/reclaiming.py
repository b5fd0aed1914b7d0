"""What garbage collection changes in the catalogue.

Chunks are condemned first, so that nobody reuses them unasked; what is still condemned when
their pack goes is forgotten together with it, in one transaction (storage rule 3).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from skypool.catalogue.chunks import ALONE, BAD, CONDEMNED, ChunkIndex, chunk_key
from skypool.catalogue.collecting import Marks, PlacedRow
from skypool.catalogue.coverages import delete_coverages
from skypool.catalogue.database import Database, explained
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.publish import set_state

__all__ = ["Reclaim"]


class Reclaim(Marks):
    """`Marks` that give back what nothing reaches.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # Number of each document of no version, by its key.
        self._orphans: dict[int, int] = {}

    # -- giving back

    def forgive(self) -> None:
        """Clear the condemnations that an interrupted collection left."""
        with self._writing() as connection:
            connection.execute(f"UPDATE chunks SET condemned = 0 WHERE condemned = {CONDEMNED}")

    def gather(self, packs: Iterable[int]) -> None:
        """Note the rows of packs that are to be rewritten or removed."""
        self._insert("INSERT OR IGNORE INTO wanted(pack) VALUES (?)", ((pack,) for pack in packs))
        with explained(self._database.path):
            self._connection.execute(
                "INSERT OR IGNORE INTO mine SELECT pack, key, offset, member, stored, length"
                " FROM chunks WHERE pack IN (SELECT pack FROM wanted)"
            )

    def condemn(self, pack: int) -> None:
        """Condemn the chunks of a pack that no document reaches: nobody reuses them unasked."""
        self.flush()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE chunks SET condemned = {CONDEMNED} WHERE (key, pack, offset, member) IN"
                " (SELECT key, pack, offset, member FROM mine WHERE pack = ?"
                " AND key NOT IN (SELECT key FROM live))",
                (pack,),
            )

    def absolve(self, pack: int) -> None:
        """Clear the condemnation of what was marked since."""
        self.flush()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE chunks SET condemned = 0 WHERE condemned = {CONDEMNED}"
                " AND (key, pack, offset, member) IN"
                " (SELECT key, pack, offset, member FROM mine WHERE pack = ?"
                " AND key IN (SELECT key FROM live))",
                (pack,),
            )

    def survivors(self, pack: int) -> list[PlacedRow]:
        """Return the rows of a pack that are not condemned, in the order of the pack.

        One that was found damaged is among them where nothing else holds a needed chunk: the
        pack must not go then.
        """
        rows = self._all(
            "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM mine m"
            " JOIN chunks c ON (c.key, c.pack, c.offset, c.member)"
            " = (m.key, m.pack, m.offset, m.member) JOIN packs p ON p.id = c.pack"
            f" WHERE m.pack = ? AND (NOT c.condemned OR c.condemned = {BAD}"
            "  AND c.key IN (SELECT key FROM live) AND NOT EXISTS (SELECT 1 FROM chunks o"
            f" WHERE o.key = c.key AND o.condemned != {BAD})) ORDER BY c.offset, c.member",
            (pack,),
        )
        return [
            PlacedRow(
                key, ChunkPlace(name, offset, stored, None if member == ALONE else member, length)
            )
            for key, name, offset, stored, member, length in rows
        ]

    def others(self, row: PlacedRow) -> list[ChunkPlace]:
        """Return the places outside its pack that a chunk can be read from."""
        rows = self._all(
            "SELECT p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
            " JOIN packs p ON p.id = c.pack WHERE c.key = ? AND p.name != ? AND NOT c.condemned",
            (row.key, row.place.pack),
        )
        return [
            ChunkPlace(name, offset, stored, None if member == ALONE else member, length)
            for name, offset, stored, member, length in rows
        ]

    def replace_pack(
        self,
        pack: int,
        moved: Mapping[PlacedRow, ChunkPlace],
        doubled: Mapping[PlacedRow, ChunkPlace | PlacedRow],
    ) -> list[PlacedRow] | None:
        """Forget a pack in one transaction, giving what it held its new places.

        Parameters
        ----------
        pack
            Its number.
        moved
            The new place of each chunk that was copied; durable.
        doubled
            Chunks that were not copied, since they are at that other place too, or are the
            same as another row of this pack.

        Returns
        -------
        list of PlacedRow or None
            Chunks that must be copied first, since a commit reuses them now or their
            other place is gone; then nothing was changed.
        """
        with self._writing() as connection:
            missing = [
                row
                for row in self.survivors(pack)
                if row not in moved and not self._is_double(row, moved, doubled)
            ]
            if missing:
                return missing
            # The table has no more of a digest than its key.
            ChunkIndex(self._database).insert(
                connection,
                [(row.key.to_bytes(8, "big", signed=True), place) for row, place in moved.items()],
            )
            dead = self._dead_documents(pack)
            connection.execute(
                "DELETE FROM chunks WHERE (key, pack, offset, member) IN"
                " (SELECT key, pack, offset, member FROM mine WHERE pack = ?)",
                (pack,),
            )
            connection.execute("DELETE FROM packs WHERE id = ?", (pack,))
            self._forget_documents(connection, dead)
        return None

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

    # -- documents that no version is of

    def _dead_documents(self, pack: int) -> list[tuple[int, int]]:
        """Return number and key of the documents of no version that are in a pack."""
        if not self._orphans:
            return []
        found = self._all("SELECT DISTINCT key FROM mine WHERE pack = ?", (pack,))
        return [(self._orphans[key], key) for (key,) in found if key in self._orphans]

    def find_orphans(self) -> int:
        """Look for documents that no version is of; return how many there are."""
        rows = self._all(
            "SELECT id, digest FROM documents d WHERE NOT EXISTS"
            " (SELECT 1 FROM versions v WHERE v.document = d.id)"
        )
        self._orphans = {chunk_key(digest): number for number, digest in rows}
        return len(self._orphans)

    def forget_lost_documents(self) -> None:
        """Forget documents of no version whose chunk is in no pack any more."""
        with self._writing() as connection:
            self._forget_documents(connection, [(n, key) for key, n in self._orphans.items()])

    def _forget_documents(
        self, connection: sqlite3.Connection, documents: Sequence[tuple[int, int]]
    ) -> None:
        """Forget documents, inside a transaction, unless they are in use again.

        The one with the largest number stays, so that no number is ever given twice: values
        of documents that are gone can then be swept out afterwards, in short transactions.
        """
        ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM documents").fetchall()
        gone = [
            (number,)
            for number, key in documents
            if number != last
            and not connection.execute(
                "SELECT 1 FROM chunks WHERE key = ? LIMIT 1", (key,)
            ).fetchone()
            and not connection.execute(
                "SELECT 1 FROM versions WHERE document = ? LIMIT 1", (number,)
            ).fetchone()
        ]
        if gone:
            connection.executemany("DELETE FROM documents WHERE id = ?", gone)
            delete_coverages(connection, gone)
            connection.executemany("DELETE FROM sources WHERE document = ?", gone)
            set_state(connection, {"to_sweep": 1})

    def sweep(self) -> None:
        """Remove the values of documents that are gone, key by key."""
        if not self._all("SELECT 1 FROM state WHERE key = 'to_sweep' AND value = 1"):
            return
        for (key,) in self._all("SELECT id FROM keys"):
            with self._writing() as connection:
                connection.execute(
                    "DELETE FROM terms WHERE key = ? AND document NOT IN"
                    " (SELECT id FROM documents)",
                    (key,),
                )
        with self._writing() as connection:
            set_state(connection, {"to_sweep": 0})

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Change the catalogue itself: all or nothing."""
        connection = self._connection
        with self._database.writing, explained(self._database.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
