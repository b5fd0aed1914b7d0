"""Conditions on one metadata key each, whichever way they are answered.

`search_compile` makes SQL of them, `search_drive` asks for the documents of selective ones, and
`search_arrays` looks them up in columns: all by the same parts.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from skypool.catalogue.attributes import ATTRIBUTE_KEYS, BESIDE_KEYS
from skypool.catalogue.extremes import UNKNOWN, extreme_key
from skypool.catalogue.schema import TEXT_LIMIT
from skypool.catalogue.search_clause import attribute_of, key_of, plain_number
from skypool.catalogue.search_terms import (
    Part,
    compare_parts,
    list_parts,
    text_parts,
    text_test,
    truth_parts,
)
from skypool.catalogue.text import to_database
from skypool.model.attributes.names import NUMBERS, TEXTS
from skypool.query.compare import Truth, as_text, compare, truth_of
from skypool.query.members import Members
from skypool.query.tree import Call, Column, Compare, Dataset, ListOf, Literal, Name, Node
from skypool.query.values import Amount, Value

__all__ = [
    "EXTREME",
    "TURNED",
    "KeyCondition",
    "dataset_place",
    "extreme_condition",
    "has_beside",
    "key_condition",
    "some_condition",
    "spellings",
    "stays",
]

TURNED: Final = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
# An element that fulfils a comparison is there only if this extreme fulfils it.
EXTREME: Final = {">": "max", ">=": "max", "<": "min", "<=": "min"}
_OPPOSITE: Final = {"==": "!=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """Where the value of a key is known to fulfil something, or known not to.

    Attributes
    ----------
    key : str
    parts : list of Part
        Rows of the inverted table that answer.
    want : bool
        Whether they fulfil it, or do not.
    attribute : str, optional
        The core attribute that the key means where a product has none of that name.
    unknown : str
        A key whose presence leaves open what the value is; empty for none.
    final : bool
        Whether a row that answers for certain decides; else it only may.
    number : tuple, optional
        Operator and number that a plain comparison with a number consists of, *want* included.
    test
        The same question to one value.
    opposite : KeyCondition, optional
        Where they do fulfil it, if a core attribute may answer beside the key: a product of which
        either value does is none that does not.
    """

    key: str
    parts: list[Part]
    want: bool
    test: Callable[[Value], Truth]
    attribute: str | None = None
    unknown: str = ""
    final: bool = True
    number: tuple[str, float] | None = None
    opposite: KeyCondition | None = None

    def decides(self, value: int | float | str, unit: str) -> int:
        """Return 2 if a value as the catalogue holds it answers, 1 if it may, 0 if not."""
        if isinstance(value, str):
            if len(value) >= TEXT_LIMIT:
                return 1  # it may have been cut
        elif isinstance(value, float) and 2.0**63 <= abs(value) < math.inf:
            return 1  # may stand for an integer that no column holds
        asked: Value = Amount(value, unit) if unit and not isinstance(value, str) else value
        if self.test(asked) is not self.want:
            return 0
        return 2 if self.final else 1


def key_condition(node: Node, want: bool) -> KeyCondition | None:
    """Return the condition that a node is on one key; None if it is something else."""
    found = _condition(node, want)
    if found is not None and not found.want and found.attribute in TEXTS:
        return replace(found, opposite=_condition(node, not want))
    return found


def _condition(node: Node, want: bool) -> KeyCondition | None:
    if isinstance(node, Compare) and len(node.rest) == 1:
        return _compared(node, want)
    if isinstance(node, Call):
        if node.function in ("startswith", "contains", "like"):
            return _of_text(node, want)
        return some_condition(node) if node.function == "any" and want else None
    if (key := key_of(node)) is not None:
        return KeyCondition(key, truth_parts(want), want, truth_of, attribute_of(node))
    return None


def _compared(node: Compare, want: bool) -> KeyCondition | None:
    left, (operator, right) = node.first, node.rest[0]
    if operator in ("!=", "not in"):
        operator, want = "==" if operator == "!=" else "in", not want
    if operator == "in":
        key = key_of(left)
        if key is None or not isinstance(right, ListOf) or not right.items:
            return None
        literals = [item for item in right.items if isinstance(item, Literal)]
        if len(literals) < len(right.items):
            return None
        members = Members([item.value for item in literals])
        parts = list_parts(literals, want)
        return KeyCondition(key, parts, want, members.holds, attribute_of(left))
    if isinstance(left, Literal):
        left, right, operator = right, left, TURNED[operator]
    if not isinstance(right, Literal):
        return None
    if (key := key_of(left)) is not None:
        parts = compare_parts(operator, right.value, want)
        number = _number(operator, right.value, want)
        test = _comparing(operator, right.value)
        return KeyCondition(key, parts, want, test, attribute_of(left), number=number)
    if isinstance(left, Call) and left.function in ("max", "min", "count"):
        place = dataset_place(left.arguments[0]) if len(left.arguments) == 1 else None
        if place is not None:
            return extreme_condition((left.function, *place), (operator, right.value), want)
    return None


def _comparing(operator: str, literal: Value) -> Callable[[Value], Truth]:
    return lambda value: compare(operator, value, literal)


def _number(operator: str, value: Value, want: bool) -> tuple[str, float] | None:
    """Return a comparison that whole arrays of numbers can be put to; texts answer it too."""
    if isinstance(value, bool) or not plain_number(value):
        return None
    assert isinstance(value, int | float)
    return (operator if want else _OPPOSITE[operator]), float(value)


def _of_text(node: Call, want: bool) -> KeyCondition | None:
    left, right = node.arguments
    key = key_of(left)
    pattern = as_text(right.value) if isinstance(right, Literal) else None
    if key is None or pattern is None:
        return None
    parts = text_parts(node.function, pattern, want)
    test = text_test(node.function, pattern)
    return KeyCondition(key, parts, want, test, attribute_of(left))


def dataset_place(node: Node | None) -> tuple[str, str] | None:
    """Return the dataset and the column that a node names."""
    if isinstance(node, Name | Dataset):
        return node.name, ""
    return (node.dataset, node.name) if isinstance(node, Column) else None


def extreme_condition(
    place: tuple[str, str, str], comparison: tuple[str, Value], want: bool, *, final: bool = True
) -> KeyCondition:
    """Return the condition on an extreme of a dataset.

    Parameters
    ----------
    place
        Function, dataset and column.
    comparison
        Operator, and the value to compare with.
    want
        True or False.
    final
        Whether it decides.
    """
    operator, value = comparison
    return KeyCondition(
        extreme_key(*place),
        compare_parts(operator, value, want),
        want,
        _comparing(operator, value),
        unknown=extreme_key(UNKNOWN, *place[1:]),
        final=final,
        number=_number(operator, value, want),
    )


def some_condition(call: Call) -> KeyCondition | None:
    """Return where an element may fulfil the comparison that a function is called with."""
    condition = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(condition, Compare) or len(condition.rest) != 1:
        return None
    left, (operator, right) = condition.first, condition.rest[0]
    if isinstance(left, Literal):
        left, right, operator = right, left, TURNED.get(operator, "")
    place = dataset_place(left)
    if place is None or not isinstance(right, Literal) or operator not in EXTREME:
        return None
    comparison = operator, right.value
    return extreme_condition((EXTREME[operator], *place), comparison, True, final=False)


def spellings(
    connection: sqlite3.Connection, condition: KeyCondition
) -> tuple[list[int], set[int]]:
    """Return the numbers of all spellings of a key, and of those that mean a product's own value.

    That is the spelling that was asked for, or the only one there is; and the core attribute,
    in place of it or beside it.
    """
    rows = connection.execute(
        "SELECT id, name FROM keys WHERE folded = ?", (to_database(condition.key.casefold()),)
    ).fetchall()
    numbers = [number for number, _ in rows]
    exact = {number for number, name in rows if name == to_database(condition.key)}
    own = exact or (set(numbers) if len(numbers) == 1 else set())
    if condition.attribute is not None:
        attribute = ATTRIBUTE_KEYS[condition.attribute]
        numbers.append(attribute)
        own = {*own, attribute}
        if has_beside(connection, condition):
            numbers.append(BESIDE_KEYS[condition.attribute])
            own.add(BESIDE_KEYS[condition.attribute])
    return numbers, own


def has_beside(connection: sqlite3.Connection, condition: KeyCondition) -> bool:
    """Tell whether the core attribute of a condition answers beside own keys of any product."""
    number = BESIDE_KEYS.get(condition.attribute or "")
    if number is None:
        return False
    sql = "SELECT EXISTS (SELECT 1 FROM slots WHERE key = ?)"
    return bool(connection.execute(sql, (number,)).fetchone()[0])


def stays(attribute: str) -> str:
    """Return the condition that a row does not give way to a core attribute (`gives_way`)."""
    # Times are texts here.
    return "typeof(t.value) <> 'text'" if attribute in NUMBERS else "t.value IS NOT 'Unknown'"
