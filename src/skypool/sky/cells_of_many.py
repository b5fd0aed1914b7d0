"""HEALPix cells (nested) of many directions at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

__all__ = ["PIECE", "cells_of", "distinct"]

PIECE: Final = 1 << 14
"""Directions at a time: what is worked out for them stays in the processor's cache."""
_TABLED: Final = 12  # orders of which all coordinates are in a table


def cells_of(vectors: Any, order: int) -> Any:
    """Return the cells of many directions, as `cell_of` does: the same steps for all at once.

    astropy-healpix has this too, and takes half a second to load.
    """
    found = []
    for start in range(0, len(vectors), PIECE):
        x, y, z = np.ascontiguousarray(vectors[start : start + PIECE].T)
        angle = np.arctan2(y, x)
        turn = np.where(angle < 0.0, angle + 2.0 * np.pi, angle) / (np.pi / 2.0)
        belt = np.abs(z) <= 2.0 / 3.0
        if belt.all():
            found.append(_once(_in_belt(turn, z, order)))
        elif not belt.any():
            found.append(_once(_in_caps(x, y, z, turn, order)))
        else:
            caps = ~belt
            found.append(_once(_in_belt(turn[belt], z[belt], order)))
            found.append(_once(_in_caps(x[caps], y[caps], z[caps], turn[caps], order)))
    return distinct(np.concatenate([*found, np.zeros(0, np.int64)]))


def distinct(cells: Any) -> Any:
    """Return each cell once, sorted, as `numpy.unique` does, which loads `numpy.ma` for it."""
    ordered = np.sort(cells)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))]


def _once(cells: Any) -> Any:
    """Leave out repeated cells: rows that follow each other are often near each other."""
    return distinct(cells[np.flatnonzero(np.diff(cells, prepend=cells[:1] - 1))])


def _in_belt(turn: Any, z: Any, order: int) -> Any:
    """Return the cells of directions in the belt round the equator."""
    side = 1 << order
    first, second = side * (0.5 + turn), side * z * 0.75
    rising, falling = (first - second).astype(np.int64), (first + second).astype(np.int64)
    up, down = rising >> order, falling >> order
    face = np.where(up == down, up | 4, np.where(up < down, up, down + 8))
    return _joined(face, falling & (side - 1), side - (rising & (side - 1)) - 1, order)


def _in_caps(x: Any, y: Any, z: Any, turn: Any, order: int) -> Any:
    """Return the cells of directions in the caps round the poles."""
    side = 1 << order
    quarter = np.minimum(3, turn.astype(np.int64))
    part = turn - quarter
    wide = side * np.hypot(x, y) / np.sqrt((1.0 + np.abs(z)) / 3.0)
    rising = np.minimum(side - 1, (part * wide).astype(np.int64))
    falling = np.minimum(side - 1, ((1.0 - part) * wide).astype(np.int64))
    north = z >= 0
    face = np.where(north, quarter, quarter + 8)
    ix = np.where(north, side - falling - 1, rising)
    iy = np.where(north, side - rising - 1, falling)
    return _joined(face, ix, iy, order)


def _joined(face: Any, ix: Any, iy: Any, order: int) -> Any:
    if order > _TABLED:
        return (face << 2 * order) + _spread(ix) + 2 * _spread(iy)
    table = _table(order)
    return (face << 2 * order) + table[ix] + 2 * table[iy]


@lru_cache(maxsize=2)
def _table(order: int) -> Any:
    return _spread(np.arange(1 << order))


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
