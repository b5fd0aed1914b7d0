"""Where the values of datasets come from: memory, a pool, or a file.

Datasets are written against these protocols, so that nothing is read before it is
asked for.
"""

from __future__ import annotations

import pickle
import uuid
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = [
    "ArraySource",
    "ColumnInfo",
    "Ndarray",
    "Place",
    "Placed",
    "TableSource",
    "TileStatistics",
    "content_token",
    "is_array_source",
]

Ndarray: TypeAlias = npt.NDArray[Any]


class Place(Protocol):
    """Where a dataset was loaded from; small, and good for pickling."""

    def dataset(self) -> Any:
        """Load the dataset again, in this or another process."""
        ...

    def token(self) -> object:
        """Return what differs between datasets of different content, and only between them."""
        ...


class Placed:
    """A source that is pickled as the place that it comes from, not as its values."""

    place: Place | None = None

    def token(self) -> object:
        """Return what differs between sources of different content; None where it is unknown."""
        return None if self.place is None else self.place.token()

    # What never changes is its own copy.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.place is None:
            raise pickle.PicklingError(
                "the values of this dataset are in no pool: save its product, and pickle the "
                "datasets of pool[...].product"
            )
        return _source_at, (self.place,)


def _source_at(place: Place) -> Any:
    return place.dataset().source


def content_token(source: Any) -> object:
    """Return what differs between sources of different content, for dask's names of results.

    It is made of digests where the values are in a pool, and of the values where they are in
    memory; a source that offers neither is never the same twice.
    """
    offered = getattr(source, "token", None)
    found = None if offered is None else offered()
    return uuid.uuid4().hex if found is None else found


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
