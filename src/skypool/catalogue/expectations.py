"""What the maker of an exclusive commit has seen, checked in the commit's own transaction.

Between the check and the commit no other process can commit: of two that change the same
product from the same state, one succeeds and the other is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from skypool.catalogue.draft import Expectation
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.text import from_database, to_database
from skypool.errors import EditConflict

__all__ = ["check_expectations"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST = (
    "SELECT v.urn, v.version, v.since FROM versions v WHERE v.track = ?"
    " ORDER BY v.version DESC LIMIT 1"
)
# The last commit that changed a track: its versions, names, visibility or tags.
_CHANGED = (
    "SELECT max(number) FROM ("
    " SELECT since AS number FROM versions WHERE track = :track"
    " UNION ALL SELECT since FROM names WHERE track = :track"
    " UNION ALL SELECT until FROM names WHERE track = :track AND until < :forever"
    " UNION ALL SELECT t.since FROM tags t JOIN versions v ON v.urn = t.urn"
    " WHERE v.track = :track"
    " UNION ALL SELECT t.until FROM tags t JOIN versions v ON v.urn = t.urn"
    " WHERE v.track = :track AND t.until < :forever)"
)


def check_expectations(connection: sqlite3.Connection, expected: Iterable[Expectation]) -> None:
    """Check that nothing has changed since it was seen.

    Raises
    ------
    EditConflict
        If something has, with who did it.
    """
    for seen in expected:
        if seen.track is None:
            _check_absent(connection, seen)
        else:
            _check_unchanged(connection, seen, seen.track)


def _check_absent(connection: sqlite3.Connection, seen: Expectation) -> None:
    row = connection.execute(
        "SELECT track FROM names WHERE name = ? AND until = ?", (to_database(seen.name), FOREVER)
    ).fetchone()
    if row is not None:
        _refuse(connection, seen, row[0], f"{seen.name!r} was to be new")


def _check_unchanged(connection: sqlite3.Connection, seen: Expectation, track: int) -> None:
    (changed,) = connection.execute(_CHANGED, {"track": track, "forever": FOREVER}).fetchone()
    newest = connection.execute(_NEWEST, (track,)).fetchone()
    version = None if newest is None else newest[1]
    if (changed or 0) > seen.at or (seen.version is not None and version != seen.version):
        which = "" if seen.version is None else f", at version {seen.version}"
        _refuse(
            connection, seen, track, f"{seen.name!r} was to be as commit {seen.at} had it{which}"
        )


def _refuse(connection: sqlite3.Connection, seen: Expectation, track: int, wanted: str) -> None:
    (number,) = connection.execute(_CHANGED, {"track": track, "forever": FOREVER}).fetchone()
    version = connection.execute(_NEWEST, (track,)).fetchone()[1]
    time_us, author = connection.execute(
        "SELECT time_us, author FROM commits WHERE number = ?", (number,)
    ).fetchone()
    moment = _EPOCH + timedelta(microseconds=time_us)
    who = from_database(author)
    raise EditConflict(
        f"{wanted}; {who} changed it at {moment:%Y-%m-%dT%H:%M:%SZ} in commit {number}, "
        f"it has version {version} now",
        name=seen.name,
        expected=seen.version,
        commit=number,
        author=who,
        time=moment,
        hint="nothing was committed; load the newest version, and make the change again",
    )
