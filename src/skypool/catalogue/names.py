"""Questions about names and tags, as of a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skypool.catalogue.checks import NAME, TAG, sure
from skypool.catalogue.database import Database
from skypool.catalogue.text import from_database, to_database

__all__ = ["BATCH", "Names"]

# Numbers of versions that are put into one question.
BATCH = 500


class Names:
    """Which tracks have which names, and which versions which tags.

    Every question takes *at*, the commit as of which it is answered.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def tags_of(self, numbers: Sequence[int], at: int) -> dict[int, list[str]]:
        """Return the tags of versions, in order; nothing for those without."""
        found: dict[int, list[str]] = {}
        for start in range(0, len(numbers), BATCH):
            marks = ", ".join(str(int(number)) for number in numbers[start : start + BATCH])
            rows = self._database.query(
                f"SELECT urn, {sure(TAG, 'tag')} FROM tags t WHERE urn IN ({marks})"
                " AND since <= ? AND until > ? ORDER BY t.tag",
                (at, at),
            )
            for number, tag in rows:
                found.setdefault(number, []).append(from_database(tag))
        return found

    def named(self, name: str, at: int) -> int | None:
        """Return the track that has a name."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'track')} FROM names n WHERE name = ? AND since <= ?"
            " AND until > ?",
            (to_database(name), at, at),
        )
        return rows[0][0] if rows else None

    def removed(self, name: str, at: int) -> int | None:
        """Return the track that was removed under a name and did not come back since."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'n.track')} FROM names n WHERE n.name = ? AND n.until <= ?"
            " AND n.removed AND NOT EXISTS (SELECT 1 FROM names m WHERE m.track = n.track"
            " AND m.since >= n.until AND m.since <= ?) ORDER BY n.until DESC LIMIT 1",
            (to_database(name), at, at),
        )
        return rows[0][0] if rows else None

    def removed_with(self, track: int) -> list[int]:
        """Return the tracks named below a removed one that were removed in the same commit."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')}, until FROM names n WHERE track = ? AND removed"
            " ORDER BY until DESC LIMIT 1",
            (track,),
        )
        if not rows:
            return []
        name, until = rows[0]
        found = self._database.query(
            f"SELECT {sure(NAME, 'track')} FROM names n WHERE name >= ? AND name < ? AND removed"
            " AND until = ?",
            (name + "/", name + "0", until),
        )
        return [other for (other,) in found]

    def last_name(self, track: int, at: int) -> str:
        """Return the name that a track had last."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')} FROM names n WHERE track = ? AND since <= ?"
            " ORDER BY since DESC LIMIT 1",
            (track, at),
        )
        return from_database(rows[0][0]) if rows else ""

    def with_stem(self, name: str, at: int) -> list[tuple[str, int]]:
        """Return (name, track) of all names that are *name* and an extension."""
        low, high = to_database(name) + ".", to_database(name) + "/"
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')}, track FROM names n WHERE name >= ? AND name < ?"
            " AND since <= ? AND until > ? AND instr(substr(name, ?), '/') = 0",
            (low, high, at, at, len(low)),
        )
        return [(from_database(found), track) for found, track in rows]

    def names(self, at: int, below: str = "") -> Iterator[tuple[str, int]]:
        """Return (name, track) of all names, in order, or of those below a folder."""
        where, values = "", []
        if below:
            where = " AND name >= ? AND name < ?"
            values = [to_database(below) + "/", to_database(below) + "0"]
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')}, track FROM names n WHERE since <= ? AND until > ?{where}"
            " ORDER BY n.name",
            (at, at, *values),
        )
        return ((from_database(name), track) for name, track in rows)

    def like_names(self, text: str, at: int, limit: int = 5) -> list[str]:
        """Return some names that hold *text*, for suggestions."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')} FROM names n WHERE since <= ? AND until > ?"
            " AND instr(name, ?) LIMIT ?",
            (at, at, to_database(text), limit),
        )
        return [from_database(name) for (name,) in rows]

    def some_names(self, at: int, limit: int = 2000) -> list[str]:
        """Return names to compare a misspelt one with."""
        rows = self._database.query(
            f"SELECT {sure(NAME, 'name')} FROM names n WHERE since <= ? AND until > ? LIMIT ?",
            (at, at, limit),
        )
        return [from_database(name) for (name,) in rows]

    def tags(self, urn: int, at: int) -> list[str]:
        """Return the tags of a version, in order."""
        rows = self._database.query(
            f"SELECT {sure(TAG, 'tag')} FROM tags t WHERE urn = ? AND since <= ? AND until > ?"
            " ORDER BY t.tag",
            (urn, at, at),
        )
        return [from_database(tag) for (tag,) in rows]

    def all_tags(self, at: int) -> list[tuple[str, int]]:
        """Return (tag, number of versions that carry it)."""
        rows = self._database.query(
            f"SELECT tag, sum({TAG}) FROM tags t WHERE since <= ? AND until > ?"
            " GROUP BY tag ORDER BY tag",
            (at, at),
        )
        return [(from_database(tag), count) for tag, count in rows]

    def was_named(self, track: int, name: str, commit: int) -> bool:
        """Return whether a track got a name in a commit."""
        return bool(
            self._database.query(
                f"SELECT {sure(NAME, '1')} FROM names n WHERE name = ? AND since = ? AND track = ?",
                (to_database(name), commit, track),
            )
        )

    def was_shown(self, track: int, commit: int) -> bool:
        """Return whether a track was brought back into view in a commit."""
        return bool(
            self._database.query(
                f"SELECT {sure(NAME, '1')} FROM names n WHERE track = ? AND since = ?",
                (track, commit),
            )
        )

    def was_tagged(self, tag: str, urn: int, commit: int, *, begun: bool) -> bool:
        """Return whether a version got a tag in a commit, or lost it."""
        column = "since" if begun else "until"
        return bool(
            self._database.query(
                f"SELECT {sure(TAG, '1')} FROM tags t WHERE tag = ? AND urn = ? AND {column} = ?",
                (to_database(tag), urn, commit),
            )
        )
