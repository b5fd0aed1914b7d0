"""What one of two pools did since their logs went apart.

A commit is known everywhere by the digest of its record, and a version by the commit that
made it first and its number there. Versions from before the logs went apart have the same
number on both sides. docs/design/010-clone-and-merge.md tells why this is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from skypool.catalogue.outside import is_below, moved_path
from skypool.catalogue.times import microseconds, time_of
from skypool.codec.documents import format_time, loads

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.storage.commit_log import LogPosition

__all__ = ["FIRST", "Entry", "Key", "Side", "Stamp", "Value"]

# A version: its number if it is from before, else its first commit and its number there.
Key = int | tuple[str, int]
# When something was done, by a clock that never runs against cause and effect, and what
# decides between two changes of the same microsecond.
Stamp = tuple[int, str]

FIRST: Stamp = (0, "")


class Value(NamedTuple):
    """What a name, a tag or the visibility was set to, and when."""

    value: Any
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that was made or taken in since.

    Attributes
    ----------
    key : Key
    raw : mapping
        Its entry in the log.
    made : mapping
        What a pool that takes it in notes of where it was first made.
    stamp : Stamp
        When it was first made.
    again : bool
        Whether it says once more what an older version of its track says.
    """

    key: Key
    raw: Mapping[str, Any]
    made: Mapping[str, Any]
    stamp: Stamp
    again: bool

    @property
    def urn(self) -> int:
        """Its number in this pool."""
        return int(self.raw["urn"])

    @property
    def track(self) -> int:
        """Its track in this pool."""
        return int(self.raw["track"])


class Side:
    """One of two pools, and its commits behind what both have in common.

    Parameters
    ----------
    session
        The pool.
    base, end
        The part of its log that is looked at.

    Attributes
    ----------
    entries : list of Entry
        In the order of the log.
    urns : dict
        Number here of each version that is not from before.
    names, hidden, tags : dict
        The last value of each name (by track), visibility (by track) and tag (by tag and
        number of the version) that was changed.
    asked : set of int
        Tracks that were asked for one by one: they come into view.
    digests : set of str
        Of its commits.
    merged : set of str
        Digests of the commits of others up to which it was merged.
    clock : int
        The latest of all stamps.
    """

    def __init__(self, session: Session, base: LogPosition, end: LogPosition) -> None:
        self.session = session
        self.base = base
        self.end = end
        self.entries: list[Entry] = []
        self._entries: dict[int, Entry] = {}
        self.by_track: dict[int, list[Entry]] = {}
        self.urns: dict[Key, int] = {}
        self._keys: dict[int, list[Key]] = {}
        self._stamps: dict[Key, Stamp] = {}
        self._twins: dict[Key, list[int]] = {}
        self.names: dict[int, Value] = {}
        self.hidden: dict[int, Value] = {}
        self.tags: dict[tuple[str, int], Value] = {}
        self.sources: list[Mapping[str, Any]] = []
        self.completed: list[Mapping[str, Any]] = []
        self.purged: set[int] = set()
        self.asked: set[int] = set()
        self.digests: set[str] = set()
        self.merged: set[str] = set()
        self.clock = 0
        self.commits = 0
        self.first_urn = session.catalogue.state("next_urn", 1)
        self.first_track = session.catalogue.state("next_track", 1)
        self._read()

    # -- questions

    @property
    def head(self) -> int:
        """The last commit that is looked at."""
        return self.end.number

    def urn(self, key: Key) -> int | None:
        """Return the number here of a version, None where it is not here."""
        return key if isinstance(key, int) else self.urns.get(key)

    def keys(self, urn: int) -> list[Key]:
        """Return what a version is known as: more than one key where equal ones met."""
        return self._keys.get(urn, [urn])

    def twins(self, urn: int) -> list[int]:
        """Return all numbers here of one version: it may have been said once more."""
        found = {urn}
        for key in self.keys(urn):
            found.update(self._twins.get(key, ()))
            if isinstance(key, int):
                found.add(key)
        return sorted(found)

    def stamp(self, urn: int) -> Stamp:
        """Return when a version was first made, the last time where equal ones met."""
        stamps = [self._stamps[key] for key in self.keys(urn) if key in self._stamps]
        return max(stamps) if stamps else self._old_stamp(urn)

    def made(self, urn: int) -> dict[str, Any]:
        """Return where a version was first made, as a pool that takes it in notes it."""
        if urn in self._entries:
            return dict(self._entries[urn].made)
        row = self.session.catalogue.version(urn, self.head)
        assert row is not None
        origin = loads((self.session.catalogue.origin(urn) or "{}").encode())
        if "made" in origin:
            return dict(origin["made"])
        commit = self.session.catalogue.commit(row.commit)
        assert commit is not None
        return {
            "commit": self._old_digests[row.commit].hex(),
            "urn": urn,
            "clock": self._old_stamp(urn)[0],
            "pool": self.session.folder.name,
            "saved": format_time(time_of(commit.time_us)),
            "author": commit.author,
            "message": commit.message,
        }

    def entry(self, urn: int) -> Entry | None:
        """Return a version that was made or taken in since, by its number here."""
        return self._entries.get(urn)

    def current_name(self, track: int) -> str | None:
        """Return the name of a track, None where it is not in view."""
        row = self.session.catalogue.latest(track, self.head)
        return None if row is None else row.name

    def last_name(self, track: int) -> str:
        """Return the name that a track has, or had when it was removed."""
        return self.current_name(track) or self.session.catalogue.last_name(track, self.head)

    def shown(self, track: int) -> Value:
        """Return whether a track is hidden, and since when: a new version brings it back."""
        found = self.hidden.get(track, Value(False, FIRST))
        for entry in self.by_track.get(track, ()):
            if not entry.again and entry.stamp > found.stamp:
                found = Value(False, entry.stamp)
        return found

    # -- the log

    def _read(self) -> None:
        for record in self.session.folder.log.records(self.base):
            if record.end.number > self.end.number:
                break
            self._take(record.commit(), record.end.previous.hex())
        completed = {each["of"]: each for each in self.completed}
        for entry in self.entries:
            if entry.raw["document"] in completed:
                found = completed[entry.raw["document"]]
                raw = {key: found[key] for key in ("document", "kind", "type")}
                self._completed(entry, raw)

    def _take(self, commit: Mapping[str, Any], digest: str) -> None:
        clock = commit.get("clock") or microseconds(commit["time"])
        merged = commit.get("merged", {})
        # A copy has the same lists, but is no merge: more of that pool may be to come.
        taken = merged or commit.get("copied", {})
        self.commits += 1
        self.clock = max(self.clock, clock)
        self.digests.add(digest)
        if "digest" in merged:
            self.merged.add(merged["digest"])
        for raw in commit.get("versions", ()):
            self._version(commit, digest, clock, raw)
        for there, number, urn, then in taken.get("same", ()):
            key = self._canonical(there, number)
            self.urns.setdefault(key, urn)
            self._keys.setdefault(urn, [urn]).append(key)
            self._twins.setdefault(key, []).append(urn)
            self._stamps[key] = (then, f"{there}:{number:020}")
        for list_, values in (("names", self.names), ("hidden", self.hidden)):
            for (track, value), then in _with_times(commit, taken, list_):
                values[track] = Value(value, (then or clock, repr(value)))
        for (tag, urn, on), then in _with_times(commit, taken, "tags"):
            self.tags[tag, urn] = Value(on, (then or clock, repr(on)))
        for move in commit.get("moved", ()):
            self.sources = [_moved(source, move) for source in self.sources]
        gone = [tuple(each) for each in commit.get("gone", ())]
        if gone:
            self.sources = [s for s in self.sources if (s["document"], s["path"]) not in gone]
        self.sources += commit.get("sources", ())
        self.completed += commit.get("completed", ())
        self.purged.update(commit.get("purged", ()))

    @staticmethod
    def _completed(entry: Entry, by: Mapping[str, Any]) -> None:
        assert isinstance(entry.raw, dict)
        entry.raw.update(by)

    def _version(
        self, commit: Mapping[str, Any], digest: str, clock: int, raw: Mapping[str, Any]
    ) -> None:
        made = raw.get("origin", {}).get("made") or {
            "commit": digest,
            "urn": raw["urn"],
            "clock": clock,
            "pool": self.session.folder.name,
            "saved": commit["time"],
            "author": commit["author"],
            "message": commit["message"],
        }
        key = self._canonical(made["commit"], made["urn"])
        stamp = (made["clock"], f"{made['commit']}:{made['urn']:020}")
        again = bool(made.get("again"))
        entry = Entry(key, raw, made, stamp, again)
        self.entries.append(entry)
        self._entries[entry.urn] = entry
        self.by_track.setdefault(entry.track, []).append(entry)
        self._keys[entry.urn] = [key]
        self._twins.setdefault(key, []).append(entry.urn)
        self._stamps[key] = stamp
        self.clock = max(self.clock, made["clock"])
        self.urns.setdefault(key, entry.urn)
        self.first_urn = min(self.first_urn, entry.urn)
        if raw["version"] == 0:
            self.first_track = min(self.first_track, entry.track)

    def _canonical(self, commit: str, urn: int) -> Key:
        """Return the key of a version, its number if it is from before."""
        if commit in self.digests or not self.base.number:
            return commit, urn
        if commit in self._old_commits:
            return urn
        return self._old_imports.get((commit, urn), (commit, urn))

    # -- what both have in common

    @cached_property
    def _old_digests(self) -> dict[int, bytes]:
        return dict(enumerate(self.session.folder.log.digests(self.base), 1))

    @cached_property
    def _old_commits(self) -> frozenset[str]:
        return frozenset(digest.hex() for digest in self._old_digests.values())

    @cached_property
    def _old_imports(self) -> dict[tuple[str, int], int]:
        """Return the versions from before that others had made, by what they are known as."""
        found: dict[tuple[str, int], int] = {}
        for urn, text in self.session.catalogue.origins("made", self.base.number):
            made = loads(text.encode()).get("made")
            if made is not None:
                found.setdefault((made["commit"], made["urn"]), urn)
        return found

    def _old_stamp(self, urn: int) -> Stamp:
        catalogue = self.session.catalogue
        row = catalogue.version(urn, self.head)
        assert row is not None
        made = loads((catalogue.origin(urn) or "{}").encode()).get("made")
        if made is not None:
            return made["clock"], ""
        if row.commit in self._old_clocks:
            return self._old_clocks[row.commit], ""
        commit = catalogue.commit(row.commit)
        assert commit is not None
        return commit.time_us, ""

    @cached_property
    def _old_clocks(self) -> dict[int, int]:
        """Return the clocks of commits that were ahead of their times."""
        if not self.session.catalogue.state("head_clock", 0):
            return {}
        found: dict[int, int] = {}
        for record in self.session.folder.log.records():
            if record.end.number > self.base.number:
                break
            commit = record.commit()
            if "clock" in commit:
                found[record.end.number] = commit["clock"]
        return found


def _moved(source: Mapping[str, Any], move: Mapping[str, Any]) -> Mapping[str, Any]:
    path, old = source["path"], move["from"]
    if not is_below(path, old) or path in move.get("but", ()):
        return source
    return {**source, "path": moved_path(path, old, move["to"]), "inode": 0}


def _with_times(
    commit: Mapping[str, Any], merged: Mapping[str, Any], key: str
) -> list[tuple[Any, int | None]]:
    """Pair the changes of a commit with the times of those that were taken from others."""
    changes = commit.get(key, ())
    times = merged.get(key, ())
    return [(change, times[n] if n < len(times) else None) for n, change in enumerate(changes)]
