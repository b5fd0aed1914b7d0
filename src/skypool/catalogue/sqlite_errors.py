"""What SQLite's errors mean: damage, a full disk, another process, or what a handler raised."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import struct
from collections.abc import Iterator

from skypool.catalogue.checks import noticed_error, register, rotten_table
from skypool.catalogue.quotas import no_room_beside
from skypool.errors import (
    Damaged,
    DiskFull,
    Locked,
    ReadOnly,
    SkypoolError,
    StorageError,
    UsageError,
)

__all__ = ["WAIT_SECONDS", "explained"]

#: How long a connection waits for the lock of another process.
WAIT_SECONDS = 60.0
# A constraint fails, or a value is too big, only where the file is not what was written.
_CORRUPT = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_RANGE,
    }
)
_BROKEN = re.compile(
    "no such (table|column)|has no column|malformed|Could not decode|user-defined function raised"
)
# What SQLite says where a quota of the file system is used up, and where a disk fails.
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
# SQLite does not tell a quota, or a limit on open files, from a disk that fails.
_HINT = (
    "check the disk, its quota and its connection, and the limits on open files and on their"
    " sizes (ulimit -a)"
)
# What functions of ours raise for values that are not what was written.
_OF_VALUES = (
    SkypoolError,
    ArithmeticError,
    AssertionError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn errors of SQLite into those of skypool."""
    try:
        yield
    except UnicodeDecodeError:  # of a message that quotes what the file holds
        raise _damaged(path, "text in it is none") from None
    except OverflowError:
        raise UsageError(
            "a number is larger than any that a pool has: at most 9223372036854775807",
            hint="look at what was typed again",
        ) from None
    except sqlite3.DatabaseError as error:
        table = rotten_table()
        if table:
            raise _damaged(path, f"a row of the table {table} is not what was written") from None
        if "user-defined function raised" in str(error):
            stopped = _stopped(path)
            if stopped is not None:
                raise stopped from None
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Locked(
                f"the catalogue {path} is in use by another process, for {WAIT_SECONDS:.0f} s "
                "or longer",
                hint="wait for the other process, or stop it",
            ) from None
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull(
                f"no room left to write the catalogue {path}",
                hint="free some space there, then try again: the pool is as it was",
            ) from None
        if code == sqlite3.SQLITE_READONLY:
            raise ReadOnly(
                f"the catalogue {path} cannot be written to: {error}",
                hint="check the permissions of the folder and its file system",
            ) from None
        if code in _NO_ROOM and no_room_beside(path):
            raise DiskFull(
                f"no room left to write the catalogue {path}: a quota is used up",
                hint="free some space there; `skypool gc` and `skypool purge` work all the same",
            ) from None
        if code in _CORRUPT or (code == sqlite3.SQLITE_ERROR and _BROKEN.search(str(error))):
            raise _damaged(path, str(error)) from None
        raise StorageError(f"the catalogue {path} cannot be used: {error}", hint=_HINT) from None


def _stopped(path: str) -> BaseException | None:
    """Return what a handler of a signal raised within a question; None for damage."""
    error = noticed_error()
    if error is not None:
        return None if isinstance(error, _OF_VALUES) else error
    # Nothing was noticed: the function was not begun, since one of its values is no text; or
    # the handler ran before its first line, which is where most signals arrive. What that
    # raised is lost; the handler of Ctrl-C raises this.
    return None if _has_broken_text(path) else KeyboardInterrupt()


def _has_broken_text(path: str) -> bool:
    """Read everything: only after an error that may be damage."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            register(connection)
            tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
            for (table,) in connection.execute(tables).fetchall():
                for _ in connection.execute(f'SELECT * FROM "{table}"'):
                    pass
    except (sqlite3.Error, UnicodeDecodeError):
        return True
    return False


def _damaged(path: str, why: str) -> Damaged:
    return Damaged(
        f"the catalogue {path} is damaged ({why})",
        hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
    )
