"""Tree to text: the canonical way to write a query."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, cast

from skypool.query.functions import METHODS
from skypool.query.tree import (
    FACETS,
    And,
    Binary,
    Binding,
    Call,
    Column,
    Compare,
    Dataset,
    Facet,
    Item,
    ListOf,
    Literal,
    Meta,
    Name,
    Negate,
    Node,
    Not,
    Or,
    is_identifier,
)
from skypool.query.values import Amount, Period, Position, Scalar

__all__ = ["quote", "render"]

OR, AND, NOT, COMPARE, ADD, MULTIPLY, NEGATE, POWER, ATOM = range(1, 10)
_BINARY: Final = {
    "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "//": MULTIPLY, "%": MULTIPLY, "**": POWER,
}  # fmt: skip
_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(text: str) -> str:
    """Write a text as a literal of the language."""
    return "'" + "".join(_escaped(character) for character in text) + "'"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def render(node: Node) -> str:
    """Write a tree as text that parses to an equal tree."""
    return _WRITERS[type(node)](node)


def _within(node: Node, level: int) -> str:
    """Write an operand, in parentheses where it binds less tightly than its place asks for."""
    text = render(node)
    return text if _level(node) >= level else f"({text})"


def _level(node: Node) -> int:
    if isinstance(node, Binary):
        return _BINARY[node.operator]
    if isinstance(node, Literal) and isinstance(node.value, int | float):
        negative = math.copysign(1, node.value) < 0 and math.isfinite(node.value)
        return NEGATE if negative else ATOM
    return _LEVELS.get(type(node), ATOM)


_LEVELS: Final[dict[type[Node], int]] = {
    Or: OR, And: AND, Not: NOT, Compare: COMPARE, Negate: NEGATE,
}  # fmt: skip


def _number(value: int | float) -> str:
    return repr(value) if math.isfinite(value) else f"number('{value!r}')"


def _literal(node: Literal) -> str:
    value: Scalar = node.value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, datetime):
        return f"date('{value.replace(tzinfo=None).isoformat()}Z')"
    if isinstance(value, Period):
        return f"date('{value.text}')"
    if isinstance(value, Amount):
        return f"quantity({_number(value.value)}, {quote(value.unit)})"
    if isinstance(value, Position):
        return f"position({_number(value.ra)}, {_number(value.dec)})"
    return _number(value)


def _commas(nodes: Iterable[Node]) -> str:
    return ", ".join(render(node) for node in nodes)


def _dataset(name: str) -> str:
    parts = name.split("/")
    plain = all(is_identifier(part) and part not in ("meta", "datasets") for part in parts)
    if plain and not any(part in FACETS | METHODS for part in parts[1:]):
        return ".".join(parts)
    return f"datasets[{quote(name)}]"


def _meta(node: Meta) -> str:
    owner = f"{_dataset(node.dataset)}." if node.dataset else ""
    field = "" if node.field == "value" else f".{node.field}"
    return f"{owner}meta[{quote(node.key)}]{field}"


def _compare(node: Compare) -> str:
    parts = [_within(node.first, ADD)]
    for operator, operand in node.rest:
        parts += [operator, _within(operand, ADD)]
    return " ".join(parts)


def _binary(node: Binary) -> str:
    level = _BINARY[node.operator]
    if node.operator == "**":  # binds to the right, and tighter than a sign on its left only
        left, right = _within(node.left, ATOM), _within(node.right, NEGATE)
    else:
        left, right = _within(node.left, level), _within(node.right, level + 1)
    return f"{left} {node.operator} {right}"


def _item(node: Item) -> str:
    return f"{_within(node.base, ATOM)}[{', '.join(str(number) for number in node.index)}]"


_WRITERS = cast(
    "dict[type[Node], Callable[[Node], str]]",
    {
        Literal: _literal,
        ListOf: lambda node: f"[{_commas(node.items)}]",
        Binding: lambda node: f"${node.name}",
        Name: lambda node: node.name,
        Meta: _meta,
        Dataset: lambda node: f"datasets[{quote(node.name)}]",
        Facet: lambda node: f"{_dataset(node.dataset)}.{node.attribute}",
        Column: lambda node: f"{_dataset(node.dataset)}[{quote(node.name)}]",
        Item: _item,
        Compare: _compare,
        And: lambda node: " and ".join(_within(item, NOT) for item in node.items),
        Or: lambda node: " or ".join(_within(item, AND) for item in node.items),
        Not: lambda node: f"not {_within(node.item, NOT)}",
        Binary: _binary,
        Negate: lambda node: f"-{_within(node.item, NEGATE)}",
        Call: lambda node: f"{node.function}({_commas(node.arguments)})",
    },
)
