"""Routes of results: searching, rows, counts, where a product stands, what is selected."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import QueryError
from skypool.pool.advice import advice
from skypool.server.code_lines import search_code
from skypool.server.counts import facets, histogram, tag_counts
from skypool.server.cursors import FIRST, Cursor, Results, arrays_but
from skypool.server.endpoint import Asked, Endpoint, integer, items, text
from skypool.server.rows import default_columns, page
from skypool.server.schema import ANY, BOOLEAN, INTEGER, TEXT, listing, record
from skypool.server.search import SEARCH, Asking

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["routes", "searched"]

_GROUP: Final = "Results"
_MOST: Final = 1000
# Sizes that are added at once.
_AT_ONCE: Final = 100_000
_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_KEYS: Final = listing(_KEY, maxItems=200)
_REFS: Final = listing(TEXT, maxItems=100_000)
_COLUMN: Final = record(
    ["key", "unit", "type", "label"],
    key=TEXT,
    unit={"type": ["string", "null"]},
    type=TEXT,
    label=TEXT,
)
_ROWS: Final = record(
    ["start", "columns", "rows"],
    start=INTEGER,
    columns=listing(_COLUMN),
    rows=listing(listing(ANY)),
)
_FACET: Final = record(
    ["values", "missing", "different", "unit"],
    values=listing(listing(ANY)),
    missing=INTEGER,
    different=INTEGER,
    unit={"type": ["string", "null"]},
)
_RESULT: Final = record(
    ["cursor", "total", "query", "pools", "columns", "order", "rows", "code", "took_ms"],
    cursor=TEXT,
    total=INTEGER,
    query=TEXT,
    pools={"type": "object", "additionalProperties": INTEGER},
    columns=listing(_COLUMN),
    order=TEXT,
    rows=listing(listing(ANY)),
    code=record(["python", "command", "url"], python=TEXT, command=TEXT, url=TEXT),
    took_ms={"type": "number"},
    advice=listing(TEXT),
)
_HISTOGRAM: Final = record(
    ["edges", "counts", "missing", "unit", "time"],
    edges=listing(ANY),
    counts=listing(INTEGER),
    missing=INTEGER,
    unit={"type": ["string", "null"]},
    time=BOOLEAN,
)
_SELECTED: Final = record(
    ["count", "bytes", "tags"],
    count=INTEGER,
    bytes=INTEGER,
    tags={"type": "object", "additionalProperties": INTEGER},
)


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of results."""
    search = dict(SEARCH["properties"])
    return [
        Endpoint(
            method="POST", path="results", answer=_search, group=_GROUP, summary="Search",
            body=record([], search, show=_KEYS), result=_RESULT,
        ),
        Endpoint(
            method="GET", path="results/{cursor}/rows", answer=_rows, group=_GROUP,
            summary="Some rows of a result", result=_ROWS,
            parameters=[
                integer("start", 0), integer("count", FIRST, 0, _MOST),
                items("columns", "keys and attributes; by default those of the result"),
            ],
        ),
        Endpoint(
            method="POST", path="results/{cursor}/facets", answer=_facets, group=_GROUP,
            slow=True,
            summary="How many have which value; each key without the filter on itself",
            body=record(["keys"], keys=_KEYS, limit={**INTEGER, "minimum": 0, "maximum": 10_000}),
            result=record(
                ["facets"], facets={"type": "object", "additionalProperties": _FACET}
            ),
        ),
        Endpoint(
            method="POST", path="results/{cursor}/histogram", answer=_histogram, group=_GROUP,
            slow=True,
            summary="Numbers or times in bins, without the filter on the key itself",
            body=record(["key"], key=_KEY, bins={**INTEGER, "minimum": 1, "maximum": 1000}),
            result=_HISTOGRAM,
        ),
        Endpoint(
            method="GET", path="results/{cursor}/position", answer=_position, group=_GROUP,
            summary="Where a product stands in the order",
            parameters=[text("ref", required=True)],
            result=record(["index"], index={"type": ["integer", "null"]}),
        ),
        Endpoint(
            method="POST", path="results/{cursor}/selection", answer=_selection, group=_GROUP,
            slow=True,
            summary="What a selection holds",
            body=record(
                [], {"except": _REFS}, all=BOOLEAN, refs=_REFS, cursor={"type": ["string", "null"]}
            ),
            result=_SELECTED,
        ),
    ]  # fmt: skip


def _cursor(asked: Asked) -> Cursor:
    return asked.context.part(Results).get(asked["cursor"])


def _search(asked: Asked) -> dict[str, Any]:
    return searched(asked.context, asked.body)


def searched(context: Context, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a search finds, with its first rows."""
    asking = Asking.of(body)
    asking.query  # noqa: B018 - wrong queries are told before any pool is asked
    cursor = context.part(Results).ask(asking)
    keys = body.get("show") or cursor.kept_once("defaults", lambda: _defaults(cursor))
    rows = cursor.kept_once(("first", *keys), lambda: page(cursor, 0, FIRST, keys))
    pools = [context.pools[label] for label in cursor.commits]
    found = {
        "cursor": cursor.id,
        "total": cursor.total,
        "query": asking.query,
        "pools": cursor.commits,
        "columns": rows["columns"],
        "order": asking.sent.get("order") or "",
        "rows": rows["rows"],
        "code": search_code(asking, pools, body.get("show") or ()),
        "took_ms": round(cursor.took * 1000, 3),
    }
    if not cursor.total and asking.query:
        found["advice"] = cursor.kept_once("advice", lambda: _advice(context, cursor))
    return found


def _defaults(cursor: Cursor) -> list[str]:
    if len(cursor.labels) == 0:
        return default_columns([])
    catalogues = [each.view.session.catalogue for each in cursor.first.snapshots]
    keys = [key for catalogue in catalogues for key in list(catalogue.keys())]
    found = default_columns(keys)
    return ["pool", *found] if len(cursor.labels) > 1 else found


def _advice(context: Context, cursor: Cursor) -> list[str]:
    """Return what may be wrong with a search that finds nothing."""
    asking = cursor.asking
    pools = [context.pools[label] for label in cursor.labels]
    lines = list(islice(advice(asking.query, {}, pools), 5))
    conditions = asking.conditions()
    if 2 <= len(conditions) <= 6:
        for place, condition in enumerate(conditions):
            rest = " and ".join(f"({each})" for n, each in enumerate(conditions) if n != place)
            sent = {k: v for k, v in asking.sent.items() if k in ("pools", "kind", "at")}
            try:
                found = context.part(Results).ask(Asking.of({**sent, "query": rest}))
            except QueryError:
                continue
            if found.total:
                lines.append(f"without `{condition}` there are {found.total}")
    return lines


def _rows(asked: Asked) -> dict[str, Any]:
    cursor = _cursor(asked)
    keys = asked["columns"] or _defaults(cursor)
    return page(cursor, asked["start"], asked["count"], keys)


def _facets(asked: Asked) -> dict[str, Any]:
    limit = int(asked.body.get("limit", 50))
    results = asked.context.part(Results)
    return {"facets": facets(results, _cursor(asked), asked.body["keys"], limit)}


def _histogram(asked: Asked) -> dict[str, Any]:
    results, bins = asked.context.part(Results), int(asked.body.get("bins", 40))
    return histogram(results, _cursor(asked), asked.body["key"], bins)


def _position(asked: Asked) -> dict[str, Any]:
    return {"index": _cursor(asked).place_of(asked["ref"])}


def _selection(asked: Asked) -> dict[str, Any]:
    import numpy as np

    cursor, body = _cursor(asked), asked.body
    if body.get("all"):
        chosen = arrays_but(cursor, body.get("except") or ())
    else:
        found = asked.context.part(Results).selected(body)
        chosen = {label: np.array(numbers, np.int64) for label, numbers in found.items()}
    size = 0
    for label, numbers in chosen.items():
        if label in cursor.labels and len(numbers) > _MOST:
            snapshot = cursor.hits.snapshots[cursor.labels.index(label)]
            with snapshot.columns.reading() as columns:
                codes = columns.attribute("size").of(columns.documents(numbers, snapshot.at))
                sizes = columns.attribute("size").entries.numbers
            for start in range(0, len(codes), _AT_ONCE):
                size += int(sizes[codes[start : start + _AT_ONCE]].sum())
        else:
            size += sum(asked.context.pools.ref(label, each).size for each in numbers.tolist())
    counts, _ = tag_counts(cursor, chosen)
    return {"count": sum(map(len, chosen.values())), "bytes": size, "tags": counts}
