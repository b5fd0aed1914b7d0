"""Conditions over the rows of one table: ``energy > 2000 and pi < 5``.

The same language as for products; bare names are columns (``columns['odd name']`` for the rest),
``flux[2]`` is an element of a column whose cells hold several. Text in quotes compares with
conversion of units (``energy > '2 keV'``) and as dates, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from skypool.errors import QueryError
from skypool.model.conditions import Range, register
from skypool.model.names import find_name
from skypool.query.calls import near
from skypool.query.compare import ROUNDING
from skypool.query.elements import Vector, constant_for, vector
from skypool.query.grammar import parse_rows
from skypool.query.tree import (
    And,
    Column,
    Compare,
    Dataset,
    Item,
    ListOf,
    Literal,
    Name,
    Node,
    Not,
    Or,
    walk,
)
from skypool.query.values import Value
from skypool.query.vectors import Vectors

__all__ = ["RowCondition", "compile_rows"]

Bools: TypeAlias = npt.NDArray[np.bool_]
MOST_ITEMS: Final = 1000
_TURNED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compile_rows(
    text: str,
    values: Mapping[str, object] | None = None,
    *,
    names: Iterable[str] | None = None,
    units: Mapping[str, str] | None = None,
) -> RowCondition:
    """Understand a condition over rows.

    Parameters
    ----------
    text
        The condition.
    values
        What its ``$names`` stand for.
    names
        The columns that there are; given, a name that is none of them is an error now, and
        names are found whatever their case.
    units
        Units of the columns that have one, as text, for quoted quantities.

    Raises
    ------
    QueryError
        With the column of the text where it is wrong.
    """
    tree = parse_rows(text, values or {})
    known = None if names is None else dict.fromkeys(names)
    columns: dict[str, str] = {}
    for node in walk(tree):
        written = _column_name(node)
        if written is None or written in columns:
            continue
        found = written if known is None else find_name(known, written)
        if found is None:
            raise QueryError(
                f"there is no column {written!r}",
                text=text,
                column=node.column,
                candidates=near(written, list(known or ())),
                hint=f"columns: {_listed(list(known or ()))}",
            )
        columns[written] = found
    if known and not columns:  # any column, for the number of rows
        columns[""] = next(iter(known))
    return RowCondition(tree, text, columns, dict(units or {}))


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12]) or "none"
    return f"{shown}, ..." if len(names) > 12 else shown


def _column_name(node: Node) -> str | None:
    if isinstance(node, Name | Dataset | Column):
        return node.name
    return None


@dataclass(frozen=True, slots=True)
class RowCondition:
    """A condition over the rows of a table.

    Parameters
    ----------
    tree
        The condition, all values bound.
    text
        As it was written, for errors.
    names
        Column of the table for each name that the text has.
    units
        Units of columns, as text.
    """

    tree: Node
    text: str
    names: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that must be read."""
        return frozenset(self.names.values())

    def matches(self, values: Mapping[str, Any], rows: int | None = None) -> Bools:
        """Return the rows for which the condition holds.

        Parameters
        ----------
        values
            Of (at least) `columns`, each of shape (rows, ...).
        rows
            Number of rows; needed where the condition names no column.

        Returns
        -------
        numpy.ndarray
            Of shape (rows,). False where the condition does not hold, and where that is not known,
            such as for NaN.

        Raises
        ------
        QueryError
            Where a column cannot be used like that.
        """
        cache: dict[str, Vector] = {}

        def resolve(node: Node) -> Vector | Value:
            if isinstance(node, Literal):
                return node.value
            base = node.base if isinstance(node, Item) else node
            name = self.names[_column_name(base) or ""]
            if name not in cache:
                cache[name] = vector(values[name], self.units.get(name, ""))
            return self._cells(cache[name], node, name)

        holds, _ = Vectors(resolve, self.text).condition(self.tree)
        if rows is None:
            rows = max((len(values[name]) for name in self.columns), default=1)
        return np.array(np.broadcast_to(holds, (rows,)))

    def _cells(self, found: Vector, node: Node, name: str) -> Vector:
        """Take one value from each cell."""
        index = node.index if isinstance(node, Item) else ()
        data, unknown = found.data, found.unknown
        if index:
            shape = data.shape[1:]
            if len(index) != len(shape) or any(
                not -length <= number < length for number, length in zip(index, shape, strict=True)
            ):
                self._fail(f"the cells of {name!r} have the shape {shape}", node)
            place: tuple[Any, ...] = (slice(None), *index)
            data, unknown = data[place], None if unknown is None else unknown[place]
        if data.ndim != 1:
            self._fail(f"column {name!r} has several values a row", node, f"write {name}[0]")
        if data.dtype.kind == "O" and any(isinstance(cell, np.ndarray) for cell in data[:1]):
            self._fail(f"column {name!r} has several values a row", node)
        if data.dtype.kind == "c":
            self._fail(f"column {name!r} is complex, which has no order", node)
        return Vector(data, unknown, found.unit)

    def _fail(self, message: str, node: Node, hint: str = "") -> NoReturn:
        raise QueryError(message, text=self.text, column=node.column, hint=hint)

    def possible(self, ranges: Mapping[str, Range]) -> bool:
        """Return whether rows of a block can match.

        Parameters
        ----------
        ranges
            Smallest and largest value of any of the columns in the block, by name; None for a
            column that has no values there.
        """
        return self._may(self.tree, ranges)[0]

    def _may(self, node: Node, ranges: Mapping[str, Range]) -> tuple[bool, bool]:
        """Return whether a condition, and whether its opposite, may hold for a row."""
        if isinstance(node, Not):
            holds, fails = self._may(node.item, ranges)
            return fails, holds
        if isinstance(node, And | Or):
            pairs = [self._may(item, ranges) for item in node.items]
            ones, others = [one for one, _ in pairs], [other for _, other in pairs]
            if isinstance(node, And):
                return all(ones), any(others)
            return any(ones), all(others)
        if isinstance(node, Compare):
            left = node.first
            pairs = []
            for operator, right in node.rest:
                pairs.append(self._may_pair(operator, left, right, ranges))
                left = right
            return all(one for one, _ in pairs), any(other for _, other in pairs)
        return True, True

    def _may_pair(
        self, operator: str, left: Node, right: Node, ranges: Mapping[str, Range]
    ) -> tuple[bool, bool]:
        if operator in ("in", "not in"):
            if not isinstance(right, ListOf) or len(right.items) > MOST_ITEMS:
                return True, True
            holds = any(self._may_pair("==", left, item, ranges)[0] for item in right.items)
            return (holds, True) if operator == "in" else (True, holds)
        if isinstance(left, Literal):
            left, right, operator = right, left, _TURNED[operator]
        if not isinstance(left, Name | Column) or not isinstance(right, Literal):
            return True, True
        name = self.names.get(left.name)
        if name is None or name not in ranges:
            return True, True
        constant = constant_for(right.value, self.units.get(name, ""))
        if constant is None:
            return True, True
        known = ranges[name]
        return (False, False) if known is None else _limits(operator, *known, *constant)


def _limits(
    operator: str, low: Any, high: Any, constant: int | float, converted: bool
) -> tuple[bool, bool]:
    """Return whether a value between two may compare so with a number, and whether not."""
    first, last = np.asarray(low).item(), np.asarray(high).item()
    if converted:  # equality is up to rounding, so either may hold close by
        room = abs(constant) * 4 * ROUNDING
        less, more = first <= constant + room, last >= constant - room
        pairs = {"==": (less and more, True), "<": (less, more), "<=": (less, more)}
    else:
        pairs = {
            "==": (first <= constant <= last, first < constant or last > constant),
            "<": (first < constant, last >= constant),
            "<=": (first <= constant, last > constant),
        }
    if operator in pairs:
        return pairs[operator]
    fails, holds = pairs[{"!=": "==", ">=": "<", ">": "<="}[operator]]
    return holds, fails


def _compile(
    text: str,
    colnames: list[str],
    values: Mapping[str, Any],
    units: Mapping[str, str] | None = None,
) -> RowCondition:
    return compile_rows(text, values, names=colnames, units=units)


register(_compile)
