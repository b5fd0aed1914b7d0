"""Search: the catalogue cuts the candidates, the query decides on what is left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.pool.hits import Hits, ProductSubject, of_kind
from skypool.pool.near import Rows, nearest
from skypool.pool.ref import Ref
from skypool.pool.view import View

if TYPE_CHECKING:
    from skypool.query.tree import Node

__all__ = ["check_query", "find"]


def check_query(query: str | Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raise `QueryError` for a query that cannot be understood, without any pool."""
    if isinstance(query, str) and query.strip():
        from skypool.query.grammar import parse

        parse(query, values)


def find(
    view: View,
    query: str | Callable[..., Any],
    *,
    kind: str | None,
    values: Mapping[str, Any],
    all_versions: bool,
    near: Any = None,
    radius: Any = None,
) -> Hits:
    """Return the products that a query finds; see `Pool.find`."""
    if near is not None:
        rows = Rows(view, near, radius)
        text = query if isinstance(query, str) and query.strip() else "True"
        found = _matching(view, text, values, all_versions=all_versions, documents=rows.documents)
        chosen = rows.of(of_kind(found, kind))
        if callable(query):
            chosen = ((ref, at) for ref, at in chosen if query(ref.product))
        pairs = list(chosen)
        return Hits((ref for ref, _ in pairs), [at for _, at in pairs])
    if radius is not None:
        raise UsageError("a radius goes with near=...", hint="write find(..., near=, radius=)")
    if callable(query):
        if values:
            raise UsageError("values are for queries as text; a function has its own")
        candidates = of_kind(_all(view, all_versions=all_versions), kind)
        return Hits(ref for ref in candidates if query(ref.product))
    if not query.strip():
        return Hits(of_kind(_all(view, all_versions=all_versions), kind))
    found = _matching(view, query, values, all_versions=all_versions)
    return Hits(of_kind(found, kind))


def _matching(
    view: View,
    query: str,
    values: Mapping[str, Any],
    *,
    all_versions: bool,
    documents: Collection[bytes] | None = None,
) -> Iterator[Ref]:
    from skypool.catalogue.search import search
    from skypool.query.check import check_names
    from skypool.query.evaluate import matches
    from skypool.query.grammar import parse
    from skypool.query.sky import split_nearest

    catalogue = view.session.catalogue
    whole = parse(query, values)
    check_names(whole, catalogue.keys(), query)
    place, tree = split_nearest(whole)

    def find(tree: Node) -> Iterator[Ref]:
        found = search(
            catalogue.database,
            tree,
            view.at,
            all_versions=all_versions,
            documents=documents,
        )
        for row, decided in found:
            ref = view.ref(row)
            if decided or matches(tree, ProductSubject(view, ref), query):
                yield ref

    yield from find(tree) if place is None else nearest(view, place, tree, find)


def _all(view: View, *, all_versions: bool) -> Iterator[Ref]:
    for ref in view.listing():
        yield from ref.versions if all_versions else (ref,)
