"""Whether footprints and circles have a point in common.

Of parts of coverages the answer has three values; of images, looked at through their world
coordinates, it is exact: edges are followed to far below a pixel.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from skypool.sky.celestial import Geometry
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["image_meets_circle", "images_meet"]

Points: TypeAlias = "NDArray[np.float64]"

_SIDE: Final = 256  # samples of each side of an image
_ZOOM: Final = 33  # samples of a stretch that is looked at closer
_ROUNDS: Final = 6
_STARTS: Final = 8  # stretches that are
_BLOCK: Final = 1 << 19  # pixels at a time
# Samples along the edges: side and fraction as one number from 0 to 4.
_WHOLE: Final = np.linspace(0.0, 4.0, 4 * _SIDE + 1)


def image_meets_circle(found: Geometry, direction: Vector, radius: float) -> bool:
    """Tell whether a circle (radius in radians) has a point inside the outer edges of an image.

    An image with edges that are nowhere on the sky (all-sky maps) meets the circle if it has a
    pixel at the circle's middle, or the middle of a pixel is in the circle.
    """
    if found.pixel_of(direction) is not None:
        return True
    centre = np.array(direction)
    with _quiet():
        edges = _along(found, _WHOLE)
        if np.isfinite(edges).all():
            return _least(found, lambda points: _separations(points, centre)) <= radius
        return any(
            bool(np.any(_separations(points, centre) <= radius)) for points in _middles(found)
        )


def images_meet(one: Geometry, other: Geometry) -> bool:
    """Tell whether the areas inside the outer edges of two images have a point in common.

    Of images with edges that are nowhere on the sky, the middles of pixels count.
    """
    with _quiet():
        for a, b in ((one, other), (other, one)):
            if _least(a, lambda points, b=b: _outside(b, points)) <= 0.0:  # type: ignore[misc]
                return True
        for a, b in ((one, other), (other, one)):
            if not np.isfinite(_along(a, _WHOLE)).all() and any(
                bool(np.any(_outside(b, points) <= 0.0)) for points in _middles(a)
            ):
                return True
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep quiet about pixels that are nowhere."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _along(found: Geometry, at: Points) -> Points:
    """Return the directions of places along the edges."""
    side, part = np.floor(at).astype(int) % 4, at - np.floor(at)
    x = np.choose(side, [part, np.ones_like(part), 1.0 - part, np.zeros_like(part)])
    y = np.choose(side, [np.zeros_like(part), part, np.ones_like(part), 1.0 - part])
    pixels = np.stack([x * found.width - 0.5, y * found.height - 0.5], axis=1)
    return found.celestial.directions(pixels)


def _least(found: Geometry, measure: Callable[[Points], Points]) -> float:
    """Return the least value of a measure along the edges."""

    def values(at: Points) -> Points:
        points = _along(found, at)
        there = np.isfinite(points).all(axis=1)
        measured = np.full(len(at), np.inf)
        if there.any():
            measured[there] = measure(points[there])
        return np.where(np.isnan(measured), np.inf, measured)

    places = _WHOLE
    measured = values(places)
    best = float(measured.min())
    lower = np.r_[measured[-2], measured[:-1]]
    upper = np.r_[measured[1:], measured[1]]
    minima = np.flatnonzero(np.isfinite(measured) & (measured <= lower) & (measured <= upper))
    for start in minima[np.argsort(measured[minima])][:_STARTS]:
        middle, step = float(places[start]), 1.0 / _SIDE
        for _ in range(_ROUNDS):
            stretch = np.linspace(middle - step, middle + step, _ZOOM) % 4.0
            closer = values(stretch)
            place = int(np.argmin(closer))
            best = min(best, float(closer[place]))
            middle, step = float(stretch[place]), 2.0 * step / (_ZOOM - 1)
    return best


def _separations(points: Points, centre: Points) -> Points:
    """Return the angles between directions and one."""
    apart = np.linalg.norm(np.cross(points, centre), axis=1)
    found: Points = np.arctan2(apart, points @ centre)
    return found


def _outside(found: Geometry, directions: Points) -> Points:
    """Return how many pixels outside of an image directions are; not above 0 inside."""
    pixels = found.celestial.pixels(directions)
    size = np.array([found.width, found.height])
    beyond = np.abs(pixels - (size - 1) / 2.0) - size / 2.0
    outside: Points = np.where(np.isfinite(beyond).all(axis=1), beyond.max(axis=1), np.inf)
    return outside


def _middles(found: Geometry) -> Iterator[Points]:
    """Yield the directions of the middles of all pixels, some rows at a time."""
    rows = max(1, _BLOCK // found.width)
    columns = np.arange(found.width, dtype=float)
    for start in range(0, found.height, rows):
        lines = np.arange(start, min(start + rows, found.height), dtype=float)
        x, y = np.meshgrid(columns, lines)
        points = found.celestial.directions(np.stack([x.ravel(), y.ravel()], axis=1))
        there = points[np.isfinite(points).all(axis=1)]
        if len(there):
            yield there
