"""From the world coordinates of an image to the part of a coverage."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from skypool.sky.celestial import Celestial, Geometry
from skypool.sky.coverage import AllSky, OutlinePart, Part, State, TangentPart
from skypool.sky.polygons import Polygon
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["image_part"]

_SIDE: Final = 8  # arcs on each side of an outline
_GRID: Final = 9  # pixels a side that must be inside it
_LEAST: Final = 1e-10  # radians; rounding in world coordinates


def image_part(found: Geometry, state: State) -> Part:
    """Return the part of a coverage that an image is.

    Parameters
    ----------
    found
        Where it is.
    state
        Whether its pixels have values.
    """
    plain = getattr(found.celestial, "tangent", None)
    if plain is not None:
        part = TangentPart(plain, found.width, found.height, state)
        return AllSky(state) if part.outline is None else part
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # astropy warns of pixels that are nowhere
        return _outlined(found, state)


def _outlined(found: Geometry, state: State) -> Part:
    points = found.celestial.directions(_edges(found, 2 * _SIDE))
    grid = _interior(found)
    if not (np.isfinite(points).all() and np.isfinite(grid).all()):
        return AllSky(state)
    between = _vectors(points[1::2])
    outline = Polygon.of(_vectors(points[::2]))
    if outline is None:
        return AllSky(state)
    # Half-way between two vertices an edge is farthest from their arc; twice that is safe.
    margin = 2.0 * max(outline.edge_separation(v) for v in between) + _LEAST
    margin += getattr(found.celestial, "wiggle", 0.0)
    if margin > 0.1 * outline.radius or not all(
        outline.contains(v) or outline.edge_separation(v) <= margin for v in _vectors(grid)
    ):
        return AllSky(state)
    if not _is_inverse(found.celestial, grid):
        return AllSky(state)
    return OutlinePart(outline, margin, state)


def _edges(found: Geometry, count: int) -> NDArray[np.float64]:
    """Return points on the outer edges of the outer pixels, all the way round."""
    right, top = found.width - 0.5, found.height - 0.5
    x = np.linspace(-0.5, right, count + 1)[:-1]
    y = np.linspace(-0.5, top, count + 1)[:-1]
    sides = [
        np.stack([x, np.full(count, -0.5)], axis=1),
        np.stack([np.full(count, right), y], axis=1),
        np.stack([right - 0.5 - x, np.full(count, top)], axis=1),
        np.stack([np.full(count, -0.5), top - 0.5 - y], axis=1),
    ]
    return np.concatenate(sides)


def _interior(found: Geometry) -> NDArray[np.float64]:
    x = np.linspace(0, found.width - 1, _GRID)
    y = np.linspace(0, found.height - 1, _GRID)
    pixels = np.stack([axis.ravel() for axis in np.meshgrid(x, y)], axis=1)
    return found.celestial.directions(pixels)


def _is_inverse(celestial: Celestial, directions: NDArray[np.float64]) -> bool:
    """Tell whether pixels can be found from directions all over the image."""
    return bool(np.isfinite(celestial.pixels(directions)).all())


def _vectors(points: NDArray[np.float64]) -> list[Vector]:
    return [(float(x), float(y), float(z)) for x, y, z in points]
