"""Operators and functions of numbers and lists as Python 2 has them."""

from __future__ import annotations

import decimal
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skypool.hipe.jython.formatting import text

__all__ = ["FUNCTIONS", "Divisor", "divide", "divide_in_place", "item", "raised", "texts"]

_INTEGERS = (int, np.integer)


def divide(left: Any, right: Any) -> Any:
    """Divide as Jython does: integers by integers give integers.

    Parameters
    ----------
    left, right
        Operands.

    Returns
    -------
    object
    """
    if isinstance(left, _INTEGERS) and isinstance(right, _INTEGERS):
        return left // right
    return left / right


def divide_in_place(left: Any, right: Any) -> Any:
    """Divide as the operator `/=` of Jython does.

    Parameters
    ----------
    left, right
        Operands.

    Returns
    -------
    object
        What the name is bound to afterwards.
    """
    method = getattr(left, "__itruediv__", None)
    found = NotImplemented if method is None else method(right)
    return divide(left, right) if found is NotImplemented else found


class Divisor:
    """What stands on the right of `/=` where the left is no name.

    Parameters
    ----------
    value
        To divide by.
    """

    __array_ufunc__ = None  # arrays of numpy leave the division to this class

    def __init__(self, value: Any) -> None:
        self._value = value

    def __rtruediv__(self, left: Any) -> Any:
        return divide_in_place(left, self._value)


def item(owner: Any, place: Any) -> Any:
    """Give `owner[place]`; exceptions of Python 2 are sequences of their arguments.

    Parameters
    ----------
    owner
        Mostly an exception.
    place
        What stands between the brackets.

    Returns
    -------
    object
    """
    if isinstance(owner, BaseException) and not hasattr(owner, "__getitem__"):
        return owner.args[place]
    return owner[place]


def raised(kind: Any, value: Any = None, trace: Any = None) -> BaseException:
    """Give what `raise kind, value, trace` raises.

    Parameters
    ----------
    kind
        A class or an exception.
    value
        Its arguments.
    trace
        A traceback.

    Returns
    -------
    BaseException
    """
    if isinstance(kind, tuple) and kind:
        return raised(kind[0], value, trace)
    if isinstance(kind, type) and issubclass(kind, BaseException):
        if isinstance(value, kind):
            error: BaseException = value
        elif value is None:
            error = kind()
        else:
            error = kind(*value) if isinstance(value, tuple) else kind(value)
    elif isinstance(kind, BaseException):
        error = kind
    else:
        raise TypeError(f"exceptions must be classes or instances, not {type(kind).__name__}")
    return error.with_traceback(trace) if trace is not None else error


def texts(function: Any, *given: Any, **options: Any) -> Any:
    """Call what a script calls `str` or `unicode`.

    Parameters
    ----------
    function
        What has the name; mostly Python's `str`.
    given, options
        Arguments.

    Returns
    -------
    object
    """
    return text(*given) if function is str else function(*given, **options)


def _as_function(function: Any) -> Any:
    return text if function is str else function


def _map(function: Any, *lists: Any) -> list[Any]:
    function = _as_function(function)
    if len(lists) == 1:
        return list(lists[0]) if function is None else [function(item) for item in lists[0]]
    rows = itertools.zip_longest(*lists)
    return list(rows) if function is None else [function(*row) for row in rows]


def _filter(function: Any, values: Any) -> Any:
    kept = [item for item in values if (bool(item) if function is None else function(item))]
    if isinstance(values, str):
        return "".join(kept)
    return tuple(kept) if isinstance(values, tuple) else kept


def _range(*given: Any) -> list[int]:
    return list(range(*(int(part) if isinstance(part, float) else part for part in given)))


def _xrange(*given: Any) -> range:
    return range(*(int(part) if isinstance(part, float) else part for part in given))


def _round(value: Any, digits: int = 0) -> float:
    """Round half away from zero, as Python 2."""
    if hasattr(value, "__len__"):
        raise TypeError("a float is required")
    number = float(value)
    if not math.isfinite(number):
        return number
    if digits == 0:
        return math.copysign(math.floor(abs(number) + 0.5), number)
    # Exact, since only what ends in exactly 5 is a half.
    step = decimal.Decimal(1).scaleb(-int(digits))
    with decimal.localcontext(prec=400):
        return float(decimal.Decimal(number).quantize(step, decimal.ROUND_HALF_UP))


def _apply(function: Any, given: Any = (), options: Any = None) -> Any:
    return function(*given, **(options or {}))


def _coerce(left: Any, right: Any) -> tuple[Any, Any]:
    for kind in (complex, float, int):
        if isinstance(left, kind) or isinstance(right, kind):
            return kind(left), kind(right)
    raise TypeError("number coercion failed")


def _oct(value: int) -> str:
    found = oct(value).replace("0o", "0", 1)
    return "0" if found == "00" else found


def _zip(*lists: Any) -> list[Any]:
    return list(zip(*lists, strict=False))


def _intern(value: str) -> str:
    return value


#: Builtin functions that are others in Python 2.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "apply": _apply,
    "basestring": str,
    "coerce": _coerce,
    "filter": _filter,
    "intern": _intern,
    "long": int,
    "map": _map,
    "oct": _oct,
    "range": _range,
    "reduce": functools.reduce,
    "round": _round,
    "unichr": chr,
    "unicode": str,
    "xrange": _xrange,
    "zip": _zip,
}
