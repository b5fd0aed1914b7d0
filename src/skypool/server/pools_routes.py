"""Routes of pools: which are open, opening and closing, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from skypool import __version__
from skypool.server.action_results import EVENTS
from skypool.server.endpoint import Asked, Endpoint, Parameter
from skypool.server.events import event_stream
from skypool.server.schema import BOOLEAN, INTEGER, TEXT, component, listing, record, told

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["routes"]

_GROUP: Final = "Pools"
_FACTS: Final = component(
    "Pool",
    record(
        ["label", "name", "path", "writable", "alive"], more=True,
        label=told(TEXT, "what refs of its versions begin with"), name=TEXT, path=TEXT,
        writable=BOOLEAN, alive=told(BOOLEAN, "whether it can be read; else problem says why not"),
        problem=TEXT, products=INTEGER, versions=INTEGER,
        commit=told(INTEGER, "the newest one"), bytes_stored=INTEGER,
    ),
    "A pool that is open.",
)  # fmt: skip
_POOLS: Final = record(
    ["pools", "known", "read_only", "version", "user"],
    pools=listing(_FACTS),
    known=told(listing(record(["name", "path"], name=TEXT, path=TEXT)), "named, and not open"),
    read_only=BOOLEAN,
    version=TEXT,
    user=TEXT,
)
_LABEL: Final = Parameter(name="label", place="path", required=True, summary="of the open pool")


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of pools."""
    return [
        Endpoint(
            method="GET", path="pools", answer=_pools, group=_GROUP,
            summary="The pools that are open, and the named ones that are not", result=_POOLS,
        ),
        Endpoint(
            method="POST", path="pools", answer=_open, group=_GROUP, summary="Open one more pool",
            body=record(["path"], path={**TEXT, "minLength": 1, "maxLength": 4096}, create=BOOLEAN),
            result=_FACTS,
        ),
        Endpoint(
            method="DELETE", path="pools/{label}", answer=_shut, parameters=[_LABEL],
            group=_GROUP, summary="Close a pool; nothing is deleted", result=record(),
        ),
        Endpoint(
            method="GET", path="events", answer=event_stream, media="text/event-stream",
            group=_GROUP, events=EVENTS,
            summary="What happens, as server-sent events: pool, job, selected",
        ),
    ]  # fmt: skip


def _pools(asked: Asked) -> dict[str, Any]:
    pools = asked.context.pools
    return {
        "pools": [pools.facts(label) for label in pools.all()],
        "known": pools.known(),
        "read_only": asked.context.read_only,
        "version": __version__,
        "user": asked.context.settings.author,
    }


def _open(asked: Asked) -> dict[str, Any]:
    label = asked.context.pools.open(asked.body["path"], create=asked.body.get("create", False))
    return asked.context.pools.facts(label)


def _shut(asked: Asked) -> dict[str, Any]:
    asked.context.pools.shut(asked["label"])
    return {}
