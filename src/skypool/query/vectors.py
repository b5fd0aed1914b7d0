"""Conditions and expressions over many elements at once: rows of a table, pixels of an image.

The meaning is that of `skypool.query.compare`, element by element, in float64: numbers are computed
by numpy, everything else by the very same functions, once per distinct value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from skypool.errors import QueryError
from skypool.query import arithmetic
from skypool.query.compare import ROUNDING, as_text, compare, conversion, like, truth_of
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
from skypool.query.values import (
    Amount,
    Value,
    convert_bound,
    parse_number,
    parse_quantity,
)

__all__ = ["Masks", "Vector", "Vectors", "as_float", "constant_for", "vector"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Masks: TypeAlias = tuple[Bools, Bools]
"""Where a condition holds, and where its opposite does; elsewhere it is not known."""

_EXACT: Final = 2**62
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
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


@dataclass(frozen=True, slots=True)
class Vector:
    """One value for each element.

    Parameters
    ----------
    data
        Integers, floats, truth values, texts or objects; any shape.
    unknown
        Where there is no value, of the same shape; None for nowhere but at NaN.
    unit
        Of numbers, as text, empty where there is none.
    """

    data: npt.NDArray[Any]
    unknown: Bools | None = None
    unit: str = ""

    @property
    def numeric(self) -> bool:
        """Whether numpy can compare it as numbers."""
        return self.data.dtype.kind in "biuf"

    @property
    def missing(self) -> Bools:
        """Where there is no value, NaN included."""
        gaps = self.unknown
        if gaps is None:
            gaps = np.zeros(self.data.shape, np.bool_)
        return gaps | np.isnan(self.data) if self.data.dtype.kind == "f" else gaps


Operand: TypeAlias = "Vector | Value"


def vector(data: Any, unit: str = "") -> Vector:
    """Make a vector of what a dataset gives: numbers, bytes, texts, masked arrays."""
    unknown = None
    if isinstance(data, np.ma.MaskedArray):
        unknown = np.array(np.ma.getmaskarray(data))
        data = data.filled(data.dtype.type()) if data.dtype.kind != "O" else data.filled("")
    array = np.asarray(data)
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        array = array.astype(np.float64)
    elif array.dtype.kind == "S":  # FITS pads texts with blanks, which mean nothing
        array = np.char.decode(np.char.rstrip(array), "latin-1")
    return Vector(array, unknown, unit)


def constant_for(value: Value, unit: str) -> tuple[int | float, bool] | None:
    """Return a constant as a number to compare numbers of some unit with.

    Returns
    -------
    tuple of number and bool, or None
        The number, and whether it was converted, so that equality is up to rounding; None where
        the value does not compare with numbers.
    """
    if isinstance(value, str):
        parsed = parse_number(value)
        value = parse_quantity(value) if parsed is None and unit else parsed
    converted = False
    if isinstance(value, Amount):
        number: int | float = value.value
        if unit and value.unit != unit:
            factor = conversion(value.unit, unit)
            if factor is None:
                return None
            number, converted = number * factor, True
        value = number
    if not isinstance(value, bool | int | float) or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # so that numpy compares it exactly with any integer
    return value, converted


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
                return _both(parts)
            fails, holds = _both([(fails, holds) for holds, fails in parts])
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
        return _constant_masks(value if isinstance(value, bool) else truth_of(value))

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
        return _both(parts)

    def _contained(self, left: Operand, among: Node) -> Masks:
        if isinstance(among, ListOf):
            parts = [self._pair("==", left, self.value(item)) for item in among.items]
            if not parts:
                return _constant_masks(False)
            fails, holds = _both([(fails, holds) for holds, fails in parts])
            return holds, fails
        whole = self.value(among)
        if isinstance(whole, tuple):
            return self._contained(left, ListOf(tuple(Literal(item) for item in whole)))
        return _each(lambda part, text: _contains(text, part), [left, whole])

    def _pair(self, operator: str, left: Operand, right: Operand) -> Masks:
        if isinstance(left, Vector) and left.numeric:
            if isinstance(right, Vector):
                if right.numeric:
                    return _numbers(operator, left, right)
            elif (constant := constant_for(right, left.unit)) is not None:
                return _against(operator, left, *constant)
        elif isinstance(right, Vector) and right.numeric and not isinstance(left, Vector):
            return self._pair(_TURNED[operator], right, left)
        return _each(functools.partial(compare, operator), [left, right])

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
        return _computed(_ARITHMETIC[node.operator], node.operator, [first, second], unit)

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
            holds, fails = _each(_TEXT_CALLS[node.function], values)
            return Vector(holds, ~(holds | fails))
        if not any(isinstance(value, Vector) for value in values):
            return arithmetic.apply(node.function, [_plain(value) for value in values])
        if node.function in ("lower", "upper"):
            return _mapped(lambda value: arithmetic.apply(node.function, [value]), values[0])
        vectors = [
            self._numeric(value, argument)
            for value, argument in zip(values, node.arguments, strict=True)
        ]
        if node.function == "isnan":
            return Vector(vectors[0].missing)
        if node.function == "isfinite":
            return Vector(np.isfinite(vectors[0].data) & ~vectors[0].missing)
        unit = vectors[0].unit if node.function in _SAME_UNIT else ""
        return _computed(_FUNCTIONS[node.function], node.function, vectors, unit)


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


def _constant_masks(truth: bool | None) -> Masks:
    return np.asarray(truth is True), np.asarray(truth is False)


def _both(parts: Iterable[Masks]) -> Masks:
    holds, fails = np.asarray(True), np.asarray(False)
    for one, other in parts:
        holds, fails = holds & one, fails | other
    return holds, fails


def _against(operator: str, left: Vector, constant: int | float, converted: bool) -> Masks:
    known = ~left.missing
    data = left.data
    if converted:
        with np.errstate(invalid="ignore"):
            same = np.isclose(data, constant, rtol=ROUNDING, atol=0.0)
        if operator == "==":
            truths = same
        else:
            strict = _COMPARE[operator[0]](data, constant) & ~same
            truths = strict | same if operator.endswith("=") else strict
    else:
        if isinstance(constant, int) and data.dtype.kind == "f":
            constant = as_float(constant)
        truths = np.asarray(_COMPARE[operator](data, constant))
    return truths & known, ~truths & known


def as_float(constant: int | float) -> float:
    """Return a number as the float nearest to it, infinite beyond all floats."""
    try:
        return float(constant)
    except OverflowError:
        return math.copysign(math.inf, constant)


def _numbers(operator: str, left: Vector, right: Vector) -> Masks:
    known = ~left.missing & ~right.missing
    data, unit = left.data, right.unit
    if left.unit and unit and left.unit != unit:
        factor = conversion(left.unit, unit)
        if factor is None:
            nothing = np.zeros(known.shape, np.bool_)
            return nothing, known if operator == "==" else nothing
        data = data * factor
        with np.errstate(invalid="ignore"):
            data = np.where(np.isclose(data, right.data, rtol=ROUNDING, atol=0.0), right.data, data)
    truths = _COMPARE[operator](data, right.data)
    return truths & known, ~truths & known


def _computed(function: Callable[..., Any], name: str, parts: list[Vector], unit: str) -> Vector:
    """Apply a numpy function; what was finite and is no longer has no value."""
    arrays = [_promoted(part.data) for part in parts]
    if not _fits(name, arrays):
        arrays = [array.astype(np.float64) for array in arrays]
    with np.errstate(all="ignore"):
        found = np.asarray(function(*arrays))
    unknown = parts[0].missing
    finite = np.isfinite(arrays[0])
    for part, array in zip(parts[1:], arrays[1:], strict=True):
        unknown = unknown | part.missing
        finite = finite & np.isfinite(array)
    return Vector(found, unknown | (~np.isfinite(found) & finite), unit)


def _promoted(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if data.dtype.kind == "u" and data.dtype.itemsize == 8:
        return data.astype(np.float64)
    return data.astype(np.int64) if data.dtype.kind in "biu" else data


def _fits(name: str, arrays: list[npt.NDArray[Any]]) -> bool:
    """Tell whether integers stay exact: the result is within 64 bits, and no zero divides."""
    if name not in ("+", "-", "*", "abs", "floor", "ceil", "round"):
        return False
    if any(array.dtype.kind != "i" for array in arrays):
        return True  # numpy promotes to float64 itself
    sizes = [
        max(abs(int(array.min())), abs(int(array.max()))) if array.size else 0 for array in arrays
    ]
    return (math.prod(sizes) if name == "*" else sum(sizes)) < _EXACT


def _items(value: Operand, shape: tuple[int, ...]) -> list[Value]:
    if not isinstance(value, Vector):
        return [value] * math.prod(shape)
    data = np.broadcast_to(value.data, shape).ravel().tolist()
    gaps = np.broadcast_to(value.missing, shape).ravel().tolist()
    return [None if gap else _item(item, value.unit) for item, gap in zip(data, gaps, strict=True)]


def _item(item: Any, unit: str) -> Value:
    if isinstance(item, bytes):
        item = item.decode("latin-1")
    if isinstance(item, str):
        return item
    try:
        found = convert_bound(item)
    except (TypeError, ValueError):
        return None  # complex numbers and what else has no place in queries
    if unit and isinstance(found, int | float):
        return Amount(found, unit)
    return found


def _each(function: Callable[[Value, Value], bool | None], values: list[Operand]) -> Masks:
    """Ask a function of single values, once for each combination that occurs."""
    shape = np.broadcast_shapes(*(v.data.shape for v in values if isinstance(v, Vector)))
    cache: dict[Any, bool | None] = {}
    holds = np.zeros(math.prod(shape), np.bool_)
    fails = holds.copy()
    for number, pair in enumerate(zip(*(_items(value, shape) for value in values), strict=True)):
        key = (*pair, *(type(value) for value in pair))
        if key not in cache:
            cache[key] = function(*pair)
        holds[number], fails[number] = cache[key] is True, cache[key] is False
    return holds.reshape(shape), fails.reshape(shape)


def _mapped(function: Callable[[Value], Value], value: Operand) -> Vector:
    shape = value.data.shape if isinstance(value, Vector) else ()
    found = [function(item) for item in _items(value, shape)]
    data = np.array([item if isinstance(item, str) else "" for item in found], dtype=object)
    unknown = np.array([item is None for item in found], np.bool_)
    return Vector(data.reshape(shape), unknown.reshape(shape))
