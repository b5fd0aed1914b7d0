"""Mounting a pool as a folder, until it is unmounted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import Conflict, NotFound, ReadOnly, StorageError
from skypool.files.fuse import load_library, run
from skypool.files.mount_place import (
    check_given,
    fusermount,
    is_mounted,
    make_place,
    real_place,
)
from skypool.files.mount_sessions import Session, clear_dead, said_by, session_of
from skypool.files.operations import Operations

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.pool import Pool

__all__ = ["mount", "unmount"]

# libfuse's results: the loop ended by itself, or by a signal.
_ENDED: Final = (0, 7, 8)
_THREADS: Final = 10
_SECONDS: Final = 120
_LOOK: Final = 0.01
_CACHED: Final = 1  # seconds that the kernel keeps what it was told of a file


def mount(
    pool: Pool,
    folder: str,
    *,
    write: bool = False,
    special: bool = True,
    allow_other: bool = False,
    ready: Callable[[bool], object] = lambda _: None,
    tell: Callable[[str], object] = lambda _: None,
) -> None:
    """Mount a pool, and return when it is unmounted.

    Parameters
    ----------
    pool
        The pool; one as of an earlier time cannot be written to.
    folder
        Where: an empty folder. One that is made here is removed at the end.
    write
        Whether files may be written, renamed and removed.
    special
        Whether `@versions`, `@tags`, `@at` and `@search` are there.
    allow_other
        Whether other users see it.
    ready
        Called when it is mounted; told whether the folder was made.
    tell
        Takes texts of what goes wrong and has no better place.

    Raises
    ------
    MissingDependency
        If there is no FUSE.
    Conflict
        If something is mounted there already.
    UsageError
        If there are files in the folder, or it is in the pool.
    StorageError
        If it cannot be mounted.
    """
    library = load_library()
    if write and pool.exists and not pool.view.session.writable:
        raise ReadOnly(
            f"you have no permission to write in {pool.path}",
            hint="ask its owner, or mount it without --write",
        )
    place, made = make_place(folder, pool.path)
    session = Session(pool.settings, place, made)
    operations = _operations(pool, session, write, special, tell)
    try:
        _serve(
            operations,
            place,
            _options(pool, library, write, allow_other),
            lambda: ready(bool(session.made)),
        )
    finally:

        def said(text: str) -> None:
            session.say(text)
            tell(text)

        operations.tell = said
        operations.close()
        session.close()


def _serve(
    operations: Operations, folder: str, options: dict[str, Any], ready: Callable[[], object]
) -> None:
    mounted = False

    def started() -> None:
        nonlocal mounted
        mounted = True
        ready()

    try:
        run(operations, folder, options, started)
    except RuntimeError as error:
        code = error.args[0] if error.args else -1
        if not (mounted and code in _ENDED):
            raise StorageError(
                f"{folder} cannot be used as a place for the pool (code {code})",
                hint="standard error has the reason that FUSE gives",
            ) from None


def _operations(
    pool: Pool, session: Session, write: bool, special: bool, tell: Callable[[str], object]
) -> Operations:
    if not write:
        return Operations(pool, special=special, tell=tell)
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


def unmount(folder: str, settings: Settings, *, force: bool = False) -> list[str]:
    """Unmount a pool, and wait until what was written is saved.

    A folder that was made for it is removed. So is a mount whose process was killed.

    Parameters
    ----------
    folder
        Where it is mounted.
    settings
        Where the cache is.
    force
        Whether programs may still use it: it is gone for all others, and for them once they
        close their files.

    Returns
    -------
    list of str
        What was not saved, and why.

    Raises
    ------
    NotFound
        If nothing is mounted there.
    Conflict
        If programs use it.
    """
    check_given(folder)
    folder = real_place(folder)
    if not is_mounted(folder):
        raise NotFound(f"nothing is mounted at {folder}", hint="`mount` lists what is mounted")
    with said_by(session_of(settings, folder)) as said:
        code, text = fusermount(folder, "-uz" if force else "-u")
        if code:
            if "busy" in text.lower():
                raise Conflict(
                    f"a program uses {folder}, or is in it",
                    hint=f"end it (`fuser -vm {folder}` lists them), or take --force",
                )
            raise StorageError(f"{folder} cannot be unmounted: {text}")
        _wait(folder, settings, force=force)
    return said


def _wait(folder: str, settings: Settings, *, force: bool) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        clear_dead(settings)
        if force or not session_of(settings, folder):
            return
        time.sleep(_LOOK)
