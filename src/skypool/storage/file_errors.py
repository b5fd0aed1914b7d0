"""Errors of the system as those of skypool, with the path and what to do."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from skypool.errors import DiskFull, ReadOnly, StorageError

__all__ = ["explained"]

# EFBIG is what a limit on file sizes gives, EDQUOT a quota: no room, both of them.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class explained:  # noqa: N801 - used as the functions of contextlib are
    """Turn errors of the system into those of skypool; files missing or there pass.

    A class, since there are several of them for each small file.

    Parameters
    ----------
    doing, path
        What is done to which file.
    """

    __slots__ = ("_doing", "_path")

    def __init__(self, doing: str, path: str) -> None:
        self._doing = doing
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, OSError) and not isinstance(
            error, FileNotFoundError | FileExistsError
        ):
            _refuse(error, self._doing, self._path)


def _refuse(error: OSError, doing: str, path: str) -> NoReturn:
    what = f"cannot {doing} {path}: {os.strerror(error.errno) if error.errno else error}"
    if error.errno in _FULL:
        raise DiskFull(
            what, hint="free some space there, or raise the quota, then try again"
        ) from error
    if error.errno in _REFUSED:
        raise ReadOnly(
            what, hint="check the permissions of the folder and its file system"
        ) from error
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise StorageError(what, hint="raise the limit on open files (ulimit -n)") from error
    raise StorageError(what, hint="check the disk and its connection") from error
