"""Places in arrays, and what stands between square brackets."""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skypool.errors import UsageError
from skypool.hipe.numeric_classes import Values, array_class, as_values
from skypool.hipe.numeric_text import text_of

__all__ = ["Selection", "index"]


class Selection:
    """Places in an array, as ``where`` gives them.

    Parameters
    ----------
    indices
        One array of indices for each dimension.
    """

    def __init__(self, indices: Sequence[npt.NDArray[Any]]) -> None:
        self.indices = tuple(np.asarray(part, dtype=np.intp) for part in indices)

    def __len__(self) -> int:
        return len(self.indices[0])

    def length(self) -> int:
        """Count the places."""
        return len(self)

    size = length
    getSize = length

    def toInt1d(self) -> Any:
        """Give the indices of a selection in one dimension."""
        return array_class("Int", 1)(self._flat())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self._flat().astype(dtype or np.intp)

    def _flat(self) -> npt.NDArray[np.intp]:
        if len(self.indices) != 1:
            raise UsageError("the selection has more than one dimension", hint="use .indices")
        return self.indices[0]

    def __iter__(self) -> Iterator[int]:
        return iter(self._flat().tolist())

    def __getitem__(self, place: Any) -> Any:
        part = self._flat()[place]
        return int(part) if isinstance(part, np.integer) else Selection([part])

    def __str__(self) -> str:
        return text_of(np.stack(self.indices, axis=-1) if len(self.indices) > 1 else self._flat())

    __repr__ = __str__


def index(place: Any) -> Any:
    """Give an index as numpy takes it.

    Parameters
    ----------
    place
        A number, slice, selection, array of indices or of truth, or a tuple of these.

    Returns
    -------
    object
    """
    if isinstance(place, Selection):
        return place.indices
    if isinstance(place, tuple):
        return tuple(index(part) for part in place)
    if isinstance(place, Values):
        values = as_values(place)
        return values if values.dtype == bool else values.astype(np.intp)
    if isinstance(place, list | array.array):
        return np.asarray(place)
    if isinstance(place, np.generic):
        return place.item()
    return place
