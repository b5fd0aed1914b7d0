"""Functions of numpy that need no values of a dataset, or less than all at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skypool.model.sources import Ndarray

__all__ = ["without_values"]


def without_values(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """Return what a function of numpy gives, without reading all values.

    Returns
    -------
    object
        `NotImplemented` where numpy has to see the values.
    """
    about = _ABOUT.get(func)
    if about is not None:
        return about(*args, **kwargs)
    name = _EXTREMES.get(func)
    if name is not None:
        return _extreme(name, *args, **kwargs)
    return NotImplemented


def _is_ours(value: Any) -> bool:
    return hasattr(value, "_numpy")


def _size(a: Any, axis: Any = None) -> Any:
    if axis is None:
        return math.prod(a.shape)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(a.shape[n] for n in axes)


def _like(make: Callable[..., Ndarray], given: int = 0) -> Callable[..., Any]:
    """Return `numpy.zeros_like` and the like of a dataset: shape and type are enough."""

    def made(*args: Any, **kwargs: Any) -> Any:
        options = dict(kwargs)
        if not args or not _is_ours(args[0]):
            return NotImplemented
        options.pop("subok", None)
        model, *rest = args
        if len(rest) > given:  # the type, given by place
            options["dtype"], rest = rest[given], rest[:given] + rest[given + 1 :]
        dtype, shape = options.pop("dtype", None), options.pop("shape", None)
        order = options.pop("order", "C")
        return make(
            model.shape if shape is None else shape,
            *rest,
            dtype=model.dtype if dtype is None else dtype,
            order="C" if order in ("A", "K") else order,
            **options,
        )

    return made


def _result_type(*values: Any) -> Any:
    return np.result_type(*(value.dtype if _is_ours(value) else value for value in values))


_ABOUT: dict[Callable[..., Any], Callable[..., Any]] = {
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: len(a.shape),
    np.size: _size,
    np.zeros_like: _like(np.zeros),
    np.ones_like: _like(np.ones),
    np.empty_like: _like(np.empty),
    np.full_like: _like(np.full, given=1),
    np.iscomplexobj: lambda x: x.dtype.kind == "c",
    np.isrealobj: lambda x: x.dtype.kind != "c",
    np.result_type: _result_type,
}
_EXTREMES: dict[Callable[..., Any], str] = {
    np.max: "max",
    np.min: "min",
    np.amax: "max",
    np.amin: "min",
    np.nanmax: "nanmax",
    np.nanmin: "nanmin",
}


def _extreme(name: str, a: Any, axis: Any = None, out: Any = None, **more: Any) -> Any:
    """Return the extreme of all values where the statistics of the tiles tell it."""
    whole = axis is None and out is None and not any(_given(value) for value in more.values())
    if not (whole and _is_ours(a) and a.dtype.kind in "biuf" and a.size):
        return NotImplemented
    statistics = a._statistics()
    if statistics is None or getattr(a, "info", None) is not None:
        # Columns may have missing values, of which numpy.ma decides.
        return NotImplemented
    missing = int(np.asarray(statistics.counts)[:, 1].sum())
    if missing and not name.startswith("nan"):
        return a.dtype.type(math.nan)
    if missing == a.size:
        return NotImplemented  # numpy warns of it
    return a.dtype.type(a.max() if name.endswith("max") else a.min())


def _given(value: Any) -> bool:
    return value is not np._NoValue and value is not False
