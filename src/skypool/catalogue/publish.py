"""Committing: a draft becomes a record with numbers, which `applying` then takes in."""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any

from skypool.catalogue.applying import state
from skypool.catalogue.batches import in_batches
from skypool.catalogue.checks import (
    NAME,
    REF,
    VERSION,
    sure,
)
from skypool.catalogue.draft import (
    PLACEHOLDER,
    Draft,
    DraftVersion,
    External,
)
from skypool.catalogue.draft_drops import dropping_lists
from skypool.catalogue.draft_names import free_number, known_tracks, repeated_names
from skypool.catalogue.interface import FOREVER, ChunksGone
from skypool.catalogue.outside import outside_lists, stands_for
from skypool.catalogue.purging import still_to_purge
from skypool.catalogue.text import from_database, to_database
from skypool.catalogue.times import time_of
from skypool.codec.documents import Listed, format_time
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
        See `Published`; compact.
    """

    def __init__(self, connection: sqlite3.Connection, draft: Draft) -> None:
        self._connection = connection
        self._draft = draft
        self._amended = state(connection, "amended")
        self._completed = {each.of: each.document for each in draft.completed}
        self._first_urn = self._next_urn = state(connection, "next_urn", 1)
        self._first_track = self._next_track = state(connection, "next_track", 1)
        self._stems = [f"{stem}-{free_number(connection, stem)}" for stem in draft.stems]
        self._known = known_tracks(connection, draft)
        # Tracks of the names that the draft has more than once, and of those that it makes.
        self._repeated = repeated_names(draft)
        self._tracks: dict[str, int] = {}
        # Of each version of the draft; there may be millions.
        self.urns = array("q")
        self.new = bytearray()
        self._track_of = array("q")
        self._number_of = array("q")
        # By number from the first new one: places in the draft of versions, and of the last
        # version of tracks.
        self._place_of = array("q")
        self._last_of_new = array("q")
        self._last_of_old: dict[int, int] = {}
        self._there: set[int] = set()
        self._again: list[int] = []
        self._names: list[list[Any]] = []
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
        for place, version in enumerate(self._draft.versions):
            self._resolve(place, version)
        self._check_together()
        self._rename()
        self._hide()
        self._check_shown()
        tags = [list(change) for change in self._tags()]
        lists: dict[str, Any] = {
            "versions": Listed(len(self._place_of), self._versions),
            "names": self._all_names(),
            "hidden": [list(change) for change in self._hidden],
            "tags": tags,
        }
        lists |= outside_lists(self._connection, self._draft)
        if self._draft.purge is not None:
            lists["purged"] = still_to_purge(self._connection, self._draft.purge)
        lists |= dropping_lists(self._connection, self._draft, self._again)
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

    def _check_together(self) -> None:
        """Refuse changes of one name that mean nothing together, or two things.

        Raises
        ------
        NameConflict
            If a product is saved, renamed and removed in the same commit, or two of these.
        """
        renamed = {track for track, _ in self._draft.renames}
        hidden = {track for track, _ in self._draft.hidden}
        names = {name for _, name in self._draft.renames}
        twice = renamed & hidden or len(renamed) < len(self._draft.renames)
        if renamed or hidden:
            twice = twice or any(
                self._filled(version.name) in names or track in renamed or track in hidden
                for version, track, new in zip(
                    self._draft.versions, self._track_of, self.new, strict=True
                )
                if new or (version.track is None and version.name is not None)
            )
        if twice:
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
        taken = (document for version in self._draft.versions for document in version.taken)
        for part in map(set, in_batches(taken, _BATCH)):
            there = {
                document
                for document, live in self._connection.execute(
                    f"SELECT digest, {_LIVE} FROM documents d WHERE NOT bare"
                    f" AND digest IN ({','.join('?' * len(part))})",
                    list(part),
                )
                if live or document in self._draft.staged
            }
            if len(there) < len(part):
                raise ChunksGone(part - there)

    def _resolve(self, place: int, draft: DraftVersion) -> None:
        if self._amended:
            draft.document = stands_for(self._connection, draft.document)
        for _, target in draft.refs:
            if not isinstance(target, External):
                self._target(target)
        track = draft.track if draft.track is not None else self._track_of_name(place, draft)
        if track is not None:
            self._show(track)
            urn, number, document = self._last_version(track)
            document = self._completed.get(document, document)
            if draft.keep_same and document == draft.document and self._has_refs(urn, draft):
                self._take(urn, track, number, new=False)
                # Its file was read again, since a dropped document does not count as there.
                self._again.append(urn)
                return
            number += 1
        else:
            track, number = self._next_track, 0
            self._next_track += 1
            self._last_of_new.append(place)
            name = self._filled(draft.name)
            if name is not None and (self._stems or name in self._repeated):
                self._tracks[name] = track
        if track >= self._first_track:
            self._last_of_new[track - self._first_track] = place
        else:
            self._last_of_old[track] = place
        self._place_of.append(place)
        self._take(self._next_urn, track, number, new=True)
        self._next_urn += 1

    def _take(self, urn: int, track: int, number: int, *, new: bool) -> None:
        self.urns.append(urn)
        self.new.append(new)
        self._track_of.append(track)
        self._number_of.append(number)

    def _versions(self) -> Iterator[dict[str, Any]]:
        """Yield the new versions as the record has them."""
        for place in self._place_of:
            draft = self._draft.versions[place]
            entry = {
                "urn": self.urns[place],
                "track": self._track_of[place],
                "version": self._number_of[place],
                "kind": draft.kind,
                "type": draft.type,
                "document": draft.document.hex(),
                "size": draft.size,
                "total": draft.total,
                "refs": self._resolved(draft),
            }
            if draft.origin:
                entry["origin"] = dict(draft.origin)
            yield entry

    def _resolved(self, draft: DraftVersion) -> list[list[Any]]:
        """Return references as the record has them."""
        return [
            [role, {"external": target.text} if isinstance(target, External) else
             target if target > 0 else self.urns[-1 - target]]
            for role, target in draft.refs
        ]  # fmt: skip

    def _all_names(self) -> Listed:
        """Return the names that tracks get: those of new tracks, and changed ones."""
        named = bytearray(self._draft.versions[place].name is not None for place in self._begun())

        def entries() -> Iterator[list[Any]]:
            for place in compress(self._begun(), named):
                yield [self._track_of[place], self._filled(self._draft.versions[place].name)]
            yield from self._names

        return Listed(named.count(1) + len(self._names), entries)

    def _begun(self) -> Iterator[int]:
        """Yield the places in the draft of the first versions of new tracks."""
        first = self._first_track
        numbered = zip(
            self._place_of, map(self._number_of.__getitem__, self._place_of), strict=True
        )
        return (p for p, number in numbered if not number and self._track_of[p] >= first)

    def _filled(self, name: str | None) -> str | None:
        """Return a name with the stem's in the place of its number."""
        if name is None or not name.startswith(PLACEHOLDER):
            return name
        number, slash, rest = name[1:].partition("/")
        return self._stems[int(number)] + slash + rest

    def _track_of_name(self, place: int, draft: DraftVersion) -> int | None:
        name = self._filled(draft.name)
        if name is None:
            return None
        if name in self._tracks:
            return self._tracks[name]
        return self._known[place] or None

    def _last_version(self, track: int) -> tuple[int, int, bytes]:
        """Return number, version and document of the last one; no document if it is purged."""
        if track >= self._first_track:
            place = self._last_of_new[track - self._first_track]
        else:
            place = self._last_of_old.get(track, -1)
        if place >= 0:
            draft = self._draft.versions[place]
            return self.urns[place], self._number_of[place], draft.document
        row = self._connection.execute(
            f"SELECT v.urn, v.version, {sure(VERSION, _UNLESS_PURGED)} FROM versions v"
            " JOIN documents d ON d.id = v.document"
            " WHERE v.track = ? ORDER BY v.version DESC LIMIT 1",
            (track,),
        ).fetchone()
        return int(row[0]), int(row[1]), bytes(row[2])

    def _has_refs(self, urn: int, draft: DraftVersion) -> bool:
        if urn >= self._first_urn:
            place = self._place_of[urn - self._first_urn]
            return self._resolved(self._draft.versions[place]) == self._resolved(draft)
        found = self._connection.execute(
            f"SELECT {sure(REF, 'role')}, child, external FROM refs r WHERE parent = ?"
            " ORDER BY position",
            (urn,),
        )
        there = [
            [from_database(role), child if external is None else
             {"external": from_database(external)}]
            for role, child, external in found
        ]  # fmt: skip
        return there == self._resolved(draft)

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
