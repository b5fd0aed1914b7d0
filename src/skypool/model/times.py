"""Times of metadata: UTC, microseconds, aware; and those of Herschel, which count TAI."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from skypool.model.attributes.times import to_tai, to_utc

__all__ = ["as_utc", "fine_time", "format_utc", "time_of_fine_time"]

_FINE_TIME_ZERO = datetime(1958, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fine_time(utc: datetime) -> int:
    """Return the FineTime of HCSS: microseconds of TAI since 1958.

    Parameters
    ----------
    utc
        A time; a naive one is UTC.
    """
    return (to_tai(as_utc(utc)) - _FINE_TIME_ZERO) // _MICROSECOND


def time_of_fine_time(microseconds: int) -> datetime:
    """Return the UTC time of a FineTime of HCSS (microseconds of TAI since 1958).

    A time within a leap second becomes the same fraction of the second after it.

    Raises
    ------
    OverflowError
        If it is outside of the years 1 to 9999.
    """
    return to_utc(_FINE_TIME_ZERO + microseconds * _MICROSECOND, "TAI")


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
