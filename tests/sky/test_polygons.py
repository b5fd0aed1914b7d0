"""Polygons, boxes and circles on the sphere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.sky.polygons import Polygon, box_of_circle
from skypool.sky.vectors import arc_separation, cross, dot, normalized, separation, vector

PLACES = st.tuples(
    st.floats(0, 360) | st.sampled_from([0.0, 180.0, 359.9999]),
    st.floats(-90, 90) | st.sampled_from([-90.0, 0.0, 89.9999, 90.0]),
).map(lambda place: vector(*place))


def around(centre, angle, turn):
    """Return the direction at an angle from a centre, in the direction of a turn."""
    axis = normalized(cross(centre, (0.3, 0.4, 0.5) if abs(dot(centre, (0.42, 0.57, 0.71))) < 0.9
                            else (1.0, 0.0, 0.0)))  # fmt: skip
    other = cross(centre, axis)
    side = [math.cos(turn) * a + math.sin(turn) * b for a, b in zip(axis, other, strict=True)]
    return tuple(math.cos(angle) * c + math.sin(angle) * s
                 for c, s in zip(centre, side, strict=True))  # fmt: skip


@st.composite
def convex(draw):
    """A convex polygon: vertices on a circle."""
    centre = draw(PLACES)
    radius = draw(st.floats(1e-6, 1.2))
    turns = sorted(draw(st.lists(st.floats(0, 6.28), min_size=3, max_size=8, unique=True)))
    made = Polygon.of([around(centre, radius, turn) for turn in turns])
    gaps = np.diff([*turns, turns[0] + 2 * math.pi])
    return made if made is not None and gaps.min() > 0.05 and gaps.max() < 3 else None


@given(convex(), st.floats(0, 1.5), st.floats(0, 6.28))
def test_a_direction_is_inside_if_it_is_on_the_inner_side_of_all_edges(polygon, angle, turn):
    if polygon is None:
        return
    point = around(polygon.centre, angle * polygon.radius, turn)
    sides = [dot(cross(a, b), point) for a, b in polygon.edges()]
    if min(abs(side) for side in sides) < 1e-13:
        return
    inside = all(side > 0 for side in sides) or all(side < 0 for side in sides)
    assert polygon.contains(point) == (inside and dot(polygon.centre, point) > 0)
    if inside:
        assert polygon.contains(point) != polygon.contains(tuple(-c for c in point))
    assert polygon.separation(point) == (0.0 if inside else polygon.edge_separation(point))


@given(convex(), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 6.28)), max_size=30))
def test_the_box_holds_every_direction_inside(polygon, places):
    if polygon is None:
        return
    box = polygon.box()
    for angle, turn in places:
        point = around(polygon.centre, angle * polygon.radius, turn)
        if polygon.contains(point):
            for axis in range(3):
                assert box[2 * axis] <= point[axis] <= box[2 * axis + 1]
    for a, b in polygon.edges():
        for part in np.linspace(0, 1, 20):
            point = normalized(tuple((1 - part) * p + part * q for p, q in zip(a, b, strict=True)))
            for axis in range(3):
                assert box[2 * axis] <= point[axis] <= box[2 * axis + 1]


@given(PLACES, st.floats(0, 3.2), st.floats(0, 1), st.floats(0, 6.28))
def test_the_box_of_a_circle_holds_it(centre, radius, part, turn):
    point = around(centre, min(radius, math.pi) * part, turn)
    box = box_of_circle(centre, radius)
    for axis in range(3):
        assert box[2 * axis] <= point[axis] <= box[2 * axis + 1]


@given(convex(), convex())
def test_regions_overlap_if_sampled_points_of_one_are_in_the_other(one, two):
    if one is None or two is None:
        return
    assert one.overlaps(two) == two.overlaps(one)
    shared = any(
        two.contains(around(one.centre, one.radius * part, turn))
        and one.contains(around(one.centre, one.radius * part, turn))
        for part in np.linspace(0, 1, 8)
        for turn in np.linspace(0, 6.28, 16)
    )
    if shared:
        assert one.overlaps(two)
    if separation(one.centre, two.centre) > one.radius + two.radius + 1e-9:
        assert not one.overlaps(two)


def test_a_cross_overlaps_without_a_vertex_of_one_in_the_other():
    def strip(width, height):
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return Polygon.of([vector(10 + width * x, height * y) for x, y in corners])

    assert strip(1, 10).overlaps(strip(10, 1))
    assert not strip(1, 1).overlaps(
        Polygon.of([vector(13, 0), vector(14, 0), vector(14, 1), vector(13, 1)])
    )


@pytest.mark.parametrize("dec", [-90, -89.9, 0, 45, 90])
def test_poles_and_the_wrap_of_right_ascension_are_nothing_special(dec):
    centre = vector(0.0, dec)
    polygon = Polygon.of([around(centre, 0.01, turn) for turn in (0, 1.57, 3.14, 4.71)])
    assert polygon.contains(centre)
    assert polygon.contains(around(centre, 0.005, 1.0))
    assert not polygon.contains(around(centre, 0.011, 1.0))


def test_regions_too_large_or_degenerate_are_no_polygons():
    assert Polygon.of([vector(0, 0), vector(120, 0), vector(240, 0)]) is None
    assert Polygon.of([vector(0, 0), vector(1, 0)]) is None
    assert Polygon.of([(math.nan, 0.0, 0.0)] * 3) is None


def test_the_nearest_point_of_an_arc():
    a, b = vector(0, 0), vector(10, 0)
    assert arc_separation(vector(5, 3), a, b) == pytest.approx(math.radians(3))
    assert arc_separation(vector(-4, 0), a, b) == pytest.approx(math.radians(4))
    assert arc_separation(vector(1, 1), a, a) == pytest.approx(separation(vector(1, 1), a))
