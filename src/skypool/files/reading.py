"""Reading files of a mount: what is read in order is decoded ahead, in threads."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from skypool.pool.file_bytes import RandomAccess

__all__ = ["Buffers", "Reader"]

# What is decoded at once has at least so many bytes, and no more than the second, unless its
# chunks are cut so: a row of tiles of a wide image.
_WINDOW: Final = 2 * 1024**2
_WIDEST: Final = 16 * 1024**2
# So much is decoded before it is asked for, and at least so many windows.
_AHEAD: Final = 12 * 1024**2
_LEAST: Final = 2
# Reads in order before anything is decoded ahead: headers and single rows are not.
_RUN: Final = 3
# The kernel asks for the parts of its own reading ahead in no particular order.
_SLACK: Final = 1024**2
# What is kept for the next file.
_KEPT: Final = 64 * 1024**2


class Buffers:
    """Memory for windows, used again: the system clears what is taken anew, page by page."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._kept = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bytearray:
        """Return memory of at least so many bytes."""
        with self._lock:
            fitting = [n for n, each in enumerate(self._free) if size <= len(each) <= 4 * size]
            if fitting:
                found = self._free.pop(fitting[-1])
                self._kept -= len(found)
                return found
        return bytearray(size)

    def give(self, memory: bytearray) -> None:
        """Take memory back that nobody uses any more."""
        with self._lock:
            self._free.append(memory)
            self._kept += len(memory)
            while self._kept > _KEPT:
                self._kept -= len(self._free.pop(0))


class _Window:
    """A part of a file that is decoded, or being decoded."""

    def __init__(self, first: int, stop: int) -> None:
        self.first = first
        self.stop = stop
        self.memory: bytearray | None = None
        self.done: Future[None]
        #: Reads that look at it, and whether it is still wanted; under the lock of the reader.
        self.users = 0
        self.wanted = True


class Reader:
    """A file that is open for reading; safe for threads.

    Only the chunks that a read touches are decoded, until it shows that the file is read in
    order.

    Parameters
    ----------
    source
        The bytes; closed with it.
    executor
        Decodes ahead.
    buffers
        Memory to decode into.
    """

    def __init__(
        self,
        source: RandomAccess,
        executor: Executor,
        buffers: Buffers,
    ) -> None:
        self._source = source
        self._executor = executor
        self._buffers = buffers
        self._lock = threading.Lock()
        self._windows: dict[int, _Window] = {}
        self._cuts: list[int] = []
        self._end = 0
        self._run = 0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._source.size

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        pieces: list[bytes] = []
        self.read(offset, length, lambda piece: pieces.append(bytes(piece)))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read(self, offset: int, length: int, take: Callable[[bytes | memoryview], object]) -> None:
        """Give *length* bytes from *offset*, one piece after another; fewer only at the end.

        Parameters
        ----------
        offset, length
            Which ones.
        take
            Gets a piece, which changes once it has returned.
        """
        stop = min(offset + length, self._source.size)
        if not self._in_order(offset, length):
            take(self._source.pread(offset, length))
        elif offset < stop:
            for window in self._held(offset, stop):
                window.done.result()
                assert window.memory is not None
                low, high = max(offset, window.first), min(stop, window.stop)
                with memoryview(window.memory) as view:
                    take(view[low - window.first : high - window.first])

    def _in_order(self, offset: int, length: int) -> bool:
        with self._lock:
            if abs(offset - self._end) <= _SLACK:
                self._run += 1
            else:
                self._run = 0
                self._forget(list(self._windows))
            self._end = max(self._end, offset + length) if self._run else offset + length
            return self._run >= _RUN

    def _held(self, offset: int, stop: int) -> Iterator[_Window]:
        """Give the windows of a range, none of which is used for another meanwhile."""
        with self._lock:
            windows = self._wanted(offset, stop)
            for window in windows:
                window.users += 1
        for number, window in enumerate(windows):
            try:
                yield window
            except BaseException:
                self._release(windows[number + 1 :])
                raise
            finally:
                self._release([window])

    def _release(self, windows: list[_Window]) -> None:
        with self._lock:
            for window in windows:
                window.users -= 1
                self._settle(window)

    def _wanted(self, offset: int, stop: int) -> list[_Window]:
        """Return the windows of a range, and have those behind it decoded."""
        if not self._cuts:
            cuts = getattr(self._source, "cuts", None)
            size = self._source.size
            self._cuts = cuts(_WINDOW, _WIDEST) if cuts else [*range(0, size, _WINDOW), size]
        first = bisect.bisect_right(self._cuts, offset) - 1
        last = bisect.bisect_left(self._cuts, stop) - 1
        end = max(bisect.bisect_left(self._cuts, stop + _AHEAD) - 1, last + _LEAST)
        end = min(end, len(self._cuts) - 2)
        for number in range(first, end + 1):
            if number not in self._windows:
                window = _Window(self._cuts[number], self._cuts[number + 1])
                window.done = self._executor.submit(self._decode, window)
                self._windows[number] = window
        self._forget([n for n in self._windows if n < first - 1 or n > end])
        return [self._windows[number] for number in range(first, last + 1)]

    def _decode(self, window: _Window) -> None:
        size = window.stop - window.first
        memory = self._buffers.take(size)
        try:
            fill = getattr(self._source, "read_into", None)
            with memoryview(memory) as view:
                if fill is not None:
                    fill(window.first, view[:size])
                else:
                    view[:size] = self._source.pread(window.first, size)
        except BaseException:
            self._buffers.give(memory)
            raise
        with self._lock:
            window.memory = memory
            self._settle(window)

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            window = self._windows.pop(number)
            window.wanted = False
            if not window.users:
                window.done.cancel()
            self._settle(window)

    def _settle(self, window: _Window) -> None:
        """Give the memory of a window back once nobody needs it."""
        if not window.wanted and not window.users and window.memory is not None:
            memory, window.memory = window.memory, None
            self._buffers.give(memory)

    def close(self) -> None:
        """Give back what is open."""
        with self._lock:
            waiting = list(self._windows.values())
            self._forget(list(self._windows))
        for window in waiting:
            if not window.done.cancelled():
                window.done.exception()  # wait: it reads from the source
        self._source.close()
