"""The first half of a merge: which of their versions come, into which tracks, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.codec.documents import loads
from skypool.codec.parameters import read_meta
from skypool.errors import Damaged
from skypool.pool.observations import contradiction

if TYPE_CHECKING:
    from skypool.pool.sync.sides import Entry, Key, Side, Stamp

__all__ = ["Incoming"]


@dataclass(slots=True)
class Incoming:
    """Versions of theirs on their way into our pool.

    Parameters
    ----------
    ours, theirs
        What both did since their logs went apart.

    Attributes
    ----------
    urns : dict
        Our number for each of their versions since then.
    tracks : dict
        Our track for each of their new tracks.
    made : set of int
        Tracks that are new here.
    versions : list of dict
        Version entries to be.
    same : list
        Versions of theirs that are equal to ours: commit, number there, number here, clock.
    first : int
        The smallest number of those that come.
    """

    ours: Side
    theirs: Side
    urns: dict[int, int] = field(default_factory=dict)
    tracks: dict[int, int] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)
    versions: list[dict[str, Any]] = field(default_factory=list)
    same: list[list[Any]] = field(default_factory=list)
    first: int = 0
    _gone: frozenset[int] = frozenset()
    _revived: dict[int, int] = field(default_factory=dict)
    _known: dict[Key, int] = field(default_factory=dict)
    _next_urn: int = 0
    _next_track: int = 0
    _numbers: dict[int, int] = field(default_factory=dict)
    _stamps: dict[int, Stamp] = field(default_factory=dict)
    _in_track: dict[int, list[int]] = field(default_factory=dict)
    _entries: dict[int, dict[str, Any]] = field(default_factory=dict)

    def plan(self) -> None:
        """Decide for all of their versions."""
        state = self.ours.session.catalogue.state
        self._next_urn, self._next_track = state("next_urn", 1), state("next_track", 1)
        self.first = self._next_urn
        self._gone = self.ours.session.catalogue.purged_versions()
        self._match_tracks()
        for entry in self.theirs.entries:
            known = self._known.get(entry.key) or self.ours.urn(entry.key)
            if known is not None:
                self.urns[entry.urn] = known
                continue
            met = self._here(entry)
            if met is None:
                self._take(entry)
            else:
                self._equate(entry, met)
            self._known[entry.key] = self.urns[entry.urn]
        for track in list(self._in_track):
            self._put_newest_last(track)

    def urn(self, theirs: int) -> int | None:
        """Return our number of a version of theirs."""
        return theirs if theirs < self.theirs.first_urn else self.urns.get(theirs)

    def track(self, theirs: int) -> int:
        """Return our track for a track of theirs, a new one where there is none."""
        if theirs < self.theirs.first_track:
            return theirs
        if theirs not in self.tracks:
            self.tracks[theirs] = self._next_track
            self.made.add(self._next_track)
            self._next_track += 1
        return self.tracks[theirs]

    # -- tracks

    def _match_tracks(self) -> None:
        """Find our tracks for theirs: by a version that both have, else by their name."""
        new = []
        for track, entries in self.theirs.by_track.items():
            if track < self.theirs.first_track:
                continue
            shared = [urn for e in entries if (urn := self._here(e)) is not None]
            if shared:
                self.tracks[track] = self._track_of(shared[0])
            else:
                new.append(track)
        self._match_names(new)

    def _here(self, entry: Entry) -> int | None:
        """Return our number of a version of theirs, or of one that it was found equal to."""
        keys = self.theirs.keys(entry.urn)
        return next((urn for key in keys if (urn := self.ours.urn(key)) is not None), None)

    def _track_of(self, urn: int) -> int:
        row = self.ours.session.catalogue.version(urn, self.ours.head)
        assert row is not None
        return row.track

    def _match_names(self, tracks: Iterable[int]) -> None:
        """Unite products that were made on both sides under one name.

        Within a pool a name that is saved again goes on with its track, whoever saves it; so it
        does here. Where that would be refused within a pool, since they are of different
        observations, they stay apart, with all that is named below them.
        """
        named = {}
        for track in tracks:
            name = self.theirs.current_name(track)
            if name is not None:
                named[name] = track
        apart: list[str] = []
        for name in sorted(named):
            mine = self.ours.session.catalogue.named(name, self.ours.head)
            if mine is None or any(name.startswith(root) for root in apart):
                continue
            if self._known_there(mine) or self._contradict(mine, named[name]):
                apart.append(f"{name}/")
            else:
                self.tracks[named[name]] = mine

    def _known_there(self, track: int) -> bool:
        if track < self.ours.first_track:
            return True
        return any(self.theirs.urn(e.key) is not None for e in self.ours.by_track.get(track, ()))

    def _contradict(self, mine: int, other: int) -> bool:
        return bool(contradiction(_meta(self.ours, mine), _meta(self.theirs, other)))

    # -- versions

    def _take(self, entry: Entry) -> None:
        track = self.track(entry.track)
        refs = self._refs(entry.raw, given_up=entry.urn in self.theirs.purged)
        equal = self._equal(track, entry, refs)
        if equal is not None:
            self._equate(entry, equal)
            return
        origin = {**entry.raw.get("origin", {}), "made": dict(entry.made)}
        urn = self._append(track, {**entry.raw, "refs": refs, "origin": origin})
        self.urns[entry.urn] = urn
        self._note(track, urn, entry.stamp)

    def _equate(self, entry: Entry, urn: int) -> None:
        """Note that a version of theirs is one of ours."""
        self.urns[entry.urn] = urn
        made = entry.made
        self.same.append([made["commit"], made["urn"], urn, made["clock"]])
        self._note(self._track_of(urn), urn, entry.stamp)

    def _refs(self, raw: Mapping[str, Any], *, given_up: bool = False) -> list[list[Any]]:
        """Return references of theirs with our numbers."""
        return [
            [role, target if isinstance(target, Mapping) else self._child(target, given_up)]
            for role, target in raw["refs"]
        ]

    def _child(self, theirs: int, given_up: bool) -> int:
        urn = self.urn(theirs)
        assert urn is not None  # a version comes behind those that it refers to
        return urn if given_up or urn not in self._gone else self._revive(theirs, urn)

    def _revive(self, theirs: int, urn: int) -> int:
        """Take a version in again whose content was given up here, and which is needed now.

        What was purged never comes back, and nothing refers to it; it gets a new number.
        """
        left = [twin for twin in self.ours.twins(urn) if twin not in self._gone]
        if left:
            return left[-1]
        if urn not in self._revived:
            raw = raw_entry(self.theirs, theirs)
            made = {**self.theirs.made(theirs), "again": True}
            origin = {**raw.get("origin", {}), "made": made}
            track = self._track_of(urn)
            new = self._append(track, {**raw, "refs": self._refs(raw), "origin": origin})
            self._revived[urn] = new
            self._note(track, new, self.theirs.stamp(theirs))
        return self._revived[urn]

    def _equal(self, track: int, entry: Entry, refs: list[list[Any]]) -> int | None:
        """Return a version that we made apart and that is equal to one of theirs."""
        for own in self.ours.by_track.get(track, ()):
            if (
                not own.again
                and own.urn not in self._gone
                and own.raw["document"] == entry.raw["document"]
                and own.raw["refs"] == refs
                and self.theirs.urn(own.key) is None
            ):
                return own.urn
        return None

    def _append(self, track: int, raw: Mapping[str, Any]) -> int:
        if track not in self._numbers:
            last = None if track in self.made else self._last(track)
            self._numbers[track] = 0 if last is None else last + 1
        urn, self._next_urn = self._next_urn, self._next_urn + 1
        version = {**raw, "urn": urn, "track": track, "version": self._numbers[track]}
        self._numbers[track] += 1
        self.versions.append(version)
        self._entries[urn] = version
        return urn

    def _last(self, track: int) -> int | None:
        row = self.ours.session.catalogue.latest(track, self.ours.head)
        return None if row is None else row.version

    def _note(self, track: int, urn: int, stamp: Stamp) -> None:
        known = self._stamps.get(urn)
        if known is None and urn < self.first:
            known = self.ours.stamp(urn)
        self._stamps[urn] = stamp if known is None else max(known, stamp)
        self._in_track.setdefault(track, []).append(urn)

    # -- the current one

    def _put_newest_last(self, track: int) -> None:
        """Say once more what was saved last, if another version is the last of the track.

        Which version is current is then the same on both sides, whoever pulled first.
        """
        found = {urn: self._stamps[urn] for urn in self._in_track[track]}
        last = max((urn for urn in found if urn in self._entries), default=0)
        if track not in self.made:
            for entry in self.ours.by_track.get(track, ()):
                found.setdefault(entry.urn, self.ours.stamp(entry.urn))
            row = self.ours.session.catalogue.latest(track, self.ours.head)
            if row is not None:
                found.setdefault(row.urn, self.ours.stamp(row.urn))
                last = last or row.urn
            before = self._newest_before(track)
            if before is not None:
                found.setdefault(before, self.ours.stamp(before))
        best = max(found, key=lambda urn: (found[urn], urn))
        if found[best] > found[last] and best not in self._gone:
            again = {**self._raw(best)}
            made = {**self._made(best), "clock": found[best][0], "again": True}
            again["origin"] = {**again.get("origin", {}), "made": made}
            self._append(track, again)

    def _newest_before(self, track: int) -> int | None:
        """Return the last version of a track from before the logs went apart."""
        if track >= self.ours.first_track:
            return None
        row = self.ours.session.catalogue.latest(track, self.ours.base.number)
        return None if row is None else row.urn

    def _made(self, urn: int) -> dict[str, Any]:
        if urn in self._entries:
            return dict(self._entries[urn]["origin"]["made"])
        return self.ours.made(urn)

    def _raw(self, urn: int) -> dict[str, Any]:
        """Return the entry of a version of ours, or of one that comes."""
        return dict(self._entries[urn]) if urn in self._entries else raw_entry(self.ours, urn)


def raw_entry(side: Side, urn: int) -> dict[str, Any]:
    """Return the entry of a version as the log has it, but for its number and place."""
    entry = side.entry(urn)
    if entry is not None:
        return dict(entry.raw)
    catalogue = side.session.catalogue
    row = catalogue.version(urn, side.head)
    assert row is not None
    raw: dict[str, Any] = {
        "kind": row.kind,
        "type": row.type,
        "document": row.document.hex(),
        "size": row.size,
        "total": row.total,
        "refs": [
            [ref.role, {"external": ref.external} if ref.child is None else ref.child]
            for ref in catalogue.refs(urn)
        ],
    }
    origin = catalogue.origin(urn)
    if origin:
        raw["origin"] = loads(origin.encode())
    return raw


def _meta(side: Side, track: int) -> Mapping[str, Any]:
    """Return the metadata values of the newest version of a track; none where they are lost."""
    row = side.session.catalogue.latest(track, side.head)
    if row is None:
        return {}
    try:
        document = side.session.document(row.document)
    except Damaged:
        return {}
    return {name: parameter.value for name, parameter in read_meta(document["meta"]).items()}
