"""What the options before the verb say, and how the pool is found."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import click

from skypool.config import Settings, from_environment
from skypool.errors import PoolNotFound

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["DEFAULT_POOL", "MARKER", "Place", "State", "nearest_pool"]

#: Name of the pool that is used where none is named and none is near.
DEFAULT_POOL = "default"

#: File that makes a folder a pool.
MARKER = "skypool.json"

How = Literal["option", "environment", "nearest", "default"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pool of a command is.

    Attributes
    ----------
    text
        Name, path or URL, as `Pool` takes it.
    how
        What named it.
    folder
        The folder, where it is one on this machine.
    """

    text: str
    how: How
    folder: str | None

    @property
    def exists(self) -> bool:
        """Whether a pool is there; True for places that only opening can tell."""
        return self.folder is None or os.path.isfile(os.path.join(self.folder, MARKER))


@dataclass(slots=True)
class State:
    """One run of the program: its options and what it has opened.

    Attributes
    ----------
    pool
        What `-p` gave; None without.
    json
        Whether one JSON object (or one a line) is wanted.
    debug
        Whether unexpected errors show their traceback.
    no_colour
        Whether colours are off although the output is a terminal.
    settings
        What the environment says.
    """

    pool: str | None = None
    json: bool = False
    debug: bool = False
    no_colour: bool = False
    settings: Settings = field(default_factory=from_environment)

    def place(self, given: str | None = None) -> Place | None:
        """Find the pool: `-p`, `$SKYPOOL`, the nearest upwards, the default pool.

        Parameters
        ----------
        given
            A name, path or URL that goes before all of them.

        Returns
        -------
        Place or None
            None where nothing is named, nothing is near and there is no default pool.
        """
        text = given if given is not None else self.pool
        if text is not None:
            return self._named(text, "option")
        if self.settings.pool is not None:
            return self._named(self.settings.pool, "environment")
        folder = nearest_pool(os.path.abspath(os.curdir))
        if folder is not None:
            return Place(folder, "nearest", folder)
        default = self._named(DEFAULT_POOL, "default")
        return default if default.exists else None

    def default_place(self) -> Place:
        """Give the place of the default pool, there or not."""
        return self._named(DEFAULT_POOL, "default")

    def _named(self, text: str, how: How) -> Place:
        if "://" in text:
            return Place(text, how, None)
        if text in (".", "..") or os.sep in text:
            text = os.path.abspath(text)
            return Place(text, how, text)
        return Place(text, how, os.path.abspath(os.path.join(self.settings.home, text)))

    def open(self, *, write: bool = False, at: str | None = None) -> Pool:
        """Open the pool of this command; it is closed when the command ends.

        Parameters
        ----------
        write
            Whether the command changes the pool.
        at
            Commit number or time: the pool as it was then.

        Returns
        -------
        Pool

        Raises
        ------
        PoolNotFound
            There is none.
        """
        place = self.place()
        if place is None:
            raise PoolNotFound(
                "there is no pool here",
                hint="make one with `skypool init`, add to one with `skypool add`, or name one"
                " with -p POOL or $SKYPOOL; `skypool pools` lists those that have names",
            )
        return self.open_place(place, write=write, at=at)

    def open_place(
        self, place: Place, *, write: bool = False, create: bool = False, at: str | None = None
    ) -> Pool:
        """Open the pool at a place.

        Parameters
        ----------
        place
            Where it is.
        write
            Whether the command changes the pool.
        create
            Whether it is made where it is missing.
        at
            Commit number or time: the pool as it was then.

        Returns
        -------
        Pool
        """
        from skypool.pool.pool import Pool

        # Mode "a" would make a missing pool; only `add` and `init` may.
        mode = "a" if write and (create or place.exists) else "r"
        pool: Pool = Pool(place.text, mode=mode)
        click.get_current_context().call_on_close(pool.close)
        if at is not None:
            return pool.at(int(at) if at.isascii() and at.isdigit() else at)
        return pool

    @property
    def colour(self) -> bool:
        """Whether the output may have colours."""
        return not self.no_colour and not self.json and sys.stdout.isatty()

    def note(self, text: str) -> None:
        """Say something that is not data: on standard error."""
        click.echo(text, err=True)


def nearest_pool(folder: str) -> str | None:
    """Find the nearest pool upwards.

    Parameters
    ----------
    folder
        Where to start; the folder itself counts.

    Returns
    -------
    str or None
        The folder that is a pool.
    """
    while True:
        if os.path.isfile(os.path.join(folder, MARKER)):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
