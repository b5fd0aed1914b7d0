"""Values of many elements, and numpy's part in comparing and computing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from skypool.query.compare import ROUNDING, conversion
from skypool.query.values import (
    Amount,
    Value,
    convert_bound,
    parse_number,
    parse_quantity,
)

__all__ = [
    "Masks",
    "Operand",
    "Vector",
    "against",
    "as_float",
    "ask_each",
    "both",
    "compare_numbers",
    "computed",
    "constant_for",
    "constant_masks",
    "mapped",
    "vector",
]

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


def constant_masks(truth: bool | None) -> Masks:
    """Return the masks of one truth for all elements."""
    return np.asarray(truth is True), np.asarray(truth is False)


def both(parts: Iterable[Masks]) -> Masks:
    """Return the masks of all of several conditions."""
    holds, fails = np.asarray(True), np.asarray(False)
    for one, other in parts:
        holds, fails = holds & one, fails | other
    return holds, fails


def against(operator: str, left: Vector, constant: int | float, converted: bool) -> Masks:
    """Compare numbers with a constant; one that was converted equals up to rounding."""
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


def compare_numbers(operator: str, left: Vector, right: Vector) -> Masks:
    """Compare numbers with numbers, element by element."""
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


def computed(function: Callable[..., Any], name: str, parts: list[Vector], unit: str) -> Vector:
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


def ask_each(function: Callable[..., bool | None], values: list[Operand]) -> Masks:
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


def mapped(function: Callable[[Value], Value], value: Operand) -> Vector:
    """Return the texts that a function of single values gives."""
    shape = value.data.shape if isinstance(value, Vector) else ()
    found = [function(item) for item in _items(value, shape)]
    data = np.array([item if isinstance(item, str) else "" for item in found], dtype=object)
    unknown = np.array([item is None for item in found], np.bool_)
    return Vector(data.reshape(shape), unknown.reshape(shape))
