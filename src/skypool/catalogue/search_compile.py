"""A query as SQL: conditions on metadata and attributes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from skypool.catalogue.attributes import ATTRIBUTE_KEYS, BESIDE_KEYS
from skypool.catalogue.checks import guarded
from skypool.catalogue.search_calls import CALLS
from skypool.catalogue.search_clause import (
    EVERYTHING,
    NOTHING,
    UNDECIDED,
    Clause,
    among,
    attribute_of,
    joined,
    key_of,
    plain_number,
    stored_value,
)
from skypool.catalogue.search_data import compare_data
from skypool.catalogue.search_keys import TURNED, KeyCondition, key_condition, stays
from skypool.catalogue.search_sky import SKY_CALLS, overlap, whole_box
from skypool.catalogue.search_terms import Part, compare_parts, text_test
from skypool.catalogue.text import from_database, to_database
from skypool.model.kinds import subkinds
from skypool.query.compare import Truth, as_text, compare
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
)
from skypool.query.values import Value

__all__ = ["DEEPEST", "MOST_NODES", "REFUSED", "Compiler"]

# Statements beyond SQLite's limits are left to the evaluator.
MOST_NODES: Final = 1000
DEEPEST: Final = 20
REFUSED: Final = re.compile("parser stack overflow|too large|too many|too deep|too complex")
_MOST_KNOWN: Final = 10_000
_MOST_ITEMS: Final = 100


@dataclass(slots=True)
class Compiler:
    """Makes SQL of one tree.

    The table of versions goes by an alias (``v`` for the products that are looked for, others for
    those that conditions such as ``parent(...)`` speak of).

    Attributes
    ----------
    at : int
        The commit as of which the question is asked.
    probing : bool
        Whether it is asked of few products, so that each is looked up: indexes are not asked
        for all that fulfil a condition.
    few : bool
        Whether there are so few that conditions on keys are left to the evaluator.
    """

    at: int
    probing: bool = False
    few: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    tests: list[Callable[[Any], int]] = field(default_factory=list)
    parts: list[tuple[Part, bool]] = field(default_factory=list)
    regions: list[Callable[[bytes], int]] = field(default_factory=list)
    circles: list[Callable[[float, float, float], bool]] = field(default_factory=list)
    aliases: int = 0

    def register(self, connection: sqlite3.Connection) -> None:
        """Give the connection the functions that the SQL calls."""
        # keys have few values: each is compared once (1 and 1.0 are texts of their own)
        known: dict[tuple[Any, ...], int] = {}

        def term(number: int, value: Any, unit: str | None) -> int:
            place = (number, type(value), value, unit)
            found = known.get(place)
            if found is None:
                part, want = self.parts[number]
                found = part.decides(value, unit or "", want)
                if len(known) < _MOST_KNOWN:
                    known[place] = found
            return found

        def test(number: int, value: Any) -> int:
            return self.tests[number](value)

        connection.create_function("query_term", 3, guarded(term))

        # asked twice of each: whether it may be so, and whether it surely is
        regions: dict[tuple[int, bytes], int] = {}

        def region(number: int, parts: bytes) -> int:
            found = regions.get((number, parts))
            if found is None:
                found = self.regions[number](parts)
                if len(regions) < _MOST_KNOWN:
                    regions[number, parts] = found
            return found

        connection.create_function("query_test", 2, guarded(test))
        connection.create_function("query_region", 2, guarded(region))
        connection.create_function("query_circle", 4, guarded(lambda n, *at: self.circles[n](*at)))
        connection.create_function("query_limit", 2, guarded(lambda parts, n: whole_box(parts)[n]))
        connection.create_function("query_overlap", 2, guarded(overlap))

    def parameter(self, value: Any) -> str:
        """Return the placeholder of a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def alias(self) -> str:
        """Return a fresh name for a table."""
        self.aliases += 1
        return f"v{self.aliases}"

    def tested(self, column: str, test: Callable[[Any], Truth], want: bool) -> Clause:
        """Return the clause of a test of one column, made by Python."""
        self.tests.append(lambda value: int(test(value) is want))
        condition = f"query_test({len(self.tests) - 1}, {column})"
        return Clause(condition, condition)

    # conditions

    def clause(self, node: Node, want: bool, v: str) -> Clause:
        """Return where a condition is known to be *want*."""
        if isinstance(node, Not):
            return self.clause(node.item, not want, v)
        if isinstance(node, And | Or):
            word = "AND" if isinstance(node, And) == want else "OR"
            return joined(word, [self.clause(item, want, v) for item in node.items])
        if isinstance(node, Literal):
            known = isinstance(node.value, bool | int | float) and node.value == node.value
            return EVERYTHING if known and bool(node.value) is want else NOTHING
        condition = key_condition(node, want)
        if condition is not None:
            return self.keyed(condition, v)
        if isinstance(node, Compare) and len(node.rest) == 1:
            return self._compare(node, want, v)
        if isinstance(node, Call):
            return self._call(node, want, v)
        return UNDECIDED

    def _compare(self, node: Compare, want: bool, v: str) -> Clause:
        left, (operator, right) = node.first, node.rest[0]
        if operator in ("!=", "not in"):
            positive = "==" if operator == "!=" else "in"
            return self.clause(Compare(left, ((positive, right),)), not want, v)
        if operator == "in":
            if isinstance(right, ListOf) and all(isinstance(i, Literal) for i in right.items):
                return self._within(left, list(right.items), want, v)  # type: ignore[arg-type]
            if isinstance(right, Name) and right.name == "tags" and isinstance(left, Literal):
                return self._tags(left.value, want, v)
            return UNDECIDED
        if isinstance(left, Literal):
            left, right, operator = right, left, TURNED[operator]
        if not isinstance(right, Literal):
            return self._present(node, v)
        value = right.value
        if isinstance(left, Name) and left.name in ATTRIBUTES:
            return self._attribute(left.name, operator, value, want, v)
        if isinstance(left, Call):
            return compare_data(self, left, (operator, value), want, v)
        return self._present(node, v)

    def _present(self, node: Compare, v: str) -> Clause:
        """Return where a comparison can be known at all: its keys are there."""
        found = [
            self.with_key(key, v, attribute_of(side)).maybe
            for side in node.children()
            if (key := key_of(side)) is not None
        ]
        return Clause(" AND ".join(found) or "1", "0")

    def _within(self, left: Node, items: list[Literal], want: bool, v: str) -> Clause:
        if isinstance(left, Name) and left.name in ATTRIBUTES and len(items) <= _MOST_ITEMS:
            word = "OR" if want else "AND"
            clauses = [self._attribute(left.name, "==", i.value, want, v) for i in items]
            return joined(word, clauses) if clauses else UNDECIDED
        return UNDECIDED

    def keyed(self, condition: KeyCondition, v: str) -> Clause:
        """Return where a condition on a key is known to be what is wanted."""
        if self.few and v == "v":
            return UNDECIDED
        found = self._terms(condition, f"{v}.document")
        if condition.opposite is not None:
            positive = self._terms(condition.opposite, "b.document")
            number = BESIDE_KEYS[condition.attribute or ""]
            both = f"{v}.document IN (SELECT b.document FROM terms b WHERE b.key = {number} AND %s)"
            found = Clause(
                f"({found.maybe}) AND NOT {both % positive.sure}",
                f"({found.sure}) AND NOT {both % positive.maybe}",
            )
        if condition.unknown:
            unknown = self.with_key(condition.unknown, v)
            found = Clause(f"({found.maybe}) OR ({unknown.maybe})", found.sure)
        return found if condition.final else Clause(found.maybe, "0")

    def _terms(self, condition: KeyCondition, column: str) -> Clause:
        """Return where a column is a document that has a row of the parts under a key.

        The product's own value counts, in the spelling that was asked for or the only one there
        is; whether those of datasets do is left open. A core attribute of that name is indexed
        where it counts only.
        """
        key, attribute, want = condition.key, condition.attribute, condition.want
        folded = self.parameter(to_database(key.casefold()))
        exact = self.parameter(to_database(key))
        own = (
            f"t.place = 0 AND (k.name = {exact} OR NOT EXISTS"
            f" (SELECT 1 FROM keys o WHERE o.folded = {folded} AND o.id <> k.id))"
        )
        indexed = ""
        if attribute is not None:
            # some keys give way to the attribute
            own += (
                f" AND ({stays(attribute)} OR NOT EXISTS (SELECT 1 FROM attributes a"
                f' WHERE a.document = t.document AND a."{attribute}" NOT NULL))'
            )
            indexed = (
                "SELECT t.document FROM terms t WHERE t.key IN"
                f" ({ATTRIBUTE_KEYS[attribute]}, {BESIDE_KEYS.get(attribute, 0)}) AND"
            )
        maybe, sure = [], []
        for part in condition.parts:
            where = part.where
            for value in part.parameters:
                where = where.replace("?", self.parameter(value), 1)
            source = f"SELECT t.document FROM keys k JOIN terms t ON t.key = k.id WHERE k.folded = {folded}"  # noqa: E501
            if part.test is None:
                maybe.append(f"{source} AND {where}")
                sure.append(f"{source} AND {where} AND {own}")
                if indexed:
                    maybe.append(f"{indexed} {where}")
                    sure.append(f"{indexed} {where}")
                continue
            self.parts.append((part, want))
            unit = "(SELECT u.text FROM units u WHERE u.id = t.unit)"
            decided = f"query_term({len(self.parts) - 1}, t.value, {unit})"
            maybe.append(f"{source} AND {where} AND {decided} > 0")
            sure.append(f"{source} AND {where} AND {decided} > 1 AND {own}")
            if indexed:
                maybe.append(f"{indexed} {where} AND {decided} > 0")
                sure.append(f"{indexed} {where} AND {decided} > 1")
        return Clause(among(column, maybe), among(column, sure))

    # attributes

    def column(self, name: str, v: str) -> str:
        """Return the expression of an attribute, NULL where the product has none."""
        document = f"(SELECT %s FROM documents WHERE id = {v}.document)"
        visible = (
            f"(SELECT name FROM names WHERE track = {v}.track AND since <= :at"
            " ORDER BY until > :at DESC, since DESC LIMIT 1)"
        )
        return {
            "name": "n.name" if v == "v" else f"coalesce({visible}, '')",
            "version": f"{v}.version",
            "urn": f"{v}.urn",
            "kind": "d.kind" if v == "v" else document % "kind",
            "type": "d.type" if v == "v" else document % "type",
            "size": "d.size" if v == "v" else document % "size",
            "hash": document % "CASE WHEN file_hash NOT NULL THEN lower(hex(file_hash)) END",
            "path": f"(SELECT path FROM sources WHERE document = {v}.document"
            " ORDER BY path LIMIT 1)",
        }[name]

    def _attribute(self, name: str, operator: str, value: Value, want: bool, v: str) -> Clause:
        if name == "tags":
            return UNDECIDED
        if name in ("saved", "author", "message"):
            return self._tested_attribute(
                name, lambda stored: compare(operator, stored_value(name, stored), value), want, v
            )
        column = self.column(name, v)
        if name == "urn":
            number = str(value).rpartition(":")[2]
            if operator == "==" and want and number.isascii() and number.isdigit():
                return Clause(f"{column} = {self.parameter(int(number[:18]))}", "0")
            return UNDECIDED
        if name == "kind" and operator == "==" and isinstance(value, str):
            if value == "Product":
                return EVERYTHING if want else NOTHING
            marks = ", ".join(self.parameter(kind) for kind in sorted(subkinds(value)))
            condition = f"{column} {'IN' if want else 'NOT IN'} ({marks})"
            return Clause(condition, condition)
        if name in ("name", "type") and operator == "==" and isinstance(value, str):
            parts = compare_parts(operator, value, want)
            if len(parts) == 1 + (not want) and all(part.test is None for part in parts):
                sign = "=" if want else "<>"
                condition = f"{column} {sign} {self.parameter(to_database(value))}"
                return Clause(condition, condition)
        if name in ("version", "size") and plain_number(value):
            sign = operator.replace("==", "=")
            condition = f"{column} {sign} {self.parameter(value)}"
            found = Clause(condition, condition)
            return found if want else found.opposite

        return self.tested(
            column, lambda stored: compare(operator, stored_value(name, stored), value), want
        )

    def _tested_attribute(
        self, name: str, test: Callable[[Any], Truth], want: bool, v: str
    ) -> Clause:
        """Return the clause of a test of an attribute; those of commits are tested once each."""
        if name not in ("saved", "author", "message"):
            return self.tested(self.column(name, v), test, want)
        column = "time_us" if name == "saved" else name
        tested = self.tested(column, test, want).maybe
        condition = f"{v}.since IN (SELECT number FROM commits WHERE {tested})"
        return Clause(condition, condition)

    def _tags(self, value: Value, want: bool, v: str) -> Clause:
        if not isinstance(value, str):
            return UNDECIDED
        same = self.tested(
            "t.tag", lambda stored: compare("==", value, from_database(stored)), True
        )
        condition = (
            f"EXISTS (SELECT 1 FROM tags t WHERE t.urn = {v}.urn AND t.since <= :at"
            f" AND t.until > :at AND {same.maybe})"
        )
        found = Clause(condition, condition)
        return found if want else found.opposite

    # functions

    def _call(self, node: Call, want: bool, v: str) -> Clause:
        maker = CALLS.get(node.function) or SKY_CALLS.get(node.function)
        if maker is not None:
            found = maker(self, node, v)
            return found if want else found.opposite
        if node.function in ("startswith", "contains", "like"):
            return self._text_call(node, want, v)
        return UNDECIDED

    def _text_call(self, node: Call, want: bool, v: str) -> Clause:
        left, right = node.arguments
        if not isinstance(right, Literal) or (pattern := as_text(right.value)) is None:
            return UNDECIDED
        if not isinstance(left, Name) or left.name not in ATTRIBUTES or left.name == "urn":
            return UNDECIDED
        if left.name == "tags":
            return self._tags(right.value, want, v) if node.function == "contains" else UNDECIDED

        test = text_test(node.function, pattern)
        name = left.name
        return self._tested_attribute(
            name, lambda stored: test(stored_value(name, stored)), want, v
        )

    def with_key(self, key: str, v: str, attribute: str | None = None) -> Clause:
        """Return the documents that have a key, of their own or in a dataset, or an attribute."""
        if self.few and v == "v":
            return UNDECIDED
        folded = self.parameter(to_database(key.casefold()))
        queries = [
            f"SELECT t.document FROM keys k JOIN terms t ON t.key = k.id WHERE k.folded = {folded}"
        ]
        if attribute is not None:
            queries.append(f'SELECT document FROM attributes WHERE "{attribute}" NOT NULL')
        condition = among(f"{v}.document", queries)
        return Clause(condition, condition)
