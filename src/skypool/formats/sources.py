"""Lazy arrays and tables over files that a parser reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from skypool.codec.statistics import Statistics
from skypool.errors import Damaged, NotFound
from skypool.formats.typed import BLOCK_ROWS
from skypool.model.sources import ColumnInfo, Placed

__all__ = ["ColumnsTable", "FunctionArray", "FunctionTable", "empty_column", "joined"]

Values = np.ndarray[Any, Any]


def _statistics(obj: Mapping[str, Any] | None) -> Statistics | None:
    # Readers write their statistics into the document itself: nothing is fetched.
    if obj is None or "values" not in obj:
        return None
    return Statistics.from_json(obj, lambda name: b"")


def empty_column(column: Mapping[str, Any]) -> Values:
    """Return the values of a column of a document that has no rows."""
    return np.empty((0, *column.get("shape", ())), np.dtype(column["dtype"]))


def joined(blocks: Sequence[Values]) -> Values:
    """Put the blocks of a column together, masks kept."""
    if len(blocks) == 1:
        return blocks[0]
    if any(isinstance(block, np.ma.MaskedArray) for block in blocks):
        masked: Values = np.ma.concatenate(blocks)  # type: ignore[no-untyped-call]
        return masked
    return np.concatenate(blocks)


class FunctionArray(Placed):
    """An `ArraySource` whose values a function reads.

    Parameters
    ----------
    dataset
        The dataset of the document.
    read
        Gives the values of a tuple of slices, one per axis, with steps.
    """

    stored: object | None = None

    def __init__(
        self, dataset: Mapping[str, Any], read: Callable[[tuple[slice, ...]], Values]
    ) -> None:
        self.shape: tuple[int, ...] = tuple(dataset["shape"])
        self.dtype: np.dtype[Any] = np.dtype(dataset["dtype"])
        self.statistics = _statistics(dataset.get("stats"))
        self._read = read

    def read(self, index: tuple[slice, ...]) -> Values:
        """Return the values of a part of the array.

        Raises
        ------
        Damaged
            If the file does not give what its document says.
        """
        values = self._read(index)
        wanted = tuple(
            len(range(*part.indices(length)))
            for part, length in zip(index, self.shape, strict=True)
        )
        if values.shape != wanted:
            raise Damaged(f"the file gave an array of shape {values.shape}, not {wanted}")
        return values.astype(self.dtype, copy=False)


class FunctionTable(Placed):
    """A `TableSource` whose columns a function reads.

    Parameters
    ----------
    dataset
        The dataset of the document.
    read
        Gives the values of column number *n* from row *start* to row *stop*.
    """

    stored: object | None = None

    def __init__(self, dataset: Mapping[str, Any], read: Callable[[int, int, int], Values]) -> None:
        self._columns: list[dict[str, Any]] = list(dataset["columns"])
        self._numbers = {column["name"]: n for n, column in enumerate(self._columns)}
        self.colnames: list[str] = [column["name"] for column in self._columns]
        self.nrows: int = dataset["rows"]
        self.block_rows: int = dataset.get("block", BLOCK_ROWS)
        self._read = read

    def _number(self, name: str) -> int:
        try:
            return self._numbers[name]
        except KeyError:
            raise NotFound(f"the table has no column {name!r}") from None

    def info(self, name: str) -> ColumnInfo:
        """Return unit, description, type and shape of a column."""
        column = self._columns[self._number(name)]
        element = column.get("element")
        return ColumnInfo(
            name=name,
            dtype=np.dtype(column["dtype"]),
            shape=tuple(column.get("shape", ())),
            unit=column.get("unit", ""),
            description=column.get("description", ""),
            null=column.get("null"),
            element=np.dtype(element) if element else None,
            ucd=column.get("ucd", ""),
        )

    def column_statistics(self, name: str) -> Statistics | None:
        """Return the statistics of a column, one entry per block of `block_rows` rows."""
        return _statistics(self._columns[self._number(name)].get("stats"))

    def read(self, name: str, start: int, stop: int) -> Values:
        """Return the values of a column; masked arrays where values are missing.

        Raises
        ------
        Damaged
            If the file does not give what its document says.
        """
        number = self._number(name)
        start, stop, _ = slice(start, stop).indices(self.nrows)
        stop = max(start, stop)
        values = self._read(number, start, stop)
        if len(values) != stop - start:
            raise Damaged(f"column {name!r} has {len(values)} rows, not {stop - start}")
        return values.astype(np.dtype(self._columns[number]["dtype"]), copy=False)


class ColumnsTable(FunctionTable):
    """A table of a file that is parsed as a whole, when a value is first wanted.

    Parameters
    ----------
    dataset
        The dataset of the document.
    load
        Parses the file and gives all columns in order.
    """

    def __init__(self, dataset: Mapping[str, Any], load: Callable[[], list[Values]]) -> None:
        super().__init__(dataset, self._slice)
        self._load = load
        self._loaded: list[Values] | None = None
        self._lock = threading.Lock()

    def _slice(self, number: int, start: int, stop: int) -> Values:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
        return self._loaded[number][start:stop]
