"""Reading files of a mount: what is read in order is decoded ahead, in threads."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from skypool.pool.file_bytes import RandomAccess

__all__ = ["Reader"]

# What is decoded at once: some tiles of an image, all that fits the caches of a processor.
_WINDOW: Final = 2 * 1024**2
# So many windows are decoded before they are asked for.
_AHEAD: Final = 6
# Reads in order before anything is decoded ahead: headers and single rows are not.
_RUN: Final = 3
# The kernel asks for the parts of its own reading ahead in no particular order.
_SLACK: Final = 1024**2


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
    """

    def __init__(self, source: RandomAccess, executor: Executor) -> None:
        self._source = source
        self._executor = executor
        self._lock = threading.Lock()
        self._windows: dict[int, Future[bytes]] = {}
        self._end = 0
        self._run = 0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._source.size

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        if not self._in_order(offset, length):
            return self._source.pread(offset, length)
        stop = min(offset + length, self._source.size)
        if offset >= stop:
            return b""
        pieces = []
        for number, window in self._wanted(offset, stop):
            data, first = window.result(), number * _WINDOW
            pieces.append(data[max(0, offset - first) : stop - first])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _in_order(self, offset: int, length: int) -> bool:
        with self._lock:
            if abs(offset - self._end) <= _SLACK:
                self._run += 1
            else:
                self._run = 0
                self._windows.clear()
            self._end = max(self._end, offset + length) if self._run else offset + length
            return self._run >= _RUN

    def _wanted(self, offset: int, stop: int) -> list[tuple[int, Future[bytes]]]:
        """Return the windows of a range, and have those behind it decoded."""
        first, last = offset // _WINDOW, (stop - 1) // _WINDOW
        with self._lock:
            end = min(last + _AHEAD, (self._source.size - 1) // _WINDOW)
            for number in range(first, end + 1):
                if number not in self._windows:
                    self._windows[number] = self._executor.submit(
                        self._source.pread, number * _WINDOW, _WINDOW
                    )
            for number in [n for n in self._windows if n < first - 1 or n > end]:
                self._windows.pop(number).cancel()
            return [(number, self._windows[number]) for number in range(first, last + 1)]

    def close(self) -> None:
        """Give back what is open."""
        with self._lock:
            waiting, self._windows = list(self._windows.values()), {}
        for window in waiting:
            if not window.cancel():
                window.exception()  # wait: it reads from the source
        self._source.close()
