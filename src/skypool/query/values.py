"""The values that queries compare: numbers, texts, times, quantities and places.

A value is a ``bool``, ``int``, ``float``, ``str``, an aware UTC ``datetime``, one of the small
classes below, a tuple of values, or ``None``: not there, or not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeAlias

from skypool.model.times import as_utc

__all__ = [
    "Amount",
    "Kind",
    "Period",
    "Position",
    "Scalar",
    "Value",
    "convert_bound",
    "parse_number",
    "parse_position",
    "parse_quantity",
    "parse_time",
]

MAX_UNIT: Final = 64
MAX_BOUND: Final = 100_000
MAX_BITS: Final = 1_300


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with a unit: a parameter that has one, or a quoted quantity.

    Parameters
    ----------
    value
        The number.
    unit
        Text of the unit, never empty.
    """

    value: int | float
    unit: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the sky.

    Parameters
    ----------
    ra, dec
        Right ascension and declination, degrees, ICRS.
    """

    ra: float
    dec: float


@dataclass(frozen=True, slots=True)
class Period:
    """A year, a month or a day, from its first to before the first instant of the next.

    Parameters
    ----------
    text
        ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``.
    start, end
        UTC; the end is not part of it.
    """

    text: str
    start: datetime
    end: datetime


class Kind(str):
    """The kind of a product: equal to every kind that it is a sub-kind of."""

    __slots__ = ()


Scalar: TypeAlias = bool | int | float | str | datetime | Amount | Position | Period
Value: TypeAlias = Scalar | tuple[Any, ...] | None

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_PAIR = re.compile(r"[\s,]+")
_SEXAGESIMAL = re.compile(
    r"([+-]?)([0-9]{1,3})(?:[hd:°\s])([0-9]{1,2})(?:[m:'′\s])([0-9]{1,2}(?:\.[0-9]*)?)(?:[s\"″])?"
)


def _number(text: str) -> int | float | None:
    if len(text) > 400:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None


def parse_number(text: str) -> int | float | None:
    """Read a text that is a decimal number and nothing else, else None."""
    if len(text) > 400 or not text.isascii():
        return None
    match = _NUMBER.match(text)
    if match is None or text[match.end() :].strip():
        return None
    return _number(match.group())


@lru_cache(maxsize=512)
def parse_quantity(text: str) -> Amount | None:
    """Read a text that is a number and a unit, such as ``250 um``, else None."""
    if len(text) > 400 + MAX_UNIT:
        return None
    match = _NUMBER.match(text)
    if match is None:
        return None
    unit = text[match.end() :].strip()
    number = _number(match.group())
    if number is None or not 0 < len(unit) <= MAX_UNIT:
        return None
    if not (unit[0].isalpha() or unit[0] in "%°"):
        return None
    return Amount(number, unit)


@lru_cache(maxsize=512)
def parse_time(text: str) -> datetime | Period | None:
    """Read ISO 8601 text.

    A text with a time of day is an instant (UTC unless it says otherwise); one without is the
    whole year, month or day. Anything else is None.
    """
    if len(text) > 40 or not text[:4].isdigit() or not text.isascii():
        return None
    try:
        if match := _PERIOD.fullmatch(text):
            return _period(*match.groups())
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _period(year: str, month: str | None, day: str | None) -> Period:
    start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    text = "-".join(part for part in (year, month, day) if part)
    try:
        if day:
            end = start + timedelta(days=1)
        elif month:
            end = (start + timedelta(days=32)).replace(day=1)
        else:
            end = start.replace(year=start.year + 1)
    except (OverflowError, ValueError):  # the last year of the calendar
        end = datetime.max.replace(tzinfo=UTC)
    return Period(text, start, end)


def _angle(text: str) -> tuple[float, bool] | None:
    """Degrees (or hours) of one coordinate, and whether it was sexagesimal."""
    number = parse_number(text)
    if number is not None:
        return float(number), False
    match = _SEXAGESIMAL.fullmatch(text.strip())
    if match is None:
        return None
    sign, whole, minutes, seconds = match.groups()
    if int(minutes) >= 60 or float(seconds) >= 60:
        return None
    size = int(whole) + int(minutes) / 60 + float(seconds) / 3600
    return (-size if sign == "-" else size), True


def parse_position(text: str) -> Position | None:
    """Read a place on the sky, ICRS, else None.

    ``201.365 -43.019`` is degrees; ``13:25:27.6 -43:01:09`` and ``13h25m27.6s -43d01m09s`` are
    hours and degrees; the parts of each may also be set apart by blanks.
    """
    if len(text) > 100:
        return None
    parts = [part for part in _PAIR.split(text.strip()) if part]
    if len(parts) == 6:
        parts = [" ".join(parts[:3]), " ".join(parts[3:])]
    if len(parts) != 2:
        return None
    first, second = _angle(parts[0]), _angle(parts[1])
    if first is None or second is None:
        return None
    hours = first[1] and not re.search("[d°]", parts[0])
    ra = first[0] * 15 if hours else first[0]
    if not -360 <= ra <= 360 or not -90 <= second[0] <= 90:
        return None
    return Position(ra % 360.0, second[0])


def convert_bound(value: object) -> Value:
    """Make a value of the language from what a program bound to a ``$name``.

    Takes numbers, texts, dates, numpy scalars and arrays, lists, sets, astropy ``Time``,
    ``Quantity`` and ``SkyCoord``, and anything with a ``urn``, such as a Ref.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If it is a list of more than 100,000 values, or text that no file could hold.
    """
    if value is None or isinstance(value, bool | Amount | Position | Period):
        return value
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            msg = "an integer of that size"
            raise ValueError(msg)
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        value.encode("utf-8")  # a lone surrogate is a ValueError
        return str(value)
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, date):
        return parse_time(value.isoformat())
    return _convert_object(value)


def _convert_object(value: Any) -> Value:
    # astropy's and numpy's objects are known by what they offer: neither is imported for it
    if isinstance(urn := getattr(value, "urn", None), str):
        return urn
    if hasattr(value, "icrs"):
        place = value.icrs
        if getattr(place, "isscalar", True):
            return Position(float(place.ra.deg), float(place.dec.deg))
        pairs = zip(place.ra.deg.ravel().tolist(), place.dec.deg.ravel().tolist(), strict=True)
        return _several(Position(ra, dec) for ra, dec in pairs)
    if hasattr(value, "to_datetime") and hasattr(value, "utc"):
        moments = value.utc.to_datetime(timezone=UTC)
        return convert_bound(moments)
    if hasattr(value, "unit") and hasattr(value, "value"):
        numbers, unit = convert_bound(value.value), str(value.unit)
        if isinstance(numbers, tuple):
            return tuple(Amount(number, unit) if unit else number for number in numbers)
        if isinstance(numbers, int | float):
            return Amount(numbers, unit) if unit else numbers
        raise TypeError(type(value).__name__)
    if hasattr(value, "tolist"):
        return convert_bound(value.tolist())
    if isinstance(value, list | tuple | set | frozenset | range):
        ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return _several(convert_bound(item) for item in ordered)
    raise TypeError(type(value).__name__)


def _several(values: Iterable[Value]) -> tuple[Value, ...]:
    found: list[Value] = []
    for value in values:
        found.append(value)
        if len(found) > MAX_BOUND:
            msg = f"more than {MAX_BOUND:,} values"
            raise ValueError(msg)
    return tuple(found)
