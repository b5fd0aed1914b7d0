"""Functions of the sky as SQL: boxes of unit vectors first, then the parts of each coverage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.search_clause import UNDECIDED, Clause
from skypool.query.sky import directions_of
from skypool.sky.coverage import Part, Truth, any_part, decode
from skypool.sky.vectors import Vector

if TYPE_CHECKING:
    from skypool.catalogue.search_compile import Compiler
    from skypool.query.tree import Call

__all__ = ["SKY_CALLS"]

_MOST_DIRECTIONS: Final = 1000


def _point(ask: Callable[[Part, Vector], Truth]) -> Callable[[Compiler, Call, str], Clause]:
    def compiled(self: Compiler, node: Call, v: str) -> Clause:
        directions = directions_of(node.arguments)
        if directions is None or not directions or len(directions) > _MOST_DIRECTIONS:
            return UNDECIDED
        found = [_one(self, ask, direction, v) for direction in directions]
        return Clause(
            " OR ".join(clause.maybe for clause in found),
            " OR ".join(clause.sure for clause in found),
        )

    return compiled


def _one(self: Compiler, ask: Callable[[Part, Vector], Truth], direction: Vector, v: str) -> Clause:
    def answer(data: bytes) -> int:
        found = any_part(decode(data), lambda part: ask(part, direction))
        return 1 if found is None else 2 * found

    self.regions.append(answer)
    number = len(self.regions) - 1
    x, y, z = (self.parameter(value) for value in direction)
    query = (
        f"{v}.document IN (SELECT c.document FROM boxes b JOIN coverages c"
        f" ON c.document = b.id / {BOXES} WHERE b.x0 <= {x} AND b.x1 >= {x}"
        f" AND b.y0 <= {y} AND b.y1 >= {y} AND b.z0 <= {z} AND b.z1 >= {z}"
        f" AND query_region({number}, c.parts) > {{}})"
    )
    return Clause(query.format(0), query.format(1))


SKY_CALLS: Final[dict[str, Callable[[Compiler, Call, str], Clause]]] = {
    "covers": _point(lambda part, direction: part.covers(direction)),
    "footprint_covers": _point(lambda part, direction: part.footprint(direction)),
}
"""Functions that are always true or false, by name: each says where it is true."""
