"""Conditions on keys, asked of many documents at once: of columns, or of the rows that answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from skypool.catalogue.attributes import BESIDE_KEYS
from skypool.catalogue.columns import key_place
from skypool.catalogue.integers import listed
from skypool.catalogue.schema import DOCUMENT, OWN
from skypool.catalogue.search_compile import Compiler
from skypool.catalogue.search_drive import Driver
from skypool.catalogue.search_keys import KeyCondition, has_beside, spellings, stays
from skypool.catalogue.search_terms import NUMBERS, Part
from skypool.catalogue.text import to_database

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skypool.catalogue.column import Column
    from skypool.catalogue.columns import Columns

    Bools = NDArray[np.bool_]

__all__ = ["MOST_LISTED", "Candidates", "KeyArrays", "Masks", "place_of"]

MOST_LISTED: Final = 5000
"""Up to so many products SQL is told which ones are asked about."""
# Passing by the rows of a condition counts as reading one in so many of all documents.
_PASSED: Final = 10
_NO_LIMIT: Final = 2**40
# So many times fewer products than different values, and each value is looked up.
_FEWER: Final = 4
_OF_NUMBERS: Final = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class Masks(NamedTuple):
    """Where something may be so, and where it surely is."""

    maybe: Bools
    sure: Bools


@dataclass(frozen=True, slots=True)
class Candidates:
    """The products that are asked about.

    Attributes
    ----------
    documents : array of int
        Their documents.
    urns : array of int, optional
        Their versions; None where they may be any of these documents.
    """

    documents: NDArray[Any]
    urns: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.documents)

    def taken(self, places: NDArray[Any]) -> Candidates:
        """Return some of them."""
        urns = None if self.urns is None else self.urns[places]
        return Candidates(self.documents[places], urns)


class _Rows(NamedTuple):
    """Documents with rows that answer.

    Attributes
    ----------
    maybe, sure : array of int
        Those that may answer, and that do for certain.
    inner : array of int
        Those with a row of a dataset that does, unless the product has the key itself.
    """

    maybe: NDArray[np.int64]
    sure: NDArray[np.int64]
    inner: NDArray[np.int64]


def place_of(condition: KeyCondition) -> str:
    """Return what the column of a key is called."""
    return key_place(condition.key, bare=condition.attribute is not None)


def _answers(
    condition: KeyCondition, column: Column, codes: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Return for each code: 2 if its value answers for certain, 1 if it may, else 0."""
    if _FEWER * len(codes) < len(column.entries):
        different, back = np.unique(codes, return_inverse=True)
        found = _answers_of(condition, column, different)
        return np.asarray(found[back.reshape(-1)], np.uint8)
    used = np.zeros(len(column.entries), bool)
    used[codes] = True
    different = np.flatnonzero(used).astype(np.int32)
    table = np.zeros(len(column.entries), np.uint8)
    table[different] = _answers_of(condition, column, different)
    return np.asarray(table[codes], np.uint8)


def _answers_of(
    condition: KeyCondition, column: Column, codes: NDArray[np.int32]
) -> NDArray[np.uint8]:
    found = np.zeros(len(codes), np.uint8)
    others = codes > 0
    if condition.number is not None:
        operator, number = condition.number
        values = column.entries.numbers[codes]
        plain = ~np.isnan(values)
        found[plain & _OF_NUMBERS[operator](values, number)] = 1 + condition.final
        others &= ~plain
    for place in np.flatnonzero(others).tolist():
        entry = column.entries[int(codes[place])]
        if entry is not None:
            found[place] = condition.decides(*entry)
    return found


class KeyArrays:
    """Asks conditions on keys of candidates.

    Parameters
    ----------
    connection
        Inside a transaction.
    columns
        Of the same catalogue, inside `Columns.reading`.
    at
        The commit as of which the question is asked.
    """

    def __init__(self, connection: sqlite3.Connection, columns: Columns, at: int) -> None:
        self._connection = connection
        self._columns = columns
        self._at = at

    def masks(self, condition: KeyCondition, asked: Candidates) -> Masks:
        """Return where a condition may be what is wanted, and where it surely is."""
        place = place_of(condition)
        if self._columns.has(place) or self._is_worth_a_column(condition, place):
            bare = condition.attribute is not None
            found = self._by_column(condition, self._columns.key(condition.key, bare=bare), asked)
        elif len(asked) <= MOST_LISTED:
            return self._by_their_rows(condition, asked)
        else:
            found = self._by_rows(condition, asked)
        if condition.unknown:
            maybe = found.maybe | self._has(condition.unknown, asked)
            found = Masks(maybe, found.sure)
        if condition.opposite is not None and has_beside(self._connection, condition):
            positive = self.masks(condition.opposite, asked)
            found = Masks(found.maybe & ~positive.sure, found.sure & ~positive.maybe)
        return found

    def _is_worth_a_column(self, condition: KeyCondition, place: str) -> bool:
        """Tell whether to read all values of a key rather than the rows that answer once more."""
        if any(part.test is not None and part.where in ("1", NUMBERS) for part in condition.parts):
            return True  # all rows would be looked at one by one
        return self._columns.scanned.get(place, 0) >= self._columns.count()

    def _by_column(self, condition: KeyCondition, column: Column, asked: Candidates) -> Masks:
        codes = column.of(asked.documents)
        answers = _answers(condition, column, codes)
        maybe, sure = answers > 0, answers > 1
        special = column.is_special(asked.documents)
        if special is not None:
            # Of these one row does not tell.
            places = np.flatnonzero(special)
            found = self._by_rows(condition, asked.taken(places))
            maybe[places], sure[places] = found.maybe, found.sure
        if has_beside(self._connection, condition):
            # A column has one value of each document.
            number = BESIDE_KEYS[condition.attribute or ""]
            for part in condition.parts:
                rows = self._rows(condition, part, number, {number})
                sure |= np.isin(asked.documents, rows.sure)
                maybe |= sure | np.isin(asked.documents, rows.maybe)
        return Masks(maybe, sure)

    def _by_their_rows(self, condition: KeyCondition, asked: Candidates) -> Masks:
        """Look for the rows of a few documents that answer: all rows are passed by."""
        place, numbers = place_of(condition), asked.documents.tolist()
        driven = Driver(self._connection, _NO_LIMIT).of_key(condition, numbers).documents
        passed = max(len(asked), self._columns.count() // _PASSED)
        self._columns.scanned[place] = self._columns.scanned.get(place, 0) + passed
        answers = [driven.get(number) for number in numbers]
        return Masks(
            np.array([answer is not None for answer in answers], bool),
            np.array([answer is True for answer in answers], bool),
        )

    def _by_rows(self, condition: KeyCondition, asked: Candidates) -> Masks:
        """Look for the rows that answer."""
        size = int(asked.documents.max(initial=0)) + 1
        answers = np.zeros(size, np.uint8)
        inner = np.zeros(size, bool)
        numbers, own = spellings(self._connection, condition)
        scanned = 0
        for part in condition.parts if numbers else ():
            for number in numbers:
                rows = self._rows(condition, part, number, own)
                scanned += len(rows.maybe) + len(rows.sure)
                for level, documents in enumerate((rows.maybe, rows.sure), 1):
                    documents = documents[documents < size]
                    answers[documents] = np.maximum(answers[documents], level)
                inner[rows.inner[rows.inner < size]] = True
        if inner.any():
            # Datasets are asked where the product has no such key itself; any of them counts.
            marks = ", ".join(map(str, numbers))
            having = self._documents(
                f"FROM slots s JOIN postings t ON t.slot = s.id WHERE s.key IN ({marks})"
                f" AND {OWN.format('t')}",
                (),
            )
            inner[having[having < size]] = False
            answers[inner] = 2
        place = place_of(condition)
        self._columns.scanned[place] = self._columns.scanned.get(place, 0) + scanned
        found = answers[asked.documents]
        return Masks(found > 0, found > 1)

    def _rows(self, condition: KeyCondition, part: Part, number: int, own: set[int]) -> _Rows:
        """Return the documents that have a row of a part under one spelling of a key."""
        source = (
            f"FROM slots s JOIN postings t ON t.slot = s.id WHERE s.key = {number} AND {part.where}"
        )
        certain = OWN.format("t") if number in own and condition.final else "0"
        if condition.attribute is not None and number > 0:
            certain += f" AND {stays(condition.attribute)}"
        decided = "2"
        if part.test is not None:
            compiler = Compiler(self._at)
            compiler.parts.append((part, condition.want))
            compiler.register(self._connection)
            decided = "query_term(0, t.value, (SELECT u.text FROM units u WHERE u.id = s.unit))"
        sure = self._documents(f"{source} AND {certain} AND {decided} > 1", part.parameters)
        maybe = self._documents(
            f"{source} AND NOT ({certain} AND {decided} > 1) AND {decided} > 0", part.parameters
        )
        inner = maybe[:0]
        # With several spellings that of a dataset may mean nothing.
        single = sum(each > 0 for each in own) == 1 and number in own and number > 0
        if len(maybe) and single and condition.want and condition.final:
            inner = self._documents(
                f"{source} AND NOT {OWN.format('t')} AND {decided} > 1", part.parameters
            )
        return _Rows(maybe, sure, inner)

    def _documents(self, source: str, parameters: Sequence[Any]) -> NDArray[np.int64]:
        text = self._connection.execute(
            f"SELECT group_concat({DOCUMENT.format('t')}) {source}", parameters
        ).fetchone()[0]
        return listed([] if text is None else [text])

    def _has(self, key: str, asked: Candidates) -> Bools:
        documents = self._documents(
            "FROM keys k JOIN slots s ON s.key = k.id JOIN postings t ON t.slot = s.id"
            " WHERE k.folded = ?",
            (to_database(key.casefold()),),
        )
        return np.isin(asked.documents, documents)
