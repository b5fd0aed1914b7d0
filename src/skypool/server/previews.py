"""Small pictures of arrays, without reading more of them than a picture needs.

A picture has one value for each block of pixels: the mean of those that are finite. What is
read for it is bounded by a budget of bytes:

- Stored arrays are read by whole tiles, which is what can be fetched and checked. Tiles that
  the statistics know to have no finite value are not read. If the others fit into the budget,
  the means are exact. If they do not, a lattice of tiles as fine as the budget allows is read,
  and the picture has one value for each of them: it gets coarser, it never gets holes.
- Other arrays are read by rows, and if they do not fit into the budget, by every n-th row (and
  n-th pixel, once each block has but one row).

64 MiB, the budget where none is given, is an image of 4096 x 4096 pixels in single precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array, MemoryArray
from skypool.model.sources import ArraySource
from skypool.server.block_means import BlockMeans, Floats
from skypool.server.colours import COLOUR_MAPS, STRETCHES, colour_map, colours, stretched

__all__ = [
    "BUDGET",
    "COLOUR_MAPS",
    "STRETCHES",
    "Preview",
    "colour_map",
    "colours",
    "limits",
    "preview",
    "stretched",
]

#: Bytes that are read at most where nothing else is said.
BUDGET: Final = 64 * 1024**2

_BAND: Final = 4 * 1024**2
_PERCENTILES: Final = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of an array.

    Attributes
    ----------
    values : numpy.ndarray
        float32, two axes; each is the mean of the finite pixels of a block, NaN where there are
        none.
    step : tuple of int
        Height and width of a block in pixels; those at the last edges may be smaller.
    low, high : float
        Limits for a stretch: the percentiles 0.5 and 99.5 of the values; 0 and 1 if there are
        none.
    finite : float
        Share of the values that are there, from 0 to 1.
    read : float
        Share of the plane's pixels that are in the means, from 0 to 1; pixels of tiles that
        are known to be blank count as read. 1 means that the picture is exact.
    plane : tuple of int
        Place on the leading axes.
    """

    values: Floats
    step: tuple[int, int]
    low: float
    high: float
    finite: float
    read: float
    plane: tuple[int, ...] = ()

    def rgba(
        self,
        stretch: str = "asinh",
        colour_map: str = "gray",
        low: float | None = None,
        high: float | None = None,
    ) -> Any:
        """Return it in colours.

        Parameters
        ----------
        stretch, colour_map
            Of `STRETCHES` and `COLOUR_MAPS`.
        low, high
            Limits; by default its own.

        Returns
        -------
        ndarray of uint8, shape (height, width, 4)
            In the order of the array: FITS images have their first row at the bottom.
        """
        low = self.low if low is None else low
        high = self.high if high is None else high
        return colours(stretched(self.values, low, high, stretch), colour_map)


class _Plane(NamedTuple):
    """The two last axes of an array at one place of the others."""

    source: ArraySource
    place: tuple[int, ...]
    height: int
    width: int

    def read(self, rows: slice, columns: slice) -> Any:
        lead = [slice(p, p + 1, 1) for p in self.place]
        index = (*lead, rows, columns)[-len(self.source.shape) :]
        found = self.source.read(index)
        return found.reshape(found.shape[-2:] if found.ndim > 1 else (1, -1))


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    number: int


def preview(
    data: Any,
    size: tuple[int, int] = (256, 256),
    plane: Sequence[int] | int | None = None,
    budget: int | None = BUDGET,
) -> Preview:
    """Return a small picture of an array.

    Parameters
    ----------
    data
        `Array`, or a numpy array. One axis is a picture of one row; of more than two, the last
        two are the picture.
    size
        Largest height and width of the picture. Blocks are square, so the picture has the shape
        of the array.
    plane
        Place on the leading axes, counted from 0; an integer for a cube. By default the
        middle one.
    budget
        Bytes that are read at most; None to read everything.

    Raises
    ------
    UsageError
        If the values are no numbers, or there is no such plane.
    """
    array = data if isinstance(data, Array) else _wrapped(data)
    if array.dtype.kind not in "biufc" or not array.ndim:
        raise UsageError(f"there is no picture of {array!r}", hint="pictures are made of numbers")
    shape = array.shape
    height, width = _pair((1, *shape))
    lead = _place(shape[:-2], plane)
    where = _Plane(array.source, lead, height, width)
    step = max(1, -(-height // max(1, size[0])), -(-width // max(1, size[1])))
    means = BlockMeans((height, width), (step, step))
    if not height or not width or 0 in shape:
        return _made(np.zeros((0, 0), np.float32), (step, step), 1.0, lead)
    if getattr(array.source, "tile", None) is None:
        share = _by_rows(where, array.dtype.itemsize, means, budget)
        return _made(means.values(), means.step, share, lead)
    return _by_tiles(array, where, means, budget)


def _wrapped(data: Any) -> Array:
    return Array(MemoryArray(np.asarray(data)), copy=False)


def _pair(lengths: tuple[int, ...]) -> tuple[int, int]:
    return lengths[-2], lengths[-1]


def _place(lead: tuple[int, ...], plane: Sequence[int] | int | None) -> tuple[int, ...]:
    if plane is None:
        return tuple(length // 2 for length in lead)
    place = (plane,) if isinstance(plane, int) else tuple(plane)
    if len(place) != len(lead) or any(not 0 <= p < n for p, n in zip(place, lead, strict=True)):
        words = " x ".join(map(str, lead)) or "no"
        raise UsageError(f"there is no plane {place} among {words} planes")
    return place


def _made(values: Floats, step: tuple[int, int], read: float, place: tuple[int, ...]) -> Preview:
    finite = np.isfinite(values)
    low, high = limits(values)
    share = float(finite.mean()) if values.size else 0.0
    return Preview(values, step, low, high, share, read, place)


def limits(values: Any, percentiles: tuple[float, float] = _PERCENTILES) -> tuple[float, float]:
    """Return two percentiles of the finite values; 0 and 1 if there are none."""
    numbers = np.asarray(values)
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, percentiles)
    return float(low), float(high)


# -- by rows


def _by_rows(plane: _Plane, itemsize: int, means: BlockMeans, budget: int | None) -> float:
    """Read every n-th row, as the budget allows; return the share of the pixels read."""
    height, width = plane.height, plane.width
    step = means.step[0]
    share = 1.0 if budget is None else min(1.0, budget / (height * width * itemsize))
    # So many rows of each block, at least one; then so many pixels of each row.
    down = -(-step // max(1, int(step * share)))
    across = -(-step // max(1, int(step * min(1.0, share * min(step, height)))))
    # A block begins with a row and a pixel that are read, so that none is without.
    lines = [y for top in range(0, height, step) for y in range(top, min(top + step, height), down)]
    for top, stop in _bands(height, step, width * itemsize // (down * across) or 1):
        if step % down == 0 or down == 1:
            part = plane.read(slice(top, stop, down), slice(0, width, across))
            means.add_rows(part, top, 0, (down, across))
            continue
        for first in range(top, stop, step):
            last = min(first + step, stop)
            part = plane.read(slice(first, last, down), slice(0, width, across))
            means.add_rows(part, first, 0, (down, across))
    return len(lines) * len(range(0, width, across)) / (height * width)


def _bands(height: int, step: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    rows = max(1, _BAND // (row_bytes * step)) * step
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


# -- by tiles


def _by_tiles(array: Array, plane: _Plane, means: BlockMeans, budget: int | None) -> Preview:
    edges = _pair((1, *array.tile))
    rows, columns = -(-plane.height // edges[0]), -(-plane.width // edges[1])
    filled = _filled(array, plane, (rows, columns))
    cost = math.prod(array.tile) * array.dtype.itemsize
    most = rows * columns if budget is None else max(1, budget // cost)
    if np.count_nonzero(filled) > most:
        return _lattice(plane, edges, filled, most)
    for row in range(rows):
        for first, last in _runs(filled[row]):
            top, left = row * edges[0], first * edges[1]
            bottom = min(plane.height, top + edges[0])
            right = min(plane.width, last * edges[1])
            part = plane.read(slice(top, bottom, 1), slice(left, right, 1))
            means.add_rows(part, top, left)
    return _made(means.values(), means.step, 1.0, plane.place)


def _filled(array: Array, plane: _Plane, grid: tuple[int, int]) -> Any:
    """Return which tiles of the plane have a finite value, as far as it is known."""
    known = array.source.statistics
    if known is None:
        return np.ones(grid, bool)
    numbers = [-(-n // t) for n, t in zip(array.shape, array.tile, strict=True)]
    counts = np.asarray(known.counts)
    if len(counts) != math.prod(numbers):
        return np.ones(grid, bool)
    here = tuple(p // t for p, t in zip(plane.place, array.tile, strict=False))
    return (counts[:, 0] > 0).reshape(numbers)[here].reshape(grid)


def _runs(wanted: Any) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of the runs of true values."""
    marks = np.flatnonzero(np.diff(np.concatenate([[0], wanted.astype(np.int8), [0]])))
    yield from zip(marks[::2].tolist(), marks[1::2].tolist(), strict=True)


def _lattice(plane: _Plane, edges: tuple[int, int], filled: Any, most: int) -> Preview:
    """Return a picture with one value for each cell of tiles, of which one is read."""
    rows, columns = filled.shape
    down = across = 1
    while _cells(filled, down, across) > most:
        # The cells stay as square as the tiles allow.
        if (down * edges[0] <= across * edges[1] and down < rows) or across >= columns:
            down += 1
        else:
            across += 1
    shape = (-(-rows // down), -(-columns // across))
    values = np.full(shape, np.nan, np.float32)
    pixels = 0
    for row, column in np.ndindex(shape):
        tile = _chosen(filled, row * down, column * across, down, across)
        if tile is None:
            continue
        top, left = tile[0] * edges[0], tile[1] * edges[1]
        bottom, right = min(plane.height, top + edges[0]), min(plane.width, left + edges[1])
        part = plane.read(slice(top, bottom, 1), slice(left, right, 1))
        whole = BlockMeans(part.shape, part.shape)
        whole.add_rows(part, 0, 0)
        values[row, column] = whole.values()[0, 0]
        pixels += part.size
    step = (down * edges[0], across * edges[1])
    return _made(values, step, pixels / (plane.height * plane.width), plane.place)


def _cells(filled: Any, down: int, across: int) -> int:
    """Return how many cells have a tile to read."""
    tops = range(0, filled.shape[0], down)
    by_row = np.logical_or.reduceat(filled, tops, axis=0)
    cells = np.logical_or.reduceat(by_row, range(0, filled.shape[1], across), axis=1)
    return int(np.count_nonzero(cells))


def _chosen(filled: Any, row: int, column: int, down: int, across: int) -> Any:
    """Return the tile with values that is nearest to the middle of a cell; None if none has."""
    cell = filled[row : row + down, column : column + across]
    places = np.argwhere(cell)
    if not len(places):
        return None
    middle = (np.array(cell.shape) - 1) / 2
    nearest = int(np.argmin(np.square(places - middle).sum(axis=1)))
    return (row + int(places[nearest, 0]), column + int(places[nearest, 1]))
