"""Checking every byte of a pack (docs/format/packs.md, *What reading checks*)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from skypool.errors import Damaged
from skypool.storage.filelayer import FileLayer, LocalFiles
from skypool.storage.pack_layout import (
    BLOCK,
    HEADER_SIZE,
    INDEX,
    INDEX_ENTRY,
    NOT_A_MEMBER,
    TRAILER_SIZE,
    Trailer,
    aligned,
    make_trailer,
    read_pack_header,
)
from skypool.storage.pack_scan import (
    Gap,
    PackReader,
    Record,
    decoded,
    entries_of,
    pack_name,
    sealed_index,
    walk,
)

__all__ = ["PackProblem", "PackReport", "verify_pack"]

_IN_FLIGHT_BYTES = 64 << 20
_MOST_THREADS = 8
_JOB_BYTES = 256 << 10
_SECTOR = 512  # bytes that a disk writes all or none of


@dataclass(frozen=True, slots=True)
class PackProblem:
    """Bytes of a pack that are not what they were.

    Attributes
    ----------
    offset, end : int
        Which bytes.
    what : str
        What is wrong with them.
    record : bool
        Whether they are the payload of a record whose header is good.
    """

    offset: int
    end: int
    what: str
    record: bool = False


@dataclass(slots=True)
class PackReport:
    """What a check of a pack has found.

    Attributes
    ----------
    problems : list of PackProblem
        In the order of the file.
    size, records : int
        Bytes looked at, and good records in them.
    sealed : bool
        Whether the pack is complete with index and trailer.
    reclaimable : int
        Bytes of a torn tail, or behind what commits refer to and no good record:
        left by a writer that died, and no problem.
    """

    problems: list[PackProblem] = field(default_factory=list)
    size: int = 0
    records: int = 0
    sealed: bool = False
    reclaimable: int = 0


def verify_pack(
    path: str,
    full: bool = False,
    *,
    files: FileLayer | None = None,
    pool: bytes | None = None,
    committed_end: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> PackReport:
    """Check every byte of a pack.

    Parameters
    ----------
    path
        The pack.
    full
        Whether to decode every record and check its digest; else checks are those
        of CRCs, padding and structure.
    files
        The file layer; the local one if None.
    pool
        Identifier of the pool that the pack should be of.
    committed_end
        Offset behind the last record that a commit refers to. What is wrong behind it
        is no problem in an unsealed pack; what is missing before it is one. None if
        not known: then bytes behind the last good record pass for a torn tail.
    progress
        Called with the bytes done since the last call; may raise to interrupt.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(PackReader(LocalFiles() if files is None else files, path))
        check = _Check(reader, full, committed_end)
        if full:
            count = max(1, min(os.cpu_count() or 1, _MOST_THREADS))
            check.threads = stack.enter_context(ThreadPoolExecutor(count))
        check.run(pool, _ignore if progress is None else progress)
    return check.report


class _Check:
    """One run over a pack."""

    def __init__(self, reader: PackReader, full: bool, committed_end: int | None) -> None:
        self.report = PackReport(size=reader.size)
        self.threads: ThreadPoolExecutor | None = None
        self._reader = reader
        self._full = full
        self._committed = committed_end
        self._name = pack_name(reader.path)
        self._entries = bytearray()
        self._jobs: deque[tuple[Future[list[tuple[Record, str, bytes]]], int]] = deque()
        self._batch: list[Record] = []
        self._batch_bytes = 0
        self._under_way = 0
        self._found: list[PackProblem] = []

    def run(self, pool: bytes | None, progress: Callable[[int], None]) -> None:
        """Check everything."""
        size = self._reader.size
        sealed = sealed_index(self._reader)
        self.report.sealed = sealed is not None
        if size < HEADER_SIZE:
            # Its writer died right after creating it, if nothing refers to it.
            self._problem(0, size, "the pack ends within its header")
            self._finish(size, good_end=0)
            return
        self._check_header(pool)
        if sealed is not None:
            self._reader.size -= TRAILER_SIZE
        good_end, last = HEADER_SIZE, None
        done = 0
        for item in walk(self._reader):
            if isinstance(item, Gap):
                self._problem(item.offset, item.end, "no record, but bytes that are none")
            elif not item.good:
                what = "a record's bytes do not have its CRC"
                self._problem(item.offset, item.end, what, record=True)
            else:
                self._check_record(item)
                good_end, last = self._check_padding(item), item
            here = item.end
            progress(here - done)
            done = here
        progress(size - done)
        self._submit()
        self._drain(0)
        self._reader.size = size
        if sealed is not None:
            self._check_index(sealed)
        elif last is not None and last.header.kind == INDEX:
            good_end = self._check_unfinished_seal(last)
        self._finish(size, good_end)

    def _finish(self, size: int, good_end: int) -> None:
        """Sort out what is a problem, and what only a torn tail."""
        report = self.report
        limit = size
        if not report.sealed:
            limit = good_end if self._committed is None else self._committed
        for problem in self._found:
            if problem.offset >= limit:
                report.reclaimable += problem.end - problem.offset
            else:
                report.problems.append(problem)
        # Padding at the very end may be missing: it reads as zeros.
        if self._committed is not None and aligned(size) < self._committed:
            what = f"the pack ends at {size}; commits refer to what was behind it"
            report.problems.append(PackProblem(size, self._committed, what))
        report.problems.sort(key=lambda problem: problem.offset)

    def _problem(self, offset: int, end: int, what: str, *, record: bool = False) -> None:
        self._found.append(PackProblem(offset, end, what, record))

    def _check_header(self, pool: bytes | None) -> None:
        header = read_pack_header(bytes(self._reader.view(0, HEADER_SIZE)))
        if header is None:
            self._problem(0, HEADER_SIZE, "the header of the pack is damaged")
        elif header.name != self._name:
            self._problem(0, HEADER_SIZE, f"this is the pack {header.name.hex()}")
        elif pool is not None and header.pool != pool:
            self._problem(0, HEADER_SIZE, f"this is a pack of the pool {header.pool.hex()}")

    def _check_record(self, record: Record) -> None:
        self.report.records += 1
        if self.threads is None:
            return
        self._batch.append(record)
        self._batch_bytes += record.header.raw + HEADER_SIZE
        if self._batch_bytes >= _JOB_BYTES:
            self._submit()
            self._drain(_IN_FLIGHT_BYTES)

    def _check_padding(self, record: Record) -> int:
        """Check the zeros behind a record and return where they end."""
        end = min(aligned(record.end), self._reader.size)
        if any(self._reader.view(record.end, end - record.end)):
            self._problem(record.end, end, "the padding is not zero")
        return end

    def _submit(self) -> None:
        if self.threads is not None and self._batch:
            job, size = self._batch, self._batch_bytes
            self._batch, self._batch_bytes = [], 0
            future = self.threads.submit(_decode_all, job, self._name)
            self._jobs.append((future, size))
            self._under_way += size

    def _drain(self, allowed: int) -> None:
        while self._jobs and (self._under_way > allowed or self._jobs[0][0].done()):
            future, size = self._jobs.popleft()
            self._under_way -= size
            for record, wrong, entries in future.result():
                if wrong:
                    self._problem(record.offset, record.end, wrong, record=True)
                self._entries += entries

    def _check_index(self, sealed: tuple[Trailer, bytes | None]) -> None:
        trailer, index = sealed
        size = self._reader.size
        if index is None:
            self._problem(trailer.offset, size, "the index does not fit the trailer")
        elif self._full and not self._found and index != bytes(self._entries):
            self._problem(trailer.offset, size, "the index does not fit the records")

    def _check_unfinished_seal(self, index: Record) -> int:
        """Tell an unfinished seal from a damaged one; return where the good bytes end.

        A writer that died leaves the beginning of the trailer, and zeros or nothing
        behind; a power cut may leave only what is in the second of two sectors. Anything
        else was a trailer once.
        """
        end = aligned(index.end)
        expected = make_trailer(index.offset, index.header.raw // INDEX_ENTRY.size)
        found = bytes(self._reader.view(end, TRAILER_SIZE))
        second = bytes(-end % _SECTOR) + expected[-end % _SECTOR :]
        begun = expected.startswith(found.rstrip(b"\0")) or found == second
        if begun and self._reader.size <= end + TRAILER_SIZE:
            return index.offset
        self._found = [problem for problem in self._found if problem.offset < end]
        self._problem(end, self._reader.size, "the trailer is damaged")
        self.report.sealed = True
        return self._reader.size


def _decode_all(records: list[Record], pack: bytes) -> list[tuple[Record, str, bytes]]:
    """Return per record what is wrong with it, or nothing, and its index entries."""
    return [(record, *_decode(record, pack)) for record in records]


def _decode(record: Record, pack: bytes) -> tuple[str, bytes]:
    try:
        raw = decoded(record)
        entries = b"".join(_packed(record, pack, raw))
    except Damaged as error:
        return error.message, b""
    return "", entries


def _packed(record: Record, pack: bytes, raw: bytes) -> Iterator[bytes]:
    block = raw if record.header.kind == BLOCK else b""
    for name, place in entries_of(record, pack, block):
        member = NOT_A_MEMBER if place.member is None else place.member
        yield INDEX_ENTRY.pack(name, place.offset, place.stored, member, place.length)


def _ignore(count: int) -> None:
    """Take no notice."""
