"""The lower half of libfuse 3, by ctypes: files by numbers, not by paths.

mfusepy finds the library and knows the structures of each system and version; what it calls is
the upper half, to which a path is one file whatever version it has. See
`include/fuse_lowlevel.h` of libfuse for all names here.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["LibFuse", "SessionFailed"]

_INT, _UINT, _SIZE = ctypes.c_int, ctypes.c_uint32, ctypes.c_size_t
_NUMBER, _OFFSET = ctypes.c_uint64, ctypes.c_int64
_TEXT, _PLACE = ctypes.c_char_p, ctypes.c_void_p
# libfuse before 3.12 knows only how many threads stay idle.
_MINOR_OF_THREADS: Final = 12

# The operations in the order of struct fuse_lowlevel_ops: what follows the request. `f` is an
# open file, `s` attributes; those without arguments here are not done.
_OPERATIONS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("init", ()),
    ("destroy", ()),
    ("lookup", (_NUMBER, _TEXT)),
    ("forget", (_NUMBER, _NUMBER)),
    ("getattr", (_NUMBER, "f")),
    ("setattr", (_NUMBER, "s", _INT, "f")),
    ("readlink", ()),
    ("mknod", (_NUMBER, _TEXT, _UINT, _NUMBER)),
    ("mkdir", (_NUMBER, _TEXT, _UINT)),
    ("unlink", (_NUMBER, _TEXT)),
    ("rmdir", (_NUMBER, _TEXT)),
    ("symlink", (_TEXT, _NUMBER, _TEXT)),
    ("rename", (_NUMBER, _TEXT, _NUMBER, _TEXT, _UINT)),
    ("link", (_NUMBER, _NUMBER, _TEXT)),
    ("open", (_NUMBER, "f")),
    ("read", (_NUMBER, _SIZE, _OFFSET, "f")),
    ("write", (_NUMBER, _PLACE, _SIZE, _OFFSET, "f")),
    ("flush", (_NUMBER, "f")),
    ("release", (_NUMBER, "f")),
    ("fsync", (_NUMBER, _INT, "f")),
    ("opendir", (_NUMBER, "f")),
    ("readdir", (_NUMBER, _SIZE, _OFFSET, "f")),
    ("releasedir", (_NUMBER, "f")),
    ("fsyncdir", ()),
    ("statfs", (_NUMBER,)),
    ("setxattr", ()),
    ("getxattr", (_NUMBER, _TEXT, _SIZE)),
    ("listxattr", (_NUMBER, _SIZE)),
    ("removexattr", ()),
    ("access", ()),
    ("create", (_NUMBER, _TEXT, _UINT, "f")),
    ("getlk", ()),
    ("setlk", ()),
    ("bmap", ()),
    ("ioctl", ()),
    ("poll", ()),
    ("write_buf", ()),
    ("retrieve_reply", ()),
    ("forget_multi", (_SIZE, _PLACE)),
    ("flock", ()),
    ("fallocate", ()),
    ("readdirplus", (_NUMBER, _SIZE, _OFFSET, "f")),
)


class SessionFailed(Exception):
    """It cannot be mounted; libfuse has written why to standard error."""


class _Arguments(ctypes.Structure):
    _fields_ = (("count", _INT), ("values", ctypes.POINTER(_TEXT)), ("allocated", _INT))


class _Context(ctypes.Structure):
    _fields_ = (("uid", _UINT), ("gid", _UINT), ("pid", ctypes.c_int32), ("umask", _UINT))


class _OldLoop(ctypes.Structure):
    _fields_ = (("clone_fd", _INT), ("max_idle_threads", ctypes.c_uint))


class _Forgotten(ctypes.Structure):
    _fields_ = (("number", _NUMBER), ("times", _NUMBER))


class LibFuse:
    """libfuse: its structures, the replies to requests, and the loop that takes requests.

    Parameters
    ----------
    module
        mfusepy.
    """

    def __init__(self, module: Any) -> None:
        self.stat = module.c_stat
        self.statvfs = module.c_statvfs
        self.file_info = module.fuse_file_info
        self._minor = module.fuse_version_minor
        library = module._libfuse
        # What only fills memory keeps the interpreter; what writes to the device gives it away.
        quick = ctypes.PyDLL(library._name)

        class Entry(ctypes.Structure):  # struct fuse_entry_param
            _fields_ = (
                ("number", _NUMBER),
                ("generation", _NUMBER),
                ("attributes", self.stat),
                ("attributes_for", ctypes.c_double),
                ("name_for", ctypes.c_double),
            )

        self.entry = Entry
        entry, file, stat = (ctypes.POINTER(each) for each in (Entry, self.file_info, self.stat))

        def found(name: str, result: Any, *arguments: Any, source: Any = library) -> Any:
            function = getattr(source, f"fuse_{name}")
            function.restype, function.argtypes = result, arguments
            return function

        #: Answers of requests: they return a negative number if nobody waits for them any more.
        self.reply_error = found("reply_err", _INT, _PLACE, _INT)
        self.reply_none = found("reply_none", None, _PLACE)
        self.reply_entry = found("reply_entry", _INT, _PLACE, entry)
        self.reply_create = found("reply_create", _INT, _PLACE, entry, file)
        self.reply_attributes = found("reply_attr", _INT, _PLACE, stat, ctypes.c_double)
        self.reply_open = found("reply_open", _INT, _PLACE, file)
        self.reply_write = found("reply_write", _INT, _PLACE, _SIZE)
        self.reply_bytes = found("reply_buf", _INT, _PLACE, _PLACE, _SIZE)
        self.reply_space = found("reply_statfs", _INT, _PLACE, ctypes.POINTER(self.statvfs))
        self.reply_size = found("reply_xattr", _INT, _PLACE, _SIZE)
        context = ctypes.POINTER(_Context)
        self._context = found("req_ctx", context, _PLACE, source=quick)
        self.add_name = found(
            "add_direntry", _SIZE, _PLACE, _PLACE, _SIZE, _TEXT, stat, _OFFSET, source=quick
        )
        self.add_entry = found(
            "add_direntry_plus", _SIZE, _PLACE, _PLACE, _SIZE, _TEXT, entry, _OFFSET, source=quick
        )
        arguments = ctypes.POINTER(_Arguments)
        self._new = found("session_new", _PLACE, arguments, _PLACE, _SIZE, _PLACE)
        self._mount = found("session_mount", _INT, _PLACE, _TEXT)
        self._unmount = found("session_unmount", None, _PLACE)
        self._destroy = found("session_destroy", None, _PLACE)
        self._loop = found("session_loop_mt", _INT, _PLACE, _PLACE)
        self._set_signals = found("set_signal_handlers", _INT, _PLACE)
        self._remove_signals = found("remove_signal_handlers", None, _PLACE)
        self._found = found

    def process_of(self, request: int) -> int:
        """Return the process, or the thread of one, that asks."""
        return int(self._context(request).contents.pid)

    @staticmethod
    def forgotten(place: int, count: int) -> list[tuple[int, int]]:
        """Return which files are forgotten, and how many times, of a list of libfuse."""
        array = (_Forgotten * count).from_address(place)
        return [(each.number, each.times) for each in array]

    def serve(
        self,
        operations: Mapping[str, Callable[..., object]],
        ready: Callable[[], object],
        folder: str,
        options: Sequence[str],
        threads: int,
    ) -> None:
        """Mount, and take requests until it is unmounted or a signal ends it.

        Parameters
        ----------
        operations
            What answers requests, by names of `fuse_lowlevel_ops`.
        ready
            Called when it is mounted.
        folder
            Where.
        options
            Of `mount`.
        threads
            How many answer requests.

        Raises
        ------
        SessionFailed
            If it cannot be mounted.
        """
        table, kept = self._table(operations, ready)
        words = [b"skypool", b"-o", ",".join(options).encode("utf-8", "surrogateescape")]
        arguments = _Arguments(len(words), (_TEXT * len(words))(*words), 0)
        session = self._new(
            ctypes.byref(arguments), ctypes.byref(table), ctypes.sizeof(table), None
        )
        if not session:
            raise SessionFailed("no session")
        before = _default_interrupt()
        try:
            self._set_signals(session)
            if self._mount(session, folder.encode("utf-8", "surrogateescape")):
                raise SessionFailed(folder)
            self._loop(session, self._threads(threads))
            self._unmount(session)
        finally:
            self._remove_signals(session)
            self._destroy(session)
            if before is not None:
                signal.signal(signal.SIGINT, before)
            del kept

    def _threads(self, count: int) -> Any:
        """Return the configuration of the loop: threads that stay."""
        if self._minor < _MINOR_OF_THREADS:
            return ctypes.byref(_OldLoop(0, count))
        config = self._found("loop_cfg_create", _PLACE)()
        for name in ("loop_cfg_set_max_threads", "loop_cfg_set_idle_threads"):
            self._found(name, None, _PLACE, ctypes.c_uint)(config, count)
        return config

    def _table(
        self, operations: Mapping[str, Callable[..., object]], ready: Callable[[], object]
    ) -> tuple[Any, list[Any]]:
        """Return struct fuse_lowlevel_ops, and what has to live as long as it."""
        pointers = {"f": ctypes.POINTER(self.file_info), "s": ctypes.POINTER(self.stat)}
        started = ctypes.CFUNCTYPE(None, _PLACE, _PLACE)(lambda *_: ready())
        kept: list[Any] = [started]
        table = (_PLACE * len(_OPERATIONS))()
        table[0] = ctypes.cast(started, _PLACE)
        for place, (name, arguments) in enumerate(_OPERATIONS):
            if name in operations:
                types = [pointers[each] if isinstance(each, str) else each for each in arguments]
                callback = ctypes.CFUNCTYPE(None, _PLACE, *types)(operations[name])
                kept.append(callback)
                table[place] = ctypes.cast(callback, _PLACE)
        return table, kept


def _default_interrupt() -> Any:
    """Let libfuse have Ctrl-C: Python's own handler would wait for the loop to end."""
    try:
        return signal.signal(signal.SIGINT, signal.SIG_DFL)
    except ValueError:  # another thread than the first one
        return None
