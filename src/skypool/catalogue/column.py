"""One column in memory: which of its different values each document or version has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.text import from_database

__all__ = ["EXACT", "TIME", "TRUTH", "Column", "Entries", "Entry", "is_time", "moments_of"]

TRUTH: Final = 1
TIME: Final = 2
EXACT: Final = 2**53
"""Up to here floating point holds whole numbers as they are."""
_STORED_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TIME_LENGTH: Final = 27
# What a text among the entries takes, roughly; and a number.
_TEXT_BYTES: Final = 330
_NUMBER_BYTES: Final = 12
_OTHER, _REAL, _WHOLE, _MOMENT = 0, 1, 2, 3


class Entry(NamedTuple):
    """A value as the catalogue holds it, and its unit."""

    value: int | float | str
    unit: str = ""


def is_time(text: str) -> bool:
    """Tell whether a text has the form in which the catalogue holds times."""
    return len(text) == _TIME_LENGTH and _STORED_TIME.fullmatch(text) is not None


def moments_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return times as the catalogue holds them as microseconds since 1970.

    NaN where a text is no time after all (a 30th of February), or floating point does not hold it.
    """
    try:
        stamps = np.array([text[:-1] for text in texts], "datetime64[us]")
    except ValueError:
        if len(texts) == 1:
            return np.full(1, np.nan)
        return np.concatenate([moments_of([text]) for text in texts])
    found = stamps.astype(np.int64).astype(np.float64)
    found[np.abs(found) > EXACT] = np.nan
    return found


def _time_text(moment: float) -> str:
    return f"{np.datetime64(int(moment), 'us')}Z"


def _mark(value: Any) -> int:
    if isinstance(value, str):
        return TIME if is_time(value) else 0
    return TRUTH if isinstance(value, int) and value in (0, 1) else 0


class Entries(Sequence["Entry | None"]):
    """Different values by their codes; the first stands for none.

    Numbers and times are held in arrays: a key may have a million of them.

    Attributes
    ----------
    numbers : array of float64
        The values; NaN for texts, and for whole numbers beyond what floating point holds.
    marks : array of uint8
        For each `TRUTH` if it may be a truth value, `TIME` if it may be a time, else 0.
    """

    def __init__(self) -> None:
        self._size = 1
        self._numbers = np.full(1, np.nan)
        self._sorts = np.zeros(1, np.uint8)
        self._units = np.zeros(1, np.uint16)
        self._marks = np.zeros(1, np.uint8)
        self._unit_texts: list[str] = [""]
        self._others: dict[int, Entry] = {}
        self._timed = False

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, code: int) -> Entry | None: ...
    @overload
    def __getitem__(self, code: slice) -> list[Entry | None]: ...
    def __getitem__(self, code: int | slice) -> Entry | list[Entry | None] | None:
        """Return what a code stands for."""
        if isinstance(code, slice):
            return [self[each] for each in range(*code.indices(self._size))]
        if not 0 <= code < self._size:
            raise IndexError(code)
        if not self._sorts[code]:
            return self._others.get(code)
        number, unit = float(self._numbers[code]), self._unit_texts[self._units[code]]
        if self._sorts[code] == _MOMENT:
            return Entry(_time_text(number), unit)
        return Entry(int(number) if self._sorts[code] == _WHOLE else number, unit)

    def __iter__(self) -> Iterator[Entry | None]:
        return (self[code] for code in range(self._size))

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values as numbers; NaN for what is none, or does not fit."""
        if self._timed:
            found = self._numbers[: self._size].copy()
            found[self._sorts[: self._size] == _MOMENT] = np.nan
            return found
        return self._numbers[: self._size]

    def moments(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return some values as microseconds since 1970; NaN for what is no time."""
        found = np.array(self._numbers[codes], np.float64)
        found[self._sorts[codes] != _MOMENT] = np.nan
        return found

    @property
    def marks(self) -> NDArray[np.uint8]:
        """Which of them may be truth values or times."""
        return self._marks[: self._size]

    def units(self, codes: NDArray[Any]) -> set[str]:
        """Return the units of some values, without that for none."""
        plain = codes[self._sorts[codes] != _OTHER]
        found = {self._unit_texts[number] for number in np.unique(self._units[plain]).tolist()}
        if len(plain) < len(codes):
            others = (self._others.get(code) for code in codes.tolist())
            found |= {entry.unit for entry in others if entry is not None}
        return found

    def _room(self, count: int) -> int:
        """Make room for so many more; return the code of the first."""
        first, size = self._size, self._size + count
        if size > len(self._numbers):
            spare = size - len(self._numbers) + (len(self._numbers) // 2 if count == 1 else 0)
            self._numbers = np.append(self._numbers, np.full(spare, np.nan))
            self._sorts = np.append(self._sorts, np.zeros(spare, np.uint8))
            self._units = np.append(self._units, np.zeros(spare, np.uint16))
            self._marks = np.append(self._marks, np.zeros(spare, np.uint8))
        self._size = size
        return first

    def unit_number(self, unit: str) -> int:
        """Return the number of a unit."""
        if unit not in self._unit_texts:
            self._unit_texts.append(unit)
        return self._unit_texts.index(unit)

    def add(self, entry: Entry) -> int:
        """Add one value; return its code."""
        code = self._room(1)
        value, unit = entry
        self._marks[code] = _mark(value)
        if isinstance(value, str) or not abs(value) <= EXACT:
            self._others[code] = entry
            return code
        self._numbers[code] = value
        self._sorts[code] = _WHOLE if isinstance(value, int) else _REAL
        self._units[code] = self.unit_number(unit)
        return code

    def add_numbers(
        self, values: NDArray[np.float64], whole: NDArray[np.bool_], unit: int
    ) -> NDArray[np.int32]:
        """Add numbers that floating point holds as they are; return their codes."""
        new = self._added(values, unit)
        self._sorts[new] = np.where(whole, _WHOLE, _REAL)
        self._marks[new] = np.where(whole & ((values == 0) | (values == 1)), TRUTH, 0)
        return np.arange(new.start, new.stop, dtype=np.int32)

    def add_moments(self, values: NDArray[np.float64], unit: int) -> NDArray[np.int32]:
        """Add times as `moments_of` gives them; return their codes."""
        new = self._added(values, unit)
        self._sorts[new] = _MOMENT
        self._marks[new] = TIME
        self._timed = True
        return np.arange(new.start, new.stop, dtype=np.int32)

    def _added(self, values: NDArray[np.float64], unit: int) -> slice:
        first = self._room(len(values))
        new = slice(first, first + len(values))
        self._numbers[new] = values
        self._units[new] = unit
        return new

    def raw(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return numbers or times of one sort, as they are held."""
        found: NDArray[np.float64] = self._numbers[codes]
        return found

    @property
    def nbytes(self) -> int:
        """Memory that they take, roughly."""
        return _NUMBER_BYTES * self._size + _TEXT_BYTES * len(self._others)


class Column:
    """Which entry each document, or version, has.

    Attributes
    ----------
    codes : array of int32
        Place in `entries`, by the number of the document or version; 0 where it has none.
    entries : Entries
        The different values.
    special : array of int64
        Documents that have several values, or none of their own but those of datasets, rising.
    """

    def __init__(self) -> None:
        self.codes: NDArray[np.int32] = np.zeros(0, np.int32)
        self.entries = Entries()
        self.special: NDArray[np.int64] = np.zeros(0, np.int64)
        self._places: dict[Entry, int] = {}
        # Of each unit the codes of the numbers that are there, in the order of the numbers; those
        # of times under -1 - unit.
        self._sorted: dict[int, NDArray[np.int32]] = {}
        self.keys: tuple[int, ...] = ()
        self.read_to: tuple[int, int] = (0, 0)

    def place(self, value: Any, unit: str = "") -> int:
        """Return the code of a value as the catalogue holds it."""
        return self.code(from_database(value) if isinstance(value, str) else value, unit)

    def code(self, value: Any, unit: str = "") -> int:
        """Return the code of a value; what cannot be compared (NaN) is none."""
        if value is None or isinstance(value, bytes):
            return 0
        entry = Entry(value, unit)
        found = self._places.get(entry)
        if found is None:
            found = self._places[entry] = self.entries.add(entry)
        return found

    def codes_of_numbers(
        self, values: NDArray[np.float64], whole: NDArray[np.bool_], unit: str
    ) -> NDArray[np.int32]:
        """Return the codes of many numbers, none of them beyond `EXACT`.

        A column takes its numbers by this or by `code`, never by both.
        """
        number = self.entries.unit_number(unit)
        return self._codes_of(
            values,
            number,
            lambda new, first: self.entries.add_numbers(new, whole[first], number),
        )

    def codes_of_moments(self, values: NDArray[np.float64], unit: str) -> NDArray[np.int32]:
        """Return the codes of many times, as `moments_of` gives them."""
        number = self.entries.unit_number(unit)
        return self._codes_of(
            values, -1 - number, lambda new, _: self.entries.add_moments(new, number)
        )

    def _codes_of(
        self,
        values: NDArray[np.float64],
        sort: int,
        add: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.int32]],
    ) -> NDArray[np.int32]:
        different, first, back = np.unique(values, return_index=True, return_inverse=True)
        codes = self._sorted.get(sort, np.zeros(0, np.int32))
        there = self.entries.raw(codes)
        places = np.searchsorted(there, different)
        known = places < len(there)
        known[known] = there[places[known]] == different[known]
        found = np.zeros(len(different), np.int32)
        found[known] = codes[places[known]]
        new = ~known
        if new.any():
            found[new] = add(different[new], first[new])
            self._sorted[sort] = np.insert(codes, places[new], found[new])
        return np.asarray(found[back.reshape(-1)], np.int32)

    def put(self, numbers: NDArray[np.int64], codes: Any) -> None:
        """Note the entries of some documents or versions."""
        self.put_all([(numbers, codes)])

    def put_all(self, parts: Iterable[tuple[NDArray[np.int64], Any]]) -> None:
        """Note the entries of several lots of documents or versions."""
        parts = [part for part in parts if part[0].size]
        if not parts:
            return
        need = max(int(numbers.max()) for numbers, _ in parts) + 1
        # A larger array is a new one: whoever still has the old one sees no change.
        grown = np.zeros(max(need, len(self.codes)), np.int32)
        grown[: len(self.codes)] = self.codes
        for numbers, codes in parts:
            grown[numbers] = codes
        self.codes = grown

    def of(self, numbers: NDArray[Any]) -> NDArray[np.int32]:
        """Return the codes of documents or versions."""
        if not len(numbers) or int(numbers.max()) < len(self.codes):
            return np.asarray(self.codes[numbers], np.int32)
        known = numbers < len(self.codes)
        found = np.zeros(len(numbers), np.int32)
        found[known] = self.codes[numbers[known]]
        return found

    def is_special(self, numbers: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return which documents have more to say than their entry; None where none has."""
        if not len(self.special):
            return None
        found = np.isin(numbers, self.special)
        return found if found.any() else None

    @property
    def nbytes(self) -> int:
        """Memory that it takes, roughly."""
        ordered = sum(codes.nbytes for codes in self._sorted.values())
        return self.codes.nbytes + self.special.nbytes + self.entries.nbytes + ordered
