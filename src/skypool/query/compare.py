"""How values compare: the one definition that every driver follows.

Truth has three values: True, False and None, for "not known". Comparing with what is not there,
or is NaN, is not known; so is the order of values that have none (a number and a word). Those are
not equal either, which is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from skypool.model.kinds import is_kind
from skypool.model.units import parse_unit
from skypool.query.values import (
    Amount,
    Kind,
    Period,
    Value,
    parse_number,
    parse_quantity,
    parse_time,
)

__all__ = [
    "Truth",
    "all_of",
    "any_of",
    "as_text",
    "canonical_time",
    "compare",
    "conversion",
    "like",
    "negated",
    "relation",
    "truth_of",
]

Truth: TypeAlias = bool | None

# Conversion of units multiplies and divides; what differs less than this is rounding.
ROUNDING: Final = 1e-9
_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_HOLDS: Final = {
    "==": ("==",),
    "<": ("<",),
    "<=": ("<", "=="),
    ">": (">",),
    ">=": (">", "=="),
}


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether any holds; not known if none does and some are not known."""
    found: Truth = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            found = None
    return found


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all hold; not known if none fails and some are not known."""
    found: Truth = True
    for truth in truths:
        if truth is None:
            found = None
        elif not truth:
            return False
    return found


def negated(truth: Truth) -> Truth:
    """Return the opposite; what is not known stays so."""
    return None if truth is None else not truth


def truth_of(value: Value) -> Truth:
    """Return a value as a condition: numbers are true unless zero, texts are neither."""
    if isinstance(value, Amount):
        value = value.value
    if isinstance(value, bool | int | float):
        return None if value != value else bool(value)
    return None


def canonical_time(value: datetime) -> str:
    """Write a time as catalogues and documents do: ``YYYY-MM-DDThh:mm:ss.ffffffZ``."""
    moment = value.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def as_text(value: Value) -> str | None:
    """Return what text functions see of a value; None where it has no text.

    Whole numbers have their digits, times the form of `canonical_time`; fractions have none,
    since one number has many spellings.
    """
    if isinstance(value, Amount):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value)) if abs(value) < 2**63 else None
    if isinstance(value, datetime):
        return canonical_time(value)
    return value.text if isinstance(value, Period) else None


@lru_cache(maxsize=1024)
def conversion(have: str, want: str) -> float | None:
    """Return the factor from one unit to another, None where there is none.

    astropy is loaded for it, once two units differ as texts.
    """
    if have == want:
        return 1.0
    first, second = parse_unit(have), parse_unit(want)
    if first is None or second is None or isinstance(first, str) or isinstance(second, str):
        return None
    from astropy import units

    try:
        factor = float(first.to(second))
    except (units.UnitsError, TypeError, ValueError, OverflowError):
        return None  # not of the same kind, or no mere factor (magnitudes)
    return factor if math.isfinite(factor) and factor > 0 else None


def compare(operator: str, left: Value, right: Value) -> Truth:
    """Compare two values.

    Parameters
    ----------
    operator
        One of ``== != < <= > >=``.
    left, right
        The values.
    """
    if operator == "!=":
        return negated(compare("==", left, right))
    found = relation(left, right)
    if found == "differ":
        return False if operator == "==" else None
    return None if found is None else found in _HOLDS[operator]


def relation(left: Value, right: Value) -> str | None:
    """Return how two values stand to each other.

    Returns
    -------
    str or None
        ``<``, ``==`` or ``>``; ``differ`` where they have no order; None where it is not known.
    """
    if _is_unknown(left) or _is_unknown(right):
        return None
    left, right = _normal(left), _normal(right)
    if isinstance(left, int | float | Amount):
        if isinstance(right, int | float | Amount):
            return _numbers(left, right)
        return _number_text(left, right) if isinstance(right, str) else "differ"
    if isinstance(right, int | float | Amount):
        return _turned(_number_text(right, left)) if isinstance(left, str) else "differ"
    if isinstance(left, str) and isinstance(right, str):
        return _texts(left, right)
    if isinstance(left, datetime | Period | str) and isinstance(right, datetime | Period | str):
        return _times(left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        same = len(left) == len(right) and all(
            compare("==", one, other) for one, other in zip(left, right, strict=True)
        )
        return "==" if same else "differ"
    return "==" if left == right else "differ"


def _is_unknown(value: Value) -> bool:
    """Say whether there is no value: none at all, or NaN, whatever it is compared with."""
    number = value.value if isinstance(value, Amount) else value
    return number is None or (isinstance(number, float) and math.isnan(number))


def _normal(value: Value) -> Value:
    # a time and its canonical text are one value, as they are in a catalogue
    if isinstance(value, str) and len(value) == 27 and _CANONICAL.fullmatch(value):
        moment = parse_time(value)
        return value if moment is None else moment
    return value


def _order(left: object, right: object) -> str:
    if left == right:
        return "=="
    return "<" if left < right else ">"  # type: ignore[operator] # both of one orderable type


def _turned(found: str | None) -> str | None:
    return {"<": ">", ">": "<"}.get(found or "", found)


def _numbers(left: int | float | Amount, right: int | float | Amount) -> str | None:
    first = left.value if isinstance(left, Amount) else left
    second = right.value if isinstance(right, Amount) else right
    if first != first or second != second:
        return None
    if isinstance(left, Amount) and isinstance(right, Amount) and left.unit != right.unit:
        factor = conversion(left.unit, right.unit)
        if factor is None:
            return "differ"
        try:
            first = first * factor
            if math.isclose(first, second, rel_tol=ROUNDING):
                return "=="
        except OverflowError:
            pass  # an integer beyond all floats compares as it is
    return _order(first, second)


def _number_text(number: int | float | Amount, text: str) -> str | None:
    parsed = parse_number(text)
    if parsed is not None:
        return _numbers(number, parsed)
    amount = parse_quantity(text) if isinstance(number, Amount) else None
    return _numbers(number, amount) if amount is not None else "differ"


def _texts(left: str, right: str) -> str:
    if type(left) is Kind or type(right) is Kind:
        return _kinds(left, right)
    if _dated(left) and _dated(right):
        first, second = parse_time(left), parse_time(right)
        if first is not None and second is not None:
            return _moments(first, second)
    return _order(left, right)


def _kinds(left: str, right: str) -> str:
    if left == right:
        return "=="
    kind, wanted = (left, right) if type(left) is Kind else (right, left)
    if is_kind(kind, wanted) or (type(wanted) is Kind and is_kind(wanted, kind)):
        return "=="
    return "<" if left < right else ">"


def _dated(text: str) -> bool:
    return len(text) >= 10 and text[4] == "-" and text[:4].isdigit()


def _times(left: datetime | Period | str, right: datetime | Period | str) -> str:
    first = parse_time(left) if isinstance(left, str) else left
    second = parse_time(right) if isinstance(right, str) else right
    if first is None or second is None:
        return "differ"
    return _moments(first, second)


def _moments(left: datetime | Period, right: datetime | Period) -> str:
    """Compare instants and periods: an instant within a period equals it."""
    if isinstance(left, Period):
        if isinstance(right, Period):
            if left.end <= right.start:
                return "<"
            return ">" if right.end <= left.start else "=="
        return _turned(_moments(right, left)) or "=="
    if isinstance(right, Period):
        if left < right.start:
            return "<"
        return ">" if left >= right.end else "=="
    return _order(left, right)


def like(text: str, pattern: str) -> bool:
    r"""Tell whether a whole text fits a pattern, whatever its case.

    ``%`` and ``*`` stand for any characters, ``_`` and ``?`` for one; a backslash takes the
    meaning of the next. Case is folded first, so ``ß`` counts as two characters.
    """
    first, *others = _pattern(pattern)
    text = text.casefold()
    if not others:
        return len(text) == len(first) and _fits(text, first, 0)
    *middle, last = others
    if not _fits(text, first, 0):
        return False
    place = len(first)
    for run in middle:  # the first place that fits leaves the most room for the rest
        place = _find(text, run, place)
        if place < 0:
            return False
        place += len(run)
    return place <= len(text) - len(last) and _fits(text, last, len(text) - len(last))


Run: TypeAlias = tuple[str | None, ...]


def _fits(text: str, run: Run, place: int) -> bool:
    if len(run) > len(text) - place:
        return False
    return all(
        wanted is None or wanted == text[place + number] for number, wanted in enumerate(run)
    )


def _find(text: str, run: Run, start: int) -> int:
    if None not in run:
        return text.find("".join(letter or "" for letter in run), start)
    places = range(start, len(text) - len(run) + 1)
    return next((place for place in places if _fits(text, run, place)), -1)


@lru_cache(maxsize=128)
def _pattern(pattern: str) -> tuple[Run, ...]:
    """Cut a pattern at its runs of any characters; None stands for one character."""
    runs: list[list[str | None]] = [[]]
    escaped = False
    for letter in pattern:
        if not escaped and letter == "\\":
            escaped = True
            continue
        if not escaped and letter in "%*":
            runs.append([])
        elif not escaped and letter in "_?":
            runs[-1].append(None)
        else:
            runs[-1].extend(letter.casefold())
        escaped = False
    if escaped:
        runs[-1].append("\\")
    middle = [tuple(run) for run in runs[1:-1] if run]
    if len(runs) == 1:
        return (tuple(runs[0]),)
    return (tuple(runs[0]), *middle, tuple(runs[-1]))
