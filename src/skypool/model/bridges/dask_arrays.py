"""Arrays and columns as dask arrays over their tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.model.bridges.chunks import grouped
from skypool.model.optional import package
from skypool.model.sources import ArraySource, Ndarray, TableSource, content_token

__all__ = ["Lazy", "LazyColumn", "build_dask"]


class Lazy:
    """What dask slices: the values of an array and nothing else, so that it is small in a graph.

    Parameters
    ----------
    source
        Where the values come from.
    """

    def __init__(self, source: ArraySource) -> None:
        self.source = source
        self.shape = tuple(source.shape)
        self.dtype = source.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> Ndarray:
        from skypool.model.indexing import select

        selection = select(index, self.shape)
        assert selection is not None  # dask is told that there is no fancy indexing
        values = self.source.read(selection.slices)
        return values if selection.trivial else values[selection.then]

    def __reduce__(self) -> tuple[Any, ...]:
        return Lazy, (self.source,)

    def __dask_tokenize__(self) -> object:
        return "skypool", content_token(self.source)


class LazyColumn:
    """What dask slices of a column; masked where values are missing.

    Parameters
    ----------
    source
        The table.
    name
        Of the column.
    """

    def __init__(self, source: TableSource, name: str) -> None:
        self.source = source
        self.name = name
        info = source.info(name)
        self.shape = (source.nrows, *info.shape)
        self.dtype = info.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> Ndarray:
        from skypool.model.tables import Column

        values: Ndarray = Column(self.source, self.name)[index]
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyColumn, (self.source, self.name)

    def __dask_tokenize__(self) -> object:
        return "skypool", content_token(self.source), self.name


def build_dask(lazy: Lazy | LazyColumn, tile: tuple[int, ...], chunks: Any = None) -> Any:
    """Return a dask array.

    Parameters
    ----------
    lazy
        The values.
    tile
        In which they are stored.
    chunks
        As dask takes them; by default multiples of the tile of 16 MiB or more. `"auto"` and a
        size such as `"64 MiB"` give multiples of the tile, too.
    """
    arrays = package("dask.array", extra="dask")
    tokenize = package("dask.base", extra="dask").tokenize
    if chunks is None:
        chunks = grouped(lazy.shape, tile, lazy.dtype.itemsize)
    if lazy.dtype != object:
        chunks = arrays.core.normalize_chunks(
            chunks, lazy.shape, dtype=lazy.dtype, previous_chunks=tile
        )
    # Named by content: the same computation of the same values has the same name anywhere.
    name = f"skypool-{tokenize(lazy, chunks)}"
    return arrays.from_array(
        lazy,
        chunks=chunks,
        name=name,
        asarray=False,
        fancy=False,
        inline_array=True,
        meta=np.empty((0,) * lazy.ndim, lazy.dtype),
    )
