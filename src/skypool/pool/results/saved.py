"""Searches that are kept in the pool under a name.

A saved search is a product of the kind `Search`: it has versions, an author and a history, and
goes along with clones, pulls and rebuilt catalogues, as all products do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import NotFound, UsageError
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.model.product import Product

__all__ = ["FOLDER", "KIND", "SavedSearch", "search_named", "search_product"]

KIND: Final = "Search"
FOLDER: Final = "searches"
_OPTIONS: Final = frozenset(
    {"kind", "order_by", "limit", "columns", "all_versions", "all_names", "at", "pools"}
)


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that is kept.

    Attributes
    ----------
    name : str
        What it is called.
    query : str
        In the query language.
    options : mapping
        Those of `Pool.find` that differ from the usual: kind, order_by, limit, columns,
        all_versions, all_names; `at`, the commit or time as of which it is asked; `pools`, the
        names or paths of the pools that the browsers ask, where it was several or another.
    ref : Ref
        The version that holds it.
    """

    name: str
    query: str
    options: Mapping[str, Any]
    ref: Ref

    @classmethod
    def of(cls, ref: Ref) -> SavedSearch:
        """Read a version of the kind `Search`.

        Parameters
        ----------
        ref
            The version.
        """
        options = json.loads(str(ref.meta["options"].value))
        query = str(ref.meta["query"].value)
        return cls(ref.name.removeprefix(FOLDER + "/"), query, options, ref)


def search_product(query: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> Product:
    """Return the product that holds a search; bound values are written out.

    Raises
    ------
    QueryError
        If the query cannot be understood.
    """
    from skypool.model.product import Product
    from skypool.query.grammar import parse

    if not isinstance(query, str):
        raise UsageError("a search is saved as text; a function cannot be kept in a pool")
    strange = set(options) - _OPTIONS
    if strange:
        raise UsageError(f"a saved search has no option {', '.join(sorted(strange))}")
    if query.strip():
        tree = parse(query, values)
        if values:
            query = tree.to_text()
    kept = {key: value for key, value in options.items() if value not in (None, False, (), [], "")}
    order = kept.get("order_by")
    if isinstance(order, Sequence) and not isinstance(order, str):
        kept["order_by"] = list(order)
    for key in ("columns", "pools"):
        if key in kept:
            kept[key] = list(kept[key])
    return Product(
        kind=KIND,
        type="SEARCH",
        description=f"search: {query}",
        meta={"query": query, "options": json.dumps(kept, sort_keys=True)},
    )


def search_named(pool: Any, name: str) -> SavedSearch:
    """Return the saved search of a name.

    Raises
    ------
    NotFound
        If there is none; those that there are are listed.
    """
    if pool.exists:
        try:
            ref = pool[f"name:{FOLDER}/{name}"]
        except NotFound:
            pass
        else:
            if ref.kind == KIND:
                return SavedSearch.of(ref)
    raise NotFound(
        f"there is no saved search {name!r}",
        candidates=list(pool.searches()),
        hint="pool.save_search(name, query), or `skypool find QUERY --save NAME`, keeps one",
    )
