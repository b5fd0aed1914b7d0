"""What garbage collection and verification ask of the catalogue.

Both compare the places of all chunks with what documents reach and what packs hold.
The sets for that are temporary tables that SQLite keeps in files once they are large, so
that memory does not grow with the pool.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from skypool.catalogue.chunks import ALONE, ChunkIndex, chunk_key
from skypool.catalogue.database import Database, explained
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.text import from_database

__all__ = ["Marks", "PackUse", "PlacedRow"]

_KEYS = struct.Struct(">q24x")
_BUFFERED = 50_000
_PAGE = 1000

_TABLES = """
CREATE TEMP TABLE live(key INTEGER PRIMARY KEY);
CREATE TEMP TABLE lost(pack INTEGER PRIMARY KEY);
CREATE TEMP TABLE wanted(pack INTEGER PRIMARY KEY);
CREATE TEMP TABLE found(
    pack INTEGER, offset INTEGER, member INTEGER, key INTEGER, bad INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(pack, offset, member, key)
) WITHOUT ROWID;
CREATE TEMP TABLE mine(
    pack INTEGER, key INTEGER, offset INTEGER, member INTEGER, stored INTEGER, length INTEGER,
    PRIMARY KEY(pack, key, offset, member)
) WITHOUT ROWID;
"""

# A row is needed if a document reaches its key, and no row of a smaller place has that key.
_NEEDED = """
    c.key IN (SELECT key FROM live) AND c.pack NOT IN (SELECT pack FROM lost)
    AND NOT EXISTS (SELECT 1 FROM chunks o WHERE o.key = c.key
        AND (o.pack, o.offset, o.member) < (c.pack, c.offset, c.member)
        AND o.pack NOT IN (SELECT pack FROM lost))
"""


class PlacedRow(NamedTuple):
    """A row of the table of chunks: key and place; the digest stands in the record."""

    key: int
    place: ChunkPlace


class PackUse(NamedTuple):
    """What the catalogue knows of a pack.

    Attributes
    ----------
    number : int
        The catalogue's number of it; 0 where it does not know it.
    rows : int
        Chunks that are in it.
    dead : int
        Those that no document reaches.
    needed : int
        Bytes of the records, padding included, of which documents need a chunk.
    end : int
        Offset behind the last record that is indexed.
    """

    number: int = 0
    rows: int = 0
    dead: int = 0
    needed: int = 0
    end: int = 0


class Marks:
    """Sets of chunks beside the catalogue, on a connection of their own.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        with explained(database.path):
            self._connection = database.separate()
            self._connection.execute("PRAGMA temp_store=FILE")
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)
        self._buffer: list[int] = []
        self._orphans: dict[int, int] = {}

    def close(self) -> None:
        """Forget the sets."""
        self._connection.close()

    def __enter__(self) -> Marks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with explained(self._database.path):
            return self._connection.execute(sql, values).fetchall()

    # -- what documents reach

    def documents(self, after: int, up_to: int) -> Iterator[tuple[int, bytes]]:
        """Return number and digest of the documents of versions of a range of commits."""
        last = 0
        while True:
            rows = self._all(
                "SELECT d.id, d.digest FROM documents d WHERE d.id > ? AND EXISTS"
                " (SELECT 1 FROM versions v WHERE v.document = d.id"
                " AND v.since > ? AND v.since <= ?) ORDER BY d.id LIMIT ?",
                (last, after, up_to, _PAGE),
            )
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def count_documents(self, up_to: int) -> int:
        """Return the number of documents of versions up to a commit."""
        ((count,),) = self._all(
            "SELECT count(DISTINCT document) FROM versions WHERE since <= ?", (up_to,)
        )
        return int(count)

    def add(self, digests: bytes) -> None:
        """Note chunks as reached; *digests* are 32 bytes each, one behind the other."""
        self._buffer.extend(key for (key,) in _KEYS.iter_unpack(digests))
        if len(self._buffer) >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write the buffer out."""
        keys, self._buffer = sorted(set(self._buffer)), []
        self._insert("INSERT OR IGNORE INTO live(key) VALUES (?)", ((key,) for key in keys))

    def _insert(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with explained(self._database.path):
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany(sql, rows)
            finally:
                self._connection.execute("COMMIT")

    # -- packs

    def packs(self) -> dict[bytes, int]:
        """Return the catalogue's number of every pack."""
        return {name: number for number, name in self._all("SELECT id, name FROM packs")}

    def ends(self) -> dict[bytes, int]:
        """Return for every pack the offset behind the last record that has a row."""
        return {name: (end + 7) & ~7 for name, end in self._all("SELECT name, end FROM packs")}

    def lose(self, packs: Iterable[int]) -> None:
        """Note packs that are not on disk."""
        self._insert("INSERT OR IGNORE INTO lost(pack) VALUES (?)", ((pack,) for pack in packs))

    def use(self) -> dict[bytes, PackUse]:
        """Return what is needed of every pack, by what was marked."""
        self.flush()
        needed = dict(
            self._all(
                "SELECT pack, sum((stored + 7) & ~7) FROM (SELECT c.pack, c.offset, c.stored"
                f" FROM chunks c WHERE {_NEEDED} GROUP BY c.pack, c.offset) GROUP BY pack"
            )
        )
        counts = {
            pack: (rows, dead)
            for pack, rows, dead in self._all(
                "SELECT pack, count(*), sum(key NOT IN (SELECT key FROM live))"
                " FROM chunks GROUP BY pack"
            )
        }
        return {
            name: PackUse(number, *counts.get(number, (0, 0)), needed.get(number, 0), end)
            for number, name, end in self._all("SELECT id, name, (end + 7) & ~7 FROM packs")
        }

    # -- what packs hold, for verification

    def hold(self, pack: int, entries: Iterable[tuple[bytes, int, int | None]]) -> None:
        """Note what the records of a pack hold: digest, offset, start in the block."""
        self._insert(
            "INSERT OR IGNORE INTO found(pack, key, offset, member) VALUES (?, ?, ?, ?)",
            (
                (pack, chunk_key(digest), offset, ALONE if member is None else member)
                for digest, offset, member in entries
            ),
        )

    def spoil(self, pack: int, start: int, end: int) -> None:
        """Note that bytes of a pack are damaged."""
        self._insert(
            "UPDATE found SET bad = 1 WHERE pack = ? AND offset >= ? AND offset < ?",
            ((pack, start, end),),
        )

    def misplaced(self) -> Iterator[PlacedRow]:
        """Return the rows of chunks that no good record holds."""
        with explained(self._database.path):
            cursor = self._connection.execute(
                "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
                " JOIN packs p ON p.id = c.pack LEFT JOIN found f ON f.pack = c.pack"
                " AND f.offset = c.offset AND f.member = c.member AND f.key = c.key"
                " WHERE f.key IS NULL OR f.bad ORDER BY p.name, c.offset"
            )
            for key, name, offset, stored, member, length in cursor:
                at = ChunkPlace(name, offset, stored, None if member == ALONE else member, length)
                yield PlacedRow(key, at)

    def unplaced(self) -> Iterator[int]:
        """Return the keys that documents reach and no good record of a row holds."""
        self.flush()
        with explained(self._database.path):
            for (key,) in self._connection.execute(
                "SELECT l.key FROM live l WHERE NOT EXISTS (SELECT 1 FROM chunks c JOIN found f"
                " ON f.pack = c.pack AND f.offset = c.offset AND f.member = c.member"
                " AND f.key = c.key AND NOT f.bad WHERE c.key = l.key)"
            ):
                yield key

    def has_row(self, key: int) -> bool:
        """Return whether a chunk has a place in a pack."""
        return bool(self._all("SELECT 1 FROM chunks WHERE key = ? LIMIT 1", (key,)))

    def integrity(self, quick: bool) -> list[str]:
        """Return what SQLite finds wrong with its file."""
        check = "quick_check" if quick else "integrity_check"
        return [text for (text,) in self._all(f"PRAGMA main.{check}(20)") if text != "ok"]

    def holders(self, document: int) -> list[tuple[str, int]]:
        """Return name and number of the versions that a document is of."""
        rows = self._all(
            "SELECT (SELECT n.name FROM names n WHERE n.track = v.track ORDER BY n.since DESC"
            " LIMIT 1), v.version, v.track FROM versions v WHERE v.document = ? ORDER BY v.urn",
            (document,),
        )
        return [
            (from_database(name) if name else f"track {track}", version)
            for name, version, track in rows
        ]

    # -- giving back

    def forgive(self) -> None:
        """Clear the condemnations that an interrupted collection left."""
        with self._writing() as connection:
            connection.execute("UPDATE chunks SET condemned = 0 WHERE condemned")

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
                "UPDATE chunks SET condemned = 1 WHERE (key, pack, offset, member) IN"
                " (SELECT key, pack, offset, member FROM mine WHERE pack = ?"
                " AND key NOT IN (SELECT key FROM live))",
                (pack,),
            )

    def absolve(self, pack: int) -> None:
        """Clear the condemnation of what was marked since."""
        self.flush()
        with self._writing() as connection:
            connection.execute(
                "UPDATE chunks SET condemned = 0 WHERE (key, pack, offset, member) IN"
                " (SELECT key, pack, offset, member FROM mine WHERE pack = ?"
                " AND key IN (SELECT key FROM live))",
                (pack,),
            )

    def survivors(self, pack: int) -> list[PlacedRow]:
        """Return the rows of a pack that are not condemned, in the order of the pack."""
        rows = self._all(
            "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM mine m"
            " JOIN chunks c ON (c.key, c.pack, c.offset, c.member)"
            " = (m.key, m.pack, m.offset, m.member) JOIN packs p ON p.id = c.pack"
            " WHERE m.pack = ? AND NOT c.condemned ORDER BY c.offset, c.member",
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
            connection.executemany("DELETE FROM sources WHERE document = ?", gone)
            connection.execute("INSERT OR REPLACE INTO state(key, value) VALUES ('to_sweep', 1)")

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
            connection.execute("INSERT OR REPLACE INTO state(key, value) VALUES ('to_sweep', 0)")

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
