"""numpy's protocols for arrays and columns: operators, ufuncs, functions, DLPack.

What is computed is computed at once, and is numpy's: an array without unit, unless a `Quantity`
takes part. See docs/design/032-arrays.md.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from skypool.errors import UsageError
from skypool.model.sources import Ndarray
from skypool.model.units import parse_unit, unknown_unit

__all__ = ["Duck"]

# What makes sense between values of one unit only.
_SAME_UNIT = frozenset(
    {
        *(np.add, np.subtract, np.remainder, np.fmod, np.hypot, np.arctan2, np.nextafter),
        *(np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2),
        *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    }
)
_BY_UNIT = {
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
    np.left_shift: operator.lshift,
}


class Duck(NDArrayOperatorsMixin):
    """What lets numpy, and what is built on it, compute with arrays and columns."""

    __slots__ = ()

    # Operators compare element by element, yet what never changes can be a key.
    __hash__ = object.__hash__

    def _numpy(self) -> Ndarray:
        """Return all values; masked where values are missing."""
        raise TypeError  # pragma: no cover (given by the classes)

    def __getitem__(self, index: Any) -> Any:
        raise TypeError  # pragma: no cover (given by the classes)

    if not TYPE_CHECKING:  # which would take any attribute to be there

        def __getattr__(self, name: str) -> Any:
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            if not name.startswith("_") and hasattr(np.ndarray, name):
                text += f": numpy's arrays have it, as numpy.asarray(...).{name}"
            raise AttributeError(text, name=name, obj=self)

    @property
    def value(self) -> Ndarray:
        """All values without unit, as read-only numpy array; masked where some are missing."""
        return self._numpy()

    @property
    def T(self) -> Ndarray:  # noqa: N802 (numpy's name)
        """All values with their axes in reverse order, as read-only numpy array."""
        return self._numpy().T

    def astype(self, dtype: Any, **options: Any) -> Ndarray:
        """Return all values in another type, as numpy array; options are those of numpy.

        Parameters
        ----------
        dtype
            Type of the values.
        """
        return self._numpy().astype(dtype, **options)

    def item(self, *place: int) -> Any:
        """Return one value as a number of Python."""
        return self[place].item() if len(place) > 1 else self._numpy().item(*place)

    def tolist(self) -> Any:
        """Return all values as lists of Python."""
        return self._numpy().tolist()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.get("out", ())
        if any(isinstance(target, Duck) for target in out) or (
            method == "at" and isinstance(inputs[0], Duck)
        ):
            raise TypeError("datasets never change in place; compute with a copy: numpy.array(...)")
        if any(_is_dask(value) for value in (*inputs, *out)):
            return getattr(ufunc, method)(*_within(inputs, _lazy), **_within(options, _lazy))
        if not all(_known(value) for value in (*inputs, *out)):
            return NotImplemented
        if any(_is_unit(value) for value in inputs):
            return _with_unit(ufunc, inputs)
        if ufunc in _SAME_UNIT and method in ("__call__", "outer"):
            _check_units(ufunc, [value for value in inputs if isinstance(value, Duck)])
        plain = _unwrapper((*inputs, *out))
        options = {name: plain(value) for name, value in options.items()}
        return getattr(ufunc, method)(*(plain(value) for value in inputs), **options)

    def __array_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        from skypool.model.array_functions import without_values

        found = without_values(func, args, kwargs)
        if found is not NotImplemented:
            return found
        if any(_is_dask(value) for value in _flat((args, tuple(kwargs.values())))):
            return func(*_within(args, _lazy), **_within(dict(kwargs), _lazy))
        if not all(issubclass(kind, np.ndarray | Duck) for kind in types):
            return NotImplemented
        plain = _unwrapper(_flat((args, tuple(kwargs.values()))))
        return func(*_within(args, plain), **_within(dict(kwargs), plain))

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        # Whoever takes it may write into it.
        values = np.array(self._numpy()) if copy is not False else self._numpy()
        return values.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU of DLPack, its only one


def _known(value: Any) -> bool:
    """Say whether numpy itself can take a value; others such as dask's arrays decide first."""
    return isinstance(value, Duck | np.ndarray | np.generic) or not hasattr(
        type(value), "__array_ufunc__"
    )


def _is_dask(value: Any) -> bool:
    """Say whether a value is dask's array, which leaves those that it does not know to them."""
    return type(value).__module__.startswith("dask.array")


def _is_unit(value: Any) -> bool:
    """Say whether a value is a unit of astropy, of which numpy knows nothing."""
    units = sys.modules.get("astropy.units")
    return units is not None and isinstance(value, units.UnitBase)


def _with_unit(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Any:
    """Multiply, divide or mark (`<<`) by a unit, as astropy does with arrays."""
    if ufunc not in _BY_UNIT:
        raise UsageError(
            f"numpy.{ufunc.__name__} of values and a unit",
            hint="give a number with it: 1 * unit",
        )
    first, second = inputs
    if ufunc is np.left_shift and isinstance(first, Duck) and first.unit is None:  # type: ignore[attr-defined]
        return _quantity(first, second)
    made = (_quantity(value) if isinstance(value, Duck) else value for value in inputs)
    return _BY_UNIT[ufunc](*made)


def _quantity(value: Any, unit: Any = None) -> Any:
    """Return a dataset as `Quantity`, which knows no masks: NaN where values are missing."""
    from astropy.units import Quantity, dimensionless_unscaled

    unit = unit or value.unit
    if isinstance(unit, str):
        raise unknown_unit(unit)
    values = value._numpy()
    if isinstance(values, np.ma.MaskedArray):
        values = np.asarray(value)
    return Quantity(values, dimensionless_unscaled if unit is None else unit, copy=None, subok=True)


def _lazy(value: Any) -> Any:
    return value.to_dask() if isinstance(value, Duck) else value  # type: ignore[attr-defined]


def _check_units(ufunc: np.ufunc, ducks: list[Any]) -> None:
    """Refuse to compare or add numbers of different units, which numpy would not see."""
    texts = {duck.unit_text for duck in ducks if duck.unit_text}
    if len(texts) < 2:
        return
    first, *others = (parse_unit(text) for text in sorted(texts))
    if any(other != first for other in others):
        raise UsageError(
            f"numpy.{ufunc.__name__} of datasets in {' and '.join(sorted(texts))}: "
            "numpy would take the numbers alone",
            hint="use to_quantity(), which converts, or numpy.asarray() for the numbers",
        )


def _unwrapper(values: Iterable[Any]) -> Callable[[Any], Any]:
    """Return what makes numpy arrays of datasets, quantities where one takes part."""
    units = sys.modules.get("astropy.units")
    quantity: Any = units.Quantity if units is not None else ()
    with_units = any(isinstance(value, quantity) for value in values)

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(plain(part) for part in value)
        if not isinstance(value, Duck):
            return value
        if not with_units:
            return value._numpy()
        made = _quantity(value)
        return made if value.unit is not None else made.value  # type: ignore[attr-defined]

    return plain


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _within(value: Any, plain: Callable[[Any], Any]) -> Any:
    """Replace the datasets in the arguments of a function, those in lists too."""
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_within(part, plain) for part in value)
    if isinstance(value, list):
        return [_within(part, plain) for part in value]
    if isinstance(value, dict):
        return {key: _within(part, plain) for key, part in value.items()}
    return plain(value)
