"""Times as HCSS counts them: microseconds of TAI since 1958."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import total_ordering
from typing import Any

from skypool.errors import UsageError
from skypool.hipe.bean import Bean
from skypool.model.attributes.times import to_tai, to_utc
from skypool.model.times import as_utc

__all__ = ["FineTime"]

_EPOCH = datetime(1958, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@total_ordering
class FineTime(Bean):
    """A time, as microseconds of TAI since 1958-01-01.

    Parameters
    ----------
    time
        Microseconds, a `datetime` or `date` (UTC where it says nothing else), an
        `astropy.time.Time`, ISO 8601 text (UTC), or another one. By default now.

    Notes
    -----
    Before 1972 UTC is taken as TAI. Pools keep UTC without leap seconds: a time within one
    becomes the same fraction of the second after it there.
    """

    __slots__ = ("_us",)

    def __init__(self, time: Any = None) -> None:
        if isinstance(time, FineTime):
            self._us: int = time._us
        elif isinstance(time, bool) or not (isinstance(time, int) or hasattr(time, "__index__")):
            self._us = (to_tai(_utc(time)) - _EPOCH) // _MICROSECOND
        else:
            self._us = int(time)

    def microsecondsSince1958(self) -> int:
        """Return the microseconds of TAI since 1958-01-01."""
        return self._us

    @property
    def utc(self) -> datetime:
        """The time of UTC.

        Raises
        ------
        UsageError
            If it is before the year 1 or after 9999.
        """
        try:
            return to_utc(_EPOCH + self._us * _MICROSECOND, "TAI")
        except OverflowError:
            raise UsageError(f"{self._us} us since 1958 is no time between 0001 and 9999") from None

    def toDate(self) -> datetime:
        """Return the time of UTC."""
        return self.utc

    def subtract(self, other: Any) -> int:
        """Return the microseconds since another time."""
        return self._us - FineTime(other)._us

    def addMicroSeconds(self, count: int) -> FineTime:
        """Return the time so many microseconds later."""
        return FineTime(self._us + int(count))

    def compareTo(self, other: Any) -> int:
        """Return -1, 0 or 1 if this is before, at or after another time."""
        difference = self.subtract(other)
        return (difference > 0) - (difference < 0)

    def before(self, other: Any) -> bool:
        """Say whether this is before another time."""
        return self.subtract(other) < 0

    def after(self, other: Any) -> bool:
        """Say whether this is after another time."""
        return self.subtract(other) > 0

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, FineTime | date):
            return self.subtract(other)
        return FineTime(self._us - int(other))

    def __add__(self, other: Any) -> FineTime:
        return FineTime(self._us + int(other))

    def _other(self, other: Any) -> int | None:
        # A number is microseconds, as in the queries that old scripts put together.
        if isinstance(other, int | float) and not isinstance(other, bool):
            return other  # type: ignore[return-value]
        return FineTime(other)._us if isinstance(other, FineTime | date) else None

    def __eq__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is None else self._us == found

    def __lt__(self, other: object) -> bool:
        found = self._other(other)
        return NotImplemented if found is None else self._us < found

    def __hash__(self) -> int:
        return hash(self._us)

    def __int__(self) -> int:
        return self._us

    def toString(self) -> str:
        """Return the time of TAI and the microseconds, as HCSS prints them."""
        return str(self)

    def __str__(self) -> str:
        try:
            text = (_EPOCH + self._us * _MICROSECOND).replace(tzinfo=None)
        except OverflowError:
            return f"TAI ({self._us})"
        return f"{text.isoformat(timespec='microseconds')} TAI ({self._us})"

    def __repr__(self) -> str:
        return f"FineTime({self._us})"


def _utc(time: Any) -> datetime:
    if time is None:
        return datetime.now(UTC)
    if isinstance(time, date):
        return as_utc(time)
    if isinstance(time, str):
        try:
            return as_utc(datetime.fromisoformat(time.strip()))
        except ValueError:
            raise UsageError(
                f"{time!r} is no time", hint="write YYYY-MM-DDThh:mm:ss.ffffff (UTC)"
            ) from None
    if hasattr(time, "isscalar") and hasattr(time, "utc"):
        from skypool.model.times import astropy_time

        return astropy_time(time)
    raise UsageError(f"a {type(time).__name__} is no time")
