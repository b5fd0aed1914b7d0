"""What a commit did to names and tags, and what is removed: questions of undo and trash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from skypool.catalogue.checks import NAME, TAG, sure
from skypool.catalogue.database import Database
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.text import from_database, to_database

__all__ = [
    "Removed",
    "TrackChange",
    "ever_named",
    "last_name",
    "names_of",
    "newest_number",
    "removed_tracks",
    "tags_changed",
    "tracks_changed",
]

_BATCH = 500


class TrackChange(NamedTuple):
    """How a commit changed what a track is called.

    Attributes
    ----------
    track : int
    before, after : str or None
        Its names before and after; None where it was not in view.
    first : bool
        Whether it had no name ever before.
    """

    track: int
    before: str | None
    after: str | None
    first: bool


class Removed(NamedTuple):
    """A track that was removed: its last name, the commit that removed it."""

    track: int
    name: str
    commit: int


def tracks_changed(database: Database, commit: int) -> list[TrackChange]:
    """Return how a commit changed names, in the order of tracks."""
    rows = database.query(
        f"SELECT {sure(NAME, 'n.track')}, n.name, n.since = :commit, n.until = :commit,"
        " NOT EXISTS (SELECT 1 FROM names m WHERE m.track = n.track AND m.since < n.since)"
        " FROM names n WHERE n.since = :commit OR n.until = :commit ORDER BY n.track",
        {"commit": commit},
    )
    before: dict[int, str] = {}
    after: dict[int, str] = {}
    first: set[int] = set()
    for track, name, begun, ended, is_first in rows:
        if ended:
            before[track] = from_database(name)
        if begun:
            after[track] = from_database(name)
            if is_first:
                first.add(track)
    return [
        TrackChange(track, before.get(track), after.get(track), track in first)
        for track in sorted({*before, *after})
    ]


def tags_changed(database: Database, commit: int) -> list[tuple[str, int, bool]]:
    """Return (tag, version, whether it got or lost it) for what a commit did to tags."""
    rows = database.query(
        f"SELECT {sure(TAG, 'tag')}, urn, since = :commit FROM tags t"
        " WHERE since = :commit OR until = :commit ORDER BY t.tag, urn",
        {"commit": commit},
    )
    return [(from_database(tag), urn, bool(begun)) for tag, urn, begun in rows]


def last_name(database: Database, track: int) -> tuple[str, int, int | None]:
    """Return the last name of a track, since when, and the commit that ended it or None."""
    rows = database.query(
        f"SELECT {sure(NAME, 'name')}, since, until FROM names n WHERE track = ?"
        " ORDER BY since DESC LIMIT 1",
        (track,),
    )
    if not rows:
        return "", 0, 0
    name, since, until = rows[0]
    return from_database(name), since, None if until == FOREVER else until


def removed_tracks(database: Database, at: int) -> list[Removed]:
    """Return what was removed and did not come back since, the last removed first."""
    rows = database.query(
        f"SELECT {sure(NAME, 'n.track')}, n.name, n.until FROM names n WHERE n.removed"
        " AND n.until <= :at AND NOT EXISTS (SELECT 1 FROM names m WHERE m.track = n.track"
        " AND m.since >= n.until AND m.since <= :at) ORDER BY n.until DESC, n.name",
        {"at": at},
    )
    return [Removed(track, from_database(name), until) for track, name, until in rows]


def names_of(database: Database, track: int) -> list[str]:
    """Return the names that a track has or had, the newest first."""
    rows = database.query(
        f"SELECT {sure(NAME, 'name')}, since FROM names n WHERE track = ? ORDER BY since DESC",
        (track,),
    )
    return list(dict.fromkeys(from_database(name) for name, _ in rows))


def ever_named(database: Database, names: Sequence[str]) -> set[str]:
    """Return those of some names that a track has or had."""
    found: set[str] = set()
    for start in range(0, len(names), _BATCH):
        part = [to_database(name) for name in names[start : start + _BATCH]]
        marks = ",".join("?" * len(part))
        rows = database.query(f"SELECT DISTINCT name FROM names WHERE name IN ({marks})", part)
        found.update(from_database(name) for (name,) in rows)
    return found


def newest_number(database: Database) -> int:
    """Return the number of the newest version, 0 where there is none."""
    ((number,),) = database.query("SELECT coalesce(max(urn), 0) FROM versions")
    return int(number)
