"""Where bytes come from, and where chunks go to.

`formats` cut files into chunks without knowing the storage: they read from a
`ByteSource` and put into a `ChunkSink`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from skypool.codec.buffers import Buffer
from skypool.codec.digest import digest

__all__ = ["ByteSource", "ChunkSink", "ChunkStream", "Fetch", "MemorySink", "MemorySource"]

Fetch: TypeAlias = Callable[[bytes], bytes]


@runtime_checkable
class ByteSource(Protocol):
    """Random access to the bytes of a file."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end of the file."""
        ...


class ChunkStream(Protocol):
    """A run of chunks of one sort: the codec is chosen at the first of them."""

    def put(self, raw: Buffer) -> bytes:
        """Store a chunk and return its digest; *raw* may be reused afterwards."""
        ...


class ChunkSink(Protocol):
    """Takes chunks and names them."""

    def stream(self, itemsize: int = 1) -> ChunkStream:
        """Start a run of chunks of elements of *itemsize* bytes."""
        ...

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store a single chunk and return its digest."""
        ...


class MemorySource:
    """A `ByteSource` over bytes in memory."""

    def __init__(self, data: Buffer) -> None:
        self._view = memoryview(data).cast("B")
        self.size = self._view.nbytes

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        return bytes(self._view[offset : offset + length])


class MemorySink:
    """A `ChunkSink` that keeps the chunks in a dictionary.

    Attributes
    ----------
    chunks : dict[bytes, bytes]
        The chunks by digest.
    """

    def __init__(self) -> None:
        self.chunks: dict[bytes, bytes] = {}

    def stream(self, itemsize: int = 1) -> ChunkStream:
        """Start a run of chunks."""
        return self

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store a single chunk and return its digest."""
        data = bytes(raw)
        name = digest(data)
        self.chunks[name] = data
        return name

    def fetch(self, name: bytes) -> bytes:
        """Return the chunk of that digest."""
        return self.chunks[name]
