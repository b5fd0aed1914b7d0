"""Opening pools."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Self, TypeVar

from skypool.catalogue.quotas import no_room_beside
from skypool.config import Settings, from_environment
from skypool.errors import (
    DiskFull,
    NotFound,
    PoolExists,
    PoolNotFound,
    ReadOnly,
    StorageError,
    UsageError,
)
from skypool.pool.folder import PoolFolder, fitting_journal, is_pool
from skypool.pool.marker import checked_settings
from skypool.pool.named import locate, missing_pool
from skypool.pool.room import is_full, no_room, spend_reserve, tight
from skypool.pool.session import Session
from skypool.pool.view import View
from skypool.storage.filelayer import FileLayer, LocalFiles
from skypool.storage.mounts import file_system

__all__ = ["Opened"]

T = TypeVar("T")


def _over_network(path: str) -> ReadOnly:
    return ReadOnly(
        f"{path} is on a network file system ({file_system(path)}), over which the journal of its"
        " catalogue does not work",
        hint="on the machine that has the disk: `skypool config journal delete`; or clone the pool"
        " to a disk of this machine",
    )


class Opened:
    """A pool that is open, or will be created by the first save; see `Pool`."""

    def __init__(
        self,
        where: str | os.PathLike[str],
        mode: str = "a",
        *,
        max_size: int | str | None = None,
        shared: bool | str = False,
        journal: str | None = None,
        settings: Settings | None = None,
        files: FileLayer | None = None,
    ) -> None:
        self._files = files or LocalFiles()
        if mode not in ("a", "r", "x"):
            raise UsageError(f"the mode {mode!r} is none of 'a', 'r', 'x'")
        self._settings = settings or from_environment()
        self.path = locate(where, self._settings)
        self.mode = mode
        self._commit: int | None = None
        self._owner = True
        self._session: Session | None = None
        self._lock = threading.RLock()
        self._new = (checked_settings(max_size, shared, journal), journal is not None)
        # Why nobody may write, where it is not for want of leave.
        self._refused: StorageError | None = None
        self._replaced: list[Session] = []
        if mode == "x":
            if is_pool(self.path):
                raise PoolExists(f"there is a pool at {self.path} already")
            self._create(exclusive=True)
        elif is_pool(self.path):
            self._open()
        elif mode == "r":
            raise missing_pool(self.path, self._settings)

    # -- opening

    def _open(self) -> None:
        folder = PoolFolder.open(self.path, self._files)
        writable = self.mode != "r" and os.access(self.path, os.W_OK)
        self._refused = None
        if writable and folder.keeping.network and folder.settings.journal == "wal":
            writable, self._refused = False, _over_network(self.path)
        try:
            if writable:
                folder.complete()
            self._session = Session(folder, self._settings, writable=writable)
        except StorageError:
            if not writable or not (is_full(self.path) or no_room_beside(folder.catalogue)):
                raise
            self._session = Session(folder, self._settings, writable=False)
            self._refused = no_room(self.path)
        except PoolNotFound as error:
            if self.mode == "r":
                raise
            raise self._no_permission(
                f"{error.message}, and you have no permission to write in it"
            ) from None

    def _create(self, *, exclusive: bool = False) -> Session:
        with self._lock:
            if self._session is None:
                settings, chosen = self._new
                fitting = fitting_journal(self.path)
                if not chosen:
                    settings = replace(settings, journal=fitting)
                elif settings.journal == "wal" != fitting:
                    raise UsageError(_over_network(self.path).message, hint="--journal delete")
                PoolFolder.create(self.path, self._files, exclusive=exclusive, settings=settings)
                self._open()
            assert self._session is not None
            return self._session

    @property
    def exists(self) -> bool:
        """Whether the pool has been created."""
        if self._session is None and is_pool(self.path):
            with self._lock:
                if self._session is None:
                    self._open()
        return self._session is not None

    @property
    def view(self) -> View:
        """The pool as of its commit.

        Raises
        ------
        NotFound
            If the pool has not been created yet.
        """
        if not self.exists:
            raise NotFound(f"the pool {self.path} is empty: nothing was saved in it yet")
        assert self._session is not None
        return View(self._session, self._commit)

    def _check_changing(self) -> None:
        if self._commit is not None:
            raise ReadOnly(
                f"this is the pool as of commit {self._commit}, which nobody can change",
                hint="change the pool itself",
            )
        if self.mode == "r":
            raise ReadOnly("the pool is open for reading", hint='open it with mode="a"')

    def _changing(self) -> View:
        self._check_changing()
        session = self._session or self._create()
        if not session.writable:
            raise self._refused or self._no_permission(
                f"you have no permission to write in {self.path}"
            )
        return View(session)

    def _giving_up(self) -> View:
        """Return the pool for what gives space back: it may take the reserve for that."""
        self._check_changing()
        refused = isinstance(self._refused, DiskFull)
        if self._session is not None and (refused or is_full(self.path)):
            spend_reserve(self._session.folder)
            if refused:
                self._renew()
        return self._changing()

    def _freeing(self, act: Callable[[View], T]) -> T:
        """Do what gives space back; once more, by small steps, where that found no room.

        A quota of the file system is not seen beforehand.
        """
        view = self._giving_up()
        folder = view.session.folder
        try:
            return act(view)
        except DiskFull:
            if not spend_reserve(folder) and is_full(folder.path):
                raise
        with tight(folder.path):
            return act(self._giving_up())

    def _renew(self) -> None:
        """Open the pool once more; refs that there are go on reading by what was open."""
        with self._lock:
            if self._session is not None:
                self._replaced.append(self._session)
            self._open()

    def _no_permission(self, message: str) -> ReadOnly:
        return ReadOnly(
            message, hint="ask its owner, or copy what you need into a pool of your own"
        )

    @property
    def settings(self) -> Settings:
        """What is set from outside."""
        return self._settings

    @property
    def name(self) -> str:
        """Name of the pool, as its URNs show it."""
        return self.view.session.folder.name if self.exists else os.path.basename(self.path)

    def close(self) -> None:
        """Give back files and locks; the pool object is not used again."""
        session, self._session = self._session, None
        if session is not None and self._commit is None and self._owner:
            for old in (*self._replaced, session):
                old.close()

    def shared(self) -> Self:
        """Return another object for the same open pool: closing it leaves this one open."""
        found = self.exists  # what is not there yet, the other object opens for itself
        pool = type(self).__new__(type(self))
        pool.__dict__.update(self.__dict__)
        pool._owner = not found
        return pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        from skypool.pool.display import pool_html

        return pool_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.pool.display import pool_keys

        return pool_keys(self)

    def __repr__(self) -> str:
        at = f", as of commit {self._commit}" if self._commit is not None else ""
        return f"Pool({self.path!r}{at})"
