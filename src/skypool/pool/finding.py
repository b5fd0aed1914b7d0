"""Search: the catalogue cuts the candidates, the query decides on what is left."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import NUMBERS
from skypool.catalogue.search import Scope, find_numbers
from skypool.errors import QueryError, UsageError
from skypool.pool.near import Rows, nearest
from skypool.pool.results.deciding import decided, once, taken
from skypool.pool.results.hits import Hits
from skypool.pool.results.ordering import OrderKey, check_keys, ordered, parse_order
from skypool.pool.results.snapshot import Snapshot
from skypool.pool.view import View

if TYPE_CHECKING:
    from skypool.pool.opened import Opened
    from skypool.pool.progress import Progress
    from skypool.query.tree import Call, Node

__all__ = ["Search", "find", "find_in_pools"]

Query = str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for; see `Pool.find`."""

    query: Query = ""
    kind: str | None = None
    where: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    order_by: str | Sequence[str] | None = None
    limit: int | None = None
    columns: Sequence[str] = ()
    all_versions: bool = False
    all_names: bool = False
    progress: Callable[[Progress], object] | None = None
    workers: int | None = None
    near: Any = None
    radius: Any = None

    @property
    def text(self) -> str:
        """The part of it that is in the query language."""
        return self.query if isinstance(self.query, str) else self.where

    def check(self) -> tuple[Node, list[OrderKey]]:
        """Read query and order, without any pool.

        Raises
        ------
        QueryError
            If the query cannot be understood.
        UsageError
            If the rest makes no sense.
        """
        from skypool.query.grammar import parse
        from skypool.query.tree import Literal

        if self.limit is not None and self.limit < 0:
            raise UsageError(f"a limit is not negative: {self.limit}")
        if isinstance(self.query, str) and self.where:
            raise UsageError(
                "where= stands beside a function", hint="join two texts with 'and', or use .where()"
            )
        if not isinstance(self.query, str) and self.values and not self.where:
            raise UsageError("values are for queries as text; a function has its own")
        if self.radius is not None and self.near is None:
            raise UsageError("a radius goes with near=...", hint="write find(..., near=, radius=)")
        text = self.text
        tree = parse(text, self.values) if text.strip() else Literal(True)
        return tree, parse_order(self.order_by)


def find(views: Sequence[View], search: Search) -> Hits:
    """Return the products that a search finds, in one pool or in several."""
    tree, order = search.check()
    _check_known(views, search, tree, order)
    try:
        parts = [_in_pool(view, search, tree, order, alone=len(views) == 1) for view in views]
    except QueryError as error:
        error.text = error.text or search.text  # drivers see the tree only
        raise
    hits = parts[0] if len(parts) == 1 else _together(parts, order)
    if callable(search.query):
        from skypool.pool.results.functions import chosen

        return chosen(
            hits,
            search.query,
            limit=search.limit,
            progress=search.progress,
            workers=search.workers,
        )
    return hits if search.limit is None else hits[: search.limit]


def find_in_pools(
    query: Query = "",
    *,
    pools: Iterable[Opened],
    kind: str | None = None,
    where: str = "",
    order_by: str | Sequence[str] | None = None,
    limit: int | None = None,
    columns: Sequence[str] = (),
    all_versions: bool = False,
    all_names: bool = False,
    progress: Callable[[Progress], object] | None = None,
    workers: int | None = None,
    near: Any = None,
    radius: Any = None,
    values: Mapping[str, Any] | None = None,
    **bound: Any,
) -> Hits:
    """Search several pools at once.

    Parameters
    ----------
    query, kind, where, order_by, limit, columns, all_versions, all_names, progress, workers, \
    near, radius, values, **bound
        As for `Pool.find`.
    pools
        Open pools, or `pool.at(...)`. Each answers for itself: content that is in two of them is
        found in both.

    Returns
    -------
    Hits
        In one order; by default that of the names, then of the pools.

    Examples
    --------
    >>> hits = skypool.find("object == 'M83'", pools=[a, b], order_by="-saved", limit=10)
    """
    search = Search(
        query=query,
        kind=kind,
        where=where,
        values={**(values or {}), **bound},
        order_by=order_by,
        limit=limit,
        columns=tuple(columns),
        all_versions=all_versions,
        all_names=all_names,
        progress=progress,
        workers=workers,
        near=near,
        radius=radius,
    )
    views = [pool.view for pool in pools if pool.exists]
    if not views:
        search.check()
        return Hits()
    return find(views, search)


def _check_known(
    views: Sequence[View], search: Search, tree: Node, order: Sequence[OrderKey]
) -> None:
    """Refuse names that no product of any of the pools has, where a similar one exists."""
    from skypool.query.check import check_datasets, check_names

    known: Collection[str] = views[0].session.catalogue.keys()
    if len(views) > 1:
        known = list({key: None for view in views for key in view.session.catalogue.keys()})  # noqa: SIM118 (no mapping)
    if search.text:
        check_names(tree, known, search.text)
        check_datasets(tree, lambda: _datasets(views), search.text)
    check_keys([key.key for key in order], known, "order_by")


def _datasets(views: Sequence[View]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for view in views:
        for name, columns in view.session.catalogue.datasets().items():
            found.setdefault(name, set()).update(columns)
    return found


def _in_pool(
    view: View, search: Search, tree: Node, order: Sequence[OrderKey], *, alone: bool
) -> Hits:
    from skypool.query.sky import split_nearest

    place, rest = split_nearest(tree)
    if place is not None and not alone:
        raise UsageError("nearest() is asked of one pool", hint="ask one pool after the other")
    rows = None if search.near is None else Rows(view, search.near, search.radius)
    asked = _Asked(Snapshot(view, view.at), search, order, rows)
    hits = asked.answer(rest) if place is None else asked.nearest(place, rest)
    if rows is None:
        return hits
    at = dict(rows.of(hits))
    places = [number for number, ref in enumerate(hits) if ref in at]
    found = hits.taken(places)
    return found.with_numbers(found.numbers, None, [at[ref] for ref in found])


class _Asked:
    """A search in one pool."""

    def __init__(
        self, snapshot: Snapshot, search: Search, order: Sequence[OrderKey], rows: Rows | None
    ) -> None:
        self._snapshot = snapshot
        self._search = search
        self._order = order
        self._scope = Scope(
            search.all_versions, None if rows is None else rows.documents, search.kind
        )
        self._merged = not (search.all_names or search.all_versions)
        # In the order of names the first ones that fit are the answer.
        whole = order or callable(search.query) or rows is not None
        self._enough = None if whole else search.limit

    def answer(self, tree: Node, *, enough: bool = True) -> Hits:
        """Return what a query without `nearest` finds."""
        view, search = self._snapshot.view, self._search
        found = find_numbers(view.session.catalogue.database, tree, self._snapshot.at, self._scope)
        snapshot = Snapshot(view, self._snapshot.at, found.rows)
        places = decided(
            snapshot,
            tree,
            found,
            search.text,
            self._enough if enough else None,
            merged=self._merged and not self._order,
        )
        numbers = taken(found.numbers, places)
        hits = Hits((snapshot,), numbers, columns=search.columns, old=search.all_versions)
        if not self._order:
            return hits
        hits = ordered(hits, self._order)
        return once(hits, found) if self._merged else hits

    def nearest(self, place: Call, rest: Node) -> Hits:
        """Return the products nearest to a place, among what the rest of the query finds."""
        self._order, order = (), self._order
        found = nearest(
            self._snapshot.view, place, rest, lambda tree: self.answer(tree, enough=False)
        )
        hits = Hits(
            (self._snapshot,),
            [ref.number for ref in found],
            columns=self._search.columns,
            old=self._search.all_versions,
        )
        return ordered(hits, order)


def _together(parts: Sequence[Hits], order: Sequence[OrderKey]) -> Hits:
    """Return the hits of several pools as one, in the order of names, then of the pools."""
    numbers = array(NUMBERS)
    pools = array("H")
    for pool, part in enumerate(parts):
        numbers += part.numbers
        pools += array("H", [pool] * len(part))
    snapshots = [part.snapshots[0] for part in parts]
    near = [place for part in parts for place in part.near or ()]
    hits = Hits(
        snapshots,
        numbers,
        pools,
        columns=parts[0].columns,
        old=parts[0].old,
        near=None if parts[0].near is None else near,
    )
    return ordered(hits, [*order, OrderKey("name", False)])
