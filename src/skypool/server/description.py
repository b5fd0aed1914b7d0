"""The description of the API for programs: OpenAPI 3.1, from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from skypool import __version__
from skypool.server.endpoint import Asked, Endpoint, Parameter
from skypool.server.schema import TEXT, listing, record

if TYPE_CHECKING:
    from skypool.server.context import Context

__all__ = ["described", "routes"]

_ERROR: Final = record(
    ["error"],
    error=record(
        ["code", "message"],
        more=True,
        code=TEXT,
        message=TEXT,
        hint=TEXT,
        column={"type": "integer"},
        suggestions=listing(TEXT),
    ),
)


def routes(context: Context) -> list[Endpoint]:
    """Return the route of the description."""
    return [
        Endpoint(
            method="GET", path="openapi.json", answer=_openapi, group="Description",
            summary="This description",
        ),
    ]  # fmt: skip


def _openapi(asked: Asked) -> dict[str, Any]:
    return described(asked.request.app.state.endpoints)


def described(table: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI description of routes."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Error": _ERROR}
    for endpoint in table:
        path = "/" + re.sub(r":\w+\}", "}", endpoint.path)
        operation = _by_name(_operation(endpoint), schemas)
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    groups = dict.fromkeys(endpoint.group for endpoint in table if endpoint.group)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "skypool",
            "version": "1",
            "summary": "Pools of astronomical data products",
            "description": f"The HTTP API of skypool {__version__}.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"cookie": []}],
        "tags": [{"name": group} for group in groups],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "skypool"},
            },
        },
    }


def _by_name(told: Any, schemas: dict[str, Any]) -> Any:
    """Return a part of the description, with schemas that have a title moved to the components."""
    if isinstance(told, list | tuple):
        return [_by_name(each, schemas) for each in told]
    if not isinstance(told, Mapping):
        return told
    plain = {
        key: each if key == "examples" else _by_name(each, schemas) for key, each in told.items()
    }
    title = plain.get("title")
    if not isinstance(title, str):
        return plain
    known = schemas.setdefault(title, plain)
    assert known == plain, f"two schemas are called {title}"
    return {"$ref": f"#/components/schemas/{title}"}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", f"{endpoint.method.lower()}_{endpoint.path}").strip("_")
    content: dict[str, Any] = {endpoint.media: {"schema": endpoint.result or _free(endpoint.media)}}
    if endpoint.events:
        # OpenAPI has no word of its own for the data of events before 3.2, where it is itemSchema.
        content[endpoint.media]["x-events"] = dict(endpoint.events)
    answers: dict[str, Any] = {
        str(endpoint.status): {"description": endpoint.summary, "content": content}
    }
    for status, meaning in endpoint.statuses.items():
        answers[str(status)] = {"description": meaning}
    answers["default"] = {
        "description": "an error",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    found: dict[str, Any] = {
        "operationId": name,
        "summary": endpoint.summary,
        "responses": answers,
    }
    if endpoint.group:
        found["tags"] = [endpoint.group]
    parameters = [_parameter(each) for each in endpoint.all_parameters()]
    if parameters:
        found["parameters"] = parameters
    if endpoint.body is not None:
        content = {"application/json": {"schema": endpoint.body}}
        found["requestBody"] = {"required": True, "content": content}
    elif endpoint.raw_body:
        found["requestBody"] = {"required": True, "content": {endpoint.raw_body: {}}}
    return found


def _free(media: str) -> dict[str, Any]:
    return {"type": "object"} if media == "application/json" else {}


def _parameter(each: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": each.kind}
    if each.kind == "array":
        schema["items"] = {"type": "string"}
    if each.choices:
        schema["enum"] = list(each.choices)
    bounds = {"minimum": each.minimum, "maximum": each.maximum}
    schema |= {word: value for word, value in bounds.items() if value is not None}
    if each.default is not None and each.default != ():
        schema["default"] = each.default
    found: dict[str, Any] = {
        "name": each.name,
        "in": each.place,
        "required": each.required or each.place == "path",
        "schema": schema,
    }
    if each.summary:
        found["description"] = each.summary
    if each.kind == "array":
        found |= {"style": "form", "explode": False}
    return found
