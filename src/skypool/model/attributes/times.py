"""Times as headers write them, as UTC: dates of both styles, MJD, JD, seconds since an epoch.

Time scales other than UTC need leap seconds. The table below is all there were; it is here, since
astropy's would make every product wait for its import, and give another answer with newer data.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["from_days", "from_text", "to_tai", "to_utc"]

_EPOCH: Final = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_EPOCH: Final = 2400000.5
# The days (MJD) from which TAI - UTC is 10, 11, ... 37 s (IERS Bulletin C).
_STEPS: Final = (
    41317, 41499, 41683, 42048, 42413, 42778, 43144, 43509, 43874, 44239, 44786, 45151, 45516,
    46247, 47161, 47892, 48257, 48804, 49169, 49534, 50083, 50630, 51179, 53736, 54832, 56109,
    57204, 57754,
)  # fmt: skip
# Seconds to TAI; barycentric times differ by less than 2 ms from terrestrial ones.
_TO_TAI: Final = {
    "TAI": 0.0, "IAT": 0.0, "GPS": 19.0,
    "TT": -32.184, "TDT": -32.184, "ET": -32.184, "TDB": -32.184,
}  # fmt: skip
_OLD: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})\Z")
_SLASHES: Final = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(.*)\Z", re.DOTALL)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)Z?\Z")


def to_utc(moment: datetime, scale: str) -> datetime:
    """Return a time of another scale as UTC; scales that are not known are taken as UTC."""
    offset = _TO_TAI.get(scale.strip().upper().partition("(")[0])
    if offset is None:
        return moment
    try:
        atomic = moment + timedelta(seconds=offset)
    except OverflowError:  # the first or the last minute that there is
        return moment
    # the table has days of UTC, which the first guess is at most 37 s away from
    guess = atomic - timedelta(seconds=_leap_seconds(atomic))
    return atomic - timedelta(seconds=_leap_seconds(guess))


def to_tai(moment: datetime) -> datetime:
    """Return a time of UTC on the scale of TAI; before 1972 the two are taken as one.

    Raises
    ------
    OverflowError
        In the last seconds that there are.
    """
    return moment + timedelta(seconds=_leap_seconds(moment))


def _leap_seconds(moment: datetime) -> int:
    count = bisect_right(_STEPS, (moment - _EPOCH) / timedelta(days=1))
    return 9 + count if count else 0


def from_days(days: float, rest: float = 0.0, *, julian: bool = False) -> datetime | None:
    """Return the time of a modified Julian date, to the millisecond.

    Parameters
    ----------
    days
        The date.
    rest
        Days that are added.
    julian
        Whether it is a Julian date.
    """
    if not (math.isfinite(days) and math.isfinite(rest)):
        return None
    if julian:
        days -= _JD_OF_EPOCH
    whole = math.floor(days)
    try:
        milliseconds = round(((days - whole) + rest) * 86_400_000)
        return _EPOCH + timedelta(days=whole, milliseconds=milliseconds)
    except OverflowError:
        return None


def from_text(date: str, clock: str = "") -> datetime | None:
    """Return the time that a text stands for, None where it is none.

    Parameters
    ----------
    date
        ISO 8601, or `DD/MM/YY` of the years before 2000, or `YYYY/MM/DD`.
    clock
        Time of day, used if the date has none.
    """
    date = date.strip()
    old = _OLD.match(date)
    if old is not None:
        date = f"19{old[3]}-{int(old[2]):02}-{int(old[1]):02}"
    slashes = _SLASHES.match(date)
    if slashes is not None:
        date = f"{slashes[1]}-{int(slashes[2]):02}-{int(slashes[3]):02}{slashes[4]}"
    if len(date) < 10 or date[4] != "-":
        return None
    try:
        found = datetime.fromisoformat(date)
        if len(date) == 10:
            return _at(found.replace(tzinfo=UTC), clock)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _at(day: datetime, clock: str) -> datetime:
    match = _CLOCK.match(clock.strip())
    if match is None:
        return day
    seconds = float(match[3])
    if int(match[1]) > 23 or int(match[2]) > 59 or seconds >= 61.0:
        return day
    return day + timedelta(
        hours=int(match[1]), minutes=int(match[2]), microseconds=round(seconds * 1e6)
    )
