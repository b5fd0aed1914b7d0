"""What is told of an image before its tiles: levels, limits, unit, coordinates; and its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import NotFound
from skypool.server.data_limits import sample
from skypool.server.data_tiles import TILE, Scaling, levels, scaling_of
from skypool.server.data_values import cell, value_text

if TYPE_CHECKING:
    from skypool.server.data_sources import Shown

__all__ = ["describe", "pixel", "scaling_in"]


def describe(shown: Shown) -> dict[str, Any]:
    """Return the description of an image or a cube.

    No more than `skypool.server.data_limits.SAMPLE_BYTES` of its values are read.
    """
    array = shown.array
    known = sample(array)
    limits = known.limits()
    low, high = limits.get("99.5", limits["minmax"])
    scaling = scaling_of(array.dtype, *limits["minmax"])
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "complex": array.dtype.kind == "c",
        "planes": shown.planes,
        "levels": levels(*shown.size),
        "tile": TILE,
        "unit": array.unit_text,
        "wcs": shown.world.describe(),
        "compass": shown.world.compass(),
        "low": low,
        "high": high,
        "minimum": known.minimum,
        "maximum": known.maximum,
        "exact": known.exact,
        "limits": {name: list(pair) for name, pair in limits.items()},
        "quantiles": known.quantiles().tolist(),
        "scaling": {"offset": scaling.offset, "scale": scaling.scale},
        "plane_axes": shown.world.plane_axes(),
    }


def scaling_in(described: Mapping[str, Any]) -> Scaling:
    """Return the scaling of tiles that a description tells."""
    told = described["scaling"]
    return Scaling(told["offset"], told["scale"])


def pixel(shown: Shown, plane: int, x: int, y: int) -> dict[str, Any]:
    """Return the exact value of a pixel, and where it is.

    Parameters
    ----------
    shown
        The array.
    plane
        Number of the plane.
    x, y
        Column and row, counted from 0.

    Raises
    ------
    NotFound
        If it is outside.
    """
    height, width = shown.size
    place = shown.place(plane)
    if not (0 <= x < width and 0 <= y < height):
        raise NotFound(f"there is no pixel ({x}, {y}) in an image of {width} × {height}")
    array = shown.array
    value = array[(*place, y, x)[-array.ndim :]]
    return {
        "value": cell(value),
        "text": value_text(value),
        "unit": array.unit_text,
        "world": shown.world.at(x, y, place),
        "magnitude": float(np.abs(value)) if array.dtype.kind == "c" else None,
    }
