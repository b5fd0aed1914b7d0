"""Regions of HEALPix cells: positions in tables, HEALPix maps, and MOC files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from skypool.errors import Dropped
from skypool.model.tables import Table
from skypool.sky.cell_tables import (
    MOST_RANGES,
    frame_of_table,
    kind_of_region,
    merged,
    pixel_has_value,
    ranges_of,
)
from skypool.sky.coverage import AllSky, CellsPart, Part, State, Truth, decode
from skypool.sky.frames import ROTATIONS
from skypool.sky.healpix import DEEPEST, cell_centre, cell_of, cell_radius, holds
from skypool.sky.vectors import Vector, dot, separation

if TYPE_CHECKING:
    from skypool.sky.celestial import Geometry

__all__ = ["SkyCells", "sky_cells"]

# How far cells are divided to see whether they touch something, and of whole-sky images.
_FINER: Final = 9
_COARSE: Final = 8


@dataclass(frozen=True)
class SkyCells:
    """A table that is a region of the sky.

    Attributes
    ----------
    name : str
        Of the dataset.
    table : Table
    kind : str
        ``positions``, ``pixels``, ``healpix`` or ``moc``.
    """

    name: str
    table: Table
    kind: str

    @cached_property
    def frame(self) -> str:
        """In which frame the cells are counted."""
        return frame_of_table(self.table, self.kind)

    @cached_property
    def ranges(self) -> tuple[list[int], list[int]]:
        """Starts and ends of the cells at order 29, sorted and apart."""
        try:
            found = ranges_of(self.table, self.kind)
        except Dropped as error:
            return self._kept(error.coverage)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return [], []  # numbers that are no positions
        return found[:, 0].tolist(), found[:, 1].tolist()

    def _kept(self, coverage: bytes) -> tuple[list[int], list[int]]:
        """Return what the catalogue keeps of rows that were dropped; maybe they are anywhere."""
        own = [
            (part.starts, part.stops)
            for part in decode(coverage)
            if isinstance(part, CellsPart) and list(ROTATIONS)[part.frame] == self.frame
        ]
        if not own:
            return [0], [12 << 2 * DEEPEST]
        pairs = [np.stack([np.array(starts), np.array(stops)], axis=1) for starts, stops in own]
        found = merged(np.concatenate(pairs))
        return found[:, 0].tolist(), found[:, 1].tolist()

    @cached_property
    def part(self) -> Part | None:
        """What the catalogue keeps of it; None if there are no cells."""
        starts, stops = self.ranges
        if not starts:
            return None
        if self.kind == "healpix" and (starts, stops) == ([0], [12 << 2 * DEEPEST]):
            return AllSky(State.MIXED)
        order, exact = DEEPEST, self.kind != "healpix"
        while len(starts) > MOST_RANGES:
            order, exact = order - 1, False
            starts, stops = _coarser(starts, stops, order)
        frame = list(ROTATIONS).index(self.frame)
        return CellsPart(frame, tuple(starts), tuple(stops), exact=exact)

    def native(self, direction: Vector) -> Vector:
        """Return a direction in the frame of the cells."""
        columns = tuple(zip(*ROTATIONS[self.frame], strict=True))
        return (dot(columns[0], direction), dot(columns[1], direction), dot(columns[2], direction))

    def footprint_covers(self, direction: Vector) -> bool:
        """Tell whether a direction is in one of the cells."""
        return holds(*self.ranges, cell_of(self.native(direction), DEEPEST))

    def covers(self, direction: Vector) -> bool:
        """Tell whether the cell of a direction has a value.

        Where the rows were dropped, it is enough that it may have one.
        """
        if not self.footprint_covers(direction):
            return False
        if self.kind != "healpix":
            return True
        try:
            return pixel_has_value(self.table, self.native(direction))
        except Dropped:
            return True

    def meets_circle(self, direction: Vector, radius: float) -> bool:
        """Tell whether a circle (radius in radians) holds a point of a cell."""
        middle = self.native(direction)
        if self.footprint_covers(direction):
            return True

        def ask(centre: Vector, reach: float) -> Truth:
            away = separation(centre, middle)
            return True if away <= radius else None if away <= radius + reach else False

        return self.meets(ask)

    def meets(self, ask: Callable[[Vector, float], Truth], finest: int = DEEPEST) -> bool:
        """Tell whether a region has a point of a cell.

        Parameters
        ----------
        ask
            Told the middle of a cell and how far its corners may be, it says whether the middle
            is in the region, or else whether any of the cell may be (None).
        finest
            Cells of this order are not divided any more.
        """
        starts, stops = self.ranges
        waiting = [(cell, 0, DEEPEST) for cell in range(12)]
        while waiting:
            cell, order, limit = waiting.pop()
            shift = 2 * (DEEPEST - order)
            first, last = cell << shift, (cell + 1) << shift
            inside = _share(starts, stops, first, last)
            if inside is False:
                continue
            found = ask(cell_centre(cell, order), cell_radius(order))
            if found is False:
                continue
            if found and inside:
                return True
            if inside:
                limit = min(limit, order + _FINER)
            if order < min(limit, finest):
                waiting += [(4 * cell + n, order + 1, limit) for n in range(4)]
        return False

    def overlaps_image(self, found: Geometry, part: Part) -> bool:
        """Tell whether an image has a point in one of the cells."""
        from skypool.sky.overlap import meets_circle

        rows = ROTATIONS[self.frame]

        def ask(centre: Vector, reach: float) -> Truth:
            turned = (dot(rows[0], centre), dot(rows[1], centre), dot(rows[2], centre))
            if found.pixel_of(turned) is not None:
                return True
            return False if meets_circle(part, turned, reach) is False else None

        return self.meets(ask, _COARSE if part.outline is None else DEEPEST)

    def overlaps_cells(self, other: SkyCells) -> bool:
        """Tell whether two regions of cells have a point in common."""
        if self.frame == other.frame:
            starts, stops = other.ranges
            return any(
                _share(starts, stops, first, last) is not False
                for first, last in zip(*self.ranges, strict=True)
            )
        rows = ROTATIONS[self.frame]

        def ask(centre: Vector, reach: float) -> Truth:
            turned = (dot(rows[0], centre), dot(rows[1], centre), dot(rows[2], centre))
            return True if other.footprint_covers(turned) else None

        return self.meets(ask, _COARSE)


def _share(starts: list[int], stops: list[int], first: int, last: int) -> Truth:
    """Tell whether ranges hold all of another (True), some of it (None), or nothing."""
    place = bisect_right(starts, first) - 1
    if place >= 0 and stops[place] > first:
        return True if stops[place] >= last else None
    return None if place + 1 < len(starts) and starts[place + 1] < last else False


def _coarser(starts: list[int], stops: list[int], order: int) -> tuple[list[int], list[int]]:
    """Return the cells of an order that hold all of the ranges."""
    shift = 2 * (DEEPEST - order)
    first = np.array(starts) >> shift
    last = ((np.array(stops) - 1) >> shift) + 1
    found = merged(np.stack([first, last], axis=1)) << shift
    return found[:, 0].tolist(), found[:, 1].tolist()


def sky_cells(name: str, table: Table) -> SkyCells | None:
    """Return the region that a table is, None if it is none."""
    kind = kind_of_region(table)
    return None if kind is None else SkyCells(name, table, kind)
