"""Which documents have a metadata value of some kind: questions to the inverted table.

A question is a test of single values. Numbers and texts that SQL orders as `skypool.query.compare`
does are compared by SQL; everything else by that very function, called from SQL on the rows that
the index leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from skypool.catalogue.schema import TEXT_LIMIT
from skypool.catalogue.text import from_database, to_database
from skypool.query.compare import Truth, as_text, canonical_time, compare, like
from skypool.query.members import Members
from skypool.query.tree import Literal
from skypool.query.values import (
    Amount,
    Period,
    Value,
    parse_number,
    parse_quantity,
    parse_time,
)

__all__ = ["Part", "compare_parts", "list_parts", "text_parts", "text_test", "truth_parts"]

Test = Callable[[Value], Truth]

NUMBERS: Final = "t.value < ''"
TEXTS: Final = "t.value >= '' AND t.value < x''"
# the form in which times are stored; SQL compares them as texts
_DATE, _TIME = ("-".join("[0-9]" * n for n in (4, 2, 2)), ":".join(["[0-9]" * 2] * 3))
CANONICAL: Final = f"t.value GLOB '{_DATE}T{_TIME}.{'[0-9]' * 6}Z'"
_SAFE: Final = 2**62
_OPPOSITE: Final = {"==": "<>", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SQL: Final = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def _bounded(sign: str, low: str, high: str) -> str:
    """Compare with a value of one type, giving SQLite's index no bound twice.

    Parameters
    ----------
    sign
        The operator in SQL.
    low, high
        Conditions that keep the others out below and above.
    """
    where = f"t.value {sign} ?"
    if sign == "=":
        return where
    if sign == "<>":
        return " AND ".join(bound for bound in (low, high, where) if bound)
    bound = low if sign.startswith("<") else high
    return f"{bound} AND {where}" if bound else where


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one key that may answer a question.

    Parameters
    ----------
    where
        Condition on the row ``t``, with ``?`` for its parameters.
    parameters
        Their values.
    test
        What decides about each of them; None where the condition does.
    cut
        Whether the test can be wrong about text that was cut.
    """

    where: str
    parameters: tuple[Any, ...] = ()
    test: Test | None = None
    cut: bool = False

    def decides(self, value: Any, unit: str, want: bool) -> int:
        """Return 2 if the row answers, 1 if it may, 0 if it does not."""
        if isinstance(value, bytes) or self.test is None:
            return 0
        if isinstance(value, str):
            value = from_database(value)
            if self.cut and len(value) >= TEXT_LIMIT:
                return 1
        elif isinstance(value, float) and abs(value) >= 2.0**63 and math.isfinite(value):
            return 1  # may stand for an integer that no column holds
        elif unit:
            value = Amount(value, unit)
        return 2 if self.test(value) is want else 0


def _constant(value: Value) -> int | float | None:
    """Return the number with which SQL can compare numbers as Python does."""
    if isinstance(value, str):
        value = parse_number(value)
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < _SAFE:
        return int(value) if isinstance(value, bool) else value
    return None


def compare_parts(operator: str, literal: Value, want: bool) -> list[Part]:
    """Return where ``value <operator> literal`` is known to be *want*.

    Parameters
    ----------
    operator
        One of ``== < <= > >=``.
    literal
        What is compared with.
    want
        True or False.
    """

    def test(value: Value) -> Truth:
        return compare(operator, value, literal)

    return [*_numbers(operator, literal, want, test), *_texts(operator, literal, want, test)]


def _numbers(operator: str, literal: Value, want: bool, test: Test) -> list[Part]:
    constant = _constant(literal)
    if constant is not None:
        sign = _SQL[operator] if want else _OPPOSITE[operator]
        return [Part(_bounded(sign, "", NUMBERS), (constant,))]
    united = isinstance(literal, str) and parse_quantity(literal) is not None
    if united or isinstance(literal, bool | int | float | Amount):
        return [Part(NUMBERS, (), test)]
    # what is no number differs from all numbers, and has no order among them
    return [Part(NUMBERS)] if operator == "==" and not want else []


def _texts(operator: str, literal: Value, want: bool, test: Test) -> list[Part]:
    moment = literal if isinstance(literal, datetime | Period) else None
    if isinstance(literal, str):
        moment = parse_time(literal)
        if moment is None and _plain(literal):
            return [_plain_text(operator, literal, want)]
    if moment is not None:
        return _dates(operator, moment, want, test)
    return [Part(TEXTS, (), test, cut=True)]


def _plain(text: str) -> bool:
    """Tell whether SQL orders a text among stored ones as Python does."""
    return len(text) < TEXT_LIMIT and all(character < "\ud800" for character in text)


def _plain_text(operator: str, literal: str, want: bool) -> Part:
    sign = _SQL[operator] if want else _OPPOSITE[operator]
    where = _bounded(sign, "t.value >= ''", "t.value < x''")
    if operator != "==":  # times have no order among other texts
        where += f" AND NOT ({CANONICAL})"
    return Part(where, (to_database(literal),))


def _dates(operator: str, moment: datetime | Period, want: bool, test: Test) -> list[Part]:
    """Compare with a time: stored times by SQL, other texts by the test."""
    start, end = (moment.start, moment.end) if isinstance(moment, Period) else (moment, None)
    first = canonical_time(start)
    # the first text behind all that are in the period
    last = first + "~" if end is None else canonical_time(end)
    below, above = "t.value >= '' AND t.value < ?", "t.value < x'' AND t.value >= ?"
    ranges = {
        ("==", True): ("t.value >= ? AND t.value < ?", (first, last)),
        ("==", False): (f"{TEXTS} AND NOT (t.value >= ? AND t.value < ?)", (first, last)),
        ("<", True): (below, (first,)),
        ("<", False): (above, (first,)),
        ("<=", True): (below, (last,)),
        ("<=", False): (above, (last,)),
        (">", True): (above, (last,)),
        (">", False): (below, (last,)),
        (">=", True): (above, (first,)),
        (">=", False): (below, (first,)),
    }
    where, parameters = ranges[operator, want]
    near = TEXTS
    bounds: tuple[str, ...] = ()
    if operator == "==" and want and 3 < start.year < 9996:
        # every other spelling begins with the year, which zones and weeks shift by one
        near = "t.value >= ? AND t.value < ?"
        bounds = (f"{start.year - 1:04}", f"{(end or start).year + 2:04}")
    return [
        Part(f"{where} AND {CANONICAL}", parameters),
        Part(f"{near} AND NOT ({CANONICAL})", bounds, test, cut=True),
    ]


def list_parts(literals: list[Literal], want: bool) -> list[Part]:
    """Return where ``value in [...]`` is known to be *want*."""
    if want and len(literals) <= 100:
        return [part for item in literals for part in compare_parts("==", item.value, True)]
    return [Part("1", (), Members([item.value for item in literals]).holds, cut=True)]


def text_test(function: str, pattern: str) -> Test:
    """Return ``startswith``, ``contains`` or ``like`` with a pattern, asked of one value."""

    def test(value: Value) -> Truth:
        text = as_text(value)
        if text is None:
            return None
        if function == "startswith":
            return text.startswith(pattern)
        return pattern in text if function == "contains" else like(text, pattern)

    return test


def text_parts(function: str, pattern: str, want: bool) -> list[Part]:
    """Return where ``startswith``, ``contains`` or ``like`` of a value is known to be *want*."""
    test = text_test(function, pattern)
    if function == "startswith" and want and pattern and _plain(pattern):
        start = to_database(pattern)
        texts = Part("t.value >= ? AND t.value < ?", (start, start + "\U0010ffff"), test)
        numeric = pattern[0] in "-0123456789"
        return [Part(NUMBERS, (), test), texts] if numeric else [texts]
    return [Part("1", (), test, cut=True)]


def truth_parts(want: bool) -> list[Part]:
    """Return where a value by itself is known to be true or false: numbers, zero is false."""
    return [Part(f"{NUMBERS} AND t.value {'<>' if want else '='} 0")]
