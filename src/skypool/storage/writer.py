"""The chunks of one commit on their way into packs."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from skypool.codec.buffers import Buffer
from skypool.codec.digest import digest
from skypool.errors import StorageError, UsageError
from skypool.storage.interface import Allow, Known, NamedStream
from skypool.storage.pack_layout import (
    CHUNK_LIMIT,
    HEADER_SIZE,
    SMALL,
    Location,
    View,
    aligned,
)
from skypool.storage.pack_writer import PackWriter
from skypool.storage.pieces import (
    Chosen,
    Encoded,
    Piece,
    StreamCodec,
    block_piece,
    encode_pieces,
    flat,
)
from skypool.storage.reusing import ReusingWriter
from skypool.storage.threads import submitted

if TYPE_CHECKING:
    from concurrent.futures import Future

    from skypool.storage.pack_source import PackSource

__all__ = ["StoreWriter", "TrialWriter"]

_BLOCK_BYTES = 64 << 10  # decoded; larger ones make reading one small chunk slow
_MEMBER_OVERHEAD = 36
_ASKED_BYTES = 1 << 20  # of long chunks that the catalogue is asked for at once
_JOB_BYTES = 256 << 10  # raw bytes that are worth a hand-over to another thread
_INLINE_BYTES = 512 << 10  # commits up to this size start no threads
_IN_FLIGHT_BYTES = 64 << 20


_Take: TypeAlias = Callable[[bytes, "bytes | memoryview", StreamCodec, "Chosen | None"], None]


class _Stream:
    """A run of chunks of one sort."""

    def __init__(self, take: _Take, itemsize: int) -> None:
        self._take = take
        self._codec = StreamCodec(itemsize)

    def put(self, raw: Buffer) -> bytes:
        """Store a chunk and return its digest; *raw* may be reused afterwards."""
        view = flat(raw)
        name = digest(view)
        self._take(name, view, self._codec, None)
        return name

    def take(self, name: bytes, raw: bytes, chosen: Chosen | None = None) -> None:
        """Store a chunk of that digest; *chosen* is its codec, and what it gives, if known."""
        self._take(name, raw, self._codec, chosen)


class _Large(NamedTuple):
    """A chunk that gets a record of its own, of which the catalogue was not asked yet."""

    name: bytes
    data: bytes
    codec: StreamCodec
    chosen: Chosen | None


class StoreWriter(ReusingWriter):
    """Hashes, deduplicates, compresses in threads and appends to packs, in order.

    Chunks are appended in the order in which they came, whatever thread encoded
    them; at most 64 MiB are under way at a time. Safe for threads.

    Parameters
    ----------
    source
        Gives packs.
    known
        Which digests the catalogue has good chunks of.
    allow
        Asked before records are appended; raises if they may not be.

    Attributes
    ----------
    reused : set of bytes
        Digests that *known* affirmed, all of them after `flush`: the commit has to check
        them again.
    duplicates : int
        Chunks that came more than once.
    bytes_written : int
        Bytes by which the packs have grown, overhead included.
    """

    trial = False

    def __init__(
        self, source: PackSource, known: Known | None = None, allow: Allow | None = None
    ) -> None:
        super().__init__(known)
        self._source = source
        self._allow = allow
        self._pid = os.getpid()
        self._placed: dict[bytes, Location] = {}
        # Long chunks and short ones of which the catalogue was not asked yet, and short ones
        # of the next block.
        self._large: list[_Large] = []
        self._large_bytes = 0
        self._unasked: dict[bytes, bytes] = {}
        self._unasked_bytes = 0
        self._small: list[tuple[bytes, bytes]] = []
        self._small_bytes = 0
        self._waiting: list[Piece] = []
        self._waiting_bytes = 0
        self._running: deque[tuple[Future[list[Encoded]], int]] = deque()
        self._running_bytes = 0
        self._threaded = False
        self._pack: PackWriter | None = None
        self._full: list[PackWriter] = []
        # Per pack, the offset up to which places were given out; 0 for none in a new one.
        self._told: dict[bytes, int] = {}
        self._ended = False
        self._broken = False

    def stream(self, itemsize: int = 1) -> NamedStream:
        """Start a run of chunks of elements of *itemsize* bytes."""
        return _Stream(self._take, itemsize)

    def put(self, raw: Buffer, itemsize: int = 1) -> bytes:
        """Store a single chunk and return its digest; *raw* may be reused afterwards.

        Parameters
        ----------
        raw
            At most 64 MiB.
        itemsize
            Bytes of one element.
        """
        return self.stream(itemsize).put(raw)

    def _take(
        self, name: bytes, view: bytes | memoryview, codec: StreamCodec, chosen: Chosen | None
    ) -> None:
        with self._lock:
            self._check_open()
            if name in self._seen:
                self.duplicates += 1
                return
            if len(view) > CHUNK_LIMIT:
                raise UsageError(f"a chunk of {len(view)} bytes is longer than 64 MiB")
            data = view if isinstance(view, bytes) else bytes(view)
            if len(data) < SMALL:
                self._add_small(name, data)
            else:
                self._add_large(_Large(name, data, codec, chosen))
            self._seen.add(name)

    def append(
        self, header: bytes, payload: View, names: Sequence[tuple[bytes, int | None, int]]
    ) -> None:
        """Take a record of another pool as it is; whoever gives it has checked it.

        Parameters
        ----------
        header
            Its 64 bytes.
        payload
            As stored.
        names
            Per chunk in it: digest, start in the decoded block (None for a chunk that has
            the record to itself) and length.
        """
        with self._lock:
            self._check_open()
            with self._all_or_nothing():
                self._append([Encoded(list(names), header, payload)])
            self._seen.update(name for name, _, _ in names)

    def flush(self) -> dict[bytes, Location]:
        """Make everything durable.

        Returns
        -------
        dict
            Where the chunks are that came since the last flush.

        Raises
        ------
        StorageError
            If that fails; the commit cannot go on, `abandon` is next.
        """
        with self._lock:
            self._check_open()
            with self._all_or_nothing():
                self._ask_large()
                self._ask()
                self._close_block()
                if self._threaded:
                    self._hand_over()
                    self._drain(0)
                else:
                    waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
                    self._append(encode_pieces(waiting))
                for pack in (*self._full, self._pack):
                    if pack is not None:
                        pack.sync()
                        self._told[pack.name] = pack.end
            placed, self._placed = self._placed, {}
            return placed

    def close(self) -> None:
        """End the commit after it is acknowledged; unflushed chunks are given up."""
        self._end(reclaim=False)

    def abandon(self, *, reclaim: bool = False) -> None:
        """End the commit without result.

        Parameters
        ----------
        reclaim
            Cut the records off again that came since the last flush. Whoever asks for
            it holds the shared pool lock and knows that the catalogue was not rebuilt
            since this writer started: a rebuild may have seen the records.
        """
        self._end(reclaim=reclaim)

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _add_large(self, chunk: _Large) -> None:
        self._large.append(chunk)
        self._large_bytes += len(chunk.data)
        if self._large_bytes > _ASKED_BYTES:
            with self._all_or_nothing():
                self._ask_large()

    def _ask_large(self) -> None:
        """Hand on the chunks that the catalogue lacks; it is asked for several at once."""
        chunks, self._large, self._large_bytes = self._large, [], 0
        there: set[bytes] = set()
        if chunks and self._known is not None:
            there.update(self._known([chunk.name for chunk in chunks]))
            self.reused |= there
        for name, data, codec, chosen in chunks:
            if name not in there:
                piece = Piece([(name, None, len(data))], data, itemsize=codec.itemsize)
                piece.codec, piece.payload = codec.pick(memoryview(data), chosen)
                self._add(piece)

    def _add_small(self, name: bytes, data: bytes) -> None:
        self._unasked[name] = data
        self._unasked_bytes += len(data)
        if self._unasked_bytes > _BLOCK_BYTES:
            with self._all_or_nothing():
                self._ask()

    def _ask(self) -> None:
        """Put short chunks into blocks, but for those that the catalogue has.

        It is asked for many at once.
        """
        chunks, self._unasked, self._unasked_bytes = self._unasked, {}, 0
        if chunks and self._known is not None:
            for name in self._known(list(chunks)):
                self.reused.add(name)
                del chunks[name]
        for name, data in chunks.items():
            size = len(data) + _MEMBER_OVERHEAD
            if self._small_bytes + size > _BLOCK_BYTES:
                self._close_block()
            self._small.append((name, data))
            self._small_bytes += size

    def _close_block(self) -> None:
        if self._small:
            members, self._small, self._small_bytes = self._small, [], 0
            self._add(block_piece(members))

    def _add(self, piece: Piece) -> None:
        self._waiting.append(piece)
        self._waiting_bytes += len(piece.raw)
        if self._waiting_bytes >= (_JOB_BYTES if self._threaded else _INLINE_BYTES):
            self._threaded = True
            self._hand_over()
            self._drain(_IN_FLIGHT_BYTES)

    def _hand_over(self) -> None:
        """Give what waits to the threads, in jobs of useful size."""
        threads = self._source.threads()
        job: list[Piece] = []
        size = 0
        for piece in self._waiting:
            job.append(piece)
            size += len(piece.raw)
            if size >= _JOB_BYTES:
                self._running.append((submitted(threads, encode_pieces, job), size))
                self._running_bytes += size
                job, size = [], 0
        self._waiting, self._waiting_bytes = job, size
        if job:
            self._running.append((submitted(threads, encode_pieces, job), size))
            self._running_bytes += size
            self._waiting, self._waiting_bytes = [], 0

    def _drain(self, allowed: int) -> None:
        """Append what is ready, and wait until at most *allowed* bytes are under way."""
        while self._running:
            future, size = self._running[0]
            if self._running_bytes <= allowed and not future.done():
                return
            encoded = future.result()
            self._running.popleft()
            self._running_bytes -= size
            self._append(encoded)

    def _append(self, records: list[Encoded]) -> None:
        if self._allow is not None and records:
            self._allow(self.bytes_written, _stored_bytes(records))
        for record in records:
            pack = self._pack or self._take_pack()
            before = pack.end
            offset = pack.append(record.header, record.payload, record.names)
            stored = HEADER_SIZE + len(record.payload)
            for name, member, length in record.names:
                self._placed[name] = Location(pack.name, offset, stored, member, length)
            if self._source.is_full(pack):
                # Locked until the commit is done: gc must not see it as ownerless.
                self._full.append(pack)
                self._pack = None
                pack.seal()
            self.bytes_written += pack.end - before

    def _take_pack(self) -> PackWriter:
        pack = self._pack = self._source.take_pack()
        untouched = pack.created and pack.end == HEADER_SIZE
        self._told[pack.name] = 0 if untouched else pack.end
        if untouched:
            self.bytes_written += HEADER_SIZE
        return pack

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """After a failure, nothing of this commit is trusted any more."""
        try:
            yield
        except BaseException:
            self._broken = True
            raise

    def _check_open(self) -> None:
        if self._ended or self._broken:
            raise StorageError(
                "this commit is over" if self._ended else "this commit has failed",
                hint="start a new one",
            )
        if self._pid != os.getpid():
            raise StorageError(
                "this commit was started in another process",
                hint="start commits in the process that makes them",
            )

    def _end(self, *, reclaim: bool) -> None:
        with self._lock:
            if self._ended or self._pid != os.getpid():
                return
            self._ended = True
            for future, _ in self._running:
                future.cancel()
            self._running.clear()
            self._waiting.clear()
            self._unasked.clear()
            self._large.clear()
            self._small.clear()
            self._placed.clear()
            packs = self._full if self._pack is None else [*self._full, self._pack]
            self._full, self._pack = [], None
            with contextlib.ExitStack() as stack:
                for pack in packs:
                    stack.callback(self._source.give_back, pack)
                    if reclaim:
                        stack.callback(_cut_back, pack, self._told[pack.name])


def _cut_back(pack: PackWriter, told: int) -> None:
    """Take off what no one was told of."""
    if pack.sealed and not told:
        pack.remove()
    elif not pack.sealed:
        pack.cut(max(told, HEADER_SIZE))


class TrialWriter(StoreWriter):
    """Finds out what a commit would take, in bytes of packs; nothing is stored."""

    trial = True

    def _append(self, records: list[Encoded]) -> None:
        self.bytes_written += _stored_bytes(records)


def _stored_bytes(records: Iterable[Encoded]) -> int:
    return sum(aligned(HEADER_SIZE + len(record.payload)) for record in records)
