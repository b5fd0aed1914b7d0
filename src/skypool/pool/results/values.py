"""Values of one key for all hits, as small numbers and what they stand for.

Many hits are answered from columns of the catalogue, few from their documents: both give the
same, and the tests hold them equal.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.column import TIME, TRUTH, Column, Entries, Entry, is_time
from skypool.catalogue.columns import BY_DOCUMENT, BY_VERSION
from skypool.catalogue.terms import searchable
from skypool.catalogue.times import time_of
from skypool.errors import Purged, UsageError
from skypool.model.attributes.names import gives_way
from skypool.model.names import find_name
from skypool.query.compare import conversion
from skypool.query.subject import core_attribute, datasets_of
from skypool.query.tree import ATTRIBUTES, STRUCTURE

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.snapshot import Snapshot

__all__ = ["FEW", "Values", "joined", "parameter_of", "values_of"]

# Up to so many hits it is faster to look into their documents than to read a whole column.
FEW: Final = 100

_EXACT: Final = 2**53
# Attributes that are taken from the rows of the hits, never from columns.
_FROM_ROWS: Final[dict[str, Callable[[Ref], Any]]] = {
    "name": lambda ref: ref.name,
    "urn": lambda ref: ref.urn,
    "hash": lambda ref: ref.file_hash,
    "path": lambda ref: next(
        (source.path for source in ref.view.session.catalogue.sources(ref.row.document)), None
    ),
}
_OF_FEW: Final[dict[str, Callable[[Ref], Any]]] = {
    "kind": lambda ref: ref.kind,
    "type": lambda ref: ref.type,
    "size": lambda ref: ref.size,
    "version": lambda ref: ref.version,
    "saved": lambda ref: _commit(ref).time_us,
    "author": lambda ref: _commit(ref).author,
    "message": lambda ref: _commit(ref).message,
}


@dataclass(frozen=True)
class Values:
    """Which value each hit has.

    Attributes
    ----------
    key : str
        What was asked for.
    codes : array of int
        For each hit its place in `entries`; 0 where it has none.
    entries : list
        The different values; the first stands for none.
    truths, times : bool
        Whether 0 and 1 are truth values, and texts of the form of stored times are times.
    """

    key: str
    codes: NDArray[np.int32]
    entries: Sequence[Entry | None]
    truths: bool = False
    times: bool = False

    def value(self, code: int) -> Any:
        """Return what a code stands for, None where the hit has no value."""
        entry = self.entries[code]
        if entry is None:
            return None
        value = entry.value
        if self.key == "saved":
            assert isinstance(value, int)
            return time_of(value)
        if self.truths and value in (0, 1):
            return bool(value)
        if self.times and isinstance(value, str) and is_time(value):
            return datetime.fromisoformat(value).astimezone(UTC)
        return value

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many hits have each value, by code."""
        return np.bincount(self.codes, minlength=1)

    @property
    def units(self) -> list[str]:
        """The units of its values, without doubles, in alphabetical order."""
        return sorted(self.units_of(self.used()))

    def units_of(self, codes: NDArray[np.int64]) -> set[str]:
        """Return the units of values, by their codes."""
        if isinstance(self.entries, Entries):
            return self.entries.units(codes)
        return {entry.unit for code in codes.tolist() if (entry := self.entries[code])}

    def listed(self) -> list[Any]:
        """Return the value of each hit."""
        made = {code: self.value(code) for code in [0, *self.used().tolist()]}
        return [made[code] for code in self.codes.tolist()]

    def ranks(self) -> NDArray[np.int32]:
        """Return numbers that order the hits: numbers before texts, 0 for none.

        Units are converted to the one that most values have.
        """
        codes = self.used()
        table = np.zeros(len(self.entries), np.int32)
        table[codes] = _ranks(self.entries, codes)
        return np.asarray(table[self.codes], np.int32)

    def used(self) -> NDArray[np.int64]:
        """Return the codes that some hit has, without that for none."""
        seen = np.zeros(len(self.entries), bool)
        seen[self.codes] = True
        seen[:1] = False
        return np.flatnonzero(seen)


def _ranks(entries: Sequence[Entry | None], codes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the places of values in their order, from 1; equal ones have the same."""
    if isinstance(entries, Entries) and len(entries.units(codes)) <= 1:
        # Most often all of them are there: those need no copy.
        every = len(codes) == len(entries) - 1
        numbers = entries.numbers[1:] if every else entries.numbers[codes]
        if not np.isnan(numbers).any():
            return _places(numbers)
        numbers = entries.moments(codes)
        if not np.isnan(numbers).any():
            return _places(numbers)
    known = [entry for entry in (entries[code] for code in codes.tolist()) if entry is not None]
    if all(_simple(entry.value) for entry in known) and len({e.unit for e in known}) <= 1:
        return _places(np.array([entry.value for entry in known], np.float64))
    base = _base(known)
    keys = [_order(entry, base) for entry in known]
    different = {key: rank for rank, key in enumerate(sorted(set(keys)), 1)}
    return np.array([different[key] for key in keys], np.int32)


def _places(numbers: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the places of numbers among the different ones, from 1.

    As `numpy.unique` does, in half the memory.
    """
    order = np.argsort(numbers, kind="stable").astype(np.int32)
    fresh = np.ones(len(numbers), bool)
    rising = numbers[order]
    fresh[1:] = rising[1:] != rising[:-1]
    del rising
    found = np.empty(len(numbers), np.int32)
    found[order] = np.cumsum(fresh, dtype=np.int32)
    return found


def _simple(value: float | str) -> bool:
    """Tell whether floating point holds a number as it is."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= _EXACT)


def _base(entries: Iterable[Entry]) -> str:
    units = Counter(entry.unit for entry in entries if entry.unit)
    return min(units, key=lambda unit: (-units[unit], unit)) if units else ""


def _order(entry: Entry, base: str) -> tuple[int, str, Any]:
    value, unit = entry
    if isinstance(value, str):
        return 2, "", value
    factor = 1.0 if not unit or unit == base else conversion(unit, base)
    if factor is None:
        return 1, unit, value
    return 0, "", value if factor == 1.0 else value * factor


def values_of(snapshot: Snapshot, numbers: NDArray[Any], key: str, few: int = FEW) -> Values:
    """Return the values of a key for some versions of a pool.

    Parameters
    ----------
    snapshot
        The pool.
    numbers
        The versions.
    key
        An attribute, else a metadata key: the product's own, else that of the first of its
        datasets that has one.
    few
        Up to how many documents are looked into.
    """
    if key == "tags" or key in STRUCTURE:
        raise UsageError(f"{key!r} is not one value of a product", hint="choose another key")
    if key in _FROM_ROWS:
        return _made(key, [_FROM_ROWS[key](ref) for ref in _refs(snapshot, numbers)])
    attribute = key in ATTRIBUTES
    with snapshot.columns.reading() as columns:
        cached = columns.has(key if attribute else f"meta:{key}")
        if len(numbers) > few or cached:
            if key in BY_VERSION:
                column = columns.attribute(key)
                return Values(key, column.of(numbers), column.entries)
            documents = columns.documents(numbers, snapshot.at)
            column = columns.attribute(key) if key in BY_DOCUMENT else columns.key(key)
            found = Values(key, column.of(documents), column.entries)
            return found if attribute else _typed(snapshot, numbers, found, column)
    refs = _refs(snapshot, numbers)
    if attribute:
        return _made(key, [_OF_FEW[key](ref) for ref in refs])
    return _of_documents(key, refs)


def _refs(snapshot: Snapshot, numbers: NDArray[Any]) -> list[Ref]:
    return snapshot.refs(numbers.tolist())


def _commit(ref: Ref) -> Any:
    row = ref.view.identity.commit(ref.commit)
    if row is None:
        raise ref.view.session.catalogue_lacks(f"the commit {ref.commit}")
    return row


def _made(key: str, values: Iterable[Any]) -> Values:
    column = Column()
    codes = [column.code(value) for value in values]
    return Values(key, np.array(codes, np.int32), column.entries)


def _of_documents(key: str, refs: Sequence[Ref]) -> Values:
    column = Column()
    codes = []
    truths = times = False
    for ref in refs:
        parameter = parameter_of(ref, key)
        if parameter is None:
            codes.append(0)
            continue
        truths = truths or isinstance(parameter.value, bool)
        times = times or isinstance(parameter.value, datetime)
        codes.append(column.code(searchable(parameter.value), parameter.unit))
    return Values(key, np.array(codes, np.int32), column.entries, truths, times)


def parameter_of(ref: Ref, key: str) -> Any:
    """Return the parameter that a bare name stands for; nothing of what was given up."""
    with contextlib.suppress(Purged):
        name = find_name(ref.meta, key)
        own = None if name is None else ref.meta[name]
        attribute = core_attribute(key)
        if attribute is not None and (own is None or gives_way(attribute, own.value)):
            spelt = (other for other in ref.meta if other.casefold() == attribute)
            if all(gives_way(attribute, ref.meta[other].value) for other in spelt):
                own = ref.attributes.get(attribute, own)
        if own is not None:
            return own
        for dataset in datasets_of(ref.product.datasets):
            name = find_name(dataset.meta, key)
            if name is not None:
                return dataset.meta[name]
    return None


def _typed(snapshot: Snapshot, numbers: NDArray[Any], found: Values, column: Column) -> Values:
    """Tell truth values from numbers, and times from texts, by the document of one hit each."""
    marks = column.entries.marks
    typed = {}
    if marks.any():
        codes = found.used()
        for mark, kind in ((TRUTH, bool), (TIME, datetime)):
            marked = codes[marks[codes] == mark]
            if len(marked):
                place = int(np.argmax(found.codes == marked[0]))
                parameter = parameter_of(snapshot.refs([int(numbers[place])])[0], found.key)
                typed[mark] = parameter is not None and isinstance(parameter.value, kind)
    truths, times = typed.get(TRUTH, False), typed.get(TIME, False)
    return replace(found, truths=truths, times=times) if typed else found


def joined(key: str, parts: Sequence[Values]) -> Values:
    """Return the values of several pools, one behind the other."""
    if len(parts) == 1:
        return parts[0]
    column = Column()
    codes = []
    for part in parts:
        used = np.unique(part.codes)
        table = np.zeros(len(part.entries), np.int32)
        for code in used.tolist():
            entry = part.entries[code]
            if entry is not None:
                table[code] = column.code(*entry)
        codes.append(table[part.codes])
    return Values(
        key,
        np.concatenate(codes) if codes else np.zeros(0, np.int32),
        column.entries,
        any(part.truths for part in parts),
        any(part.times for part in parts),
    )
