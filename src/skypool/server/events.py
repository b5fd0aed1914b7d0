"""Server-sent events: commits of others, jobs, selections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import StreamingResponse

from skypool.errors import SkypoolError
from skypool.server.answers import to_json

if TYPE_CHECKING:
    from starlette.responses import Response

    from skypool.pool.pool import Pool
    from skypool.server.context import Context
    from skypool.server.endpoint import Asked

__all__ = ["Commits", "event_stream"]

_LOOK: Final = 1.0
_BEAT: Final = 15.0


class Commits:
    """Which commit of each pool clients have seen, and what came since.

    Parameters
    ----------
    context
        What the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._seen: dict[str, int] = {}

    def seen(self, label: str, commit: int) -> None:
        """Take note that a client has an answer as of a commit."""
        self._seen[label] = max(commit, self._seen.get(label, 0))

    def news(self, told: dict[str, int]) -> list[dict[str, Any]]:
        """Return what there is to tell of pools; *told* holds what was told, and is renewed."""
        found = []
        for label, pool in self._context.pools.all().items():
            with contextlib.suppress(SkypoolError):
                head = pool.view.at if pool.exists else 0
                seen = self._seen.setdefault(label, head)
                if head > max(seen, told.get(label, 0)):
                    found.append({"label": label, "commit": head, "new": _saved(pool, seen, head)})
                told[label] = head
        return found


def _saved(pool: Pool, after: int, until: int) -> int:
    """Count the versions that commits have brought."""
    view = pool.view
    ((count,),) = view.session.catalogue.database.query(
        "SELECT count(*) FROM versions WHERE since > ? AND since <= ?", (after, until)
    )
    return int(count)


async def event_stream(asked: Asked) -> Response:
    """Answer with events until the client or the server ends."""
    return StreamingResponse(
        _events(asked.context), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _events(context: Context) -> AsyncIterator[bytes]:
    commits = context.part(Commits)
    told: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    with context.hub.listening() as queue:
        yield b"retry: 1000\n: hello\n\n"
        said = loop.time()
        while True:
            for data in await context.look(commits.news, told):
                yield _written("pool", data)
                said = loop.time()
            try:
                event = await asyncio.wait_for(queue.get(), _LOOK)
            except TimeoutError:
                if loop.time() - said > _BEAT:  # tells whether the client is still there
                    yield b": still here\n\n"
                    said = loop.time()
                continue
            if event is None:
                return
            yield _written(event.name, event.data)
            said = loop.time()


def _written(name: str, data: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + to_json(data) + b"\n\n"
