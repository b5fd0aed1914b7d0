"""Mounting a pool as a folder, until it is unmounted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from skypool.errors import Conflict, NotFound, ReadOnly, StorageError
from skypool.files.fuse import load_library, run
from skypool.files.libfuse import SessionFailed
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

_THREADS: Final = 10
_SECONDS: Final = 120
_LOOK: Final = 0.01


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
    load_library()
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
            _options(pool, write, allow_other),
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
    operations: Operations, folder: str, options: list[str], ready: Callable[[], object]
) -> None:
    try:
        run(operations, folder, options, _THREADS, ready)
    except SessionFailed:
        raise StorageError(
            f"{folder} cannot be used as a place for the pool",
            hint="standard error has the reason that FUSE gives",
        ) from None


def _operations(
    pool: Pool, session: Session, write: bool, special: bool, tell: Callable[[str], object]
) -> Operations:
    if not write:
        return Operations(pool, special=special, tell=tell)
    from skypool.files.writing import WriteOperations

    return WriteOperations(pool, session.staging, where=session.folder, special=special, tell=tell)


def _options(pool: Pool, write: bool, allow_other: bool) -> list[str]:
    name = re.sub(r"[^\w.+-]", "_", os.path.basename(pool.path)) or "pool"
    options = [f"fsname=skypool-{name}", "subtype=skypool", "default_permissions"]
    options += [] if write else ["ro"]
    return options + (["allow_other"] if allow_other else [])


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
