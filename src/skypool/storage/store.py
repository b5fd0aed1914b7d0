"""Chunks in a pool's packs: writing and checked reading."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from skypool.codec.compression import decode
from skypool.codec.digest import digest as digest_of
from skypool.errors import Damaged, ReadOnly
from skypool.storage.cache import ByteCache
from skypool.storage.filelayer import FileLayer, LocalFiles
from skypool.storage.interface import Allow, Candidates, Known, Location, Relocate
from skypool.storage.pack_files import PackFiles, unsealed_packs
from skypool.storage.pack_layout import (
    BLOCK,
    BLOCK_LIMIT,
    CHUNK,
    HEADER_SIZE,
    read_record_header,
)
from skypool.storage.pack_writer import ROLL_BYTES, PackWriter, create_pack, take_over_pack
from skypool.storage.threads import submitted
from skypool.storage.writer import StoreWriter, TrialWriter

if TYPE_CHECKING:
    from concurrent.futures import Executor, ThreadPoolExecutor
    from pathlib import Path

__all__ = ["ChunkStore", "Location", "StoreWriter"]

_MOST_THREADS = 8
_JOB_BYTES = 256 << 10  # raw bytes that are worth a hand-over to another thread


class ChunkStore:
    """The chunks of one pool, for one process. Safe for threads, and after a fork.

    Parameters
    ----------
    folder
        Folder of the packs.
    pool_id
        Identifier of the pool, 16 bytes.
    files
        The file layer; the local one if None.
    writable
        Whether writers may be made. A store for reading opens nothing for writing.
    cache_bytes
        Bytes of decoded chunks kept in memory.
    roll_bytes
        Size at which a pack is sealed and the next one begun.
    candidates
        Gives packs that may be unsealed, with the end of what the catalogue knows of
        them, for a writer that needs one. If None the folder is looked through, and
        a pack to go on with examined as a whole.
    relocate
        Gives the newest place of a chunk that is not where it was (storage rule 4).

    Attributes
    ----------
    bytes_read : int
        Bytes read from packs so far, as stored.
    chunks_read : int
        Records read from packs so far.
    cache_hits : int
        Chunks that were in memory.
    """

    def __init__(
        self,
        folder: Path | str,
        pool_id: bytes,
        files: FileLayer | None = None,
        *,
        writable: bool = False,
        cache_bytes: int = 64 << 20,
        roll_bytes: int = ROLL_BYTES,
        candidates: Candidates | None = None,
        relocate: Relocate | None = None,
    ) -> None:
        self.folder = os.fspath(folder)
        self.pool_id = pool_id
        self.relocate = relocate
        self.candidates = candidates
        self._files = LocalFiles() if files is None else files
        self._writable = writable
        self._roll_bytes = roll_bytes
        self._cache = ByteCache(cache_bytes)
        self._open = PackFiles(self._files, self.folder)
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._idle: list[PackWriter] = []
        self._lent: list[PackWriter] = []
        self._failed: list[PackWriter] = []
        self.bytes_read = 0
        self.chunks_read = 0
        self.cache_hits = 0
        _stores.add(self)

    # -- writing

    def writer(
        self, known: Known | None = None, allow: Allow | None = None, *, trial: bool = False
    ) -> StoreWriter:
        """Start to take chunks.

        Parameters
        ----------
        known
            Which digests the catalogue has good chunks of.
        allow
            Asked before records are appended.
        trial
            Whether nothing is stored: only how much it would take is found out.

        Raises
        ------
        ReadOnly
            If the store was opened for reading.
        """
        if not self._writable:
            raise ReadOnly(f"{self.folder} was opened for reading")
        return TrialWriter(self, known) if trial else StoreWriter(self, known, allow)

    def take_pack(self) -> PackWriter:
        """Return a locked pack that takes records: an idle, a left, or a new one."""
        with self._lock:
            pack = self._idle.pop() if self._idle else self._left_pack()
            if pack is None:
                pack = create_pack(self._files, self.folder, self.pool_id)
            self._lent.append(pack)
            return pack

    def give_back(self, pack: PackWriter) -> None:
        """Take a pack back after the commit: to use on, or to let go if full or failed."""
        with self._lock:
            if pack in self._lent:
                self._lent.remove(pack)
            if pack.doubtful:
                # Locked as long as this process lives, so that nobody goes on with it.
                self._failed.append(pack)
            elif pack.failed or pack.sealed:
                pack.release()
            else:
                self._idle.append(pack)

    def let_go(self) -> None:
        """Give up the packs kept for the next commit, so that others may have or remove them."""
        with self._lock:
            packs, self._idle = self._idle, []
        for pack in packs:
            pack.release()

    def is_full(self, pack: PackWriter) -> bool:
        """Return whether a pack has reached the size at which it is sealed."""
        return pack.end > self._roll_bytes

    def threads(self) -> Executor:
        """Return the pool of threads that encodes and decodes."""
        with self._lock:
            if self._executor is None:
                # Most processes need no threads, and this import is a slow one.
                from concurrent.futures import ThreadPoolExecutor

                count = max(1, min(os.cpu_count() or 1, _MOST_THREADS))
                self._executor = ThreadPoolExecutor(count, thread_name_prefix="skypool")
            return self._executor

    def _left_pack(self) -> PackWriter | None:
        """Return a pack that a writer left behind unsealed; None if there is none."""
        found = self.candidates or partial(unsealed_packs, self.folder, self._roll_bytes)
        for name, end in found():
            path = os.path.join(self.folder, f"{name.hex()}.pack")
            pack = take_over_pack(self._files, path, self.pool_id, end)
            if pack is None:
                continue
            if not self.is_full(pack):
                return pack
            try:
                pack.seal()
                pack.sync()
            finally:
                pack.release()
        return None

    # -- reading

    def read(self, location: Location, digest: bytes) -> bytes:
        """Return a chunk, checked against its digest.

        Parameters
        ----------
        location
            Where it is.
        digest
            Its name.

        Raises
        ------
        Damaged
            If it is not there or not what it was, by the newest place too.
        """
        chunk = self._cache.get(digest)
        if chunk is not None:
            self._count(hits=1)
            return chunk
        try:
            return self._read(location, digest)
        except Damaged:
            newer = self.relocate(digest) if self.relocate is not None else None
            if newer is None or newer == location:
                raise
        self._open.forget(location.pack)
        return self._read(newer, digest)

    def read_many(self, wanted: Sequence[tuple[Location, bytes]]) -> list[bytes]:
        """Return several chunks, in the order asked for; large ones decode in parallel.

        Parameters
        ----------
        wanted
            Location and digest of each.
        """
        groups = _grouped(wanted)
        if len(groups) < 2:
            return self._read_group(wanted)
        jobs = [submitted(self.threads(), self._read_group, group) for group in groups]
        return [chunk for job in jobs for chunk in job.result()]

    def _read_group(self, wanted: Sequence[tuple[Location, bytes]]) -> list[bytes]:
        return [self.read(location, digest) for location, digest in wanted]

    def holds(self, location: Location, digest: bytes) -> bool:
        """Return whether the record at a place says that it holds a chunk.

        Reads its header, for a member its block; the payload of a chunk is not decoded.
        """
        try:
            if location.member is not None:
                self._read(location, digest)
                return True
            # One byte from the end: a pack that was cut short does not hold the chunk.
            last = self._open.pread(location.pack, location.offset + location.stored - 1, 1)
            header = read_record_header(
                self._open.pread(location.pack, location.offset, HEADER_SIZE)
            )
        except (Damaged, FileNotFoundError):
            return False
        return (
            bool(last)
            and header is not None
            and (header.kind, header.digest) == (CHUNK, digest)
            and (header.stored + HEADER_SIZE, header.raw) == (location.stored, location.length)
        )

    def cached(self, digest: bytes) -> bytes | None:
        """Return a chunk that is in memory."""
        return self._cache.get(digest)

    def limit_cache(self, budget: int) -> None:
        """Keep no more than so many bytes of chunks in memory."""
        self._cache.limit(budget)

    def keep(self, digest: bytes, chunk: bytes) -> None:
        """Keep a chunk in memory that was read, and checked, elsewhere."""
        self._cache.put(digest, chunk)

    def _read(self, location: Location, digest: bytes) -> bytes:
        if location.member is None:
            chunk = self._record(location, CHUNK, digest)
            self._cache.put(digest, chunk)
            return chunk
        key = (location.pack, location.offset)
        block = self._cache.get(key)
        if block is None:
            block = self._record(location, BLOCK, None)
            self._cache.put(key, block)
        else:
            self._count(hits=1)
        chunk = block[location.member : location.member + location.length]
        if digest_of(chunk) != digest:
            _damaged(location, digest, "the block does not hold it there")
        return chunk

    def _record(self, location: Location, kind: int, digest: bytes | None) -> bytes:
        """Read a record; *digest* is None for a block, which is checked by its own."""
        try:
            data = self._open.pread(location.pack, location.offset, location.stored)
        except FileNotFoundError:
            _damaged(location, digest, "the pack is missing")
        self._count(len(data), 1)
        header = read_record_header(data)
        if header is None or header.kind != kind:
            _damaged(location, digest, "no such record starts there")
        if header.stored + HEADER_SIZE != location.stored or len(data) != location.stored:
            _damaged(location, digest, "the record has another length")
        if header.raw != location.length if kind == CHUNK else header.raw > BLOCK_LIMIT:
            _damaged(location, digest, "the content has another length")
        try:
            payload = memoryview(data)[HEADER_SIZE:]
            raw = decode(payload, header.codec, header.itemsize, header.raw)
        except Damaged as error:
            _damaged(location, digest, error.message)
        if digest_of(raw) != (header.digest if digest is None else digest):
            _damaged(location, digest, "the bytes are not what they were")
        return raw

    def _count(self, count: int = 0, chunks: int = 0, hits: int = 0) -> None:
        with self._counting:
            self.bytes_read += count
            self.chunks_read += chunks
            self.cache_hits += hits

    # -- life

    def close(self) -> None:
        """Give up all locks, files and threads; a closed store is not used again."""
        with self._lock:
            packs = [*self._idle, *self._failed]
            self._idle, self._failed = [], []
            executor, self._executor = self._executor, None
        for pack in packs:
            pack.release()
        if executor is not None:
            executor.shutdown()
        self._open.clear()
        self._cache.clear()

    def __enter__(self) -> ChunkStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Let go in a forked child of what belongs to the parent: packs and threads."""
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._executor = None
        for pack in (*self._idle, *self._lent, *self._failed):
            pack.disown()
        self._idle, self._lent, self._failed = [], [], []
        self._cache.after_fork()
        self._open.after_fork()


_stores: weakref.WeakSet[ChunkStore] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _grouped(
    wanted: Sequence[tuple[Location, bytes]],
) -> list[Sequence[tuple[Location, bytes]]]:
    """Cut a list of chunks into runs that are worth a thread each."""
    groups: list[Sequence[tuple[Location, bytes]]] = []
    start = size = 0
    for number, (location, _) in enumerate(wanted, 1):
        size += location.length
        if size >= _JOB_BYTES or number == len(wanted):
            groups.append(wanted[start:number])
            start, size = number, 0
    return groups


def _damaged(location: Location, digest: bytes | None, why: str) -> NoReturn:
    what = "a block of small chunks" if digest is None else f"chunk {digest.hex()}"
    raise Damaged(
        f"{what} is damaged in pack {location.pack.hex()}.pack at offset {location.offset}: {why}",
        hint="`skypool verify` lists what is hurt; adding the same file again heals it",
    )
