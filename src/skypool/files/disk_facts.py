"""Facts about a disk, found by trying."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
import uuid
from dataclasses import dataclass

from skypool.errors import DiskFull, SkypoolError
from skypool.storage.filelayer import FileLayer, LocalFiles
from skypool.storage.mounts import file_system, is_network

__all__ = ["DiskFacts", "disk_facts"]

_SYNCS = 5


@dataclass(slots=True)
class DiskFacts:
    """What the file system of a place is like; None where it was not tried.

    Attributes
    ----------
    folder : str
        Where it was looked at: the nearest folder that is there.
    type : str
        As the system names it.
    network : bool
        Whether other machines may have it mounted too.
    free_bytes, total_bytes, free_inodes : int
        For this user; inodes are -1 where the file system does not count them.
    writable : bool
        Whether this user may make files there.
    full : bool
        Whether there was no room for the small file.
    sync_ms : float or None
        Middle of five syncs of 4 kB.
    locks : bool or None
        Whether a lock keeps another one out.
    stable_inodes : bool or None
        Whether a file has the same number when it is looked at again.
    case_sensitive : bool or None
    skew_s : float or None
        By how much its clock is ahead of this machine's.
    """

    folder: str
    type: str
    network: bool
    free_bytes: int
    total_bytes: int
    free_inodes: int
    writable: bool
    full: bool = False
    sync_ms: float | None = None
    locks: bool | None = None
    stable_inodes: bool | None = None
    case_sensitive: bool | None = None
    skew_s: float | None = None


def disk_facts(place: str, files: FileLayer | None = None) -> DiskFacts:
    """Look at the file system of a place, by a small file that is removed again.

    Parameters
    ----------
    place
        A folder; it need not be there.
    files
        What writes and locks; by default the system's.
    """
    folder = os.path.abspath(place)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    room = os.statvfs(folder)
    found = DiskFacts(
        folder=folder,
        type=file_system(folder),
        network=is_network(folder),
        free_bytes=room.f_bavail * room.f_frsize,
        total_bytes=room.f_blocks * room.f_frsize,
        free_inodes=room.f_favail if room.f_files else -1,
        writable=os.access(folder, os.W_OK | os.X_OK),
    )
    if found.writable:
        try:
            _try(found, files or LocalFiles())
        except DiskFull:
            found.full = True
        except (SkypoolError, OSError):  # such as below /proc, where all may write and nobody can
            found.writable = False
    return found


def _try(found: DiskFacts, files: FileLayer) -> None:
    # gc takes it away should it ever stay.
    path = os.path.join(found.folder, f".doctor-{uuid.uuid4().hex}.tmp")
    handle = files.create_exclusive(path)
    try:
        times = []
        for number in range(_SYNCS):
            files.write(handle, number * 4096, [bytes(4096)])
            begin = time.perf_counter()
            files.sync(handle)
            times.append(time.perf_counter() - begin)
        found.sync_ms = statistics.median(times) * 1000
        before = os.stat(path)
        found.skew_s = before.st_mtime - time.time()
        found.case_sensitive = not os.path.lexists(path.replace(".doctor-", ".DOCTOR-"))
        found.locks = files.lock(handle, exclusive=True) and not _lock_again(path, files)
        found.stable_inodes = os.stat(path).st_ino == before.st_ino
    finally:
        files.close(handle)
        with contextlib.suppress(SkypoolError):
            files.unlink(path)


def _lock_again(path: str, files: FileLayer) -> bool:
    other = files.open_update(path)
    try:
        return files.lock(other, exclusive=True)
    finally:
        files.close(other)
