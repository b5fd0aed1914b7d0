"""What parts of coverages have in common, with three-valued answers and without numpy."""

from __future__ import annotations

from collections.abc import Sequence

from skypool.sky.coverage import Part, Truth, any_part
from skypool.sky.polygons import Polygon
from skypool.sky.vectors import Vector, separation

__all__ = ["coverages_meet", "meets_circle", "parts_meet"]


def meets_circle(part: Part, direction: Vector, radius: float) -> Truth:
    """Tell whether a circle has a point inside the outer edges; undecided near the margin.

    Parameters
    ----------
    part
        The part of a coverage.
    direction, radius
        The circle; radians.
    """
    outline, margin = part.outline, part.margin
    if outline is None:
        return None
    if separation(outline.centre, direction) > outline.radius + radius + margin:
        return False
    inside, edge = outline.contains(direction), outline.edge_separation(direction)
    if (inside and edge >= margin) or edge + margin <= radius:
        return True
    return False if not inside and edge - margin > radius else None


def coverages_meet(one: Sequence[Part], other: Sequence[Part]) -> Truth:
    """Tell whether two coverages have a point inside the outer edges of both."""
    return any_part(one, lambda part: any_part(other, lambda second: parts_meet(part, second)))


def parts_meet(one: Part, other: Part) -> Truth:
    """Tell whether two parts have a point inside the outer edges of both."""
    a, b = one.outline, other.outline
    if a is None or b is None:
        return None
    margin = one.margin + other.margin
    if separation(a.centre, b.centre) > a.radius + b.radius + margin:
        return False
    if margin == 0.0:
        return a.overlaps(b)
    # Vertices are on the true edges; a point deep inside the other outline is inside its edges.
    if _deep(a, b, other.margin) or _deep(b, a, one.margin):
        return True
    if a.overlaps(b):
        return None
    pairs = [(b, vertex) for vertex in a.vertices] + [(a, vertex) for vertex in b.vertices]
    near = min(outline.edge_separation(vertex) for outline, vertex in pairs)
    return False if near > margin else None


def _deep(one: Polygon, other: Polygon, margin: float) -> bool:
    """Tell whether a vertex of one outline is inside the other by more than its margin."""
    return any(
        other.contains(vertex) and other.edge_separation(vertex) > margin for vertex in one.vertices
    )
