"""The order of hits: by attributes and by any metadata key."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skypool.catalogue.interface import NUMBERS
from skypool.errors import UsageError

if TYPE_CHECKING:
    from skypool.pool.results.hits import Hits
    from skypool.pool.results.values import Values

__all__ = ["OrderKey", "by_key", "check_keys", "ordered", "parse_order"]


class OrderKey(NamedTuple):
    """One key of an order."""

    key: str
    descending: bool


def parse_order(order_by: str | Sequence[str] | None) -> list[OrderKey]:
    """Read an order such as ``"-saved, name"``.

    Parameters
    ----------
    order_by
        Keys with commas between them, or a list of keys; a minus sign before one means from
        the largest to the smallest.

    Raises
    ------
    UsageError
        If a key is missing.
    """
    if order_by is None:
        return []
    parts = order_by.split(",") if isinstance(order_by, str) else list(order_by)
    found = []
    for part in parts:
        text = part.strip()
        key = text[1:].lstrip() if text[:1] in "+-" else text
        if not key:
            raise UsageError(
                f"the order {order_by!r} lacks a key",
                hint='such as "-saved, name": keys with commas, a minus sign for descending',
            )
        found.append(OrderKey(key, text[0] == "-"))
    return found


def check_keys(keys: Sequence[str], known: Collection[str], what: str) -> None:
    """Refuse a key that no product has, where a similar one exists.

    Parameters
    ----------
    keys
        What is asked for.
    known
        All keys of the pool.
    what
        Where it was written, for the error.

    Raises
    ------
    QueryError
        With the similar names.
    """
    from skypool.errors import QueryError
    from skypool.query.check import check_names
    from skypool.query.tree import Name

    for key in keys:
        try:
            check_names(Name(key), known)
        except QueryError as error:
            raise QueryError(
                f"{error.message} ({what})",
                candidates=error.candidates,
                hint=error.hint or "write keys with commas between them, such as -saved,name",
            ) from None


def by_key(hits: Hits, key: str) -> Values:
    """Return which value of a key each hit has."""
    import numpy as np

    from skypool.pool.results.values import Values, joined, values_of

    numbers = hits.as_array()
    if not hits.snapshots:
        return Values(key, np.zeros(0, np.int32), [None])
    if hits.pools is None:
        return values_of(hits.snapshots[0], numbers, key)
    pools = np.array(hits.pools)
    parts, places = [], []
    for pool, snapshot in enumerate(hits.snapshots):
        mine = np.flatnonzero(pools == pool)
        parts.append(values_of(snapshot, numbers[mine], key))
        places.append(mine)
    found = joined(key, parts)
    codes = np.zeros(len(numbers), np.int32)
    codes[np.concatenate(places)] = found.codes
    return Values(key, codes, found.entries, found.truths, found.times)


def ordered(hits: Hits, keys: Sequence[OrderKey]) -> Hits:
    """Return hits in an order; those that agree in all keys stay in the order they are in.

    What lacks a key comes last, whichever way its order goes.
    """
    if len(hits) < 2:
        return hits
    import numpy as np

    order = np.arange(len(hits), dtype=np.int32)
    for key, descending in reversed(keys):
        ranks = by_key(hits, key).ranks()
        missing = ranks == 0
        if descending:
            np.subtract(ranks.max() + 1, ranks, out=ranks)
        ranks[missing] = len(hits) + 1
        ranks = ranks[order]
        order = order[np.argsort(ranks, kind="stable")]
    numbers = array(NUMBERS)
    numbers.frombytes(hits.as_array()[order].view(np.uint8).data)
    pools = None
    if hits.pools is not None:
        pools = array("H", np.array(hits.pools, np.uint16)[order].tobytes())
    near = None if hits.near is None else [hits.near[place] for place in order.tolist()]
    return hits.with_numbers(numbers, pools, near)
