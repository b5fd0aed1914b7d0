"""Pages of tables: sorted, filtered, and read only where they are looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import UsageError
from skypool.model.tables import Table
from skypool.server.data_values import cell

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from skypool.model.tables import Column

__all__ = ["Arranged", "page"]

_COLUMNS: Final = 30
#: Rows of all arrangements that are kept, 8 bytes each.
_MOST_ROWS: Final = 8_000_000


def page(
    table: Table, shown: Table, start: int, count: int, columns: Sequence[str]
) -> dict[str, Any]:
    """Return some rows of a table.

    Parameters
    ----------
    table
        The table.
    shown
        Its rows in the order, and of the number, wanted.
    start, count
        Which of them.
    columns
        Names of columns that are read; by default the first thirty.

    Returns
    -------
    dict
        `total`: rows there are to see, `all`: of the table; `columns`: name, unit, dtype, shape
        and description of all columns; `shown`: the names of those that `rows` has.
    """
    names = [table[name].name for name in columns] or table.colnames[:_COLUMNS]
    stop = min(len(shown), start + count)
    start = min(start, stop)
    parts = [shown[name][start:stop] for name in names]
    rows = [[cell(part[place]) for part in parts] for place in range(stop - start)]
    return {
        "total": len(shown),
        "all": len(table),
        "start": start,
        "columns": [_described(table[name]) for name in table.colnames],
        "shown": names,
        "rows": rows,
    }


def _described(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "unit": column.unit_text,
        "dtype": column.dtype.name if column.dtype.kind != "O" else "variable",
        "shape": list(column.shape[1:]),
        "description": column.description,
        "plots": column.ndim == 1 and column.dtype.kind in "biuf",
    }


class Arranged:
    """Tables filtered and sorted; what was made last is kept, as numbers of rows."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Hashable, Table] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, table: Table, where: str, order: str) -> Table:
        """Return the rows of a table that fulfil a condition, in an order.

        Only the columns of the condition and of the order are read.

        Parameters
        ----------
        key
            What tells the table apart from others.
        table
            The table.
        where
            A condition in the query language; empty for all rows.
        order
            Names of columns with commas between them, `-` before those that fall; empty for
            the order of the table.

        Raises
        ------
        QueryError
            If the condition cannot be understood.
        MissingName, UsageError
            If there is no such column, or none that has an order.
        """
        if not where and not order:
            return table
        full = (key, where, order)
        with self._lock:
            if full in self._tables:
                self._tables.move_to_end(full)
                return self._tables[full]
        base = self.get(key, table, where, "") if where and order else table
        made = _sorted(base, order) if order else table.where(where)
        with self._lock:
            self._tables[full] = made
            while sum(map(len, self._tables.values())) > _MOST_ROWS and len(self._tables) > 1:
                self._tables.popitem(last=False)
        return made


def _sorted(table: Table, order: str) -> Table:
    wanted = []
    for part in filter(None, (part.strip() for part in order.split(","))):
        # A name may begin with the sign itself.
        falls = part.startswith("-") and part not in table.colnames
        column = table[part[1:] if falls else part]
        if column.ndim != 1 or column.dtype.kind not in "biufSU":
            raise UsageError(
                f"rows cannot be ordered by {column.name!r}, whose cells are no single values"
            )
        wanted.append((column, falls))
    rows = np.arange(len(table))
    for column, falls in reversed(wanted):
        rows = rows[_ranks(column[:], rows, falls)]
    return table[rows] if len(rows) else table


def _ranks(values: Any, rows: Any, falls: bool) -> Any:
    """Return the order of rows by their values, missing ones last; equal ones stay as they are."""
    missing = np.ma.getmaskarray(values)[rows]
    plain = np.ma.getdata(values)[rows]
    if plain.dtype.kind == "f":
        missing = missing | np.isnan(plain)
    known = np.flatnonzero(~missing)
    if falls:
        back = known[::-1]
        ordered = back[np.argsort(plain[back], kind="stable")][::-1]
    else:
        ordered = known[np.argsort(plain[known], kind="stable")]
    return np.concatenate([ordered, np.flatnonzero(missing)])
