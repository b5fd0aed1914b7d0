"""Places of chunks in the SQLite catalogue."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from skypool.catalogue.batches import insert_many
from skypool.catalogue.database import Database
from skypool.catalogue.interface import ChunkPlace, ChunksGone
from skypool.errors import Damaged

__all__ = ["ALONE", "BAD", "CONDEMNED", "ChunkIndex", "checked_digest", "chunk_key", "place_of"]

# What stands for "not in a block" in a primary key, which cannot hold NULL.
ALONE = -1
_BATCH = 500
_MOST_EXPECTED = 10_000
_MOST = 2**62

# Values of `condemned` of a row: gc is about to take the chunk; its record was found damaged.
CONDEMNED, BAD = 1, 2


def checked_digest(value: object) -> bytes:
    """Return the digest that a row says.

    Raises
    ------
    Damaged
        If it says none.
    """
    if isinstance(value, bytes) and len(value) == 32:
        return value
    raise Damaged(
        "the catalogue is damaged: where the digest of a document was is none",
        hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
    )


def chunk_key(digest: bytes) -> int:
    """Return the key of a chunk: the first 8 bytes of its digest."""
    return int.from_bytes(digest[:8], "big", signed=True)


class ChunkIndex:
    """The table of chunks.

    Parameters
    ----------
    database
        Where it is.
    confirm
        Says whether the record at a place holds a digest: keys are prefixes of digests.
    """

    def __init__(
        self, database: Database, confirm: Callable[[ChunkPlace, bytes], bool] | None = None
    ) -> None:
        self._database = database
        self.confirm = confirm
        self._expected: dict[bytes, list[ChunkPlace]] = {}

    def places(self, digest: bytes) -> list[ChunkPlace]:
        """Return the places that may hold a chunk (its key is a prefix of its digest).

        Those that were found damaged come last.
        """
        return self.places_of_key(chunk_key(digest))

    def places_of_key(self, key: int) -> list[ChunkPlace]:
        """Return the places of all chunks that have a key."""
        rows = self._database.query(
            "SELECT p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
            f" JOIN packs p ON p.id = c.pack WHERE c.key = ? ORDER BY c.condemned = {BAD}",
            (key,),
        )
        return [place_of(row) for row in rows]

    def places_of_many(self, digests: Sequence[bytes]) -> dict[bytes, list[ChunkPlace]]:
        """Return the places that may hold each of some chunks; those without any are left out."""
        keys = {chunk_key(digest): digest for digest in digests}
        found: dict[bytes, list[ChunkPlace]] = {}
        listed = list(keys)
        for start in range(0, len(listed), _BATCH):
            part = listed[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            rows = self._database.query(
                "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
                f" JOIN packs p ON p.id = c.pack WHERE c.key IN ({marks})"
                f" AND c.condemned != {BAD}",
                part,
            )
            for key, *place in rows:
                found.setdefault(keys[key], []).append(place_of(place))
        return found

    def expect(self, digests: Sequence[bytes]) -> None:
        """Look up at once where chunks are that will be read next."""
        found = self.places_of_many(digests)
        if len(self._expected) + len(found) > _MOST_EXPECTED:
            self._expected.clear()
        self._expected.update(found)

    def expected(self, digest: bytes) -> list[ChunkPlace]:
        """Return the places of a chunk that was expected, once; else none.

        Packs may have been written anew since: whoever finds nothing there asks for `places`.
        """
        return self._expected.pop(digest, [])

    def known(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return the chunks that are there to be reused: not condemned, and really these."""
        by_key = {chunk_key(digest): digest for digest in digests}
        keys = list(by_key)
        found: set[bytes] = set()
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            rows = self._database.query(
                "SELECT c.key, p.name, c.offset, c.stored, c.member, c.length FROM chunks c"
                f" JOIN packs p ON p.id = c.pack WHERE c.key IN ({','.join('?' * len(part))})"
                " AND c.condemned = 0",
                part,
            )
            for key, *place in rows:
                digest = by_key[key]
                if digest in found:
                    continue
                if self.confirm is None or self.confirm(place_of(place), digest):
                    found.add(digest)
        return found

    def insert(
        self, connection: sqlite3.Connection, places: Sequence[tuple[bytes, ChunkPlace]]
    ) -> None:
        """Add places, inside a transaction."""
        packs: dict[bytes, int] = {}
        ends: dict[bytes, int] = {}
        for _, place in places:
            ends[place.pack] = max(ends.get(place.pack, 0), place.offset + place.stored)
        for name, end in ends.items():
            connection.execute("INSERT OR IGNORE INTO packs(name) VALUES (?)", (name,))
            connection.execute(
                "UPDATE packs SET end = ? WHERE name = ? AND end < ?", (end, name, end)
            )
            row = connection.execute("SELECT id FROM packs WHERE name = ?", (name,)).fetchone()
            packs[name] = row[0]
        insert_many(
            connection,
            "INSERT OR IGNORE INTO chunks(key, pack, offset, member, stored, length) VALUES",
            6,
            sorted(
                (
                    chunk_key(digest),
                    packs[place.pack],
                    place.offset,
                    ALONE if place.member is None else place.member,
                    place.stored,
                    place.length,
                )
                for digest, place in places
            ),
        )

    def delete(
        self, connection: sqlite3.Connection, places: Sequence[tuple[bytes, ChunkPlace]]
    ) -> None:
        """Take places away, inside a transaction."""
        connection.executemany(
            "DELETE FROM chunks WHERE key = ? AND offset = ? AND member = ?"
            " AND pack = (SELECT id FROM packs WHERE name = ?)",
            [
                (chunk_key(digest), at.offset, ALONE if at.member is None else at.member, at.pack)
                for digest, at in places
            ],
        )
        connection.executemany(
            "UPDATE packs SET end = (SELECT coalesce(max(c.offset + c.stored), 0)"
            " FROM chunks c WHERE c.pack = packs.id) WHERE name = ?",
            sorted({(at.pack,) for _, at in places}),
        )

    def last_packs(self, count: int) -> list[tuple[bytes, int]]:
        """Return name and indexed end of the newest packs, newest first."""
        return [
            (name, end)
            for name, end in self._database.query(
                "SELECT name, end FROM packs ORDER BY id DESC LIMIT ?", (count,)
            )
        ]

    def keep(self, connection: sqlite3.Connection, reused: Iterable[bytes]) -> None:
        """Clear condemnations of chunks that a commit reuses.

        Raises
        ------
        ChunksGone
            If some are no longer there.
        """
        wanted = {chunk_key(digest): digest for digest in reused}
        keys = list(wanted)
        found: set[int] = set()
        condemned: set[int] = set()
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            for key, bad in connection.execute(
                f"SELECT key, condemned FROM chunks WHERE key IN ({marks}) AND condemned != {BAD}",
                part,
            ):
                found.add(key)
                if bad:
                    condemned.add(key)
        missing = [digest for key, digest in wanted.items() if key not in found]
        if missing:
            raise ChunksGone(missing)
        connection.executemany(
            f"UPDATE chunks SET condemned = 0 WHERE key = ? AND condemned = {CONDEMNED}",
            [(key,) for key in condemned],
        )

    def are_kept(self, reused: Iterable[bytes]) -> bool:
        """Return whether all chunks are there and none is condemned: `keep` would do nothing."""
        keys = [chunk_key(digest) for digest in reused]
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            ((found,),) = self._database.query(
                "SELECT count(DISTINCT key) FROM chunks"
                f" WHERE key IN ({','.join('?' * len(part))}) AND condemned = 0",
                part,
            )
            ((condemned,),) = self._database.query(
                "SELECT count(*) FROM chunks"
                f" WHERE key IN ({','.join('?' * len(part))}) AND condemned = {CONDEMNED}",
                part,
            )
            if condemned or found < len(set(part)):
                return False
        return True

    # -- damage

    def mark_bad(
        self, connection: sqlite3.Connection, ranges: Iterable[tuple[bytes, int, int]]
    ) -> int:
        """Note, inside a transaction, that bytes of packs are damaged; return the rows it hurts.

        Chunks there count as absent, so that adding them again heals them (storage rule 17).

        Parameters
        ----------
        connection
            In a transaction.
        ranges
            Name of a pack, start and end of the bytes.
        """
        count = 0
        for pack, start, end in ranges:
            count += connection.execute(
                f"UPDATE chunks SET condemned = {BAD} WHERE condemned != {BAD}"
                " AND pack = (SELECT id FROM packs WHERE name = ?)"
                " AND offset < ? AND offset + stored > ?",
                (pack, min(end, _MOST), start),
            ).rowcount
        return count

    def bad_ranges(self) -> list[tuple[bytes, int, int]]:
        """Return the records that are noted as damaged."""
        return [
            (pack, offset, offset + stored)
            for pack, offset, stored in self._database.query(
                "SELECT DISTINCT p.name, c.offset, c.stored FROM chunks c"
                f" JOIN packs p ON p.id = c.pack WHERE c.condemned = {BAD}"
            )
        ]

    def are_good(self, digests: Sequence[bytes]) -> bool:
        """Return whether all of some chunks have a place that is not noted as damaged."""
        found = self.places_of_many(digests)
        return all(digest in found for digest in digests)


def place_of(row: Sequence[object]) -> ChunkPlace:
    """Return the place that a row says: name of the pack, offset, stored, member, length.

    Raises
    ------
    Damaged
        If it says none.
    """
    pack, *numbers = row
    # Where blocks of the file changed places, rows of other tables stand here.
    if not isinstance(pack, bytes) or not all(isinstance(number, int) for number in numbers):
        raise Damaged(
            "the catalogue is damaged: where a chunk is, is no place",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )
    offset, stored, member, length = numbers
    return ChunkPlace(pack, offset, stored, None if member == ALONE else member, length)  # type: ignore[arg-type]
