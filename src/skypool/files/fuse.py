"""Between libfuse, as mfusepy calls it, and the operations on a pool."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import MissingDependency

if TYPE_CHECKING:
    from skypool.files.operations import Attributes, Operations

__all__ = ["load_library", "run"]

_HINT: Final = (
    "install FUSE 3 (Debian: apt install fuse3) and pip install 'skypool[mount]'; without FUSE, "
    "`skypool serve --webdav` gives the same folders to file explorers"
)
_FILL_WITH_ATTRIBUTES: Final = 2  # FUSE_FILL_DIR_PLUS
_NO_REPLACE, _EXCHANGE = 1, 2  # RENAME_NOREPLACE, RENAME_EXCHANGE
_BLOCK: Final = 512
_TOLD: Final = 200_000

_here = threading.local()


def load_library() -> Any:
    """Return mfusepy, with libfuse loaded.

    Raises
    ------
    MissingDependency
        If one of them is not there.
    """
    try:
        import mfusepy
    except ImportError:
        raise MissingDependency("mounting needs the package mfusepy", hint=_HINT) from None
    except OSError:  # that is how it says that libfuse is not there
        raise MissingDependency("mounting needs the library libfuse", hint=_HINT) from None
    if mfusepy.fuse_version_major < 3:
        raise MissingDependency("mounting needs libfuse 3, and finds 2", hint=_HINT)
    if not os.path.exists("/dev/fuse"):
        raise MissingDependency("this machine has no /dev/fuse", hint=_HINT)
    return mfusepy


def run(operations: Operations, folder: str, options: dict[str, Any], ready: Any) -> None:
    """Mount a pool, and return when it is unmounted.

    Parameters
    ----------
    operations
        What is mounted.
    folder
        Where.
    options
        Of FUSE.
    ready
        Called when it is mounted.

    Raises
    ------
    RuntimeError
        If it cannot be mounted; libfuse has written why to standard error.
    """
    library = load_library()
    made = type("Mounted", (_Between, library.FUSE), {})
    made(Calls(operations, library, ready), folder, **options)


class _Between:
    """What the class of mfusepy leaves out.

    These are the attributes of listings, the flags of renaming, and threads that stay.
    """

    operations: Calls

    def _wrapper(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        # libfuse's threads are not Python's: what belongs to a thread (the connection to
        # the catalogue) would be lost after each call unless the thread's state is kept.
        if not getattr(_here, "kept", False):
            ctypes.pythonapi.PyGILState_Ensure()
            _here.kept = True
        return super()._wrapper(func, *args, **kwargs)  # type: ignore[misc]

    def getattr_fuse_3(self, path: bytes | None, buf: Any, _: Any) -> int:
        calls, path = self.operations, path or b""
        found = calls.told(path, calls.do.attributes(os.fsdecode(path)))
        ctypes.memset(buf, 0, ctypes.sizeof(calls.library.c_stat))
        _fill(buf.contents, found)
        return 0

    def readdir_fuse_3(
        self, path: bytes | None, buf: Any, filler: Any, _: int, __: Any, flags: int
    ) -> int:
        calls, path = self.operations, path or b""
        full = _FILL_WITH_ATTRIBUTES if flags & 1 else 0
        one = calls.library.c_stat()
        one.st_nlink = 1
        above = path.rstrip(b"/")
        for dots in (b".", b".."):
            filler(buf, dots, None, 0, 0)
        for name, found in calls.do.listing(os.fsdecode(path)):
            word = os.fsencode(name)
            _fill(one, calls.told(b"%b/%b" % (above, word), found) if full else found)
            if filler(buf, word, one, 0, full):
                break
        return 0

    def open(self, path: bytes, info: Any) -> int:
        # The kernel reads no further than it believes the file to reach: where another
        # process has saved a version meanwhile, it is told so first.
        calls = self.operations
        before = calls.last.get(path)
        if before is not None and before != calls.do.attributes(os.fsdecode(path)):
            fuse = calls.library._libfuse
            context = fuse.fuse_get_context().contents
            fuse.fuse_invalidate_path(ctypes.c_void_p(context.fuse), path)
        opened: int = super().open(path, info)  # type: ignore[misc]
        return opened

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        if flags & _EXCHANGE:
            raise OSError(errno.EINVAL, "names are not exchanged")
        self.operations.do.rename(
            os.fsdecode(old), os.fsdecode(new), replace=not flags & _NO_REPLACE
        )
        return 0


_UID, _GID = os.getuid(), os.getgid()


def _fill(into: Any, found: Attributes) -> None:
    mode, size, mtime_ns = found
    seconds, rest = divmod(mtime_ns, 1_000_000_000)
    into.st_mode = mode
    into.st_nlink = 1
    into.st_size = size
    into.st_blocks = -(-size // _BLOCK)
    into.st_uid, into.st_gid = _UID, _GID
    for each in (into.st_mtimespec, into.st_ctimespec, into.st_atimespec):
        each.tv_sec, each.tv_nsec = seconds, rest


class Calls:
    """The calls of mfusepy, by its names."""

    use_ns = True

    def __init__(self, operations: Operations, library: Any, ready: Any) -> None:
        self.do = operations
        self.library = library
        self._ready = ready
        #: What the kernel was told of paths, and keeps for a while.
        self.last: dict[bytes, Attributes] = {}

    def told(self, path: bytes, found: Attributes) -> Attributes:
        """Note what the kernel is told of a path."""
        if len(self.last) > _TOLD:
            self.last.clear()
        self.last[path] = found
        return found

    def init_with_config(self, connection: Any, config: Any) -> None:
        """Set what options cannot."""
        if config is not None:
            config.hard_remove = 1  # open files stay readable by their versions
        self._ready()

    def destroy(self, _: str) -> None:
        """Take notice of the end; what is to be done then is done behind the loop."""

    # `readdir` and `getattr` are there to be found; the class above does their work.

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Return what `stat` tells."""
        mode, size, mtime_ns = self.do.attributes(path)
        return {"st_mode": mode, "st_size": size, "st_mtime": mtime_ns}

    def readdir(self, path: str, fh: int) -> list[str]:
        """Return names."""
        return [name for name, _ in self.do.listing(path)]

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        return self.do.open(path, flags, process=self._process())

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read from an open file."""
        return self.do.read(fh, offset, size)

    def release(self, path: str, fh: int) -> int:
        """Close an open file for good."""
        self.do.release(fh)
        return 0

    def create(self, path: str, mode: int) -> int:
        """Make a file and open it."""
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
        self.do.unlink(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        """Rename a file or folder; the class above passes the flags."""
        self.do.rename(old, new)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set when a file was changed."""
        self.do.utimens(path, time.time_ns() if times is None else int(times[1]))
        return 0

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
