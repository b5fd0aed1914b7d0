"""Times as the catalogue has them: microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["microseconds", "time_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(microseconds: int) -> datetime:
    """Return the UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(moment: str) -> int:
    """Return the microseconds since 1970 of a time as records have it."""
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)
