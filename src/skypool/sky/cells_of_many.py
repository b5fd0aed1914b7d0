"""HEALPix cells (nested) of many directions at once."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["cells_of"]


def cells_of(vectors: Any, order: int) -> Any:
    """Return the cells of many directions, as `cell_of` does: the same steps for all at once.

    astropy-healpix has this too, and takes half a second to load.
    """
    x, y, z = vectors.T
    side = 1 << order
    turn = (np.arctan2(y, x) % (2.0 * np.pi)) / (np.pi / 2.0)
    # The belt round the equator.
    first, second = side * (0.5 + turn), side * z * 0.75
    rising, falling = (first - second).astype(np.int64), (first + second).astype(np.int64)
    up, down = rising >> order, falling >> order
    face = np.where(up == down, up | 4, np.where(up < down, up, down + 8))
    ix, iy = falling & (side - 1), side - (rising & (side - 1)) - 1
    # The caps round the poles.
    quarter = np.minimum(3, turn.astype(np.int64))
    part = turn - quarter
    wide = side * np.hypot(x, y) / np.sqrt((1.0 + np.abs(z)) / 3.0)
    rising = np.minimum(side - 1, (part * wide).astype(np.int64))
    falling = np.minimum(side - 1, ((1.0 - part) * wide).astype(np.int64))
    north, belt = z >= 0, np.abs(z) <= 2.0 / 3.0
    face = np.where(belt, face, np.where(north, quarter, quarter + 8))
    ix = np.where(belt, ix, np.where(north, side - falling - 1, rising))
    iy = np.where(belt, iy, np.where(north, side - rising - 1, falling))
    return np.unique((face << 2 * order) + _spread(ix) + 2 * _spread(iy))


def _spread(values: Any) -> Any:
    """Put zeros between the bits of numbers below 2**29."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        values = (values | values << shift) & mask
    return values
