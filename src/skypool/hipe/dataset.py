"""What datasets have in common, and the memory that their values take."""

from __future__ import annotations

import sys
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from skypool.hipe.bean import Bean
from skypool.hipe.metadata import MetaData

__all__ = ["Dataset", "Held", "array_data", "plain_values"]

# Values that were read and not changed are given up again beyond this.
_MOST_BYTES: Final = 512 * 1024**2
# So many are looked at, at most, when something is read.
_AT_ONCE: Final = 8


class Dataset(Bean):
    """Base of the datasets: description and metadata of their own."""

    def __init__(self, description: str = "") -> None:
        self._core: Any = None
        self._meta: MetaData | None = None
        self._description = str(description or "")

    @property
    def description(self) -> str:
        """What it is."""
        return self._description

    @description.setter
    def description(self, text: str) -> None:
        self._description = str(text or "")

    @property
    def meta(self) -> MetaData:
        """Its parameters."""
        if self._meta is None:
            self._meta = MetaData(self._core.meta if self._core is not None else {})
        return self._meta

    @meta.setter
    def meta(self, given: Mapping[str, Any]) -> None:
        self._meta = given if isinstance(given, MetaData) else MetaData(given)

    def _core_meta(self) -> Any:
        """Return the metadata as skypool keeps them; the very same where nothing changed."""
        core = None if self._core is None else self._core.meta
        if self._meta is None:
            return {} if core is None else core
        made = self._meta.to_core()
        return core if core is not None and list(core.items()) == list(made.items()) else made

    def _same_about(self) -> bool:
        """Say whether description and metadata are those of what was loaded."""
        core = self._core
        return self._description == core.description and self._core_meta() is core.meta

    def to_core(self) -> Any:
        """Return the dataset as skypool keeps it; what was loaded where nothing changed."""
        raise NotImplementedError

    def adopt(self, core: Any) -> None:
        """Take what was saved for what was loaded; nothing that is held changes."""
        raise NotImplementedError

    def copy(self) -> Any:
        """Return a dataset of its own."""
        from skypool.hipe.datasets import wrapped

        return wrapped(self.to_core())

    def equals(self, other: object) -> bool:
        """Say whether another one holds the same."""
        return self == other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        from skypool.hipe.datasets import same

        return self is other or same(self.to_core(), other.to_core())

    __hash__ = object.__hash__

    def toString(self) -> str:
        """Return what it is, in a line."""
        return str(self)


class Held:
    """Values as the user sees them: read when they are asked for, and changed in place.

    Parameters
    ----------
    core
        What gives the values; None where the user gives them.
    """

    __slots__ = ("__weakref__", "_core", "_data")

    def __init__(self, core: Any = None) -> None:
        self._core = core
        self._data: Any = None

    @property
    def read(self) -> bool:
        """Whether the values are in memory, where somebody may have changed them."""
        return self._data is not None

    def get(self) -> Any:
        """Return the values, to be changed in place."""
        if self._data is None and self._core is not None:
            self._data = array_data(np.array(self._core))
            _memory.note(self)
        return self._data

    def put(self, data: Any) -> None:
        """Take other values."""
        self._data = array_data(data)

    def adopt(self, core: Any) -> None:
        """Take what was saved for what was loaded."""
        self._core = core
        if self._data is not None:
            _memory.note(self)

    def plain(self) -> Any:
        """Return the values as a numpy array, not to be changed."""
        return np.asarray(self._core) if self._data is None else plain_values(self._data)

    def unchanged(self) -> bool:
        """Say whether the values are those that were loaded."""
        if self._data is None:
            return self._core is not None
        core = self._core
        if core is None:
            return False
        mine = plain_values(self._data)
        return mine.shape == tuple(core.shape) and _same_values(mine, np.asarray(core))

    def to_keep(self) -> Any:
        """Return the values to be saved, in the type of those that were loaded if they fit."""
        values = self.plain()
        core = self._core
        if core is not None and values.dtype != core.dtype and values.dtype.kind in "iu":
            with np.errstate(all="ignore"):
                cast = values.astype(core.dtype)
            if np.array_equal(cast, values):
                return cast
        return values

    def give_up(self) -> bool:
        """Forget values that nobody else has and that can be read again."""
        # One count each is ours, one is that of the question, and one that of the name here.
        values = getattr(self._data, "_values", None)
        shared = sys.getrefcount(self._data) > 2 or sys.getrefcount(values) > 3
        if self._core is None or shared or not self.unchanged():
            return False
        self._data = None
        return True


def _same_values(left: Any, right: Any) -> bool:
    if "O" in (left.dtype.kind, right.dtype.kind):  # cells of different lengths
        pairs = zip(left.flat, right.flat, strict=True)
        return all(_same_values(np.asarray(a), np.asarray(b)) for a, b in pairs)
    if left.dtype.kind == right.dtype.kind == "U":
        # Blanks at the end of texts are not kept, as in FITS.
        return bool(np.array_equal(np.char.rstrip(left, " "), np.char.rstrip(right, " ")))
    if left.dtype.kind != "f" or right.dtype.kind != "f":
        return bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "c"))
    signs = np.array_equal(np.signbit(left), np.signbit(right))  # -0.0 is another value
    return signs and bool(np.array_equal(left, right, equal_nan=True))


class _Memory:
    """What was read and is still in memory, oldest first."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, tuple[weakref.ref[Held], int]] = OrderedDict()
        self.total = 0

    def forget(self, key: int) -> None:
        """Forget values that are gone."""
        _, size = self._held.pop(key, (None, 0))
        self.total -= size

    def note(self, held: Held) -> None:
        """Note values that were read, and give up old ones where they become too many."""
        key, size = id(held), int(getattr(plain_values(held._data), "nbytes", 0))
        self.forget(key)
        self._held[key] = weakref.ref(held, lambda _: self.forget(key)), size
        self.total += size
        for _ in range(_AT_ONCE):
            oldest = next(iter(self._held))
            if self.total <= _MOST_BYTES or oldest == key:
                return
            old = self._held[oldest][0]()
            if old is None or not old.read or old.give_up():
                self.forget(oldest)
            else:  # it was changed, or somebody else has it
                self._held.move_to_end(oldest)


_memory = _Memory()


def array_data(values: Any) -> Any:
    """Return values as the numeric array of HIPE that fits, sharing them where it can."""
    from skypool.hipe.numeric import ArrayData
    from skypool.hipe.numeric_classes import array_of

    if isinstance(values, ArrayData):
        return values
    if not isinstance(values, np.ndarray):
        # What belongs to somebody else, such as a dataset, stays as it is.
        values = np.array(values)
    return array_of(values)


def plain_values(values: Any) -> Any:
    """Return values as a numpy array; texts as those of numpy."""
    found = np.asarray(values)
    if found.dtype.kind == "O" and all(isinstance(item, str) for item in found.flat):
        return np.array(found.tolist(), dtype=str).reshape(found.shape)
    return found
