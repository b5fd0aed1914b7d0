"""Rows of the inverted table of metadata, made key by key.

Products of one pipeline have the same keys: what one key has in all of them is looked at together,
in a few calls for hundreds of values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from math import isnan
from typing import Any, Final, TypeAlias

from skypool.catalogue.attributes import visible
from skypool.catalogue.batches import insert_many, insert_slot
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.schema import PLACE_SHIFT, TEXT_LIMIT
from skypool.catalogue.terms import searchable
from skypool.catalogue.text import to_database
from skypool.codec.documents import format_time
from skypool.codec.parameter_columns import ParameterColumns

__all__ = [
    "Column",
    "Key",
    "Slotted",
    "columns_of",
    "flat_rows",
    "insert_rows",
    "rows_of",
    "unit_number",
]

# The name of a metadata key, or the number that stands for a core attribute.
Key: TypeAlias = str | int
# A key, and the unit of its values.
Slotted: TypeAlias = tuple[Key, str]
# Slot, value, entry.
Row: TypeAlias = tuple[int, Any, int]

_INSERT: Final = "INSERT OR IGNORE INTO postings(slot, value, entry) VALUES"
# So many rows of one slot go in by statements that are told the slot once.
_MANY: Final = 240


class Column:
    """What one key has, in one unit, in documents that list the same keys at the same place.

    Parameters
    ----------
    values
        As the inverted table has them.
    entries
        Numbers of the documents, as the inverted table has them: see `entry_of`.
    """

    __slots__ = ("entries", "values")

    def __init__(self, values: Sequence[Any], entries: Sequence[int]) -> None:
        self.values = values
        self.entries = entries


def entry_of(document: int, place: int) -> int:
    """Return what stands for a document, and for a place in it: 0 its own metadata."""
    return document + (place << PLACE_SHIFT)


class _Alike:
    """Documents that list the same keys at the same place."""

    __slots__ = ("described", "entries", "values")

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.values: list[Sequence[Any]] = []
        self.described: list[Sequence[tuple[Any, ...]]] = []

    def columns(self, names: Sequence[str]) -> Iterator[tuple[Slotted, Column]]:
        """Yield what each key has in each unit."""
        first = self.described[0]
        alike = all(each is first or each == first for each in self.described)
        for place, (name, values) in enumerate(
            zip(names, zip(*self.values, strict=True), strict=True)
        ):
            column = Column(_searchable(values), self.entries)
            if alike:
                yield (name, _unit(first[place])), column
                continue
            units = [_unit(each[place]) for each in self.described]
            for unit, part in _by_unit(units, column):
                yield (name, unit), part


def columns_of(numbered: Iterable[tuple[int, IndexedDocument]]) -> dict[Slotted, list[Column]]:
    """Return what each key has in documents, which are given with their numbers."""
    alike: dict[tuple[int, tuple[str, ...]], _Alike] = {}
    described: dict[Slotted, tuple[list[int], list[Any]]] = {}
    for number, document in numbered:
        for place, listed in document.metas:
            found = ParameterColumns.of(listed)
            form = place, found.names
            group = alike.get(form)
            if group is None:
                group = alike[form] = _Alike()
            group.entries.append(entry_of(number, place))
            group.values.append(found.values)
            group.described.append(found.described)
        if document.attributes:
            for key, value, unit in visible(document.metas[0][1], document.attributes):
                there = described.get((key, unit))
                if there is None:
                    there = described[key, unit] = [], []
                there[0].append(number)
                there[1].append(value)
    columns: dict[Slotted, list[Column]] = {}
    for (_, names), group in alike.items():
        for slotted, column in group.columns(names):
            columns.setdefault(slotted, []).append(column)
    for slotted, (entries, values) in described.items():
        columns.setdefault(slotted, []).append(Column(_searchable(values), entries))
    return columns


def _unit(behind: Sequence[Any]) -> str:
    """Return the unit of a parameter, from what stands behind its value."""
    return behind[0] if behind else ""


def _by_unit(units: Sequence[str], column: Column) -> Iterable[tuple[str, Column]]:
    """Return the values of a key apart for each unit that they have."""
    if len(set(units)) == 1:
        return ((units[0], column),)
    parts: dict[str, tuple[list[Any], list[int]]] = {}
    for unit, value, entry in zip(units, column.values, column.entries, strict=True):
        values, entries = parts.setdefault(unit, ([], []))
        values.append(value)
        entries.append(entry)
    return [(unit, Column(*part)) for unit, part in parts.items()]


def _searchable(values: Sequence[Any]) -> Sequence[Any]:
    """Return values as SQL compares them: see `terms.searchable`, and `to_database` of text."""
    kinds = set(map(type, values))
    if kinds == {str}:
        if max(map(len, values)) <= TEXT_LIMIT and all(map(str.isascii, values)):
            return values
    elif kinds == {float}:
        if not any(map(isnan, values)):
            return values
    elif kinds == {bool}:
        return list(map(int, values))
    elif kinds == {datetime}:
        return list(map(format_time, values))
    elif kinds == {int} and min(values) >= -(2**63) and max(values) < 2**63:
        return values
    return list(map(_searchable_value, values))


def _searchable_value(value: Any) -> Any:
    return to_database(value[:TEXT_LIMIT]) if type(value) is str else searchable(value)


def flat_rows(columns: Sequence[Column]) -> list[Any]:
    """Return value and entry of the first row of a key, then of the second, as `rows_of`."""
    if len(columns) == 1 and len(columns[0].values) >= _MANY:
        values, entries = columns[0].values, columns[0].entries
        try:
            order = _rising(values)
        except TypeError:
            order = []
        if order:
            flat: list[Any] = [None] * (2 * len(order))
            flat[::2] = [values[place] for place in order]
            flat[1::2] = [entries[place] for place in order]
            return flat
    return list(chain.from_iterable(rows_of(columns)))


def _rising(values: Sequence[Any]) -> list[int]:
    """Return the places of values from the least to the largest; equal ones stay as they are.

    Entries rise with places.

    Raises
    ------
    TypeError
        If some cannot be compared.
    """
    if set(map(type, values)) == {float}:
        import numpy as np  # here, so that a search starts without it

        order: list[int] = np.array(values).argsort(kind="stable").tolist()
        return order
    return sorted(range(len(values)), key=values.__getitem__)


def rows_of(columns: Sequence[Column]) -> list[tuple[Any, int]]:
    """Return value and entry of all rows of a key, in the order of SQLite: numbers, text, blobs."""
    parts = [zip(each.values, each.entries, strict=True) for each in columns]
    rows = list(chain.from_iterable(parts))
    if len(rows) > 1:
        try:
            rows.sort()
        except TypeError:
            rows.sort(key=_order)
    return rows


def _order(row: tuple[Any, int]) -> tuple[Any, ...]:
    value = row[0]
    return (1 if type(value) is str else 2 if type(value) is bytes else 0, *row)


def insert_rows(connection: sqlite3.Connection, slots: Iterable[tuple[int, list[Any]]]) -> None:
    """Write the rows of slots, which come in rising order as `flat_rows`, inside a transaction."""
    few: list[Row] = []
    for slot, rows in slots:
        if len(rows) < 2 * _MANY:
            few += [
                (slot, value, entry) for value, entry in zip(rows[::2], rows[1::2], strict=True)
            ]
            continue
        insert_many(connection, _INSERT, 3, few)
        few = []
        insert_slot(connection, _INSERT, slot, rows)
    insert_many(connection, _INSERT, 3, few)


def unit_number(connection: sqlite3.Connection, text: str) -> int:
    """Return the number of a unit, giving it one where it is new."""
    text = to_database(text)
    row = connection.execute("SELECT id FROM units WHERE text = ?", (text,)).fetchone()
    if row is None:
        return connection.execute("INSERT INTO units(text) VALUES (?)", (text,)).lastrowid or 0
    return int(row[0])
