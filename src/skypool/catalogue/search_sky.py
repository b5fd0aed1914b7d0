"""Functions of the sky as SQL: boxes of unit vectors first, then the parts of each coverage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.search_clause import UNDECIDED, Clause, joined
from skypool.query.sky import asks_of_others, directions_of, region_of
from skypool.query.sky_boxes import box_of
from skypool.sky.coverage import Part, Truth, any_part, decode
from skypool.sky.overlap import coverages_meet, meets_circle
from skypool.sky.polygons import Box, box_of_circle
from skypool.sky.vectors import Vector, separation

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.catalogue.search_compile import Compiler
    from skypool.query.tree import Call

__all__ = [
    "SKY_CALLS",
    "Wanted",
    "answer",
    "directions",
    "neighbours",
    "overlap",
    "wanted",
    "whole_box",
]

_MOST_DIRECTIONS: Final = 1000
_BATCH: Final = 500


class Wanted(NamedTuple):
    """One place or circle that a function of the sky asks about.

    Attributes
    ----------
    box : Box
        Boxes that touch this one may answer.
    ask
        The question to a part of a coverage.
    """

    box: Box
    ask: Callable[[Part], Truth]


def wanted(node: Call) -> list[Wanted] | None:
    """Return what a function asks of coverages; None where it is something else."""
    if node.function in ("covers", "footprint_covers"):
        directions = directions_of(node.arguments)
        return None if directions is None else [_at(node.function, each) for each in directions]
    if node.function == "overlaps" and not asks_of_others(node):
        region = region_of(node)
        if region is not None:
            return [_round(each, region.radius) for each in region.directions]
    return None


def _at(function: str, direction: Vector) -> Wanted:
    x, y, z = direction
    if function == "covers":
        return Wanted((x, x, y, y, z, z), lambda part: part.covers(direction))
    return Wanted((x, x, y, y, z, z), lambda part: part.footprint(direction))


def _round(direction: Vector, radius: float) -> Wanted:
    box = box_of_circle(direction, radius)
    return Wanted(box, lambda part: meets_circle(part, direction, radius))


def answer(data: bytes, ask: Callable[[Part], Truth]) -> int:
    """Return what a coverage says: 0 no, 1 undecided, 2 yes."""
    found = any_part(decode(data), ask)
    return 1 if found is None else 2 * found


def _of_coverages(self: Compiler, node: Call, v: str) -> Clause:
    regions = wanted(node)
    if regions is None or not 0 < len(regions) <= _MOST_DIRECTIONS:
        return UNDECIDED
    return joined("OR", [_covering(self, region, v) for region in regions])


def _covering(self: Compiler, region: Wanted, v: str) -> Clause:
    """Return where a coverage with a box somewhere answers a question with yes."""
    self.regions.append(lambda data: answer(data, region.ask))
    number = len(self.regions) - 1
    if self.probing and v == "v":
        query = (
            f"EXISTS (SELECT 1 FROM coverages c WHERE c.document = {v}.document"
            f" AND query_region({number}, c.parts) > {{}})"
        )
    else:
        query = (
            f"{v}.document IN (SELECT c.document FROM boxes b JOIN coverages c"
            f" ON c.document = b.id / {BOXES} WHERE {_meeting(self, region.box)}"
            f" AND query_region({number}, c.parts) > {{}})"
        )
    return Clause(query.format(0), query.format(1))


def _within(self: Compiler, node: Call, v: str) -> Clause:
    region = region_of(node)
    if region is None or not 0 < len(region.directions) <= _MOST_DIRECTIONS:
        return UNDECIDED

    def one(direction: Vector) -> str:
        self.circles.append(lambda x, y, z: separation((x, y, z), direction) <= region.radius)
        number = len(self.circles) - 1
        if self.probing and v == "v":
            return (
                f"EXISTS (SELECT 1 FROM points b WHERE b.id = {v}.document"
                f" AND query_circle({number}, b.x, b.y, b.z))"
            )
        return (
            f"{v}.document IN (SELECT b.id FROM points b WHERE"
            f" {_meeting(self, box_of_circle(direction, region.radius))}"
            f" AND query_circle({number}, b.x, b.y, b.z))"
        )

    found = " OR ".join(one(direction) for direction in region.directions)
    return Clause(found, found)


def _in_box(self: Compiler, node: Call, v: str) -> Clause:
    box = box_of(node)
    if box is None:
        return UNDECIDED
    self.circles.append(lambda x, y, z: box.holds((x, y, z)))
    asked = f"query_circle({len(self.circles) - 1}, b.x, b.y, b.z)"
    if self.probing and v == "v":
        found = f"EXISTS (SELECT 1 FROM points b WHERE b.id = {v}.document AND {asked})"
    else:
        meeting = _meeting(self, box.vectors())
        found = f"{v}.document IN (SELECT b.id FROM points b WHERE {meeting} AND {asked})"
    return Clause(found, found)


def _overlaps(self: Compiler, node: Call, v: str) -> Clause:
    return (_overlaps_others if asks_of_others(node) else _of_coverages)(self, node, v)


def _overlaps_others(self: Compiler, node: Call, v: str) -> Clause:
    """Return where a footprint overlaps that of another product that meets a condition."""
    w = self.alias()
    inner = self.clause(node.arguments[0], True, w)
    query = (
        "EXISTS (SELECT 1 FROM coverages c CROSS JOIN boxes b"
        f" CROSS JOIN versions {w} CROSS JOIN coverages d WHERE c.document = {v}.document"
        f" AND {_touching('c.parts')} AND {w}.document = b.id / {BOXES} AND {w}.urn <> {v}.urn"
        f" AND {w}.since <= :at AND {w}.until > :at AND {w}.purged = 0 AND EXISTS (SELECT 1"
        f" FROM names s WHERE s.track = {w}.track AND s.since <= :at AND s.until > :at)"
        f" AND d.document = {w}.document AND ({{}}) AND query_overlap(c.parts, d.parts) > {{}})"
    )
    return Clause(query.format(inner.maybe, 0), query.format(inner.sure, 1))


def _touching(parts: str) -> str:
    """Return the condition that a box touches the one round all parts of a coverage."""
    return " AND ".join(
        f"b.{axis}0 <= query_limit({parts}, {2 * n + 1})"
        f" AND b.{axis}1 >= query_limit({parts}, {2 * n})"
        for n, axis in enumerate("xyz")
    )


def _meeting(self: Compiler, box: Box) -> str:
    """Return the condition that a box of the table `b` touches another."""
    limits = [self.parameter(value) for value in box]
    return " AND ".join(
        f"b.{axis}0 <= {limits[2 * n + 1]} AND b.{axis}1 >= {limits[2 * n]}"
        for n, axis in enumerate("xyz")
    )


@lru_cache(maxsize=64)
def whole_box(data: bytes) -> Box:
    """Return the box round all parts of a coverage."""
    boxes = [part.box() for part in decode(data)]
    low = [min(box[n] for box in boxes) for n in (0, 2, 4)]
    high = [max(box[n] for box in boxes) for n in (1, 3, 5)]
    return (low[0], high[0], low[1], high[1], low[2], high[2])


def overlap(one: bytes, other: bytes) -> int:
    """Return whether two coverages overlap: 0 no, 1 undecided, 2 yes."""
    found = coverages_meet(decode(one), decode(other))
    return 1 if found is None else 2 * found


def neighbours(database: Database, document: bytes, at: int) -> list[int]:
    """Return the newest versions as of a commit whose footprints may overlap with a document's."""
    with database.reading() as connection:
        row = connection.execute(
            "SELECT c.parts FROM documents d JOIN coverages c ON c.document = d.id"
            " WHERE d.digest = ?",
            (document,),
        ).fetchone()
        if row is None:
            return []
        box = whole_box(row[0])
        rows = connection.execute(
            "SELECT DISTINCT w.urn FROM boxes b CROSS JOIN versions w"
            f" ON w.document = b.id / {BOXES} WHERE b.x0 <= ?2 AND b.x1 >= ?1 AND b.y0 <= ?4"
            " AND b.y1 >= ?3 AND b.z0 <= ?6 AND b.z1 >= ?5 AND w.since <= ?7 AND w.until > ?7"
            " AND w.purged = 0 AND EXISTS (SELECT 1 FROM names s WHERE s.track = w.track"
            " AND s.since <= ?7 AND s.until > ?7) ORDER BY w.urn",
            (*box, at),
        ).fetchall()
    return [urn for (urn,) in rows]


def directions(database: Database, documents: Sequence[bytes]) -> dict[bytes, Vector]:
    """Return where documents are, those that are somewhere."""
    found: dict[bytes, Vector] = {}
    with database.reading() as connection:
        for start in range(0, len(documents), _BATCH):
            part = documents[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            rows = connection.execute(
                "SELECT d.digest, p.x, p.y, p.z FROM documents d CROSS JOIN points p"
                f" ON p.id = d.id WHERE d.digest IN ({marks})",
                part,
            )
            found.update((digest, (x, y, z)) for digest, x, y, z in rows)
    return found


SKY_CALLS: Final[dict[str, Callable[[Compiler, Call, str], Clause]]] = {
    "covers": _of_coverages,
    "footprint_covers": _of_coverages,
    "within": _within,
    "in_box": _in_box,
    "overlaps": _overlaps,
}
"""Functions that are always true or false, by name: each says where it is true."""
