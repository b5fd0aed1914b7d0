"""Arithmetic and comparison of HIPE's arrays: element by element, integers as Java does."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from skypool.errors import UsageError
from skypool.hipe.numeric_classes import Values, array_of, as_values

__all__ = ["Operators", "divide"]


def divide(left: Any, right: Any) -> Any:
    """Divide as Java does: integers by integers give integers, rounded towards zero.

    Parameters
    ----------
    left, right
        Values.

    Returns
    -------
    numpy.ndarray or number
    """
    if np.result_type(left, right).kind not in "iub":
        with np.errstate(all="ignore"):
            return np.true_divide(left, right)
    if np.any(np.asarray(right) == 0):
        raise ZeroDivisionError("integer division by zero")
    quotient = np.floor_divide(left, right)
    return quotient + ((np.multiply(quotient, right) != left) & (quotient < 0))


def _remainder(left: Any, right: Any) -> Any:
    if np.result_type(left, right).kind in "iub" and np.any(np.asarray(right) == 0):
        raise ZeroDivisionError("integer division by zero")
    return np.fmod(left, right)


def _add(left: Any, right: Any) -> Any:
    return operator.add(left, right)


def _operand(other: Any) -> Any:
    """Give what numpy can calculate with; NotImplemented for what is no value."""
    if isinstance(other, Values):
        return as_values(other)
    if isinstance(other, int | float | complex | np.ndarray | np.generic):
        return other
    if isinstance(other, list | tuple):
        return np.asarray(other)
    if hasattr(other, "__array__"):
        return np.asarray(other)
    return NotImplemented


def _calculated(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    with np.errstate(all="ignore"):
        try:
            return array_of(np.asarray(function(left, right)))
        except ValueError as error:
            shapes = f"{list(np.shape(left))} and {list(np.shape(right))}"
            if "broadcast" not in str(error):
                raise
            raise UsageError(f"arrays of the dimensions {shapes} do not go together") from None


def _forward(function: Callable[[Any, Any], Any]) -> Callable[[Values, Any], Any]:
    def method(self: Values, other: Any) -> Any:
        right = other if isinstance(other, str) and self.kind == "String" else _operand(other)
        if right is NotImplemented:
            return NotImplemented
        return _calculated(function, self._values, right)

    return method


def _backward(function: Callable[[Any, Any], Any]) -> Callable[[Values, Any], Any]:
    def method(self: Values, other: Any) -> Any:
        left = other if isinstance(other, str) and self.kind == "String" else _operand(other)
        if left is NotImplemented:
            return NotImplemented
        return _calculated(function, left, self._values)

    return method


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[Values, Any], Any]:
    def method(self: Values, other: Any) -> Any:
        right = _operand(other)
        if right is NotImplemented:
            return NotImplemented
        with np.errstate(all="ignore"):
            result = np.asarray(function(self._values, right))
        if result.shape != self._values.shape:
            raise UsageError(
                f"an array of the dimensions {list(result.shape)} does not fit into"
                f" {list(self._values.shape)}"
            )
        # The array keeps its type, as in Java: x += 0.5 on integers cuts the fraction.
        self._values[...] = result.astype(self._values.dtype)
        return self

    return method


def _compared(function: Callable[[Any, Any], Any], without: bool | None) -> Any:
    def method(self: Values, other: Any) -> Any:
        if other is None and without is not None:
            return without
        right = other if isinstance(other, str) else _operand(other)
        if right is NotImplemented:
            return NotImplemented
        if np.shape(right) not in ((), self._values.shape):
            raise UsageError(
                f"arrays of the dimensions {list(self._values.shape)} and {list(np.shape(right))}"
                " cannot be compared"
            )
        return array_of(np.asarray(function(self._values, right), dtype=bool))

    return method


class Operators(Values):
    """The operators of all arrays."""

    __add__ = _forward(_add)
    __radd__ = _backward(_add)
    __sub__ = _forward(operator.sub)
    __rsub__ = _backward(operator.sub)
    __mul__ = _forward(operator.mul)
    __rmul__ = _backward(operator.mul)
    __truediv__ = _forward(divide)
    __rtruediv__ = _backward(divide)
    __floordiv__ = _forward(operator.floordiv)
    __rfloordiv__ = _backward(operator.floordiv)
    __mod__ = _forward(_remainder)
    __rmod__ = _backward(_remainder)
    __pow__ = _forward(operator.pow)
    __rpow__ = _backward(operator.pow)
    __and__ = _forward(operator.and_)
    __rand__ = _backward(operator.and_)
    __or__ = _forward(operator.or_)
    __ror__ = _backward(operator.or_)
    __xor__ = _forward(operator.xor)
    __rxor__ = _backward(operator.xor)

    __iadd__ = add = _in_place(operator.add)
    __isub__ = subtract = _in_place(operator.sub)
    __imul__ = multiply = _in_place(operator.mul)
    __itruediv__ = divide = _in_place(divide)
    __imod__ = modulo = _in_place(_remainder)
    __ipow__ = power = _in_place(operator.pow)

    __eq__ = _compared(operator.eq, False)
    __ne__ = _compared(operator.ne, True)
    __lt__ = _compared(operator.lt, None)
    __le__ = _compared(operator.le, None)
    __gt__ = _compared(operator.gt, None)
    __ge__ = _compared(operator.ge, None)
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Any:
        return array_of(-self._values)

    def __pos__(self) -> Any:
        return array_of(self._values, copy=True)

    def __abs__(self) -> Any:
        return array_of(np.abs(self._values))

    def __invert__(self) -> Any:
        return array_of(~self._values)

    def xor(self, other: Any) -> Any:
        """Give the truth of one or the other, but not both."""
        return self ^ other

    def negate(self) -> Any:
        """Turn every sign, in place."""
        self._values[...] = -self._values
        return self

    def abs(self) -> Any:
        """Take every size without its sign, in place."""
        self._values[...] = np.abs(self._values)
        return self

    @property
    def real(self) -> Any:
        """The real parts."""
        return array_of(np.real(self._values), copy=True)

    @property
    def imag(self) -> Any:
        """The imaginary parts."""
        return array_of(np.imag(self._values), copy=True)

    def conjugate(self) -> Any:
        """Give the conjugate numbers."""
        return array_of(np.conjugate(self._values))


# Java has methods of these names, which are keywords here: (a < 1).or(b > 2).
setattr(Operators, "and", Operators.__and__)
setattr(Operators, "or", Operators.__or__)
setattr(Operators, "not", Operators.__invert__)
