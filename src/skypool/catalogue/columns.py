"""Values of a key as columns: which value each document or version has, as small numbers.

What a document says never changes, and neither its number nor that of a version is given twice
within an epoch of the catalogue. So a column that was read once stays right whatever is
committed, by whichever process: it only has to learn of what came behind. The epoch, and how
far the catalogue goes, are read in the same transaction as what is missing; a column of another
epoch is thrown away.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.applying import state
from skypool.catalogue.checks import COMMIT, DOCUMENT, VERSION, sure
from skypool.catalogue.database import Database
from skypool.catalogue.text import from_database, to_database
from skypool.model.attributes.names import CORE

__all__ = [
    "BY_DOCUMENT",
    "BY_VERSION",
    "TIME",
    "TRUTH",
    "Column",
    "Columns",
    "Entry",
    "columns_of",
    "is_time",
]

TRUTH: Final = 1
TIME: Final = 2
_STORED_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_TIME_LENGTH: Final = 27
_BYTES_KEPT: Final = 256 * 2**20
# What an entry of a dictionary takes, roughly.
_ENTRY_BYTES: Final = 200

_OF_VERSION: Final = (
    f"SELECT {sure(VERSION, 'v.urn')}, %s FROM versions v JOIN documents d ON d.id = v.document"
    " WHERE v.urn > ?"
)
_OF_COMMIT: Final = (
    f"SELECT {sure(VERSION, 'v.urn')}, {sure(COMMIT, 'c.%s')} FROM versions v"
    " JOIN documents d ON d.id = v.document JOIN commits c ON c.number = v.since WHERE v.urn > ?"
)
BY_DOCUMENT: Final = {
    name: f"SELECT {sure(DOCUMENT, 'd.id')}, d.{name} FROM documents d WHERE d.id > ?"
    for name in ("kind", "type", "size")
}
"""Attributes that belong to the content, and how they are read."""
BY_VERSION: Final = {
    "document": _OF_VERSION % "v.document",
    "version": _OF_VERSION % "v.version",
    "saved": _OF_COMMIT % "time_us",
    "author": _OF_COMMIT % "author",
    "message": _OF_COMMIT % "message",
}
"""Attributes that belong to a version, and how they are read."""


class Entry(NamedTuple):
    """A value as the catalogue holds it, and its unit."""

    value: int | float | str
    unit: str = ""


def is_time(text: str) -> bool:
    """Tell whether a text has the form in which the catalogue holds times."""
    return len(text) == _TIME_LENGTH and _STORED_TIME.fullmatch(text) is not None


def _mark(value: Any) -> int:
    if isinstance(value, str):
        return TIME if is_time(value) else 0
    return TRUTH if isinstance(value, int) and value in (0, 1) else 0


class Column:
    """Which entry each document, or version, has.

    Attributes
    ----------
    codes : array of int32
        Place in `entries`, by the number of the document or version; 0 where it has none.
    entries : list
        The different values; the first stands for none.
    marks : bytearray
        For each entry `TRUTH` if it may be a truth value, `TIME` if it may be a time, else 0.
    """

    def __init__(self) -> None:
        self.codes: NDArray[np.int32] = np.zeros(0, np.int32)
        self.entries: list[Entry | None] = [None]
        self.marks = bytearray(1)
        self._places: dict[Entry, int] = {}
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
            found = self._places[entry] = len(self.entries)
            self.entries.append(entry)
            self.marks.append(_mark(value))
        return found

    def put(self, numbers: NDArray[np.int64], codes: Any) -> None:
        """Note the entries of some documents or versions."""
        if not numbers.size:
            return
        need = int(numbers.max()) + 1
        # A larger array is a new one: whoever still has the old one sees no change.
        grown = np.zeros(max(need, len(self.codes)), np.int32)
        grown[: len(self.codes)] = self.codes
        grown[numbers] = codes
        self.codes = grown

    def of(self, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the codes of documents or versions."""
        if not len(numbers) or int(numbers.max()) < len(self.codes):
            return self.codes[numbers]
        known = numbers < len(self.codes)
        found = np.zeros(len(numbers), np.int32)
        found[known] = self.codes[numbers[known]]
        return found

    @property
    def nbytes(self) -> int:
        """Memory that it takes, roughly."""
        return self.codes.nbytes + _ENTRY_BYTES * len(self.entries)


class Columns:
    """The columns of one catalogue that are in memory, the longest unused given up first.

    Parameters
    ----------
    database
        The catalogue's.
    most_bytes
        What all of them may take together; a single larger one is kept until the next.

    Attributes
    ----------
    epoch : int
        The epoch of the catalogue that they belong to.
    """

    def __init__(self, database: Database, most_bytes: int = _BYTES_KEPT) -> None:
        self._database = database
        self._most = most_bytes
        self._columns: OrderedDict[str, Column] = OrderedDict()
        self.epoch: Any = None
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Columns]:
        """Ask for several columns of one state of the catalogue."""
        with self._lock, self._database.reading() as connection:
            epoch = state(connection, "epoch")
            if epoch != self.epoch:
                self._columns.clear()
                self.epoch = epoch
            self._connection = connection
            yield self

    def has(self, name: str) -> bool:
        """Tell whether a column is in memory already."""
        return name in self._columns

    def attribute(self, name: str) -> Column:
        """Return one of `BY_DOCUMENT` or `BY_VERSION`, inside `reading`."""
        column = self._columns.get(name) or Column()
        sql = BY_DOCUMENT.get(name) or BY_VERSION[name]
        last = column.read_to[0]
        rows = self._connection.execute(sql, (last,)).fetchall()
        if rows:
            numbers = np.fromiter((row[0] for row in rows), np.int64, len(rows))
            if name == "document":
                column.put(numbers, np.fromiter((row[1] for row in rows), np.int32, len(rows)))
            else:
                codes = (column.place(row[1]) for row in rows)
                column.put(numbers, np.fromiter(codes, np.int32, len(rows)))
            column.read_to = (int(numbers.max()), 0)
        return self._keep(name, column)

    def key(self, name: str) -> Column:
        """Return the values of a metadata key by document, inside `reading`.

        A product's own value comes first, then its core attribute, then that of the first of its
        datasets that has one; the exact spelling first, else the only one that differs in case.
        """
        keys = _keys(self._connection, name)
        place = f"meta:{name}"
        column = self._columns.get(place) or Column()
        if column.keys != keys:
            column = Column()
            column.keys = keys
        end = self._connection.execute(
            "SELECT id, documents FROM runs ORDER BY id DESC LIMIT 1"
        ).fetchone() or (0, 0)
        if end != column.read_to:
            _read(self._connection, column, column.read_to[0], exact=_exact(self._connection, name))
            column.read_to = end
        return self._keep(place, column)

    def _keep(self, name: str, column: Column) -> Column:
        self._columns[name] = column
        self._columns.move_to_end(name)
        while len(self._columns) > 1 and self.nbytes > self._most:
            self._columns.popitem(last=False)
        return column

    @property
    def nbytes(self) -> int:
        """Memory that all columns take, roughly."""
        return sum(column.nbytes for column in self._columns.values())


_all: WeakKeyDictionary[Database, Columns] = WeakKeyDictionary()
_all_lock = threading.Lock()


def columns_of(database: Database) -> Columns:
    """Return the columns of a catalogue, shared by all who have it open in this process."""
    with _all_lock:
        found = _all.get(database)
        if found is None:
            found = _all[database] = Columns(database)
        return found


def _keys(connection: sqlite3.Connection, name: str) -> tuple[int, ...]:
    rows = connection.execute(
        "SELECT id FROM keys WHERE folded = ? ORDER BY id", (to_database(name.casefold()),)
    )
    found = [number for (number,) in rows]
    # Core attributes are in the table, under numbers below 0, where they stand for a key.
    folded = name.casefold()
    found += [-1 - place for place, each in enumerate(CORE) if each.name == folded]
    return tuple(found)


def _exact(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM keys WHERE name = ?", (to_database(name),)).fetchone()
    return row[0] if row else 0


class _Rows(NamedTuple):
    """Rows of the inverted table as arrays."""

    documents: NDArray[np.int64]
    places: NDArray[np.int64]
    keys: NDArray[np.int64]
    codes: NDArray[np.int32]


def _read(connection: sqlite3.Connection, column: Column, run: int, *, exact: int) -> None:
    """Take in the documents of a run and of all behind it."""
    units = dict(connection.execute("SELECT id, text FROM units"))
    parts = [part for key in column.keys for part in _own(connection, column, key, run, units)]
    for key in column.keys:
        parts += _of_datasets(connection, column, key, run, units)
    if not parts:
        return
    rows = _Rows(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    rows.places[rows.keys < 0] = -1
    if len(column.keys) == 1 and not (rows.places > 0).any():
        column.put(rows.documents, rows.codes)
        return
    column.put(*_chosen(rows, exact))


def _own(
    connection: sqlite3.Connection,
    column: Column,
    key: int,
    run: int,
    units: dict[int, str],
) -> Iterator[_Rows]:
    """Yield the products' own values: those that are equal come in one row each run."""
    found = connection.execute(
        "SELECT p.value, min(p.unit), max(p.unit), group_concat(p.document), p.slot"
        " FROM slots s JOIN postings p ON p.slot = s.id"
        " WHERE s.key = ? AND s.run >= ? AND p.place = 0 GROUP BY p.slot, p.value",
        (key, run),
    )
    texts: list[str] = []
    codes: list[int] = []
    for value, first, last, documents, slot in found:
        if first == last:
            texts.append(documents)
            codes.append(column.place(value, from_database(units[first])))
            continue
        single = connection.execute(
            "SELECT document, unit FROM postings WHERE slot = ? AND value = ? AND place = 0",
            (slot, value),
        )
        for document, unit in single:
            texts.append(str(document))
            codes.append(column.place(value, from_database(units[unit])))
    if texts:
        yield _rows(texts, codes, key)


def _rows(texts: Sequence[str], codes: Sequence[int], key: int) -> _Rows:
    documents = np.fromstring(",".join(texts), np.int64, sep=",")
    counts = np.fromiter((text.count(",") + 1 for text in texts), np.int64, len(texts))
    repeated = np.repeat(np.array(codes, np.int32), counts)
    size = len(documents)
    return _Rows(documents, np.zeros(size, np.int64), np.full(size, key, np.int64), repeated)


def _of_datasets(
    connection: sqlite3.Connection,
    column: Column,
    key: int,
    run: int,
    units: dict[int, str],
) -> Iterator[_Rows]:
    """Yield the values of datasets, some rows at a time."""
    found = connection.execute(
        "SELECT p.document, p.place, p.value, p.unit FROM slots s"
        " JOIN postings p ON p.slot = s.id WHERE s.key = ? AND s.run >= ? AND p.place > 0",
        (key, run),
    )
    while rows := found.fetchmany(20_000):
        numbers = np.array([row[:2] for row in rows], np.int64)
        codes = (column.place(row[2], from_database(units[row[3]])) for row in rows)
        yield _Rows(
            numbers[:, 0],
            numbers[:, 1],
            np.full(len(rows), key, np.int64),
            np.fromiter(codes, np.int32, len(rows)),
        )


def _chosen(rows: _Rows, exact: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the value that counts of each document."""
    other = rows.keys != exact
    order = np.lexsort((other, rows.places, rows.documents))
    documents, places, other = rows.documents[order], rows.places[order], other[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (documents[1:] != documents[:-1]) | (places[1:] != places[:-1])
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.append(starts, len(order)))
    # Several spellings of which none is the one asked for: none is meant.
    starts = starts[~other[starts] | (sizes == 1)]
    found, first = np.unique(documents[starts], return_index=True)
    return found, rows.codes[order][starts[first]]
