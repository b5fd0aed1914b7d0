"""The numeric arrays of HIPE's ``herschel.ia.numeric`` over numpy."""

from __future__ import annotations

import array
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from skypool.errors import UsageError
from skypool.hipe.numeric_classes import Values, array_of, as_values
from skypool.hipe.numeric_operators import Operators
from skypool.hipe.numeric_selection import Selection, index
from skypool.hipe.numeric_text import text_of

__all__ = ["ArrayData"]

_Self = TypeVar("_Self", bound="ArrayData")

# Type letter of Python's arrays, which Jython prints for Java's: array('d', [1.0, 2.0]).
_LETTERS = {"int8": "b", "int16": "h", "int32": "i", "int64": "l", "float32": "f", "float64": "d"}


class ArrayData(Operators, Values):
    """Base of ``Bool1d`` to ``String5d``: an array of one type and rank.

    An array is made from its lengths (``Double2d(3, 4)``, with a value behind them where it
    is not 0), from numbers (``Double1d([1, 2, 3])``), or from any array of the same rank.
    Slices are copies, as in HIPE; single elements are numbers of Python. `numpy.asarray`
    gives the values without a copy.
    """

    # A method of every class; here so that each class hides Python's.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *given: Any) -> None:
        if not self.rank:
            raise UsageError("ArrayData has no type", hint="use Double1d or one of its kin")
        self._values = self._made(given)

    def _made(self, given: tuple[Any, ...]) -> npt.NDArray[Any]:
        rank = self.rank
        if not given:
            return np.zeros((0,) * rank, self.item) if self.kind != "String" else self._blank((0,))
        if all(isinstance(part, int | np.integer) for part in given[:rank]) and len(given) in (
            rank,
            rank + 1,
        ):
            values = self._blank(tuple(int(length) for length in given[:rank]))
            if len(given) > rank:
                values[...] = given[rank]
            return values
        if len(given) > 1:
            raise self._refused(f"{len(given)} arguments")
        return self._converted(given[0])

    def _blank(self, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        if any(length < 0 for length in shape):
            raise self._refused("a negative length")
        if len(shape) != self.rank:
            shape = (0,) * self.rank
        if self.kind == "String":
            return np.full(shape, "", dtype=object)
        return np.zeros(shape, self.item)

    def _converted(self, given: Any) -> npt.NDArray[Any]:
        if isinstance(given, str | bytes | dict):
            raise self._refused(repr(given)[:40])
        values = as_values(given)
        if self.kind == "String":
            texts = np.empty(values.shape, dtype=object)
            texts[...] = values
            values = texts
        else:
            try:
                values = np.array(values, dtype=self.item)
            except (TypeError, ValueError) as error:
                raise self._refused(str(error)) from None
        if values.ndim != self.rank:
            if values.size == 0:
                return self._blank((0,) * self.rank)
            raise self._refused(f"values of {values.ndim} dimensions")
        return values

    def _refused(self, what: str) -> UsageError:
        name = type(self).__name__
        lengths = ", ".join(["3", "4", "5", "6", "7"][: self.rank])
        return UsageError(
            f"{name} cannot be made from {what}",
            hint=f"{name}({lengths}) makes one from lengths, {name}(values) from"
            f" values of {self.rank} dimension{'s' if self.rank > 1 else ''}",
        )

    @classmethod
    def range(cls: type[_Self], length: int) -> _Self:
        """Make the numbers 0, 1, 2 and so on.

        Parameters
        ----------
        length
            How many.

        Returns
        -------
        ArrayData
        """
        if cls.rank != 1:
            raise UsageError("range is for arrays of one dimension")
        return cls(np.arange(length))

    # Its size.

    @property
    def dimensions(self) -> list[int]:
        """The length of each dimension."""
        return list(self._values.shape)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return int(self._values.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension, as numpy gives it."""
        return self._values.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions, as numpy calls it."""
        return self._values.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements, as numpy calls it."""
        return self._values.dtype

    def length(self) -> int:
        """Count the elements, of all dimensions together."""
        return self.size

    def getSize(self) -> int:
        """Count the elements."""
        return self.size

    getLength = getSize

    def getRank(self) -> int:
        """Give the number of dimensions."""
        return self.rank

    def getDimensions(self) -> list[int]:
        """Give the length of each dimension."""
        return self.dimensions

    def isEmpty(self) -> bool:
        """Tell whether there are no elements."""
        return self.size == 0

    def __len__(self) -> int:
        return len(self._values)

    # Its elements.

    def __getitem__(self, place: Any) -> Any:
        return array_of(self._values[index(place)], copy=True)

    def __setitem__(self, place: Any, value: Any) -> None:
        where = index(place)
        if isinstance(value, str) or np.isscalar(value) or value is None:
            self._values[where] = value
        else:
            self._values[where] = as_values(value)

    def __iter__(self) -> Iterator[Any]:
        if self.rank == 1:
            return iter(self._values.tolist())
        return (array_of(part, copy=True) for part in self._values)

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self._values == item))

    def get(self, *place: Any) -> Any:
        """Give an element, or those of a selection.

        Parameters
        ----------
        place
            Its indices, or a selection.

        Returns
        -------
        number, text or ArrayData
        """
        return self[place[0] if len(place) == 1 else place]

    def set(self, *place: Any) -> None:
        """Set an element, or those of a selection.

        Parameters
        ----------
        place
            Its indices, and the value.
        """
        if len(place) < 2:
            raise UsageError("set takes the place and the value")
        self[place[0] if len(place) == 2 else place[:-1]] = place[-1]

    def where(self, condition: Any) -> Selection:
        """Select the places where something holds.

        Parameters
        ----------
        condition
            Truth for every element.

        Returns
        -------
        Selection
        """
        truth = np.asarray(as_values(condition), dtype=bool)
        if truth.shape != self._values.shape:
            raise UsageError(
                f"the condition has the dimensions {list(truth.shape)}, the array {self.dimensions}"
            )
        return Selection(np.nonzero(truth))

    def append(self: _Self, value: Any, axis: int = 0) -> _Self:
        """Put elements behind the last.

        Parameters
        ----------
        value
            A number, a text, or an array.
        axis
            Along which dimension, for arrays of several.

        Returns
        -------
        ArrayData
            The array itself, longer by what was appended.
        """
        added = value if isinstance(value, str) else as_values(value)
        if np.ndim(added) == 0 and self.rank == 1:
            more = self._blank((1,))
            more[0] = added
        else:
            more = np.asarray(added)
            if more.ndim == self.rank - 1:
                more = np.expand_dims(more, axis)
        if self._values.size == 0 and self.rank > 1:
            self._values = type(self)(more)._values
        else:
            joined = np.concatenate([self._values, more], axis=axis)
            self._values = joined.astype(self._values.dtype)
        return self

    def insert(self: _Self, place: int, value: Any) -> _Self:
        """Put elements before others.

        Parameters
        ----------
        place
            Index of the first element behind them.
        value
            What to insert.

        Returns
        -------
        ArrayData
            The array itself.
        """
        added = value if isinstance(value, str) else as_values(value)
        self._values = np.insert(self._values, place, added, axis=0).astype(self._values.dtype)
        return self

    def copy(self: _Self) -> _Self:
        """Make an array of the same values."""
        return type(self)(self._values)

    def toArray(self) -> Any:
        """Give the values as a plain array, or as a list where Python has none of the type."""
        letter = _LETTERS.get(self._values.dtype.name)
        if self.rank > 1:
            return np.array(self._values)
        if letter is None:
            return self._values.tolist()
        return array.array(letter, self._values.tolist())

    def apply(self, function: Any) -> Any:
        """Give what a function makes of the array.

        Parameters
        ----------
        function
            Such as SQRT.

        Returns
        -------
        object
        """
        return function(self)

    def perform(self: _Self, function: Any) -> _Self:
        """Replace the values by what a function makes of them.

        Parameters
        ----------
        function
            Such as SQRT.

        Returns
        -------
        ArrayData
            The array itself.
        """
        self._values = self._converted(function(self))
        return self

    mutate = perform

    # What numpy and others see.

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if dtype is not None and np.dtype(dtype) != self._values.dtype:
            return self._values.astype(dtype)
        return np.array(self._values) if copy else self._values

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        given = [as_values(part) if isinstance(part, ArrayData) else part for part in inputs]
        out = options.pop("out", None)
        result = getattr(ufunc, method)(*given, **options)
        if out is not None:
            target = out[0]
            (target._values if isinstance(target, ArrayData) else target)[...] = result
            return target
        if isinstance(result, tuple):
            return tuple(array_of(part) for part in result)
        return array_of(result)

    def __str__(self) -> str:
        return text_of(self._values)

    __repr__ = __str__

    def toString(self) -> str:
        """Give the text of the values."""
        return str(self)

    def equals(self, other: Any) -> bool:
        """Tell whether another array has the same type and values.

        Parameters
        ----------
        other
            Anything.

        Returns
        -------
        bool
        """
        return type(self) is type(other) and np.array_equal(
            self._values, other._values, equal_nan=self._values.dtype.kind in "fc"
        )

    def __bool__(self) -> bool:
        if self._values.size != 1:
            raise UsageError(
                f"the truth of {self._values.size} elements is not one truth",
                hint="use ALL(...) or ANY(...)",
            )
        return bool(self._values.flat[0])

    def __float__(self) -> float:
        return float(self._values.item())

    def __int__(self) -> int:
        return int(self._values.item())
