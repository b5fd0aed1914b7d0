"""Recording what SQLite writes, by a layer below it: its own interface to the system (VFS).

The library that Python's `sqlite3` uses is asked, through `ctypes`, for its default VFS; a
copy is put in its place whose functions for writing, cutting, syncing and removing note what
they did. Files of connections opened meanwhile are followed until they are closed.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from typing import TYPE_CHECKING, Any

from skypool.testing.crash.trace import Do, Step

if TYPE_CHECKING:
    from skypool.testing.crash.recording import Tape

__all__ = ["SqliteTracer", "can_trace"]

_OK = 0
_CREATE, _MAIN, _JOURNAL, _SUPER, _WAL = 0x4, 0x100, 0x800, 0x4000, 0x80000

_METHODS = [
    "xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock", "xUnlock",
    "xCheckReservedLock", "xFileControl", "xSectorSize", "xDeviceCharacteristics", "xShmMap",
    "xShmLock", "xShmBarrier", "xShmUnmap", "xFetch", "xUnfetch",
]  # fmt: skip
_CALLS = [
    "xOpen", "xDelete", "xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose",
    "xRandomness", "xSleep", "xCurrentTime", "xGetLastError", "xCurrentTimeInt64", "xSetSystemCall",
    "xGetSystemCall", "xNextSystemCall",
]  # fmt: skip


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = [("iVersion", c_int), *((name, c_void_p) for name in _METHODS)]


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`."""

    _fields_ = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *((name, c_void_p) for name in _CALLS),
    ]


_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_Close = CFUNCTYPE(c_int, c_void_p)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)

# SQLite keeps pointers to these as long as a connection is open: they are never freed.
_kept: list[Any] = []


def _library() -> Any:
    """Return the SQLite library of this Python, None where its functions cannot be reached."""
    path = getattr(_sqlite3, "__file__", None)
    library = ctypes.CDLL(path)
    try:
        library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        library.sqlite3_vfs_find.argtypes = [c_char_p]
        library.sqlite3_libversion.restype = c_char_p
        for name in ("sqlite3_vfs_register", "sqlite3_vfs_unregister"):
            getattr(library, name).restype = c_int
        library.sqlite3_vfs_register.argtypes = [POINTER(_Vfs), c_int]
        library.sqlite3_vfs_unregister.argtypes = [POINTER(_Vfs)]
    except AttributeError:
        return None
    same = library.sqlite3_libversion().decode() == sqlite3.sqlite_version
    return library if same else None


def can_trace() -> bool:
    """Return whether SQLite's writes can be followed in this Python.

    They cannot where SQLite is linked into Python without its functions being visible.
    """
    return _library() is not None


class SqliteTracer:
    """Notes what SQLite does to files of a folder.

    Parameters
    ----------
    tape
        Takes the steps.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._library = _library()
        self._files: dict[int, tuple[str, int]] = {}  # by the address of SQLite's file object
        self._new_journals: set[int] = set()
        self._tables: dict[int, tuple[Any, _Methods]] = {}
        self._real: Any = None
        self._own: _Vfs | None = None

    def install(self) -> None:
        """Follow the connections that are opened from now on."""
        if self._library is None:
            raise RuntimeError("this Python hides the functions of its SQLite")
        self._real = self._library.sqlite3_vfs_find(None)
        own = _Vfs.from_buffer_copy(self._real.contents)
        own.zName = b"skypool-recorder-%x" % id(self)
        real = self._real.contents
        opens, deletes = _Open(real.xOpen), _Delete(real.xDelete)
        own.xOpen = self._keep(_Open(lambda *args: self._open(opens, *args)))
        own.xDelete = self._keep(_Delete(lambda *args: self._delete(deletes, *args)))
        self._own = own
        _kept.append(own)
        self._library.sqlite3_vfs_register(ctypes.byref(own), 1)

    def remove(self) -> None:
        """Give SQLite its own VFS back for connections opened from now on."""
        assert self._own is not None
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._own))
        self._library.sqlite3_vfs_register(self._real, 1)

    @staticmethod
    def _keep(function: Any) -> int:
        _kept.append(function)
        return ctypes.cast(function, c_void_p).value or 0

    # -- what SQLite calls

    def _open(
        self, call: Callable[..., int], vfs: int, name: int | None, file: int, flags: int, out: int
    ) -> int:
        path = self._path(name)
        if path is None:
            return call(vfs, name, file, flags, out)
        with self._tape.lock:
            before = os.path.exists(os.path.join(self._tape.root, path))
            result = call(vfs, name, file, flags, out)
            if result != _OK:
                return result
            number = self._tape.file(path) if before else self._tape.created(path)
            self._files[file] = (path, number)
            if flags & _MAIN:
                self._tape.pin(number, path)
            # What SQLite does on unix: the folder is synced with the first sync of these.
            if flags & _CREATE and flags & (_JOURNAL | _SUPER | _WAL):
                self._new_journals.add(file)
            methods = c_void_p.from_address(file)
            methods.value = ctypes.addressof(self._table(methods.value or 0))
        return result

    def _delete(self, call: Callable[..., int], vfs: int, name: int, sync: int) -> int:
        path = self._path(name)
        with self._tape.lock:
            result = call(vfs, name, sync)
            if path is not None and result == _OK:
                self._tape.note(Step(Do.UNLINK, path, self._tape.file(path)))
                if sync:
                    self._tape.note(Step(Do.SYNC_FOLDER, os.path.dirname(path)))
        return result

    def _table(self, address: int) -> _Methods:
        """Return the functions of a kind of files, with those replaced that are to be noted."""
        if address not in self._tables:
            real = _Methods.from_address(address)
            table = _Methods.from_buffer_copy(real)
            close, write = _Close(real.xClose), _Write(real.xWrite)
            cut, sync = _Truncate(real.xTruncate), _Sync(real.xSync)
            table.xClose = self._keep(_Close(lambda file: self._close(close, file)))
            table.xWrite = self._keep(_Write(lambda *args: self._write(write, *args)))
            table.xTruncate = self._keep(_Truncate(lambda *args: self._truncate(cut, *args)))
            table.xSync = self._keep(_Sync(lambda *args: self._sync(sync, *args)))
            _kept.append(table)
            self._tables[address] = (real, table)
        return self._tables[address][1]

    def _close(self, call: Callable[..., int], file: int) -> int:
        with self._tape.lock:
            self._files.pop(file, None)
            self._new_journals.discard(file)
            return call(file)

    def _write(
        self, call: Callable[..., int], file: int, data: int, length: int, offset: int
    ) -> int:
        with self._tape.lock:
            result = call(file, data, length, offset)
            if result == _OK:
                path, number = self._files[file]
                written = ctypes.string_at(data, length)
                self._tape.note(Step(Do.WRITE, path, number, "", offset, written))
        return result

    def _truncate(self, call: Callable[..., int], file: int, size: int) -> int:
        with self._tape.lock:
            result = call(file, size)
            if result == _OK:
                path, number = self._files[file]
                self._tape.note(Step(Do.TRUNCATE, path, number, "", size))
        return result

    def _sync(self, call: Callable[..., int], file: int, flags: int) -> int:
        with self._tape.lock:
            result = call(file, flags)
            if result == _OK:
                path, number = self._files[file]
                self._tape.note(Step(Do.SYNC, path, number))
                if file in self._new_journals:
                    self._new_journals.discard(file)
                    self._tape.note(Step(Do.SYNC_FOLDER, os.path.dirname(path)))
                if path.endswith("-wal"):
                    self._tape.shared(f"{path.removesuffix('-wal')}-shm")
        return result

    def _path(self, name: int | None) -> str | None:
        if not name:
            return None
        return self._tape.relative(os.fsdecode(ctypes.string_at(name)))
