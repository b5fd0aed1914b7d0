"""Conditions asked of very many products at once: columns in memory, and arrays of numbers.

The answers are pairs of arrays of truth, as those of `search_clause` are pairs of conditions:
where something may be so, and where it surely is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skypool.catalogue.columns import BY_DOCUMENT, BY_VERSION
from skypool.catalogue.search_clause import UNDECIDED, stored_value, text_of
from skypool.catalogue.search_compile import DEEPEST, MOST_NODES, REFUSED, Compiler
from skypool.catalogue.search_key_arrays import MOST_LISTED, Candidates, KeyArrays, Masks, place_of
from skypool.catalogue.search_keys import TURNED, key_condition
from skypool.catalogue.search_sky import SKY_CALLS
from skypool.catalogue.search_sky_arrays import on_sky
from skypool.catalogue.search_terms import text_test
from skypool.catalogue.search_words import mentioned
from skypool.catalogue.text import to_database
from skypool.model.kinds import subkinds
from skypool.query.compare import Truth, as_text, compare
from skypool.query.members import Members
from skypool.query.mentions import word_of
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

    from skypool.catalogue.columns import Columns

    Bools = NDArray[np.bool_]

__all__ = ["ArraySearch", "is_of_documents"]


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
        self._keys = KeyArrays(connection, columns, at)

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
        places = np.arange(len(asked), dtype=np.int32)
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
            near = isinstance(node, Call) and node.function in ("within", "in_box")
            return 0 if isinstance(node, Literal) else 1 if near else 2
        if condition.unknown:
            return 1
        return 0 if self._columns.has(place_of(condition)) else 1

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
            return self._keys.masks(condition, asked)
        attribute = _attribute(node)
        if attribute is not None and (asked.urns is not None or attribute.name in BY_DOCUMENT):
            return self._of_attribute(attribute, asked, want)
        found = self._of_call(node, asked) if isinstance(node, Call) else None
        if found is not None:
            return found if want else Masks(~found.sure, ~found.maybe)
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
        for item in sorted(items, key=self.cost):
            rest = np.flatnonzero(~sure)
            if not len(rest):
                break
            found = self.masks(item, asked.taken(rest), want=want)
            maybe[rest] |= found.maybe
            sure[rest] |= found.sure
        return Masks(maybe, sure)

    def _of_call(self, node: Call, asked: Candidates) -> Masks | None:
        """Return where a function that is always true or false is true; None for others."""
        if node.function == "mentions" and asked.urns is not None:
            text = text_of(node.arguments[0])
            if text is None:
                return None
            visible = self._columns.visible(self._at)
            numbers = (asked.documents, asked.urns)
            return Masks(
                *mentioned(self._columns, self._connection, visible, numbers, word_of(text))
            )
        if node.function in SKY_CALLS:
            found = on_sky(node, self._columns, self._connection, asked.documents)
            return None if found is None else Masks(*found)
        return None

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
        if len(asked) <= MOST_LISTED:
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
