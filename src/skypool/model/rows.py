"""Chosen rows of a table, read where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.model.sources import ColumnInfo, Ndarray, TableSource, TileStatistics, content_token

__all__ = ["TakenRows"]


class TakenRows:
    """A `TableSource` of some rows of another one.

    Parameters
    ----------
    base
        The table.
    rows
        Numbers of its rows, or a range of them.
    """

    __slots__ = ("_base", "_rows")

    stored: object = None

    def __init__(self, base: TableSource, rows: Ndarray | range) -> None:
        self._base = base
        self._rows = rows

    @classmethod
    def of_range(cls, base: TableSource, rows: range) -> TableSource:
        """Return a range of rows; all of them are the table itself."""
        if rows == range(base.nrows):
            return base
        if isinstance(base, TakenRows):
            return cls(
                base._base,
                base._rows[rows.start : rows.stop : rows.step]
                if rows.step > 0
                else np.asarray(base._rows)[np.asarray(rows, np.intp)],
            )
        return cls(base, rows)

    @classmethod
    def of(cls, base: TableSource, rows: Ndarray) -> TableSource:
        """Return rows by their numbers; negative ones count from the end.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if rows.size and not (-base.nrows <= rows.min() and rows.max() < base.nrows):
            raise IndexError(f"a row is out of bounds of a table of {base.nrows} rows")
        rows = np.where(rows < 0, rows + base.nrows, rows)
        if isinstance(base, TakenRows):
            return cls(base._base, np.asarray(base._rows)[rows])
        return cls(base, rows)

    def token(self) -> object:
        """Return what tells the table and the rows."""
        return content_token(self._base), self._rows

    @property
    def colnames(self) -> list[str]:
        """Names of the columns."""
        return self._base.colnames

    @property
    def nrows(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def block_rows(self) -> int:
        """Rows that are read at once."""
        return self._base.block_rows

    def info(self, name: str) -> ColumnInfo:
        """Describe a column."""
        return self._base.info(name)

    def column_statistics(self, name: str) -> TileStatistics | None:
        """Return None: what is known of the table does not hold for some of its rows."""
        return None

    def read(self, name: str, start: int, stop: int) -> Ndarray:
        """Return the values of some of the rows, reading only the blocks that they are in."""
        wanted = self._rows[start:stop]
        if isinstance(wanted, range):
            return self._read_range(name, wanted)
        if not wanted.size:
            return self._base.read(name, 0, 0)
        groups = wanted // self._base.block_rows
        if groups[0] == groups[-1] and (groups == groups[0]).all():
            return self._read_group(name, wanted)
        order = np.argsort(wanted, kind="stable")
        cuts = np.flatnonzero(np.diff(groups[order])) + 1
        parts = [self._read_group(name, group) for group in np.split(wanted[order], cuts)]
        masked = isinstance(parts[0], np.ma.MaskedArray)
        joined: Any = np.ma.concatenate if masked else np.concatenate
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        values: Ndarray = joined(parts)[back]
        return values

    def _read_range(self, name: str, wanted: range) -> Ndarray:
        if not wanted:
            return self._base.read(name, 0, 0)
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
        values = self._base.read(name, low, high + 1)
        return values if wanted.step == 1 else values[:: wanted.step]

    def _read_group(self, name: str, wanted: Ndarray) -> Ndarray:
        low = int(wanted.min())
        values: Ndarray = self._base.read(name, low, int(wanted.max()) + 1)[wanted - low]
        return values
