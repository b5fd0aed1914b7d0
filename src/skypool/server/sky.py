"""Results on the sky: how many where, outlines, and what is at a place."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import UsageError
from skypool.query.sky_boxes import SkyBox
from skypool.server.cursors import Cursor, Results
from skypool.server.endpoint import Asked, Endpoint, integer, number, text
from skypool.server.schema import ANY, INTEGER, TEXT, listing, record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skypool.server.context import Context

__all__ = ["routes"]

_GROUP: Final = "Results"
_FRAMES: Final = ("icrs", "galactic", "ecliptic", "supergalactic")
_MOST_AT: Final = 200
# What has no footprint is found this near to its position, degrees, unless a radius is given.
# Directions that are turned at once: those of a million would be 100 MB in between.
_AT_ONCE: Final = 100_000
_NEAR: Final = 0.0

_DENSITY: Final = record(
    ["width", "height", "max", "placed", "cells"],
    width=INTEGER,
    height=INTEGER,
    max=INTEGER,
    placed=INTEGER,
    cells=TEXT,
)
_OUTLINES: Final = record(["total", "outlines"], total=INTEGER, outlines=listing(listing(ANY)))


def routes(context: Context) -> list[Endpoint]:
    """Return the routes of the sky."""
    return [
        Endpoint(
            method="GET", path="results/{cursor}/sky/density", answer=_density, group=_GROUP,
            slow=True,
            summary="How many products of a result are where", result=_DENSITY,
            parameters=[
                integer("width", 720, 8, 2880, "cells along the equator; half as many across"),
                text("frame", "icrs", choices=_FRAMES),
            ],
        ),
        Endpoint(
            method="GET", path="results/{cursor}/sky/outlines", answer=_outlines, group=_GROUP,
            slow=True,
            summary="Outlines of the footprints of a result; none where there are too many",
            result=_OUTLINES,
            parameters=[
                integer("limit", 5000, 0, 20_000),
                text("bounds", "", summary="ra_min,dec_min,ra_max,dec_max of the positions"),
            ],
        ),
        Endpoint(
            method="GET", path="results/{cursor}/sky/at", answer=_at, group=_GROUP,
            slow=True,
            summary="Products of a result whose footprint is at a place",
            result=record(["refs", "total"], refs=listing(TEXT), total=INTEGER),
            parameters=[
                _required("ra", 0, 360), _required("dec", -90, 90),
                number("radius", _NEAR, 0, 90, "degrees: positions that near count too"),
            ],
        ),
    ]  # fmt: skip


def _required(name: str, low: float, high: float) -> Any:
    from dataclasses import replace

    return replace(number(name, None, low, high, "degrees, ICRS"), required=True)


def _cursor(asked: Asked) -> Cursor:
    return asked.context.part(Results).get(asked["cursor"])


def _directions(cursor: Cursor) -> Iterator[tuple[Any, NDArray[np.float64]]]:
    """Yield places of the hits, some at a time, and their unit vectors; NaN for nowhere."""
    import numpy as np

    from skypool.catalogue.places import places_of

    for pool, snapshot in enumerate(cursor.hits.snapshots):
        versions, places = cursor.in_pool(pool)
        database = snapshot.view.session.catalogue.database
        with snapshot.columns.reading() as columns, database.reading() as connection:
            documents = columns.documents(versions, snapshot.at)
            known = places_of(columns, connection)
        for start in range(0, len(documents), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            which = some if isinstance(places, slice) else places[some]
            yield which, known.of(documents[some].astype(np.int64))


def _density(asked: Asked) -> dict[str, Any]:
    cursor, width, frame = _cursor(asked), asked["width"], asked["frame"]
    return dict(cursor.kept_once(("density", width, frame), lambda: _counted(cursor, width, frame)))


def _counted(cursor: Cursor, width: int, frame: str) -> dict[str, Any]:
    import numpy as np

    from skypool.sky.frames import ROTATIONS

    height = width // 2
    cells = np.zeros(width * height, np.int64)
    placed = 0
    for _, xyz in _directions(cursor):
        part = xyz[~np.isnan(xyz[:, 0])]
        if frame != "icrs":
            part = part @ np.array(ROTATIONS[frame])
        longitude = np.degrees(np.arctan2(part[:, 1], part[:, 0])) % 360.0
        latitude = np.degrees(np.arctan2(part[:, 2], np.hypot(part[:, 0], part[:, 1])))
        columns = np.minimum(((360.0 - longitude) / 360.0 * width).astype(np.int64), width - 1)
        rows = np.minimum(((90.0 - latitude) / 180.0 * height).astype(np.int64), height - 1)
        cells += np.bincount(rows * width + columns, minlength=width * height)
        placed += len(part)
    return {
        "width": width,
        "height": height,
        "max": int(cells.max(initial=0)),
        "placed": placed,
        "cells": base64.b64encode(cells.astype("<u4").tobytes()).decode(),
    }


def _outlines(asked: Asked) -> dict[str, Any]:
    import numpy as np

    from skypool.catalogue.places import rings

    cursor, limit = _cursor(asked), asked["limit"]
    bounds = _bounds(asked["bounds"]) if asked["bounds"] else None
    places, xyz = _placed(cursor, bounds, limit)
    if len(places) > limit:
        return {"total": len(places), "outlines": []}
    found: list[list[Any]] = []
    pools = np.zeros(len(places), np.int64)
    if cursor.hits.pools is not None:
        pools = np.array(cursor.hits.pools)[places].astype(np.int64)
    numbers = cursor.hits.as_array()[places]
    for pool, snapshot in enumerate(cursor.hits.snapshots):
        mine = np.flatnonzero(pools == pool)
        if not len(mine):
            continue
        with snapshot.columns.reading() as columns:
            documents = columns.documents(numbers[mine], snapshot.at).tolist()
        database = snapshot.view.session.catalogue.database
        outlines = rings(database, list(dict.fromkeys(documents)))
        for place, document in zip(mine.tolist(), documents, strict=True):
            text = cursor.ref_text(int(places[place]))
            ring = outlines.get(document) or [[_position(xyz[place])]]
            found.append([text, _rounded(ring)])
    return {"total": len(places), "outlines": found}


def _placed(
    cursor: Cursor, bounds: SkyBox | None, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the places of the hits that are somewhere inside some bounds, and their vectors.

    Of more than *limit* the vectors are left out.
    """
    import numpy as np

    found, vectors, count = [np.zeros(0, np.int64)], [np.zeros((0, 3), np.float32)], 0
    for which, xyz in _directions(cursor):
        part = xyz.astype(np.float32)
        chosen = ~np.isnan(part[:, 0])
        if bounds is not None:
            chosen &= _inside(part, bounds)
        here = np.flatnonzero(chosen)
        count += len(here)
        vectors = [] if count > limit else [*vectors, part[here]]
        found.append(here + which.start if isinstance(which, slice) else which[here])
    places = np.concatenate(found)
    order = np.argsort(places)  # pool by pool they came
    if count > limit:
        return places[order], np.zeros((0, 3), np.float32)
    return places[order], np.concatenate(vectors)[order]


def _position(direction: Any) -> tuple[float, float]:
    from skypool.sky.vectors import position

    x, y, z = (float(each) for each in direction)
    return position((x, y, z))


def _rounded(outline: Any) -> list[list[list[float]]]:
    return [[[round(ra, 6), round(dec, 6)] for ra, dec in ring] for ring in outline]


def _bounds(raw: str) -> SkyBox:
    try:
        west, south, east, north = (float(each) for each in raw.split(","))
    except ValueError:
        west = math.nan
    if not (math.isfinite(west) and math.isfinite(east) and -90 <= south <= north <= 90):
        raise UsageError("bounds are ra_min,dec_min,ra_max,dec_max in degrees")
    whole = east - west >= 360
    return SkyBox(0.0 if whole else west % 360, south, 360.0 if whole else east % 360, north)


def _inside(xyz: NDArray[np.float32], box: SkyBox) -> NDArray[np.bool_]:
    import numpy as np

    ra = np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0])) % 360.0
    dec = np.degrees(np.arcsin(np.clip(xyz[:, 2], -1, 1)))
    east = (ra >= box.west) & (ra <= box.east)
    if box.west > box.east:
        east = (ra >= box.west) | (ra <= box.east)
    found: NDArray[np.bool_] = east & (dec >= box.south) & (dec <= box.north)
    return found


def _at(asked: Asked) -> dict[str, Any]:
    import numpy as np

    from skypool.catalogue.places import covering
    from skypool.sky.vectors import vector

    cursor, ra, dec = _cursor(asked), asked["ra"], asked["dec"]
    hit = np.zeros(len(cursor.hits), bool)
    for pool, snapshot in enumerate(cursor.hits.snapshots):
        versions, places = cursor.in_pool(pool)
        documents = covering(snapshot.view.session.catalogue.database, ra, dec)
        if not documents:
            continue
        with snapshot.columns.reading() as columns:
            here = columns.documents(versions, snapshot.at)
        hit[places] |= np.isin(here, np.array(sorted(documents)))
    if asked["radius"]:
        chord, centre = 2 * math.sin(math.radians(asked["radius"]) / 2), np.array(vector(ra, dec))
        for which, xyz in _directions(cursor):
            with np.errstate(invalid="ignore"):
                hit[which] |= ((xyz - centre) ** 2).sum(axis=1) <= chord**2
    found = np.flatnonzero(hit)
    return {
        "refs": [cursor.ref_text(place) for place in found[:_MOST_AT].tolist()],
        "total": len(found),
    }
