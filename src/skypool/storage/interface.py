"""What the layers above use of a chunk store, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import NamedTuple, Protocol, TypeAlias

from skypool.codec.buffers import Buffer
from skypool.codec.sinks import ChunkSink, ChunkStream
from skypool.storage.pack_layout import Location, View
from skypool.storage.pieces import Chosen

__all__ = [
    "Allow",
    "Candidates",
    "Known",
    "Location",
    "NamedStream",
    "PackEnd",
    "Relocate",
    "Store",
    "Writer",
]

Known: TypeAlias = Callable[[Sequence[bytes]], Iterable[bytes]]
"""Those of these digests of which the catalogue has a good chunk."""

Allow: TypeAlias = Callable[[int, int], None]
"""Raises if more may not be written: told the bytes written so far, and those to come."""

Relocate: TypeAlias = Callable[[bytes], "Location | None"]
"""The place of a chunk by the newest catalogue (storage rule 4)."""


class PackEnd(NamedTuple):
    """A pack, and the offset behind the last record of it that the catalogue knows."""

    pack: bytes
    committed_end: int


Candidates: TypeAlias = Callable[[], Iterable[PackEnd]]
"""Packs that may be unsealed, likeliest first."""


class NamedStream(ChunkStream, Protocol):
    """A run of chunks of one sort, of which some were named elsewhere."""

    def take(self, name: bytes, raw: bytes, chosen: Chosen | None = None) -> None:
        """Store a chunk of that digest; *chosen* is its codec, and what it gives, if known."""
        ...


class Writer(ChunkSink, Protocol):
    """Takes the chunks of one commit.

    Safe for threads. A chunk that came before, in this commit or by the word of the
    catalogue, is not stored again.
    """

    @property
    def reused(self) -> Set[bytes]:
        """Digests of chunks that the catalogue had; the commit checks them again."""
        ...

    @property
    def trial(self) -> bool:
        """Whether nothing is stored: only how much it would take is found out."""
        ...

    @property
    def bytes_written(self) -> int:
        """Bytes by which the packs have grown, overhead included."""
        ...

    def stream(self, itemsize: int = 1) -> NamedStream:
        """Start a run of chunks of elements of *itemsize* bytes."""
        ...

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store a single chunk and return its digest."""
        ...

    def reuse(self, name: bytes) -> bool:
        """Return whether a chunk came before or the catalogue has it: it need not come."""
        ...

    def reuse_all(self, names: Sequence[bytes]) -> bool:
        """Return whether all of some chunks are there: then they count as reused."""
        ...

    def append(
        self, header: bytes, payload: View, names: Sequence[tuple[bytes, int | None, int]]
    ) -> None:
        """Take a record of another pool as it is; whoever gives it has checked it."""
        ...

    def forget(self, digests: Iterable[bytes]) -> None:
        """Take these as not stored: the next `put` of them writes them."""
        ...

    def indexed(self, digests: Iterable[bytes]) -> None:
        """Let go of the names of chunks that are flushed: the catalogue knows them from now on."""
        ...

    def flush(self) -> dict[bytes, Location]:
        """Make everything durable; return the places of what came since the last flush."""
        ...

    def close(self) -> None:
        """End the commit after it is acknowledged; unflushed chunks are given up."""
        ...

    def abandon(self, *, reclaim: bool = False) -> None:
        """End the commit without result; *reclaim* cuts its records off again."""
        ...


class Store(Protocol):
    """Chunks by place and digest."""

    def writer(self, known: Known | None = None) -> Writer:
        """Start to take chunks; *known* tells which the catalogue has."""
        ...

    def read(self, location: Location, digest: bytes) -> bytes:
        """Return a chunk, checked against its digest.

        Raises
        ------
        Damaged
            If it is not there, or not what it was.
        """
        ...

    def read_many(self, wanted: Sequence[tuple[Location, bytes]]) -> list[bytes]:
        """Return several chunks, in the order asked for."""
        ...

    def holds(self, location: Location, digest: bytes) -> bool:
        """Return whether a chunk is at a place, without looking at all its bytes."""
        ...

    def close(self) -> None:
        """Give everything back; a closed store is not used again."""
        ...
