"""max, sum, mean and the like along axes, tile by tile; NaN is ignored."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skypool.model.reductions import tiles
from skypool.model.sources import Ndarray

__all__ = ["along"]

Read = Callable[[tuple[slice, ...]], Ndarray]


def along(
    name: str,
    axis: int | tuple[int, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    tile: tuple[int, ...],
    read: Read,
) -> Ndarray:
    """Return a reduction along axes; what it holds in memory is its answer and some tiles.

    Parameters
    ----------
    name
        max, min, count, any, all, sum, mean, std or median.
    axis
        One axis, or several; negative ones count from the last.
    shape, dtype, tile, read
        Of the array.

    Returns
    -------
    ndarray
        max and min in the type of the values (integers of arrays without values along the axes
        do not exist: an error), counts as integers, truth values, the others in float64
        (complex128 for sums of complex values).

    Raises
    ------
    TypeError
        If the values have no such reduction.
    """
    axes = np.lib.array_utils.normalize_axis_tuple(axis, len(shape))
    if dtype.kind not in ("biufc" if name in ("sum", "mean", "count", "any", "all") else "biuf"):
        raise TypeError(f"{name} is not defined for values of type {dtype}")
    kept = [n for n in range(len(shape)) if n not in axes]
    out = np.empty([shape[n] for n in kept], _result(name, dtype))
    reduced = [tuple(shape[n] for n in axes), tuple(tile[n] for n in axes)]
    if out.size and 0 in reduced[0]:
        return _of_nothing(name, out)
    for outer in tiles(out.shape, tuple(tile[n] for n in kept)):
        parts = _parts(read, axes, kept, outer, reduced)
        out[outer] = _REDUCTIONS[name](parts, out.dtype)
    return out


def _parts(
    read: Read, axes: tuple[int, ...], kept: list[int], outer: tuple[slice, ...], reduced: Any
) -> Iterator[Ndarray]:
    """Yield the tiles over one part of the answer, of shape (values, *part)."""
    place: dict[int, slice] = dict(zip(kept, outer, strict=True))
    for inner in tiles(*reduced):
        place.update(zip(axes, inner, strict=True))
        values = read(tuple(place[n] for n in range(len(place))))
        values = np.moveaxis(values, axes, range(len(axes)))
        yield values.reshape((-1, *values.shape[len(axes) :]))


def _result(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    if name in ("max", "min"):
        return dtype
    if name == "count":
        return np.dtype(np.intp)
    if name in ("any", "all"):
        return np.dtype(np.bool_)
    return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)


def _of_nothing(name: str, out: Ndarray) -> Ndarray:
    if name in ("max", "min") and out.dtype.kind != "f":
        raise ValueError(f"{name} along an axis without values")
    out[...] = {"count": 0, "any": False, "all": True, "sum": 0}.get(name, math.nan)
    return out


def _there(part: Ndarray) -> Ndarray | None:
    """Return where values are, None where they are everywhere."""
    missing = np.isnan(part) if part.dtype.kind in "fc" else None
    return None if missing is None or not missing.any() else ~missing


def _folded(ufunc: np.ufunc) -> Callable[[Iterator[Ndarray], np.dtype[Any]], Ndarray]:
    def fold(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> Ndarray:
        found: Any = None
        for part in parts:
            own = ufunc.reduce(part, axis=0)
            found = own if found is None else ufunc(found, own)
        return np.asarray(found, dtype)

    return fold


def _count(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> Ndarray:
    return _sum_and_count(parts, np.dtype(np.float64))[1]


def _truth(parts: Iterator[Ndarray], every: bool) -> Ndarray:
    found: Any = every
    for part in parts:
        there = _there(part)
        truth = part.astype(np.bool_)
        if there is not None:
            truth = np.where(there, truth, every)
        found = (found & truth.all(axis=0)) if every else (found | truth.any(axis=0))
    return np.asarray(found)


def _sum_and_count(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> tuple[Ndarray, Ndarray]:
    total: Any = dtype.type(0)
    count: Any = 0
    with np.errstate(invalid="ignore", over="ignore"):
        for part in parts:
            there = _there(part)
            if there is None:
                total = total + part.sum(axis=0, dtype=dtype)
                count = count + np.full(part.shape[1:], len(part), np.intp)
            else:
                total = total + np.where(there, part, 0).sum(axis=0, dtype=dtype)
                count = count + there.sum(axis=0)
    return np.asarray(total), np.asarray(count)


def _mean(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> Ndarray:
    total, count = _sum_and_count(parts, dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def _std(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> Ndarray:
    """Return the deviation of the population, merged as Chan, Golub and LeVeque (1979) do."""
    count: Any = 0
    mean: Any = 0.0
    squares: Any = 0.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for part in parts:
            there = _there(part)
            values = part.astype(np.float64)
            known = np.full(part.shape, True) if there is None else there
            own_count = known.sum(axis=0)
            own_mean = np.where(known, values, 0).sum(axis=0) / np.maximum(own_count, 1)
            own_squares = np.square(np.where(known, values - own_mean, 0)).sum(axis=0)
            step = own_mean - mean
            share = own_count / np.maximum(count + own_count, 1)
            squares = squares + own_squares + np.where(own_count, step * step * (count * share), 0)
            mean = mean + np.where(own_count, step * share, 0)
            count = count + own_count
        return np.asarray(np.where(count, np.sqrt(squares / np.maximum(count, 1)), math.nan))


def _median(parts: Iterator[Ndarray], dtype: np.dtype[Any]) -> Ndarray:
    values = np.concatenate([part.astype(np.float64) for part in parts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of places without values, where it is NaN
        return np.asarray(np.nanmedian(values, axis=0))


_REDUCTIONS: dict[str, Callable[[Iterator[Ndarray], np.dtype[Any]], Ndarray]] = {
    "max": _folded(np.fmax),
    "min": _folded(np.fmin),
    "count": _count,
    "any": lambda parts, dtype: _truth(parts, every=False),
    "all": lambda parts, dtype: _truth(parts, every=True),
    "sum": lambda parts, dtype: _sum_and_count(parts, dtype)[0],
    "mean": _mean,
    "std": _std,
    "median": _median,
}
