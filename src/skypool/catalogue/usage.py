"""Which parts of a pool need which bytes: what they share, and what each needs alone.

The pairs of chunk and part stand in a temporary table that SQLite keeps in a file once it is
large, so that memory does not grow with the pool.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from skypool.catalogue.beside import TablesBeside
from skypool.catalogue.checks import NAME, VERSION, sure
from skypool.catalogue.chunks import ALONE, BAD
from skypool.catalogue.database import Database, all_or_nothing, explained
from skypool.catalogue.text import from_database

__all__ = ["PartBytes", "Usage", "VersionPlace"]

_KEYS = struct.Struct(">q24x")
_BUFFERED = 50_000
_PAGE = 1000

_TABLES = """
CREATE TEMP TABLE shares(document INTEGER, part INTEGER, PRIMARY KEY(document, part)) WITHOUT ROWID;
CREATE TEMP TABLE reach(key INTEGER, part INTEGER, PRIMARY KEY(key, part)) WITHOUT ROWID;
"""

# What each chunk costs, record padding included; of a record with several chunks, each has
# the share that its length is of theirs together.
_COSTS = f"""
CREATE TEMP TABLE costs AS
    SELECT key, min(bytes) AS bytes FROM (
        SELECT c.key AS key, (c.stored + 7) & ~7 AS bytes FROM chunks c
        WHERE c.member = {ALONE} AND c.condemned != {BAD}
        AND c.key IN (SELECT key FROM reach)
        UNION ALL
        SELECT c.key, ((c.stored + 7) & ~7) * 1.0 * c.length / max(1, b.length) FROM chunks c
        JOIN (SELECT pack, offset, sum(length) AS length FROM chunks
              WHERE member != {ALONE} GROUP BY pack, offset) b
        ON b.pack = c.pack AND b.offset = c.offset
        WHERE c.member != {ALONE} AND c.condemned != {BAD}
        AND c.key IN (SELECT key FROM reach)
    ) GROUP BY key
"""


class VersionPlace(NamedTuple):
    """A version whose content is there, and where it stands.

    Attributes
    ----------
    urn, version, document : int
        Number, version, and the catalogue's number of the document.
    name : str
        The last name of the product.
    kind, type : str
    size : int
        Of its product.
    newest, removed : bool
        Whether it is the newest of its product, and whether that was removed.
    """

    urn: int
    version: int
    document: int
    name: str
    kind: str
    type: str
    size: int
    newest: bool
    removed: bool


class PartBytes(NamedTuple):
    """The stored bytes that a part needs, and those that no other one does."""

    needed: int
    unique: int


class Usage(TablesBeside):
    """Tables of what needs which chunks.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, _TABLES.split(";"))
        self._buffer: set[tuple[int, int]] = set()

    def versions(self, at: int) -> Iterator[VersionPlace]:
        """Return the versions up to a commit that were not given up."""
        last = 0
        while True:
            with explained(self._database.path):
                rows = self._connection.execute(
                    f"SELECT {sure(VERSION, 'v.urn')}, v.version, d.id, (SELECT"
                    f" {sure(NAME, 'n.name')} FROM names n WHERE n.track = v.track"
                    " AND n.since <= :at ORDER BY n.since DESC LIMIT 1), d.kind, d.type, d.size,"
                    " v.until > :at, NOT EXISTS (SELECT 1 FROM names n WHERE n.track = v.track"
                    " AND n.since <= :at AND n.until > :at)"
                    " FROM versions v JOIN documents d ON d.id = v.document"
                    " WHERE v.urn > :last AND v.since <= :at AND v.purged = 0"
                    " ORDER BY v.urn LIMIT :page",
                    {"at": at, "last": last, "page": _PAGE},
                ).fetchall()
            for urn, version, document, name, kind, code, size, newest, removed in rows:
                called = from_database(name) if name is not None else ""
                yield VersionPlace(
                    urn, version, document, called, kind, code, size, bool(newest), bool(removed)
                )
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def tree(self, urn: int) -> list[tuple[int, int]]:
        """Return number and document of a version and of all that it refers to, at any depth."""
        with explained(self._database.path):
            return self._connection.execute(
                "WITH RECURSIVE below(urn) AS (SELECT ? UNION SELECT r.child FROM below b"
                " JOIN refs r ON r.parent = b.urn WHERE r.child IS NOT NULL)"
                " SELECT v.urn, v.document FROM below b JOIN versions v ON v.urn = b.urn"
                " WHERE v.purged = 0",
                (urn,),
            ).fetchall()

    def share(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Note documents of parts; a document may be of several."""
        self._insert("INSERT OR IGNORE INTO shares(document, part) VALUES (?, ?)", pairs)

    def count_documents(self) -> int:
        """Return the number of different documents."""
        with explained(self._database.path):
            found = self._connection.execute("SELECT count(DISTINCT document) FROM shares")
            return int(found.fetchone()[0])

    def documents(self) -> Iterator[tuple[bytes, list[int]]]:
        """Return the digest of each document, with its parts."""
        last = 0
        while True:
            with explained(self._database.path):
                rows = self._connection.execute(
                    "SELECT d.id, d.digest, group_concat(s.part) FROM shares s"
                    " JOIN documents d ON d.id = s.document WHERE s.document > ?"
                    " GROUP BY s.document ORDER BY s.document LIMIT ?",
                    (last, _PAGE),
                ).fetchall()
            for _, digest, parts in rows:
                yield digest, [int(part) for part in parts.split(",")]
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def add(self, digests: bytes, parts: Iterable[int]) -> None:
        """Note that parts need chunks; *digests* are 32 bytes each, one behind the other."""
        for part in parts:
            self._buffer.update((key, part) for (key,) in _KEYS.iter_unpack(digests))
        if len(self._buffer) >= _BUFFERED:
            self._flush()

    def _flush(self) -> None:
        pairs, self._buffer = sorted(self._buffer), set()
        self._insert("INSERT OR IGNORE INTO reach(key, part) VALUES (?, ?)", pairs)

    def _insert(self, sql: str, rows: Iterable[tuple[int, int]]) -> None:
        with explained(self._database.path), all_or_nothing(self._connection):
            self._connection.executemany(sql, rows)

    def bytes(self) -> tuple[int, dict[int, PartBytes]]:
        """Return the stored bytes of all parts together, and those of each.

        What stands in users' own files is in no pack, and costs nothing.
        """
        self._flush()
        with explained(self._database.path):
            self._connection.execute("DROP TABLE IF EXISTS costs")
            self._connection.execute(_COSTS)
            self._connection.execute("CREATE UNIQUE INDEX temp.costs_key ON costs(key)")
            (total,) = self._connection.execute(
                "SELECT coalesce(sum(bytes), 0) FROM costs"
            ).fetchone()
            rows = self._connection.execute(
                "SELECT r.part, sum(c.bytes), sum(c.bytes * (o.parts = 1)) FROM reach r"
                " JOIN costs c ON c.key = r.key"
                " JOIN (SELECT key, count(*) AS parts FROM reach GROUP BY key) o ON o.key = r.key"
                " GROUP BY r.part"
            ).fetchall()
        return round(total), {
            part: PartBytes(round(needed), round(unique)) for part, needed, unique in rows
        }
