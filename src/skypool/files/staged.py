"""Files that are being written: in a folder of their own, until they are whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from skypool.files.nodes import Entry

if TYPE_CHECKING:
    from skypool.files.operations import Attributes

__all__ = ["StagedFile", "StagedHandle", "held_by", "is_temporary"]

_PIECE: Final = 4 * 1024**2
_MODE: Final = stat.S_IFREG | 0o644

# What programs call files that they rename, or remove, when they are done: hidden ones (rsync,
# editors), backups, downloads; those of sed -i and of vim's trial.
_TEMPORARY: Final = re.compile(
    r"\..*|.*~|#.*#|.*\.(tmp|temp|part|partial|swp|swx|crdownload|filepart|download)"
    r"|sed[A-Za-z0-9]{6}|tmp[a-z0-9_]{8}|4913",
    re.IGNORECASE | re.DOTALL,
)


def is_temporary(path: str) -> bool:
    """Say whether a file, or a folder above it, has a name that programs use for a while."""
    return any(_TEMPORARY.fullmatch(part) for part in path.split("/"))


def held_by(process: int, where: str) -> bool:
    """Say whether a process has a file open, whichever of its threads is named.

    Where that cannot be seen, it has not.
    """
    folder = f"/proc/{process}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return False
    for number in numbers:
        with contextlib.suppress(OSError):
            if str(Path(folder, number).readlink()) == where:
                return True
    return False


class StagedFile:
    """A file that was made or changed and is not saved.

    Parameters
    ----------
    folder
        A folder for it alone.
    path
        Its path in the mount.
    base
        What it is a changed copy of; copied when the first byte changes.
    changed
        Whether there is something to save though nothing was written: a new file.
    """

    def __init__(
        self, folder: str, path: str, base: Entry | None = None, *, changed: bool = False
    ) -> None:
        self.path = path
        self.changed = changed
        self.deleted = False
        #: The error number of a write that failed and was not made up for: bytes are missing.
        self.broken = 0
        self._missing = (0, 0)
        #: What stands for its content in the pool since it was saved; None when it was changed.
        self.saved: Hashable | None = None
        self.mtime_ns: int | None = None
        #: Handles that are open, and the processes that opened them.
        self.users: dict[int, int] = {}
        self._base: Any = None if base is None else base.open()
        self._based_at = 0 if base is None else base.mtime_ns
        self._lock = threading.RLock()
        os.makedirs(folder, exist_ok=True)
        self.local = os.path.join(folder, "content")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(self.local, flags, 0o600)

    @property
    def is_there(self) -> bool:
        """Whether its content is still kept."""
        return os.path.exists(self.local)

    @property
    def attributes(self) -> Attributes:
        """What `stat` tells of it."""
        with self._lock:
            if self._base is not None:
                size, time_ns = self._base.size, self._based_at
            else:
                state = os.fstat(self._open())
                size, time_ns = state.st_size, state.st_mtime_ns
            return _MODE, size, time_ns if self.mtime_ns is None else self.mtime_ns

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        with self._lock:
            if self._base is not None:
                return bytes(self._base.pread(offset, length))
            return os.pread(self._open(), length, offset)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write bytes at an offset."""
        with self._lock:
            try:
                self._take_base()
                self._touch()
                done = 0
                while done < len(data):
                    done += os.pwrite(self._open(), memoryview(data)[done:], offset + done)
            except OSError as error:
                self.broken = error.errno or errno.EIO
                self._missing = (offset, offset + len(data))
                raise
            first, stop = self._missing
            if self.broken and offset <= first < offset + done:
                self._missing = (offset + done, stop)
                self.broken = self.broken if offset + done < stop else 0
            return done

    def truncate(self, length: int) -> None:
        """Cut it, or fill it with zeros, to a length."""
        with self._lock:
            if length == 0:
                self._drop_base()
                self.broken = 0
            self._take_base()
            self._touch()
            os.ftruncate(self._open(), length)

    def sync(self) -> None:
        """Have what was written on the disk."""
        with self._lock:
            os.fsync(self._open())

    def set_mtime(self, mtime_ns: int) -> None:
        """Set when it was last changed."""
        with self._lock:
            self.mtime_ns = mtime_ns

    def _touch(self) -> None:
        self.changed = True
        self.saved = None
        self.mtime_ns = None

    def _take_base(self) -> None:
        """Copy what it is a changed copy of."""
        if self._base is None:
            return
        for offset in range(0, self._base.size, _PIECE):
            data = self._base.pread(offset, _PIECE)
            done = 0
            while done < len(data):
                done += os.pwrite(self._open(), memoryview(data)[done:], offset + done)
        if self.mtime_ns is None:
            self.mtime_ns = self._based_at
        self._drop_base()

    def _drop_base(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def _open(self) -> int:
        if self._file < 0:
            self._file = os.open(self.local, os.O_RDWR | os.O_CLOEXEC)
        return self._file

    def link(self, path: str) -> None:
        """Give the content a second path, with its time of change.

        What looks at a file sees from its name what it is.
        """
        with self._lock:
            self._take_base()
            os.link(self.local, path)
            mtime_ns = os.fstat(self._open()).st_mtime_ns
            os.utime(path, ns=(time.time_ns(), self.mtime_ns or mtime_ns))

    def rest(self) -> None:
        """Give back what is open, while nobody uses it."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def remove(self) -> None:
        """Give up the content."""
        with self._lock:
            self._drop_base()
            self.rest()
            shutil.rmtree(os.path.dirname(self.local), ignore_errors=True)


class StagedHandle:
    """A file that is open for writing, or for reading while another writes it."""

    def __init__(self, staged: StagedFile, *, writing: bool) -> None:
        self.staged = staged
        self.writing = writing

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        return self.staged.pread(offset, length)

    def close(self) -> None:
        """Take notice of the end: the file has more users, or is given up by its folder."""
