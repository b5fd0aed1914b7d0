"""Calls as the parser meets them: known functions, their arguments, and literals in disguise."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import NoReturn

from skypool.errors import QueryError
from skypool.query.functions import CONSTANTS, FUNCTIONS, Function
from skypool.query.tree import ATTRIBUTES, Call, Literal, Name, Node
from skypool.query.values import MAX_UNIT, Amount, Position, Scalar, parse_quantity, parse_time

__all__ = ["make_call", "near"]

_ADVICE = {
    "len": "write count(events) or nrows for rows, image.shape for sizes",
    "nanmax": "max ignores NaN",
    "nanmin": "min ignores NaN",
    "containskey": "write has('key')",
    "exists": "write has('key')",
    "avg": "write mean(...)",
    "cone": "write within(ra, dec, radius) or overlaps(ra, dec, radius)",
    "tag": "write tagged('...')",
    "instr": "write contains(text, part)",
    "between": "write low <= x <= high",
}


def near(name: str, known: Sequence[str], cutoff: float = 0.7) -> list[str]:
    """Return up to three of the known names that look like this one, whatever its case."""
    folded = {other.casefold(): other for other in known}
    found = difflib.get_close_matches(name.casefold()[:200], list(folded), 3, cutoff)
    return [folded[other] for other in found]


def make_call(
    name: str,
    given: Sequence[Node],
    column: int,
    text: str,
    named: Mapping[str, Node] | None = None,
) -> Node:
    """Make the node of a call.

    Parameters
    ----------
    name
        The function as written.
    given, named
        Arguments by place and by name.
    column, text
        Where it is, for errors.

    Raises
    ------
    QueryError
        If there is no such function, or its arguments do not fit.
    """
    if name in CONSTANTS:
        if named:
            _fail(f"{name}() takes no named values", text, column)
        return Literal(_constant(name, given, column, text), column=column)
    function = FUNCTIONS.get(name)
    if function is None:
        known = [*FUNCTIONS, *CONSTANTS]
        hint = _ADVICE.get(name.casefold(), "")
        if not hint and name in ATTRIBUTES:
            hint = f"{name!r} is not called: write {name}"
        raise QueryError(
            f"there is no function {name}()",
            text=text,
            column=column,
            candidates=() if hint else near(name, known),
            hint=hint,
        )
    arguments = _arguments(function, given, named or {}, column, text)
    return Call(name, tuple(arguments), column=column)


def _fail(message: str, text: str, column: int, hint: str = "") -> NoReturn:
    raise QueryError(message, text=text, column=column, hint=hint)


def _arguments(
    function: Function, given: Sequence[Node], named: Mapping[str, Node], column: int, text: str
) -> list[Node]:
    usage = f"it is {function.signature}"
    arguments = list(given)
    labels = [label for label, _ in function.parameters]
    for label in named:
        if label not in labels:
            _fail(f"{function.name}() has no {label!r}", text, named[label].column, usage)
    for label in labels[len(given) :]:
        if label in named:
            arguments.append(named[label])
        elif len(arguments) < len(given) + len(named) and not _is_place(label, arguments):
            _fail(f"{function.name}() lacks {label!r}", text, column, usage)
    if len(arguments) != len(given) + len(named):
        _fail(f"{function.name}() has a value given twice", text, column, usage)
    if not function.required <= len(arguments) <= len(labels):
        _fail(f"{function.name}() with {_count(len(arguments))}", text, column, usage)
    return [
        _argument(argument, sort)
        for argument, (_, sort) in zip(arguments, function.parameters, strict=False)
    ]


def _is_place(label: str, given: Sequence[Node]) -> bool:
    """Tell whether a position in one value makes the declination superfluous."""
    first = given[0] if given else None
    number = isinstance(first, Literal) and isinstance(first.value, int | float)
    return label == "dec" and first is not None and not number


def _count(number: int) -> str:
    return "one value" if number == 1 else f"{number or 'no'} values"


def _argument(argument: Node, sort: str) -> Node:
    if sort == "key" and isinstance(argument, Name):
        return Literal(argument.name, column=argument.column)
    return argument


def _constant(name: str, given: Sequence[Node], column: int, text: str) -> Scalar:
    values: list[Scalar] = []
    for node in given:
        if not isinstance(node, Literal):
            _fail(f"{name}() takes values that are written out", text, node.column)
        values.append(node.value)
    value = _make_constant(name, values)
    if value is None:
        examples = {
            "date": "date('2026-11-01') or date('2026-11-01T12:30:00')",
            "quantity": "quantity(250, 'um')",
            "position": "position(201.365, -43.019), degrees ICRS",
            "number": "number('inf')",
        }
        _fail(f"{name}() cannot be made of that", text, column, f"write {examples[name]}")
    return value


def _make_constant(name: str, values: list[Scalar]) -> Scalar | None:
    match name, values:
        case "date", [str(text)]:
            return parse_time(text)
        case "quantity", [str(text)]:
            return parse_quantity(text)
        case "quantity", [int(number) | float(number), str(unit)] if not isinstance(number, bool):
            return Amount(number, unit) if 0 < len(unit) <= MAX_UNIT else None
        case "position", [int(ra) | float(ra), int(dec) | float(dec)]:
            fits = -360 <= ra <= 360 and -90 <= dec <= 90
            return Position(float(ra), float(dec)) if fits else None
        case "number", [str(text)] if text in ("inf", "-inf", "nan"):
            return float(text)
    return None
