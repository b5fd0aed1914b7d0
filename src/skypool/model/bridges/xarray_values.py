"""What xarray indexes lazily; imported where xarray is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from skypool.model.fancy import take
from skypool.model.indexing import select
from skypool.model.sources import Ndarray

__all__ = ["Values"]


def _plain(part: Any, length: int) -> Any:
    """Write an index as xarray can take it apart: empty slices forwards, counted from the start."""
    if isinstance(part, slice) and not range(*part.indices(length)):
        return slice(0, 0, 1)
    if isinstance(part, int | np.integer) and part < 0:
        return part + length
    return part


class Values(BackendArray):  # type: ignore[misc]  # xarray is not followed (pyproject.toml)
    """Values that are read when xarray asks for them.

    Parameters
    ----------
    shape, dtype, tile
        Of the values, and of the parts in which they are read best.
    read
        Gives a part.
    token
        What tells the content apart for dask.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        tile: tuple[int, ...],
        read: Callable[[tuple[slice, ...]], Ndarray],
        token: object,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._tile = tile
        self._read = read
        self._token = token

    def __getitem__(self, key: Any) -> Any:
        support = indexing.IndexingSupport.OUTER_1VECTOR
        parts = (_plain(part, n) for part, n in zip(key.tuple, self.shape, strict=True))
        return indexing.explicit_indexing_adapter(
            type(key)(tuple(parts)), self.shape, support, self._get
        )

    def _get(self, key: tuple[Any, ...]) -> Ndarray:
        selection = select(key, self.shape)
        if selection is not None:
            return np.asarray(self._read(selection.slices)[selection.then])
        # Beside an array, numpy takes integers for arrays, too, and may move axes; xarray not.
        alone = [isinstance(part, int | np.integer) for part in key]
        wide = tuple(
            slice(part, part + 1) if single else part
            for part, single in zip(key, alone, strict=True)
        )
        found = take(wide, self.shape, self.dtype, self._tile, self._read)
        if found is None:
            found = self._read(tuple(slice(0, n, 1) for n in self.shape))[wide]
        return found[tuple(0 if single else slice(None) for single in alone)]

    def __dask_tokenize__(self) -> object:
        return "skypool", self._token
