"""Quotas of the file system, of which SQLite only says that writing failed."""

from __future__ import annotations

import errno
import os
import tempfile

__all__ = ["no_room_beside"]

# As much as one change of the catalogue may take.
_TRIED = 256 << 10
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def no_room_beside(path: str) -> bool:
    """Try out, after an error, whether there is room for more beside a file."""
    try:
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path))) as file:
            os.posix_fallocate(file.fileno(), 0, _TRIED)
    except OSError as error:
        return error.errno in _NO_ROOM
    return False
