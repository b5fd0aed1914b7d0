"""Routes of pools: which are open, opening and closing, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from skypool import __version__
from skypool.server.action_results import EVENTS
from skypool.server.endpoint import Asked, Endpoint, Parameter
from skypool.server.events import event_stream
from skypool.server.schema import BOOLEAN, TEXT, record

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["routes"]

_GROUP: Final = "Pools"
_LABEL: Final = Parameter(name="label", place="path", required=True, summary="of the open pool")


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of pools."""
    return [
        Endpoint(
            method="GET", path="pools", answer=_pools, group=_GROUP,
            summary="The pools that are open, and the named ones that are not",
        ),
        Endpoint(
            method="POST", path="pools", answer=_open, group=_GROUP, summary="Open one more pool",
            body=record(["path"], path={**TEXT, "minLength": 1, "maxLength": 4096}, create=BOOLEAN),
        ),
        Endpoint(
            method="DELETE", path="pools/{label}", answer=_shut, parameters=[_LABEL],
            group=_GROUP, summary="Close a pool; nothing is deleted",
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
