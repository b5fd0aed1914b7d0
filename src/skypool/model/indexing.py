"""Indices of numpy's basic indexing, brought into the form that sources read."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index as as_integer
from typing import Any, TypeAlias

__all__ = ["Selection", "one_axis", "select"]

Slices: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read, and how to index what was read.

    Attributes
    ----------
    slices : tuple of slice
        One per axis, 0 <= start <= stop <= length, step >= 1.
    then : tuple
        Index that makes the answer of what was read: drops axes, turns some round,
        adds new ones.
    """

    slices: Slices
    then: tuple[Any, ...]

    @property
    def trivial(self) -> bool:
        """Whether what was read is the answer."""
        return all(item == slice(None) for item in self.then)


def one_axis(item: Any, length: int, axis: int) -> tuple[slice, Any]:
    """Return what to read of an axis, and how to index what was read."""
    if isinstance(item, slice):
        wanted = range(*item.indices(length))
        if not wanted:
            return slice(0, 0, 1), slice(None)
        if wanted.step > 0:
            return slice(wanted[0], wanted[-1] + 1, wanted.step), slice(None)
        return slice(wanted[-1], wanted[0] + 1, -wanted.step), slice(None, None, -1)
    place = as_integer(item)
    if not -length <= place < length:
        raise IndexError(f"index {place} is out of bounds for axis {axis} of length {length}")
    place %= length
    return slice(place, place + 1, 1), 0


def select(index: Any, shape: tuple[int, ...]) -> Selection | None:
    """Return what to read for an index.

    Parameters
    ----------
    index
        Integers, slices, an ellipsis and new axes.
    shape
        Of the array.

    Returns
    -------
    Selection or None
        None where the index is of another sort (lists, arrays); see
        `skypool.model.fancy`.

    Raises
    ------
    IndexError
        If an integer is out of bounds or there are too many of them.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    if any(not _is_basic(item) for item in items):
        return None
    given = sum(item is not None and item is not Ellipsis for item in items)
    ellipses = [place for place, item in enumerate(items) if item is Ellipsis]
    if given > len(shape) or len(ellipses) > 1:
        raise IndexError(f"too many indices for an array of {len(shape)} axes")
    rest: list[Any] = [slice(None)] * (len(shape) - given)
    place = ellipses[0] if ellipses else len(items)
    items[place : place + len(ellipses)] = rest
    slices: list[slice] = []
    then: list[Any] = []
    for item in items:
        if item is None:
            then.append(None)
            continue
        axis = len(slices)
        read, keep = one_axis(item, shape[axis], axis)
        slices.append(read)
        then.append(keep)
    return Selection(tuple(slices), tuple(then))


def _is_basic(item: Any) -> bool:
    if item is None or item is Ellipsis or isinstance(item, slice):
        return True
    # A truth value would select by mask; arrays of one element are no integers here.
    return hasattr(item, "__index__") and not isinstance(item, bool) and not _has_axes(item)


def _has_axes(item: Any) -> bool:
    return getattr(getattr(item, "dtype", None), "kind", "") == "b" or getattr(item, "ndim", 0) > 0
