"""Many rows with each statement: a statement for each row takes twice the time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final, TypeVar

__all__ = ["in_batches", "insert_many", "insert_slot"]

# Old versions of SQLite take 999 parameters, and 500 rows.
_PARAMETERS: Final = 500
# Of these statements, with one call.
_BATCHES: Final = 100

_Item = TypeVar("_Item")


def insert_many(
    connection: sqlite3.Connection, insert: str, width: int, rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows, inside a transaction.

    Parameters
    ----------
    connection
        Of the catalogue.
    insert
        The statement up to and with `VALUES`.
    width
        Values in each row.
    rows
        In the order in which they are to go in.
    """
    marks = f"({', '.join('?' * width)})"
    count = _PARAMETERS // width
    whole = f"{insert} {', '.join([marks] * count)}"
    for part in in_batches(rows, count * _BATCHES):
        flat = list(chain.from_iterable(part))
        step = width * count
        end = len(flat) - len(flat) % step
        if end:
            several = (flat[start : start + step] for start in range(0, end, step))
            connection.executemany(whole, several)
        if end < len(flat):
            rest = (len(flat) - end) // width
            connection.execute(f"{insert} {', '.join([marks] * rest)}", flat[end:])


def in_batches(items: Iterable[_Item], count: int) -> Iterator[list[_Item]]:
    """Yield items some at a time."""
    rest = iter(items)
    while part := list(islice(rest, count)):
        yield part


def insert_slot(connection: sqlite3.Connection, insert: str, slot: int, flat: list[Any]) -> None:
    """Insert rows of three values of which all have the first; the others stand in a row."""
    count = (_PARAMETERS - 1) // 2
    step = 2 * count
    whole = len(flat) - len(flat) % step
    if whole:
        connection.executemany(
            _of_slot(insert, count),
            ([slot, *flat[start : start + step]] for start in range(0, whole, step)),
        )
    if whole < len(flat):
        rest = flat[whole:]
        connection.execute(_of_slot(insert, len(rest) // 2), [slot, *rest])


@lru_cache(maxsize=_PARAMETERS)
def _of_slot(insert: str, count: int) -> str:
    return f"{insert} (?1, ?, ?){', (?1, ?, ?)' * (count - 1)}"
