"""Functions of the sky asked of very many products: positions as arrays, boxes for the rest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.places import AT_ONCE, Places, boxed, places_of
from skypool.catalogue.search_sky import Wanted, answer, wanted
from skypool.query.sky import Region, directions_of, region_of
from skypool.query.sky_boxes import SkyBox, box_of
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from skypool.catalogue.columns import Columns
    from skypool.query.tree import Call

    Bools = NDArray[np.bool_]

__all__ = ["on_sky"]

# What rounding does to angles in radians, and to degrees; nearer to an edge the evaluator decides.
_NEAR: Final = 1e-12
_NEAR_DEGREES: Final = 1e-10
# So many coverages are looked into one by one, at 20 us each.
_MOST_PARTS: Final = 20_000
_MOST_DIRECTIONS: Final = 50


def on_sky(
    node: Call, columns: Columns, connection: sqlite3.Connection, documents: NDArray[np.int64]
) -> tuple[Bools, Bools] | None:
    """Return which documents may fulfil a condition, and which surely do.

    Returns
    -------
    maybe, sure : array of bool; or None
        None for a condition that is not answered here.
    """
    if node.function == "in_box":
        box = box_of(node)
        if box is None:
            return None
        return _by_place(partial(_in_box, box), places_of(columns, connection), documents)
    if node.function == "within":
        region = region_of(node)
        if region is None or len(region.directions) > _MOST_DIRECTIONS:
            return None
        return _by_place(partial(_within, region), places_of(columns, connection), documents)
    regions = wanted(node)
    if not regions or len(regions) > _MOST_DIRECTIONS:
        return None
    region = region_of(node) if node.function == "overlaps" else None
    reach = 0.0 if region is None else region.radius
    directions = directions_of(node.arguments) if region is None else region.directions
    assert directions is not None
    circles = [(direction, reach) for direction in directions]
    return _meeting(connection, list(zip(regions, circles, strict=True)), documents)


def _by_place(
    ask: Callable[[NDArray[np.float64]], tuple[Bools, Bools]],
    places: Places,
    documents: NDArray[np.int64],
) -> tuple[Bools, Bools]:
    """Ask unit vectors of documents, some at a time."""
    maybe, sure = np.zeros(len(documents), bool), np.zeros(len(documents), bool)
    for start in range(0, len(documents), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        maybe[part], sure[part] = ask(places.of(documents[part]))
    return maybe, sure


def _within(region: Region, xyz: NDArray[np.float64]) -> tuple[Bools, Bools]:
    maybe, sure = np.zeros(len(xyz), bool), np.zeros(len(xyz), bool)
    for direction in region.directions:
        away = _separations(xyz, np.array(direction))
        with np.errstate(invalid="ignore"):
            maybe |= away <= region.radius + _NEAR
            sure |= away <= region.radius - _NEAR
    return maybe, sure


def _separations(xyz: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    across = np.cross(xyz, direction)
    found: NDArray[np.float64] = np.arctan2(np.sqrt((across * across).sum(axis=1)), xyz @ direction)
    return found


def _in_box(box: SkyBox, xyz: NDArray[np.float64]) -> tuple[Bools, Bools]:
    ra = np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    dec = np.degrees(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))

    def inside(margin: float) -> Bools:
        beyond, before = ra >= box.west - margin, ra <= box.east + margin
        found: Bools = beyond & before if box.west <= box.east else beyond | before
        if margin > 0:  # across 0 h, where a degree from 360 may have become 0
            found |= (ra <= margin) | (ra >= 360.0 - margin)
        return found & (dec >= box.south - margin) & (dec <= box.north + margin)

    with np.errstate(invalid="ignore"):
        return inside(_NEAR_DEGREES), inside(-_NEAR_DEGREES)


def _meeting(
    connection: sqlite3.Connection,
    regions: list[tuple[Wanted, tuple[Vector, float]]],
    documents: NDArray[np.int64],
) -> tuple[Bools, Bools] | None:
    """Ask the coverages whose boxes touch."""
    size = int(documents.max(initial=0)) + 1
    asked = np.zeros(size, bool)
    asked[documents] = True
    level = np.zeros(size, np.uint8)
    for region, circle in regions:
        near = boxed(connection, region.box, *circle)
        near = near[near < size]
        near = near[asked[near]]
        if len(near) > _MOST_PARTS:
            return None
        rows = connection.execute(
            "SELECT c.document, c.parts FROM json_each(?) j CROSS JOIN coverages c"
            " ON c.document = j.value",
            (json.dumps(near.tolist()),),
        )
        known: dict[bytes, int] = {}
        for document, parts in rows:
            found = known.get(parts)
            if found is None:
                found = known[parts] = answer(parts, region.ask)
            level[document] = max(int(level[document]), found)
    return level[documents] > 0, level[documents] > 1
