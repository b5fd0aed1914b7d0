"""The second half of a merge: names, visibility and tags, of which the later change holds."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.pool.sync.report import Resolved
from skypool.pool.sync.sides import FIRST, Value

if TYPE_CHECKING:
    from skypool.pool.sync.sides import Side
    from skypool.pool.sync.versions import Incoming

__all__ = ["Changes"]

_UNTOUCHED = Value(None, FIRST)


@dataclass(slots=True)
class Changes:
    """What becomes of names, visibility and tags.

    Parameters
    ----------
    incoming
        The versions that come.

    Attributes
    ----------
    names : dict
        New names by track, each with the clock of the change; None where the merge decided.
    hidden : dict
        Tracks that are removed or brought back, each with the clock of the change.
    tags : dict
        Tags by (tag, version's number), each with the clock of the change.
    resolved : list of Resolved
        What both sides changed in different ways.
    renamed : list of (str, str)
        Names of theirs that were taken, and what they are here.
    restored : list of str
        What was asked for and had been removed.
    """

    incoming: Incoming
    names: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    hidden: dict[int, tuple[bool, int | None]] = field(default_factory=dict)
    tags: dict[tuple[str, int], tuple[bool, int | None]] = field(default_factory=dict)
    resolved: list[Resolved] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)

    def plan(self) -> None:
        """Decide for all that they changed."""
        self._plan_hidden()
        self._plan_names()
        self._plan_tags()

    @property
    def _ours(self) -> Side:
        return self.incoming.ours

    @property
    def _theirs(self) -> Side:
        return self.incoming.theirs

    # -- visibility

    def _plan_hidden(self) -> None:
        touched = {self._track(track): track for track in self._touched()}
        for track, other in touched.items():
            there = self._theirs.shown(other)
            if track in self.incoming.made:
                if there.value:
                    self.hidden[track] = (True, there.stamp[0])
                continue
            here = self._ours.shown(track)
            now = self._ours.current_name(track) is None
            if other in self._theirs.asked and now:
                self.hidden[track] = (False, None)
                self.restored.append(self._ours.last_name(track))
                continue
            if there.stamp <= here.stamp or there.value == now:
                self._tell_hidden(track, here, there, now)
                continue
            self.hidden[track] = (there.value, there.stamp[0])
            self._tell_hidden(track, here, there, there.value)

    def _touched(self) -> set[int]:
        """Return their tracks whose visibility either side may have changed."""
        found = set(self._theirs.hidden)
        for track in self._theirs.by_track:
            if self.incoming.tracks.get(track, track) in self._ours.hidden:
                found.add(track)
        found |= self._theirs.asked
        return {track for track in found if self._is_mapped(track)}

    def _is_mapped(self, track: int) -> bool:
        return track < self._theirs.first_track or track in self.incoming.tracks

    def _track(self, theirs: int) -> int:
        return self.incoming.track(theirs)

    def _tell_hidden(self, track: int, here: Value, there: Value, now: bool) -> None:
        if here.stamp == FIRST or here.value == there.value:
            return
        words = {True: "removed", False: "changed or brought back"}
        name = self._ours.last_name(track)
        text = "removed" if now else "in view"
        self.resolved.append(Resolved("removed", name, words[here.value], words[there.value], text))

    # -- names

    def _plan_names(self) -> None:
        shown = dict(self._shown())
        before = dict(shown)
        for track, (gone, _) in self.hidden.items():
            if gone:
                shown.pop(track, None)
            elif track not in self.incoming.made:
                shown[track] = self._ours.last_name(track)
        moved: dict[int, tuple[str, int | None]] = {}
        for other, value in self._theirs.names.items():
            if not self._is_mapped(other):
                continue
            track = self._track(other)
            name = self._name(track, value, shown)
            if name is not None:
                moved[track] = (name, value.stamp[0])
        for track, (name, _) in moved.items():
            shown[track] = name
        self._settle(shown, before, moved)
        self.names = {
            track: change
            for track, change in moved.items()
            if before.get(track) != change[0] or track in self.incoming.made
        }

    def _shown(self) -> list[tuple[int, str]]:
        names = self._ours.session.catalogue.names(self._ours.head)
        return [(track, name) for name, track in names]

    def _name(self, track: int, there: Value, shown: dict[int, str]) -> str | None:
        """Return the name that a track gets from them, None where it keeps its own."""
        if there.value is None:
            return None
        if track in self.incoming.made:
            return str(there.value)
        now = shown.get(track)
        here = self._ours.names.get(track, _UNTOUCHED)
        # The name of what is not in view is settled when it comes back into view.
        if now is None or now == there.value:
            return None
        takes = there.stamp > here.stamp
        if here is not _UNTOUCHED and here.value != there.value:
            result = there.value if takes else now
            self.resolved.append(
                Resolved("name", str(result), str(here.value), str(there.value), str(result))
            )
        return str(there.value) if takes else None

    def _settle(
        self,
        shown: dict[int, str],
        before: dict[int, str],
        moved: dict[int, tuple[str, int | None]],
    ) -> None:
        """Give free names to those of theirs whose name another product of ours has."""
        taken = set(shown.values()) | set(before.values())
        holders: dict[str, list[int]] = {}
        for track, name in shown.items():
            holders.setdefault(name, []).append(track)
        roots: list[tuple[str, str]] = []
        for name in sorted(name for name, tracks in holders.items() if len(tracks) > 1):
            # Ours keeps it; of several that come, the first.
            holders[name].sort(key=lambda track: (before.get(track) != name, track))
            for track in holders[name][1:]:
                wanted = self._below(name, roots) if track in self.incoming.made else None
                free = wanted if wanted and wanted not in taken else self._free(name, taken)
                taken.add(free)
                moved[track] = (free, None)
                shown[track] = free
                self.renamed.append((name, free))
                if track in self.incoming.made:
                    roots.append((f"{name}/", f"{free}/"))
        self._move_below(roots, shown, moved, taken)

    def _move_below(
        self,
        roots: list[tuple[str, str]],
        shown: dict[int, str],
        moved: dict[int, tuple[str, int | None]],
        taken: set[str],
    ) -> None:
        """Move what of theirs is named below something that got another name along with it."""
        for track in sorted(self.incoming.made):
            name = shown.get(track)
            wanted = None if name is None else self._below(name, roots)
            if name is None or wanted is None:
                continue
            free = wanted if wanted not in taken else self._free(wanted, taken)
            taken.add(free)
            moved[track] = (free, None)
            self.renamed.append((name, free))

    @staticmethod
    def _below(name: str, roots: list[tuple[str, str]]) -> str | None:
        for old, new in roots:
            if name.startswith(old):
                return new + name[len(old) :]
        return None

    def _free(self, name: str, taken: set[str]) -> str:
        folder, last = posixpath.split(name)
        stem, end = posixpath.splitext(last)
        source = self._theirs.session.folder.name
        number = 1
        while True:
            mark = f"(from {source})" if number == 1 else f"(from {source} {number})"
            free = posixpath.join(folder, f"{stem} {mark}{end}")
            if free not in taken:
                return free
            number += 1

    # -- tags

    def _plan_tags(self) -> None:
        catalogue, head = self._ours.session.catalogue, self._ours.head
        for (tag, other), there in self._theirs.tags.items():
            urn = self.incoming.urn(other)
            if urn is None:
                continue
            twins = [urn] if urn >= self.incoming.first else self._ours.twins(urn)
            values = [
                self._ours.tags[tag, twin] for twin in twins if (tag, twin) in self._ours.tags
            ]
            here = max(values, key=lambda value: value.stamp, default=_UNTOUCHED)
            having = [twin for twin in twins if tag in catalogue.tags(twin, head)]
            if there.value == bool(having):
                continue
            takes = there.stamp > here.stamp
            if here is not _UNTOUCHED:
                self._tell_tag(tag, urn, there, bool(having) if not takes else there.value)
            for twin in (having or [urn]) if takes else ():
                self.tags[tag, twin] = (there.value, there.stamp[0])

    def _tell_tag(self, tag: str, urn: int, there: Value, result: bool) -> None:
        row = self._ours.session.catalogue.version(urn, self._ours.head)
        name = "" if row is None else f"{self._ours.last_name(row.track)}@{row.version}"
        words = {True: "set", False: "taken away"}
        self.resolved.append(
            Resolved(
                f"tag {tag!r}", name, words[not there.value], words[there.value], words[result]
            )
        )
