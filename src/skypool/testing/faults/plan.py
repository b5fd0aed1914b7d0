"""Which call is to fail, and how."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["ERRORS", "Faults"]

_CHANGING_NAMES = frozenset({"mkdir", "link", "replace", "unlink"})
_LOOKING = frozenset({"stat", "scandir", "listdir", "builtins.open"})

#: How a call can fail, and which can fail so. `short` and `nothing` are reads and writes of
#: fewer bytes than asked for.
ERRORS: dict[str, frozenset[str]] = {
    "ENOSPC": frozenset({"create", "pwritev", "ftruncate", "fdatasync", "fsync", "close"})
    | {"mkdir", "link", "replace", "sqlite.write"},
    "EDQUOT": frozenset({"create", "pwritev", "ftruncate", "fdatasync", "fsync", "close"})
    | {"mkdir", "link", "replace", "sqlite.write"},
    "EIO": frozenset({"create", "open", "close", "fstat", "pread", "pwritev", "ftruncate"})
    | {"fdatasync", "fsync", "flock"}
    | _CHANGING_NAMES
    | _LOOKING
    | {"sqlite.open", "sqlite.read", "sqlite.write", "sqlite.sync", "sqlite.truncate"}
    | {"sqlite.delete", "sqlite.shm"},
    "EACCES": frozenset({"create", "open", "access"}) | _CHANGING_NAMES | _LOOKING,
    "EROFS": frozenset({"create", "open", "access", "ftruncate"}) | _CHANGING_NAMES,
    "EMFILE": frozenset({"create", "open", "scandir", "listdir", "builtins.open", "sqlite.open"}),
    "ENOLCK": frozenset({"flock"}),
    "short": frozenset({"pread", "pwritev"}),
    "nothing": frozenset({"pwritev"}),
}


class Faults:
    """Counts calls that concern a folder, and lets chosen ones fail.

    Parameters
    ----------
    folder
        Only calls on what is below it count.

    Attributes
    ----------
    calls : list of str
        The calls made while a fault was armed, in order.
    fired : list of str
        Those that failed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = os.path.abspath(folder)
        self._lock = threading.Lock()
        self._armed = False
        self._kinds: frozenset[str] = frozenset()
        self._left = 0
        self._lasting = False
        self.error = ""
        self.calls: list[str] = []
        self.fired: list[str] = []

    @contextlib.contextmanager
    def armed(
        self, error: str, nth: int = 1, *, call: str | None = None, lasting: bool = False
    ) -> Iterator[Faults]:
        """Let a call fail inside a `with` block.

        Parameters
        ----------
        error
            One of `ERRORS`.
        nth
            Which of the calls that can fail so, from 1; 0 for none, to count them.
        call
            Only calls of this name.
        lasting
            Let all behind it fail too.
        """
        from skypool.testing.faults.calls import faulty_os

        self._kinds = ERRORS[error] if call is None else frozenset({call})
        self.error, self._left, self._lasting = error, nth, lasting
        self.calls, self.fired = [], []
        with faulty_os(self):
            self._armed = True
            try:
                yield self
            finally:
                self._armed = False

    def concerns(self, path: Any) -> bool:
        """Return whether a path is one of those watched."""
        if isinstance(path, int) or not self._armed:
            return False
        text = os.path.abspath(os.fsdecode(path))
        return bool(text == self._folder or text.startswith(self._folder + os.sep))

    def due(self, call: str) -> bool:
        """Count a call, and return whether it has to fail."""
        if not self._armed:
            return False
        with self._lock:
            self.calls.append(call)
            if call not in self._kinds or not self._left:
                return False
            if self._left > 1:
                self._left -= 1
                return False
            if not self._lasting:
                self._left = 0
            self.fired.append(call)
            return True

    @property
    def count(self) -> int:
        """How many of the calls made could have failed."""
        return sum(call in self._kinds for call in self.calls)

    def os_error(self, path: object = None) -> OSError:
        """Return what a failing call raises."""
        code = getattr(errno, self.error, errno.EIO)
        return OSError(code, os.strerror(code), path)
