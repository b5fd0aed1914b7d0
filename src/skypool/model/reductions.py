"""max, sum, mean and the like over tiles: from statistics where they decide.

NaN is ignored. max, min, count, any and all are exact from the statistics; sum, mean
and std accumulate in float64 tile by tile, in the order of the tiles, so that the
answer does not depend on where the values are kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from skypool.model.sources import Ndarray, TileStatistics

__all__ = ["Reducible", "blocks", "tile_shape", "tiles"]

# None for all axes.
Axis: TypeAlias = int | tuple[int, ...] | None
Blocks: TypeAlias = Callable[[], Iterator[Ndarray]]

# As docs/format says for arrays in pools: sums do not depend on where values are kept.
TILE_ELEMENTS = 256 * 256
ROW_ELEMENTS = 32768
CUBE_BYTES = 1024**2


def tile_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the shape of a full tile of an array that has none of its own.

    Images have tiles of 256 x 256 (longer ones where an axis is shorter), spectra are
    cut every 32,768 values, cubes into blocks of nearly equal sides of 1 MiB.
    """
    if len(shape) <= 1:
        return tuple(max(1, min(length, ROW_ELEMENTS)) for length in shape)
    room = TILE_ELEMENTS if len(shape) == 2 else max(1, CUBE_BYTES // itemsize)
    tile = [1] * len(shape)
    growing = [axis for axis in reversed(range(len(shape))) if shape[axis] > 1]
    while growing and math.prod(tile) * 2 <= room:
        axis = min(growing, key=lambda a: tile[a])
        tile[axis] *= 2
        if tile[axis] >= shape[axis]:
            growing.remove(axis)
    return tuple(max(1, min(t, n)) for t, n in zip(tile, shape, strict=True))


def tiles(shape: tuple[int, ...], tile: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield the places of all tiles in C order; an array without values has none."""
    if 0 in shape:
        return
    ranges = [
        [slice(start, min(start + edge, length), 1) for start in range(0, length, edge)]
        for length, edge in zip(shape, tile, strict=True)
    ]
    yield from itertools.product(*ranges)


def blocks(start: int, stop: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of the blocks of rows, cut at multiples of *rows*."""
    while start < stop:
        end = min(stop, (start // rows + 1) * rows)
        yield start, end
        start = end


def _values(parts: Iterable[Ndarray]) -> Iterator[Ndarray]:
    """Yield the values that are there, each tile as one contiguous line."""
    for part in parts:
        # The order of summation in numpy depends on the layout, so it is made the same.
        if isinstance(part, np.ma.MaskedArray):
            line: Ndarray = part.compressed()
        else:
            line = np.ascontiguousarray(part).reshape(-1)
        if line.dtype.kind in "fc":
            missing = np.isnan(line)
            if missing.any():
                line = line[~missing]
        yield line


class Reducible:
    """Statistics for everything that has tiles: arrays and columns of tables.

    Without an axis they give a number of Python. Along axes they give a numpy array, and never
    hold more of the values than some tiles.
    """

    __slots__ = ()

    def _tiles(self) -> Iterator[Ndarray]:
        """Yield the values, tile by tile."""
        raise TypeError  # pragma: no cover (given by the classes)

    def _statistics(self) -> TileStatistics | None:
        return None

    def _reduced_dtype(self) -> np.dtype[Any]:
        raise TypeError  # pragma: no cover (given by the classes)

    def _along(self, name: str, axis: int | tuple[int, ...]) -> Ndarray:
        raise TypeError  # pragma: no cover (given by the classes)

    def _numbers(self, what: str, ordered: bool = False) -> None:
        kind = self._reduced_dtype().kind
        if kind not in ("biuf" if ordered else "biufc"):
            raise TypeError(f"{what} is not defined for values of type {self._reduced_dtype()}")

    def _extremes(self, low: bool) -> Any:
        self._numbers("min" if low else "max", ordered=True)
        known = self._statistics()
        if known is not None:
            counts = np.asarray(known.counts)
            full = counts[:, 0] + counts[:, 2] + counts[:, 3] > 0
            found = np.asarray(known.minima if low else known.maxima)[full]
        else:
            parts = (part for part in _values(self._tiles()) if part.size)
            picked = [part.min() if low else part.max() for part in parts]
            found = np.asarray(picked, dtype=self._reduced_dtype())
        if not found.size:
            return math.nan
        value = found.min() if low else found.max()
        return bool(value) if self._reduced_dtype().kind == "b" else value.item()

    def max(self, axis: Axis = None) -> Any:
        """Return the largest value, NaN ignored; NaN if there is none.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.

        Raises
        ------
        TypeError
            If the values have no order (text, complex numbers).
        """
        if axis is not None:
            return self._along("max", axis)
        return self._extremes(low=False)

    def min(self, axis: Axis = None) -> Any:
        """Return the smallest value, NaN ignored; NaN if there is none.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.

        Raises
        ------
        TypeError
            If the values have no order (text, complex numbers).
        """
        if axis is not None:
            return self._along("min", axis)
        return self._extremes(low=True)

    def count(self, axis: Axis = None) -> Any:
        """Return how many values are not NaN; infinities count.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("count", axis)
        known = self._statistics()
        if known is not None:
            return int(np.asarray(known.counts)[:, [0, 2, 3]].sum())
        return sum(part.size for part in _values(self._tiles()))

    def any(self, axis: Axis = None) -> Any:
        """Return whether a value differs from 0, NaN ignored.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("any", axis)
        self._numbers("any")
        if self._statistics() is not None:
            low, high = self.min(), self.max()
            return not (math.isnan(low) or (low == 0 and high == 0))
        return any(bool(part.any()) for part in _values(self._tiles()))

    def all(self, axis: Axis = None) -> Any:
        """Return whether all values differ from 0, NaN ignored.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("all", axis)
        self._numbers("all")
        if self._statistics() is not None:
            low, high = self.min(), self.max()
            if math.isnan(low) or low > 0 or high < 0:
                return True
            if low == 0 or high == 0:
                return False
        return all(bool(part.all()) for part in _values(self._tiles()))

    def sum(self, axis: Axis = None) -> Any:
        """Return the sum in float64 (complex128 for complex values), NaN ignored.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("sum", axis)
        self._numbers("sum")
        wide = self._wide()
        total = wide(0)
        with np.errstate(invalid="ignore", over="ignore"):
            for part in _values(self._tiles()):
                total = total + part.sum(dtype=wide)
        return total.item()

    def mean(self, axis: Axis = None) -> Any:
        """Return the mean in float64, NaN ignored; NaN if there are no values.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("mean", axis)
        self._numbers("mean")
        wide = self._wide()
        total, count = wide(0), 0
        with np.errstate(invalid="ignore", over="ignore"):
            for part in _values(self._tiles()):
                total = total + part.sum(dtype=wide)
                count += part.size
            return (total / count).item() if count else math.nan

    def std(self, axis: Axis = None) -> Any:
        """Return the standard deviation of the population, NaN ignored.

        NaN if there are no values. Tiles are merged by the formula of Chan, Golub and
        LeVeque (1979), which reads the values once.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("std", axis)
        self._numbers("std", ordered=True)
        count, mean, squares = 0, np.float64(0), np.float64(0)
        with np.errstate(invalid="ignore", over="ignore"):
            for part in _values(self._tiles()):
                if not part.size:
                    continue
                values = part.astype(np.float64)
                own_mean = values.mean()
                own_squares = np.square(values - own_mean).sum()
                if count:
                    step = own_mean - mean
                    share = part.size / (count + part.size)
                    squares = squares + own_squares + step * step * (count * share)
                    mean = mean + step * share
                else:  # merging with nothing could overflow
                    mean, squares = own_mean, own_squares
                count += part.size
            return float(np.sqrt(squares / count)) if count else math.nan

    def median(self, axis: Axis = None) -> Any:
        """Return the median in float64, NaN ignored; reads all values into memory.

        Parameters
        ----------
        axis
            Axis, or axes, to reduce, slowest first; None for all.
        """
        if axis is not None:
            return self._along("median", axis)
        self._numbers("median", ordered=True)
        parts = [part.astype(np.float64) for part in _values(self._tiles())]
        line = np.concatenate(parts) if parts else np.empty(0)
        return float(np.median(line)) if line.size else math.nan

    def _wide(self) -> Any:
        return np.complex128 if self._reduced_dtype().kind == "c" else np.float64
