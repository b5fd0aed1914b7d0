"""Check sums of rows: a value that changed in the file of the catalogue is noticed when read.

SQLite keeps none, and gives out whatever its file holds. The rows that say what is called how,
and what a version is, carry the CRC-32 of their values (docs/design/014-rot.md). Places of
chunks need none, since chunks are checked by their digests.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable
from typing import Any

__all__ = [
    "COMMIT",
    "CRC_OF_BARE",
    "CRC_OF_COMPLETED",
    "CRC_OF_DROPPED",
    "CRC_OF_FILLED",
    "CRC_OF_MOVED",
    "CRC_OF_NAME",
    "CRC_OF_PURGED",
    "CRC_OF_REMOVED",
    "CRC_OF_TAG",
    "CRC_OF_VERSION",
    "DOCUMENT",
    "DROPPED",
    "NAME",
    "REF",
    "TAG",
    "VERSION",
    "crc_of_row",
    "guarded",
    "noticed_error",
    "register",
    "rotten_table",
    "sure",
]


class _Noticed(threading.local):
    table: str = ""
    error: BaseException | None = None


_noticed = _Noticed()


class _RowDamaged(Exception):
    """Makes SQLite stop; it does not come out of it."""


def crc_of_row(*values: Any) -> int:
    """Return the check sum of the values of a row."""
    return zlib.crc32(ascii(values).encode())


def _checked(table: str, crc: int, *values: Any) -> int:
    try:
        if crc == zlib.crc32(ascii(values).encode()):
            return 1
    except BaseException as error:
        _noticed.error = error
        raise
    _noticed.table = table
    raise _RowDamaged(table)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a function raises that SQLite calls: SQLite itself only says that it did."""

    def called(*values: Any) -> Any:
        try:
            return function(*values)
        except BaseException as error:
            _noticed.error = error
            raise

    return called


def noticed_error() -> BaseException | None:
    """Return what a function raised that SQLite called in this thread, once.

    Returns
    -------
    BaseException or None
        None where it raised before its first line: a signal did it, or a value that is no value.
    """
    error, _noticed.error = _noticed.error, None
    return error


def register(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that the statements of the catalogue use."""
    connection.create_function("crc_of_row", -1, guarded(crc_of_row), deterministic=True)
    connection.create_function("checked", -1, _checked, deterministic=True)


def rotten_table() -> str:
    """Return the table of which this thread has just read a damaged row, once."""
    table, _noticed.table = _noticed.table, ""
    return table


def sure(check: str, value: str) -> str:
    """Return an expression for a value of a checked row.

    It belongs into the list of results: in a condition SQLite may put in what a column is
    compared with, and ask for rows that the rest of the condition rules out.
    """
    return f"CASE WHEN {check} THEN {value} END"


# Whether a row is what was written; the tables are called by these letters.
NAME = "checked('names', n.crc, n.track, n.name, n.since, n.until, n.removed)"
TAG = "checked('tags', t.crc, t.tag, t.urn, t.since, t.until)"
REF = "checked('refs', r.crc, r.parent, r.position, r.role, r.child, r.external)"
COMMIT = "checked('commits', c.crc, c.number, c.time_us, c.author, c.message, c.changes)"
DOCUMENT = "checked('documents', d.crc, d.digest, d.kind, d.type, d.size, d.file_hash, d.bare)"
DROPPED = "checked('dropped', x.crc, x.urn, x.pool, x.since, x.until, x.places)"
# Which document a version has is part of its check sum.
VERSION = (
    "checked('versions', v.crc, v.urn, v.track, v.version, d.digest, v.total, v.since, v.until,"
    f" v.origin, v.children, v.purged) AND {DOCUMENT}"
)

# For statements that end the range of a row: its check sum with the new end, `?1`.
_DIGEST = "(SELECT digest FROM documents WHERE id = document)"
_VERSION = (
    f"checked('versions', crc, urn, track, version, {_DIGEST}, total, since, until, origin,"
    " children, purged)"
)
CRC_OF_VERSION = sure(
    _VERSION,
    f"crc_of_row(urn, track, version, {_DIGEST}, total, since, ?1, origin, children, purged)",
)
CRC_OF_PURGED = sure(
    _VERSION,
    f"crc_of_row(urn, track, version, {_DIGEST}, total, since, until, origin, children, ?1)",
)
# With the document of the digest `?1`.
CRC_OF_COMPLETED = sure(
    _VERSION,
    "crc_of_row(urn, track, version, ?1, total, since, until, origin, children, purged)",
)
_DOCUMENT = "checked('documents', crc, digest, kind, type, size, file_hash, bare)"
CRC_OF_BARE = sure(_DOCUMENT, "crc_of_row(digest, kind, type, size, NULL, 1)")
# With its file's digest again, `?1`.
CRC_OF_FILLED = sure(_DOCUMENT, "crc_of_row(digest, kind, type, size, ?1, 0)")
_NAME = "checked('names', crc, track, name, since, until, removed)"
CRC_OF_NAME = sure(_NAME, "crc_of_row(track, name, since, ?1, removed)")
CRC_OF_REMOVED = sure(_NAME, "crc_of_row(track, name, since, ?1, 1)")
CRC_OF_DROPPED = sure(
    "checked('dropped', crc, urn, pool, since, until, places)",
    "crc_of_row(urn, pool, since, ?1, places)",
)
# At other places, `?1`.
CRC_OF_MOVED = sure(
    "checked('dropped', crc, urn, pool, since, until, places)",
    "crc_of_row(urn, pool, since, until, ?1)",
)
CRC_OF_TAG = sure("checked('tags', crc, tag, urn, since, until)", "crc_of_row(tag, urn, since, ?1)")
