"""A chunk store in memory: the plainest thing that keeps the contract."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from skypool.codec.buffers import Buffer
from skypool.codec.compression import decode
from skypool.codec.digest import digest as digest_of
from skypool.errors import Damaged, StorageError, UsageError
from skypool.storage.interface import Known, Location, NamedStream
from skypool.storage.pack_layout import CHUNK_LIMIT, View, read_record_header
from skypool.storage.pieces import Chosen, flat
from skypool.storage.reusing import ReusingWriter

__all__ = ["MemoryStore", "MemoryWriter"]

_PACK = b"memory".ljust(16, b"\0")


class MemoryStore:
    """Keeps chunks in a dictionary by place.

    Attributes
    ----------
    chunks : dict[int, bytes]
        The chunks that were flushed, by the offset in their location.
    """

    def __init__(self) -> None:
        self.chunks: dict[int, bytes] = {}
        self.lock = threading.Lock()
        self.next = 0

    def writer(self, known: Known | None = None) -> MemoryWriter:
        """Start to take chunks; *known* tells which the catalogue has."""
        return MemoryWriter(self, known)

    def read(self, location: Location, digest: bytes) -> bytes:
        """Return a chunk, checked against its digest.

        Raises
        ------
        Damaged
            If it is not there, or not what it was.
        """
        chunk = self.chunks.get(location.offset) if location.pack == _PACK else None
        if chunk is None or len(chunk) != location.length or digest_of(chunk) != digest:
            raise Damaged(f"chunk {digest.hex()} is not in memory at {location.offset}")
        return chunk

    def read_many(self, wanted: Sequence[tuple[Location, bytes]]) -> list[bytes]:
        """Return several chunks, in the order asked for."""
        return [self.read(location, digest) for location, digest in wanted]

    def holds(self, location: Location, digest: bytes) -> bool:
        """Return whether a chunk is at a place."""
        try:
            self.read(location, digest)
        except Damaged:
            return False
        return True

    def close(self) -> None:
        """Give everything back."""
        self.chunks.clear()


class MemoryWriter(ReusingWriter):
    """Takes the chunks of one commit."""

    def __init__(self, store: MemoryStore, known: Known | None = None) -> None:
        super().__init__(known)
        self._store = store
        self._fresh: dict[bytes, bytes] = {}
        self._ended = False

    def stream(self, itemsize: int = 1) -> NamedStream:
        """Start a run of chunks."""
        return self

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store a single chunk and return its digest."""
        data = bytes(flat(raw))
        name = digest_of(data)
        self.take(name, data)
        return name

    def take(self, name: bytes, raw: bytes, chosen: Chosen | None = None) -> None:
        """Store a chunk of that digest."""
        with self._lock:
            self._check_open()
            if len(raw) > CHUNK_LIMIT:
                raise UsageError(f"a chunk of {len(raw)} bytes is longer than 64 MiB")
            if name in self._seen:
                self.duplicates += 1
                return
            if self._known is not None and name in self._known([name]):
                self.reused.add(name)
            else:
                self._fresh[name] = raw
                self.bytes_written += len(raw)
            self._seen.add(name)

    def append(
        self, header: bytes, payload: View, names: Sequence[tuple[bytes, int | None, int]]
    ) -> None:
        """Take a record of another pool; whoever gives it has checked it."""
        record = read_record_header(header)
        if record is None:
            raise UsageError("these bytes are no header of a record")
        raw = decode(payload, record.codec, record.itemsize, record.raw)
        with self._lock:
            self._check_open()
            for name, start, length in names:
                begin = start or 0
                self._fresh[name] = raw[begin : begin + length]
                self.bytes_written += length
                self._seen.add(name)

    def flush(self) -> dict[bytes, Location]:
        """Store everything; return the places of what came since the last flush."""
        with self._lock, self._store.lock:
            self._check_open()
            placed = {}
            for name, data in self._fresh.items():
                place = self._store.next
                self._store.next += 1
                self._store.chunks[place] = data
                placed[name] = Location(_PACK, place, len(data), None, len(data))
            self._fresh.clear()
            return placed

    def close(self) -> None:
        """End the commit; unflushed chunks are given up."""
        self._ended = True
        self._fresh.clear()

    def abandon(self, *, reclaim: bool = False) -> None:
        """End the commit without result."""
        self.close()

    def __enter__(self) -> MemoryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._ended:
            raise StorageError("this commit is over", hint="start a new one")
