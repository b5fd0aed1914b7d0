"""The application: the routes of all parts, joined, behind the guard."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from skypool.config import from_environment
from skypool.errors import ReadOnly, SkypoolError, UsageError
from skypool.server.answers import JsonResponse, error_answer, error_body
from skypool.server.context import Context
from skypool.server.endpoint import Asked, Endpoint
from skypool.server.places import Places
from skypool.server.pools import OpenPools
from skypool.server.schema import checked
from skypool.server.security import Access, Guard, new_token
from skypool.server.warming import frugal, warm

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from skypool.pool.pool import Pool

__all__ = ["PARTS", "PREFIX", "TooLarge", "make_api", "make_app", "make_context", "read_body"]

PREFIX: Final = "/api/v1"
# Each has `routes(context)`, a list of endpoints; those that are there are joined.
PARTS: Final = (
    "pools_routes",
    "results_routes",
    "lookup_routes",
    "sky",
    "products",
    "data",
    "actions",
    "uploads",
    "description",
)

_log = logging.getLogger("skypool.server")


class TooLarge(UsageError):
    """More was sent than the server takes."""

    code = "too_large"
    status = 413


def make_context(
    pools: Iterable[Pool],
    *,
    read_only: bool = False,
    senders: Any = None,
    folders: Iterable[str] = (),
) -> Context:
    """Return what the routes share, for pools that are open; see `make_app`."""
    pools = list(pools)
    settings = pools[0].settings if pools else from_environment()
    opened = OpenPools(pools, settings, read_only=read_only, on_open=frugal, places=Places(folders))
    return Context(opened, read_only=read_only, senders=senders)


def make_app(
    pools: Iterable[Pool],
    *,
    token: str | None = None,
    read_only: bool = False,
    senders: Any = None,
    hosts: Iterable[str] = (),
    pages: Sequence[BaseRoute] = (),
    access: Access | None = None,
    folders: Iterable[str] = (),
    context: Context | None = None,
) -> ASGIApp:
    """Return the application over pools that are open; it closes them when it ends.

    Parameters
    ----------
    pools
        The pools.
    token
        What a client must show; by default a new one.
    read_only
        Refuse everything that changes a pool.
    senders
        What can send products to other programs.
    hosts
        Names beside those of loopback under which it may be asked for.
    pages
        Routes of the page, before those of the API.
    access
        Made already.
    folders
        The only ones in which clients may have files read and written, and pools opened.
    context
        Made already; the other arguments that it is made from are not looked at then.
    """
    context = context or make_context(pools, read_only=read_only, senders=senders, folders=folders)
    access = access or Access(token or new_token(), hosts)
    return Guard(make_api(context, pages), access)


def make_api(context: Context, pages: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the routes without a guard: for clients within the same process."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        context.begin(warm, context)
        yield
        context.close()

    table = endpoints(context)
    routes: list[BaseRoute] = [*pages, *(_route(context, each) for each in table)]
    handlers: Mapping[Any, Any] = {HTTPException: _refused, Exception: _unexpected}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.endpoints = table
    app.state.context = context
    return app


def endpoints(context: Context) -> list[Endpoint]:
    """Return the endpoints of all parts."""
    found: list[Endpoint] = []
    for name in PARTS:
        part = importlib.import_module(f"skypool.server.{name}")
        make: Callable[[Context], list[Endpoint]] = part.routes
        found.extend(make(context))
    return found


def _route(context: Context, endpoint: Endpoint) -> Route:
    parameters = endpoint.all_parameters()
    asynchronous = inspect.iscoroutinefunction(endpoint.answer)

    async def answer(request: Request) -> Response:
        try:
            if endpoint.changes and context.read_only:
                raise ReadOnly("this server is read-only", hint="start it without --read-only")
            values = _values(parameters, request.path_params, request.query_params)
            body = None
            if endpoint.body is not None:
                body = await _json(request, endpoint)
            asked = Asked(context, values, body, request)
            if asynchronous:
                made = await endpoint.answer(asked)
            else:
                made = await context.run(endpoint.answer, asked, slow=endpoint.slow)
        except SkypoolError as error:
            made = error_answer(error)
            if made.status_code == 500:
                _log.warning("%s %s: %s", request.method, request.url.path, error)
        told: Response
        if isinstance(made, Response):
            told = made
        else:
            told = JsonResponse(made, status_code=endpoint.status)
        if isinstance(told, JsonResponse):
            told.shrink(request.headers.get("accept-encoding", ""))
        return told

    return Route(f"{PREFIX}/{endpoint.path}", answer, methods=[endpoint.method])


def _values(parameters: Sequence[Any], path: Mapping[str, Any], query: QueryParams) -> Any:
    found = {}
    for each in parameters:
        raw = path.get(each.name) if each.place == "path" else query.get(each.name)
        if raw is not None:
            found[each.name] = each.read(raw)
        elif each.required:
            raise UsageError(f"the parameter {each.name!r} is missing", hint=each.summary)
        else:
            found[each.name] = each.default
    return found


async def read_body(request: Request, limit: int) -> bytes:
    """Return what was sent.

    Raises
    ------
    TooLarge
        If it is more than the limit.
    """
    declared = request.headers.get("content-length", "")
    parts, size = [], 0
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"more than {limit} bytes were sent")
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"more than {limit} bytes were sent")
        parts.append(part)
    return b"".join(parts)


async def _json(request: Request, endpoint: Endpoint) -> Any:
    raw = await read_body(request, endpoint.body_limit)
    # A form of another site can send texts without being asked first, but no JSON.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UsageError("the body should be JSON", hint="send Content-Type: application/json")
    try:
        found = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is no JSON: {error}") from None
    assert endpoint.body is not None
    return checked(found, endpoint.body)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is none of JSON's numbers")


async def _refused(request: Request, error: HTTPException) -> Response:
    codes = {404: "not_found", 405: "method_not_allowed"}
    body = error_body(codes.get(error.status_code, "error"), f"{error.detail}: {request.url.path}")
    return JsonResponse(body, status_code=error.status_code, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    body = error_body(
        "internal", f"an error of skypool itself: {type(error).__name__}: {error}",
        "please report it with what stands in the terminal",
    )  # fmt: skip
    return JsonResponse(body, status_code=500)
