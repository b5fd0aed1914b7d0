"""Times of metadata: UTC, microseconds, aware; and those of Herschel, which count TAI."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

__all__ = ["as_utc", "fine_time", "format_utc", "tai_to_utc", "time_of_fine_time"]

# The first days with one second more between TAI and UTC (IERS, Bulletin C): 10 s before 1972-07.
_LEAPS = tuple(
    datetime(year, month, 1, tzinfo=UTC)
    for year, month in (
        *((1972, 7), (1973, 1), (1974, 1), (1975, 1), (1976, 1), (1977, 1), (1978, 1), (1979, 1)),
        *((1980, 1), (1981, 7), (1982, 7), (1983, 7), (1985, 7), (1988, 1), (1990, 1), (1991, 1)),
        *((1992, 7), (1993, 7), (1994, 7), (1996, 1), (1997, 7), (1999, 1), (2006, 1), (2009, 1)),
        *((2012, 7), (2015, 7), (2017, 1)),
    )
)
_TAI_LEAPS = tuple(leap + timedelta(seconds=11 + number) for number, leap in enumerate(_LEAPS))
_FINE_TIME_ZERO = datetime(1958, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def tai_to_utc(tai: datetime) -> datetime:
    """Return the UTC time of a TAI time; the second before for one within a leap second."""
    number = bisect_right(_TAI_LEAPS, tai)
    utc = tai - timedelta(seconds=10 + number)
    if number < len(_LEAPS) and utc >= _LEAPS[number]:
        utc = _LEAPS[number] - _MICROSECOND
    return utc


def fine_time(utc: datetime) -> int:
    """Return the FineTime of HCSS: microseconds of TAI since 1958.

    Parameters
    ----------
    utc
        An aware time.
    """
    tai = as_utc(utc) + timedelta(seconds=10 + bisect_right(_LEAPS, utc))
    return (tai - _FINE_TIME_ZERO) // _MICROSECOND


def time_of_fine_time(microseconds: int) -> datetime:
    """Return the UTC time of a FineTime of HCSS (microseconds of TAI since 1958).

    Raises
    ------
    OverflowError
        If it is outside of the years 1 to 9999.
    """
    return tai_to_utc(_FINE_TIME_ZERO + timedelta(microseconds=microseconds))


def as_utc(value: date) -> datetime:
    """Return a time as an aware UTC `datetime`.

    Parameters
    ----------
    value
        A `datetime` (naive ones are UTC already) or a `date` (its first moment).
    """
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if value.tzinfo is UTC and type(value) is datetime and not value.fold:
        return value
    moved = value.replace(tzinfo=UTC) if value.utcoffset() is None else value.astimezone(UTC)
    # A sub-class (such as pandas.Timestamp) becomes a plain datetime; its nanoseconds go.
    return datetime(
        moved.year, moved.month, moved.day, moved.hour, moved.minute, moved.second,
        moved.microsecond, UTC,
    )  # fmt: skip


def astropy_time(value: Any) -> datetime:
    """Return one `astropy.time.Time` as UTC.

    Raises
    ------
    ValueError
        If it is an array, or falls into a leap second, which `datetime` cannot hold.
    """
    if not value.isscalar:
        raise ValueError("an array of times is not one value")
    found: datetime = value.utc.to_datetime(timezone=UTC)
    return as_utc(found)


def format_utc(value: datetime) -> str:
    """Return a UTC time as text as FITS writes it, `YYYY-MM-DDThh:mm:ss.ffffff`.

    FITS 4.0 section 9.1.1; a time zone suffix is not allowed there.
    """
    return value.replace(tzinfo=None).isoformat(timespec="microseconds")
