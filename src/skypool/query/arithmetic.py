"""Arithmetic and functions of single values; what cannot be computed is None."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from skypool.query.compare import as_text, conversion
from skypool.query.values import Amount, Period, Value, parse_quantity

__all__ = ["apply", "calculate", "negate"]

_OPERATIONS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
# beyond it integers become floats, so that no power eats the memory
_EXACT: Final = 2**63


def calculate(sign: str, left: Value, right: Value) -> Value:
    """Return the result of an operator.

    Units follow: sums convert the right side, the difference of two times is in seconds, and a
    time moves by a quantity. A number without unit takes that of its partner.
    """
    if isinstance(left, Period):
        left = left.start
    if isinstance(right, Period):
        right = right.start
    if isinstance(left, datetime):
        return _moved(sign, left, right)
    if isinstance(left, bool | int | float | Amount) and isinstance(
        right, bool | int | float | Amount
    ):
        return _united(sign, left, right)
    return None


def _moved(sign: str, moment: datetime, by: Value) -> Value:
    if isinstance(by, datetime):
        return Amount((moment - by).total_seconds(), "s") if sign == "-" else None
    if isinstance(by, str):
        by = parse_quantity(by)
    if not isinstance(by, Amount) or sign not in "+-":
        return None
    factor = conversion(by.unit, "s")
    if factor is None:
        return None
    try:
        step = timedelta(seconds=by.value * factor)
        return moment + step if sign == "+" else moment - step
    except (OverflowError, ValueError):
        return None


def _united(sign: str, left: int | float | Amount, right: int | float | Amount) -> Value:
    first, have = (left.value, left.unit) if isinstance(left, Amount) else (left, "")
    second, other = (right.value, right.unit) if isinstance(right, Amount) else (right, "")
    unit = have or other
    if sign in ("+", "-", "%", "//") and have and other:
        factor = conversion(other, have)
        if factor is None:
            return None
        second = second if factor == 1.0 else second * factor
        unit = "" if sign == "//" else have
    elif sign == "*" and have and other:
        unit = f"({have}) * ({other})"
    elif sign in ("/", "//") and other:
        unit = "" if have == other else f"({have or 1}) / ({other})"
    elif sign == "**" and (have or other):
        unit = "" if other else f"({have})**({second})"
        if other:
            return None
    number = _number(sign, first, second)
    return Amount(number, unit) if unit and number is not None else number


def _number(sign: str, first: float, second: float) -> int | float | None:
    if sign == "**" or abs(first) >= _EXACT or abs(second) >= _EXACT:
        try:
            first, second = float(first), float(second)
        except OverflowError:
            return None
    try:
        found = _OPERATIONS[sign](first, second)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    if isinstance(found, complex) or found != found:
        return None
    return found


def negate(value: Value) -> Value:
    """Return the value with its sign changed."""
    if isinstance(value, Amount):
        return Amount(-value.value, value.unit)
    return -value if isinstance(value, bool | int | float) else None


_NUMERIC: Final[dict[str, Callable[..., float]]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "hypot": math.hypot,
}
_SAME_UNIT: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}


def apply(function: str, values: list[Value]) -> Value:
    """Return the result of a function of single values, such as ``abs`` or ``lower``."""
    if function in ("lower", "upper"):
        text = as_text(values[0])
        return None if text is None else getattr(text, function)()
    if function == "abs" and isinstance(values[0], Amount):
        return Amount(abs(values[0].value), values[0].unit)
    numbers: list[int | float] = []
    for value in values:
        number = value.value if isinstance(value, Amount) else value
        if not isinstance(number, bool | int | float):
            return None
        numbers.append(number)
    if function in ("isnan", "isfinite"):
        number = numbers[0]
        return number != number if function == "isnan" else _finite(number)
    try:
        found = (_NUMERIC.get(function) or _SAME_UNIT[function])(*numbers)
    except (ValueError, OverflowError, TypeError):
        return None
    if found != found:
        return None
    unit = values[0].unit if function in _SAME_UNIT and isinstance(values[0], Amount) else ""
    return Amount(found, unit) if unit else found


def _finite(number: Value) -> bool:
    return isinstance(number, int) or (isinstance(number, float) and math.isfinite(number))
