"""Commits as users see them, and times as they write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from skypool.catalogue.interface import CommitRow
from skypool.catalogue.times import time_of
from skypool.errors import NotFound, UsageError

if TYPE_CHECKING:
    from skypool.catalogue.identity import Identity

__all__ = ["Commit", "commit_number"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_SECOND = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(Z|[+-]\d\d:?\d\d)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change of a pool.

    Attributes
    ----------
    number : int
        1, 2, 3 ... without a gap.
    time : datetime
        UTC.
    author, message : str
    changes : mapping
        Number of `versions`, `names`, `tags` and `hidden` that it changed.
    """

    number: int
    time: datetime
    author: str
    message: str
    changes: Mapping[str, int]

    @classmethod
    def of(cls, row: CommitRow) -> Commit:
        """Make one of what the catalogue holds."""
        return cls(row.number, time_of(row.time_us), row.author, row.message, row.changes)


def commit_number(identity: Identity, when: int | str | date) -> int:
    """Return the commit that a number or time means.

    Parameters
    ----------
    identity
        The catalogue.
    when
        Number of a commit; a date (its end, UTC), or a time (UTC where no zone is given).
        A time to the minute or second means its end.

    Raises
    ------
    NotFound
        If there is no such commit, or none before that time.
    UsageError
        If it is neither.
    """
    head = identity.head()
    if isinstance(when, str) and when.isascii() and when.isdigit():
        when = int(when)
    if isinstance(when, int) and not isinstance(when, bool):
        if not head:
            raise NotFound("the pool has no commit yet", hint="`skypool add` makes the first one")
        if not 1 <= when <= head:
            raise NotFound(
                f"there is no commit {when}; the pool has 1 to {head}",
                hint="`skypool history` lists them",
            )
        return when
    moment = _moment(when)
    found = identity.commit_at((moment - _EPOCH) // timedelta(microseconds=1))
    if not found:
        raise NotFound(f"the pool has no commit up to {when}")
    return found


def _moment(when: object) -> datetime:
    """Return the last microsecond that a text or time means."""
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    if isinstance(when, date):
        return _moment(when.isoformat())
    text = when.strip() if isinstance(when, str) else ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{when!r} is neither a commit's number nor a time",
            hint="times are written 2026-11-01 or 2026-11-01T12:30, UTC",
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    for pattern, span in (
        (_DATE, timedelta(days=1)),
        (_MINUTE, timedelta(minutes=1)),
        (_SECOND, timedelta(seconds=1)),
    ):
        if pattern.fullmatch(text):
            found += span - timedelta(microseconds=1)
    return found
