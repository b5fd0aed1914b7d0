"""Reading the inverted table into a column: rows as arrays, wherever they are numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.column import EXACT, Column, is_time, moments_of
from skypool.catalogue.integers import checked, damaged, listed, numbers
from skypool.catalogue.schema import DOCUMENT, OWN, PLACE_SHIFT
from skypool.catalogue.text import from_database

__all__ = ["read_key"]

_FETCHED: Final = 20_000
# Fewer rows than this of each value, and they are read one by one.
_GROUPED: Final = 4
_NUMBER: Final = f"p.value BETWEEN -{EXACT} AND {EXACT}"
_ROWS: Final = (
    " FROM slots s JOIN postings p ON p.slot = s.id"
    f" WHERE s.key = ? AND s.run BETWEEN ? AND ? AND {OWN.format('p')} AND "
)


class _Rows(NamedTuple):
    """Rows of the inverted table as arrays."""

    documents: NDArray[np.int64]
    places: NDArray[np.int64]
    keys: NDArray[np.int64]
    codes: NDArray[np.int32]


def read_key(
    connection: sqlite3.Connection, column: Column, runs: tuple[int, int], exact: int
) -> None:
    """Take in the documents of some runs.

    Parameters
    ----------
    connection
        Inside a transaction.
    column
        Its keys are set.
    runs
        The first and the last that count.
    exact
        The key that is spelt as was asked for; 0 if there is none.
    """
    units = {
        number: from_database(text)
        for number, text in connection.execute("SELECT id, text FROM units")
    }
    reading = _Reading(connection, column, runs, units)
    parts = [part for key in column.keys for part in reading.own(key)]
    for key in column.keys:
        parts += reading.of_datasets(key)
    if not parts:
        return
    if len(column.keys) == 1 and not any((part.places > 0).any() for part in parts):
        column.put_all((part.documents, part.codes) for part in parts)
        return
    rows = _Rows(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    rows.places[rows.keys < 0] = -1
    several = np.bincount(rows.documents)[rows.documents] > 1
    special = rows.documents[several | (rows.places > 0)]
    column.special = np.union1d(column.special, special)
    column.put(*_chosen(rows, exact))


class _Reading:
    """One reading of some runs."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        column: Column,
        runs: tuple[int, int],
        units: dict[int, str],
    ) -> None:
        self._connection = connection
        self._column = column
        self._runs = runs
        self._units = units

    def _unit(self, number: int) -> str:
        try:
            return self._units[number]
        except KeyError:
            raise damaged(f"the unit {number} is not there") from None

    def own(self, key: int) -> Iterator[_Rows]:
        """Yield the products' own values."""
        if self._has_few_values(key):
            yield from self._grouped(key)
            return
        yield from self._numbers(key)
        others = self._connection.execute(
            f"SELECT p.entry, 0, p.value, s.unit{_ROWS} NOT ({_NUMBER})", (key, *self._runs)
        )
        yield from self._one_by_one(others, key)

    def _has_few_values(self, key: int) -> bool:
        """Tell whether many rows have the same value, by the first run."""
        rows, different = self._connection.execute(
            "SELECT count(*), count(DISTINCT value) FROM postings WHERE slot = ?",
            (next(iter(self._slots(key)), (0, 0))[0],),
        ).fetchone()
        return bool(rows >= _GROUPED * different)

    def _slots(self, key: int) -> list[tuple[int, int]]:
        """Return slots and their units."""
        return self._connection.execute(
            "SELECT id, unit FROM slots WHERE key = ? AND run BETWEEN ? AND ? ORDER BY run",
            (key, *self._runs),
        ).fetchall()

    def _grouped(self, key: int) -> Iterator[_Rows]:
        """Yield rows that come in one for each value and run."""
        texts: list[str] = []
        values: list[tuple[Any, int]] = []
        for slot, unit in self._slots(key):
            # Of one slot they come in the order of the table: nothing has to be sorted.
            found = self._connection.execute(
                "SELECT value, group_concat(entry) FROM postings p"
                f" WHERE slot = ? AND {OWN.format('p')} GROUP BY value",
                (slot,),
            )
            for value, documents in found:
                texts.append(documents)
                values.append((value, unit))
        if texts:
            documents = listed(texts)
            counts = np.fromiter((text.count(",") + 1 for text in texts), np.int64, len(texts))
            yield _rows(documents, np.repeat(self._codes(values), counts), key)

    def _numbers(self, key: int) -> Iterator[_Rows]:
        """Yield the rows with numbers that floating point holds as they are."""
        rows = numbers(
            self._connection,
            f"SELECT p.value, p.entry, 2 * s.unit + (typeof(p.value) = 'integer'){_ROWS}{_NUMBER}",
            3,
            (key, *self._runs),
        )
        if not len(rows):
            return
        codes = np.zeros(len(rows), np.int32)
        kinds = rows[:, 2].astype(np.int64)
        for unit in np.unique(kinds // 2).tolist():
            mine = kinds // 2 == unit
            codes[mine] = self._column.codes_of_numbers(
                rows[mine, 0], kinds[mine] % 2 == 1, self._unit(unit)
            )
        yield _rows(checked(rows[:, 1].astype(np.int64)), codes, key)

    def of_datasets(self, key: int) -> Iterator[_Rows]:
        """Yield the values of datasets."""
        found = self._connection.execute(
            f"SELECT {DOCUMENT.format('p')}, p.entry >> {PLACE_SHIFT}, p.value, s.unit FROM slots s"
            " JOIN postings p ON p.slot = s.id WHERE s.key = ? AND s.run BETWEEN ? AND ?"
            f" AND NOT {OWN.format('p')}",
            (key, *self._runs),
        )
        yield from self._one_by_one(found, key)

    def _one_by_one(self, found: sqlite3.Cursor, key: int) -> Iterator[_Rows]:
        while rows := found.fetchmany(_FETCHED):
            try:
                places = checked(np.array([row[:2] for row in rows], np.int64))
            except (TypeError, ValueError, OverflowError):
                raise damaged("a number in it is none") from None
            codes = self._codes([(row[2], row[3]) for row in rows])
            yield _Rows(places[:, 0], places[:, 1], np.full(len(rows), key, np.int64), codes)

    def _codes(self, values: Sequence[tuple[Any, int]]) -> NDArray[np.int32]:
        """Return the codes of values with their units."""
        codes = np.zeros(len(values), np.int32)
        plain: dict[int, list[int]] = {}
        times: dict[int, list[int]] = {}
        for place, (value, unit) in enumerate(values):
            if isinstance(value, int | float) and abs(value) <= EXACT:
                plain.setdefault(unit, []).append(place)
            elif isinstance(value, str) and is_time(value):
                times.setdefault(unit, []).append(place)
            else:
                codes[place] = self._column.place(value, self._unit(unit))
        for unit, places in plain.items():
            chosen = [values[place][0] for place in places]
            codes[places] = self._column.codes_of_numbers(
                np.array(chosen, np.float64), _whole(chosen), self._unit(unit)
            )
        for unit, places in times.items():
            texts = [values[place][0] for place in places]
            codes[places] = self._codes_of_times(texts, self._unit(unit))
        return codes

    def _codes_of_times(self, texts: Sequence[str], unit: str) -> NDArray[np.int32]:
        moments = moments_of(texts)
        codes = np.zeros(len(texts), np.int32)
        known = ~np.isnan(moments)
        codes[known] = self._column.codes_of_moments(moments[known], unit)
        for place in np.flatnonzero(~known).tolist():
            codes[place] = self._column.place(texts[place], unit)
        return codes


def _whole(values: Iterable[Any]) -> NDArray[np.bool_]:
    return np.array([isinstance(value, int) for value in values], bool)


def _rows(documents: NDArray[np.int64], codes: NDArray[np.int32], key: int) -> _Rows:
    size = len(documents)
    zero, same = np.zeros(1, np.int64), np.full(1, key, np.int64)
    return _Rows(documents, np.broadcast_to(zero, size), np.broadcast_to(same, size), codes)


def _chosen(rows: _Rows, exact: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the value that counts of each document."""
    other = rows.keys != exact
    order = np.lexsort((other, rows.places, rows.documents))
    documents, places, other = rows.documents[order], rows.places[order], other[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (documents[1:] != documents[:-1]) | (places[1:] != places[:-1])
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.append(starts, len(order)))
    # Several spellings of which none is the one asked for: none is meant.
    starts = starts[~other[starts] | (sizes == 1)]
    found, first = np.unique(documents[starts], return_index=True)
    return found, rows.codes[order][starts[first]]
