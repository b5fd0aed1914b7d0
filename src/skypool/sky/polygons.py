"""Polygons of great-circle arcs on the sphere, smaller than a hemisphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from skypool.sky.vectors import (
    Vector,
    arc_separation,
    cross,
    dot,
    normalized,
    separation,
)

__all__ = ["ALL_SKY", "Box", "Polygon", "box_of_circle"]

Box: TypeAlias = tuple[float, float, float, float, float, float]
"""Least and largest x, then y, then z of unit vectors."""
ALL_SKY: Final[Box] = (-1.0, 1.0, -1.0, 1.0, -1.0, 1.0)
_AXES: Final[tuple[Vector, ...]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# Vertices farther than this from the centre (cosine) are not projected any more.
_FARTHEST: Final = 0.05
# Rounding of unit vectors, in boxes.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Polygon:
    """A region bounded by arcs of great circles between vertices.

    Parameters
    ----------
    vertices
        Unit vectors in order, either way round, at least three; the last is joined to the
        first. All are well within 90 degrees of their mean.
    """

    vertices: tuple[Vector, ...]

    @classmethod
    def of(cls, vertices: Sequence[Vector]) -> Polygon | None:
        """Return a polygon; None if the vertices do not make one that is small enough."""
        if len(vertices) < 3 or not all(map(math.isfinite, map(sum, vertices))):
            return None
        made = cls(tuple(vertices))
        if math.hypot(*map(sum, zip(*vertices, strict=True))) < 1e-9:
            return None
        centre = made.centre
        near = min([dot(centre, v) for v in vertices])
        return made if near > _FARTHEST else None

    @cached_property
    def centre(self) -> Vector:
        """Mean direction of the vertices."""
        x, y, z = map(sum, zip(*self.vertices, strict=True))
        return normalized((x, y, z))

    @cached_property
    def _plane(self) -> tuple[Vector, Vector, list[tuple[float, float]]]:
        """Axes of the tangent plane at the centre, and the vertices in it: arcs are lines there."""
        c = self.centre
        least = min(range(3), key=lambda axis: abs(c[axis]))
        first = normalized(cross(c, _AXES[least]))
        second = cross(c, first)
        return first, second, [self._project(v, first, second) for v in self.vertices]

    def _project(self, v: Vector, first: Vector, second: Vector) -> tuple[float, float]:
        w = dot(self.centre, v)
        return dot(first, v) / w, dot(second, v) / w

    def contains(self, direction: Vector) -> bool:
        """Tell whether a direction is inside."""
        if dot(self.centre, direction) <= 0.0:
            return False
        first, second, corners = self._plane
        x, y = self._project(direction, first, second)
        inside = False
        ax, ay = corners[-1]
        for bx, by in corners:
            if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
                inside = not inside
            ax, ay = bx, by
        return inside

    def edges(self) -> list[tuple[Vector, Vector]]:
        """Return the arcs."""
        return [
            (self.vertices[n - 1], vertex) for n, vertex in enumerate(self.vertices)
        ]  # the first joins the last vertex to the first

    def edge_separation(self, direction: Vector) -> float:
        """Return the angle to the nearest point of the boundary, radians."""
        return min(arc_separation(direction, a, b) for a, b in self.edges())

    def separation(self, direction: Vector) -> float:
        """Return the angle to the nearest point of the region, radians; 0 inside."""
        return 0.0 if self.contains(direction) else self.edge_separation(direction)

    @cached_property
    def radius(self) -> float:
        """Angle from the centre to the farthest vertex, radians."""
        return max(separation(self.centre, v) for v in self.vertices)

    def overlaps(self, other: Polygon) -> bool:
        """Tell whether two regions have a point in common."""
        if separation(self.centre, other.centre) > self.radius + other.radius + _ROUNDING:
            return False
        return (
            self.contains(other.vertices[0])
            or other.contains(self.vertices[0])
            or any(_cross(*one, *two) for one in self.edges() for two in other.edges())
        )

    def box(self, margin: float = 0.0) -> Box:
        """Return the box round the region, widened by an angle in radians."""
        values: tuple[list[float], ...] = tuple(map(list, zip(*self.vertices, strict=True)))
        for edge in self.edges():
            _add_extremes(*edge, values)
        centre = self.centre
        # All of the region is as near to the centre as the farthest vertex.
        near = min([dot(centre, v) for v in self.vertices]) - _ROUNDING
        limits: list[float] = []
        for axis in range(3):
            low, high = min(values[axis]), max(values[axis])
            if abs(centre[axis]) >= near:
                unit = _AXES[axis]
                if self.contains((-unit[0], -unit[1], -unit[2])):
                    low = -1.0
                if self.contains(unit):
                    high = 1.0
            limits += [low - margin - _ROUNDING, high + margin + _ROUNDING]
        return (limits[0], limits[1], limits[2], limits[3], limits[4], limits[5])


def box_of_circle(centre: Vector, radius: float) -> Box:
    """Return the box round a circle.

    Parameters
    ----------
    centre
        Its centre.
    radius
        Radians.
    """
    limits: list[float] = []
    for value in centre:
        angle = math.acos(max(-1.0, min(1.0, value)))  # from this axis
        low = -1.0 if angle + radius >= math.pi else math.cos(angle + radius)
        high = 1.0 if angle - radius <= 0.0 else math.cos(angle - radius)
        limits += [low - _ROUNDING, high + _ROUNDING]
    return (limits[0], limits[1], limits[2], limits[3], limits[4], limits[5])


def _add_extremes(a: Vector, b: Vector, values: Sequence[list[float]]) -> None:
    """Add the largest and least value of each coordinate inside an arc, where it has them there."""
    (ax, ay, az), (bx, by, bz) = a, b
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = math.sqrt(x * x + y * y + z * z)
    if length == 0.0:
        return
    x, y, z = x / length, y / length, z / length
    # How the coordinates change at the ends of the arc: inside it they turn if signs differ.
    turns = (
        (y * az - z * ay, y * bz - z * by, x),
        (z * ax - x * az, z * bx - x * bz, y),
        (x * ay - y * ax, x * by - y * bx, z),
    )
    for found, (start, stop, normal) in zip(values, turns, strict=True):
        if start * stop <= 0.0:
            height = math.sqrt(max(0.0, 1.0 - normal * normal))
            if start >= 0.0 >= stop:
                found.append(height)
            if start <= 0.0 <= stop:
                found.append(-height)


def _cross(a: Vector, b: Vector, c: Vector, d: Vector) -> bool:
    """Tell whether the arcs a-b and c-d, each shorter than 180 degrees, meet."""
    one, two = cross(a, b), cross(c, d)
    sides = dot(one, c), dot(one, d), dot(two, a), dot(two, b)
    if sides[0] * sides[1] > 0.0 or sides[2] * sides[3] > 0.0:
        return False
    line = cross(one, two)
    if dot(line, line) < 1e-30:  # on one great circle: they meet if an end is between the others
        return any(
            arc_separation(point, *arc) < _ROUNDING
            for point, arc in ((c, (a, b)), (d, (a, b)), (a, (c, d)), (b, (c, d)))
        )
    # The great circles meet in two opposite points; the arcs must hold the same one.
    return any(
        all(
            dot(cross(n, start), point) >= 0.0 and dot(cross(end, n), point) >= 0.0
            for n, start, end in ((one, a, b), (two, c, d))
        )
        for point in (line, (-line[0], -line[1], -line[2]))
    )
