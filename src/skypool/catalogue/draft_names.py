"""The names of a draft, and the tracks that they continue; there may be millions."""

from __future__ import annotations

import sqlite3
from array import array

from skypool.catalogue.batches import in_batches
from skypool.catalogue.checks import NAME, sure
from skypool.catalogue.draft import PLACEHOLDER, Draft
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.text import to_database

__all__ = ["free_number", "known_tracks", "repeated_names"]

_BATCH = 500


def repeated_names(draft: Draft) -> set[str]:
    """Return the names that occur more than once, and maybe others; there may be millions."""
    hashes: set[int] = set()
    twice: set[int] = set()
    for version in draft.versions:
        found = hash(version.name)
        (twice if found in hashes else hashes).add(found)
    del hashes
    if not twice:
        return set()
    return {v.name for v in draft.versions if v.name is not None and hash(v.name) in twice}


def known_tracks(connection: sqlite3.Connection, draft: Draft) -> array[int]:
    """Return the tracks that the names of a draft continue, by place; 0 where there is none."""
    found = array("q")
    for part in in_batches(draft.versions, _BATCH):
        places: dict[str, list[int]] = {}
        for place, version in enumerate(part, len(found)):
            name = version.name
            if version.track is None and name is not None and not name.startswith(PLACEHOLDER):
                places.setdefault(to_database(name), []).append(place)
        found.extend([0] * len(part))
        # A live name continues its track; else a removed one does. A renamed one does not.
        rows = connection.execute(
            f"SELECT n.name, {sure(NAME, 'n.track')} FROM names n"
            f" WHERE n.name IN ({','.join('?' * len(places))})"
            " AND (n.until = ? OR (n.removed AND NOT EXISTS (SELECT 1 FROM names m"
            " WHERE m.track = n.track AND m.since >= n.until))) ORDER BY n.until, n.since",
            (*places, FOREVER),
        )
        for text, track in rows:
            for place in places[text]:
                found[place] = track
    return found


def free_number(connection: sqlite3.Connection, stem: str) -> int:
    """Return the smallest n such that no track was ever called `stem-n` or higher."""
    low, high = to_database(stem) + "-", to_database(stem) + "."
    rows = connection.execute("SELECT name FROM names WHERE name >= ? AND name < ?", (low, high))
    ends = (name[len(low) :].partition("/")[0] for (name,) in rows)
    return max((int(end) for end in ends if end.isascii() and end.isdigit()), default=0) + 1
