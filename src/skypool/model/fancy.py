"""Indices that are lists, arrays of integers or masks: read from the tiles that they touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index as as_integer
from typing import Any, TypeAlias

import numpy as np

from skypool.model.indexing import one_axis
from skypool.model.sources import Ndarray

__all__ = ["take"]

Read: TypeAlias = Callable[[tuple[slice, ...]], Ndarray]


def take(
    index: Any, shape: tuple[int, ...], dtype: np.dtype[Any], tile: tuple[int, ...], read: Read
) -> Ndarray | None:
    """Return the values of an index with arrays in it, as numpy would.

    Parameters
    ----------
    index
        Any index of numpy.
    shape, dtype, tile
        Of the array, and of the parts in which it is read best.
    read
        Gives a part of the array.

    Returns
    -------
    ndarray or None
        None where the whole array is read as well: half of the values are wanted, or the index
        is of a rare sort (truth values instead of masks, of no axis).

    Raises
    ------
    IndexError
        If numpy refuses the index.
    """
    # numpy itself judges what is no index: this array takes no memory.
    stand_in = np.broadcast_to(np.zeros((), np.bool_), shape)
    items = _items(index, shape)
    if items is None:
        stand_in[index]
        return None
    wanted = stand_in[tuple(items)]
    if wanted.size * 2 >= stand_in.size:
        return None
    picked = _Picked(items, shape)
    return picked.arranged(picked.values(dtype, tile, read))


def _items(index: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """Return one item per axis (slices, arrays of integers), and None for each new axis."""
    items: list[Any] = []
    for item in index if isinstance(index, tuple) else (index,):
        if item is None or item is Ellipsis or isinstance(item, slice):
            items.append(item)
            continue
        values = np.asarray(item)
        if values.dtype == np.bool_:
            if not values.ndim:
                return None
            items.append(values)
        elif values.dtype.kind in "iu" or (isinstance(item, list) and not values.size):
            items.append(values.astype(np.intp))
        elif not values.ndim and hasattr(item, "__index__"):
            items.append(np.asarray(as_integer(item)))
        else:
            return None
    return _one_each(items, shape)


def _one_each(items: list[Any], shape: tuple[int, ...]) -> list[Any] | None:
    """Write out the ellipsis, and masks as the places that they hold."""
    taken = sum(
        0
        if item is None or item is Ellipsis
        else item.ndim
        if isinstance(item, np.ndarray) and item.dtype == np.bool_
        else 1
        for item in items
    )
    ellipses = sum(item is Ellipsis for item in items)
    if taken > len(shape) or ellipses > 1:
        return None
    rest = [slice(None)] * (len(shape) - taken)
    if not ellipses:
        items = [*items, Ellipsis]
    made: list[Any] = []
    axis = 0
    for item in items:
        if item is None:
            made.append(None)
        elif item is Ellipsis:
            made += rest
            axis += len(rest)
        elif isinstance(item, np.ndarray) and item.dtype == np.bool_:
            if item.shape != shape[axis : axis + item.ndim]:
                return None
            made += item.nonzero()
            axis += item.ndim
        else:
            made.append(item)
            axis += 1
    return made


class _Picked:
    """Points on some axes, with slices of the others.

    Parameters
    ----------
    items
        One per axis, and None for each new axis; not out of bounds.
    shape
        Of the array.
    """

    def __init__(self, items: list[Any], shape: tuple[int, ...]) -> None:
        self._items = items
        axes = [item for item in items if item is not None]
        self._picking = [n for n, item in enumerate(axes) if isinstance(item, np.ndarray)]
        given = np.broadcast_arrays(*(axes[n] for n in self._picking))
        self._form = given[0].shape
        lengths = [shape[n] for n in self._picking]
        # One row per point, one column per axis that is picked from.
        self._points = np.stack(
            [
                np.where(part < 0, part + length, part).reshape(-1)
                for part, length in zip(given, lengths, strict=True)
            ],
            axis=-1,
        )
        self._slices = {
            n: one_axis(item, shape[n], n) for n, item in enumerate(axes) if n not in self._picking
        }

    def values(self, dtype: np.dtype[Any], tile: tuple[int, ...], read: Read) -> Ndarray:
        """Return the values: the points first, then the axes that are sliced."""
        lengths = [len(range(s.start, s.stop, s.step)) for s, _ in self._slices.values()]
        found = np.empty((len(self._points), *lengths), dtype)
        if not found.size:
            return found
        edges = np.asarray([tile[n] for n in self._picking])
        for group in _groups(self._points // edges):
            points = self._points[group]
            low, high = points.min(axis=0), points.max(axis=0) + 1
            place = {n: part for n, (part, _) in self._slices.items()}
            for n, start, stop in zip(self._picking, low, high, strict=True):
                place[n] = slice(int(start), int(stop), 1)
            box = read(tuple(place[n] for n in sorted(place)))
            box = np.moveaxis(box, self._picking, range(len(self._picking)))
            found[group] = box[tuple((points - low).T)]
        return found

    def arranged(self, values: Ndarray) -> Ndarray:
        """Return the values with their axes in numpy's order, with new ones."""
        turned = [keep for _, keep in self._slices.values()]
        values = values[(slice(None), *turned)]
        kinds = [isinstance(item, np.ndarray) for item in self._items]
        # Arrays side by side leave their axes where they are; else these come first.
        first, last = kinds.index(True), len(kinds) - 1 - kinds[::-1].index(True)
        before = first if all(kinds[first : last + 1]) else 0
        others = [item for item in self._items if not isinstance(item, np.ndarray)]
        values = values[(slice(None), *(None if item is None else slice(None) for item in others))]
        values = np.moveaxis(values, 0, before)
        return values.reshape((*values.shape[:before], *self._form, *values.shape[before + 1 :]))


def _groups(keys: Ndarray) -> Iterator[Ndarray]:
    """Yield the numbers of the points that lie in one tile, tile by tile."""
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    cuts = np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1
    yield from np.split(order, cuts)
