"""System calls of Python that fail when they are told to."""

from __future__ import annotations

import builtins
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from skypool.codec.buffers import Buffer
from skypool.storage.system import SystemCalls
from skypool.testing.faults.plan import Faults

__all__ = ["FaultyCalls", "faulty_os"]

_File = tuple[int, int]  # device and inode
_Range = tuple[int, int]


class FaultyCalls(SystemCalls):
    """The calls of a file layer; those that are due fail.

    Parameters
    ----------
    faults
        Says which.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        # Written since the last sync, by device and inode: start and end.
        self._unsynced: dict[_File, list[_Range]] = {}
        # Of a sync that failed: in the system's memory, which takes them for clean, but not
        # on disk, whatever later syncs say.
        self._lost: dict[_File, list[_Range]] = {}
        plain = SystemCalls()
        for name in ("fstat", "mkdir", "link", "replace", "unlink", "flock", "fsync"):
            setattr(self, name, self._failing(name, getattr(plain, name)))
        for name in ("open", "close", "pread", "pwritev", "ftruncate", "fdatasync"):
            setattr(self, name, getattr(self, f"_{name}"))

    def _failing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any) -> Any:
            if self._faults.due(name):
                raise self._faults.os_error(args[0])
            return call(*args)

        return made

    def _open(self, path: str, flags: int, mode: int = 0o777) -> int:
        if self._faults.due("create" if flags & os.O_CREAT else "open"):
            raise self._faults.os_error(path)
        return os.open(path, flags, mode)

    def _close(self, fd: int) -> None:
        os.close(fd)  # it is closed whatever close says
        if self._faults.due("close"):
            raise self._faults.os_error()

    def _pread(self, fd: int, length: int, offset: int) -> bytes:
        if not self._faults.due("pread"):
            return os.pread(fd, length, offset)
        if self._faults.error != "short":
            raise self._faults.os_error()
        return os.pread(fd, max(1, length // 2), offset)

    def _pwritev(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        if self._faults.due("pwritev"):
            if self._faults.error == "nothing":
                return 0
            data = b"".join(bytes(buffer) for buffer in buffers)
            # A full disk and a bad one take a part of it as well, before they fail.
            done = os.pwrite(fd, data[: max(1, len(data) // 2)], offset)
            self._note(fd, offset, offset + done)
            if self._faults.error != "short":
                raise self._faults.os_error()
            return done
        done = os.pwritev(fd, buffers, offset)
        self._note(fd, offset, offset + done)
        return done

    def _note(self, fd: int, start: int, end: int) -> None:
        file = _file(fd)
        self._unsynced.setdefault(file, []).append((start, end))
        self._lost[file] = _without(self._lost.get(file, ()), start, end)

    def _ftruncate(self, fd: int, size: int) -> None:
        if self._faults.due("ftruncate"):
            raise self._faults.os_error()
        os.ftruncate(fd, size)
        file = _file(fd)
        for ranges in (self._unsynced, self._lost):
            ranges[file] = _without(ranges.get(file, ()), size, 1 << 62)

    def _fdatasync(self, fd: int) -> None:
        file = _file(fd)
        if self._faults.due("fdatasync"):
            self._lost.setdefault(file, []).extend(self._unsynced.pop(file, ()))
            raise self._faults.os_error()
        os.fdatasync(fd)
        self._unsynced.pop(file, None)

    def lose(self, folder: str) -> int:
        """Make zeros of what failed syncs have not brought to the disk, as after a crash.

        Parameters
        ----------
        folder
            Where the files are; nobody has them open.

        Returns
        -------
        int
            Bytes that were lost.
        """
        count = 0
        for base, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(base, name)
                found = os.stat(path)
                with open(path, "r+b") as file:
                    for start, end in self._lost.get((found.st_dev, found.st_ino), ()):
                        size = min(end, found.st_size) - start
                        if size > 0:
                            file.seek(start)
                            file.write(bytes(size))
                            count += size
        self._lost.clear()
        return count


def _without(ranges: Iterable[_Range], start: int, end: int) -> list[_Range]:
    """Return what is left of some ranges where another one is taken out."""
    left = []
    for first, last in ranges:
        left += [(first, min(last, start)), (max(first, end), last)]
    return [(first, last) for first, last in left if first < last]


def _file(fd: int) -> _File:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def faulty_os(faults: Faults) -> Iterator[None]:
    """Let the functions fail that look at files without the file layer.

    They are replaced for the whole process, for the time of the `with` block; only calls
    on watched paths are counted.
    """

    def failing(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def made(path: Any = ".", *args: Any, **options: Any) -> Any:
            if faults.concerns(path) and faults.due(name):
                if name == "access":
                    return False
                raise faults.os_error(path)
            return call(path, *args, **options)

        return made

    names = [(os, name) for name in ("stat", "scandir", "listdir", "access")]
    before = [(place, name, getattr(place, name)) for place, name in names]
    before.append((builtins, "open", builtins.open))
    for place, name, call in before:
        setattr(place, name, failing("builtins.open" if place is builtins else name, call))
    try:
        yield
    finally:
        for place, name, call in before:
            setattr(place, name, call)
