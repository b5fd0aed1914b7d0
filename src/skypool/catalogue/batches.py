"""Many rows with each statement: a statement for each row takes twice the time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

__all__ = ["insert_many"]

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
