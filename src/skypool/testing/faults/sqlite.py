"""SQLite's own calls of the system, made to fail by a VFS around its own one.

SQLite asks a VFS (sqlite.org/vfs.html) for all that touches files. The one made here is a
copy of the default one that looks first whether a call is due.
"""

from __future__ import annotations

import _sqlite3
import atexit
import contextlib
import ctypes
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from typing import Any, ClassVar

from skypool.testing.faults.plan import Faults

__all__ = ["SQLITE_CALLS", "faulty_sqlite", "plain_vfs", "sqlite_is_reachable"]

_FULL, _CANTOPEN = 13, 14
_IO_ERRORS = {
    "sqlite.open": _CANTOPEN,
    "sqlite.read": 10 | 1 << 8,
    "sqlite.write": 10 | 3 << 8,
    "sqlite.sync": 10 | 4 << 8,
    "sqlite.truncate": 10 | 6 << 8,
    "sqlite.delete": 10 | 10 << 8,
    "sqlite.shm": 10 | 21 << 8,
}

#: The calls of SQLite that can be made to fail.
SQLITE_CALLS = frozenset(_IO_ERRORS)

_METHODS = (
    *("close", "read", "write", "truncate", "sync", "file_size", "lock", "unlock"),
    *("check_reserved_lock", "file_control", "sector_size", "characteristics"),
    *("shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch"),
)
_FUNCTIONS = (
    *("open", "delete", "access", "full_pathname", "dl_open", "dl_error", "dl_sym", "dl_close"),
    *("randomness", "sleep", "current_time", "get_last_error", "current_time_int64"),
    *("set_system_call", "get_system_call", "next_system_call"),
)


class _IoMethods(ctypes.Structure):
    _fields_: ClassVar[Any] = [("version", c_int), *((name, c_void_p) for name in _METHODS)]


class _File(ctypes.Structure):
    _fields_: ClassVar[Any] = [("methods", POINTER(_IoMethods))]


class _Vfs(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("version", c_int),
        ("file_size", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        *((name, c_void_p) for name in _FUNCTIONS),
    ]


_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(_File), c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_OF_FILES = {
    "read": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64),
    "write": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64),
    "truncate": CFUNCTYPE(c_int, c_void_p, c_int64),
    "sync": CFUNCTYPE(c_int, c_void_p, c_int),
    "shm_map": CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, c_void_p),
}


class _Shim:
    """The VFS; it lives as long as the process, since connections keep it."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_sqlite3.__file__)
        self._find = library.sqlite3_vfs_find
        self._find.restype = c_void_p
        self._register = library.sqlite3_vfs_register
        self._register.argtypes = [c_void_p, c_int]
        self.faults: Faults | None = None
        self._watched: dict[int, bytes | bool] = {}
        self._kept: list[Any] = []
        self._tables: dict[int, _IoMethods] = {}
        self._plain = self._find(None)
        self._own = _Vfs.from_buffer_copy(_Vfs.from_address(self._plain))
        self._own.name = b"skypool-faults"
        self._real_open = _OPEN(self._own.open)
        self._real_delete = _DELETE(self._own.delete)
        self._own.open = self._keep(_OPEN(self._open))
        self._own.delete = self._keep(_DELETE(self._delete))
        # Connections that are open when Python ends close without it.
        atexit.register(self._retire)

    def _retire(self) -> None:
        for plain, table in self._tables.items():
            ctypes.memmove(ctypes.addressof(table), plain, ctypes.sizeof(table))

    def _keep(self, made: Any) -> int | None:
        self._kept.append(made)
        return ctypes.cast(made, c_void_p).value

    def use(self, wanted: bool) -> None:
        """Make it the VFS of new connections, or the plain one again."""
        self._register(ctypes.addressof(self._own) if wanted else self._plain, 1)

    def _fails(self, call: str) -> int:
        faults = self.faults
        if faults is None or not faults.due(call):
            return 0
        return _FULL if (faults.error, call) == ("ENOSPC", "sqlite.write") else _IO_ERRORS[call]

    def _open(self, vfs: int, name: int | None, file: Any, flags: int, out: int) -> int:
        faults = self.faults
        # Files without a name are for temporary tables and sorting.
        path = ctypes.string_at(name) if name else None
        watched = faults is not None and (path is None or faults.concerns(path))
        code = self._fails("sqlite.open") if watched else 0
        if code:
            file.contents.methods = None
            return code
        done: int = self._real_open(vfs, name, file, flags, out)
        if done == 0 and file.contents.methods:
            file.contents.methods = ctypes.pointer(self._table(file.contents.methods))
            self._watched[ctypes.addressof(file.contents)] = path is None or path
        return done

    def _delete(self, vfs: int, name: bytes, sync: int) -> int:
        if self.faults is not None and self.faults.concerns(name):
            code = self._fails("sqlite.delete")
            if code:
                return code
        return int(self._real_delete(vfs, name, sync))

    def _table(self, plain: Any) -> _IoMethods:
        address = ctypes.addressof(plain.contents)
        if address not in self._tables:
            table = _IoMethods.from_buffer_copy(plain.contents)
            for name, kind in _OF_FILES.items():
                real = getattr(table, name)
                if real:
                    setattr(table, name, self._keep(kind(self._failing(name, kind(real)))))
            self._tables[address] = table
        return self._tables[address]

    def _failing(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        call = "sqlite.shm" if name == "shm_map" else f"sqlite.{name}"

        def made(file: int, *args: Any) -> int:
            faults, path = self.faults, self._watched.get(file)
            if faults is not None and (path is True or faults.concerns(path)):
                code = self._fails(call)
                if code:
                    return code
            return real(file, *args)

        return made


_shim: _Shim | None = None


def plain_vfs() -> tuple[int, Any]:
    """Return the address of SQLite's own VFS, and what is there."""
    find = ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find
    find.restype = c_void_p
    address = int(find(None))
    return address, _Vfs.from_address(address)


def sqlite_is_reachable() -> bool:
    """Return whether the library of SQLite that Python uses shows its functions."""
    try:
        return bool(ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find)
    except (AttributeError, OSError):
        return False


@contextlib.contextmanager
def faulty_sqlite(faults: Faults) -> Iterator[None]:
    """Let SQLite's calls fail on connections that are opened in a `with` block.

    That works where `sqlite_is_reachable`.
    """
    global _shim
    if _shim is None:
        _shim = _Shim()
    _shim.faults = faults
    _shim.use(True)
    try:
        yield
    finally:
        _shim.use(False)
        _shim.faults = None
