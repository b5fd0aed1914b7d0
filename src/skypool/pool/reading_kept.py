"""Reading files in place again of which the headers are known: in processes, in threads, or here.

Small ones are read by other processes (`reading_ahead`), large ones in threads, which hash without
Python's lock. Whoever reads a file keeps what goes into the pool, and it is put there in the order
of the files.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from skypool.codec.deferring import has_same_headers
from skypool.codec.documents import loads
from skypool.errors import SkypoolError, SourceChanged
from skypool.formats.registry import read_file
from skypool.pool.inplace import InPlaceSink
from skypool.pool.reading_ahead import WINDOW, ReadingAhead
from skypool.pool.reading_files import (
    AHEAD_BYTES,
    FileRead,
    Record,
    Steps,
    TooLarge,
    recorded,
    recording,
)
from skypool.storage.inplace import FileSource, FileState

if TYPE_CHECKING:
    from skypool.catalogue.kept_files import KeptFile
    from skypool.codec.sinks import ChunkSink
    from skypool.pool.session import Session
    from skypool.storage.filelayer import FileLayer
    from skypool.storage.interface import Writer

__all__ = ["KeptReading", "ReadAgain", "take_again"]

# Bytes of the files that are looked at ahead.
_BYTES_AHEAD: Final = 2 << 30
# What is kept of a file that is read here: of its content nothing but statistics and digests.
_MOST_BYTES: Final = 256 << 20


def take_again(
    path: str, state: FileState, before: bytes, sink: ChunkSink, files: FileLayer | None = None
) -> FileRead:
    """Read all of a file of which the headers are known.

    Parameters
    ----------
    path, state
        Where it is, and what it is like.
    before
        The document of its headers.
    sink
        Takes what goes into the pool.
    files
        The file layer; the local one if None.

    Raises
    ------
    SourceMissing, SourceChanged, SourceUnreadable
        If it cannot be read, or is not as it was.
    """
    with FileSource(path, state, files, AHEAD_BYTES) as source:
        content = InPlaceSink(sink)
        found = read_file(source, content, os.path.basename(path))
        source.check()
        read = FileRead(found, source.state, content)
    if not has_same_headers(loads(before), found.document):
        raise SourceChanged(
            f"{path} is not as it was when it was added, though its size and time are",
            hint="add it again to make a new version of it",
        )
    return read


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """How files are read again in another process."""

    largest: ClassVar[int] = _MOST_BYTES
    most_ahead: ClassVar[int | None] = None

    def begin(self, path: str, size: int, mtime_ns: int, before: bytes) -> Steps:
        """Read a file as `take_again` does, and keep what goes into the pool.

        Raises
        ------
        TooLarge
            If that is more than is kept in memory.
        """
        return recording(partial(take_again, path, FileState(size, mtime_ns), before))


class KeptReading:
    """Gives files in their order, and what is in them; the next ones are read meanwhile.

    Parameters
    ----------
    session
        The open pool.
    files
        Those to be read.
    processes
        How many processes read small files.
    threads
        How many threads read the others; with one, each is read when it is asked for.
    """

    def __init__(
        self, session: Session, files: Iterable[KeptFile], processes: int, threads: int
    ) -> None:
        self._session = session
        self._files = iter(files)
        self._ahead = ReadingAhead(ReadAgain(), processes) if processes else None
        self._threads = ThreadPoolExecutor(threads, "skypool-complete") if threads > 1 else None
        self._running: dict[int, Future[Record | None]] = {}
        self._next: deque[KeptFile] = deque()
        self._bytes = 0

    def batch(self, count: int, size: int) -> list[KeptFile]:
        """Return the next files: so many, or fewer that have so many bytes; empty at the end."""
        found: list[KeptFile] = []
        while len(found) < count and size > 0:
            self._look_ahead()
            if not self._next:
                break
            kept = self._next.popleft()
            self._bytes -= kept.row.size
            size -= kept.row.size
            found.append(kept)
        return found

    def read(self, kept: KeptFile, writer: Writer) -> FileRead | Record:
        """Read a file, or take what was read of it; what goes into the pool is put into *writer*.

        Raises
        ------
        SourceMissing, SourceChanged, SourceUnreadable
            If it cannot be read, or is not as it was.
        """
        self._look_ahead()
        record = self._ahead.take(kept) if self._ahead is not None else None
        if record is None:
            future = self._running.pop(id(kept), None)
            if future is None:
                record = self._recorded(kept, self._session.fetch(kept.row.document))
            else:
                record = future.result()
        if record is None:  # it has more to keep than there is room for
            return self._reader(kept, self._session.fetch(kept.row.document))(writer)
        return record.put(writer)

    def close(self) -> None:
        """End processes and threads."""
        if self._ahead is not None:
            self._ahead.close()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def _look_ahead(self) -> None:
        if len(self._next) > WINDOW // 2 or self._bytes > _BYTES_AHEAD // 2:
            return
        found: list[KeptFile] = []
        while len(self._next) + len(found) < WINDOW and self._bytes < _BYTES_AHEAD:
            kept = next(self._files, None)
            if kept is None:
                break
            self._bytes += kept.row.size
            found.append(kept)
        self._next += found
        if self._ahead is not None or self._threads is not None:
            self._session.catalogue.chunks.expect([kept.row.document for kept in found])
            for kept in found:
                self._expect(kept)

    def _expect(self, kept: KeptFile) -> None:
        """Have a file read elsewhere; whatever is wrong shows when it is asked for."""
        row = kept.row
        try:
            before = self._session.fetch(row.document)
        except SkypoolError:
            return
        facts = (row.path, row.size, row.mtime_ns, before)
        if self._ahead is not None and self._ahead.expect(kept, row.size, facts):
            return
        if self._threads is not None:
            with contextlib.suppress(RuntimeError):  # the system has no more threads
                future = self._threads.submit(self._recorded, kept, before)
                self._running[id(kept)] = future

    def _recorded(self, kept: KeptFile, before: bytes) -> Record | None:
        try:
            return recorded(self._reader(kept, before), _MOST_BYTES)
        except TooLarge:
            return None

    def _reader(self, kept: KeptFile, before: bytes) -> Callable[[ChunkSink], FileRead]:
        row, files = kept.row, self._session.folder.files
        return partial(take_again, row.path, FileState(row.size, row.mtime_ns), before, files=files)
