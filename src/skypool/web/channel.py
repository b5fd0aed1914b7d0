"""Requests to an application of this process, by messages instead of a port.

A notebook's page has a channel to the kernel and no address of it, so it sends messages
(docs/design/026-notebook.md). Each becomes a request to the ASGI application, in a loop of its
own thread; what the application answers goes back as messages, with the bytes in their buffers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import threading
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote, urlencode

__all__ = ["ANSWER_LIMIT", "BODY_LIMIT", "PART", "REQUESTS", "Channel"]

Message: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Send: TypeAlias = Callable[[Message, list[bytes]], object]

PREFIX: Final = "/api/v1/"
#: Bytes of one message; Jupyter's server takes at most 10 MiB.
PART: Final = 4 * 2**20
#: Bytes of what may be asked with, and of what is answered.
BODY_LIMIT: Final = 2**30
ANSWER_LIMIT: Final = 64 * 2**20
#: Requests at a time.
REQUESTS: Final = 256
_WORTH_PACKING: Final = 16 * 2**10
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})

_log = logging.getLogger("skypool.web")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop in which applications run, in a thread that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="skypool-widget", daemon=True).start()
    return loop


class _TooLarge(Exception):
    """More was sent or answered than goes through a channel."""


class _Exchange:
    """One request and its answer.

    Parameters
    ----------
    application
        What answers.
    scope
        What is asked, as ASGI has it.
    on_taken
        Called when a part of the body was taken: the next one may come.
    on_bytes
        Gets the parts of the answer as they come, after its start; by default they are kept.
    """

    def __init__(
        self,
        application: Application,
        scope: Message,
        on_taken: Callable[[], object] = lambda: None,
        on_bytes: Callable[[bytes], object] | None = None,
    ) -> None:
        self._application = application
        self._scope = scope
        self._on_taken = on_taken
        self._on_bytes = on_bytes or self._keep
        self._parts: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self._ended = False
        self._taken = 0
        self._kept: list[bytes] = []
        self._size = 0
        self.status = 0
        self.headers: dict[str, str] = {}

    def put(self, part: bytes, last: bool) -> None:
        """Give a part of the body."""
        self._parts.put_nowait((part, last))

    async def run(self) -> bytes:
        """Ask, and return the body of the answer.

        Raises
        ------
        _TooLarge
            If one of both bodies is.
        """
        task = asyncio.ensure_future(self._application(self._scope, self._receive, self._send))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        problem = task.exception()
        if isinstance(problem, _TooLarge):
            raise problem
        # An error of the application itself comes after the answer that tells it.
        if problem is not None and not self.status:
            _log.error("%s %s", self._scope["method"], self._scope["path"], exc_info=problem)
            self.status, self.headers = 500, {"content-type": "application/json"}
            return _error("internal", f"{type(problem).__name__}: {problem}")
        return b"".join(self._kept)

    async def _receive(self) -> Message:
        if self._ended:  # nothing more comes: whoever asks on waits for the end
            await asyncio.Event().wait()
        part, last = await self._parts.get()
        self._ended = last
        self._taken += len(part)
        if self._taken > BODY_LIMIT:
            raise _TooLarge(f"more than {BODY_LIMIT // 2**20} MB were sent through the notebook")
        if not last:
            self._on_taken()
        return {"type": "http.request", "body": part, "more_body": not last}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            pairs = message.get("headers", ())
            self.headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in pairs}
        elif message["type"] == "http.response.body":
            self._on_bytes(message.get("body", b""))

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > ANSWER_LIMIT:
            raise _TooLarge(
                f"this is more than the {ANSWER_LIMIT // 2**20} MB that go through the notebook"
            )
        self._kept.append(part)


class Channel:
    """Answers the messages of pages.

    Parameters
    ----------
    application
        What answers requests.
    send
        Sends a message with buffers to all pages; called in other threads, too.
    """

    def __init__(self, application: Application, send: Send) -> None:
        self._application = application
        self._send = send
        self._loop = _loop()
        # All of these belong to the loop.
        self._exchanges: dict[str, _Exchange] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listeners: set[str] = set()
        self._events: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, content: object, buffers: Sequence[Any] = ()) -> None:
        """Take a message of a page; what is none is not answered."""
        if not isinstance(content, Mapping) or self._closed:
            return
        parts = [bytes(buffer) for buffer in buffers]
        self._loop.call_soon_threadsafe(self._dispatch, dict(content), b"".join(parts))

    def request(self, method: str, path: str, body: object = None) -> Future[tuple[int, bytes]]:
        """Ask from Python; return status and bytes when they come."""

        async def asked() -> tuple[int, bytes]:
            raw = b"" if body is None else json.dumps(body).encode()
            exchange = _Exchange(self._application, _scope(method, path, {}, body is not None))
            exchange.put(raw, last=True)
            answer = await exchange.run()
            return exchange.status, answer

        return asyncio.run_coroutine_threadsafe(asked(), self._loop)

    def close(self) -> None:
        """End all requests and events."""
        if self._closed or sys.is_finalizing():  # the thread of the loop has ended already
            return
        self._closed = True

        async def end() -> None:
            tasks = [*self._tasks.values(), *([self._events] if self._events else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)

    # -- in the loop

    def _dispatch(self, message: Message, buffer: bytes) -> None:
        kind, number = message.get("kind"), str(message.get("id", ""))[:80]
        if kind == "request":
            self._begin(number, message, buffer)
        elif kind == "part" and number in self._exchanges:
            self._exchanges[number].put(buffer, last=bool(message.get("last")))
        elif kind == "cancel" and number in self._tasks:
            self._tasks[number].cancel()
        elif kind == "listen":
            self._listen(number, wanted=bool(message.get("on")))

    def _begin(self, number: str, message: Message, buffer: bytes) -> None:
        method, path = str(message.get("method", "")).upper(), str(message.get("path", ""))
        query, body = message.get("query"), message.get("body")
        if not number or number in self._tasks:
            return
        if method not in _METHODS or not isinstance(query or {}, Mapping) or len(path) > 10_000:
            self._refuse(number, 400, "usage", "this is no request")
        elif len(self._tasks) >= REQUESTS:
            self._refuse(number, 429, "busy", f"{REQUESTS} requests wait already")
        else:
            scope = _scope(method, path, query or {}, body is not None)
            exchange = _Exchange(
                self._application, scope, lambda: self._send({"kind": "ack", "id": number}, [])
            )
            raw = buffer if body is None else json.dumps(body).encode()
            exchange.put(raw, last=not message.get("more"))
            self._exchanges[number] = exchange
            self._tasks[number] = self._loop.create_task(self._answer(number, exchange))

    async def _answer(self, number: str, exchange: _Exchange) -> None:
        try:
            body = await exchange.run()
        except _TooLarge as error:
            hint = "use Python for it: ref.path, pool.add(), pool.export()"
            self._refuse(number, 413, "too_large", str(error), hint)
            return
        finally:
            self._exchanges.pop(number, None)
            self._tasks.pop(number, None)
        self._reply(number, exchange.status, exchange.headers, body)

    def _refuse(self, number: str, status: int, code: str, message: str, hint: str = "") -> None:
        headers = {"content-type": "application/json"}
        self._reply(number, status, headers, _error(code, message, hint))

    def _reply(self, number: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send an answer, in parts where it is long, texts compressed."""
        packed = False
        if len(body) > _WORTH_PACKING and "json" in headers.get("content-type", ""):
            body, packed = zlib.compress(body, 1), True
        start = {"kind": "answer", "id": number, "status": status, "headers": headers}
        self._send({**start, "length": len(body), "packed": packed}, [body[:PART]])
        for place in range(PART, len(body), PART):
            self._send({"kind": "part", "id": number}, [body[place : place + PART]])

    # -- events

    def _listen(self, client: str, *, wanted: bool) -> None:
        (self._listeners.add if wanted else self._listeners.discard)(client)
        if self._listeners and (self._events is None or self._events.done()):
            self._events = self._loop.create_task(self._follow())
        elif not self._listeners and self._events is not None:
            self._events.cancel()
            self._events = None

    async def _follow(self) -> None:
        """Tell pages the server-sent events of the application."""
        told = bytearray()

        def heard(part: bytes) -> None:
            told.extend(part)
            while (end := told.find(b"\n\n")) >= 0:
                self._tell(bytes(told[:end]))
                del told[: end + 2]

        exchange = _Exchange(self._application, _scope("GET", "events", {}), on_bytes=heard)
        exchange.put(b"", last=True)
        await exchange.run()

    def _tell(self, event: bytes) -> None:
        fields = [line.partition(":") for line in event.decode().split("\n")]
        found = {name: value.removeprefix(" ") for name, _, value in fields if name}
        if "event" in found and "data" in found:
            data = json.loads(found["data"])
            self._send({"kind": "event", "name": found["event"], "data": data}, [])


def _error(code: str, message: str, hint: str = "") -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "hint": hint}}).encode()


def _scope(method: str, path: str, query: Mapping[str, Any], is_json: bool = False) -> Message:
    """Return a request as ASGI has it; the path is relative to the root of the API."""
    path, _, behind = path.lstrip("/").partition("?")
    pairs = {key: _text(value) for key, value in query.items() if value is not None}
    asked = "&".join(filter(None, [behind, urlencode(pairs)]))
    kind = b"application/json" if is_json else b"application/octet-stream"
    whole = unquote(PREFIX + path)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": whole,
        "raw_path": quote(whole).encode(),
        "query_string": asked.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(b"host", b"notebook"), (b"content-type", kind)],
        "client": ("notebook", 0),
        "server": ("notebook", 80),
        "state": {},
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
