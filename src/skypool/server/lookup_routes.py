"""Routes that help to write a search: completion, keys, saved searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from skypool.server.complete import complete, list_keys
from skypool.server.endpoint import Endpoint, Parameter, integer, items, text
from skypool.server.schema import ANY, BOOLEAN, INTEGER, TEXT, listing, record
from skypool.server.search import SEARCH
from skypool.server.views import delete_view, list_views, save_view

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["routes"]

_GROUP: Final = "Results"
_NAME: Final = Parameter(name="name", place="path", required=True, summary="of the saved search")
_MAYBE: Final = {"type": ["string", "null"]}
_ITEM: Final = record(
    ["text", "kind", "detail", "count"],
    text=TEXT,
    kind={"type": "string", "enum": ["key", "value", "function", "tag", "name"]},
    detail=TEXT,
    count={"type": ["integer", "null"]},
)
_COMPLETION: Final = record(
    ["start", "end", "items"],
    start=INTEGER,
    end=INTEGER,
    items=listing(_ITEM),
    error=record(["message"], message=TEXT, column={"type": ["integer", "null"]}, hint=_MAYBE),
)
_KEY: Final = record(
    ["key", "core", "type", "unit", "products"],
    key=TEXT,
    core=BOOLEAN,
    type=TEXT,
    unit=_MAYBE,
    products=INTEGER,
)


def routes(context: Context) -> list[Endpoint]:
    """Return the routes that help to write a search."""
    search = dict(SEARCH["properties"])
    pools = items("pools", "labels; by default all that are open")
    view = record(["name", "pool", "search", "columns", "missing"], name=TEXT, pool=TEXT,
                  search=ANY, columns=listing(TEXT), missing=listing(TEXT))  # fmt: skip
    return [
        Endpoint(
            method="GET", path="complete", answer=complete, group=_GROUP,
            summary="What may stand at the caret of a query", result=_COMPLETION,
            parameters=[text("text", ""), integer("caret", None, 0, 1_000_000), pools],
        ),
        Endpoint(
            method="GET", path="keys", answer=list_keys, group=_GROUP, slow=True,
            summary="The keys that products have", parameters=[pools, text("search", "")],
            result=record(["keys"], keys=listing(_KEY)),
        ),
        Endpoint(
            method="GET", path="views", answer=list_views, group=_GROUP,
            summary="The saved searches", result=record(["views"], views=listing(view)),
        ),
        Endpoint(
            method="PUT", path="views/{name:path}", answer=save_view, group=_GROUP, changes=True,
            summary="Save a search in the pool", parameters=[_NAME],
            body=record([], search, columns=listing(TEXT, maxItems=200)),
            result=record(["name", "ref"], name=TEXT, ref=TEXT),
        ),
        Endpoint(
            method="DELETE", path="views/{name:path}", answer=delete_view, group=_GROUP,
            changes=True, summary="Remove a saved search", parameters=[_NAME],
        ),
    ]  # fmt: skip
