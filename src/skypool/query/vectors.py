"""Conditions and expressions over many elements at once: rows of a table, pixels of an image.

The meaning is that of `skypool.query.compare`, element by element, in float64: numbers are computed
by numpy, everything else by the very same functions, once per distinct value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy as np

from skypool.errors import QueryError
from skypool.query import arithmetic
from skypool.query.compare import as_text, compare, conversion, like, truth_of
from skypool.query.elements import (
    Masks,
    Operand,
    Vector,
    against,
    ask_each,
    both,
    compare_numbers,
    computed,
    constant_for,
    constant_masks,
    mapped,
)
from skypool.query.members import Members
from skypool.query.tree import (
    And,
    Binary,
    Call,
    Compare,
    ListOf,
    Literal,
    Negate,
    Node,
    Not,
    Or,
)
from skypool.query.values import Amount, Value

__all__ = ["Vectors"]

# Longer lists are looked up, once for each distinct value.
_FEW: Final = 16
_TURNED: Final = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "hypot": np.hypot,
}
_SAME_UNIT: Final = frozenset({"abs", "floor", "ceil", "round"})


class Vectors:
    """Evaluates trees over elements.

    Parameters
    ----------
    resolve
        Gives the vector or value of a `Name`, `Column`, `Dataset` or `Item`, and of every other
        node that is not computed from others.
    text
        The query, for errors.
    """

    def __init__(self, resolve: Callable[[Node], Operand], text: str = "") -> None:
        self.resolve = resolve
        self.text = text

    def fail(self, message: str, node: Node) -> NoReturn:
        """Raise an error about a place."""
        raise QueryError(message, text=self.text, column=node.column)

    # conditions

    def condition(self, node: Node) -> Masks:
        """Return where a condition holds and where it does not; arrays that broadcast."""
        if isinstance(node, Not):
            holds, fails = self.condition(node.item)
            return fails, holds
        if isinstance(node, And | Or):
            parts = [self.condition(item) for item in node.items]
            if isinstance(node, And):
                return both(parts)
            fails, holds = both([(fails, holds) for holds, fails in parts])
            return holds, fails
        if isinstance(node, Compare):
            return self._compare(node)
        return self._truth(self.value(node))

    def _truth(self, value: Operand) -> Masks:
        if isinstance(value, Vector):
            if not value.numeric:
                nothing = np.zeros(value.data.shape, np.bool_)
                return nothing, nothing
            known = ~value.missing
            truths = value.data != 0
            return truths & known, ~truths & known
        return constant_masks(value if isinstance(value, bool) else truth_of(value))

    def _compare(self, node: Compare) -> Masks:
        left = self.value(node.first)
        parts: list[Masks] = []
        for operator, operand in node.rest:
            if operator in ("in", "not in"):
                found = self._contained(left, operand)
                parts.append(found if operator == "in" else (found[1], found[0]))
                left = None
                continue
            right = self.value(operand)
            if operator == "!=":
                holds, fails = self._pair("==", left, right)
                parts.append((fails, holds))
            else:
                parts.append(self._pair(operator, left, right))
            left = right
        return both(parts)

    def _contained(self, left: Operand, among: Node) -> Masks:
        if isinstance(among, ListOf):
            constants = [item.value for item in among.items if isinstance(item, Literal)]
            if _FEW < len(constants) == len(among.items):
                return ask_each(Members(constants).holds, [left])
            parts = [self._pair("==", left, self.value(item)) for item in among.items]
            if not parts:
                return constant_masks(False)
            fails, holds = both([(fails, holds) for holds, fails in parts])
            return holds, fails
        whole = self.value(among)
        if isinstance(whole, tuple):
            return self._contained(left, ListOf(tuple(Literal(item) for item in whole)))
        return ask_each(lambda part, text: _contains(text, part), [left, whole])

    def _pair(self, operator: str, left: Operand, right: Operand) -> Masks:
        if isinstance(left, Vector) and left.numeric:
            if isinstance(right, Vector):
                if right.numeric:
                    return compare_numbers(operator, left, right)
            elif (constant := constant_for(right, left.unit)) is not None:
                return against(operator, left, *constant)
        elif isinstance(right, Vector) and right.numeric and not isinstance(left, Vector):
            return self._pair(_TURNED[operator], right, left)
        return ask_each(functools.partial(compare, operator), [left, right])

    # values

    def value(self, node: Node) -> Operand:
        """Return the values of an expression."""
        if isinstance(node, Binary):
            return self._binary(node)
        if isinstance(node, Negate):
            item = self.value(node.item)
            if not isinstance(item, Vector):
                return arithmetic.negate(item)
            return self._binary(Binary("-", Literal(0), node.item, column=node.column))
        if isinstance(node, Call) and node.function in _ROW_CALLS:
            return self._call(node)
        if isinstance(node, Compare | And | Or | Not):
            holds, fails = self.condition(node)
            return Vector(holds, ~(holds | fails))
        if isinstance(node, ListOf):
            self.fail("a list can only stand behind 'in'", node)
        return self.resolve(node)

    def _binary(self, node: Binary) -> Operand:
        left, right = self.value(node.left), self.value(node.right)
        if not isinstance(left, Vector) and not isinstance(right, Vector):
            return arithmetic.calculate(node.operator, left, right)
        first, second = self._numeric(left, node.left), self._numeric(right, node.right)
        # one calculation with units tells the unit of all
        probe = arithmetic.calculate(node.operator, _unit_of(first), _unit_of(second))
        unit = probe.unit if isinstance(probe, Amount) else ""
        if first.unit and second.unit and node.operator in ("+", "-", "%", "//"):
            factor = conversion(second.unit, first.unit)
            if factor is None:
                self.fail(f"{first.unit!r} and {second.unit!r} do not mix", node)
            if factor != 1.0:
                second = Vector(second.data * factor, second.unknown)
        return computed(_ARITHMETIC[node.operator], node.operator, [first, second], unit)

    def _numeric(self, value: Operand, node: Node) -> Vector:
        if isinstance(value, Vector) and value.numeric:
            return value
        if isinstance(value, Amount):
            return Vector(np.asarray(value.value), None, value.unit)
        if isinstance(value, bool | int | float):
            return Vector(np.asarray(value))
        if value is not None:
            self.fail("arithmetic is for numbers", node)
        return Vector(np.asarray(np.nan))

    def _call(self, node: Call) -> Operand:
        values = [self.value(argument) for argument in node.arguments]
        if node.function in _TEXT_CALLS:
            holds, fails = ask_each(_TEXT_CALLS[node.function], values)
            return Vector(holds, ~(holds | fails))
        if not any(isinstance(value, Vector) for value in values):
            return arithmetic.apply(node.function, [_plain(value) for value in values])
        if node.function in ("lower", "upper"):
            return mapped(lambda value: arithmetic.apply(node.function, [value]), values[0])
        vectors = [
            self._numeric(value, argument)
            for value, argument in zip(values, node.arguments, strict=True)
        ]
        if node.function == "isnan":
            return Vector(vectors[0].missing)
        if node.function == "isfinite":
            return Vector(np.isfinite(vectors[0].data) & ~vectors[0].missing)
        unit = vectors[0].unit if node.function in _SAME_UNIT else ""
        return computed(_FUNCTIONS[node.function], node.function, vectors, unit)


def _contains(whole: Value, part: Value) -> bool | None:
    text, wanted = as_text(whole), as_text(part)
    return None if text is None or wanted is None else wanted in text


def _startswith(value: Value, start: Value) -> bool | None:
    text, wanted = as_text(value), as_text(start)
    return None if text is None or wanted is None else text.startswith(wanted)


def _like(value: Value, pattern: Value) -> bool | None:
    text, wanted = as_text(value), as_text(pattern)
    return None if text is None or wanted is None else like(text, wanted)


_TEXT_CALLS: Final[dict[str, Callable[[Value, Value], bool | None]]] = {
    "startswith": _startswith,
    "contains": _contains,
    "like": _like,
}
_ROW_CALLS: Final = {*_TEXT_CALLS, *_FUNCTIONS, "lower", "upper", "isnan", "isfinite"}


def _plain(value: Operand) -> Value:
    return None if isinstance(value, Vector) else value


def _unit_of(value: Vector) -> Value:
    return Amount(2, value.unit) if value.unit else 2
