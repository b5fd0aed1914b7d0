"""Values of a key as columns: which value each document or version has, as small numbers.

What a document says never changes, and neither its number nor that of a version is given twice
within an epoch of the catalogue. So a column that was read once stays right whatever is
committed, by whichever process: it only has to learn of what came behind. The epoch, and how
far the catalogue goes, are read in the same transaction as what is missing; a column of another
epoch is thrown away.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.applying import state
from skypool.catalogue.checks import COMMIT, sure
from skypool.catalogue.column import Column
from skypool.catalogue.column_reading import read_key
from skypool.catalogue.database import Database
from skypool.catalogue.in_memory import shared_columns
from skypool.catalogue.integers import MOST_NUMBERED, checked, damaged, joined
from skypool.catalogue.text import to_database
from skypool.catalogue.visible import Visible, as_of, read_visible
from skypool.model.attributes.names import CORE

__all__ = [
    "BY_DOCUMENT",
    "BY_VERSION",
    "Columns",
    "columns_of",
    "key_place",
]

_BYTES_KEPT: Final = 256 * 2**20
_VISIBLE_KEPT: Final = 2
_MOST_SIZE: Final = 2**53 - 1
# Documents whose values are read at once: of a million the arrays in between are 100 MB.
_AT_ONCE: Final = 100_000

BY_DOCUMENT: Final = ("kind", "type", "size")
"""Attributes that belong to the content."""
BY_VERSION: Final = ("document", "version", "saved", "author", "message")
"""Attributes that belong to a version."""
_OF_COMMIT: Final = {"saved": "time_us", "author": "author", "message": "message"}


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
    epoch : tuple of int
        The epoch of the catalogue that they belong to, and its last commit that completed any.
    scanned : dict
        How many rows of a key searches have read without a column of it.
    extras : dict
        What others keep of the same epoch, inside `reading`: places, words.
    """

    def __init__(self, database: Database, most_bytes: int = _BYTES_KEPT) -> None:
        self._database = database
        self.most_bytes = most_bytes
        self._columns: OrderedDict[str, Column] = OrderedDict()
        self._visible: OrderedDict[int, Visible] = OrderedDict()
        self.epoch: Any = None
        self.scanned: dict[str, int] = {}
        self.extras: dict[str, Any] = {}
        self._documents: tuple[NDArray[Any], int, NDArray[np.int32]] | None = None
        self._head = 0
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Columns]:
        """Ask for several columns of one state of the catalogue."""
        with self._lock, self._database.reading() as connection:
            # A completed document is the one thing that changes what versions are.
            epoch = state(connection, "epoch"), state(connection, "amended")
            if epoch != self.epoch:
                self._columns.clear()
                self._visible.clear()
                self.scanned.clear()
                self.extras.clear()
                self._documents = None
                self.epoch = epoch
            self._head = state(connection, "head")
            self._connection = connection
            yield self

    def has(self, name: str) -> bool:
        """Tell whether a column is in memory already."""
        return name in self._columns

    def ready(self, name: str) -> bool:
        """Tell, outside `reading`, whether a column is in memory and nobody is reading one."""
        if name not in self._columns or not self._lock.acquire(blocking=False):
            return False
        self._lock.release()
        return True

    @property
    def has_visible(self) -> bool:
        """Whether the newest versions as of some commit are in memory."""
        return bool(self._visible)

    def visible(self, at: int) -> Visible:
        """Return the newest versions as of a commit, inside `reading`."""
        known = self._visible.get(at)
        if known is None and self._visible:
            known = min(self._visible.values(), key=lambda each: abs(each.at - at))
        if known is None:
            found = read_visible(self._connection, at, self._head)
        else:
            found = as_of(self._connection, known, at, self._head)
        self._visible[at] = found
        self._visible.move_to_end(at)
        while len(self._visible) > _VISIBLE_KEPT:
            self._visible.popitem(last=False)
        return found

    def documents(self, versions: NDArray[Any], at: int) -> NDArray[np.int32]:
        """Return the documents of versions, inside `reading`.

        Those of the last array that was asked for are kept: several keys are asked for in turn.
        """
        kept = self._documents
        if kept is None or kept[0] is not versions or kept[1] != at:
            kept = self._documents = (versions, at, self._documents_of(versions, at))
        return kept[2]

    def _documents_of(self, versions: NDArray[Any], at: int) -> NDArray[np.int32]:
        if at in self._visible:
            visible = self._visible[at]
            if np.array_equal(versions, visible.urns):
                return visible.documents
            places = visible.places_of(versions)
            if (places >= 0).all():
                return visible.documents[places]
        return self.attribute("document").of(versions)

    def count(self) -> int:
        """Return how many documents there are, inside `reading`."""
        sql = "SELECT coalesce(sum(documents), 0) FROM runs"
        return int(self._connection.execute(sql).fetchone()[0])

    def attribute(self, name: str) -> Column:
        """Return one of `BY_DOCUMENT` or `BY_VERSION`, inside `reading`."""
        column = self._columns.get(name) or Column()
        if name in BY_DOCUMENT:
            self._read_documents(name, column)
        else:
            self._read_versions(name, column)
        return self._keep(name, column)

    def _read_documents(self, name: str, column: Column, most: int | None = None) -> None:
        for part in islice(self._missing("id", "documents", column), most):
            if name == "size":
                numbers, sizes = joined(
                    self._connection,
                    ["id", "size"],
                    "documents WHERE id > :after AND id <= :last",
                    part,
                    _MOST_SIZE,
                )
                whole = np.ones(len(sizes), bool)
                column.put(numbers, column.codes_of_numbers(sizes.astype(np.float64), whole, ""))
                column.read_to = (part["last"], 0)
                continue
            # As pairs of numbers: a million rows as objects of Python are 150 MB.
            sql = f"SELECT id, {name} FROM documents WHERE id > :after AND id <= :last"
            found = (
                each
                for number, text in self._connection.execute(sql, part)
                for each in (number, column.place(text))
            )
            pairs = checked(np.fromiter(found, np.int64).reshape(-1, 2))
            column.put(pairs[:, 0], pairs[:, 1])
            column.read_to = (part["last"], 0)

    def _read_versions(self, name: str, column: Column) -> None:
        what = name if name in ("document", "version") else "since"
        for part in self._missing("urn", "versions", column):
            numbers, values = joined(
                self._connection,
                ["urn", what],
                "versions WHERE urn > :after AND urn <= :last",
                part,
            )
            if name == "document":
                column.put(numbers, values)
            else:
                different, back = np.unique(values, return_inverse=True)
                codes = [self._code(column, name, number) for number in different.tolist()]
                column.put(numbers, np.array(codes, np.int32)[back.reshape(-1)])
            column.read_to = (part["last"], 0)

    def _missing(self, number: str, table: str, column: Column) -> Iterator[dict[str, int]]:
        """Yield bounds of the numbers that a column has not read, some at a time."""
        ((last,),) = self._connection.execute(f"SELECT coalesce(max({number}), 0) FROM {table}")
        if not isinstance(last, int) or last > MOST_NUMBERED:
            raise damaged("a number in it is beyond all bounds")
        for after in range(column.read_to[0], last, _AT_ONCE):
            yield {"after": after, "last": min(after + _AT_ONCE, last)}

    def _code(self, column: Column, name: str, number: int) -> int:
        """Return the code of a number of a version, or of what a commit says."""
        if name == "version":
            return column.place(number)
        row = self._connection.execute(
            f"SELECT {sure(COMMIT, f'c.{_OF_COMMIT[name]}')} FROM commits c WHERE c.number = ?",
            (number,),
        ).fetchone()
        if row is None:
            raise damaged(f"the commit {number} is not there")
        return column.place(row[0])

    def key(self, name: str, *, bare: bool = True) -> Column:
        """Return the values of a metadata key by document, inside `reading`.

        A product's own value comes first, then its core attribute, then that of the first of its
        datasets that has one; the exact spelling first, else the only one that differs in case.

        Parameters
        ----------
        name
            The key.
        bare
            Whether it may mean a core attribute.
        """
        keys = _keys(self._connection, name, bare=bare)
        place = key_place(name, bare=bare)
        column = self._columns.get(place) or Column()
        if column.keys != keys:
            column = Column()
            column.keys = keys
        self._read_on(name, column)
        return self._keep(place, column)

    def read_some(self, name: str) -> bool:
        """Read some of what is missing of `key`, inside `reading`; return whether all is there.

        Whoever reads a large column ahead of its use lets others come between. Of the attributes
        those that belong to the content may be asked for too.
        """
        if name in BY_DOCUMENT:
            column = self._columns.get(name) or Column()
            before = column.read_to
            self._read_documents(name, column, 1)
            self._keep(name, column)
            return column.read_to == before
        place = key_place(name, bare=True)
        keys = _keys(self._connection, name, bare=True)
        column = self._columns.get(place) or Column()
        if column.keys != keys:
            column = Column()
            column.keys = keys
        done = self._read_on(name, column, 1)
        self._keep(place, column)
        return done

    def _read_on(self, name: str, column: Column, most: int | None = None) -> bool:
        """Read the runs that are missing, some at a time; return whether none is left."""
        runs = self._connection.execute(
            "SELECT id, documents FROM runs WHERE id >= ? ORDER BY id", (column.read_to[0],)
        ).fetchall()
        if not runs or runs[-1] == column.read_to:
            return True
        spans = _spans(runs)
        exact = _exact(self._connection, name)
        for first, last in spans[:most]:
            read_key(self._connection, column, (runs[first][0], runs[last][0]), exact)
            column.read_to = runs[last]
        return most is None or len(spans) <= most

    def _keep(self, name: str, column: Column) -> Column:
        self._columns[name] = column
        self._columns.move_to_end(name)
        while len(self._columns) > 1 and self.nbytes > self.most_bytes:
            self._columns.popitem(last=False)
        return column

    @property
    def nbytes(self) -> int:
        """Memory that all columns take, roughly."""
        return sum(column.nbytes for column in self._columns.values())


def _spans(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the places of the first and last of runs that are read together."""
    found, first, documents = [], 0, 0
    for place, (_, count) in enumerate(runs):
        documents += count
        if documents >= _AT_ONCE or place == len(runs) - 1:
            found.append((first, place))
            first, documents = place + 1, 0
    return found


def key_place(name: str, *, bare: bool) -> str:
    """Return what `Columns.has` calls the column of a metadata key."""
    folded = name.casefold()
    core = any(each.name == folded for each in CORE)
    return f"meta:{name}" if bare or not core else f"own:{name}"


def columns_of(database: Database) -> Columns:
    """Return the columns of a catalogue, shared by all who have it open in this process."""
    return shared_columns(database, Columns)


def _keys(connection: sqlite3.Connection, name: str, *, bare: bool) -> tuple[int, ...]:
    rows = connection.execute(
        "SELECT id FROM keys WHERE folded = ? ORDER BY id", (to_database(name.casefold()),)
    )
    found = [number for (number,) in rows]
    if bare:
        # Core attributes are in the table, under numbers below 0, where they stand for a key.
        folded = name.casefold()
        found += [-1 - place for place, each in enumerate(CORE) if each.name == folded]
    return tuple(found)


def _exact(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM keys WHERE name = ?", (to_database(name),)).fetchone()
    return row[0] if row else 0
