"""Where the values of datasets come from: memory, a pool, or a file.

Datasets are written against these protocols, so that nothing is read before it is
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = [
    "ArraySource",
    "ColumnInfo",
    "Ndarray",
    "TableSource",
    "TileStatistics",
    "is_array_source",
]

Ndarray: TypeAlias = npt.NDArray[Any]


class TileStatistics(Protocol):
    """Statistics per tile of an array, or per block of a column, in their order.

    Attributes
    ----------
    counts : numpy.ndarray
        Of shape (tiles, 4): finite values, NaN, +infinity, -infinity.
    minima, maxima : numpy.ndarray
        Over the values that are not NaN; meaningless in tiles without any.
    """

    @property
    def counts(self) -> Ndarray: ...  # noqa: D102 (described by the class)
    @property
    def minima(self) -> Ndarray: ...  # noqa: D102
    @property
    def maxima(self) -> Ndarray: ...  # noqa: D102


@runtime_checkable
class ArraySource(Protocol):
    """Values of an array.

    Attributes
    ----------
    shape : tuple of int
        Slowest axis first.
    dtype : numpy.dtype
        Of the values as users see them, native byte order.
    statistics : TileStatistics or None
    stored : object
        Opaque token of the pool that holds the values, or None: saving an array that
        came unchanged from there needs neither reading nor hashing.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    @property
    def statistics(self) -> TileStatistics | None: ...  # noqa: D102
    @property
    def stored(self) -> object: ...  # noqa: D102

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        """Return a part of the values.

        Parameters
        ----------
        index
            One slice per axis with 0 <= start <= stop <= length and step >= 1, all
            of them integers.
        """
        ...


def is_array_source(data: object) -> bool:
    """Tell whether values come from somewhere; asking the protocol would read statistics."""
    return all(hasattr(data, name) for name in ("read", "stored", "shape", "dtype")) and (
        hasattr(type(data), "statistics") or hasattr(data, "statistics")
    )


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """What is known of a column without reading it.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        Of one element; `object` where cells have arrays of different lengths.
    shape : tuple of int
        Of one cell; () for scalars.
    unit : str
        Empty where there is none.
    description : str
    null : int or float or str or None
        The value that means that there is none.
    element : numpy.dtype or None
        Of the arrays in the cells of an `object` column.
    ucd : str
        Unified Content Descriptor; empty where there is none.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    unit: str = ""
    description: str = ""
    null: int | float | str | None = None
    element: np.dtype[Any] | None = None
    ucd: str = ""


@runtime_checkable
class TableSource(Protocol):
    """Values of a table.

    Attributes
    ----------
    colnames : list of str
    nrows : int
    block_rows : int
        Rows of one block of `column_statistics`.
    stored : object
        Opaque token of the pool that holds the values, or None.
    """

    @property
    def colnames(self) -> list[str]: ...  # noqa: D102
    @property
    def nrows(self) -> int: ...  # noqa: D102
    @property
    def block_rows(self) -> int: ...  # noqa: D102
    @property
    def stored(self) -> object: ...  # noqa: D102

    def info(self, name: str) -> ColumnInfo:
        """Describe a column without reading it."""
        ...

    def read(self, name: str, start: int, stop: int) -> Ndarray:
        """Return rows *start* to *stop* of a column, of shape (rows, *cell's shape)."""
        ...

    def column_statistics(self, name: str) -> TileStatistics | None:
        """Return the statistics of a column, if there are any."""
        ...
