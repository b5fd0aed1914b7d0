"""Arrays with unit, description and metadata, which change in place."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skypool.hipe.bean import Bean
from skypool.hipe.dataset import Dataset, Held, array_data
from skypool.model.arrays import Array
from skypool.model.units import unit_text

__all__ = ["ArrayDataset", "HeldValues", "Reduced", "Values"]


class Reduced:
    """Maximum and the like; of what was not changed, from stored statistics where they tell."""

    __slots__ = ()

    def _reducible(self) -> Any:
        raise NotImplementedError

    def _reduced(self, name: str, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        # What numpy's functions ask for beyond all values is numpy's work.
        if not given and all(value is None for value in options.values()):
            return getattr(self._reducible(), name)()
        return getattr(np, name)(np.asarray(self), *given, **options)

    def max(self, *given: Any, **options: Any) -> Any:
        """Return the largest value, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("max", given, options)

    def min(self, *given: Any, **options: Any) -> Any:
        """Return the smallest value, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("min", given, options)

    def mean(self, *given: Any, **options: Any) -> Any:
        """Return the mean, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("mean", given, options)

    def median(self, *given: Any, **options: Any) -> Any:
        """Return the median, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("median", given, options)

    def sum(self, *given: Any, **options: Any) -> Any:
        """Return the sum, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("sum", given, options)

    def std(self, *given: Any, **options: Any) -> Any:
        """Return the standard deviation, NaN ignored; with an axis, or more, as numpy does."""
        return self._reduced("std", given, options)

    def count(self) -> int:
        """Return the number of values that are there, NaN left out."""
        return int(self._reducible().count())

    def any(self, *given: Any, **options: Any) -> Any:
        """Say whether one is true, or not 0; with an axis, or more, as numpy does."""
        return self._reduced("any", given, options)

    def all(self, *given: Any, **options: Any) -> Any:
        """Say whether all are true, or not 0; with an axis, or more, as numpy does."""
        return self._reduced("all", given, options)


class HeldValues(Reduced):
    """Values with a unit, read when they are asked for and changed in place."""

    _held: Held
    _unit: str

    def _live(self) -> Any:
        """Return what has shape and type, without reading."""
        raise NotImplementedError

    @property
    def data(self) -> Any:
        """The values, which may be changed in place."""
        return self._held.get()

    @data.setter
    def data(self, values: Any) -> None:
        self._held.put(values)

    @property
    def unit(self) -> str | None:
        """The unit as text; None where there is none."""
        return self._unit or None

    @unit.setter
    def unit(self, unit: Any) -> None:
        self._unit = unit_text(unit, dimensionless="1")

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the axes, slowest first; of a column the rows come first."""
        return tuple(self._live().shape)

    @property
    def dimensions(self) -> list[int]:
        """Length of the axes, as `shape` has it."""
        return list(self.shape)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """Type of the values, as numpy's."""
        return self._live().dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: Any) -> Any:
        return self.data[place]

    def __setitem__(self, place: Any, value: Any) -> None:
        self.data[place] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.data)

    def __str__(self) -> str:
        unit = f", unit={self._unit}" if self._unit else ""
        return f"{type(self).__name__}({self.dtype.name}, dimensions={self.dimensions}{unit})"

    __repr__ = __str__


class ArrayDataset(HeldValues, Dataset):
    """Values with a unit.

    Parameters
    ----------
    data
        A numeric array of HIPE, a numpy array, a list of numbers or texts, a `Quantity`.
    unit
        Text or an `astropy.units` object.
    description
        What it is.
    """

    def __init__(self, data: Any = None, unit: Any = None, description: str = "") -> None:
        super().__init__(description)
        if unit is None:
            unit = getattr(data, "unit", None)
        self._unit = unit_text(unit, dimensionless="1")
        self._wcs: Any = None
        self._held = Held()
        if data is not None:
            self._held.put(data)

    @classmethod
    def of_core(cls, core: Array) -> ArrayDataset:
        """Wrap an array of skypool; its values are read when they are asked for."""
        made = cls.__new__(cls)
        made._core, made._meta, made._description = core, None, core.description
        made._unit, made._wcs, made._held = core.unit_text, None, Held(core)
        return made

    @property
    def values(self) -> Values:
        """The values, read only where that is needed."""
        return Values(self)

    @property
    def wcs(self) -> Any:
        """The world coordinates, as `astropy.wcs.WCS`; None where there are none."""
        if self._wcs is not None:
            return self._wcs
        return None if self._core is None else self._core.wcs

    @wcs.setter
    def wcs(self, wcs: Any) -> None:
        self._wcs = wcs

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def type(self) -> str:
        """Name of the class of the values, such as `Double2d`."""
        return type(self.data).__name__

    def _live(self) -> Any:
        """Return what has shape and type, without reading."""
        return self._held.plain() if self._held.read or self._core is None else self._core

    def _reducible(self) -> Any:
        live = self._live()
        return live if isinstance(live, Array) else Array(live, copy=False)

    def adopt(self, core: Array) -> None:
        """Take what was saved for what was loaded."""
        self._core, self._wcs = core, None
        self._held.adopt(core)

    def to_core(self) -> Array:
        """Return the dataset as skypool keeps it; what was loaded where nothing changed."""
        core = self._core
        if core is None:
            values = self._held.plain() if self._held.read else np.empty(0)
            return Array(values, self._unit, self._wcs, self._core_meta(), self._description)
        same = self._unit == core.unit_text and self._wcs is None and self._same_about()
        if same and self._held.unchanged():
            return core  # type: ignore[no-any-return]
        values = core.source if self._held.unchanged() else self._held.to_keep()
        wcs = core.wcs_header or None if self._wcs is None else self._wcs
        return Array(values, self._unit, wcs, self._core_meta(), self._description)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        # Read-only, so that what is changed is changed in `data`.
        values = self._held.plain().view()
        if copy or (dtype is not None and np.dtype(dtype) != values.dtype):
            return np.array(values, dtype=dtype)
        values.flags.writeable = False
        return values


class Values(Reduced, Bean):
    """The values of an array dataset, as numeric arrays are used: `image.image[3, 4] * 2`.

    They are read where that is needed: not for shape, maximum, minimum and the like.

    Parameters
    ----------
    dataset
        `ArrayDataset` or `Column`.
    """

    __slots__ = ("_dataset",)

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    @property
    def data(self) -> Any:
        """The values as a numeric array."""
        return self._dataset.data

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the axes, slowest first."""
        return self._dataset.shape  # type: ignore[no-any-return]

    @property
    def dimensions(self) -> list[int]:
        """Length of the axes, slowest first."""
        return self._dataset.dimensions  # type: ignore[no-any-return]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return self._dataset.rank  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """Type of the values, as numpy's."""
        return self._dataset.dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return self._dataset.size  # type: ignore[no-any-return]

    @property
    def unit(self) -> str | None:
        """The unit as text."""
        return self._dataset.unit  # type: ignore[no-any-return]

    @property
    def description(self) -> str:
        """What they are."""
        return self._dataset.description  # type: ignore[no-any-return]

    @property
    def meta(self) -> Any:
        """Parameters of the dataset."""
        return self._dataset.meta

    def _reducible(self) -> Any:
        return self._dataset._reducible()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return super().__getattr__(name)
        except AttributeError:
            from skypool.hipe.numeric_arrays import ArrayData

            if not hasattr(ArrayData, name):  # to be asked for it is no reason to read
                raise
            return getattr(self._dataset.data, name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._dataset.__array__(dtype, copy)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, place: Any) -> Any:
        live = self._dataset._live()
        parts = place if isinstance(place, tuple) else (place,)
        if isinstance(live, np.ndarray) or not all(isinstance(p, int | slice) for p in parts):
            return self._dataset.data[place]
        return array_data(np.array(live[place]))  # only what is asked for is read

    def __setitem__(self, place: Any, value: Any) -> None:
        self._dataset.data[place] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._dataset.data)

    def __str__(self) -> str:
        return str(self._dataset.data)

    def __repr__(self) -> str:
        return f"<values of {self._dataset}>"

    __hash__ = None  # type: ignore[assignment]


def _binary(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    def forward(self: Values, other: Any) -> Any:
        return function(self.data, _plain(other))

    def backward(self: Values, other: Any) -> Any:
        return function(_plain(other), self.data)

    return forward, backward


def _plain(other: Any) -> Any:
    return other.data if isinstance(other, Values | ArrayDataset) else other


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"):
    _method, _reverse = _binary(getattr(operator, _name))
    setattr(Values, f"__{_name.rstrip('_')}__", _method)
    setattr(Values, f"__r{_name.rstrip('_')}__", _reverse)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Values, f"__{_name}__", _binary(getattr(operator, _name))[0])
for _name in ("neg", "pos", "abs", "invert"):
    _unary = getattr(operator, _name)
    setattr(Values, f"__{_name}__", lambda self, _unary=_unary: _unary(self.data))
