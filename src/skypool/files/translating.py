"""Errors of skypool as those that programs know of files."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skypool.errors import Conflict, DiskFull, NotFound, ReadOnly, SkypoolError, UsageError

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["Translating", "translated"]


class Translating:
    """Random access whose errors are those of files."""

    def __init__(self, source: ByteSource, path: str) -> None:
        self._source = source
        self._path = path
        with translated(path):
            self.size = source.size
        #: Fills memory with bytes from an offset, where the source can; else None.
        self.read_into = self._read_into if hasattr(source, "read_into") else None

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        with translated(self._path):
            return self._source.pread(offset, length)

    def _read_into(self, offset: int, out: memoryview) -> None:
        fill: Callable[[int, memoryview], None] = self._source.read_into  # type: ignore[attr-defined]
        with translated(self._path):
            fill(offset, out)

    def close(self) -> None:
        """Give back what is open."""
        close: Callable[[], None] | None = getattr(self._source, "close", None)
        if close is not None:
            close()


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn errors of skypool into those that programs know of files; the cause is kept."""
    try:
        yield
    except NotFound as error:
        raise FileNotFoundError(errno.ENOENT, _said(error), path) from error
    except Conflict as error:
        number = errno.EISDIR if "is a folder" in error.message else errno.EEXIST
        number = errno.ENOTDIR if "is a file" in error.message else number
        raise OSError(number, _said(error), path) from error
    except ReadOnly as error:
        raise PermissionError(errno.EPERM, _said(error), path) from error
    except UsageError as error:
        if "is a folder, not a file" in error.message:
            raise IsADirectoryError(errno.EISDIR, _said(error), path) from error
        raise  # a ValueError already
    except DiskFull as error:
        raise OSError(errno.ENOSPC, _said(error), path) from error
    except SkypoolError as error:
        raise OSError(errno.EIO, _said(error), path) from error


def _said(error: SkypoolError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
