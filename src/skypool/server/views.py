"""Saved searches: products of the kind `Search` in a pool, as `Pool.save_search` makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import NotFound, ReadOnly
from skypool.pool.results.saved import FOLDER, KIND, search_product
from skypool.server.code_lines import pool_name
from skypool.server.search import Asking

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.server.context import Context
    from skypool.server.endpoint import Asked

__all__ = ["delete_view", "list_views", "save_view"]

# The search as the page has it stands beside the query, so that its facets come back as such.
_PAGE: Final = "page"


def list_views(asked: Asked) -> dict[str, Any]:
    """Return the saved searches of all pools, by name."""
    found: dict[str, dict[str, Any]] = {}
    opened = asked.context.pools.all()
    labels = {pool_name(pool): label for label, pool in opened.items()}
    for label, pool in opened.items():
        for ref in pool.ls(FOLDER) if pool.exists else []:
            if ref.kind != KIND:
                continue
            name = ref.name.removeprefix(FOLDER + "/")
            if name not in found:
                found[name] = {"name": name, "pool": label, **_read(ref, labels)}
    return {"views": [found[name] for name in sorted(found)]}


def _read(ref: Ref, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the search and the columns that a version holds, and pools that are not open."""
    options = json.loads(str(ref.meta["options"].value))
    if _PAGE in ref.meta:
        sent = json.loads(str(ref.meta[_PAGE].value))
    else:
        sent = {"query": str(ref.meta["query"].value)}
        order = options.get("order_by")
        sent["order"] = ",".join(order) if isinstance(order, list) else order
        sent |= {key: options.get(key) for key in ("kind", "all_versions", "all_names", "at")}
    # Labels are those of one server; names are good everywhere.
    names = [str(name) for name in options.get("pools", ())]
    sent["pools"] = [labels[name] for name in names if name in labels]
    return {
        "search": {key: value for key, value in sent.items() if value},
        "columns": list(options.get("columns", ())),
        "missing": [name for name in names if name not in labels],
    }


def save_view(asked: Asked) -> dict[str, Any]:
    """Keep a search under a name, in the first pool that it asks."""
    name = asked["name"].strip("/")
    asking = Asking.of(asked.body)
    chosen = asking.sent.get("pools")
    pool = _writable(asked.context, chosen)
    options = {**asking.options(), "columns": asked.body.get("columns") or ()}
    options["at"] = asking.sent.get("at")
    if chosen:
        options["pools"] = [pool_name(one) for one in asked.context.pools.chosen(chosen).values()]
    product = search_product(asking.query, {}, options)
    product = product.replace(meta={_PAGE: asking.to_json()})
    ref = pool.save(product, f"{FOLDER}/{name}", message=f"save the search {name}")
    return {"name": name, "ref": f"{asked.context.pools.label_of(pool)}/{ref.number}"}


def _writable(context: Context, labels: list[str] | None) -> Pool:
    refused = None
    for label in labels or context.pools.all():
        try:
            return context.pools.changeable(label)
        except ReadOnly as error:
            refused = error
    raise refused or NotFound("no pool is open", hint="open one first")


def delete_view(asked: Asked) -> dict[str, Any]:
    """Remove the saved search of a name; it can be restored as any product."""
    name = f"{FOLDER}/{asked['name'].strip('/')}"
    for label, pool in asked.context.pools.all().items():
        ref = pool.get(f"name:{name}") if pool.exists else None
        if ref is not None and ref.kind == KIND:
            asked.context.pools.changeable(label).remove(ref)
            return {}
    raise NotFound(f"there is no saved search {asked['name']!r}")
