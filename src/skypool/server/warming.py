"""What a server does to be quick and small: it reads what everybody asks for before they do."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Final

from skypool.errors import SkypoolError

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.pool.pool import Pool
    from skypool.server.context import Context

__all__ = ["frugal", "steady_memory", "warm"]

# Each of the threads has a connection of its own, and the system keeps the file in memory as well.
_CACHE_KB: Final = 8192
_COLUMNS: Final = 48 * 2**20
# Parameters of glibc's mallopt.
_TRIM, _MAP, _ARENAS = -1, -3, -8
_LARGE: Final = 128 * 2**10
# In a smaller pool everything is read in no time.
_MANY: Final = 20_000
_RUNS: Final = 4
_KEYS: Final = ("instrument", "object", "band", "obs_mode", "level", "proposal")


def frugal(pool: Pool) -> None:
    """Have a pool keep less in memory than a script would."""
    from skypool.catalogue.columns import columns_of

    if pool.exists:
        database = pool.view.session.catalogue.database
        database.cache_kb = _CACHE_KB
        columns_of(database).most_bytes = _COLUMNS


def steady_memory() -> None:
    """Have large arrays given back to the system when they are freed.

    By default glibc takes ever larger ones from its heap once some were freed, and the heap of a
    server that runs for days never shrinks.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for parameter, value in ((_MAP, _LARGE), (_TRIM, _LARGE), (_ARENAS, 2)):
        mallopt(parameter, value)


def _read_words(context: Context, database: Database) -> None:
    """Read the texts for free text, a few runs at a time: whoever asks meanwhile comes between."""
    from skypool.catalogue.columns import columns_of
    from skypool.catalogue.search_words import words_of

    done = False
    while not done and not context.hub.closed:
        context.wait_for_quiet()
        with columns_of(database).reading() as columns, database.reading() as connection:
            done = words_of(columns).read(connection, _RUNS)


def warm(context: Context) -> None:
    """Read what the first search, its facets and free text will need."""
    from skypool.catalogue.columns import columns_of
    from skypool.pool.results.facets import facets

    for pool in context.pools.all().values():
        try:
            if not pool.exists:
                continue
            database = pool.view.session.catalogue.database
            with columns_of(database).reading() as columns:
                if columns.count() < _MANY:
                    continue
                columns.visible(pool.view.at)
            hits = pool.find("")
            known = {key.casefold() for key in list(pool.view.session.catalogue.keys())}
            for key in _KEYS:
                context.wait_for_quiet()
                if context.hub.closed:
                    return
                if key in known:
                    facets(hits, [key], 1)
            _read_words(context, database)
        except SkypoolError:  # whoever asks is told
            continue
