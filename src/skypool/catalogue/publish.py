"""Committing: a draft becomes a record with numbers, which `applying` then takes in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from skypool.catalogue.applying import state
from skypool.catalogue.checks import (
    NAME,
    REF,
    VERSION,
    sure,
)
from skypool.catalogue.coverages import kept_coverage
from skypool.catalogue.draft import (
    PLACEHOLDER,
    Draft,
    DraftVersion,
    External,
)
from skypool.catalogue.interface import FOREVER, ChunksGone
from skypool.catalogue.outside import outside_lists, stands_for
from skypool.catalogue.purging import still_to_purge
from skypool.catalogue.text import from_database, to_database
from skypool.catalogue.times import time_of
from skypool.codec.documents import format_time
from skypool.errors import NameConflict, Purged

__all__ = ["Resolver"]

_BATCH = 500
_LIVE = (
    "EXISTS (SELECT 1 FROM versions v WHERE v.document = d.id AND v.purged = 0 AND NOT EXISTS"
    f" (SELECT 1 FROM dropped x WHERE x.urn = v.urn AND x.until = {FOREVER}))"
)
_UNLESS_PURGED = "CASE WHEN v.purged THEN x'' ELSE d.digest END"


class Resolver:
    """Gives a draft its numbers, inside the transaction that publishes it.

    Attributes
    ----------
    urns, new
        See `Published`.
    """

    def __init__(self, connection: sqlite3.Connection, draft: Draft) -> None:
        self._connection = connection
        self._draft = draft
        self._amended = state(connection, "amended")
        self._completed = {each.of: each.document for each in draft.completed}
        self._next_urn = state(connection, "next_urn", 1)
        self._next_track = state(connection, "next_track", 1)
        self._stems = [f"{stem}-{_free_number(connection, stem)}" for stem in draft.stems]
        self._tracks: dict[str, int] = {}
        self._known = _known_tracks(connection, draft)
        # Number, version and document of the last version; the latter empty if purged.
        self._last: dict[int, tuple[int, int, bytes]] = {}
        self._there: set[int] = set()
        self._again: list[int] = []
        self.urns: list[int] = []
        self.new: list[bool] = []
        self._versions: list[dict[str, Any]] = []
        self._names: list[list[Any]] = []
        self._refs: dict[int, list[list[Any]]] = {}
        # By track, whether it is removed from view or brought back.
        self._hidden: dict[tuple[int, bool], None] = {}

    def record(self) -> dict[str, Any] | None:
        """Return the commit record, None where nothing changes.

        Raises
        ------
        NameConflict
            If a track should get a name that another one has.
        Purged
            If a version that a reference, tag or restoration needs was given up.
        ChunksGone
            If the content of a document that was taken over was given up.
        """
        self.check_taken()
        for version in self._draft.versions:
            self._resolve(version)
        self._check_together()
        self._rename()
        self._hide()
        self._check_shown()
        tags = [list(change) for change in self._tags()]
        lists = {
            "versions": self._versions,
            "names": self._names,
            "hidden": [list(change) for change in self._hidden],
            "tags": tags,
        }
        lists |= outside_lists(self._connection, self._draft)
        if self._draft.purge is not None:
            lists["purged"] = still_to_purge(self._connection, self._draft.purge)
        lists["dropped"], lists["fetched"] = self._dropped(), self._fetched()
        lists = {key: value for key, value in lists.items() if value}
        if not lists:
            return None
        head = state(self._connection, "head")
        last = state(self._connection, "head_time")
        now = max(time.time_ns() // 1000, last + 1)
        # Later than all that was taken from pools whose clocks are ahead of this one's.
        clock = state(self._connection, "head_clock", 0) + 1
        if clock > now:
            lists["clock"] = clock
        return {
            "commit": head + 1,
            "parent": head,
            "time": format_time(time_of(now)),
            "author": self._draft.author,
            "message": self._draft.message,
            **lists,
        }

    def _dropped(self) -> list[dict[str, Any]]:
        """Return what is dropped that is there: neither given up, nor dropped already."""
        return [
            {"version": urn, "pool": self._draft.pool, "from": places, **self._coverage_of(urn)}
            for urn, places in self._draft.drops
            if self._connection.execute(
                "SELECT 1 FROM versions WHERE urn = ? AND purged = 0", (urn,)
            ).fetchone()
            and not self._is_dropped(urn)
        ]

    def _coverage_of(self, urn: int) -> dict[str, Any]:
        """Return what only the content of a version says of where it is, and of what document."""
        row = self._connection.execute(
            "SELECT d.digest, c.parts FROM versions v JOIN documents d ON d.id = v.document"
            " JOIN coverages c ON c.document = d.id WHERE v.urn = ?",
            (urn,),
        ).fetchone()
        return {} if row is None else kept_coverage(*row)

    def _fetched(self) -> list[list[Any]]:
        urns = dict.fromkeys((*self._draft.fetches, *self._again))
        return [[urn, self._draft.pool] for urn in urns if self._is_dropped(urn)]

    def _is_dropped(self, urn: int) -> bool:
        return bool(
            self._connection.execute(
                "SELECT 1 FROM dropped WHERE urn = ? AND pool = ? AND until = ?",
                (urn, self._draft.pool, FOREVER),
            ).fetchone()
        )

    def _check_together(self) -> None:
        """Refuse changes of one name that mean nothing together, or two things.

        Raises
        ------
        NameConflict
            If a product is saved, renamed and removed in the same commit, or two of these.
        """
        saved = set(self._tracks.values()) | {version["track"] for version in self._versions}
        renamed = {track for track, _ in self._draft.renames}
        hidden = {track for track, _ in self._draft.hidden}
        names = {name for _, name in self._draft.renames}
        twice = saved & renamed or saved & hidden or renamed & hidden
        if twice or names & set(self._tracks) or len(renamed) < len(self._draft.renames):
            raise NameConflict(
                "one commit saves, renames or removes the same name in two ways",
                hint="make two commits of it",
            )

    def _check_shown(self) -> None:
        """Refuse to bring a track back whose name another one has got meanwhile.

        Saving what was loaded before its removal continues the track, and brings it back.
        """
        gone = {track for track, hidden in self._hidden if hidden}
        moved = {track for track, _ in self._draft.renames + self._draft.moves}
        given = {name: track for track, name in self._names}
        for track, hidden in self._hidden:
            if hidden or track in moved:
                continue
            ((stored,),) = self._connection.execute(
                f"SELECT {sure(NAME, 'name')} FROM names n WHERE track = ?"
                " ORDER BY since DESC LIMIT 1",
                (track,),
            ).fetchall()
            live = self._connection.execute(
                f"SELECT {sure(NAME, 'track')} FROM names n WHERE name = ? AND until = ?",
                (stored, FOREVER),
            ).fetchall()
            others = {other for (other,) in live} - gone - moved
            name = from_database(stored)
            if others - {track} or given.get(name, track) != track:
                raise NameConflict(
                    f"the name {name!r} has been taken since this product was removed",
                    hint="save it under another name",
                )
            given[name] = track

    def _target(self, target: int) -> int:
        if target <= 0:
            return self.urns[-1 - target]
        if target not in self._there:
            row = self._connection.execute(
                "SELECT purged FROM versions WHERE urn = ?", (target,)
            ).fetchone()
            if row is not None and row[0]:
                raise Purged(
                    f"the content of version {target} was given up by commit {row[0]}: nothing "
                    "can refer to it any more",
                    hint="add the same files again, and use that version",
                )
            self._there.add(target)
        return target

    def check_taken(self) -> None:
        """Make sure that no content was given up that was not written again.

        Raises
        ------
        ChunksGone
            If some was.
        """
        taken = list({document for version in self._draft.versions for document in version.taken})
        for start in range(0, len(taken), _BATCH):
            part = taken[start : start + _BATCH]
            there = {
                document
                for document, live in self._connection.execute(
                    f"SELECT digest, {_LIVE} FROM documents d WHERE NOT bare"
                    f" AND digest IN ({','.join('?' * len(part))})",
                    part,
                )
                if live or document in self._draft.staged
            }
            if len(there) < len(part):
                raise ChunksGone(set(part) - there)

    def _resolve(self, draft: DraftVersion) -> None:
        if self._amended:
            draft.document = stands_for(self._connection, draft.document)
        refs = [
            [role, {"external": target.text} if isinstance(target, External) else
             self._target(target)]
            for role, target in draft.refs
        ]  # fmt: skip
        name = self._filled(draft.name)
        track = draft.track if draft.track is not None else self._track_of_name(name)
        if track is not None:
            self._show(track)
            urn, number, document = self._last_version(track)
            document = self._completed.get(document, document)
            if draft.keep_same and document == draft.document and self._refs_of(urn) == refs:
                self.urns.append(urn)
                self.new.append(False)
                # Its file was read again, since a dropped document does not count as there.
                self._again.append(urn)
                return
            number += 1
        else:
            track, number = self._next_track, 0
            self._next_track += 1
            if name is not None:
                self._names.append([track, name])
                self._tracks[name] = track
        urn = self._next_urn
        self._next_urn += 1
        entry = {
            "urn": urn,
            "track": track,
            "version": number,
            "kind": draft.kind,
            "type": draft.type,
            "document": draft.document.hex(),
            "size": draft.size,
            "total": draft.total,
            "refs": refs,
        }
        if draft.origin:
            entry["origin"] = dict(draft.origin)
        self._versions.append(entry)
        self._refs[urn] = refs
        self._last[track] = (urn, number, draft.document)
        self.urns.append(urn)
        self.new.append(True)

    def _filled(self, name: str | None) -> str | None:
        """Return a name with the stem's in the place of its number."""
        if name is None or not name.startswith(PLACEHOLDER):
            return name
        number, slash, rest = name[1:].partition("/")
        return self._stems[int(number)] + slash + rest

    def _track_of_name(self, name: str | None) -> int | None:
        if name is None:
            return None
        if name in self._tracks:
            return self._tracks[name]
        track = self._known.get(name)
        if track is not None:
            self._tracks[name] = track
        return track

    def _last_version(self, track: int) -> tuple[int, int, bytes]:
        if track not in self._last:
            row = self._connection.execute(
                f"SELECT v.urn, v.version, {sure(VERSION, _UNLESS_PURGED)} FROM versions v"
                " JOIN documents d ON d.id = v.document"
                " WHERE v.track = ? ORDER BY v.version DESC LIMIT 1",
                (track,),
            ).fetchone()
            self._last[track] = row
        return self._last[track]

    def _refs_of(self, urn: int) -> list[list[Any]]:
        if urn in self._refs:
            return self._refs[urn]
        return [
            [from_database(role), child if external is None else
             {"external": from_database(external)}]
            for role, child, external in self._connection.execute(
                f"SELECT {sure(REF, 'role')}, child, external FROM refs r WHERE parent = ?"
                " ORDER BY position",
                (urn,),
            )
        ]  # fmt: skip

    def _show(self, track: int) -> None:
        """Bring a removed track back into view: it continues."""
        row = self._connection.execute(
            f"SELECT until, {sure(NAME, 'removed')} FROM names n WHERE track = ?"
            " ORDER BY since DESC LIMIT 1",
            (track,),
        ).fetchone()
        if row is not None and row[0] != FOREVER and row[1]:
            self._hidden[track, False] = None

    def _rename(self) -> None:
        renames = self._draft.renames + self._draft.moves
        moving = {track for track, _ in renames}
        for track, name in renames:
            row = self._connection.execute(
                f"SELECT {sure(NAME, 'track')} FROM names n WHERE name = ? AND until = ?",
                (to_database(name), FOREVER),
            ).fetchone()
            if row is not None and row[0] not in moving:
                raise NameConflict(
                    f"the name {name!r} is taken",
                    hint="choose another name, or remove or rename what has it",
                )
            self._names.append([track, name])

    def _hide(self) -> None:
        for track, removed in self._draft.hidden:
            if not removed:
                self._restore(track)
            else:
                self._hidden[track, True] = None

    def _restore(self, track: int) -> None:
        row = self._connection.execute(
            f"SELECT {sure(NAME, 'name')}, until FROM names n WHERE track = ?"
            " ORDER BY since DESC LIMIT 1",
            (track,),
        ).fetchone()
        if row is None or row[1] == FOREVER:
            return
        if not self._last_version(track)[2]:
            raise Purged(
                f"{from_database(row[0])!r} cannot come back: its content was given up",
                hint="add the same files again: they continue it as a new version",
            )
        taken = self._connection.execute(
            "SELECT 1 FROM names WHERE name = ? AND until = ?", (row[0], FOREVER)
        ).fetchone()
        if taken:
            raise NameConflict(
                f"the name {from_database(row[0])!r} has been taken meanwhile",
                hint="rename the product that has it now, then restore again",
            )
        self._hidden[track, False] = None

    def _tags(self) -> Iterable[tuple[str, int, bool]]:
        changes: dict[tuple[str, int, bool], None] = {}
        for tag, target, wanted in self._draft.tags:
            urn = self._target(target) if wanted or target <= 0 else target
            has = self._connection.execute(
                "SELECT 1 FROM tags WHERE tag = ? AND urn = ? AND until = ?",
                (to_database(tag), urn, FOREVER),
            ).fetchone()
            if (has is not None) != wanted:
                changes[tag, urn, wanted] = None
        return changes


def _known_tracks(connection: sqlite3.Connection, draft: Draft) -> dict[str, int]:
    """Return the tracks that the names of a draft continue."""
    names = {
        to_database(version.name): version.name
        for version in draft.versions
        if version.track is None
        and version.name is not None
        and not version.name.startswith(PLACEHOLDER)
    }
    texts = list(names)
    found: dict[str, int] = {}
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        # A live name continues its track; else a removed one does. A renamed one does not.
        rows = connection.execute(
            f"SELECT n.name, {sure(NAME, 'n.track')} FROM names n"
            f" WHERE n.name IN ({','.join('?' * len(part))})"
            " AND (n.until = ? OR (n.removed AND NOT EXISTS (SELECT 1 FROM names m"
            " WHERE m.track = n.track AND m.since >= n.until))) ORDER BY n.until, n.since",
            (*part, FOREVER),
        )
        found.update((names[text], track) for text, track in rows)
    return found


def _free_number(connection: sqlite3.Connection, stem: str) -> int:
    """Return the smallest n such that no track was ever called `stem-n` or higher."""
    low, high = to_database(stem) + "-", to_database(stem) + "."
    rows = connection.execute("SELECT name FROM names WHERE name >= ? AND name < ?", (low, high))
    ends = (name[len(low) :].partition("/")[0] for (name,) in rows)
    return max((int(end) for end in ends if end.isascii() and end.isdigit()), default=0) + 1
