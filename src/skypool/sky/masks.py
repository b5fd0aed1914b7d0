"""Where in an image the pixels have values, coarsely: most places are decided without them.

A grid of at most 32 x 32 cells, each a block of pixels: all of them have a value, none has,
or some have. Only places in cells of the last sort, the borders of a map, cost a pixel.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from skypool.sky.coverage import State, TangentPart, Truth
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Grid", "MaskedPart", "grid_of"]

_CELLS: Final = 32
# So near the edge of a cell (pixels) rounding may decide: the pixel itself is asked.
_EDGE: Final = 1e-6


@dataclass(frozen=True)
class Grid:
    """What is known of blocks of pixels.

    Parameters
    ----------
    step
        Pixels along the sides of a block; those at the upper edges are cut to fit.
    columns
        Blocks along x.
    states
        A byte for each block, row by row: a `State`.
    """

    step: int
    columns: int
    states: bytes

    def state(self, x: float, y: float) -> State:
        """Return what is known of the block that holds a place, pixels from 0 at a centre."""
        x, y = (x + 0.5) / self.step, (y + 0.5) / self.step
        edge = _EDGE / self.step
        if abs(x - round(x)) <= edge or abs(y - round(y)) <= edge:
            return State.MIXED
        return State(self.states[math.floor(y) * self.columns + math.floor(x)])


def grid_of(valued: NDArray[Any]) -> Grid:
    """Return the grid of an image, given as whether each pixel has a value."""
    import numpy as np

    step = -(-max(valued.shape) // _CELLS)
    rows, columns = (np.arange(0, length, step) for length in valued.shape)
    # Along the slower axis first: whole lines are combined at once.
    some = np.logical_or.reduceat(np.logical_or.reduceat(valued, rows, axis=0), columns, axis=1)
    every = np.logical_and.reduceat(np.logical_and.reduceat(valued, rows, axis=0), columns, axis=1)
    states = np.full(some.shape, int(State.MIXED), np.uint8)
    states[~some] = State.EMPTY
    states[every] = State.FULL
    return Grid(step, len(columns), states.tobytes())


@dataclass(frozen=True)
class MaskedPart(TangentPart):
    """A gnomonic image some of whose pixels have a value.

    Parameters
    ----------
    grid
        Which, coarsely.
    """

    grid: Grid

    TAG: ClassVar[int] = 5
    _HEAD: ClassVar[struct.Struct] = struct.Struct("<IHH")

    def covers(self, direction: Vector) -> Truth:
        """Tell whether there is a pixel with a value."""
        if not self.footprint(direction):
            return False
        pixel = self.tangent.pixel(direction)
        state = State.MIXED if pixel is None else self.grid.state(*pixel)
        return None if state is State.MIXED else state is State.FULL

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        states = zlib.compress(self.grid.states, 9)
        head = self._HEAD.pack(self.grid.step, self.grid.columns, len(states))
        return super().pack() + head + states

    @classmethod
    def unpack(cls, data: bytes, start: int) -> tuple[MaskedPart, int]:
        """Return a part, and where it ends."""
        plain, start = TangentPart.unpack(data, start)
        step, columns, length = cls._HEAD.unpack_from(data, start)
        start += cls._HEAD.size
        grid = Grid(step, columns, zlib.decompress(data[start : start + length]))
        return cls(plain.tangent, plain.width, plain.height, plain.state, grid), start + length
