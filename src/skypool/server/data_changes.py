"""Differences of two versions of an image.

Stored tiles with the same name hold the same bytes: they are not read, unless they may hold
NaN, whose difference is NaN.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.codec.stored import StoredArray
from skypool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skypool.model.arrays import Array
    from skypool.model.sources import Ndarray
    from skypool.server.data_sources import Shown

__all__ = ["Difference", "changed"]

_MOST_BOXES: Final = 100
_MOST_BYTES: Final = 2**30

Box = tuple[int, int, int, int]


class Difference:
    """First array minus second one, as an `ArraySource` of float64.

    Parameters
    ----------
    a, b
        Of the same shape.

    Attributes
    ----------
    differing : ndarray of bool
        Which tiles may differ, as a grid.

    Raises
    ------
    UsageError
        If the shapes differ.
    """

    stored: object = None
    statistics = None

    def __init__(self, a: Array, b: Array) -> None:
        if a.shape != b.shape:
            raise UsageError(
                f"the shapes differ: {_words(a.shape)} and {_words(b.shape)} pixels",
                hint="only images of the same shape can be subtracted",
            )
        self._a, self._b = a.source, b.source
        self.shape = a.shape
        self.dtype = np.dtype(np.float64)
        self.tile = a.tile
        self.grid = tuple(-(-n // t) for n, t in zip(a.shape, a.tile, strict=True))
        self.differing = _differing(a, b, self.grid)
        known = a.source.statistics if not self.differing.all() else None
        self._plain = np.zeros(self.grid, bool)  # tiles whose difference is known to be 0
        if known is not None and len(known.counts) == math.prod(self.grid):
            counts = np.asarray(known.counts)
            finite = (counts[:, 1:] == 0).all(axis=1).reshape(self.grid)
            self._plain = finite & ~self.differing

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        """Return a part of the difference."""
        touched = tuple(
            slice(part.start // edge, max(part.start, part.stop - 1) // edge + 1)
            for part, edge in zip(index, self.tile, strict=True)
        )
        shape = tuple(len(range(part.start, part.stop, part.step)) for part in index)
        if 0 in shape or self._plain[touched].all():
            return np.zeros(shape)
        if self.differing[touched].any() and self.differing[touched].size > 1:
            return self._by_tiles(index, touched, shape)
        first = _wide(self._a.read(index))
        second = _wide(self._b.read(index)) if self.differing[touched].any() else first
        with np.errstate(invalid="ignore", over="ignore"):
            found: Ndarray = _magnitude(first - second)
            return found

    def _by_tiles(
        self, index: tuple[slice, ...], touched: tuple[slice, ...], shape: tuple[int, ...]
    ) -> Ndarray:
        """Read what lies in each tile by itself, so that only those that differ are read."""
        found = np.empty(shape)
        parts = [
            list(_pieces(part, edge, range(numbers.start, numbers.stop)))
            for part, edge, numbers in zip(index, self.tile, touched, strict=True)
        ]
        for pieces in itertools.product(*parts):
            found[tuple(out for _, out in pieces)] = self.read(tuple(own for own, _ in pieces))
        return found


def _pieces(part: slice, edge: int, numbers: range) -> Iterator[tuple[slice, slice]]:
    """Yield (place in the array, place in what is read) of an axis, tile by tile."""
    wanted = range(part.start, part.stop, part.step)
    for number in numbers:
        first = max(0, -(-(number * edge - part.start) // part.step))
        last = min(len(wanted), -(-((number + 1) * edge - part.start) // part.step))
        if first < last:
            yield slice(wanted[first], wanted[last - 1] + 1, part.step), slice(first, last)


def _words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, reversed(shape)))


def _wide(values: Any) -> Any:
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def _magnitude(values: Any) -> Any:
    return np.abs(values) if values.dtype.kind == "c" else values


def _differing(a: Array, b: Array, grid: tuple[int, ...]) -> Any:
    first, second = a.source, b.source
    if not (
        isinstance(first, StoredArray)
        and isinstance(second, StoredArray)
        and first.same_layout(second)
    ):
        return np.ones(grid, bool)
    names = zip(first.tile_names(), second.tile_names(), strict=True)
    return np.array([x != y for x, y in names], bool).reshape(grid)


def changed(a: Shown, b: Shown, plane: int = 0) -> dict[str, Any]:
    """Return which pixels differ; NaN equals NaN.

    Parameters
    ----------
    a, b
        Arrays of the same shape.
    plane
        The plane of which boxes are wanted.

    Returns
    -------
    dict
        `pixels`: how many differ, in all planes; `boxes`: [x0, y0, x1, y1] of those of the
        plane, the last pixel not included; `maximum`: the largest difference by size; `planes`:
        how many pixels differ in each plane in which some do; `tiles`, `tiles_read`: how many
        stored tiles there are, and how many had to be read; `complete`: whether all were, which
        is not so if they are more than 1 GiB.
    """
    difference = Difference(a.array, b.array)
    work = _Work(a, plane)
    cost = 2 * math.prod(difference.tile) * a.array.dtype.itemsize
    places = np.argwhere(difference.differing)
    most = max(1, _MOST_BYTES // cost)
    for place in places[:most].tolist():
        index = tuple(
            slice(p * t, min((p + 1) * t, n), 1)
            for p, t, n in zip(place, difference.tile, difference.shape, strict=True)
        )
        work.take(index, a.array.source.read(index), b.array.source.read(index))
    boxes = _merged(work.boxes)
    return {
        "pixels": work.pixels,
        "boxes": [list(box) for box in boxes],
        "maximum": work.maximum,
        "planes": {str(plane): count for plane, count in sorted(work.planes.items())},
        "tiles": math.prod(difference.grid),
        "tiles_read": min(len(places), most),
        "complete": len(places) <= most,
        "units": [a.array.unit_text, b.array.unit_text],
    }


class _Work:
    """What was found in the tiles so far."""

    def __init__(self, shown: Shown, plane: int) -> None:
        self._place = shown.place(plane)
        self._lead = shown.lead
        self.pixels = 0
        self.maximum = 0.0
        self.planes: dict[int, int] = {}
        self.boxes: list[Box] = []

    def take(self, index: tuple[slice, ...], x: Any, y: Any) -> None:
        different = x != y
        if x.dtype.kind in "fc" and y.dtype.kind in "fc":
            different &= ~(np.isnan(x) & np.isnan(y))
        count = int(np.count_nonzero(different))
        if not count:
            return
        self.pixels += count
        with np.errstate(invalid="ignore", over="ignore"):
            sizes = np.abs(_wide(x[different]) - _wide(y[different]))
        finite = sizes[np.isfinite(sizes)]
        if finite.size:
            self.maximum = max(self.maximum, float(finite.max()))
        planes = different.reshape(-1, *(1, *different.shape)[-2:])
        starts = [part.start for part in index]
        for number, lead in enumerate(np.ndindex(different.shape[:-2])):
            found = planes[number]
            if not found.any():
                continue
            at = tuple(p + s for p, s in zip(lead, starts, strict=False))
            name = int(np.ravel_multi_index(at, self._lead)) if at else 0
            self.planes[name] = self.planes.get(name, 0) + int(np.count_nonzero(found))
            if at == self._place:
                self._box(found, (0, *starts)[-2:])

    def _box(self, found: Any, start: tuple[int, ...]) -> None:
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        top, left = start
        self.boxes.append((
            left + int(columns[0]), top + int(rows[0]),
            left + int(columns[-1]) + 1, top + int(rows[-1]) + 1,
        ))  # fmt: skip


def _merged(boxes: list[Box]) -> list[Box]:
    """Join boxes that touch; if they are still too many, those in bands of the image."""
    found = _joined(boxes)
    gap = 1
    while len(found) > _MOST_BOXES:
        found = _joined(found, gap)
        gap *= 2
    return found


def _joined(boxes: list[Box], gap: int = 0) -> list[Box]:
    found: list[Box] = []
    for box in boxes:
        near = [other for other in found if _touch(box, other, gap)]
        while near:
            for other in near:
                found.remove(other)
                box = (
                    min(box[0], other[0]), min(box[1], other[1]),
                    max(box[2], other[2]), max(box[3], other[3]),
                )  # fmt: skip
            near = [other for other in found if _touch(box, other, gap)]
        found.append(box)
    return sorted(found, key=lambda box: (box[1], box[0]))


def _touch(a: Box, b: Box, gap: int) -> bool:
    return a[0] <= b[2] + gap and b[0] <= a[2] + gap and a[1] <= b[3] + gap and b[1] <= a[3] + gap
