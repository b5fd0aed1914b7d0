"""Many rows with each statement: a statement for each row takes twice the time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

__all__ = ["insert_many", "insert_slot"]

# Old versions of SQLite take 999 parameters, and 500 rows.
_PARAMETERS: Final = 500


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
    flat = list(chain.from_iterable(rows))
    marks = f"({', '.join('?' * width)})"
    count = _PARAMETERS // width
    step = width * count
    whole = len(flat) - len(flat) % step
    if whole:
        connection.executemany(
            f"{insert} {', '.join([marks] * count)}",
            (flat[start : start + step] for start in range(0, whole, step)),
        )
    if whole < len(flat):
        rest = (len(flat) - whole) // width
        connection.execute(f"{insert} {', '.join([marks] * rest)}", flat[whole:])


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
