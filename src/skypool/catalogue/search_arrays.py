"""Conditions asked of very many products at once: columns in memory, and arrays of numbers.

The answers are pairs of arrays of truth, as those of `search_clause` are pairs of conditions:
where something may be so, and where it surely is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from skypool.catalogue.columns import BY_DOCUMENT, BY_VERSION, key_place
from skypool.catalogue.integers import listed
from skypool.catalogue.search_clause import UNDECIDED, stored_value
from skypool.catalogue.search_compile import DEEPEST, MOST_NODES, REFUSED, Compiler
from skypool.catalogue.search_drive import Driver
from skypool.catalogue.search_keys import TURNED, KeyCondition, key_condition, spellings, stays
from skypool.catalogue.search_terms import NUMBERS, Part, text_test
from skypool.catalogue.text import to_database
from skypool.model.kinds import subkinds
from skypool.query.compare import Truth, as_text, compare
from skypool.query.members import Members
from skypool.query.tree import (
    ATTRIBUTES,
    And,
    Call,
    Compare,
    ListOf,
    Literal,
    Name,
    Node,
    Not,
    Or,
    walk,
)
from skypool.query.values import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skypool.catalogue.column import Column
    from skypool.catalogue.columns import Columns

    Bools = NDArray[np.bool_]

__all__ = ["ArraySearch", "Candidates", "is_of_documents"]

# Up to so many products SQL is told which ones are asked about.
_MOST_LISTED: Final = 5000
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


def is_of_documents(node: Node) -> bool:
    """Tell whether a condition asks of nothing but what documents say."""
    if isinstance(node, Not):
        return is_of_documents(node.item)
    if isinstance(node, And | Or):
        return all(is_of_documents(item) for item in node.items)
    if isinstance(node, Literal):
        return True
    attribute = _attribute(node)
    if attribute is not None:
        return attribute.name in BY_DOCUMENT
    return key_condition(node, True) is not None


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


class Attribute(NamedTuple):
    """A condition on an attribute that columns hold.

    Attributes
    ----------
    name : str
    test
        The condition, asked of one value.
    opposite : bool
        Whether its opposite is meant.
    """

    name: str
    test: Callable[[Value], Truth]
    opposite: bool = False


def _attribute(node: Node) -> Attribute | None:
    """Return the condition on an attribute that a node is; None if it is something else."""
    if isinstance(node, Call) and node.function in ("startswith", "contains", "like"):
        name, right = _held(node.arguments[0]), node.arguments[1]
        pattern = as_text(right.value) if isinstance(right, Literal) else None
        if name is None or pattern is None:
            return None
        return Attribute(name, text_test(node.function, pattern))
    if not isinstance(node, Compare) or len(node.rest) != 1:
        return None
    left, (operator, right) = node.first, node.rest[0]
    if operator in ("in", "not in"):
        name = _held(left)
        literals = right.items if isinstance(right, ListOf) else ()
        values = [item.value for item in literals if isinstance(item, Literal)]
        if name is None or not values or len(values) < len(literals):
            return None
        return Attribute(name, Members(values).holds, operator == "not in")
    if isinstance(left, Literal):
        left, right, operator = right, left, TURNED.get(operator, operator)
    name = _held(left)
    if name is None or not isinstance(right, Literal):
        return None
    positive, value = "==" if operator == "!=" else operator, right.value
    return Attribute(name, lambda stored: compare(positive, stored, value), operator == "!=")


def _held(node: Node) -> str | None:
    """Return the attribute that a node names, if a column holds it."""
    if isinstance(node, Name) and node.name in ATTRIBUTES:
        return node.name if node.name in (*BY_DOCUMENT, *BY_VERSION) else None
    return None


def _place(condition: KeyCondition) -> str:
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


class ArraySearch:
    """Asks conditions of candidates.

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

    def narrowed(
        self, nodes: Sequence[Node], asked: Candidates, few: int = 0
    ) -> tuple[NDArray[Any], Bools, list[Node]]:
        """Return the places of those that may fulfil all conditions, and which surely do.

        Parameters
        ----------
        nodes
            The conditions.
        asked
            The candidates.
        few
            So few candidates are asked what is in memory only.

        Returns
        -------
        places, sure : array
        left : list of Node
            Conditions that nobody was asked, since few candidates were left.
        """
        places = np.arange(len(asked))
        sure = np.ones(len(asked), bool)
        left: list[Node] = []
        for node in sorted(nodes, key=self.cost):
            if len(asked) <= few and self.cost(node) > 0:
                left.append(node)
                continue
            found = self.masks(node, asked, want=True)
            if not found.maybe.all():
                places, asked = places[found.maybe], asked.taken(found.maybe)
                sure = sure[found.maybe] & found.sure[found.maybe]
            else:
                sure &= found.sure
        return places, sure, left

    def of_kind(self, kind: str, asked: Candidates) -> Bools:
        """Return which are of a kind, or of one below it."""
        column = self._columns.attribute("kind")
        wanted = subkinds(kind)
        table = [entry is not None and entry.value in wanted for entry in column.entries]
        found: Bools = np.array(table, bool)[column.of(asked.documents)]
        return found

    def cost(self, node: Node) -> int:
        """Return 0 for what is asked of columns in memory, 1 for other keys, 2 for the rest."""
        if isinstance(node, Not):
            return self.cost(node.item)
        if isinstance(node, And | Or):
            return max(map(self.cost, node.items), default=0)
        attribute = _attribute(node)
        if attribute is not None:
            return 0 if self._columns.has(attribute.name) else 1
        condition = key_condition(node, True)
        if condition is None:
            return 0 if isinstance(node, Literal) else 2
        if condition.unknown:
            return 1
        return 0 if self._columns.has(_place(condition)) else 1

    def masks(self, node: Node, asked: Candidates, *, want: bool) -> Masks:
        """Return where a condition may be *want*, and where it surely is."""
        if isinstance(node, Not):
            return self.masks(node.item, asked, want=not want)
        if isinstance(node, And | Or):
            if isinstance(node, And) == want:
                return self._all(node.items, asked, want)
            return self._any(node.items, asked, want)
        if isinstance(node, Literal):
            known = isinstance(node.value, bool | int | float) and node.value == node.value
            every = np.full(len(asked), known and bool(node.value) is want)
            return Masks(every, every)
        condition = key_condition(node, want)
        if condition is not None:
            return self._of_key(condition, asked)
        attribute = _attribute(node)
        if attribute is not None and (asked.urns is not None or attribute.name in BY_DOCUMENT):
            return self._of_attribute(attribute, asked, want)
        return self._by_sql(node, asked, want)

    def _all(self, items: Sequence[Node], asked: Candidates, want: bool) -> Masks:
        maybe = np.ones(len(asked), bool)
        sure = np.ones(len(asked), bool)
        for item in items:
            found = self.masks(item, asked, want=want)
            maybe &= found.maybe
            sure &= found.sure
        return Masks(maybe, sure)

    def _any(self, items: Sequence[Node], asked: Candidates, want: bool) -> Masks:
        maybe = np.zeros(len(asked), bool)
        sure = np.zeros(len(asked), bool)
        for item in items:
            found = self.masks(item, asked, want=want)
            maybe |= found.maybe
            sure |= found.sure
        return Masks(maybe, sure)

    # -- keys

    def _of_key(self, condition: KeyCondition, asked: Candidates) -> Masks:
        place = _place(condition)
        if self._columns.has(place) or self._is_worth_a_column(condition, place):
            bare = condition.attribute is not None
            found = self._by_column(condition, self._columns.key(condition.key, bare=bare), asked)
        elif len(asked) <= _MOST_LISTED:
            return self._by_their_rows(condition, asked)
        else:
            found = self._by_rows(condition, asked)
        if condition.unknown:
            maybe = found.maybe | self._has(condition.unknown, asked)
            found = Masks(maybe, found.sure)
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
        return Masks(maybe, sure)

    def _by_their_rows(self, condition: KeyCondition, asked: Candidates) -> Masks:
        """Look for the rows of a few documents that answer: all rows are passed by."""
        place, numbers = _place(condition), asked.documents.tolist()
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
                " AND t.place = 0",
                (),
            )
            inner[having[having < size]] = False
            answers[inner] = 2
        place = _place(condition)
        self._columns.scanned[place] = self._columns.scanned.get(place, 0) + scanned
        found = answers[asked.documents]
        return Masks(found > 0, found > 1)

    def _rows(self, condition: KeyCondition, part: Part, number: int, own: set[int]) -> _Rows:
        """Return the documents that have a row of a part under one spelling of a key."""
        source = (
            f"FROM slots s JOIN postings t ON t.slot = s.id WHERE s.key = {number} AND {part.where}"
        )
        certain = "t.place = 0" if number in own and condition.final else "0"
        if condition.attribute is not None and number > 0:
            certain += f" AND {stays(condition.attribute)}"
        decided = "2"
        if part.test is not None:
            compiler = Compiler(self._at)
            compiler.parts.append((part, condition.want))
            compiler.register(self._connection)
            decided = "query_term(0, t.value, (SELECT u.text FROM units u WHERE u.id = t.unit))"
        sure = self._documents(f"{source} AND {certain} AND {decided} > 1", part.parameters)
        maybe = self._documents(
            f"{source} AND NOT ({certain} AND {decided} > 1) AND {decided} > 0", part.parameters
        )
        inner = maybe[:0]
        # With several spellings that of a dataset may mean nothing.
        single = sum(each > 0 for each in own) == 1 and number in own and number > 0
        if len(maybe) and single and condition.want and condition.final:
            inner = self._documents(f"{source} AND t.place > 0 AND {decided} > 1", part.parameters)
        return _Rows(maybe, sure, inner)

    def _documents(self, source: str, parameters: Sequence[Any]) -> NDArray[np.int64]:
        text = self._connection.execute(
            f"SELECT group_concat(t.document) {source}", parameters
        ).fetchone()[0]
        return listed([] if text is None else [text])

    def _has(self, key: str, asked: Candidates) -> Bools:
        documents = self._documents(
            "FROM keys k JOIN terms t ON t.key = k.id WHERE k.folded = ?",
            (to_database(key.casefold()),),
        )
        return np.isin(asked.documents, documents)

    # -- attributes, and whatever else

    def _of_attribute(self, attribute: Attribute, asked: Candidates, want: bool) -> Masks:
        name = attribute.name
        column = self._columns.attribute(name)
        numbers = asked.documents if name in BY_DOCUMENT else asked.urns
        assert numbers is not None
        codes = column.of(numbers)
        table = np.zeros(len(column.entries), bool)
        for code in np.flatnonzero(np.bincount(codes)).tolist():
            entry = column.entries[code]
            value = None if entry is None else entry.value
            raw = to_database(value) if isinstance(value, str) else value
            truth = attribute.test(stored_value(name, raw))
            table[code] = truth is (want != attribute.opposite)
        found = table[codes]
        return Masks(found, found)

    def _by_sql(self, node: Node, asked: Candidates, want: bool) -> Masks:
        compiler = Compiler(self._at)
        nodes = sum(1 for part in walk(node) if not isinstance(part, Literal))
        large = node.depth > DEEPEST or nodes > MOST_NODES
        clause = UNDECIDED if large else compiler.clause(node, want, "v")
        maybe, sure = np.zeros(len(asked), bool), np.zeros(len(asked), bool)
        if clause == UNDECIDED or asked.urns is None:
            return Masks(~maybe, sure)
        among = ""
        if len(asked) <= _MOST_LISTED:
            among = compiler.parameter(json.dumps(asked.urns.tolist()))
            among = f" AND v.urn IN (SELECT value FROM json_each({among}))"
        sql = (
            f"SELECT v.urn, {'1' if clause.sure == clause.maybe else clause.sure} FROM versions v"
            " JOIN documents d ON d.id = v.document JOIN names n ON n.track = v.track"
            " AND n.since <= :at AND n.until > :at WHERE v.since <= :at AND v.until > :at"
            f" AND v.purged = 0{among} AND ({clause.maybe})"
        )
        compiler.register(self._connection)
        try:
            rows = self._connection.execute(sql, {"at": self._at, **compiler.parameters}).fetchall()
        except sqlite3.OperationalError as error:
            if not REFUSED.search(str(error)):
                raise
            return Masks(~maybe, sure)
        answers = np.zeros(int(asked.urns.max(initial=0)) + 1, np.uint8)
        for urn, certain in rows:
            if urn < len(answers):
                answers[urn] = 2 if certain else 1
        found = answers[asked.urns]
        return Masks(found > 0, found > 1)
