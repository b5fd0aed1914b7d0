"""Between libfuse, as mfusepy calls it, and the operations on a pool."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import MissingDependency
from skypool.files.fuse_calls import Calls

if TYPE_CHECKING:
    from skypool.files.operations import Operations

__all__ = ["load_library", "run"]

_HINT: Final = (
    "install FUSE 3 (Debian: apt install fuse3) and pip install 'skypool[mount]'; without FUSE, "
    "`skypool serve --webdav` gives the same folders to file explorers"
)
_FILL_WITH_ATTRIBUTES: Final = 2  # FUSE_FILL_DIR_PLUS
_NO_REPLACE, _EXCHANGE = 1, 2  # RENAME_NOREPLACE, RENAME_EXCHANGE

_here = threading.local()
_forgetting = threading.Semaphore(4)


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
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise MissingDependency(
            "you may not use /dev/fuse",
            hint="whoever looks after this machine gives permission; `skypool serve --webdav` "
            "needs none",
        )
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

    These are the attributes of listings, what the kernel may keep, reading without copies, the
    flags of renaming, and threads that stay.
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
        found = calls.kernel.told(path, calls.do.attributes(os.fsdecode(path)))
        calls.memory.write(buf.contents, found)
        return 0

    def readdir_fuse_3(
        self, path: bytes | None, buf: Any, filler: Any, offset: int, info: Any, flags: int
    ) -> int:
        calls, path = self.operations, path or b""
        # Attributes are taken in listings only by a filler that is told where to go on.
        full = _FILL_WITH_ATTRIBUTES if flags & 1 else 0
        listed = calls.listed(info.contents.fh, path, again=not offset)
        one, above = calls.library.c_stat(), path.rstrip(b"/")
        pointer = ctypes.pointer(one)
        tell, write = calls.kernel.told, calls.memory.write
        for place in range(offset, len(listed)):
            name, found = listed[place]
            if place > 1:  # behind . and ..
                write(one, tell(b"%b/%b" % (above, name), found) if full else found)
            if filler(buf, name, pointer if place > 1 else None, place + 1, full):
                break
        return 0

    def open(self, path: bytes, info: Any) -> int:
        calls, file = self.operations, info.contents
        found = calls.do.attributes(os.fsdecode(path))
        changed = calls.kernel.has_changed(path, found)
        file.fh = number = calls.open(os.fsdecode(path), file.flags)
        opening = calls.kernel.opened(path, number, calls.do.content(number), found)
        # The kernel reads no further than it believes the file to reach: where another
        # process has saved a version meanwhile, it is told so first.
        direct = opening.direct or ((changed or opening.other) and not self._invalidate(path))
        file.keep_cache, file.direct_io = opening.keep and not direct, direct
        return 0

    def _invalidate(self, path: bytes) -> bool:
        """Have the kernel forget what it knows of a path; say whether that was possible.

        It waits for reads of the path that go on, which need threads: some stay free for them.
        """
        if not _forgetting.acquire(blocking=False):
            return False
        try:
            fuse = self.operations.library._libfuse
            context = fuse.fuse_get_context().contents
            fuse.fuse_invalidate_path(ctypes.c_void_p(context.fuse), path)
        finally:
            _forgetting.release()
        return True

    def read(self, _: bytes | None, buf: Any, size: int, offset: int, info: Any) -> int:
        # Right into the memory that libfuse sends: no copy between.
        done, place = 0, ctypes.addressof(buf.contents)

        def take(piece: bytes | memoryview) -> None:
            nonlocal done
            if piece:
                held = piece if isinstance(piece, bytes) else ctypes.c_char.from_buffer(piece)
                from_ = held if isinstance(held, bytes) else ctypes.addressof(held)
                ctypes.memmove(place + done, from_, len(piece))
                done += len(piece)

        number = info.contents.fh
        self.operations.do.read_pieces(number, offset, size, take)
        self.operations.kernel.was_read(number)
        return done

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        if flags & _EXCHANGE:
            raise OSError(errno.EINVAL, "names are not exchanged")
        self.operations.kernel.renamed(old, new)
        self.operations.do.rename(
            os.fsdecode(old), os.fsdecode(new), replace=not flags & _NO_REPLACE
        )
        return 0
