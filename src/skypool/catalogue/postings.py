"""Rows of the inverted table of metadata, made key by key.

Products of one pipeline have the same keys: what one key has in all of them is looked at together,
in a few calls for hundreds of values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from math import isnan
from operator import itemgetter
from typing import Any, Final, TypeAlias

from skypool.catalogue.attributes import visible
from skypool.catalogue.batches import insert_many
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.schema import TEXT_LIMIT
from skypool.catalogue.terms import searchable
from skypool.catalogue.text import to_database
from skypool.codec.documents import format_time

__all__ = ["Column", "Key", "Row", "columns_of", "insert_rows", "rows_of", "unit_number"]

# The name of a metadata key, or the number that stands for a core attribute.
Key: TypeAlias = str | int
# Slot, value, document, place, unit.
Row: TypeAlias = tuple[int, Any, int, int, int]

_INSERT: Final = "INSERT OR IGNORE INTO postings(slot, value, document, place, unit) VALUES"
_NAME: Final = itemgetter(0)
_VALUE: Final = itemgetter(1)


class Column:
    """What one key has in documents that list the same keys at the same place.

    Parameters
    ----------
    values
        As the inverted table has them.
    documents
        Their numbers.
    place
        0 for the metadata of products, from 1 those of datasets.
    units
        Texts: one for each value, or for all of them.
    """

    __slots__ = ("documents", "place", "units", "values")

    def __init__(
        self,
        values: Sequence[Any],
        documents: Sequence[int],
        place: int,
        units: Sequence[str] | str,
    ) -> None:
        self.values = values
        self.documents = documents
        self.place = place
        self.units = units


def columns_of(numbered: Iterable[tuple[int, IndexedDocument]]) -> dict[Key, list[Column]]:
    """Return what each key has in documents, which are given with their numbers."""
    alike: dict[tuple[Any, ...], tuple[list[int], list[Sequence[Any]]]] = {}
    described: dict[int, tuple[list[int], list[Any], str]] = {}
    for number, document in numbered:
        for place, listed in document.metas:
            form = (place, *map(_NAME, listed))
            numbers, metas = alike.setdefault(form, ([], []))
            numbers.append(number)
            metas.append(listed)
        if document.attributes:
            for key, value, unit in visible(document.metas[0][1], document.attributes):
                numbers, values, _ = described.setdefault(key, ([], [], unit))
                numbers.append(number)
                values.append(value)
    found: dict[Key, list[Column]] = {}
    for form, (numbers, metas) in alike.items():
        if len(metas) == 1:
            for entry in metas[0]:
                unit = entry[2] if len(entry) > 2 else ""
                column = Column([_searchable_value(entry[1])], numbers, form[0], unit)
                found.setdefault(entry[0], []).append(column)
            continue
        for name, entries in zip(form[1:], zip(*metas, strict=True), strict=True):
            made = _searchable(list(map(_VALUE, entries)))
            column = Column(made, numbers, form[0], _units(entries))
            found.setdefault(name, []).append(column)
    for key, (numbers, values, unit) in described.items():
        found.setdefault(key, []).append(Column(_searchable(values), numbers, 0, unit))
    return found


def _units(entries: Sequence[Sequence[Any]]) -> Sequence[str] | str:
    if max(map(len, entries)) == 2:
        return ""
    units = [entry[2] if len(entry) > 2 else "" for entry in entries]
    return units[0] if len(set(units)) == 1 else units


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


def rows_of(slot: int, columns: Sequence[Column], units: Mapping[str, int]) -> list[Row]:
    """Return the rows of a key, in the order of SQLite: numbers, text, blobs."""
    first, *more = columns
    if not more and len(first.values) == 1:
        unit = units[first.units if isinstance(first.units, str) else first.units[0]]
        return [(slot, first.values[0], first.documents[0], first.place, unit)]
    parts: list[Iterator[Row]] = []
    for each in columns:
        given: Iterable[int]
        if isinstance(each.units, str):
            given = repeat(units[each.units])
        else:
            given = map(units.__getitem__, each.units)
        parts.append(zip(repeat(slot), each.values, each.documents, repeat(each.place), given))
    rows = list(chain.from_iterable(parts))
    try:
        rows.sort()
    except TypeError:
        rows.sort(key=_order)
    return rows


def _order(row: Row) -> tuple[Any, ...]:
    value = row[1]
    return (1 if type(value) is str else 2 if type(value) is bytes else 0, *row)


def insert_rows(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write rows, inside a transaction."""
    insert_many(connection, _INSERT, 5, rows)


def unit_number(connection: sqlite3.Connection, text: str) -> int:
    """Return the number of a unit, giving it one where it is new."""
    text = to_database(text)
    row = connection.execute("SELECT id FROM units WHERE text = ?", (text,)).fetchone()
    if row is None:
        return connection.execute("INSERT INTO units(text) VALUES (?)", (text,)).lastrowid or 0
    return int(row[0])
