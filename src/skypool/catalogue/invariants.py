"""What holds in every pool at every moment, each under a name.

`verify` reports whatever breaks one of them; the state machine of the tests asks them
after every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from skypool.catalogue.database import Database
from skypool.catalogue.interface import FOREVER

__all__ = ["INVARIANTS", "broken"]

_FOREVER: Final = str(FOREVER)

INVARIANTS: Final[Mapping[str, tuple[str, str]]] = {
    "commits are numbered without a gap": (
        "SELECT number FROM commits c WHERE number > 1"
        " AND NOT EXISTS (SELECT 1 FROM commits b WHERE b.number = c.number - 1)",
        "the commit before {0} is not there",
    ),
    "the head is the last commit": (
        "SELECT s.value, (SELECT coalesce(max(number), 0) FROM commits) FROM state s"
        " WHERE s.key = 'head' AND s.value <> (SELECT coalesce(max(number), 0) FROM commits)",
        "the head is {0}, the last commit {1}",
    ),
    "times of commits increase": (
        "SELECT c.number FROM commits c JOIN commits b ON b.number = c.number - 1"
        " WHERE b.time_us >= c.time_us",
        "commit {0} is not later than the one before",
    ),
    "versions of a track are numbered from 0 without a gap": (
        "SELECT v.urn, v.track, v.version FROM versions v WHERE v.version < 0 OR (v.version > 0"
        " AND NOT EXISTS (SELECT 1 FROM versions w WHERE w.track = v.track"
        " AND w.version = v.version - 1))",
        "urn {0} is version {2} of track {1}, which has none before",
    ),
    "a version is the newest until the next one": (
        f"SELECT v.urn FROM versions v LEFT JOIN versions w ON w.track = v.track"
        f" AND w.version = v.version + 1 WHERE v.until <> coalesce(w.since, {_FOREVER})",
        "urn {0} does not end where the next version begins",
    ),
    "versions come from commits": (
        "SELECT v.urn FROM versions v LEFT JOIN commits c ON c.number = v.since"
        " WHERE c.number IS NULL",
        "urn {0} is of no commit",
    ),
    "versions have a document": (
        "SELECT v.urn FROM versions v LEFT JOIN documents d ON d.id = v.document"
        " WHERE d.id IS NULL",
        "urn {0} has no document",
    ),
    "references lead to earlier versions": (
        "SELECT r.parent, r.child FROM refs r LEFT JOIN versions v ON v.urn = r.child"
        " LEFT JOIN versions p ON p.urn = r.parent"
        " WHERE p.urn IS NULL OR (r.child IS NOT NULL AND (v.urn IS NULL OR r.child >= r.parent))",
        "urn {0} refers to {1}",
    ),
    "of the products in view no two have the same name": (
        "SELECT a.name, a.track, b.track FROM names a JOIN names b ON b.name = a.name"
        " AND b.track > a.track WHERE a.since < b.until AND b.since < a.until",
        "tracks {1} and {2} have the name {0!r} at once",
    ),
    "a product has one name at a time": (
        "SELECT a.track, a.name, b.name FROM names a JOIN names b ON b.track = a.track"
        " AND (b.name, b.since) > (a.name, a.since)"
        " WHERE a.since < b.until AND b.since < a.until",
        "track {0} has the names {1!r} and {2!r} at once",
    ),
    "names are those of products": (
        "SELECT n.name FROM names n WHERE n.since >= n.until"
        " OR NOT EXISTS (SELECT 1 FROM versions v WHERE v.track = n.track)",
        "the name {0!r} is of no product or of no commit",
    ),
    "tags are those of versions": (
        "SELECT t.tag, t.urn FROM tags t LEFT JOIN versions v ON v.urn = t.urn"
        " WHERE v.urn IS NULL OR t.since < v.since OR t.since >= t.until",
        "the tag {0!r} is on urn {1}, which was not there",
    ),
    "a tag is on a version once": (
        "SELECT a.tag, a.urn FROM tags a JOIN tags b ON b.tag = a.tag AND b.urn = a.urn"
        " AND b.since > a.since WHERE b.since < a.until",
        "the tag {0!r} is twice on urn {1}",
    ),
}
"""Name, question whose answers break it, and what to say of each answer."""

_MOST_TOLD = 20


def broken(database: Database) -> Iterator[tuple[str, str]]:
    """Yield name and explanation of whatever breaks an invariant; of each the first ones.

    Parameters
    ----------
    database
        The catalogue's.
    """
    with database.reading() as connection:
        found = [
            (name, told.format(*row))
            for name, (question, told) in INVARIANTS.items()
            for row in connection.execute(f"{question} LIMIT {_MOST_TOLD}").fetchall()
        ]
    yield from found
