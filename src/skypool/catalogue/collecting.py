"""What garbage collection and verification ask of the catalogue.

Both compare the places of all chunks with what documents reach and what packs hold.
The sets for that are temporary tables that SQLite keeps in files once they are large, so
that memory does not grow with the pool.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from skypool.catalogue.beside import TablesBeside
from skypool.catalogue.chunks import ALONE, BAD, checked_digest, chunk_key, place_of
from skypool.catalogue.database import Database, all_or_nothing, explained, schema_rows
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.purging import DOOMED, RemovedVersions, purged_by
from skypool.catalogue.text import from_database

__all__ = ["Marks", "PackUse", "PlacedRow"]

_KEYS = struct.Struct(">q24x")
_BUFFERED = 50_000
_PAGE = 1000

_TABLES = """
CREATE TEMP TABLE live(key INTEGER PRIMARY KEY);
CREATE TEMP TABLE lost(pack INTEGER PRIMARY KEY);
CREATE TEMP TABLE found(
    pack INTEGER, offset INTEGER, member INTEGER, key INTEGER, stored INTEGER, length INTEGER,
    bad INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(pack, offset, member, key)
) WITHOUT ROWID;
"""

# The record of each chunk that documents reach: that with the smallest place, if several, of
# those that were not found damaged. A
# column beside min() is that of the same row (sqlite.org/lang_select.html, bare columns).
_NEEDED = f"""
    SELECT min(((c.condemned = {BAD}) << 62) + (c.pack << 40) + c.offset),
    c.pack AS pack, c.offset AS offset, c.stored AS stored
    FROM chunks c WHERE c.key IN (SELECT key FROM live)
    AND c.pack NOT IN (SELECT pack FROM lost) GROUP BY c.key
"""


class Held(Protocol):
    """Where a pack holds a chunk: like `ChunkPlace`, but as storage tells it."""

    @property
    def offset(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def member(self) -> int | None: ...
    @property
    def length(self) -> int: ...


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


class Marks(TablesBeside):
    """Sets of chunks beside the catalogue.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, (*_TABLES.split(";"), DOOMED))
        self._buffer: list[int] = []

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with explained(self._database.path):
            return self._connection.execute(sql, values).fetchall()

    # -- what documents reach

    def removed(self, before: int) -> RemovedVersions:
        """Return the versions of products removed up to a time; they count as given up."""
        return RemovedVersions(self._connection, self._database.path, before)

    def purged_by(self, commit: int) -> tuple[int, int]:
        """Return the number of versions that a commit gave up, and the size of their products."""
        return purged_by(self._connection, self._database.path, commit)

    def documents(self, after: int, up_to: int) -> Iterator[tuple[int, bytes]]:
        """Return number and digest of the documents of versions of a range of commits.

        Versions that were given up are left out; those whose content has come back are among
        them.
        """
        last = 0
        while True:
            rows = self._all(
                "SELECT d.id, d.digest FROM documents d WHERE d.id > ? AND EXISTS"
                " (SELECT 1 FROM versions v WHERE v.document = d.id"
                " AND (v.since > ? OR EXISTS (SELECT 1 FROM dropped x WHERE x.urn = v.urn"
                "  AND x.until > ? AND x.until <= ?)) AND v.since <= ? AND v.purged = 0"
                " AND v.urn NOT IN (SELECT urn FROM doomed)) ORDER BY d.id LIMIT ?",
                (last, after, after, up_to, up_to, _PAGE),
            )
            for number, digest in rows:
                yield number, checked_digest(digest)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def count_documents(self, up_to: int) -> int:
        """Return the number of documents of versions up to a commit."""
        ((count,),) = self._all(
            "SELECT count(DISTINCT document) FROM versions WHERE since <= ? AND purged = 0"
            " AND urn NOT IN (SELECT urn FROM doomed)",
            (up_to,),
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
        with explained(self._database.path), all_or_nothing(self._connection):
            self._connection.executemany(sql, rows)

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
                "SELECT pack, sum((stored + 7) & ~7) FROM (SELECT pack, offset, stored"
                f" FROM ({_NEEDED}) GROUP BY pack, offset) GROUP BY pack"
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

    def hold(self, pack: int, entries: Iterable[tuple[bytes, Held]]) -> None:
        """Note what the records of a pack hold: the digest of each chunk, and where it is."""
        self._insert(
            "INSERT OR IGNORE INTO found(pack, key, offset, member, stored, length)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    pack,
                    chunk_key(digest),
                    at.offset,
                    ALONE if at.member is None else at.member,
                    at.stored,
                    at.length,
                )
                for digest, at in entries
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
        self.flush()
        with explained(self._database.path):
            cursor = self._connection.execute(
                "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
                " JOIN packs p ON p.id = c.pack LEFT JOIN found f ON f.pack = c.pack"
                " AND f.offset = c.offset AND f.member = c.member AND f.key = c.key"
                " WHERE (f.key IS NULL OR f.bad OR f.stored != c.stored OR f.length != c.length)"
                # What is marked and was healed, or nothing needs, hurts nothing.
                f" AND NOT (c.condemned = {BAD} AND (c.key NOT IN (SELECT key FROM live)"
                " OR EXISTS (SELECT 1 FROM chunks o WHERE o.key = c.key"
                f" AND o.condemned != {BAD}))) ORDER BY p.name, c.offset"
            )
            for key, *place in cursor:
                yield PlacedRow(key, place_of(place))

    def all_marked(self, pack: int, start: int, end: int) -> bool | None:
        """Return whether all chunks in bytes of a pack are marked; None if no row has any."""
        ((rows, marked),) = self._all(
            f"SELECT count(*), coalesce(sum(condemned = {BAD}), 0) FROM chunks"
            " WHERE pack = ? AND offset < ? AND offset + stored > ?",
            (pack, end, start),
        )
        return bool(rows == marked) if rows else None

    def unplaced(self) -> Iterator[int]:
        """Return the keys that documents reach and no good record of a row holds."""
        self.flush()
        with explained(self._database.path):
            for (key,) in self._connection.execute(
                "SELECT l.key FROM live l WHERE NOT EXISTS (SELECT 1 FROM chunks c JOIN found f"
                " ON f.pack = c.pack AND f.offset = c.offset AND f.member = c.member"
                " AND f.key = c.key AND NOT f.bad AND f.stored = c.stored"
                " AND f.length = c.length WHERE c.key = l.key)"
            ):
                yield key

    def has_row(self, key: int) -> bool:
        """Return whether a chunk has a place in a pack."""
        return bool(self._all("SELECT 1 FROM chunks WHERE key = ? LIMIT 1", (key,)))

    def integrity(self, quick: bool) -> list[str]:
        """Return what SQLite finds wrong with its file."""
        check = "quick_check" if quick else "integrity_check"
        found = [text for (text,) in self._all(f"PRAGMA main.{check}(20)") if text != "ok"]
        rows = self._all("SELECT type, name, tbl_name, sql FROM main.sqlite_schema")
        if not found and sorted(map(repr, rows)) != sorted(map(repr, schema_rows())):
            found.append("the definitions of its tables are not as they were written")
        return found

    def holders(self, document: int) -> list[tuple[str, int]]:
        """Return name and number of the versions that a document is of."""
        rows = self._all(
            "SELECT (SELECT n.name FROM names n WHERE n.track = v.track ORDER BY n.since DESC"
            " LIMIT 1), v.version, v.track FROM versions v WHERE v.document = ? AND v.purged = 0"
            " ORDER BY v.urn",
            (document,),
        )
        return [
            (from_database(name) if name else f"track {track}", version)
            for name, version, track in rows
        ]
