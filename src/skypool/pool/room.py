"""Room on the disk: a reserve with which space is given back even where none is left.

Giving back space takes some: SQLite writes ahead what it changes, and the log gets a record. So
a pool keeps a small file that means nothing (docs/format/pool.md); on a full disk `gc`, `purge`
and the like remove it first, and `gc` makes it again at its end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skypool.errors import DiskFull, StorageError

if TYPE_CHECKING:
    from skypool.pool.folder import PoolFolder
    from skypool.storage.filelayer import FileLayer

__all__ = [
    "RESERVE",
    "at_once",
    "free_bytes",
    "is_full",
    "make_reserve",
    "no_room",
    "spend_reserve",
    "tight",
]

RESERVE = "reserve"
_RESERVE_BYTES = 512 << 10
_MOST_RESERVE = 32 << 20
# Less than this is as good as nothing: one change of the catalogue may take as much.
_NO_ROOM = 256 << 10
_PLENTY = 512 << 20
_ROW_BYTES = 64 << 10
_FEWEST = 8
_HINT = "free some space there; `skypool gc` and `skypool purge` work on a full disk too"


# Pools that were found to have no room although their disk shows some: a quota is used up.
_tight: set[str] = set()


@contextlib.contextmanager
def tight(path: str) -> Iterator[None]:
    """Take a disk for full in a `with` block, whatever it shows."""
    _tight.add(path)
    try:
        yield
    finally:
        _tight.discard(path)


def free_bytes(path: str) -> int:
    """Return the bytes that this user may still write on the disk of a path."""
    if path in _tight:
        return _RESERVE_BYTES
    try:
        found = os.statvfs(path)
    except OSError:
        return 1 << 62
    return found.f_bavail * found.f_frsize


def is_full(path: str) -> bool:
    """Return whether a disk has no room for a change of a catalogue."""
    return free_bytes(path) < _NO_ROOM


def at_once(path: str, most: int) -> int:
    """Return how many rows of a catalogue are changed at once: fewer where there is little room.

    In the worst case each row is in some pages of its own, which SQLite writes ahead.
    """
    free = free_bytes(path)
    return most if free > _PLENTY else max(_FEWEST, min(most, free // _ROW_BYTES))


def no_room(path: str) -> DiskFull:
    """Return the error that says so."""
    return DiskFull(f"there is no room left on the disk of {path}", hint=_HINT)


def make_reserve(files: FileLayer, path: str, stored: int = 0) -> None:
    """Make the reserve of a pool, or a larger one, if there is much more room than it takes.

    Parameters
    ----------
    files
        The file layer.
    path
        The pool's folder.
    stored
        Bytes of its packs.
    """
    size = max(_RESERVE_BYTES, min(_MOST_RESERVE, stored // 128))
    reserve = os.path.join(path, RESERVE)
    with contextlib.suppress(StorageError, OSError):
        there = os.path.getsize(reserve) if os.path.exists(reserve) else 0
        if 2 * there >= size or free_bytes(path) < 4 * size:
            return
        files.unlink(reserve)
        handle = files.create_exclusive(reserve)
        try:
            # Real bytes: a hole would reserve nothing. They need not survive a crash.
            for start in range(0, size, _RESERVE_BYTES):
                files.write(handle, start, [bytes(_RESERVE_BYTES)])
        except StorageError:
            files.unlink(reserve)
        finally:
            files.close(handle)


def spend_reserve(folder: PoolFolder) -> bool:
    """Remove the reserve; return whether there was one."""
    reserve = os.path.join(folder.path, RESERVE)
    there = os.path.exists(reserve)
    if there:
        with contextlib.suppress(StorageError):
            folder.files.unlink(reserve)
    return there
