"""Which class an array of HIPE has, and what has values at all."""

from __future__ import annotations

import array
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from skypool.errors import UsageError

__all__ = ["CLASSES", "Values", "array_class", "array_of", "as_values"]


class Values:
    """What holds values in an array of numpy."""

    kind: ClassVar[str] = ""
    item: ClassVar[np.dtype[Any]] = np.dtype(np.float64)
    rank: ClassVar[int] = 0
    _values: npt.NDArray[Any]

    def _converted(self, given: Any) -> npt.NDArray[Any]:
        raise NotImplementedError  # pragma: no cover (given by the classes)


#: By type and rank.
CLASSES: dict[tuple[str, int], type[Values]] = {}


def as_values(given: Any) -> npt.NDArray[Any]:
    """Give the values of anything that has some, without a copy where that is possible.

    Parameters
    ----------
    given
        An array of this module or of numpy, a dataset, a list, a number.

    Returns
    -------
    numpy.ndarray
    """
    if isinstance(given, Values):
        return given._values
    if isinstance(given, np.ndarray):
        return given
    if not hasattr(given, "__array__"):
        inner = getattr(given, "data", None)
        if isinstance(inner, Values | np.ndarray):
            return as_values(inner)
        if isinstance(given, Iterable) and not isinstance(given, Sequence | array.array):
            given = list(given)
        if isinstance(given, Sequence) and any(isinstance(part, Values) for part in given):
            given = [as_values(part) for part in given]
    try:
        return np.asarray(given)
    except ValueError as error:
        raise UsageError(f"these are no values of an array: {error}") from None


def array_class(kind: str, rank: int) -> Any:
    """Give the class of a type and rank.

    Parameters
    ----------
    kind
        Such as ``Double``.
    rank
        1 to 5.

    Returns
    -------
    type
    """
    return CLASSES[kind, rank]


_BY_DTYPE = {
    "bool": "Bool",
    "int8": "Byte",
    "uint8": "Short",
    "int16": "Short",
    "uint16": "Int",
    "int32": "Int",
    "uint32": "Long",
    "int64": "Long",
    "uint64": "Long",
    "float16": "Float",
    "float32": "Float",
    "float64": "Double",
    "longdouble": "Double",
    "complex64": "Complex",
    "complex128": "Complex",
}


def array_of(values: Any, copy: bool = False) -> Any:
    """Give values as the array of HIPE that fits, a single one as a number of Python.

    Parameters
    ----------
    values
        An array, or one element.
    copy
        Whether the result must not share memory with the values.

    Returns
    -------
    ArrayData, number or text
    """
    if isinstance(values, Values):
        return type(values)(values._values) if copy else values  # type: ignore[call-arg]
    if isinstance(values, np.generic):
        return values.item()
    if not isinstance(values, np.ndarray):
        return values
    if values.ndim == 0:
        return values.item()
    kind = _BY_DTYPE.get(values.dtype.name, "String")
    if values.dtype.kind == "f" and kind == "String":
        kind = "Double"
    cls = CLASSES.get((kind, values.ndim))
    if cls is None:
        return values
    made = cls.__new__(cls)
    native = kind != "String" and values.dtype == cls.item and values.dtype.isnative
    made._values = values if native and not copy else made._converted(values)
    return made
