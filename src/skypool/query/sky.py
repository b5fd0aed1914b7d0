"""Functions of the sky: ``covers(ra, dec)`` and its kin, as the evaluator defines them.

They are always true or false: a product that is nowhere on the sky covers nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from skypool.errors import QueryError
from skypool.query.compare import conversion
from skypool.query.tree import Call, ListOf, Literal, Node
from skypool.query.values import Amount, Position, Value, parse_position
from skypool.sky.vectors import Vector, vector

if TYPE_CHECKING:
    from skypool.query.evaluate import Evaluator

__all__ = ["SKY", "degrees_of", "directions_of", "split_positions"]


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
    values: list[Value] = []
    for node in arguments:
        if isinstance(node, ListOf) and all(isinstance(item, Literal) for item in node.items):
            values.append(tuple(item.value for item in node.items if isinstance(item, Literal)))
        elif isinstance(node, Literal):
            values.append(node.value)
        else:
            return None
    found, _ = split_positions(values)
    if found is None:
        raise QueryError(
            "that is no position on the sky",
            column=arguments[0].column,
            hint="write degrees (ICRS), 'hh:mm:ss dd:mm:ss', or bind a SkyCoord to a $name",
        )
    return [vector(position.ra, position.dec) for position in found]


def _directions(self: Evaluator, node: Call) -> list[Vector]:
    found, _ = split_positions([self.value(argument) for argument in node.arguments])
    return [vector(position.ra, position.dec) for position in found or ()]


def _covers(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import covers  # numpy is loaded where data are read

    datasets = self.subject.datasets
    return any(covers(datasets, direction) for direction in _directions(self, node))


def _footprint_covers(self: Evaluator, node: Call) -> bool:
    from skypool.sky.images import footprint_covers

    datasets = self.subject.datasets
    return any(footprint_covers(datasets, direction) for direction in _directions(self, node))


SKY: Final[Mapping[str, Callable[[Evaluator, Call], bool]]] = {
    "covers": _covers,
    "footprint_covers": _footprint_covers,
}
"""Functions of the sky that the evaluator answers."""
