"""Looking at files and folders: what is there, and what only cannot be seen."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from functools import lru_cache

from skypool.storage.file_errors import explained

__all__ = [
    "absolute",
    "absolute_of",
    "is_file",
    "list_folder",
    "size_of",
    "status_of",
    "status_of_entry",
]

# There can be no file of such a name.
_NOTHING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def absolute(path: str) -> str:
    """Return a path from the root, as `os.path.abspath` does; quickly for many of one folder."""
    return absolute_of((path,))[0]


def absolute_of(paths: Iterable[str]) -> list[str]:
    """Return paths from the root; the system is asked once where the current folder is."""
    here: str | None = None
    found = []
    for path in paths:
        if here is None and path[:1] != "/":
            here = os.getcwd()  # noqa: PTH109 - as text, for each of many
        found.append(_from(here or "", path))
    return found


def _from(here: str, path: str) -> str:
    folder, slash, name = path.rpartition("/")
    if not slash or name in ("", ".", ".."):
        return os.path.abspath(path)
    above = _absolute(folder or "/", "" if path[0] == "/" else here)
    if above == folder:
        return path
    return f"{above}{name}" if above[-1] == "/" else f"{above}/{name}"


@lru_cache(maxsize=16)
def _absolute(folder: str, here: str) -> str:
    return os.path.normpath(os.path.join(here, folder))


def status_of(path: str) -> os.stat_result | None:
    """Return what the system says of a file; None if there is none.

    A file that cannot be looked at is an error, not a missing one (`os.path.exists` makes no
    difference): what is missing may be made anew.

    Raises
    ------
    StorageError
        If it cannot be told.
    """
    with explained("look at", path):
        try:
            return os.stat(path)
        except OSError as error:
            if error.errno not in _NOTHING:
                raise
        except ValueError:  # a null character
            pass
        return None


def is_file(path: str) -> bool:
    """Return whether there is a regular file."""
    found = status_of(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def size_of(path: str) -> int | None:
    """Return the bytes of a file; None if there is none."""
    found = status_of(path)
    return None if found is None else found.st_size


def status_of_entry(entry: os.DirEntry[str]) -> os.stat_result:
    """Return what the system says of what a folder lists.

    Raises
    ------
    FileNotFoundError
        If it is not there any more.
    StorageError
        If it cannot be told.
    """
    with explained("look at", entry.path):
        return entry.stat()


def list_folder(path: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder, in no order.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    StorageError
        If it cannot be read.
    """
    with explained("read the folder", path), os.scandir(path) as entries:
        return list(entries)
