"""The calls of the system that files are read and written with.

They stand in one place so that tests can count them and have any of them fail
(`skypool.testing.faults`).
"""

from __future__ import annotations

import fcntl
import os
import sys

__all__ = ["SystemCalls"]


def _sync_data(fd: int) -> None:
    if sys.platform == "darwin":
        # There, fsync leaves the bytes in the cache of the drive.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


class SystemCalls:
    """What `LocalFiles` calls; each is the function of `os` of the same name."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    fstat = staticmethod(os.fstat)
    pread = staticmethod(os.pread)
    pwritev = staticmethod(os.pwritev)
    ftruncate = staticmethod(os.ftruncate)
    fdatasync = staticmethod(_sync_data)
    fsync = staticmethod(os.fsync)
    mkdir = staticmethod(os.mkdir)
    link = staticmethod(os.link)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    flock = staticmethod(fcntl.flock)
    fchmod = staticmethod(os.fchmod)
    chmod = staticmethod(os.chmod)
