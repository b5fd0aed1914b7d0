"""Limits for showing an image, from a sample of its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from skypool.model.arrays import Array

__all__ = ["SAMPLE_BYTES", "Sample", "sample", "zscale"]

#: Bytes that are read for the limits of an image, however large it is.
SAMPLE_BYTES: Final = 7_500_000

_MOST_VALUES: Final = 2**18
_PERCENTILES: Final = (99.9, 99.5, 99.0, 98.0, 95.0, 90.0)
_QUANTILES: Final = 257

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of the values of an image.

    Attributes
    ----------
    values : ndarray of float64
        Finite values, sorted: all of them, or such as are spread over the image.
    minimum, maximum : float
        Over the values that are not NaN; NaN if there are none.
    exact : bool
        Whether the minimum and the maximum are those of all values.
    whole : bool
        Whether the sample has all values.
    """

    values: Floats
    minimum: float
    maximum: float
    exact: bool
    whole: bool

    def limits(self) -> dict[str, tuple[float, float]]:
        """Return limits by name: `minmax`, `zscale`, and percentages of the values between."""
        if not self.values.size:
            return {"minmax": (0.0, 1.0)}
        low, high = self.minimum, self.maximum
        ends = (float(self.values[0]), float(self.values[-1]))
        found = {
            "minmax": (
                low if math.isfinite(low) else ends[0],
                high if math.isfinite(high) else ends[1],
            ),
            "zscale": zscale(self.values),
        }
        for share in _PERCENTILES:
            outside = (100 - share) / 2
            both = _quantiles(self.values, [outside / 100, 1 - outside / 100])
            found[f"{share:g}"] = (float(both[0]), float(both[1]))
        return found

    def quantiles(self) -> Floats:
        """Return 257 values, evenly spaced in rank, from the smallest to the largest."""
        if not self.values.size:
            return np.zeros(0)
        return _quantiles(self.values, np.linspace(0, 1, _QUANTILES))


def _quantiles(values: Floats, shares: Any) -> Floats:
    """Return quantiles of sorted values, interpolated as `numpy.quantile` does."""
    places = np.asarray(shares) * (values.size - 1)
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, values.size - 1)
    part = places - below
    # Both shares are weighed: the difference of two large values may be too large for a float.
    found: Floats = values[below] * (1 - part) + values[above] * part
    return found


def sample(array: Array, budget: int = SAMPLE_BYTES) -> Sample:
    """Return a sample of an array's values.

    Minimum and maximum come from the statistics, without reading, where there are any.

    Parameters
    ----------
    array
        Of numbers; of complex ones, their magnitudes.
    budget
        Bytes that are read at most, if one tile is not larger.
    """
    whole = array.nbytes <= budget
    parts = [_spread(part, array.size, budget, array) for part in _parts(array, budget, whole)]
    values = np.concatenate(parts) if parts else np.empty(0)
    values = np.sort(values[np.isfinite(values)])
    complete = whole and array.size <= _MOST_VALUES
    low, high, exact = _extremes(array, values, complete)
    return Sample(values, low, high, exact, complete)


def _spread(part: Any, size: int, budget: int, array: Array) -> Floats:
    flat = part.reshape(-1)
    read = min(size, budget // array.dtype.itemsize)
    step = max(1, -(-read // _MOST_VALUES))
    # A step that divides the width of a tile would take whole columns only.
    step += step > 1 and step % 2 == 0
    flat = flat[::step]
    flat = np.abs(flat) if flat.dtype.kind == "c" else flat
    found: Floats = np.asarray(flat, np.float64)
    return found


def _extremes(array: Array, values: Floats, complete: bool) -> tuple[float, float, bool]:
    if array.dtype.kind != "c" and (array.source.statistics is not None or complete):
        return float(array.min()), float(array.max()), True
    if not values.size:
        return math.nan, math.nan, complete
    return float(values[0]), float(values[-1]), complete


def _parts(array: Array, budget: int, whole: bool) -> Iterator[Any]:
    """Yield parts of the array, no more than fit into the budget."""
    shape = array.shape
    source = array.source
    if whole:
        yield source.read(tuple(slice(0, length, 1) for length in shape))
    elif getattr(source, "tile", None) is None:
        yield source.read(_strided(shape, array.nbytes, budget))
    else:
        for place in _chosen_tiles(array, max(1, budget // _tile_bytes(array))):
            yield source.read(place)


def _tile_bytes(array: Array) -> int:
    return math.prod(array.tile) * array.dtype.itemsize


def _strided(shape: tuple[int, ...], nbytes: int, budget: int) -> tuple[slice, ...]:
    """Return every n-th element of the leading axes, and of the last where that is too little."""
    wanted = math.ceil(nbytes / budget)
    index = []
    for length in shape:
        step = min(wanted, length)
        index.append(slice(min(step // 2, length - 1), length, step))
        wanted = math.ceil(wanted / step)
    return tuple(index)


def _chosen_tiles(array: Array, count: int) -> Iterator[tuple[slice, ...]]:
    """Yield tiles that are spread over the array, of those that have finite values."""
    grid = tuple(-(-n // t) for n, t in zip(array.shape, array.tile, strict=True))
    filled = _filled(array, grid)
    wanted = min(count, int(np.count_nonzero(filled)))
    taken: set[tuple[int, ...]] = set()
    for place in _sequence(grid, 16 * wanted):
        if len(taken) == wanted:
            break
        if filled[place]:
            taken.add(place)
    for left in np.argwhere(filled).tolist():  # where few of the tiles have values
        if len(taken) == wanted:
            break
        taken.add(tuple(left))
    for place in sorted(taken):
        yield tuple(
            slice(p * t, min((p + 1) * t, n), 1)
            for p, t, n in zip(place, array.tile, array.shape, strict=True)
        )


def _filled(array: Array, grid: tuple[int, ...]) -> Any:
    known = array.source.statistics
    if known is None or len(known.counts) != math.prod(grid):
        return np.ones(grid, bool)
    return (np.asarray(known.counts)[:, 0] > 0).reshape(grid)


def _sequence(grid: tuple[int, ...], count: int) -> Iterator[tuple[int, ...]]:
    """Yield places that fill a grid evenly (the R sequence of Roberts 2018)."""
    axes = len(grid)
    root = 2.0
    for _ in range(32):
        root = (1 + root) ** (1 / (axes + 1))
    steps = [root ** -(axis + 1) for axis in range(axes)]
    for number in range(count):
        yield tuple(
            int((0.5 + step * number) % 1 * length)
            for step, length in zip(steps, grid, strict=True)
        )


def zscale(
    values: Floats, contrast: float = 0.25, most: int = 1000, rejection: float = 2.5
) -> tuple[float, float]:
    """Return limits around the median, by the algorithm of IRAF's `zscale`.

    A line is fitted to the sorted values, without those that are far from it; its slope, divided
    by the contrast, gives how far from the median the limits are.

    Parameters
    ----------
    values
        Sorted and finite, at least one.
    contrast, most, rejection
        Scale of the slope, how many values are taken at most, and how many standard deviations
        from the line are far.
    """
    line = values
    if values.size > most:
        # The middles of equal parts: the ends of a large sample are rarer than those of a small.
        line = values[((np.arange(most) + 0.5) * (values.size / most)).astype(np.intp)]
    low, high = float(line[0]), float(line[-1])
    count = line.size
    least = max(5, int(count * 0.5))
    x = np.arange(count, dtype=float)
    bad = np.zeros(count, bool)
    good, before = count, count + 1
    slope = 0.0
    grow = max(1, int(count * 0.01))
    for _ in range(5):
        if good >= before or good < least:
            break
        slope, start = np.polyfit(x, line, 1, w=(~bad).astype(float))
        residuals = line - (slope * x + start)
        spread = float(np.std(residuals[~bad]))
        bad |= np.abs(residuals) > rejection * spread
        bad = np.convolve(bad, np.ones(grow), mode="same") > 0
        before, good = good, int(np.count_nonzero(~bad))
    if good >= least:
        slope = slope / contrast if contrast > 0 else slope
        centre = (count - 1) // 2
        median = float(np.median(line))
        low = max(low, median - (centre - 1) * slope)
        high = min(high, median + (count - centre) * slope)
    return low, high
