"""The calls of a file system by the names of mfusepy, done by the operations on a pool."""

from __future__ import annotations

import errno
import itertools
import os
import time
from typing import TYPE_CHECKING, Any, Final

from skypool.files.kernel_view import KernelView
from skypool.files.stat_memory import StatMemory

if TYPE_CHECKING:
    from skypool.files.operations import Attributes, Operations

__all__ = ["Calls"]

# What utimensat(2) has in place of a time, UTIME_NOW and UTIME_OMIT: nanoseconds above 10^9.
_NOW: Final = (1 << 30) - 1
_OMIT: Final = (1 << 30) - 2


class Calls:
    """The calls of mfusepy, by its names."""

    use_ns = True

    def __init__(self, operations: Operations, library: Any, ready: Any) -> None:
        self.do = operations
        self.library = library
        self.memory = StatMemory(library.c_stat)
        self.kernel = KernelView(fixed=not operations.writes)
        self._ready = ready
        self._numbers = itertools.count(1)
        self._folders: dict[int, list[tuple[bytes, Attributes]]] = {}

    def init_with_config(self, connection: Any, config: Any) -> None:
        """Set what options cannot."""
        if config is not None:
            config.hard_remove = 1  # open files stay readable by their versions
        self._ready()

    def destroy(self, _: str) -> None:
        """Take notice of the end; what is to be done then is done behind the loop."""

    # `readdir`, `getattr` and `read` are there to be found; the class between does their work.

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Return what `stat` tells."""
        mode, size, mtime_ns = self.do.attributes(path)
        return {"st_mode": mode, "st_size": size, "st_mtime": mtime_ns}

    def readdir(self, path: str, fh: int) -> list[str]:
        """Return names."""
        return [name for name, _ in self.do.listing(path)]

    def opendir(self, path: str) -> int:
        """Open a folder."""
        number = next(self._numbers)
        self._folders[number] = []
        return number

    def listed(self, number: int, path: bytes, *, again: bool) -> list[tuple[bytes, Attributes]]:
        """Return what an open folder has: what it had when it was last read from its start."""
        if again or not self._folders.get(number):
            found = self.do.listing(os.fsdecode(path))
            dots: list[tuple[bytes, Attributes]] = [(b".", (0, 0, 0)), (b"..", (0, 0, 0))]
            self._folders[number] = dots + [(os.fsencode(name), each) for name, each in found]
        return self._folders[number]

    def releasedir(self, path: str, fh: int) -> int:
        """Close a folder."""
        self._folders.pop(fh, None)
        return 0

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        return self.do.open(path, flags, process=self._process())

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read from an open file."""
        return self.do.read(fh, offset, size)

    def release(self, path: str, fh: int) -> int:
        """Close an open file for good."""
        self.kernel.released(fh)
        self.do.release(fh)
        return 0

    def create(self, path: str, mode: int) -> int:
        """Make a file and open it."""
        self.kernel.changed(os.fsencode(path))
        return int(self.do.create(path, process=self._process()))

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write into an open file."""
        return int(self.do.write(fh, data, offset))

    def flush(self, path: str, fh: int) -> int:
        """Take notice that one who has the file open closes it."""
        self.do.flush(fh, process=self._process())
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """Have a file on the disk."""
        self.do.sync(fh)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut a file to a length."""
        self.kernel.changed(os.fsencode(path))
        self.do.truncate(path, length, fh)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a folder."""
        self.do.mkdir(path)
        return 0

    def rmdir(self, path: str) -> int:
        """Remove an empty folder."""
        self.do.rmdir(path)
        return 0

    def unlink(self, path: str) -> int:
        """Remove a file."""
        self.kernel.changed(os.fsencode(path))
        self.do.unlink(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        """Rename a file or folder; the class above passes the flags."""
        self.do.rename(old, new)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set when a file was changed."""
        mtime_ns = _NOW if times is None else int(times[1])
        if mtime_ns != _OMIT:
            self.do.utimens(path, time.time_ns() if mtime_ns == _NOW else mtime_ns)
        return 0

    def symlink(self, path: str, target: str) -> int:
        """Refuse it, as file systems do that have no links."""
        raise OSError(errno.EPERM, "a mount keeps no links")

    def link(self, path: str, target: str) -> int:
        """Refuse it."""
        raise OSError(errno.EPERM, "a mount keeps no links")

    def mknod(self, path: str, mode: int, dev: int) -> int:
        """Refuse pipes and devices; files are made by `create`."""
        raise OSError(errno.EPERM, "a mount keeps only files and folders")

    def chmod(self, path: str, mode: int) -> int:
        """Accept it: permissions are not kept."""
        self.do.attributes(path)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Accept it: owners are not kept."""
        self.do.attributes(path)
        return 0

    def _process(self) -> int:
        return int(self.library.fuse_get_context()[2])

    def statfs(self, path: str) -> dict[str, int]:
        """Return the room that there is."""
        found = self.do.space()
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
        return {name: getattr(found, name) for name in names} | {"f_namemax": 255}

    def listxattr(self, path: str) -> list[str]:
        """Return the names of the extended attributes."""
        return list(self.do.extended(path))

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        """Return an extended attribute."""
        if not name.startswith("user."):
            raise OSError(errno.EOPNOTSUPP, "there are no such attributes")
        found = self.do.extended(path).get(name)
        if found is None:
            raise OSError(errno.ENODATA, "no such attribute")
        return os.fsencode(found)
