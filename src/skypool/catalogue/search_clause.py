"""Conditions in SQL, in pairs: where something may be so, and where it surely is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from skypool.catalogue.text import from_database
from skypool.model.attributes.names import CORE_NAMES
from skypool.query.tree import ATTRIBUTES, STRUCTURE, Call, Literal, Meta, Name, Node
from skypool.query.values import Kind, Value

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "UNDECIDED",
    "Clause",
    "among",
    "attribute_of",
    "each",
    "first_of",
    "joined",
    "key_of",
    "plain_number",
    "stored_value",
    "text_of",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clause(NamedTuple):
    """Two conditions in SQL: where something may be so, and where it surely is."""

    maybe: str
    sure: str

    @property
    def opposite(self) -> Clause:
        """Where it is not so, for something that is always known."""
        return Clause(f"NOT ({self.sure})", f"NOT ({self.maybe})")


NOTHING: Final = Clause("0", "0")
EVERYTHING: Final = Clause("1", "1")
UNDECIDED: Final = Clause("1", "0")


def plain_number(value: Value) -> bool:
    """Tell whether SQL compares a number with integers as Python does."""
    return isinstance(value, int | float) and abs(value) < 2**53


def stored_value(name: str, value: Any) -> Value:
    """Return the value of an attribute from what its column holds."""
    if value is None:
        return None
    if name == "saved":
        return _EPOCH + timedelta(microseconds=value)
    if isinstance(value, str):
        text = from_database(value)
        return Kind(text) if name == "kind" else text
    found: Value = value
    return found


def key_of(node: Node) -> str | None:
    """Return the metadata key that a node stands for."""
    if isinstance(node, Name) and node.name not in ATTRIBUTES | STRUCTURE:
        return node.name
    if isinstance(node, Meta) and not node.dataset and node.field == "value":
        return node.key
    return None


def attribute_of(node: Node) -> str | None:
    """Return the core attribute that a bare name means where the product has no such key."""
    folded = node.name.casefold() if isinstance(node, Name) else ""
    return folded if folded in CORE_NAMES and key_of(node) is not None else None


def text_of(node: Node) -> str | None:
    """Return a text that is written out."""
    if isinstance(node, Literal) and isinstance(node.value, str):
        return node.value
    return None


def first_of(node: Call) -> Node | None:
    """Return the first argument, if there is one."""
    return node.arguments[0] if node.arguments else None


def each(clause: Clause, make: Callable[[str], str]) -> Clause:
    """Put both conditions of a clause into the same place of a larger one."""
    maybe = make(clause.maybe)
    return Clause(maybe, maybe if clause.sure == clause.maybe else make(clause.sure))


def joined(word: str, clauses: list[Clause]) -> Clause:
    """Join conditions, in halves: SQLite limits the depth of expressions."""
    if len(clauses) == 1:
        return clauses[0]
    middle = len(clauses) // 2
    left, right = joined(word, clauses[:middle]), joined(word, clauses[middle:])
    return Clause(f"({left.maybe}) {word} ({right.maybe})", f"({left.sure}) {word} ({right.sure})")


def among(column: str, queries: list[str]) -> str:
    """Return the condition that a column has a value that one of the queries gives."""
    return f"{column} IN ({' UNION ALL '.join(queries)})" if queries else "0"
