"""A quota of the file system: writing fails with EDQUOT while the disk shows plenty of room."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_void_p
from pathlib import Path
from typing import Any

from skypool.codec.buffers import Buffer
from skypool.storage.system import SystemCalls
from skypool.testing.faults.sqlite import plain_vfs

__all__ = ["QuotaCalls", "quota"]

_WRITES = {
    "write": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, use_errno=True),
    "pwrite": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, c_int64, use_errno=True),
    "pwrite64": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, c_int64, use_errno=True),
}
_GET = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
_SET = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)


class QuotaCalls(SystemCalls):
    """The calls of a file layer, where all files below a folder may take so many bytes.

    Parameters
    ----------
    folder
        The folder.
    limit
        The bytes.
    """

    def __init__(self, folder: str | os.PathLike[str], limit: int) -> None:
        self._folder = os.path.realpath(folder)
        self.limit = limit
        self.refused = 0
        setattr(self, "pwritev", self._pwritev)  # noqa: B010 - a method in place of a function

    def room(self) -> int:
        """Return what may still be written, in whole pages as file systems count."""
        taken = 0
        for base, _, names in os.walk(self._folder):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    taken += -(-os.stat(os.path.join(base, name)).st_size // 4096) * 4096
        return max(0, self.limit - taken)

    def may_write(self, fd: int, end: int) -> bool:
        """Tell whether a file may be written up to a byte."""
        with contextlib.suppress(OSError):
            path = os.fspath(Path(f"/proc/self/fd/{fd}").readlink())
            if path.startswith(self._folder + os.sep):
                grown = -(-end // 4096) * 4096 - -(-os.fstat(fd).st_size // 4096) * 4096
                if grown > 0 and grown > self.room():
                    self.refused += 1
                    return False
        return True

    def _pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if not self.may_write(fd, offset + sum(memoryview(b).nbytes for b in buffers)):
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        return os.pwritev(fd, buffers, offset)

    def allocate(self, fd: int, offset: int, length: int) -> None:
        """Stand in for `os.posix_fallocate`."""
        if not self.may_write(fd, offset + length):
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        os.ftruncate(fd, offset + length)


@contextlib.contextmanager
def quota(calls: QuotaCalls) -> Iterator[None]:
    """Have the quota hold for SQLite too, and for those who try out how much room there is.

    That works where `sqlite_is_reachable`.
    """
    address, vfs = plain_vfs()
    get, change = _GET(vfs.get_system_call), _SET(vfs.set_system_call)
    kept: list[Any] = []
    before = {name: get(address, name.encode()) for name in _WRITES}
    for name, kind in _WRITES.items():
        if before[name]:
            made = kind(_limited(calls, kind(before[name])))
            kept.append(made)
            change(address, name.encode(), ctypes.cast(made, c_void_p))
    allocate, os.posix_fallocate = os.posix_fallocate, calls.allocate
    try:
        yield
    finally:
        os.posix_fallocate = allocate
        for name, call in before.items():
            if call:
                change(address, name.encode(), call)


def _limited(calls: QuotaCalls, real: Callable[..., int]) -> Callable[..., int]:
    def made(fd: int, data: int, size: int, *offset: int) -> int:
        start = offset[0] if offset else os.lseek(fd, 0, os.SEEK_CUR)
        if not calls.may_write(fd, start + size):
            ctypes.set_errno(errno.EDQUOT)
            return -1
        return real(fd, data, size, *offset)

    return made
