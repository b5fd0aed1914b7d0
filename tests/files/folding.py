"""A file system that ignores case and keeps it, as those of Windows and macOS do.

``python -m tests.files.folding FOLDER PLACE`` shows a folder at another place, until it is
unmounted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import mfusepy

_KEYS = ("st_mode", "st_size", "st_nlink", "st_uid", "st_gid")


class Folding(mfusepy.Operations):  # type: ignore[misc]
    """Names stand for what differs from them in case alone, where that is there."""

    use_ns = True

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def _real(self, path: str) -> str:
        found = self._folder
        for part in path.split("/"):
            names = os.listdir(found) if part and os.path.isdir(found) else []
            alike = [name for name in names if name.casefold() == part.casefold()]
            found = os.path.join(found, alike[0] if alike else part)
        return found.rstrip("/")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        state = os.lstat(self._real(path))
        return {key: getattr(state, key) for key in _KEYS} | {"st_mtime": state.st_mtime_ns}

    def readdir(self, path: str, fh: int) -> Iterator[str]:
        yield from (".", "..", *os.listdir(self._real(path)))

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._real(path), length)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._real(path), mode)
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._real(old), self._real(new))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._real(path))
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._real(path))
        return 0


if __name__ == "__main__":
    options = {"attr_timeout": 0, "entry_timeout": 0}
    mfusepy.FUSE(Folding(sys.argv[1]), sys.argv[2], foreground=True, nothreads=True, **options)
