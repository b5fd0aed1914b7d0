"""The numeric functions of HIPE: ABS to VARIANCE, and `max` and `min` of anything.

Reductions (MAX, MIN, SUM, MEAN, MEDIAN, STDDEV, ...) take arrays and datasets of any
dimension, and ignore NaN, as everywhere in skypool. Datasets that are kept in a pool answer
from their statistics where these decide, without a pixel being read.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skypool.errors import UsageError
from skypool.hipe.numeric_arrays import ArrayData
from skypool.hipe.numeric_classes import array_of, as_values
from skypool.hipe.numeric_selection import Selection

__all__ = [
    "ELEMENTWISE",
    "REDUCTIONS",
    "BinCentres",
    "Histogram",
    "elementwise",
    "largest",
    "modulo",
    "places",
    "reduction",
    "reshaped",
    "reverse",
    "smallest",
    "sort",
    "transpose",
    "without_nan",
]


def _signum(values: Any) -> Any:
    return np.sign(values)


def _round(values: Any) -> Any:
    return np.rint(values)


#: Functions of each element: HIPE's name, and what does it.
ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    "ABS": np.abs,
    "ARCCOS": np.arccos,
    "ARCSIN": np.arcsin,
    "ARCTAN": np.arctan,
    "CEIL": np.ceil,
    "CONJUGATE": np.conjugate,
    "COS": np.cos,
    "COSH": np.cosh,
    "EXP": np.exp,
    "FIX": np.trunc,
    "FLOOR": np.floor,
    "IMAG": np.imag,
    "IS_FINITE": np.isfinite,
    "IS_INFINITE": np.isinf,
    "IS_NAN": np.isnan,
    "LOG": np.log,
    "LOG10": np.log10,
    "NOT": np.logical_not,
    "REAL": np.real,
    "ROUND": _round,
    "SIGNUM": _signum,
    "SIN": np.sin,
    "SINH": np.sinh,
    "SQRT": np.sqrt,
    "SQUARE": np.square,
    "TAN": np.tan,
    "TANH": np.tanh,
}


def elementwise(name: str) -> Callable[[Any], Any]:
    """Make a function of each element.

    Parameters
    ----------
    name
        HIPE's name, such as ``SQRT``.

    Returns
    -------
    callable
        Of an array, a dataset or a number.
    """
    function = ELEMENTWISE[name]

    def apply(values: Any) -> Any:
        if name == "ABS" and not hasattr(values, "__len__"):
            return abs(values)
        data = as_values(values)
        if data.dtype.kind not in "biufc":
            raise UsageError(f"{name} takes numbers, not {data.dtype}")
        with np.errstate(all="ignore"):
            return array_of(np.asarray(function(data)))

    return _named(apply, name, f"Give {name} of each element.")


def _named(function: Callable[..., Any], name: str, text: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{text}\n\n    Parameters\n    ----------\n    values\n        An array, a dataset or a"
        " number.\n\n    Returns\n    -------\n    ArrayData or number\n    "
    )
    function.__module__ = "skypool.hipe.numeric"
    return function


def _known(values: Any, axis: Any) -> Any:
    """Give what can say its own statistics, such as a dataset that is in a pool; else None."""
    if axis is not None or isinstance(values, ArrayData | np.ndarray | list | tuple | str):
        return None
    # Looked up in the class: an object might read its values to answer for others.
    known = callable(getattr(type(values), "max", None)) and hasattr(type(values), "count")
    return values if known else None


def _without_nan(values: Any, name: str) -> Any:
    data = as_values(values)
    if data.dtype.kind not in "biufc":
        raise UsageError(f"{name} takes numbers, not {data.dtype}")
    return data


def _flat(data: Any) -> Any:
    line = np.ravel(data)
    return line[~np.isnan(line)] if line.dtype.kind in "fc" else line


_NUMPY: dict[str, Callable[[Any], Any]] = {
    "MAX": np.max,
    "MIN": np.min,
    "SUM": np.sum,
    "PRODUCT": np.prod,
    "MEAN": np.mean,
    "MEDIAN": np.median,
    "VARIANCE": lambda line: np.var(line, ddof=1),
    "STDDEV": lambda line: np.std(line, ddof=1),
    "RMS": lambda line: np.sqrt(np.mean(np.square(line, dtype=np.float64))),
    "ANY": np.any,
    "ALL": np.all,
}
# What each is where there is no value.
_EMPTY = {"SUM": 0.0, "PRODUCT": 1.0, "ANY": False, "ALL": True}
# What datasets in pools know themselves.
_METHODS = {"MAX": "max", "MIN": "min", "SUM": "sum", "MEAN": "mean", "ANY": "any", "ALL": "all"}

#: Functions that make one value of all.
REDUCTIONS = tuple(_NUMPY)


def reduction(name: str) -> Callable[..., Any]:
    """Make a function that makes one value of all, NaN ignored.

    Parameters
    ----------
    name
        HIPE's name, such as ``MEAN``.

    Returns
    -------
    callable
        Of an array or a dataset, and, where wanted, the dimension along which it works.
    """
    function = _NUMPY[name]
    least = 2 if name in ("VARIANCE", "STDDEV") else 1

    def line_value(line: Any) -> Any:
        line = _flat(line)
        if line.size < least:
            return _EMPTY.get(name, math.nan)
        if line.dtype.kind == "f" and name not in ("MAX", "MIN"):
            line = line.astype(np.float64)
        with np.errstate(all="ignore"):
            return function(line)

    def apply(values: Any, axis: int | None = None) -> Any:
        source = _known(values, axis) if name in _METHODS else None
        if source is not None:
            return getattr(source, _METHODS[name])()
        data = _without_nan(values, name)
        if axis is None:
            return array_of(np.asarray(line_value(data)))
        return array_of(np.apply_along_axis(line_value, axis, data))

    return _named(apply, name, f"Give {name} of all elements, NaN ignored.")


def largest(*values: Any, key: Any = None, **options: Any) -> Any:
    """Give the largest value: of a dataset of any dimension, NaN ignored, or of Python's kind.

    Parameters
    ----------
    values
        One dataset, array or collection, or several values.
    key, options
        As for Python's `max`.

    Returns
    -------
    object
    """
    return _extreme(values, "MAX", builtins.max, key, options)


def smallest(*values: Any, key: Any = None, **options: Any) -> Any:
    """Give the smallest value: of a dataset of any dimension, NaN ignored, or of Python's kind.

    Parameters
    ----------
    values
        One dataset, array or collection, or several values.
    key, options
        As for Python's `min`.

    Returns
    -------
    object
    """
    return _extreme(values, "MIN", builtins.min, key, options)


def _extreme(
    values: tuple[Any, ...], name: str, plain: Callable[..., Any], key: Any, options: dict[str, Any]
) -> Any:
    if len(values) == 1 and key is None and not options and _is_data(values[0]):
        data = values[0]
        if isinstance(data, ArrayData) and data.kind == "String":
            return plain(data)
        return reduction(name)(data)
    if key is not None:
        options["key"] = key
    return plain(*values, **options)


def _is_data(given: Any) -> bool:
    if isinstance(given, ArrayData | np.ndarray) or _known(given, None) is not None:
        return True
    return hasattr(given, "__array__") or isinstance(getattr(given, "data", None), ArrayData)


def places(condition: Any) -> Selection:
    """Give the places where something is true.

    Parameters
    ----------
    condition
        Truth values.

    Returns
    -------
    Selection
    """
    return Selection(np.nonzero(np.asarray(as_values(condition), dtype=bool)))


def reverse(values: Any) -> Any:
    """Give the elements from the last to the first, along the first dimension.

    Parameters
    ----------
    values
        An array.

    Returns
    -------
    ArrayData
    """
    return array_of(as_values(values)[::-1], copy=True)


def sort(values: Any) -> Any:
    """Give the elements in order, NaN last.

    Parameters
    ----------
    values
        An array of one dimension.

    Returns
    -------
    ArrayData
    """
    return array_of(np.sort(as_values(values)))


def transpose(values: Any) -> Any:
    """Give an array with its dimensions in reverse order.

    Parameters
    ----------
    values
        An array.

    Returns
    -------
    ArrayData
    """
    return array_of(np.transpose(as_values(values)), copy=True)


def modulo(values: Any, other: Any) -> Any:
    """Give the remainders, with the sign of what is divided, as Java does.

    Parameters
    ----------
    values, other
        Arrays or numbers.

    Returns
    -------
    ArrayData or number
    """
    return array_of(np.asarray(np.fmod(as_values(values), as_values(other))))


def without_nan(values: Any) -> Any:
    """Give the elements that are not NaN, in one dimension.

    Parameters
    ----------
    values
        An array or a dataset.

    Returns
    -------
    ArrayData
    """
    return array_of(_flat(as_values(values)), copy=True)


def reshaped(values: Any, *dimensions: Any) -> Any:
    """Give the elements in other dimensions; in one where none are given.

    Parameters
    ----------
    values
        An array or a dataset.
    dimensions
        The new lengths, or a list of them.

    Returns
    -------
    ArrayData
    """
    listed = len(dimensions) == 1 and isinstance(dimensions[0], list | tuple)
    shape = tuple(dimensions[0]) if listed else dimensions or (-1,)
    try:
        return array_of(np.reshape(as_values(values), shape), copy=True)
    except ValueError as error:
        raise UsageError(f"RESHAPE: {error}") from None


class Histogram:
    """A function that counts values in bins of one width, from the smallest value on.

    Parameters
    ----------
    width
        Width of the bins.
    """

    def __init__(self, width: float) -> None:
        if not width > 0:
            raise UsageError(f"the width of the bins is {width}")
        self.width = width

    def _bins(self, values: Any) -> tuple[Any, float, int]:
        line = _flat(as_values(values))
        if not line.size:
            return line, 0.0, 0
        low = float(line.min())
        return line, low, int((float(line.max()) - low) // self.width) + 1

    def __call__(self, values: Any) -> Any:
        """Count the values of an array in each bin."""
        line, low, count = self._bins(values)
        found = np.bincount(((line - low) // self.width).astype(np.intp), minlength=count)
        return array_of(found.astype(np.int32))


class BinCentres(Histogram):
    """A function that gives the centres of the bins that `Histogram` counts in."""

    def __call__(self, values: Any) -> Any:
        """Give the centres for the values of an array."""
        _, low, count = self._bins(values)
        return array_of(low + self.width * (np.arange(count) + 0.5))
