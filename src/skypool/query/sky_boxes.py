"""``in_box(ra_min, dec_min, ra_max, dec_max)``: between two meridians and two parallels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from skypool.errors import QueryError
from skypool.query.tree import Call, Literal
from skypool.query.values import Value
from skypool.sky.polygons import Box
from skypool.sky.vectors import Vector, position

__all__ = ["SkyBox", "box_of", "sky_box"]


class SkyBox(NamedTuple):
    """A part of the sky between two meridians and two parallels, degrees, ends included.

    Attributes
    ----------
    west, south, east, north : float
        From *west* to *east* in the sense of rising right ascension, across 0 h where *east* is
        the smaller one.
    """

    west: float
    south: float
    east: float
    north: float

    def holds(self, direction: Vector) -> bool:
        """Tell whether a direction lies in it."""
        ra, dec = position(direction)
        if not self.south <= dec <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= ra <= self.east or (ra == 0.0 and self.east == 360.0)
        return ra >= self.west or ra <= self.east

    def vectors(self) -> Box:
        """Return the box of unit vectors round it."""
        low = min(math.cos(math.radians(self.south)), math.cos(math.radians(self.north)))
        high = 1.0 if self.south <= 0.0 <= self.north else max(
            math.cos(math.radians(self.south)), math.cos(math.radians(self.north))
        )  # fmt: skip
        x = self._along(0.0, low, high)
        y = self._along(90.0, low, high)
        z0, z1 = math.sin(math.radians(self.south)), math.sin(math.radians(self.north))
        margin = 1e-9
        return (
            x[0] - margin,
            x[1] + margin,
            y[0] - margin,
            y[1] + margin,
            z0 - margin,
            z1 + margin,
        )

    def _along(self, axis: float, low: float, high: float) -> tuple[float, float]:
        """Return the smallest and largest component along a meridian of the equator."""
        width = (self.east - self.west) % 360.0 if self.east - self.west < 360.0 else 360.0
        begin = (self.west - axis) % 360.0
        ends = [math.cos(math.radians(begin)), math.cos(math.radians(begin + width))]
        most = 1.0 if begin == 0.0 or begin + width >= 360.0 else max(ends)
        least = -1.0 if begin <= 180.0 <= begin + width or begin + width >= 540.0 else min(ends)
        products = [a * b for a in (least, most) for b in (low, high)]
        return min(products), max(products)


def box_of(node: Call) -> SkyBox | None:
    """Return the box that a call means; None where its numbers are not written out."""
    if not all(isinstance(argument, Literal) for argument in node.arguments):
        return None
    values = [each.value for each in node.arguments if isinstance(each, Literal)]
    found = sky_box(values)
    if found is None:
        raise QueryError(
            "that is no box on the sky",
            column=node.column,
            hint="write in_box(ra_min, dec_min, ra_max, dec_max) in degrees (ICRS)",
        )
    return found


def sky_box(values: Sequence[Value]) -> SkyBox | None:
    """Return the box of four numbers; None if they are none."""
    degrees = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(degrees) != 4:
        return None
    west, south, east, north = degrees
    fine = 0 <= west <= 360 and 0 <= east <= 360 and -90 <= south <= north <= 90
    return SkyBox(west, south, east, north) if fine else None
