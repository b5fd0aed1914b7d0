"""What a file system asks of a pool, for reading. It knows nothing of FUSE, and is tested so."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar

from skypool.errors import (
    Ambiguous,
    Conflict,
    DiskFull,
    Dropped,
    Locked,
    MissingDependency,
    NotFound,
    Purged,
    QuotaExceeded,
    ReadOnly,
    SkypoolError,
    UsageError,
)
from skypool.files.reading import Buffers, Reader
from skypool.files.tree import Entry, Tree

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = [
    "FOLDER",
    "Attributes",
    "Handle",
    "Look",
    "Operations",
    "as_errno",
    "check_taken",
    "clean",
    "look_of",
]

P = ParamSpec("P")
R = TypeVar("R")

_THREADS: Final = min(4, os.cpu_count() or 1)
_PREFIX: Final = "user.skypool."
# The more particular ones first.
_ERRNO: Final = (
    (Purged, errno.ENODATA),
    (Dropped, errno.ENODATA),
    (NotFound, errno.ENOENT),
    (UsageError, errno.EINVAL),
    (QuotaExceeded, errno.EDQUOT),
    (DiskFull, errno.ENOSPC),
    (ReadOnly, errno.EROFS),
    (Locked, errno.EBUSY),
    (Ambiguous, errno.EINVAL),
    (Conflict, errno.EEXIST),
    (MissingDependency, errno.EOPNOTSUPP),
)

#: Of a file as `stat` gives it: type and permissions, bytes, time of the last change in ns.
Attributes = tuple[int, int, int]


#: Of a folder what stands for its content: it is the same folder whatever is in it.
FOLDER: Final = "folder"


class Look(NamedTuple):
    """What is at a path.

    Attributes
    ----------
    attributes : tuple
        What `stat` tells.
    token : Hashable
        What stands for the content: another one as soon as that is another.
    entry : Entry or None
        What the pool has there; None for what is not saved.
    """

    attributes: Attributes
    token: Hashable
    entry: Entry | None


def look_of(entry: Entry, attributes: Attributes) -> Look:
    """Return what is seen of something that the pool has."""
    return Look(attributes, FOLDER if entry.is_folder else entry.content, entry)


def check_taken(takes: Callable[[Hashable], bool] | None, token: Hashable) -> None:
    """Raise ESTALE where a path has another content by now than somebody expects."""
    if takes is not None and not takes(token):
        raise OSError(errno.ESTALE, "there is another version by now")


class Handle(Protocol):
    """A file that is open."""

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        ...

    def close(self) -> None:
        """Give back what is open."""
        ...


def errno_of(error: SkypoolError) -> int:
    """Return the number by which a file system tells of an error."""
    return next((number for kind, number in _ERRNO if isinstance(error, kind)), errno.EIO)


def as_errno(function: Callable[P, R]) -> Callable[P, R]:
    """Turn errors of skypool into those of a file system; the first argument keeps the text."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except SkypoolError as error:
            number = errno_of(error)
            owner = args[0]
            if number not in (errno.ENOENT, errno.EROFS) and isinstance(owner, Operations):
                owner.tell(str(error))
            raise OSError(number, error.message) from error

    return called


def clean(path: str) -> str:
    """Return a path of a file system as one of the tree."""
    return path.strip("/")


class Operations:
    """A pool as a file system that cannot be written to.

    Errors are `OSError` with a number that programs understand.

    Parameters
    ----------
    pool
        The pool.
    special
        Whether `@versions`, `@tags`, `@at` and `@search` are there.
    tell
        Takes texts of what goes wrong and has no better place.
    """

    #: Whether files are written.
    writes = False

    def __init__(
        self, pool: Pool, *, special: bool = True, tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self.pool = pool
        self.tree = Tree(pool, special=special)
        self.tell = tell
        self._numbers = itertools.count(1)
        self._handles: dict[int, Handle] = {}
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="skypool-ahead")
        self._buffers = Buffers()
        self._lock = threading.RLock()

    # -- looking

    def entry(self, path: str) -> Entry:
        """Return what the pool has at a path."""
        return self.tree.entry(path)

    @as_errno
    def attributes(self, path: str) -> Attributes:
        """Return what `stat` tells of a path."""
        return self._of(self.entry(clean(path)))

    def _of(self, entry: Entry) -> Attributes:
        return entry.mode, entry.size, entry.mtime_ns

    @as_errno
    def look(self, path: str) -> Look:
        """Return what is at a path: its attributes, and what stands for its content."""
        entry = self.entry(clean(path))
        return look_of(entry, self._of(entry))

    @as_errno
    def looks(self, path: str) -> dict[str, Look]:
        """Return what is in a folder, by names."""
        found = self.tree.children(clean(path))
        return {each.name: look_of(each, self._of(each)) for each in found}

    def listing(self, path: str) -> Iterator[tuple[str, Attributes]]:
        """Return what is in a folder, with its attributes."""
        return ((name, look.attributes) for name, look in self.looks(path).items())

    @as_errno
    def extended(self, path: str) -> dict[str, str]:
        """Return the extended attributes of a path."""
        ref = self.entry(clean(path)).ref
        if ref is None:
            return {}
        return {
            f"{_PREFIX}urn": ref.urn,
            f"{_PREFIX}name": ref.name,
            f"{_PREFIX}version": str(ref.version),
            f"{_PREFIX}kind": ref.kind,
            f"{_PREFIX}type": ref.type,
            f"{_PREFIX}tags": "\n".join(ref.tags),
        }

    @as_errno
    def space(self) -> os.statvfs_result:
        """Return the room on the disk of the pool, or what the pool may still take of it."""
        place = self.pool.path
        while not os.path.exists(place):
            place = os.path.dirname(place)
        found = os.statvfs(place)
        quota = self.pool.view.session.quota if self.pool.exists else None
        limit = None if quota is None else quota.limit
        if quota is None or limit is None:
            return found
        free = max(0, min(found.f_bavail, (limit - quota.used()) // found.f_frsize))
        blocks = max(free, limit // found.f_frsize)
        return os.statvfs_result((*found[:2], blocks, free, free, *found[5:]))

    # -- open files

    @as_errno
    def open(
        self,
        path: str,
        flags: int = os.O_RDONLY,
        process: int = 0,
        takes: Callable[[Hashable], bool] | None = None,
    ) -> int:
        """Open a file, and return a number for it.

        Parameters
        ----------
        path
            The file.
        flags
            As `os.open` has them.
        process
            Who opens it.
        takes
            Says whether a content is the expected one; ESTALE where it is not.
        """
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, "the pool is mounted for reading")
        entry = self.entry(clean(path))
        check_taken(takes, look_of(entry, (0, 0, 0)).token)
        return self.keep(self._reader(entry))

    @as_errno
    def open_entry(self, entry: Entry) -> int:
        """Open what was found before, whatever its path has by now."""
        return self.keep(self._reader(entry))

    def _reader(self, entry: Entry) -> Reader:
        if entry.is_folder:
            raise OSError(errno.EISDIR, f"{entry.name} is a folder")
        return Reader(entry.open(), self._executor, self._buffers)

    def keep(self, handle: Handle) -> int:
        """Give an open file a number."""
        number = next(self._numbers)
        self._handles[number] = handle
        return number

    def handle(self, number: int) -> Handle:
        """Return an open file by its number."""
        try:
            return self._handles[number]
        except KeyError:
            raise OSError(errno.EBADF, "no such open file") from None

    @as_errno
    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of an open file; fewer than asked for only at its end."""
        return self.handle(number).pread(offset, length)

    @as_errno
    def read_pieces(
        self, number: int, offset: int, length: int, take: Callable[[bytes | memoryview], object]
    ) -> None:
        """Give the same in pieces, without copying them: they change once *take* has returned."""
        handle = self.handle(number)
        if isinstance(handle, Reader):
            handle.read(offset, length, take)
        else:
            take(handle.pread(offset, length))

    @as_errno
    def release(self, number: int) -> None:
        """Close an open file."""
        handle = self._handles.pop(number, None)
        if handle is not None:
            handle.close()

    def close(self) -> None:
        """Close all open files, at the end."""
        for number in list(self._handles):
            with contextlib.suppress(OSError):
                self.release(number)
        self._executor.shutdown()

    # -- what changes something

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, "the pool is mounted for reading; --write allows changes")

    create = mkdir = unlink = rmdir = rename = truncate = utimens = write = _refuse

    def flush(self, number: int, process: int = 0) -> None:
        """Take notice that one of those who have a file open closes it."""

    def sync(self, number: int) -> None:
        """Have an open file on the disk."""
