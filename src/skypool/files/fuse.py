"""Mounting: libfuse takes requests from the kernel, and the operations on a pool answer them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import MissingDependency
from skypool.files.fuse_files import FileCalls, take_request
from skypool.files.libfuse import LibFuse

if TYPE_CHECKING:
    from skypool.files.operations import Operations

__all__ = ["load_library", "run"]

_HINT: Final = (
    "install FUSE 3 (Debian: apt install fuse3) and pip install 'skypool[mount]'; without FUSE, "
    "`skypool serve --webdav` gives the same folders to file explorers"
)
_ANSWERED: Final = (
    "lookup", "forget", "forget_multi", "getattr", "setattr", "mkdir", "rmdir", "unlink",
    "rename", "symlink", "link", "mknod", "open", "create", "read", "write", "flush", "release",
    "fsync", "opendir", "readdir", "readdirplus", "releasedir", "statfs", "getxattr", "listxattr",
)  # fmt: skip


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


def run(
    operations: Operations,
    folder: str,
    options: Sequence[str],
    threads: int,
    ready: Callable[[], object],
) -> None:
    """Mount a pool, and return when it is unmounted.

    Parameters
    ----------
    operations
        What is mounted.
    folder
        Where.
    options
        Of `mount`.
    threads
        How many answer requests.
    ready
        Called when it is mounted.

    Raises
    ------
    SessionFailed
        If it cannot be mounted; libfuse has written why to standard error.
    """
    library = LibFuse(load_library())
    calls = FileCalls(operations, library)
    answering = {name: _answering(calls, name) for name in _ANSWERED}
    library.serve(answering, ready, folder, options, threads)


def _answering(calls: FileCalls, name: str) -> Callable[..., None]:
    """Return what answers a request, whatever happens, and once."""
    method = getattr(calls, name)
    refuse = calls.library.reply_error
    tell = calls.do.tell

    def answered(request: int, *arguments: Any) -> None:
        take_request(request)
        undo: Callable[[], object] | None = None
        try:
            reply, values, *more = method(*arguments)
            undo = more[0] if more else None
        except OSError as error:
            reply, values = refuse, (error.errno or errno.EIO,)
        except BaseException as error:  # noqa: BLE001 (nobody may wait for ever)
            tell(f"{name}: {type(error).__name__}: {error}")
            reply, values = refuse, (errno.EIO,)
        if (reply(request, *values) or 0) < 0 and undo is not None:
            undo()

    return answered
