"""What the options before the verb say, and how the pool is found."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import click

from skypool.config import Settings, from_environment
from skypool.errors import PoolNotFound, UsageError

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["DEFAULT_POOL", "Place", "State", "nearest_pool"]

#: Name of the pool that is used where none is named and none is near.
DEFAULT_POOL = "default"

How = Literal["option", "environment", "nearest", "default"]
Mode = Literal["r", "a", "x"]


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
        The folder.
    """

    text: str
    how: How
    folder: str

    @property
    def exists(self) -> bool:
        """Whether a pool is there."""
        return _is_pool(self.folder)


@dataclass(slots=True)
class State:
    """One run of the program: its options and what it has opened.

    Attributes
    ----------
    pools
        What `-p` gave, before the verb and behind it.
    json
        Whether one JSON object (or one a line) is wanted.
    debug
        Whether unexpected errors show their traceback.
    no_colour
        Whether colours are off although the output is a terminal.
    settings
        What the environment says.
    """

    pools: tuple[str, ...] = ()
    json: bool = False
    debug: bool = False
    no_colour: bool = False
    settings: Settings = field(default_factory=from_environment)

    @property
    def pool(self) -> str | None:
        """The one pool that `-p` gave; None without.

        Raises
        ------
        UsageError
            It gave several.
        """
        if len(self.pools) > 1:
            raise UsageError(
                f"this verb works on one pool, not on {len(self.pools)}",
                hint="name one with -p; only `find` asks several at once",
            )
        return self.pools[0] if self.pools else None

    def open_several(self, *, at: str | None = None, write: bool = False) -> dict[str, Pool]:
        """Open all pools that `-p` gave, by what they were called; each once.

        Parameters
        ----------
        at
            Commit number or time: each of them as it was then.
        write
            Whether the command may change them.

        Raises
        ------
        PoolNotFound
            One is not there.
        """
        opened: dict[str, Pool] = {}
        seen: set[str] = set()
        for text in self.pools:
            place = self._named(text, "option")
            folder = os.path.realpath(place.folder)
            if folder not in seen:
                seen.add(folder)
                mode: Mode = "a" if write and place.exists else "r"
                pool = self._open_named(place, mode=mode)
                opened[text] = pool if at is None else pool.at(at)
        return opened

    def place(self) -> Place | None:
        """Find the pool: `-p`, `$SKYPOOL`, the nearest upwards, the default pool.

        Returns
        -------
        Place or None
            None where nothing is named, nothing is near and there is no default pool.
        """
        if self.pool is not None:
            return self._named(self.pool, "option")
        if self.settings.pool is not None:
            return self._named(self.settings.pool, "environment")
        folder = nearest_pool(os.path.abspath(os.curdir))
        if folder is not None:
            return Place(folder, "nearest", folder)
        default = self._named(DEFAULT_POOL, "default")
        return default if default.exists else None

    def named_place(self, text: str) -> Place:
        """Give the place of a pool by its name, path or URL."""
        return self._named(text, "option")

    def default_place(self) -> Place:
        """Give the place of the default pool, there or not."""
        return self._named(DEFAULT_POOL, "default")

    def _named(self, text: str, how: How) -> Place:
        from skypool.pool.named import locate

        folder = locate(text, self.settings)
        # A path is followed from the current folder, whatever changes that later.
        bare = os.sep not in text and text not in (os.curdir, os.pardir)
        return Place(text if bare else folder, how, folder)

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
        # Mode "a" would make a missing pool; only `add` and `init` may.
        mode: Mode = "a" if write and place.exists else "r"
        pool = self._open_named(place, mode=mode)
        return pool if at is None else pool.at(at)

    def _open_named(self, place: Place, *, mode: Mode = "r") -> Pool:
        beside = os.path.join(os.curdir, place.text)
        if not place.exists and place.text in self.pools and _is_pool(beside):
            raise PoolNotFound(
                f"there is no pool called {place.text!r}",
                candidates=[beside],
                hint="a bare name is a pool of yours; the one in this folder is a path",
            )
        return self.open_place(place, mode=mode)

    def open_place(self, place: Place, *, mode: Mode = "r", **options: Any) -> Pool:
        """Open the pool at a place.

        Parameters
        ----------
        place
            Where it is.
        mode
            As `Pool` takes it.
        **options
            What a new one is set to.

        Returns
        -------
        Pool
        """
        from skypool.pool.pool import Pool

        pool = Pool(place.text, mode=mode, settings=self.settings, **options)
        click.get_current_context().call_on_close(pool.close)
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
        if _is_pool(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _is_pool(folder: str) -> bool:
    from skypool.pool.folder import is_pool

    return is_pool(folder)
