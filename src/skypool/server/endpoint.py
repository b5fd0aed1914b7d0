"""Routes as a table: what each takes, checked and described from the same lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from skypool.errors import UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

    from skypool.server.context import Context

__all__ = [
    "NUMBER",
    "POOL",
    "Asked",
    "Endpoint",
    "Parameter",
    "Schema",
    "flag",
    "integer",
    "items",
    "number",
    "text",
]

Schema = Mapping[str, Any]
Method = Literal["GET", "POST", "PUT", "DELETE"]
Kind = Literal["string", "integer", "number", "boolean", "array"]

JSON_LIMIT: Final = 4 * 2**20
_LARGEST: Final = 2**53
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False, "": True}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One value in the address of a request.

    Attributes
    ----------
    name : str
    kind : str
        As JSON schema calls it; an `array` is texts with commas between them.
    summary : str
        What it means.
    place : str
        `query`, or `path`.
    required : bool
    default : object
        What it is without.
    minimum, maximum : number, optional
        Its bounds, or those of its length.
    choices : tuple of str
        The only values; any if empty.
    """

    name: str
    kind: Kind = "string"
    summary: str = ""
    place: Literal["query", "path"] = "query"
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def read(self, raw: str) -> Any:
        """Return the value that a text stands for.

        Raises
        ------
        UsageError
            If it stands for none.
        """
        if self.kind == "string":
            if self.choices and raw not in self.choices:
                raise self._wrong(raw, f"one of {', '.join(self.choices)}")
            return raw
        if self.kind == "array":
            return [part for part in raw.split(",") if part]
        if self.kind == "boolean":
            if raw.lower() not in _TRUTHS:
                raise self._wrong(raw, "true or false")
            return _TRUTHS[raw.lower()]
        return self._number(raw)

    def _number(self, raw: str) -> float:
        wanted = "a whole number" if self.kind == "integer" else "a number"
        try:
            value = int(raw) if self.kind == "integer" else float(raw)
        except ValueError:
            raise self._wrong(raw, wanted) from None
        low = -_LARGEST if self.minimum is None else self.minimum
        high = _LARGEST if self.maximum is None else self.maximum
        if not low <= value <= high:  # NaN is refused too
            raise self._wrong(raw, f"{wanted} from {low:g} to {high:g}")
        return value

    def _wrong(self, raw: str, wanted: str) -> UsageError:
        return UsageError(f"{self.name!r} is {raw[:60]!r}, and should be {wanted}")


def integer(
    name: str, default: int | None = None, low: int = 0, high: int = _LARGEST, summary: str = ""
) -> Parameter:
    """Return a whole number; without a default it may be absent, and is None then."""
    return Parameter(
        name=name, kind="integer", default=default, minimum=low, maximum=high, summary=summary
    )


def number(
    name: str,
    default: float | None = None,
    low: float | None = None,
    high: float | None = None,
    summary: str = "",
) -> Parameter:
    """Return a number; NaN and infinite ones are refused."""
    return Parameter(
        name=name, kind="number", default=default, minimum=low, maximum=high, summary=summary
    )


def text(
    name: str,
    default: str | None = None,
    *,
    required: bool = False,
    choices: Sequence[str] = (),
    summary: str = "",
) -> Parameter:
    """Return a text."""
    return Parameter(
        name=name, default=default, required=required, choices=tuple(choices), summary=summary
    )


def flag(name: str, summary: str = "", *, default: bool = False) -> Parameter:
    """Return a yes or no."""
    return Parameter(name=name, kind="boolean", default=default, summary=summary)


def items(name: str, summary: str = "") -> Parameter:
    """Return texts with commas between them; an empty list without."""
    return Parameter(name=name, kind="array", default=(), summary=summary)


POOL: Final = Parameter(name="pool", place="path", required=True, summary="label of an open pool")
NUMBER: Final = Parameter(
    name="n",
    kind="integer",
    place="path",
    required=True,
    minimum=0,
    maximum=_LARGEST,
    summary="number of the version, as in its URN",
)


@dataclass(frozen=True)
class Asked:
    """One request, read and checked.

    Attributes
    ----------
    context : Context
    values : mapping
        The parameters of the address by name; all that the endpoint has are there.
    body : object
        The JSON that was sent; None without.
    request : Request
        What came in, for those who stream.
    """

    context: Context
    values: Mapping[str, Any]
    body: Any
    request: Request

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One route of the API.

    Attributes
    ----------
    method : str
    path : str
        Below `/api/v1/`, such as ``products/{pool}/{n}/meta``; ``{path:path}`` takes the rest.
    answer : callable
        Gets `Asked`; returns what becomes JSON, or a Starlette response. A plain function runs in
        one of the server's threads, a coroutine function in its loop.
    summary : str
        What it does, in a line.
    parameters : sequence of Parameter
        Of the query; those of the path only where they are not plain texts.
    body : mapping, optional
        JSON schema of what is sent; None for nothing.
    result : mapping, optional
        JSON schema of the answer.
    media : str
        Type of the answer.
    changes : bool
        Whether it changes a pool: refused on a server that is read-only.
    status : int
        Of a good answer.
    statuses : mapping
        Further good answers, and what they mean.
    raw_body : str
        Type of a body that the answer reads itself, from `Asked.request`.
    group : str
        Heading in the description.
    events : mapping
        Of a stream of server-sent events: the schema of the data by the name of the event.
    slow : bool
        Whether it may look at whole results: these have threads of their own.
    """

    method: Method
    path: str
    answer: Callable[[Asked], Any] | Callable[[Asked], Awaitable[Any]]
    summary: str
    parameters: Sequence[Parameter] = ()
    body: Schema | None = None
    result: Schema | None = None
    media: str = "application/json"
    changes: bool = False
    status: int = 200
    statuses: Mapping[int, str] = field(default_factory=dict)
    raw_body: str = ""
    group: str = ""
    body_limit: int = JSON_LIMIT
    events: Mapping[str, Schema] = field(default_factory=dict)
    slow: bool = False

    def all_parameters(self) -> list[Parameter]:
        """Return the parameters, those of the path first."""
        given = {each.name: each for each in self.parameters}
        found = []
        for name in self.path_names():
            usual = {"pool": POOL, "n": NUMBER}.get(name)
            plain = usual or Parameter(name=name, place="path", required=True)
            found.append(given.pop(name, plain))
        return found + list(given.values())

    def path_names(self) -> list[str]:
        """Return the names in braces."""
        parts = self.path.split("{")[1:]
        return [part.partition("}")[0].partition(":")[0] for part in parts]
