"""Cells of the HEALPix grid, NESTED, in plain numbers: quick for one direction, without numpy.

Górski et al. 2005, ApJ 622, 759. A set of cells is a sorted run of ranges at order 29.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from skypool.sky.vectors import Vector

__all__ = ["DEEPEST", "cell_centre", "cell_of", "cell_radius", "holds"]

DEEPEST: Final = 29
_ROW: Final = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_COLUMN: Final = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)


def cell_of(direction: Vector, order: int) -> int:
    """Return the cell that holds a direction."""
    x, y, z = direction
    side = 1 << order
    turn = (math.atan2(y, x) % (2.0 * math.pi)) / (math.pi / 2.0)
    if abs(z) <= 2.0 / 3.0:
        first, second = side * (0.5 + turn), side * z * 0.75
        rising, falling = int(first - second), int(first + second)
        up, down = rising >> order, falling >> order
        face = (up | 4) if up == down else up if up < down else down + 8
        ix, iy = falling & (side - 1), side - (rising & (side - 1)) - 1
    else:
        quarter = min(3, int(turn))
        part = turn - quarter
        wide = side * math.hypot(x, y) / math.sqrt((1.0 + abs(z)) / 3.0)
        rising = min(side - 1, int(part * wide))
        falling = min(side - 1, int((1.0 - part) * wide))
        if z >= 0:
            face, ix, iy = quarter, side - falling - 1, side - rising - 1
        else:
            face, ix, iy = quarter + 8, rising, falling
    return (face << 2 * order) + _spread(ix) + 2 * _spread(iy)


def cell_centre(cell: int, order: int) -> Vector:
    """Return the direction of the middle of a cell."""
    side = 1 << order
    face, inner = cell >> 2 * order, cell & ((1 << 2 * order) - 1)
    ix, iy = _gather(inner), _gather(inner >> 1)
    row = _ROW[face] * side - ix - iy - 1
    if row < side:
        length, z = row, 1.0 - row * row / (3.0 * side * side)
        sine = row / (side * math.sqrt(3.0)) * math.sqrt(1.0 + z)
        shift = 0
    elif row > 3 * side:
        length = 4 * side - row
        height = length * length / (3.0 * side * side)
        z, shift = height - 1.0, 0
        sine = math.sqrt(height * (2.0 - height))
    else:
        length, z = side, (2 * side - row) * 2.0 / (3.0 * side)
        sine, shift = math.sqrt((1.0 - z) * (1.0 + z)), (row - side) & 1
    column = (_COLUMN[face] * length + ix - iy + 1 + shift) / 2.0
    turn = (column - (shift + 1) * 0.5) * (math.pi / 2.0) / length
    return sine * math.cos(turn), sine * math.sin(turn), z


def cell_radius(order: int) -> float:
    """Return an angle that no point of a cell is farther than from its middle, radians."""
    return 1.1 / (1 << order)


def holds(starts: Sequence[int], stops: Sequence[int], cell: int) -> bool:
    """Tell whether one of some sorted ranges holds a number."""
    place = bisect_right(starts, cell) - 1
    return place >= 0 and cell < stops[place]


def _spread(value: int) -> int:
    """Put zeros between the bits of a number below 2**29."""
    value = (value | value << 16) & 0x0000FFFF0000FFFF
    value = (value | value << 8) & 0x00FF00FF00FF00FF
    value = (value | value << 4) & 0x0F0F0F0F0F0F0F0F
    value = (value | value << 2) & 0x3333333333333333
    return (value | value << 1) & 0x5555555555555555


def _gather(value: int) -> int:
    """Return every other bit of a number, as `_spread` put them."""
    value &= 0x5555555555555555
    value = (value | value >> 1) & 0x3333333333333333
    value = (value | value >> 2) & 0x0F0F0F0F0F0F0F0F
    value = (value | value >> 4) & 0x00FF00FF00FF00FF
    value = (value | value >> 8) & 0x0000FFFF0000FFFF
    return (value | value >> 16) & 0x00000000FFFFFFFF
