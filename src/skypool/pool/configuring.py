"""Changing what a pool is set to, for all who use it (docs/format/pool.md)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

from skypool.errors import Locked, ReadOnly
from skypool.pool.marker import PoolSettings, change_settings
from skypool.storage.filelayer import GROUP_FILE, GROUP_FOLDER

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["configure"]

_WAIT = 10.0


def configure(session: Session, settings: PoolSettings) -> None:
    """Set what a pool is set to; it has to be opened again for it.

    Raises
    ------
    Locked
        If the journal is to be another, and others have the pool open.
    ReadOnly
        If a file of another user's cannot be shared with the group.
    """
    folder, old = session.folder, session.folder.settings
    session.store.let_go()
    with folder.lock(exclusive=True):
        if settings.shared != old.shared:
            _share(folder.path, shared=settings.shared)
        if settings.journal != old.journal:
            session.catalogue.close()
            _set_journal(folder.catalogue, settings.journal)
        change_settings(folder, settings)


def _set_journal(path: str, journal: str) -> None:
    connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    with contextlib.closing(connection):
        try:
            ((found,),) = connection.execute(f"PRAGMA journal_mode={journal}").fetchall()
        except sqlite3.OperationalError:
            found = ""
    if found != journal:
        raise Locked(
            f"others have the catalogue {path} open: its journal cannot be changed now",
            hint="end the programs that use the pool, then try again",
        )


def _share(path: str, *, shared: bool) -> None:
    """Give the group of the folder leave to write in all of it, or take it away."""
    others = []
    for folder, _, names in os.walk(path):
        for place in (folder, *(os.path.join(folder, name) for name in names)):
            try:
                state = os.lstat(place)
            except FileNotFoundError:  # a temporary file of one who works meanwhile
                continue
            if stat.S_ISLNK(state.st_mode):
                continue
            if stat.S_ISDIR(state.st_mode):
                mode = GROUP_FOLDER if shared else 0o755
            else:
                mode = GROUP_FILE if shared else 0o644
            if stat.S_IMODE(state.st_mode) == mode:
                continue
            try:
                os.chmod(place, mode)
            except FileNotFoundError:
                continue
            except PermissionError:
                others.append(place)
    if others:
        raise ReadOnly(
            f"{others[0]} and {len(others) - 1} more files belong to others: only they can share"
            " them",
            hint="let the owner of the files do it",
        )
