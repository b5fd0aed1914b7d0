"""The newest versions of all products as of a commit, in the order of names, as arrays.

What is seen as of a commit depends on the commit alone, but for what was given up since. So
what was read for one commit serves another: only the products that changed between the two are
read again, whichever process changed them. Commit and epoch are read in the same transaction.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.applying import changes_of
from skypool.catalogue.integers import MOST_NUMBERED, checked, damaged, integers, joined

__all__ = ["Visible", "as_of", "read_visible"]

# More changed products than this, or than a fifth of all, and all are read again.
_MOST_CHANGED: Final = 20_000
# Versions that are read at once.
_AT_ONCE: Final = 100_000
# What no number is less than: nobody wrote one below 0, and it is noticed.
_BEFORE: Final = -(2**63)

_SEEN: Final = "v.since <= :at AND v.until > :at AND v.purged = 0"
_NAMED: Final = "n.since <= :at AND n.until > :at"


@dataclass(frozen=True, slots=True)
class Visible:
    """The newest versions as of a commit, in the order of names.

    Attributes
    ----------
    at : int
        The commit.
    purged_to : int
        What was given up by this commit is left out.
    urns, documents, tracks : array of int32
        Numbers of the versions, of their documents and of their products.
    leaf : array of bool
        Whether a version has no references.
    places : array of int32
        Where a version stands in these, by its number; -1 where it does not.
    unique : bool
        Whether no two have the same content.
    """

    at: int
    purged_to: int
    urns: NDArray[np.int32]
    documents: NDArray[np.int32]
    tracks: NDArray[np.int32]
    leaf: NDArray[np.bool_]
    places: NDArray[np.int32]
    unique: bool

    def places_of(self, numbers: NDArray[Any]) -> NDArray[np.int32]:
        """Return where versions stand; -1 for those that are not here."""
        found = np.full(len(numbers), -1, np.int32)
        known = numbers < len(self.places)
        found[known] = self.places[numbers[known]]
        return found

    def contents(self, places: NDArray[Any] | slice = slice(None)) -> NDArray[np.int32]:
        """Return the same number for the same content: the same document, and no references."""
        return np.where(self.leaf[places], self.documents[places], -self.urns[places])

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        arrays = (self.urns, self.documents, self.tracks, self.leaf, self.places)
        return sum(array.nbytes for array in arrays)


def _made(
    at: int,
    purged_to: int,
    urns: NDArray[Any],
    documents: NDArray[Any],
    tracks: NDArray[Any],
    leaf: NDArray[np.bool_],
) -> Visible:
    """Return what numbers of versions, documents and products say."""
    places = np.full(int(urns.max(initial=0)) + 1, -1, np.int32)
    places[urns] = np.arange(len(urns), dtype=np.int32)
    shared = np.bincount(documents[leaf]).max(initial=0) if len(urns) else 0
    return Visible(
        at,
        purged_to,
        np.ascontiguousarray(urns, np.int32),
        np.ascontiguousarray(documents, np.int32),
        np.ascontiguousarray(tracks, np.int32),
        leaf,
        places,
        bool(shared <= 1),
    )


def _of_rows(at: int, purged_to: int, rows: NDArray[np.int32]) -> Visible:
    """Return what rows of version, document, product and number of references say."""
    return _made(at, purged_to, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3] == 0)


def read_visible(connection: sqlite3.Connection, at: int, head: int) -> Visible:
    """Read all of them, inside a transaction."""
    (order,) = joined(
        connection,
        ["track"],
        f"(SELECT track FROM names n WHERE {_NAMED} ORDER BY name)",
        {"at": at},
    )
    order = order.astype(np.int32)
    urns, documents, tracks, leaf = _versions(connection, at)
    of_track = np.full(int(max(order.max(initial=0), tracks.max(initial=0))) + 1, -1, np.int32)
    of_track[tracks] = np.arange(len(tracks), dtype=np.int32)
    chosen = of_track[order]
    del order, of_track
    chosen = chosen[chosen >= 0]
    return _made(at, head, urns[chosen], documents[chosen], tracks[chosen], leaf[chosen])


def _versions(
    connection: sqlite3.Connection, at: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Return version, document and product of the newest ones, and which have no references."""
    ((last,),) = connection.execute("SELECT coalesce(max(urn), 0) FROM versions")
    if not isinstance(last, int) or last > MOST_NUMBERED:
        raise damaged("a number in it is beyond all bounds")
    parts: list[tuple[NDArray[np.int32], ...]] = [(np.zeros(0, np.int32),) * 4]
    # As texts, and as long numbers, all of them would take several times as much.
    for after in range(0, last, _AT_ONCE):
        found = joined(
            connection,
            ["urn", "document", "track", "children"],
            f"versions v WHERE v.urn > :after AND v.urn <= :last AND {_SEEN}",
            {"at": at, "after": after or _BEFORE, "last": after + _AT_ONCE},
        )
        parts.append(tuple(each.astype(np.int32) for each in found))
    urns, documents, tracks, children = (np.concatenate(each) for each in zip(*parts, strict=True))
    return urns, documents, tracks, children == 0


def as_of(connection: sqlite3.Connection, known: Visible, at: int, head: int) -> Visible:
    """Return what is seen as of a commit from what was seen as of another.

    Parameters
    ----------
    connection
        Inside a transaction.
    known
        As of any commit of the same epoch.
    at
        The commit.
    head
        The last commit that the transaction sees.
    """
    if known.at == at and known.purged_to == head:
        return known
    low, high = sorted((known.at, at))
    changed = _changed(connection, low, high)
    if changed is None:
        return read_visible(connection, at, head)
    purged = integers(
        connection,
        "SELECT track FROM versions WHERE purged > 0 AND purged > ?",
        1,
        (min(known.purged_to, head),),
    )
    tracks = np.union1d(changed, purged[:, 0])
    if len(tracks) > min(_MOST_CHANGED, len(known.urns) // 5 + 100):
        return read_visible(connection, at, head)
    return _replaced(connection, known, tracks, at, head)


def _changed(connection: sqlite3.Connection, low: int, high: int) -> NDArray[np.int64] | None:
    """Return the products that the commits behind one, up to another, changed.

    Returns
    -------
    array or None
        None where it takes as long to find them as to read all.
    """
    if low == high:
        return np.zeros(0, np.int64)
    versions = names = hidden = 0
    for (text,) in connection.execute(
        "SELECT changes FROM commits WHERE number > ? AND number <= ?", (low, high)
    ):
        changes = changes_of(text)
        versions += changes.get("versions", 0)
        names += changes.get("names", 0)
        hidden += changes.get("hidden", 0)
    if versions > _MOST_CHANGED:
        return None
    # Versions have rising numbers, commit by commit: those behind the last of `low` are new.
    last = connection.execute(
        "SELECT urn FROM versions WHERE since <= ? ORDER BY urn DESC LIMIT 1", (low,)
    ).fetchone() or (0,)
    found = integers(
        connection, "SELECT track FROM versions WHERE urn > ? AND since <= ?", 1, (last[0], high)
    )[:, 0]
    if len(found) != versions:
        return None
    named = connection.execute(
        "SELECT count(*) FROM json_each(?) t JOIN names n ON n.track = t.value"
        " AND n.since > ? AND n.since <= ?",
        (json.dumps(np.unique(found).tolist()), low, high),
    ).fetchone()[0]
    if not hidden and named == names:
        return found
    # Other products got names, or lost theirs.
    others = integers(
        connection,
        "SELECT track FROM names WHERE (since > ?1 AND since <= ?2)"
        " OR (until > ?1 AND until <= ?2)",
        1,
        (low, high),
    )
    return np.concatenate([found, others[:, 0]])


def _replaced(
    connection: sqlite3.Connection,
    known: Visible,
    tracks: NDArray[np.int64],
    at: int,
    head: int,
) -> Visible:
    """Read some products again, and put them where their names belong."""
    kept = ~np.isin(known.tracks, tracks)
    rows = np.stack([known.urns, known.documents, known.tracks, ~known.leaf], axis=1)
    rows = rows[kept].astype(np.int32)
    new = connection.execute(
        "SELECT n.name, v.urn, v.document, v.track, v.children FROM json_each(:tracks) t"
        " CROSS JOIN names n ON n.track = t.value CROSS JOIN versions v ON v.track = n.track"
        f" WHERE {_NAMED} AND {_SEEN} ORDER BY n.name",
        {"tracks": json.dumps(tracks.tolist()), "at": at},
    ).fetchall()
    if not new:
        return _of_rows(at, head, rows)
    of_track = np.full(int(rows[:, 2].max(initial=0)) + 1, -1, np.int64)
    of_track[rows[:, 2]] = np.arange(len(rows))
    inserted: dict[int, int] = {}
    places = []
    for name, _, _, track, _ in new:
        place = inserted[track] = _behind(connection, name, at, of_track, inserted)
        places.append(place)
    try:
        values = checked(np.array([row[1:] for row in new], np.int64)).astype(np.int32)
    except (TypeError, ValueError, OverflowError):
        raise damaged("a number in it is none") from None
    return _of_rows(at, head, np.insert(rows, places, values, axis=0))


def _behind(
    connection: sqlite3.Connection,
    name: str,
    at: int,
    of_track: NDArray[np.int64],
    inserted: dict[int, int],
) -> int:
    """Return the place, among those that stay, before which a product of that name belongs."""
    while True:
        row = connection.execute(
            "SELECT name, track FROM names n WHERE name < :name"
            f" AND {_NAMED} ORDER BY name DESC LIMIT 1",
            {"name": name, "at": at},
        ).fetchone()
        if row is None:
            return 0
        name, track = row
        if track in inserted:
            return inserted[track]
        if 0 <= track < len(of_track) and of_track[track] >= 0:
            return int(of_track[track]) + 1
