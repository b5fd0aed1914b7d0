"""Directions on the sky as unit vectors, in plain floats: quick for one, without numpy.

A direction is (cos dec cos ra, cos dec sin ra, sin dec) of ICRS right ascension and
declination, so poles and the wrap of right ascension are nothing special.
"""

from __future__ import annotations

import math
from typing import TypeAlias

__all__ = [
    "Vector",
    "arc_separation",
    "cross",
    "dot",
    "normalized",
    "position",
    "separation",
    "vector",
]

Vector: TypeAlias = tuple[float, float, float]


def vector(ra: float, dec: float) -> Vector:
    """Return the unit vector of a direction, given in degrees."""
    lon, lat = math.radians(ra), math.radians(dec)
    scale = math.cos(lat)
    return scale * math.cos(lon), scale * math.sin(lon), math.sin(lat)


def position(direction: Vector) -> tuple[float, float]:
    """Return right ascension (0 to 360) and declination of a vector, degrees."""
    x, y, z = direction
    ra = math.degrees(math.atan2(y, x)) % 360.0
    return (0.0 if ra == 360.0 else ra), math.degrees(math.atan2(z, math.hypot(x, y)))


def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Return the vector product."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def normalized(a: Vector) -> Vector:
    """Return the vector of length 1 in the same direction."""
    length = math.sqrt(dot(a, a))
    return a[0] / length, a[1] / length, a[2] / length


def separation(a: Vector, b: Vector) -> float:
    """Return the angle between two directions, radians; exact for small and large ones."""
    perpendicular = cross(a, b)
    return math.atan2(math.sqrt(dot(perpendicular, perpendicular)), dot(a, b))


def arc_separation(point: Vector, start: Vector, end: Vector) -> float:
    """Return the angle between a direction and the nearest point of an arc, radians.

    Parameters
    ----------
    point
        The direction.
    start, end
        Ends of the arc of a great circle, less than 180 degrees apart.
    """
    normal = cross(start, end)
    length = math.sqrt(dot(normal, normal))
    if length == 0.0:
        return separation(point, start)
    beside = dot(cross(normal, start), point) >= 0.0 and dot(cross(end, normal), point) >= 0.0
    if beside:
        return abs(math.asin(max(-1.0, min(1.0, dot(normal, point) / length))))
    return min(separation(point, start), separation(point, end))
