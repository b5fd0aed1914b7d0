"""Which files of a watched folder are to be added, and whether they are complete."""

from __future__ import annotations

import errno
import fcntl
import fnmatch
import os
import signal
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from skypool.formats.folders import folder_format

__all__ = ["TEMPORARY", "Ignored", "Readiness", "figures_of", "is_being_written"]

#: Names that programs give to files that they have not finished.
TEMPORARY: Final = (
    "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.incomplete",
    "*.swp", "*.swo", "*.swx", "*~", "#*#",
)  # fmt: skip

_Figures = tuple[int, ...]


def is_being_written(path: str) -> bool | None:
    """Return whether a program of this computer has a file open for writing.

    The system refuses a read lease (fcntl(2), F_SETLEASE) on such a file.

    Returns
    -------
    bool or None
        None where that cannot be told: a file of somebody else, another file system or system.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Who opens the file just now would have us killed by SIGIO; SIGURG is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    return False


class Ignored:
    """Names that are not added.

    Parameters
    ----------
    patterns
        As a shell has them: of a name at any depth, or, with a slash, of the path below the
        watched folder.
    dot_files
        Whether names that begin with a dot are added.
    """

    def __init__(self, patterns: Iterable[str] = (), *, dot_files: bool = False) -> None:
        given = [pattern.rstrip("/") for pattern in patterns]
        self._names = [*TEMPORARY, *(p for p in given if "/" not in p)]
        self._paths = [pattern.lstrip("/") for pattern in given if "/" in pattern]
        self._dot_files = dot_files

    def __contains__(self, path: str) -> bool:
        """Return whether a path, seen from the watched folder, is left out, or one above it."""
        parts = Path(path).parts
        return any(self._leaves_out(parts[: n + 1]) for n in range(len(parts)))

    def _leaves_out(self, parts: tuple[str, ...]) -> bool:
        name, path = parts[-1], "/".join(parts)
        return (
            (name.startswith(".") and not self._dot_files)
            or any(fnmatch.fnmatchcase(name, pattern) for pattern in self._names)
            or any(fnmatch.fnmatchcase(path, pattern) for pattern in self._paths)
        )


class Readiness:
    """Tells complete files from those that are still being written.

    Where the system does not tell whether a file is open for writing, one is complete if its
    writer closed it since it changed, or if its figures stay the same for some time.

    Parameters
    ----------
    settle
        That time, in seconds; with 0 every file is complete of which nothing else is known.
    clock
        Gives the seconds.

    Attributes
    ----------
    waiting : set of str
        Files that were not complete.
    """

    def __init__(self, settle: float, clock: Callable[[], float]) -> None:
        self._settle = settle
        self._clock = clock
        self._done: dict[str, _Figures] = {}
        self._since: dict[str, tuple[_Figures, float]] = {}
        self._closed: set[str] = set()
        self.waiting: set[str] = set()

    def note_changed(self, path: str) -> None:
        """Take notice that a file was written to, and not closed."""
        self._closed.discard(path)
        self.waiting.add(path)

    def note_closed(self, path: str) -> None:
        """Take notice that a program closed a file that it had open for writing."""
        self._closed.add(path)

    def is_complete(self, path: str, status: os.stat_result) -> bool:
        """Return whether a file, or a folder that is one product, can be read."""
        if stat.S_ISDIR(status.st_mode):
            if folder_format(Path(path)) is None:
                self.waiting.discard(path)  # a link to a folder is told of as a file
                return True
            files = [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]
        else:
            files = [path]
        complete = self._are_complete(files)
        (self.waiting.discard if complete else self.waiting.add)(path)
        return complete

    def is_complete_now(self, path: str) -> bool:
        """Look again at a file that was not complete; one that is gone is done with."""
        try:
            status = os.stat(path)
        except OSError:
            self.waiting.discard(path)
            return True
        return self.is_complete(path, status)

    def _are_complete(self, files: Iterable[str]) -> bool:
        # Each is looked at: the time that it stays the same begins for all of them.
        incomplete = [file for file in files if not self._is_file_complete(file)]
        return not incomplete

    def _is_file_complete(self, path: str) -> bool:
        try:
            status = os.stat(path)
        except OSError:
            return True  # the pool says why it cannot be read
        figures = figures_of(status)
        if self._done.get(path) == figures or not stat.S_ISREG(status.st_mode):
            return True
        written = is_being_written(path)
        # Between making a file and counting its writer the system knows of none.
        if written is None or not (written or status.st_size):
            written = path not in self._closed and not self._is_settled(path, figures)
        if not written:
            self._done[path] = figures
            self._since.pop(path, None)
            self._closed.discard(path)
        return not written

    def _is_settled(self, path: str, figures: _Figures) -> bool:
        if not self._settle:
            return True
        before, since = self._since.get(path, (None, 0.0))
        if before != figures:
            self._since[path] = (figures, self._clock())
            return False
        return self._clock() - since >= self._settle


def figures_of(status: os.stat_result) -> _Figures:
    """Return what changes where a file is written or replaced."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev
