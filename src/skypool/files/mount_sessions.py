"""What each mount has in the cache: who serves it, and the files that are being written."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from skypool.files.mount_place import is_dead

if TYPE_CHECKING:
    from skypool.config import Settings

__all__ = ["Session", "clear_dead", "said_by", "session_of"]


_SAID = "said"


class Session:
    """A folder below the user's cache that belongs to one mount, and what others know by it.

    Parameters
    ----------
    settings
        Where the cache is.
    folder
        Where the pool is mounted.
    made
        The folders that were made for it, to be removed with it, the innermost one first.
    """

    def __init__(self, settings: Settings, folder: str, made: Sequence[str] = ()) -> None:
        self.folder = folder
        base = _base(settings)
        os.makedirs(base, mode=0o700, exist_ok=True)
        self.made = [*made, *clear_dead(settings, taken_over=folder)]
        self.path = os.path.join(base, f"{os.getpid()}-{time.time_ns():x}")
        os.makedirs(self.path, mode=0o700)
        self._lock = _locked(self.path, os.O_CREAT)
        with open(os.path.join(self.path, "mount.json"), "w", encoding="utf-8") as out:
            json.dump({"folder": folder, "pid": os.getpid(), "made": self.made}, out)
        Path(self.path, _SAID).touch()
        #: For files that are being written.
        self.staging = os.path.join(self.path, "written")
        os.makedirs(self.staging)

    def say(self, text: str) -> None:
        """Leave a text for whoever unmounts it."""
        with open(os.path.join(self.path, _SAID), "a", encoding="utf-8") as out:
            out.write(json.dumps(text) + "\n")

    def close(self) -> None:
        """Remove it, with all in it, and the folders that were made for the mount."""
        _remove_empty(self.made)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _remove_empty(folders: Sequence[str]) -> None:
    """Remove folders, up to the first one that is not empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            Path(folder).rmdir()


def _base(settings: Settings) -> str:
    return os.path.join(os.fspath(settings.cache), "mount")


def _locked(path: str, how: int = 0) -> int:
    """Lock the folder of a session; -1 where its process lives, or has just removed it."""
    try:
        lock = os.open(os.path.join(path, "lock"), how | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _sessions(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the folders of sessions with what is noted there; those just being made have none."""
    base = _base(settings)
    if not os.path.isdir(base):
        return
    for path in [entry.path for entry in os.scandir(base) if entry.is_dir()]:
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(path, "mount.json"), encoding="utf-8") as file:
                noted = json.load(file)
            yield path, noted


def clear_dead(settings: Settings, taken_over: str = "") -> list[str]:
    """Remove what mounts have left whose processes were killed.

    Parameters
    ----------
    settings
        Where the cache is.
    taken_over
        A folder that is about to be mounted again, and stays.

    Returns
    -------
    list of str
        What was made for it.
    """
    made: list[str] = []
    for path, noted in _sessions(settings):
        lock = _locked(path)
        if lock < 0:
            continue
        if noted["folder"] == taken_over:
            made += noted.get("made", [])
        elif is_dead(noted["folder"]):
            # Nobody has taken it away yet; who does removes the folder as well.
            shutil.rmtree(os.path.join(path, "written"), ignore_errors=True)
            os.close(lock)
            continue
        else:
            _remove_empty(noted.get("made", []))
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
    return made


@contextlib.contextmanager
def said_by(session: str) -> Iterator[list[str]]:
    """Return what is left for whoever unmounts: it is filled in at the end, and may outlive it."""
    found: list[str] = []
    with contextlib.ExitStack() as stack:
        file: IO[str] | None = None
        with contextlib.suppress(OSError):
            path = os.path.join(session, _SAID)
            file = stack.enter_context(open(path, encoding="utf-8")) if session else None
        yield found
        if file is not None:
            found += [json.loads(line) for line in file]


def session_of(settings: Settings, folder: str) -> str:
    """Return the folder of the session that has a pool mounted there; empty without one."""
    return next((path for path, noted in _sessions(settings) if noted["folder"] == folder), "")
