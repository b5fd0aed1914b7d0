"""How the catalogue's file is kept, and read by those who may not write to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from skypool.errors import Locked

__all__ = ["PLAIN", "Keeping", "OnlyReading", "Opened"]

# A file that is at rest and larger is not copied; it is left as soon as somebody writes.
_COPIED_BYTES = 64 << 20
_TRIES = 50

Connect: TypeAlias = Callable[..., sqlite3.Connection]
_State: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a catalogue's file is kept.

    Attributes
    ----------
    journal : str
        `wal`, or `delete` for network file systems.
    group : bool
        Whether the group may write to it.
    network : bool
        Whether other machines may have it open.
    """

    journal: str = "wal"
    group: bool = False
    network: bool = False


PLAIN = Keeping()


class Opened(NamedTuple):
    """A connection, and what the files were like if it does not follow their changes."""

    connection: sqlite3.Connection
    state: _State | None


class OnlyReading:
    """A catalogue that this process may only read.

    SQLite reads a live database in WAL mode without leave to write as long as its `-shm` file
    is there, which is so while a writer has it open. At rest there is none, and a reader
    could not make one: then a private copy is read, or the file itself as one that does not
    change; both are given up once the files are not as they were. See docs/design/031-space.md.

    Parameters
    ----------
    path
        The file.
    how
        How it is kept.
    connect
        Opens a file or URI.
    """

    def __init__(self, path: str, how: Keeping, connect: Connect) -> None:
        self._path = path
        self._how = how
        self._connect = connect
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._copied: _State | None = None

    def state(self) -> _State:
        """Return what the files are like now."""
        return tuple(_look(self._path + end) for end in ("", "-wal"))

    def open(self) -> Opened:
        """Open it: the file itself if that works, else what it is like now."""
        live = not (self._how.network and self._how.journal == "wal")
        for _ in range(_TRIES):
            if live:
                with contextlib.suppress(sqlite3.OperationalError):
                    return Opened(self._live("mode=ro"), None)
            before = self.state()
            wal = before[1]
            at_rest = wal is None or not wal[1]
            if live and at_rest and before[0] is not None and before[0][1] > _COPIED_BYTES:
                return Opened(self._live("mode=ro&immutable=1"), before)
            if before == self._copied or self._copies(before):
                assert self._copy is not None
                return Opened(self._connect(os.path.join(self._copy.name, "copy")), before)
        raise Locked(
            f"the catalogue {self._path} changes faster than it can be copied",
            hint="try again, or ask for leave to write in the pool",
        )

    def _live(self, how: str) -> sqlite3.Connection:
        uri = f"file:{urllib.parse.quote(os.fsencode(self._path))}?{how}"
        connection = self._connect(uri, uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _copies(self, before: _State) -> bool:
        """Copy the files; False if they changed meanwhile."""
        # Connections to the last copy go on with its files, which have no names any more.
        self.close()
        copy = tempfile.TemporaryDirectory(prefix="skypool-")
        try:
            for end, state in zip(("", "-wal"), before, strict=True):
                if state is not None:
                    shutil.copyfile(self._path + end, os.path.join(copy.name, f"copy{end}"))
        except FileNotFoundError:
            pass
        if self.state() != before:
            copy.cleanup()
            return False
        self._copy, self._copied = copy, before
        return True

    def close(self) -> None:
        """Remove the copy."""
        copy, self._copy, self._copied = self._copy, None, None
        if copy is not None:
            copy.cleanup()


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
