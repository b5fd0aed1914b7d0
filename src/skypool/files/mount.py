"""Mounting a pool as a folder, until it is unmounted."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import Conflict, MissingDependency, NotFound, ReadOnly, StorageError, UsageError
from skypool.files.fuse import load_library, run
from skypool.files.operations import Operations

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool

__all__ = ["Session", "mount", "prepared", "unmount"]

# libfuse's results: the loop ended by itself, or by a signal.
_ENDED: Final = (0, 7, 8)
_THREADS: Final = 10
_SECONDS: Final = 120
_LOOK: Final = 0.01
_CACHED: Final = 1  # seconds that the kernel keeps what it was told of a file


class Session:
    """A folder below the user's cache that belongs to one mount, and what others know by it.

    Parameters
    ----------
    settings
        Where the cache is.
    folder
        Where the pool is mounted.
    """

    def __init__(self, settings: Settings, folder: str) -> None:
        self.folder = folder
        base = _base(settings)
        os.makedirs(base, mode=0o700, exist_ok=True)
        clear_dead(settings)
        self.path = os.path.join(base, f"{os.getpid()}-{time.time_ns():x}")
        os.makedirs(self.path, mode=0o700)
        self._lock = _locked(self.path)
        with open(os.path.join(self.path, "mount.json"), "w", encoding="utf-8") as out:
            json.dump({"folder": folder, "pid": os.getpid()}, out)
        #: For files that are being written.
        self.staging = os.path.join(self.path, "written")
        os.makedirs(self.staging)

    def close(self) -> None:
        """Remove it, with all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _base(settings: Settings) -> str:
    return os.path.join(os.fspath(settings.cache), "mount")


def _locked(path: str) -> int:
    """Lock the folder of a session; -1 where its process lives."""
    lock = os.open(os.path.join(path, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _sessions(settings: Settings) -> list[str]:
    base = _base(settings)
    if not os.path.isdir(base):
        return []
    return [entry.path for entry in os.scandir(base) if entry.is_dir()]


def clear_dead(settings: Settings) -> None:
    """Remove what mounts have left whose processes were killed."""
    for path in _sessions(settings):
        # One without a list is just being made.
        if not os.path.exists(os.path.join(path, "mount.json")):
            continue
        lock = _locked(path)
        if lock >= 0:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def session_of(settings: Settings, folder: str) -> str:
    """Return the folder of the session that has a pool mounted there; empty without one."""
    for path in _sessions(settings):
        try:
            with open(os.path.join(path, "mount.json"), encoding="utf-8") as file:
                if json.load(file)["folder"] == folder:
                    return path
        except (OSError, ValueError):
            continue
    return ""


def mount(
    pool: Pool,
    folder: str,
    *,
    write: bool = False,
    special: bool = True,
    allow_other: bool = False,
    ready: Callable[[], object] = lambda: None,
    tell: Callable[[str], object] = lambda _: None,
) -> None:
    """Mount a pool, and return when it is unmounted.

    Parameters
    ----------
    pool
        The pool; one as of an earlier time cannot be written to.
    folder
        Where: an empty folder, made where it does not exist.
    write
        Whether files may be written, renamed and removed.
    special
        Whether `@versions`, `@tags`, `@at` and `@search` are there.
    allow_other
        Whether other users see it.
    ready
        Called when it is mounted.
    tell
        Takes texts of what goes wrong and has no better place.

    Raises
    ------
    MissingDependency
        If there is no FUSE.
    Conflict
        If something is mounted there already.
    UsageError
        If there are files in the folder.
    StorageError
        If it cannot be mounted.
    """
    library = load_library()
    if write and pool.exists and not pool.view.session.writable:
        raise ReadOnly(
            f"you have no permission to write in {pool.path}",
            hint="ask its owner, or mount it without --write",
        )
    folder = prepared(folder)
    session = Session(pool.settings, folder)
    operations = _operations(pool, session, special, tell) if write else None
    if operations is None:
        operations = Operations(pool, special=special, tell=tell)
    mounted = False

    def started() -> None:
        nonlocal mounted
        mounted = True
        ready()

    try:
        run(operations, folder, _options(pool, library, write, allow_other), started)
    except RuntimeError as error:
        code = error.args[0] if error.args else -1
        if not (mounted and code in _ENDED):
            raise StorageError(
                f"{folder} cannot be used as a place for the pool (code {code})",
                hint="standard error has the reason that FUSE gives",
            ) from None
    finally:
        operations.close()
        session.close()


def _operations(
    pool: Pool, session: Session, special: bool, tell: Callable[[str], object]
) -> Operations:
    from skypool.files.writing import WriteOperations

    return WriteOperations(pool, session.staging, where=session.folder, special=special, tell=tell)


def _options(pool: Pool, library: Any, write: bool, allow_other: bool) -> dict[str, Any]:
    name = re.sub(r"[^\w.+-]", "_", os.path.basename(pool.path)) or "pool"
    options: dict[str, Any] = {
        "foreground": True,
        "fsname": f"skypool-{name}",
        "subtype": "skypool",
        "default_permissions": True,
        "ro": not write,
        "allow_other": allow_other,
        "entry_timeout": _CACHED,
        "attr_timeout": _CACHED,
        "negative_timeout": 0,
    }
    if library.fuse_version_minor >= 12:
        options |= {"max_threads": _THREADS, "max_idle_threads": _THREADS}
    return options


def prepared(folder: str) -> str:
    """Return the real path of an empty folder, made where there is none.

    A mount whose process was killed is taken away from there.
    """
    try:
        if _is_dead(folder):
            _fusermount(_real(folder), "-uz")
        os.makedirs(folder, exist_ok=True)
        folder = os.path.realpath(folder)
        found = os.listdir(folder)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is a file, not a folder") from None
    except OSError as error:
        raise StorageError(f"{folder} cannot be used: {error.strerror}") from None
    if os.path.ismount(folder):
        raise Conflict(
            f"something is mounted at {folder} already", hint=f"skypool unmount {folder}"
        )
    if found:
        raise UsageError(
            f"there are files in {folder}: they would be hidden",
            hint="mount the pool at an empty folder",
        )
    return folder


def _fusermount(folder: str, how: str) -> tuple[int, str]:
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is None:
        raise MissingDependency(
            "unmounting needs the program fusermount3", hint="Debian: apt install fuse3"
        )
    done = subprocess.run(  # noqa: S603 (a program that was looked for, and a path)
        [program, how, "--", folder], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    return done.returncode, done.stderr.strip()


def unmount(folder: str, settings: Settings, *, force: bool = False) -> None:
    """Unmount a pool, and wait until what was written is saved.

    Parameters
    ----------
    folder
        Where it is mounted.
    settings
        Where the cache is.
    force
        Whether programs may still use it: it is gone for all others, and for them once they
        close their files.

    Raises
    ------
    NotFound
        If nothing is mounted there.
    Conflict
        If programs use it.
    """
    folder = _real(folder)
    if not _is_mounted(folder):
        raise NotFound(f"nothing is mounted at {folder}")
    code, text = _fusermount(folder, "-uz" if force else "-u")
    if code:
        if "busy" in text.lower():
            raise Conflict(
                f"a program uses {folder}, or is in it",
                hint=f"end it (`fuser -vm {folder}` lists them), or take --force",
            )
        raise StorageError(f"{folder} cannot be unmounted: {text}")
    end = time.monotonic() + _SECONDS
    while not force and time.monotonic() < end:
        clear_dead(settings)
        if not session_of(settings, folder):
            return
        time.sleep(_LOOK)


def _real(folder: str) -> str:
    """Return the real path of a folder that may be mounted and dead."""
    folder = os.path.abspath(folder)
    return os.path.join(os.path.realpath(os.path.dirname(folder)), os.path.basename(folder))


def _is_mounted(folder: str) -> bool:
    return _is_dead(folder) or os.path.ismount(folder)


def _is_dead(folder: str) -> bool:
    """Say whether something is mounted there whose process was killed."""
    try:
        os.stat(folder)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False
