"""Search: the catalogue cuts the candidates, the query decides on what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from skypool.errors import UsageError
from skypool.pool.hits import Hits, ProductSubject, of_kind
from skypool.pool.ref import Ref
from skypool.pool.view import View

__all__ = ["find"]


def find(
    view: View,
    query: str | Callable[..., Any],
    *,
    kind: str | None,
    values: Mapping[str, Any],
    all_versions: bool,
) -> Hits:
    """Return the products that a query finds; see `Pool.find`."""
    candidates = of_kind(_all(view, all_versions=all_versions), kind)
    if callable(query):
        if values:
            raise UsageError("values are for queries as text; a function has its own")
        return Hits(ref for ref in candidates if query(ref.product))
    if not query.strip():
        return Hits(candidates)
    return Hits(_matching(view, candidates, query, values))


def _matching(
    view: View, candidates: Iterable[Ref], query: str, values: Mapping[str, Any]
) -> Iterator[Ref]:
    from skypool.query.evaluate import matches
    from skypool.query.grammar import parse

    tree = parse(query, values)
    for ref in candidates:
        if matches(tree, ProductSubject(view, ref), query):
            yield ref


def _all(view: View, *, all_versions: bool) -> Iterator[Ref]:
    for ref in view.listing():
        yield from ref.versions if all_versions else (ref,)
