"""What the catalogue keeps of a product's coverage: enough to answer most questions at once.

A coverage is the union of parts, one for each image. Each part says yes, no, or *undecided*;
only for the undecided the world coordinates, and maybe one pixel, must be looked at.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar, Final, Protocol, TypeAlias

from skypool.sky.frames import ROTATIONS
from skypool.sky.healpix import DEEPEST, cell_centre, cell_of, cell_radius, holds
from skypool.sky.polygons import ALL_SKY, Box, Polygon, box_of_circle
from skypool.sky.tangent import Tangent
from skypool.sky.vectors import Vector, dot, normalized, position

__all__ = [
    "AllSky",
    "CellsPart",
    "OutlinePart",
    "Part",
    "State",
    "TangentPart",
    "Truth",
    "any_part",
    "centre",
    "decode",
    "encode",
]

# Cells that the box of a region is put together from.
_FINEST: Final = 12
_MOST_CELLS: Final = 2000
# A coverage with parts farther than this from its middle (cosine) has none.
_FARTHEST: Final = 0.05

Truth: TypeAlias = bool | None
"""None: undecided."""


class State(IntEnum):
    """What is known of the pixels of an image."""

    MIXED = 0
    """Some have a value, some have not, or it is not known."""
    FULL = 1
    """All have a value."""
    EMPTY = 2
    """None has."""


class Part(Protocol):
    """A part of a coverage.

    Attributes
    ----------
    outline : Polygon or None
        The region inside the outer edges; None where no polygon describes it.
    margin : float
        How far the true edges may be from the outline, radians.
    """

    @property
    def outline(self) -> Polygon | None:
        """Polygon round the part."""
        ...

    @property
    def margin(self) -> float:
        """Accuracy of the outline, radians."""
        ...

    def box(self) -> Box:
        """Return the box of unit vectors that holds all of it."""
        ...

    def footprint(self, direction: Vector) -> Truth:
        """Tell whether a direction is inside the outer edges."""
        ...

    def covers(self, direction: Vector) -> Truth:
        """Tell whether there is a pixel with a value."""
        ...

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        ...


@dataclass(frozen=True)
class TangentPart:
    """A gnomonic image: its world coordinates are kept whole.

    Parameters
    ----------
    tangent
        The projection.
    width, height
        Pixels along x and y.
    state
        Of the pixels.
    """

    tangent: Tangent
    width: int
    height: int
    state: State

    TAG: ClassVar[int] = 1
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BII9d")
    margin: ClassVar[float] = 0.0

    @property
    def outline(self) -> Polygon | None:
        """The corners: straight lines of pixels are great circles."""
        return _corners(self.tangent, self.width, self.height)

    def box(self) -> Box:
        """Return the box of unit vectors that holds all of it."""
        outline = self.outline
        return ALL_SKY if outline is None else outline.box()

    def footprint(self, direction: Vector) -> Truth:
        """Tell whether a direction is inside the outer edges."""
        pixel = self.tangent.pixel(direction)
        if pixel is None:
            return False
        return -0.5 <= pixel[0] < self.width - 0.5 and -0.5 <= pixel[1] < self.height - 0.5

    def covers(self, direction: Vector) -> Truth:
        """Tell whether there is a pixel with a value."""
        return _covers(self.footprint(direction), self.state)

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        numbers = [value for row in self.tangent.rows for value in row]
        return self._LAYOUT.pack(self.state, self.width, self.height, *numbers)

    @classmethod
    def unpack(cls, data: bytes, start: int) -> tuple[TangentPart, int]:
        """Return a part, and where it ends."""
        state, width, height, *numbers = cls._LAYOUT.unpack_from(data, start)
        rows = tuple(tuple(numbers[n : n + 3]) for n in (0, 3, 6))
        return cls(Tangent(rows), width, height, State(state)), start + cls._LAYOUT.size


@dataclass(frozen=True)
class OutlinePart:
    """An image of any other projection: a polygon near its outer edges.

    Parameters
    ----------
    polygon
        Through points of the outer edges.
    accuracy
        How far the edges may be from it, radians.
    state
        Of the pixels.
    """

    polygon: Polygon
    accuracy: float
    state: State

    TAG: ClassVar[int] = 2
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BHd")

    @property
    def outline(self) -> Polygon:
        """The polygon."""
        return self.polygon

    @property
    def margin(self) -> float:
        """Accuracy of the outline, radians."""
        return self.accuracy

    def box(self) -> Box:
        """Return the box of unit vectors that holds all of it."""
        return self.polygon.box(self.accuracy)

    def footprint(self, direction: Vector) -> Truth:
        """Tell whether a direction is inside the outer edges."""
        if self.polygon.edge_separation(direction) <= self.accuracy:
            return None
        return self.polygon.contains(direction)

    def covers(self, direction: Vector) -> Truth:
        """Tell whether there is a pixel with a value."""
        return _covers(self.footprint(direction), self.state)

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        vertices = self.polygon.vertices
        numbers = [value for vertex in vertices for value in vertex]
        head = self._LAYOUT.pack(self.state, len(vertices), self.accuracy)
        return head + struct.pack(f"<{len(numbers)}d", *numbers)

    @classmethod
    def unpack(cls, data: bytes, start: int) -> tuple[OutlinePart, int]:
        """Return a part, and where it ends."""
        state, count, accuracy = cls._LAYOUT.unpack_from(data, start)
        start += cls._LAYOUT.size
        numbers = struct.unpack_from(f"<{3 * count}d", data, start)
        vertices = tuple(
            (numbers[n], numbers[n + 1], numbers[n + 2]) for n in range(0, 3 * count, 3)
        )
        return cls(Polygon(vertices), accuracy, State(state)), start + 24 * count


@dataclass(frozen=True)
class AllSky:
    """An image that no polygon describes: very large, or with edges that are nowhere.

    Parameters
    ----------
    state
        Of the pixels.
    """

    state: State

    TAG: ClassVar[int] = 3
    outline: ClassVar[None] = None
    margin: ClassVar[float] = 0.0

    def box(self) -> Box:
        """Return the box of all directions."""
        return ALL_SKY

    def footprint(self, direction: Vector) -> Truth:
        """Leave it undecided."""
        return None

    def covers(self, direction: Vector) -> Truth:
        """Leave it undecided."""
        return _covers(self.footprint(direction), self.state)

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        return bytes([self.state])

    @classmethod
    def unpack(cls, data: bytes, start: int) -> tuple[AllSky, int]:
        """Return a part, and where it ends."""
        return cls(State(data[start])), start + 1


@dataclass(frozen=True)
class CellsPart:
    """A region of HEALPix cells.

    Parameters
    ----------
    frame
        Number of the frame in `frames.ROTATIONS`.
    starts, stops
        Ranges of cells at order 29, sorted and apart.
    exact
        Whether what is inside has a value; else it may have one.
    """

    frame: int
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    exact: bool

    TAG: ClassVar[int] = 4
    outline: ClassVar[None] = None
    margin: ClassVar[float] = 0.0
    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<BBI")

    def box(self) -> Box:
        """Return the box of unit vectors that holds all of it."""
        order, middles = self._middles()
        limits = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
        for middle in middles:
            box = box_of_circle(middle, cell_radius(order))
            for n in (0, 2, 4):
                limits[n] = min(limits[n], box[n])
                limits[n + 1] = max(limits[n + 1], box[n + 1])
        return (limits[0], limits[1], limits[2], limits[3], limits[4], limits[5])

    def points(self) -> list[Vector]:
        """Return directions all over the region."""
        return self._middles()[1]

    def _middles(self) -> tuple[int, list[Vector]]:
        """Return an order, and the middles of its cells that hold all of the region."""
        order = _FINEST
        shift = 2 * (DEEPEST - order)
        while order and sum(self._count(shift)) > _MOST_CELLS:
            order, shift = order - 1, shift + 2
        cells = {
            cell
            for start, stop in zip(self.starts, self.stops, strict=True)
            for cell in range(start >> shift, ((stop - 1) >> shift) + 1)
        }
        x, y, z = tuple(ROTATIONS.values())[self.frame]
        natives = [cell_centre(cell, order) for cell in sorted(cells)]
        return order, [(dot(x, v), dot(y, v), dot(z, v)) for v in natives]

    def _count(self, shift: int) -> Iterable[int]:
        pairs = zip(self.starts, self.stops, strict=True)
        return (((stop - 1) >> shift) + 1 - (start >> shift) for start, stop in pairs)

    def footprint(self, direction: Vector) -> Truth:
        """Tell whether a direction is in one of the cells."""
        columns = tuple(zip(*tuple(ROTATIONS.values())[self.frame], strict=True))
        native = (
            dot(columns[0], direction),
            dot(columns[1], direction),
            dot(columns[2], direction),
        )
        if not holds(self.starts, self.stops, cell_of(native, DEEPEST)):
            return False
        return True if self.exact else None

    def covers(self, direction: Vector) -> Truth:
        """Tell whether a direction is in a cell with a value."""
        return self.footprint(direction)

    def pack(self) -> bytes:
        """Return it as `decode` reads it."""
        count = len(self.starts)
        head = self._LAYOUT.pack(self.frame, self.exact, count)
        return head + struct.pack(f"<{2 * count}Q", *self.starts, *self.stops)

    @classmethod
    def unpack(cls, data: bytes, start: int) -> tuple[CellsPart, int]:
        """Return a part, and where it ends."""
        frame, exact, count = cls._LAYOUT.unpack_from(data, start)
        start += cls._LAYOUT.size
        numbers = struct.unpack_from(f"<{2 * count}Q", data, start)
        made = cls(frame, numbers[:count], numbers[count:], exact=bool(exact))
        return made, start + 16 * count


@lru_cache(maxsize=2048)  # more than documents are indexed at once
def _corners(tangent: Tangent, width: int, height: int) -> Polygon | None:
    right, top = width - 0.5, height - 0.5
    corners = ((-0.5, -0.5), (right, -0.5), (right, top), (-0.5, top))
    return Polygon.of([tangent.direction(*corner) for corner in corners])


def _covers(footprint: Truth, state: State) -> Truth:
    if footprint is False or state is State.EMPTY:
        return False
    return footprint if state is State.FULL else None


_READERS: Final[dict[int, Callable[[bytes, int], tuple[Part, int]]]] = {
    part.TAG: part.unpack for part in (TangentPart, OutlinePart, AllSky, CellsPart)
}


def _reader(tag: int) -> Callable[[bytes, int], tuple[Part, int]]:
    if tag not in _READERS:
        from skypool.sky.masks import MaskedPart  # which is made of a part of this module

        _READERS[MaskedPart.TAG] = MaskedPart.unpack
    return _READERS[tag]


def encode(parts: Iterable[Part]) -> bytes:
    """Return parts as bytes for the catalogue."""
    return b"".join(bytes([part.TAG]) + part.pack() for part in parts)  # type: ignore[attr-defined]


@lru_cache(maxsize=256)
def decode(data: bytes) -> tuple[Part, ...]:
    """Return the parts that `encode` was given."""
    parts: list[Part] = []
    place = 0
    while place < len(data):
        part, place = _reader(data[place])(data, place + 1)
        parts.append(part)
    return tuple(parts)


def any_part(parts: Iterable[Part], ask: Callable[[Part], Truth]) -> Truth:
    """Tell whether any part answers a question with yes; undecided if one does not know."""
    found: Truth = False
    for part in parts:
        answer = ask(part)
        if answer:
            return True
        if answer is None:
            found = None
    return found


def centre(parts: Sequence[Part]) -> tuple[float, float] | None:
    """Return right ascension and declination of the middle of a coverage, degrees.

    None where there is none, or it is all round the sky.
    """
    vertices: list[Vector] = []
    for part in parts:
        outline = part.outline
        if outline is not None:
            vertices += outline.vertices
        elif isinstance(part, CellsPart):
            vertices += part.points()
    if not vertices:
        return None
    x, y, z = map(sum, zip(*vertices, strict=True))
    if math.hypot(x, y, z) < 1e-9:
        return None
    middle = normalized((x, y, z))
    return position(middle) if min([dot(middle, v) for v in vertices]) > _FARTHEST else None
