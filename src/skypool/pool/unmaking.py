"""Taking back a new pool that was made for what is then refused."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from skypool.errors import Conflict, Damaged, NotFound, QuotaExceeded, SkypoolError, UsageError
from skypool.pool.folder import MARKER, PoolFolder
from skypool.storage.commit_log import START
from skypool.storage.filelayer import FileLayer

__all__ = ["taken_back_where_refused"]

# What a second try meets again; after other errors it goes on with what has come.
_REFUSALS = (Damaged, NotFound, Conflict, UsageError, QuotaExceeded)


@contextlib.contextmanager
def taken_back_where_refused(path: str, files: FileLayer) -> Iterator[None]:
    """Remove a pool that was not there before, and in which nothing is committed, on a refusal.

    Parameters
    ----------
    path
        Its folder.
    files
        The file layer.
    """
    was = os.path.lexists(path)
    try:
        yield
    except _REFUSALS:
        if not was:
            with contextlib.suppress(SkypoolError, OSError):
                _remove(path, files)
        raise


def _remove(path: str, files: FileLayer) -> None:
    folder = PoolFolder.open(path, files)
    with folder.lock(exclusive=True, wait=0):
        if folder.log.end() != START:
            return
        # Without a marker it is no pool: who has opened it meanwhile is refused, and loses nothing.
        files.unlink(os.path.join(path, MARKER))
    shutil.rmtree(path)
