"""A search as clients send it, and the one query that it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from skypool.errors import UsageError
from skypool.model.kinds import subkinds
from skypool.query.grammar import parse
from skypool.query.render import quote
from skypool.query.tree import STRUCTURE, And, Node, Or, is_identifier
from skypool.server.schema import BOOLEAN, NUMBER, TEXT, listing, record

__all__ = ["SEARCH", "Asking", "key_text"]

_LONG: Final = {"type": "string", "maxLength": 200_000}
_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_VALUE: Final = {"type": ["string", "number", "boolean", "null"]}
_END: Final = {"type": ["string", "number", "null"]}
_FOUR: Final = {**listing(NUMBER, minItems=4), "maxItems": 4}
_THREE: Final = {**listing(NUMBER, minItems=3), "maxItems": 3}
_FILTER: Final = record(
    ["key"],
    key=_KEY,
    values=listing(_VALUE, maxItems=1000),
    min=_END,
    max=_END,
    missing=BOOLEAN,
)
_REGION: Final = record(circle=_THREE, box=_FOUR)
_PROPERTIES: Final = {
    "pools": listing(TEXT, maxItems=100),
    "query": _LONG,
    "text": {"type": "string", "maxLength": 1000},
    "filters": listing(_FILTER, maxItems=100),
    "region": {"anyOf": [{"type": "null"}, _REGION]},
    "kind": {"type": ["string", "null"], "maxLength": 200},
    "order": {"type": ["string", "null"], "maxLength": 2000},
    "all_versions": BOOLEAN,
    "all_names": BOOLEAN,
    "at": {"type": ["string", "integer", "null"], "maxLength": 100},
}
SEARCH: Final = record([], _PROPERTIES)
"""JSON schema of a search."""
_WORD: Final = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True)
class Asking:
    """A search that was sent.

    Attributes
    ----------
    sent : mapping
        What was sent, without keys that say nothing.
    """

    sent: Mapping[str, Any]

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> Asking:
        """Take a search, whose form has been checked."""
        found = {key: sent[key] for key in _PROPERTIES if sent.get(key)}
        at = found.get("at")
        if isinstance(at, str) and at.isascii() and at.isdigit() and len(at) < 15:
            found["at"] = int(at)
        return cls(found)

    def without(self, key: str) -> Asking:
        """Return the search without the filters on one key, and in no order of its own."""
        left = {name: value for name, value in self.sent.items() if name != "order"}
        left["filters"] = [each for each in self.sent.get("filters", ()) if each["key"] != key]
        return Asking.of(left)

    def filters_on(self, key: str) -> bool:
        """Tell whether there is a filter on a key."""
        return any(each["key"] == key for each in self.sent.get("filters", ()))

    def to_json(self) -> str:
        """Write it down: the same text for the same search."""
        return json.dumps(self.sent, sort_keys=True)

    @cached_property
    def query(self) -> str:
        """Everything as one query.

        Raises
        ------
        QueryError
            If the query that was sent cannot be understood.
        UsageError
            If another part makes no sense.
        """
        parts = [part for part in self._parts() if part]
        text = " and ".join(parts)
        if len(parts) > 1:
            parse(text, {})
        return text

    def _parts(self) -> Iterator[str]:
        text = str(self.sent.get("query", "")).strip()
        others = [*self._words(), *map(_filter, self.sent.get("filters", ())), *self._region()]
        others = [part for part in others if part]
        if text:
            tree = parse(text, {})
            yield f"({text})" if others and isinstance(tree, Or) else text
        yield from others

    def _words(self) -> Iterator[str]:
        for match in _WORD.finditer(str(self.sent.get("text", ""))):
            yield f"mentions({quote(match[1] or match[2])})"

    def _region(self) -> Iterator[str]:
        region = self.sent.get("region") or {}
        if region.get("circle"):
            ra, dec, radius = (float(each) for each in region["circle"])
            if not (-90 <= dec <= 90 and 0 < radius <= 180):
                raise UsageError("a circle is [ra, dec, radius] in degrees")
            place = f"{ra % 360:.10g}, {dec:.10g}, {radius:.10g}"
            yield f"(overlaps({place}) or within({place}))"
        if region.get("box"):
            west, south, east, north = (float(each) for each in region["box"])
            if not -90 <= south <= north <= 90:
                raise UsageError("a box is [ra_min, dec_min, ra_max, dec_max] in degrees")
            yield f"in_box({west % 360:.10g}, {south:.10g}, {_east(west, east):.10g}, {north:.10g})"

    def conditions(self) -> list[str]:
        """Return the conditions that `and` joins, each as a text."""
        if not self.query:
            return []
        tree = parse(self.query, {})
        items: tuple[Node, ...] = tree.items if isinstance(tree, And) else (tree,)
        return [item.to_text() for item in items]

    def options(self) -> dict[str, Any]:
        """Return the parameters of `find` beside the query."""
        return {
            "kind": self.sent.get("kind"),
            "order_by": self.sent.get("order"),
            "all_versions": bool(self.sent.get("all_versions")),
            "all_names": bool(self.sent.get("all_names")),
        }


def _east(west: float, east: float) -> float:
    """Return the eastern end of a box from 0 to 360; all round stays all round."""
    return 360.0 if east - west >= 360 else east % 360 or (360.0 if east > west else 0.0)


def key_text(key: str) -> str:
    """Write a key as a query does."""
    if is_identifier(key):
        return key
    return f"meta[{quote(key)}]"


def _filter(given: Mapping[str, Any]) -> str:
    key = given["key"]
    if key == "pool":  # which pools are asked is said apart
        raise UsageError("a filter on 'pool' is not possible", hint='use "pools"')
    if given.get("missing"):
        return _missing(key)
    parts = []
    if given.get("values"):
        parts.append(_one_of(key, given["values"]))
    name = key_text(key)
    for word, operator in (("min", ">="), ("max", "<=")):
        if given.get(word) is not None:
            parts.append(f"{name} {operator} {_literal(given[word])}")
    return " and ".join(parts)


def _missing(key: str) -> str:
    if key == "tags":
        return "tags == []"
    if key in STRUCTURE:
        raise UsageError(f"a filter on {key!r} is not possible", hint="write a query")
    return f"missing({quote(key)})"


def _one_of(key: str, values: list[Any]) -> str:
    """Write that a key has one of some values; null is to have none."""
    plain = [value for value in values if value is not None]
    parts = [_missing(key)] if len(plain) < len(values) else []
    if key == "tags":
        parts += [f"tagged({quote(str(value))})" for value in plain]
    elif key == "kind" and any(len(subkinds(str(value))) > 1 for value in plain):
        # As counted: this very kind, without those below it.
        parts += [f"kind.like({quote(_pattern(str(value)))})" for value in plain]
    elif len(plain) == 1:
        parts.append(f"{key_text(key)} == {_literal(plain[0])}")
    elif plain:
        parts.append(f"{key_text(key)} in [{', '.join(map(_literal, plain))}]")
    return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


def _pattern(text: str) -> str:
    return "".join("\\" + each if each in "%*_?\\" else each for each in text)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return repr(int(value) if whole else value)
    if value in ("Infinity", "-Infinity"):
        return f"number({quote(value.replace('Infinity', 'inf'))})"
    return quote(str(value))
