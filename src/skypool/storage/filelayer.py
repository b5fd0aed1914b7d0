"""The file layer: the only place that writes, syncs, renames, links, removes and locks.

Everything durable in a pool passes through one `FileLayer`, so that a recorder or
a fault injector put in its place sees every step. The rules that hold here:

- A write is complete or an error is raised: short writes and signals are dealt with.
- `sync` may fail once; then the file's state on disk is unknown and stays so. After a
  failed sync the system may drop the unwritten pages and report success the next
  time, so nobody may sync the same bytes again and believe it.
- Errors of the system become those of `skypool.errors`, with the path and what to do.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from skypool.codec.buffers import Buffer
from skypool.errors import Locked, ReadOnly, StorageError
from skypool.storage.file_errors import explained
from skypool.storage.system import SystemCalls

__all__ = [
    "GROUP_FILE",
    "GROUP_FOLDER",
    "FileLayer",
    "Handle",
    "LocalFiles",
    "locked",
]

_TAKEN = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})
_MOST_BUFFERS = 512  # of one system call; the kernel's limit is 1024
_WORTH_BEGINNING = 1 << 20
_LONGEST_WAIT = 0.05  # seconds between two tries for a lock
# What is made in a pool that a group shares: files in it get the group of its folder.
GROUP_FILE = 0o664
GROUP_FOLDER = 0o2775


@dataclass(slots=True, eq=False)
class Handle:
    """An open file.

    Attributes
    ----------
    fd : int
        The file descriptor; -1 once closed.
    path : str
        Where it was opened.
    """

    fd: int
    path: str


class FileLayer(Protocol):
    """What skypool does to files.

    Paths are texts. Every method raises `DiskFull`, `ReadOnly` or `StorageError`
    where the system refuses, `FileNotFoundError` where there is no such file and
    `FileExistsError` where there is one already.
    """

    def create_exclusive(self, path: str) -> Handle:
        """Make a new file, open for reading and writing; fails if there is one."""
        ...

    def open_read(self, path: str) -> Handle:
        """Open a file for reading."""
        ...

    def open_update(self, path: str) -> Handle:
        """Open an existing file for reading and writing."""
        ...

    def close(self, handle: Handle) -> None:
        """Close a file, and give up its lock."""
        ...

    def size(self, handle: Handle) -> int:
        """Return the bytes of an open file."""
        ...

    def pread(self, handle: Handle, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end of the file."""
        ...

    def write(self, handle: Handle, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write the buffers one behind the other from *offset*."""
        ...

    def truncate(self, handle: Handle, size: int) -> None:
        """Cut a file to *size* bytes."""
        ...

    def sync(self, handle: Handle) -> None:
        """Make a file's content durable; after an error its state is unknown for good."""
        ...

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder durable."""
        ...

    def make_folder(self, path: str) -> bool:
        """Make a folder, durable in its parent; False if there is one already."""
        ...

    def link(self, source: str, target: str) -> None:
        """Give a file a second name, durably; fails if that name is taken."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Rename a file over another, durably."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file, durably; nothing happens if there is none."""
        ...

    def lock(self, handle: Handle, *, exclusive: bool, wait: float | None = 0.0) -> bool:
        """Take an advisory lock; False if another process has it.

        Parameters
        ----------
        handle
            The file to lock; the lock ends when it is closed.
        exclusive
            Exclusive or shared.
        wait
            Seconds to wait; 0 for one try, None without end.
        """
        ...

    def unlock(self, handle: Handle) -> None:
        """Give up the lock."""
        ...

    def for_group(self) -> FileLayer:
        """Return a layer like this that lets the group write to all that it makes."""
        ...


def _begin_write_back(handle: Handle, offset: int, length: int) -> None:
    """Let the system begin to write fresh bytes out, so that the sync has less to wait for.

    That is what this advice does to bytes that are not on disk yet; they stay in the
    cache. It promises nothing, and only speed depends on it.
    """
    if length >= _WORTH_BEGINNING and hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(handle.fd, offset, length, os.POSIX_FADV_DONTNEED)


class LocalFiles:
    """The file layer of a local or network file system.

    Parameters
    ----------
    system
        The calls of the system; the real ones if None.
    """

    system = SystemCalls()
    # Whether the group may write to what is made, whatever the umask.
    _group = False

    def __init__(self, system: SystemCalls | None = None) -> None:
        if system is not None:
            self.system = system

    def create_exclusive(self, path: str) -> Handle:
        """Make a new file, open for reading and writing; fails if there is one."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with explained("create", path):
            handle = Handle(self.system.open(path, flags, 0o666), path)
            if self._group:
                self.system.fchmod(handle.fd, GROUP_FILE)
            return handle

    def open_read(self, path: str) -> Handle:
        """Open a file for reading."""
        with explained("open", path):
            return Handle(self.system.open(path, os.O_RDONLY | os.O_CLOEXEC), path)

    def open_update(self, path: str) -> Handle:
        """Open an existing file for reading and writing."""
        with explained("open for writing", path):
            return Handle(self.system.open(path, os.O_RDWR | os.O_CLOEXEC), path)

    def close(self, handle: Handle) -> None:
        """Close a file, and give up its lock.

        Errors are passed over: the file is closed all the same, and what was written and
        counts was made durable by `sync`, which is where it is known.
        """
        fd, handle.fd = handle.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                self.system.close(fd)

    def size(self, handle: Handle) -> int:
        """Return the bytes of an open file."""
        with explained("look at", handle.path):
            return self.system.fstat(handle.fd).st_size

    def pread(self, handle: Handle, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end of the file."""
        with explained("read", handle.path):
            data = self.system.pread(handle.fd, length, offset)
            if len(data) == length or not data:
                return data
            parts = [data]  # signals and network file systems give less than asked for
            done = len(data)
            while done < length:
                data = self.system.pread(handle.fd, length - done, offset + done)
                if not data:
                    break
                parts.append(data)
                done += len(data)
        return b"".join(parts)

    def write(self, handle: Handle, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write the buffers one behind the other from *offset*."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        views = [view for view in views if view.nbytes]
        with explained("write to", handle.path):
            first, start = 0, offset
            while first < len(views):
                done = self.system.pwritev(handle.fd, views[first : first + _MOST_BUFFERS], offset)
                if done == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                offset += done
                while done and done >= len(views[first]):
                    done -= len(views[first])
                    first += 1
                if done:
                    views[first] = views[first][done:]
        _begin_write_back(handle, start, offset - start)

    def truncate(self, handle: Handle, size: int) -> None:
        """Cut a file to *size* bytes."""
        with explained("cut", handle.path):
            self.system.ftruncate(handle.fd, size)

    def sync(self, handle: Handle) -> None:
        """Make a file's content durable; after an error its state is unknown for good."""
        with explained("make durable", handle.path):
            self.system.fdatasync(handle.fd)

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder durable."""
        with explained("make durable", path):
            fd = self.system.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.system.fsync(fd)
            except OSError as error:
                # Some network file systems know no sync of folders and do without.
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
            finally:
                self.system.close(fd)

    def make_folder(self, path: str) -> bool:
        """Make a folder, durable in its parent; False if there is one already."""
        with explained("make the folder", path):
            try:
                self.system.mkdir(path)
                made = True
            except FileExistsError:
                if not os.path.isdir(path):
                    raise
                made = False
            if self._group:
                with contextlib.suppress(PermissionError):  # another's folder is as it is
                    self.system.chmod(path, GROUP_FOLDER)
            if not made:
                return False
        self.sync_folder(os.path.dirname(path))
        return True

    def link(self, source: str, target: str) -> None:
        """Give a file a second name, durably; fails if that name is taken."""
        with explained("link", target):
            self.system.link(source, target)
        self.sync_folder(os.path.dirname(target))

    def replace(self, source: str, target: str) -> None:
        """Rename a file over another, durably."""
        with explained("rename to", target):
            self.system.replace(source, target)
        self.sync_folder(os.path.dirname(target))

    def unlink(self, path: str) -> None:
        """Remove a file, durably; nothing happens if there is none."""
        with explained("remove", path):
            try:
                self.system.unlink(path)
            except FileNotFoundError:
                return
        self.sync_folder(os.path.dirname(path))

    def lock(self, handle: Handle, *, exclusive: bool, wait: float | None = 0.0) -> bool:
        """Take an advisory lock; False if another process has it."""
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        with explained("lock", handle.path):
            if wait is None:
                self.system.flock(handle.fd, mode)
                return True
            end = time.monotonic() + wait
            pause = 0.001
            while True:
                try:
                    self.system.flock(handle.fd, mode | fcntl.LOCK_NB)
                except OSError as error:
                    if error.errno not in _TAKEN:
                        raise
                else:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(pause, left))
                pause = min(2 * pause, _LONGEST_WAIT)

    def unlock(self, handle: Handle) -> None:
        """Give up the lock."""
        with explained("unlock", handle.path):
            self.system.flock(handle.fd, fcntl.LOCK_UN)

    def for_group(self) -> LocalFiles:
        """Return a layer like this that lets the group write to all that it makes."""
        found = copy.copy(self)
        found._group = True
        return found


@contextlib.contextmanager
def locked(
    files: FileLayer,
    path: str,
    *,
    exclusive: bool,
    wait: float | None = None,
    writing: bool = False,
) -> Iterator[Handle]:
    """Hold the lock of a file.

    Parameters
    ----------
    files
        The file layer.
    path
        An existing file.
    exclusive
        Exclusive or shared.
    wait
        Seconds to wait for it; 0 for one try, None without end.
    writing
        The file itself is to be written to: one that can only be read is an error.

    Raises
    ------
    Locked
        If another process has it for longer than that.
    """
    try:
        # Over NFS an exclusive lock needs a file that is open for writing.
        handle = files.open_update(path)
    except ReadOnly:
        if writing:
            raise
        handle = files.open_read(path)
    try:
        if not files.lock(handle, exclusive=exclusive, wait=wait):
            raise Locked(
                f"another process holds {path}",
                hint="wait until it is done; the lock ends with that process",
            )
        yield handle
    finally:
        if handle.fd >= 0:
            # Unlocked by hand: a forked child may still have the file open. Where that fails,
            # or the handler of a signal raises just now, closing ends the lock.
            try:
                with contextlib.suppress(StorageError):
                    files.unlock(handle)
            finally:
                files.close(handle)
