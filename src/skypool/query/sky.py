"""Functions of the sky: ``covers(ra, dec)`` and its kin, as the evaluator defines them.

They are always true or false: a product that is nowhere on the sky covers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from skypool.errors import QueryError
from skypool.query.compare import conversion
from skypool.query.sky_boxes import box_of, sky_box
from skypool.query.tree import And, Binding, Call, ListOf, Literal, Node, walk
from skypool.query.values import Amount, Position, Value, parse_position, parse_quantity
from skypool.sky.vectors import Vector, separation, vector

if TYPE_CHECKING:
    from skypool.query.evaluate import Evaluator

__all__ = [
    "SKY",
    "Region",
    "asks_of_others",
    "check_sky",
    "degrees_of",
    "directions_of",
    "nearest_of",
    "radius_of",
    "region_of",
    "split_nearest",
    "split_positions",
]


def degrees_of(value: Value) -> float | None:
    """Return an angle in degrees: a number, or a quantity; None for anything else."""
    if isinstance(value, Amount):
        factor = conversion(value.unit, "deg")
        value = None if factor is None else value.value * factor
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def split_positions(values: Sequence[Value]) -> tuple[list[Position] | None, list[Value]]:
    """Return the positions that the values begin with, and the values behind them.

    Parameters
    ----------
    values
        Right ascension and declination (degrees or quantities, ICRS); or a position, several of
        them, or a text such as ``13:25:27.6 -43:01:09``; then whatever else.

    Returns
    -------
    list of Position or None
        None where there is no position.
    """
    if not values:
        return None, []
    first = values[0]
    if isinstance(first, str):
        found = parse_position(first)
        return (None if found is None else [found]), list(values[1:])
    if isinstance(first, Position):
        return [first], list(values[1:])
    if isinstance(first, tuple):
        positions = [item for item in first if isinstance(item, Position)]
        return (positions if len(positions) == len(first) else None), list(values[1:])
    if len(values) < 2:
        return None, []
    ra, dec = degrees_of(first), degrees_of(values[1])
    if ra is None or dec is None or not -90.0 <= dec <= 90.0:
        return None, list(values[2:])
    return [Position(ra % 360.0, dec)], list(values[2:])


@dataclass(frozen=True, slots=True)
class Region:
    """What a function of the sky asks about.

    Attributes
    ----------
    directions : tuple of Vector
        Any of them counts.
    radius : float
        Radians; 0 where the function has none.
    """

    directions: tuple[Vector, ...]
    radius: float = 0.0


def directions_of(arguments: Sequence[Node]) -> list[Vector] | None:
    """Return the directions that the arguments of a function begin with.

    Returns
    -------
    list of Vector or None
        None where they are not written out: they differ from product to product.

    Raises
    ------
    QueryError
        If what is written out is no position.
    """
    found = _written(arguments)
    return None if found is None else list(found[0])


def region_of(node: Call) -> Region | None:
    """Return the circles that a call of ``within`` or ``overlaps`` means.

    Returns
    -------
    Region or None
        None where they are not written out.

    Raises
    ------
    QueryError
        If what is written out is no position with a radius behind it.
    """
    found = _written(node.arguments)
    if found is None:
        return None
    directions, rest = found
    usage = f"write {node.function}(ra, dec, radius) or {node.function}('position', radius)"
    if len(rest) != 1:
        what = "has no radius" if not rest else "has more than a position and a radius"
        raise QueryError(f"{node.function}() {what}", column=node.column, hint=usage)
    radius = radius_of(rest[0])
    if radius is None:
        raise QueryError(
            "that is no radius",
            column=node.arguments[-1].column,
            hint="write degrees, or a quantity such as '5 arcmin', not below zero",
        )
    return Region(directions, radius)


def nearest_of(node: Call) -> tuple[Region, int]:
    """Return the places and the number of products that a call of ``nearest`` means.

    Raises
    ------
    QueryError
        If they are not written out, or mean nothing.
    """
    found = _written(node.arguments)
    if found is None:
        raise QueryError(
            "the position of nearest() must be written out or bound",
            column=node.column,
            hint="it cannot differ from product to product",
        )
    directions, rest = found
    count = rest[0] if rest else 1
    if (
        not directions
        or len(rest) > 1
        or isinstance(count, bool)
        or not isinstance(count, int)
        or count < 1
    ):
        raise QueryError(
            "nearest() takes a position and a number of products, one or more",
            column=node.column,
            hint="write nearest(ra, dec, count) or nearest('position', count)",
        )
    return Region(directions), count


def split_nearest(tree: Node) -> tuple[Call | None, Node]:
    """Return the call of ``nearest`` in a query, and the rest of the query.

    Raises
    ------
    QueryError
        If there are several, or one that is not joined by ``and`` to all the rest.
    """
    parts = tree.items if isinstance(tree, And) else (tree,)
    calls = [part for part in parts if isinstance(part, Call) and part.function == "nearest"]
    found = [n for n in walk(tree) if isinstance(n, Call) and n.function == "nearest"]
    if not found:
        return None, tree
    if len(calls) != 1 or len(found) != 1:
        odd = next((node for node in found if node not in calls), found[-1])
        raise QueryError(
            "nearest() chooses among what the rest of the query finds",
            column=odd.column,
            hint="join one nearest() by 'and' to all the rest: kind == 'SimpleImage' and "
            "nearest(ra, dec, 3)",
        )
    rest = tuple(part for part in parts if part is not calls[0])
    if not rest:
        return calls[0], Literal(True)
    return calls[0], rest[0] if len(rest) == 1 else And(rest)


def asks_of_others(node: Call) -> bool:
    """Tell whether a call of ``overlaps`` names a condition and not a place."""
    first = node.arguments[0]
    if isinstance(first, Literal):
        place = not isinstance(first.value, bool)
    else:
        place = isinstance(first, ListOf | Binding)
    return len(node.arguments) == 1 and not place


def check_sky(node: Call) -> None:
    """Refuse a function of the sky that cannot mean anything; see `skypool.query.check`."""
    if any(isinstance(part, Binding) for argument in node.arguments for part in walk(argument)):
        return  # its values come later
    if node.function == "within" or (node.function == "overlaps" and not asks_of_others(node)):
        region_of(node)
    elif node.function == "nearest":
        nearest_of(node)
    elif node.function == "in_box":
        box_of(node)


def radius_of(value: Value) -> float | None:
    """Return a radius in radians: degrees, a quantity, or its text; None for anything else."""
    if isinstance(value, str):
        value = parse_quantity(value)
    degrees = degrees_of(value)
    return None if degrees is None or degrees < 0.0 else math.radians(degrees)


def _written(arguments: Sequence[Node]) -> tuple[tuple[Vector, ...], list[Value]] | None:
    """Return the directions that are written out, and the values behind them."""
    values: list[Value] = []
    for node in arguments:
        if isinstance(node, ListOf) and all(isinstance(item, Literal) for item in node.items):
            values.append(tuple(item.value for item in node.items if isinstance(item, Literal)))
        elif isinstance(node, Literal):
            values.append(node.value)
        else:
            return None
    found, rest = split_positions(values)
    if found is None:
        raise QueryError(
            "that is no position on the sky",
            column=arguments[0].column,
            hint="write degrees (ICRS), 'hh:mm:ss dd:mm:ss', or bind a SkyCoord to a $name",
        )
    return tuple(vector(position.ra, position.dec) for position in found), rest


def _directions(self: Evaluator, node: Call) -> list[Vector]:
    found, _ = split_positions([self.value(argument) for argument in node.arguments])
    return [vector(position.ra, position.dec) for position in found or ()]


def _region(self: Evaluator, node: Call) -> Region:
    """Return the circles that a call means for this product; none where it has no such values."""
    written = region_of(node)
    if written is not None:
        return written
    found, rest = split_positions([self.value(argument) for argument in node.arguments])
    radius = radius_of(rest[0]) if len(rest) == 1 else None
    if found is None or radius is None:
        return Region(())
    return Region(tuple(vector(position.ra, position.dec) for position in found), radius)


def _covers(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import covers  # numpy is loaded where data are read

    datasets = self.subject.datasets
    return any(covers(datasets, direction) for direction in _directions(self, node))


def _footprint_covers(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import footprint_covers

    datasets = self.subject.datasets
    return any(footprint_covers(datasets, direction) for direction in _directions(self, node))


def _within(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import direction_of

    region = _region(self, node)
    here = direction_of(self.subject.meta, self.subject.datasets) if region.directions else None
    return here is not None and any(
        separation(here, direction) <= region.radius for direction in region.directions
    )


def _in_box(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import direction_of

    box = box_of(node) or sky_box([self.value(argument) for argument in node.arguments])
    here = None if box is None else direction_of(self.subject.meta, self.subject.datasets)
    return box is not None and here is not None and box.holds(here)


def _overlaps(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import meets, overlaps

    datasets = self.subject.datasets
    if asks_of_others(node):
        return any(
            other.urn != self.subject.urn
            and self.about(other).truth(node.arguments[0]) is True
            and overlaps(datasets, other.datasets)
            for other in self.subject.neighbours()
        )
    region = _region(self, node)
    return any(meets(datasets, direction, region.radius) for direction in region.directions)


def _nearest(self: Evaluator, node: Call) -> bool:
    raise QueryError(
        "nearest() compares products, and cannot be asked of one",
        text=self.text,
        column=node.column,
        hint="join it by 'and' to all the rest of a query of a pool",
    )


SKY: Final[Mapping[str, Callable[[Evaluator, Call], bool]]] = {
    "covers": _covers,
    "footprint_covers": _footprint_covers,
    "within": _within,
    "in_box": _in_box,
    "overlaps": _overlaps,
    "nearest": _nearest,
}
"""Functions of the sky that the evaluator answers."""
