"""Products that stay in the user's own files.

Read with `pread` alone: a mapped file that somebody truncates would kill the
process. What the file system says of the file (size, time, inode) is compared
with what it said when the file was added, at opening and after every read: bytes
of a changed file never pass for the product.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from skypool.errors import ReadOnly, SourceChanged, SourceMissing, StorageError
from skypool.storage.filelayer import FileLayer, Handle, LocalFiles

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SOURCE_ERRORS", "FileSource", "FileState", "SourceUnreadable", "state_of"]


class SourceUnreadable(StorageError):
    """A file of the user's cannot be read; the pool has nothing to do with it."""

    @property
    def is_refused(self) -> bool:
        """Whether another user may be able to read it."""
        return isinstance(self.__cause__, ReadOnly | PermissionError)


# What is wrong with a file of the user's, and with nothing of the pool.
SOURCE_ERRORS: Final = (SourceChanged, SourceMissing, SourceUnreadable)


class FileState(NamedTuple):
    """What tells a file from a changed one.

    Attributes
    ----------
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change of its content, ns since 1970.
    inode : int
        Number of the file in its file system; 0 to leave it out of comparisons.
    """

    size: int
    mtime_ns: int
    inode: int = 0

    def matches(self, found: FileState) -> bool:
        """Return whether the file found can be the one of this state."""
        if (self.size, self.mtime_ns) != (found.size, found.mtime_ns):
            return False
        return not self.inode or self.inode == found.inode


def state_of(path: str | Path) -> FileState:
    """Return the state of a file.

    Raises
    ------
    SourceMissing
        If there is none.
    StorageError
        If it cannot be looked at, or is no regular file.
    """
    return _state(_status(os.fspath(path)), os.fspath(path))


class FileSource:
    """Random access to the bytes of a file; safe for threads, and after a fork.

    Parameters
    ----------
    path
        The file.
    expected
        Its state when it was added; None to take it as it is now. Either way a change
        from then on is noticed.
    files
        The file layer; the local one if None.
    ahead
        Files up to this size are read whole, when the first byte is asked for.

    Attributes
    ----------
    size : int
        Bytes of the file.
    state : FileState
        Its state.
    bytes_read : int
        Bytes read so far.

    Raises
    ------
    SourceMissing
        If there is no such file.
    SourceChanged
        If it is not in the expected state.
    """

    def __init__(
        self,
        path: str | Path,
        expected: FileState | None = None,
        files: FileLayer | None = None,
        ahead: int = 0,
    ) -> None:
        self.path = os.fspath(path)
        self._files = LocalFiles() if files is None else files
        self._handle: Handle | None = None
        if not stat.S_ISREG(_status(self.path).st_mode):
            # Opening a pipe or a device may wait for ever or have effects.
            raise SourceUnreadable(f"{self.path} is not a regular file")
        try:
            self._handle = self._files.open_read(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(self.path) from None
        except StorageError as error:
            raise SourceUnreadable(error.message, hint=error.hint) from error
        self.bytes_read = 0
        found = _state(os.fstat(self._handle.fd), self.path)
        if expected is not None and not expected.matches(found):
            self.close()
            raise _changed(self.path)
        self.state = found
        self.size = found.size
        self._ahead = found.size <= ahead
        self._whole: bytes | None = None

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end of the file.

        Raises
        ------
        SourceChanged
            If the file was changed since it was opened.
        """
        handle = self._handle
        if handle is None:
            raise StorageError(f"{self.path} has been closed")
        length = max(0, min(length, self.size - offset))
        if self._ahead:
            if self._whole is None:
                self._whole = self._pread(handle, 0, self.size)
            return self._whole[offset : offset + length]
        return self._pread(handle, offset, length)

    def _pread(self, handle: Handle, offset: int, length: int) -> bytes:
        try:
            data = self._files.pread(handle, offset, length)
        except StorageError as error:
            raise SourceUnreadable(error.message, hint=error.hint) from error
        self.bytes_read += len(data)
        if len(data) < length:
            raise _changed(self.path)
        self.check()
        return data

    def check(self) -> None:
        """Look whether the open file is still as it was.

        Raises
        ------
        SourceChanged
            If it is not.
        """
        handle = self._handle
        if handle is not None and not self.state.matches(_state(os.fstat(handle.fd), self.path)):
            raise _changed(self.path)

    def close(self) -> None:
        """Close the file."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._files.close(handle)

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except OSError as error:
        raise SourceUnreadable(f"cannot look at {path}: {error.strerror}") from error


def _state(found: os.stat_result, path: str) -> FileState:
    if not stat.S_ISREG(found.st_mode):
        raise SourceUnreadable(f"{path} is not a regular file")
    return FileState(found.st_size, found.st_mtime_ns, found.st_ino)


def _missing(path: str) -> SourceMissing:
    return SourceMissing(
        f"{path} is gone",
        hint="put the file back, or say where it is now: `skypool relocate OLD NEW`",
    )


def _changed(path: str) -> SourceChanged:
    return SourceChanged(
        f"{path} has changed since it was added",
        hint="put the old file back, or add the new one as a new version",
    )
