"""Tiles of images: pixels at level 0, means of square blocks at the levels above.

A tile of a reduced level is computed of the stored tiles below it, and of nothing else. If they
are more than a preview may read (`skypool.server.previews.BUDGET`), its rule holds: a lattice of
them is read, and the tile gets coarser.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from skypool.errors import NotFound
from skypool.model.arrays import Array
from skypool.server.block_means import BlockMeans, Floats, means_of
from skypool.server.previews import BUDGET, preview

if TYPE_CHECKING:
    from skypool.model.sources import ArraySource, Ndarray
    from skypool.server.data_sources import Shown

__all__ = ["TILE", "Scaling", "levels", "scaling_of", "tile"]

TILE: Final = 256
"""Height and width of a tile."""

_LARGEST: Final = 1e37
_NARROW: Final = 1e-3


class Scaling(NamedTuple):
    """What float32 values of tiles stand for: `value = offset + scale * tile`.

    It is (0, 1) unless values are too large for float32, or so close together that it does not
    tell them apart.
    """

    offset: float = 0.0
    scale: float = 1.0

    def apply(self, values: Any) -> Floats:
        """Return values as tiles have them."""
        if self == (0.0, 1.0):
            with np.errstate(over="ignore"):
                return np.asarray(values, "<f4")
        with np.errstate(over="ignore", invalid="ignore"):
            # Divided first: the difference may be too large for a float.
            wide = np.asarray(values, np.float64)
            return np.asarray(wide / self.scale - self.offset / self.scale, "<f4")


def scaling_of(dtype: np.dtype[Any], low: float, high: float) -> Scaling:
    """Return the scaling of tiles for values between two limits."""
    if dtype.kind in "fc" and dtype.itemsize // (2 if dtype.kind == "c" else 1) <= 4:
        return Scaling()
    if dtype.kind in "biu" and dtype.itemsize <= 2:
        return Scaling()
    size = max(abs(low), abs(high))
    width = high / 2 - low / 2
    if not math.isfinite(size) or not width > 0:
        return Scaling(low, max(size, 1.0)) if math.isfinite(size) and low == high else Scaling()
    if size < _LARGEST and width > _NARROW * size:
        return Scaling()
    return Scaling(low / 2 + high / 2, width)


def levels(height: int, width: int) -> list[dict[str, Any]]:
    """Return level, step and shape of all levels, up to the one that is a single tile."""
    found = []
    level, step = 0, 1
    while True:
        shape = (-(-height // step), -(-width // step))
        found.append({"level": level, "step": step, "shape": list(shape)})
        if max(shape) <= TILE:
            return found
        level, step = level + 1, step * 2


class Window(NamedTuple):
    """Pixels of a plane: rows from top to bottom, columns from left to right."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left


def tile(
    shown: Shown,
    plane: int,
    level: int,
    row: int,
    column: int,
    scaling: Scaling = Scaling(),  # noqa: B008 (it cannot be changed)
    source: ArraySource | None = None,
) -> Floats:
    """Return a tile: float32, the first row at the bottom of the image.

    Parameters
    ----------
    shown
        The array.
    plane
        Number of the plane.
    level
        0 for the pixels themselves, each further one halves their number on both axes.
    row, column
        Which of the level's tiles, from the bottom left.
    scaling
        What is made of the values.
    source
        Values to take instead of the array's, of the same shape.

    Raises
    ------
    NotFound
        If there is no such tile.
    """
    height, width = shown.size
    known = levels(height, width)
    if level >= len(known):
        raise NotFound(f"there is no level {level}: the levels are 0 to {len(known) - 1}")
    step = 1 << level
    edge = TILE * step
    window = Window(
        row * edge, min(height, (row + 1) * edge), column * edge, min(width, (column + 1) * edge)
    )
    if min(window.shape) <= 0:
        rows, columns = (-(-n // TILE) for n in known[level]["shape"])
        raise NotFound(
            f"there is no tile in row {row}, column {column}: level {level} has {rows} rows of"
            f" {columns}"
        )
    values = source or shown.array.source
    plain = _Plane(values, shown.place(plane), window)
    return scaling.apply(_magnitudes(plain.all()) if step == 1 else _reduced(plain, step))


def _magnitudes(values: Any) -> Any:
    return np.abs(values) if values.dtype.kind == "c" else values


class _Plane:
    """A window of one plane of an array, as an array of two axes of its own."""

    stored: object = None
    statistics = None

    def __init__(self, source: ArraySource, place: tuple[int, ...], window: Window) -> None:
        self._source = source
        self._lead = tuple(slice(p, p + 1, 1) for p in place)
        self._window = window
        self.shape = window.shape
        self.dtype = source.dtype
        tile = getattr(source, "tile", None)
        if tile is not None:
            self.tile = (1, *tile)[-2:]
            #: Bytes of a stored tile, which may reach through many planes.
            self.cost = math.prod(tile) * self.dtype.itemsize

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        rows, columns = index
        top, left = self._window.top, self._window.left
        place = (
            *self._lead,
            slice(top + rows.start, top + rows.stop, rows.step),
            slice(left + columns.start, left + columns.stop, columns.step),
        )
        found = self._source.read(place[-len(self._source.shape) :])
        return found.reshape(found.shape[-2:] if found.ndim > 1 else (1, -1))

    def starts_a_tile(self) -> bool:
        """Tell whether stored tiles begin where the window does."""
        return hasattr(self, "tile") and not (
            self._window.top % self.tile[0] or self._window.left % self.tile[1]
        )

    def all(self) -> Ndarray:
        """Return all values."""
        return self.read((slice(0, self.shape[0], 1), slice(0, self.shape[1], 1)))


def _reduced(plane: _Plane, step: int) -> Floats:
    height, width = plane.shape
    tile = getattr(plane, "tile", None)
    if tile is None:
        tile, cost = (step, width), step * width * plane.dtype.itemsize
    else:
        cost = plane.cost
    count = -(-height // tile[0]) * -(-width // tile[1])
    if count * cost > BUDGET and count > 1:
        return _sampled(plane, step, int(BUDGET / cost * math.prod(tile) * plane.dtype.itemsize))
    if tile[0] % step == tile[1] % step == 0 and plane.starts_a_tile():
        return _tile_by_tile(plane, step)
    means = BlockMeans((height, width), (step, step))
    rows = max(step, tile[0] - tile[0] % step)
    for top in range(0, height, rows):
        part = plane.read((slice(top, min(height, top + rows), 1), slice(0, width, 1)))
        means.add_rows(part, top, 0)
    return means.values()


def _tile_by_tile(plane: _Plane, step: int) -> Floats:
    """Return the means of a window of whole stored tiles: each is worked on while it is near."""
    height, width = plane.shape
    high, wide = plane.tile
    found = np.empty((-(-height // step), -(-width // step)), np.float32)
    for top in range(0, height, high):
        for left in range(0, width, wide):
            part = plane.read(
                (
                    slice(top, min(height, top + high), 1),
                    slice(left, min(width, left + wide), 1),
                )
            )
            means = means_of(part, step)
            row, column = top // step, left // step
            found[row : row + means.shape[0], column : column + means.shape[1]] = means
    return found


def _sampled(plane: _Plane, step: int, budget: int) -> Floats:
    """Return the preview of a window that is too large to be read."""
    height, width = plane.shape
    shape = (-(-height // step), -(-width // step))
    small = preview(Array(plane, copy=False), shape, budget=budget)
    rows = np.minimum(np.arange(shape[0]) * step // small.step[0], small.values.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) * step // small.step[1], small.values.shape[1] - 1)
    return small.values[np.ix_(rows, columns)]
