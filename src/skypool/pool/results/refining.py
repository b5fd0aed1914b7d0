"""Further questions to what a search found."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.catalogue.interface import NUMBERS
from skypool.catalogue.search import Found, Scope, find_numbers
from skypool.errors import UsageError
from skypool.pool.near import nearest
from skypool.pool.results.deciding import decided, taken
from skypool.pool.results.hits import Hits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skypool.pool.finding import Search
    from skypool.pool.results.snapshot import Snapshot
    from skypool.query.tree import Node

__all__ = ["refined"]


def refined(hits: Hits, query: str | Callable[..., Any], values: Mapping[str, Any]) -> Hits:
    """Return those of some hits for which a further query holds; see `Hits.where`."""
    if callable(query):
        from skypool.pool.results.functions import chosen

        if values:
            raise UsageError("values are for queries as text; a function has its own")
        return chosen(hits, query, limit=None, progress=None, workers=None)
    from skypool.pool.finding import Search

    search = Search(query=query, values=values, all_versions=hits.old, all_names=True)
    tree, _ = search.check()
    numbers = hits.as_array()
    pools = np.zeros(len(numbers), np.int64) if hits.pools is None else np.array(hits.pools)
    kept = np.zeros(len(numbers), bool)
    for pool, snapshot in enumerate(hits.snapshots):
        mine = pools == pool
        found = _among(snapshot, search, tree, numbers[mine])
        kept[mine] = np.isin(numbers[mine], np.array(found, np.int64))
    return hits.taken(np.flatnonzero(kept).tolist())


def _among(
    snapshot: Snapshot, search: Search, tree: Node, mine: NDArray[np.int32]
) -> Collection[int]:
    """Return those of some versions for which a query holds."""
    from skypool.query.check import check_datasets, check_names
    from skypool.query.sky import split_nearest

    catalogue = snapshot.view.session.catalogue
    check_names(tree, catalogue.keys(), search.text)
    check_datasets(tree, catalogue.datasets, search.text)
    place, rest = split_nearest(tree)

    def among(tree: Node) -> Hits:
        scope = Scope(search.all_versions)
        found = find_numbers(catalogue.database, tree, snapshot.at, scope)
        numbers = np.array(found.numbers, np.int32)
        numbers = numbers[np.isin(numbers, mine)]
        undecided = found.undecided.intersection(numbers.tolist()) if found.undecided else set()
        fewer = Found(array(NUMBERS, numbers.tobytes()), None, frozenset(undecided), found.rows)
        places = decided(snapshot, tree, fewer, search.text, None, merged=False)
        return Hits((snapshot,), taken(fewer.numbers, places))

    if place is None:
        return among(rest).numbers
    return [ref.number for ref in nearest(snapshot.view, place, rest, among)]
