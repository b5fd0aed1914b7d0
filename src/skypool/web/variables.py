"""The products among the variables of a notebook, and saving them to a pool.

HIPE's browser saved the products of the session to a pool, with tags; so does the widget. Only
what has a name in the notebook is listed; nothing is called or evaluated.
"""

from __future__ import annotations

import keyword
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from skypool.errors import NotFound, SkypoolError, UsageError
from skypool.model.product import Product
from skypool.pool.opened import Opened
from skypool.pool.ref import Ref
from skypool.server.answers import JsonResponse, error_answer
from skypool.server.app import PREFIX, read_body
from skypool.server.schema import TEXT, checked, listing, record

if TYPE_CHECKING:
    from starlette.requests import Request

    from skypool.pool.pool import Pool
    from skypool.server.context import Context

__all__ = ["Variables", "user_namespace"]

Namespace = Mapping[str, Any]

_MOST: Final = 1000
_BODY: Final = 2**20
_SAVE: Final = record(
    ["variables", "pool"],
    variables=listing(TEXT, minItems=1, maxItems=_MOST),
    pool=TEXT,
    name={"type": ["string", "null"], "maxLength": 1000},
    under={"type": ["string", "null"], "maxLength": 1000},
    tags=listing({"type": "string", "minLength": 1, "maxLength": 1000}, maxItems=100),
    message={"type": "string", "maxLength": 10_000},
)


def user_namespace() -> Namespace:
    """Return the variables of the notebook; those of the main module where there is none."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    names: Namespace = sys.modules["__main__"].__dict__ if found is None else found.user_ns
    return names


class Variables:
    """Products and references that variables stand for.

    Parameters
    ----------
    namespace
        Gives the variables by name.
    """

    def __init__(self, namespace: Callable[[], Namespace] = user_namespace) -> None:
        self._namespace = namespace

    def _products(self) -> Iterator[tuple[str, Product | Ref]]:
        # A copy: the notebook goes on meanwhile.
        for name, value in list(dict(self._namespace()).items()):
            if isinstance(value, Product | Ref) and name.isidentifier() and name[0] != "_":
                yield name, value

    def listed(self) -> list[dict[str, Any]]:
        """Return what there is, in alphabetical order; no product is loaded."""
        return [_facts(name, value) for name, value in sorted(self._products())[:_MOST]]

    def __getitem__(self, name: str) -> Product | Ref:
        """Return what a variable stands for.

        Raises
        ------
        NotFound
            If no variable of that name holds a product.
        """
        found = dict(self._products())
        if name not in found:
            raise NotFound(f"no variable {name!r} holds a product", candidates=sorted(found)[:20])
        return found[name]

    def pool_text(self, pool: Pool) -> str:
        """Return how the notebook names a pool, else code that opens it."""
        path = os.path.realpath(pool.path)
        for name, value in sorted(dict(self._namespace()).items(), key=lambda item: item[0]):
            mine = isinstance(value, Opened) and name[:1] != "_" and not keyword.iskeyword(name)
            if mine and value.mode != "r" and os.path.realpath(value.path) == path:
                return str(name)
        return f"sp.Pool({pool.path!r})"

    def save(self, pool: Pool, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Save variables to a pool in one commit.

        Parameters
        ----------
        pool
            The pool.
        asked
            `variables`, `name` (for one of them), `under` (a folder for several), `tags`,
            `message`.

        Returns
        -------
        dict
            `saved`, and `code`: the lines of Python that it is.
        """
        names = list(dict.fromkeys(asked["variables"]))
        values = {name: self[name] for name in names}
        tags, message = list(asked.get("tags") or ()), asked.get("message") or ""
        if asked.get("name") and len(names) > 1:
            raise UsageError("one name is for one product", hint='"under" is a folder for several')
        places = {name: _place(name, asked) for name in names}
        with pool.commit(message) as commit:
            pending = {
                name: commit.save(value.product, name=places[name], tags=tags)
                for name, value in values.items()
            }
        saved = [
            {"variable": name, "number": one.ref.number, "name": one.ref.name,
             "version": one.ref.version}
            for name, one in pending.items()
        ]  # fmt: skip
        code = _code(self.pool_text(pool), values, places, tags, message)
        return {"saved": saved, "code": {"python": code}}


def _facts(name: str, value: Product | Ref) -> dict[str, Any]:
    origin = value.origin if isinstance(value, Product) else value
    saved = isinstance(origin, Ref) and (isinstance(value, Ref) or value.unchanged)
    return {
        "name": name,
        "class": type(value).__name__,
        "kind": value.kind,
        "type": value.type,
        "saved": saved,
        "track": f"{origin.name}@{origin.version}" if isinstance(origin, Ref) else None,
        "pool": origin.view.session.folder.name if isinstance(origin, Ref) else None,
        "description": value.description if isinstance(value, Product) else "",
    }


def _place(name: str, asked: Mapping[str, Any]) -> str | None:
    """Return the name to save under; None for that of the track that it is from."""
    if asked.get("name"):
        return str(asked["name"])
    under = str(asked.get("under") or "").strip("/")
    return f"{under}/{name}" if under else None


def _code(
    pool: str,
    values: Mapping[str, Product | Ref],
    places: Mapping[str, str | None],
    tags: list[str],
    message: str,
) -> str:
    lines = []
    several = len(values) > 1
    for name, value in values.items():
        product = f"{name}.product" if isinstance(value, Ref) else name
        given = [product]
        given += [f"name={places[name]!r}"] if places[name] else []
        given += [f"tags={tags!r}"] if tags else []
        given += [f"message={message!r}"] if message and not several else []
        lines.append(f"{'    c' if several else pool}.save({', '.join(given)})")
    if several:
        lines.insert(0, f"with {pool}.commit({repr(message) if message else ''}) as c:")
    return "\n".join(lines)


def routes(context: Context, variables: Variables) -> list[Route]:
    """Return the routes that a notebook's page has beside those of the API."""

    async def listed(_: Request) -> Response:
        return JsonResponse({"variables": await context.run(variables.listed)})

    async def save(request: Request) -> Response:
        try:
            asked = checked(_json(await read_body(request, _BODY)), _SAVE)
            pool = context.pools.changeable(asked["pool"])
            done = await context.run(variables.save, pool, asked)
        except SkypoolError as error:
            return error_answer(error)
        for one in done["saved"]:
            one["ref"] = f"{asked['pool']}/{one.pop('number')}"
        return JsonResponse(done)

    return [
        Route(f"{PREFIX}/variables", listed, methods=["GET"]),
        Route(f"{PREFIX}/variables/save", save, methods=["POST"]),
    ]


def _json(raw: bytes) -> Any:
    import json

    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is no JSON: {error}") from None
