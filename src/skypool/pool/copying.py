"""Copying chunks from one pool to another: as they are stored, and checked on arrival.

Records are read in the order in which they lie in the packs, several at a time, checked in
threads (CRC-32C of what arrived, BLAKE3 of what it decodes to) and appended as they came: no
chunk is compressed again. Memory does not grow with what is copied. A chunk that arrives
damaged is asked for once more, from wherever the source has it then.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from skypool.codec.digest import digest as digest_of
from skypool.errors import Damaged
from skypool.storage.pack_layout import BLOCK, CHUNK, HEADER_SIZE, View, crc32c, read_record_header
from skypool.storage.pack_scan import Record, decoded, entries_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from skypool.catalogue.interface import ChunkPlace
    from skypool.pool.session import Session
    from skypool.storage.filelayer import FileLayer
    from skypool.storage.interface import Writer

__all__ = ["ChunkSource", "Copied", "PoolChunks", "RawRecord", "copy_chunks"]

# Chunks whose places are asked for together and read in the order of the packs.
_AT_ONCE = 16_384
# Records this near to each other are read with what lies between them.
_GAP = 64 << 10
_RUN_BYTES = 4 << 20
_JOB_BYTES = 1 << 20
_IN_FLIGHT_BYTES = 32 << 20


class RawRecord(NamedTuple):
    """A record of a pack as it was read, not checked yet.

    Attributes
    ----------
    wanted : list of bytes
        Digests of the chunks that it was read for.
    header, payload : bytes-like
    """

    wanted: list[bytes]
    header: bytes
    payload: View


class ChunkSource(Protocol):
    """Where chunks are copied from."""

    def records(self, digests: Sequence[bytes]) -> Iterator[RawRecord]:
        """Return the records that hold some chunks, in the order that is fastest to read.

        Chunks that are not there, or whose place has changed meanwhile, are left out.
        """
        ...

    def fetch(self, digest: bytes) -> bytes:
        """Return one chunk, from wherever a good one is.

        Raises
        ------
        Damaged
            If there is none.
        """
        ...


@dataclass(slots=True)
class Copied:
    """What was copied.

    Attributes
    ----------
    chunks : int
        Chunks that came.
    size : int
        Bytes read for them, as stored.
    reused : int
        Chunks that were there already.
    missing : list of bytes
        Chunks of which the source has no good copy.
    """

    chunks: int = 0
    size: int = 0
    reused: int = 0
    missing: list[bytes] = field(default_factory=list)


class PoolChunks:
    """The packs of an open pool as a source."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._files: FileLayer = session.folder.files

    def fetch(self, digest: bytes) -> bytes:
        """Return one chunk; see `ChunkSource`."""
        return self._session.fetch(digest)

    def records(self, digests: Sequence[bytes]) -> Iterator[RawRecord]:
        """Return the records that hold some chunks; see `ChunkSource`."""
        wanted: dict[tuple[bytes, int], tuple[int, list[bytes]]] = {}
        for digest, places in self._session.catalogue.chunks.places_of_many(digests).items():
            place = min(places, key=_age)
            _, names = wanted.setdefault((place.pack, place.offset), (place.stored, []))
            names.append(digest)
        ordered = sorted(wanted.items())
        for pack, group in itertools.groupby(ordered, key=lambda item: item[0][0]):
            path = os.path.join(self._session.folder.packs, f"{pack.hex()}.pack")
            places_in_pack = [(offset, *held) for (_, offset), held in group]
            # Where it was compacted meanwhile, `fetch` asks for the new places.
            with contextlib.suppress(FileNotFoundError):
                yield from self._read(path, places_in_pack)

    def _read(
        self, path: str, places: Sequence[tuple[int, int, list[bytes]]]
    ) -> Iterator[RawRecord]:
        handle = self._files.open_read(path)
        try:
            for run in _runs(places):
                start, end = run[0][0], run[-1][0] + run[-1][1]
                data = memoryview(self._files.pread(handle, start, end - start))
                for offset, stored, names in run:
                    record = data[offset - start : offset - start + stored]
                    if len(record) == stored:
                        yield RawRecord(names, bytes(record[:HEADER_SIZE]), record[HEADER_SIZE:])
        finally:
            self._files.close(handle)


def _age(place: ChunkPlace) -> tuple[bytes, int]:
    return place.pack, place.offset


def _runs(
    places: Sequence[tuple[int, int, list[bytes]]],
) -> Iterator[list[tuple[int, int, list[bytes]]]]:
    """Group records that are worth reading at once."""
    run: list[tuple[int, int, list[bytes]]] = []
    for place in places:
        if run:
            end = run[-1][0] + run[-1][1]
            if place[0] - end > _GAP or place[0] + place[1] - run[0][0] > _RUN_BYTES:
                yield run
                run = []
        run.append(place)
    if run:
        yield run


class _Checked(NamedTuple):
    """A record that arrived whole: what it holds, and decoded where it is a block."""

    record: RawRecord
    names: list[tuple[bytes, int | None, int]]
    block: bytes | None


def copy_chunks(
    source: ChunkSource,
    writer: Writer,
    threads: Executor,
    digests: Iterable[bytes],
    told: Callable[[int], None] | None = None,
) -> Copied:
    """Copy the chunks that the writer's pool lacks, in bounded memory.

    Parameters
    ----------
    source
        Where they are.
    writer
        Takes them; what its catalogue knows does not come again.
    threads
        Check what arrives.
    digests
        Names of the chunks, any number.
    told
        Called with the number of bytes that have come, now and then.

    Returns
    -------
    Copied
        Chunks in `missing` were not copied.
    """
    report = Copied()
    for batch in _batches(digests):
        fresh = [name for name in dict.fromkeys(batch) if not writer.reuse(name)]
        report.reused += len(batch) - len(fresh)
        left = dict.fromkeys(fresh)
        for checked in _arriving(source, threads, fresh):
            _take(checked, writer, left, report)
            report.size += HEADER_SIZE + len(checked.record.payload)
            if told is not None:
                told(HEADER_SIZE + len(checked.record.payload))
        for name in left:
            try:
                writer.put(source.fetch(name))
            except Damaged:
                report.missing.append(name)
            else:
                report.chunks += 1
    return report


def _batches(digests: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(digests)
    while batch := list(itertools.islice(rest, _AT_ONCE)):
        yield batch


def _arriving(
    source: ChunkSource, threads: Executor, digests: Sequence[bytes]
) -> Iterator[_Checked]:
    """Read records, check them in threads, and return the good ones in their order."""
    running: deque[tuple[Future[list[_Checked]], int]] = deque()
    under_way = 0
    for job, size in _jobs(source.records(digests)):
        running.append((threads.submit(_check_all, job), size))
        under_way += size
        while running and (under_way > _IN_FLIGHT_BYTES or running[0][0].done()):
            future, done = running.popleft()
            under_way -= done
            yield from future.result()
    while running:
        yield from running.popleft()[0].result()


def _jobs(records: Iterator[RawRecord]) -> Iterator[tuple[list[RawRecord], int]]:
    job: list[RawRecord] = []
    size = 0
    for record in records:
        job.append(record)
        size += HEADER_SIZE + len(record.payload)
        if size >= _JOB_BYTES:
            yield job, size
            job, size = [], 0
    if job:
        yield job, size


def _check_all(records: list[RawRecord]) -> list[_Checked]:
    found = []
    for record in records:
        with contextlib.suppress(Damaged):
            found.append(_checked(record))
    return found


def _checked(record: RawRecord) -> _Checked:
    """Check a record that arrived.

    Raises
    ------
    Damaged
        If it is not what it was.
    """
    header = read_record_header(record.header)
    if header is None or header.kind not in (CHUNK, BLOCK) or len(record.payload) != header.stored:
        raise Damaged("no such record starts there")
    if crc32c(record.payload) != header.crc:
        raise Damaged("the bytes of a record do not have its CRC")
    whole = Record(0, header, record.payload, good=True)
    raw = decoded(whole)
    names = [(name, at.member, at.length) for name, at in entries_of(whole, b"", raw)]
    if header.kind == CHUNK:
        return _Checked(record, names, None)
    for name, start, length in names:
        if digest_of(raw[start or 0 : (start or 0) + length]) != name:
            raise Damaged("the bytes in a block do not have their digest")
    return _Checked(record, names, raw)


def _take(checked: _Checked, writer: Writer, left: dict[bytes, None], report: Copied) -> None:
    """Append a record; of a block that holds other things too, only what is wanted."""
    held = {name for name, _, _ in checked.names}
    wanted = [name for name in checked.record.wanted if name in held]
    if checked.block is None or len(wanted) == len(held):
        if wanted:
            writer.append(checked.record.header, checked.record.payload, checked.names)
    else:
        for name, start, length in checked.names:
            if name in left:
                writer.put(checked.block[start or 0 : (start or 0) + length])
    for name in wanted:
        left.pop(name, None)
        report.chunks += 1
