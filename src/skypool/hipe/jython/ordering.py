"""Comparison and sorting as in Python 2: everything has an order."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

from skypool.hipe.numeric_functions import largest, smallest

__all__ = ["compare", "greatest", "least", "ordered", "sort_list", "sorted_list"]

_KEY = functools.cmp_to_key


def compare(left: Any, right: Any) -> int:
    """Compare two values as `cmp` of Python 2 does.

    Parameters
    ----------
    left, right
        Anything.

    Returns
    -------
    int
        Negative, 0 or positive.
    """
    for one, other, sign in ((left, right, 1), (right, left, -1)):
        method = getattr(type(one), "__cmp__", None)
        if method is not None:
            return sign * int(method(one, other))
    if isinstance(left, list | tuple) and type(left) is type(right):
        for one, other in zip(left, right, strict=False):
            found = compare(one, other)
            if found:
                return found
        return (len(left) > len(right)) - (len(left) < len(right))
    if isinstance(left, dict) and isinstance(right, dict):
        if len(left) != len(right):
            return -1 if len(left) < len(right) else 1
        return compare(sorted_list(left.items()), sorted_list(right.items()))
    if left is right or left == right:
        return 0
    try:
        return -1 if left < right else 1
    except TypeError:
        one, other = _rank(left), _rank(right)
        return (one > other) - (one < other)


def _rank(value: Any) -> tuple[int, str, int]:
    # None comes first, then numbers, then the rest by the names of their types.
    if value is None:
        return 0, "", 0
    if isinstance(value, int | float):
        return 1, "", 0
    return 2, type(value).__name__, id(value)


def ordered(name: str) -> Callable[[Any, Any], Any]:
    """Make an operator of order.

    Parameters
    ----------
    name
        ``lt``, ``le``, ``gt`` or ``ge``.

    Returns
    -------
    callable
    """
    native = getattr(operator, name)

    def apply(left: Any, right: Any) -> Any:
        try:
            return native(left, right)
        except TypeError:
            if isinstance(left, complex) or isinstance(right, complex):
                raise
            return native(compare(left, right), 0)

    return apply


def sorted_list(
    values: Iterable[Any], cmp: Any = None, key: Any = None, reverse: bool = False
) -> list[Any]:
    """Sort as `sorted` of Python 2 does.

    Parameters
    ----------
    values
        What to sort.
    cmp
        A function of two values; None for the usual order.
    key, reverse
        As in Python 3.

    Returns
    -------
    list
    """
    found = list(values)
    if cmp is None:
        try:
            return sorted(found, key=key, reverse=bool(reverse))
        except TypeError:
            cmp = compare
    rule = _KEY(cmp)
    return sorted(
        found, key=rule if key is None else lambda item: rule(key(item)), reverse=bool(reverse)
    )


def sort_list(values: list[Any], cmp: Any = None, key: Any = None, reverse: bool = False) -> None:
    """Sort a list in place as Python 2 does.

    Parameters
    ----------
    values
        The list.
    cmp, key, reverse
        As for `sorted_list`.
    """
    values[:] = sorted_list(values, cmp, key, reverse)


def greatest(*values: Any, **options: Any) -> Any:
    """Give the largest value, as HIPE's and Python 2's `max`."""
    try:
        return largest(*values, **options)
    except TypeError:
        return _extreme(max, values, options)


def least(*values: Any, **options: Any) -> Any:
    """Give the smallest value, as HIPE's and Python 2's `min`."""
    try:
        return smallest(*values, **options)
    except TypeError:
        return _extreme(min, values, options)


def _extreme(function: Callable[..., Any], values: tuple[Any, ...], options: Any) -> Any:
    if options or not values or (len(values) == 1 and not isinstance(values[0], list | tuple)):
        return function(*values, **options)
    found = values[0] if len(values) == 1 else values
    return function(found, key=_KEY(compare))
