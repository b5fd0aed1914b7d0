"""What a server does to be quick and small: it reads what everybody asks for before they do."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from skypool.codec.direct import ready
from skypool.errors import SkypoolError
from skypool.model.attributes.names import CORE

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.pool.pool import Pool
    from skypool.server.context import Context

__all__ = ["frugal", "is_large", "warm"]

# Each of the threads has a connection of its own, and the system keeps the file in memory as well.
_CACHE_KB: Final = 2048
# Chunks of images are read once: memory that is used again at once is quicker than memory that
# keeps them.
_CHUNKS: Final = 8 * 2**20
_COLUMNS: Final = 40 * 2**20
# In a smaller pool everything is read in no time.
MANY: Final = 20_000
# Runs whose texts are read at once: 30 ms.
_RUNS: Final = 1
# What the first image would wait for.
_OF_IMAGES: Final = ("numpy.ma", "skypool.sky.celestial")
# What a page counts at first, then what is clicked on most.
_KEYS: Final = ("instrument", "kind", "start", "object", "band", "obs_mode", "level", "proposal")


def frugal(pool: Pool) -> None:
    """Have a pool keep less in memory than a script would."""
    from skypool.catalogue.columns import columns_of

    if pool.exists:
        session = pool.view.session
        session.store.limit_cache(_CHUNKS)
        database = session.catalogue.database
        database.cache_kb = _CACHE_KB
        columns_of(database).most_bytes = _COLUMNS


def warm(context: Context) -> None:
    """Read what the first search, its facets and free text will need, and what images need."""
    large = [pool for pool in context.pools.all().values() if _holds_many(pool)]
    if large:
        _first_rows(context)
    for name in _OF_IMAGES:
        importlib.import_module(name)
    ready()
    if large:
        _read_all(context, large)


def _first_rows(context: Context) -> None:
    # Whoever asks is told of what is wrong.
    with contextlib.suppress(SkypoolError):
        # Everything is what a page shows first, and it comes without being asked for by name.
        from skypool.server.results_routes import searched

        searched(context, {})
        for label in context.pools.all():
            context.pools.facts(label)


def _read_all(context: Context, pools: Sequence[Pool]) -> None:
    with contextlib.suppress(SkypoolError):
        # The first rows may have been there before the others.
        from skypool.server.cursors import Results
        from skypool.server.search import Asking

        context.part(Results).ask(Asking.of({})).hits  # noqa: B018
    for pool in pools:
        with contextlib.suppress(SkypoolError):
            _read_ahead(context, pool)


def _holds_many(pool: Pool) -> bool:
    with contextlib.suppress(SkypoolError):
        return pool.exists and is_large(pool.view.session.catalogue.database)
    return False


def is_large(database: Database) -> bool:
    """Tell whether a catalogue has so many documents that reading what they say takes a while."""
    ((documents,),) = database.query("SELECT coalesce(sum(documents), 0) FROM runs")
    return bool(documents >= MANY)


def _read_ahead(context: Context, pool: Pool) -> None:
    """Read columns and texts, a little at a time: whoever asks meanwhile comes between."""
    from skypool.catalogue.columns import BY_DOCUMENT, columns_of
    from skypool.catalogue.search_words import words_of

    catalogue = pool.view.session.catalogue
    database = catalogue.database
    known = {key.casefold() for key in list(catalogue.keys())}
    known.update(BY_DOCUMENT, (each.name for each in CORE))
    for key in (each for each in _KEYS if each in known):
        done = False
        while not done and not context.hub.closed:
            context.wait_for_quiet()
            with columns_of(database).reading() as columns:
                done = columns.read_some(key)
    done = False
    while not done and not context.hub.closed:
        context.wait_for_quiet()
        with columns_of(database).reading() as columns, database.reading() as connection:
            done = words_of(columns).read(connection, _RUNS)
