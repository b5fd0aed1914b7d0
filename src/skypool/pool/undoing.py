"""Undoing a commit: a new commit that does the contrary.

Nothing is lost by it: the history shows both, and the second can be undone as well. It is
refused where somebody has changed since what it would change back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from skypool.catalogue.commit_changes import (
    TrackChange,
    last_name,
    removed_tracks,
    tags_changed,
    tracks_changed,
)
from skypool.catalogue.draft import Draft, DraftVersion, External
from skypool.catalogue.interface import ChunksGone, VersionRow
from skypool.catalogue.times import time_of
from skypool.errors import EditConflict, NotFound, Purged, UsageError
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from datetime import datetime

    from skypool.pool.view import View

__all__ = ["Trashed", "trash", "undo"]


@dataclass(frozen=True, slots=True)
class Trashed:
    """A product that was removed and can be restored.

    Attributes
    ----------
    ref : Ref
        Its newest version.
    name : str
        The name that it had.
    commit : int
        The commit that removed it.
    time : datetime
        When, UTC.
    author : str
        By whom.
    """

    ref: Ref
    name: str
    commit: int
    time: datetime
    author: str


def trash(view: View) -> list[Trashed]:
    """Return the removed products whose content is there, the last removed first."""
    identity, at = view.identity, view.at
    found = []
    commits = {}
    for track, name, number in removed_tracks(view.session.catalogue.database, at):
        if number not in commits:
            commits[number] = identity.commit(number)
        commit, row = commits[number], identity.latest(track, at)
        if commit is not None and row is not None and not row.purged:
            when = time_of(commit.time_us)
            found.append(Trashed(view.ref(row), name, number, when, commit.author))
    return found


# What commits do that change where content is, and nothing of what it is.
_INSTEAD: Final = {
    "dropped": "`skypool get` brings dropped content back",
    "fetched": "`skypool drop` drops the content again",
    "moved": "`skypool relocate NEW OLD` looks for the files at the old place again",
}


def undo(view: View, number: int, author: str, message: str = "") -> int:
    """Make the commit that takes another one back; return its number.

    Raises
    ------
    NotFound
        If there is no such commit.
    UsageError
        If it did nothing that can be undone.
    EditConflict
        If somebody changed since what it had changed; nothing is done then.
    NameConflict
        If a name that is wanted back was given to another product.
    Purged
        If content that is wanted back was given up.
    """
    commit = view.identity.commit(number)
    if commit is None:
        raise NotFound(
            f"there is no commit {number}; the pool has 1 to {view.identity.head()}",
            hint="`skypool history` lists them",
        )
    if commit.changes.get("purged"):
        raise UsageError(f"commit {number} gave up content, which nothing brings back")
    inverse = _Inverse(view, number)
    draft = Draft(author, message or f"undo {commit.message or f'commit {number}'}")
    draft.versions = inverse.versions()
    draft.plans.append(inverse)
    try:
        published = view.session.publish(draft, None)
    except ChunksGone:
        raise Purged(
            f"commit {number} cannot be undone: the content of earlier versions was given up"
        ) from None
    if published.commit is None:
        raise UsageError(
            f"commit {number} changed nothing that can be undone",
            hint=next((hint for key, hint in _INSTEAD.items() if commit.changes.get(key)), ""),
        )
    return published.commit


class _Inverse:
    """Fills a draft with the contrary of a commit, in the transaction that publishes it."""

    def __init__(self, view: View, number: int) -> None:
        self._identity = view.identity
        self._number = number
        database = view.session.catalogue.database
        self._database = database
        self._tracks = tracks_changed(database, number)
        self._tags = tags_changed(database, number)
        # Tracks that had versions before this commit, with the last of these.
        self._continued: dict[int, VersionRow] = {}
        self._made: set[int] = set()
        hidden_after = {change.track for change in self._tracks if change.before is None}
        for row in self._identity.changes(number):
            self._made.add(row.track)
            if row.version and row.track not in self._continued and row.track not in hidden_after:
                old = self._identity.numbered(row.track, row.version - 1, number)
                if old is not None:
                    self._continued[row.track] = old

    def versions(self) -> list[DraftVersion]:
        """Return the earlier versions, to be the newest again."""
        return [self._again(row) for row in self._continued.values()]

    def _again(self, row: VersionRow) -> DraftVersion:
        if row.purged:
            raise Purged(
                f"commit {self._number} cannot be undone: the content of version {row.version} of "
                f"{row.name!r} was given up"
            )
        refs = [
            (ref.role, External(ref.external or "") if ref.child is None else ref.child)
            for ref in self._identity.refs(row.urn)
        ]
        return DraftVersion(
            row.document,
            row.kind,
            row.type,
            row.size,
            row.total,
            refs,
            track=row.track,
            taken=(row.document,),
        )

    def __call__(self, draft: Draft) -> None:
        head = self._identity.head()
        for change in self._tracks:
            self._check(change, head)
            if change.before is None:
                draft.hidden.append((change.track, True))
            elif change.after is None:
                draft.hidden.append((change.track, False))
            elif change.track in self._continued:
                draft.moves.append((change.track, change.before))
            else:
                draft.renames.append((change.track, change.before))
        for track in self._continued:
            self._check_newest(track, head)
        gone = {change.track for change in self._tracks if change.first}
        for tag, urn, wanted in self._tags:
            row = self._identity.version(urn, head)
            if row is None or (wanted and row.track in gone):
                continue  # what it was put on goes away with this
            if (tag in self._identity.tags(urn, head)) != wanted:
                done = "taken away" if wanted else "put on again"
                self._refuse(row.track, head, f"the tag {tag!r} was {done}")
            draft.tags.append((tag, urn, not wanted))

    def _check(self, change: TrackChange, head: int) -> None:
        """Refuse where what a track is called is not what the commit made of it."""
        name, since, until = last_name(self._database, change.track)
        if change.after is None:
            if until != self._number:
                self._refuse(change.track, head, "it was brought back")
            return
        if until is not None:
            self._refuse(change.track, head, "it was removed")
        if since != self._number:
            self._refuse(change.track, head, f"it is called {name!r} now")
        if change.before is None:
            self._check_newest(change.track, head)

    def _check_newest(self, track: int, head: int) -> None:
        newest = self._identity.latest(track, head)
        if newest is not None and newest.commit > self._number:
            self._refuse(track, head, f"version {newest.version} was saved")

    def _refuse(self, track: int, head: int, what: str) -> NoReturn:
        last = self._identity.commits(head, track)[0]
        name = self._identity.last_name(track, head)
        newest = self._identity.latest(track, head)
        raise EditConflict(
            f"commit {self._number} cannot be undone: {name!r} was changed since by "
            f"{last.author} in commit {last.number}: {what}",
            name=name,
            expected=newest.version if newest is not None else None,
            commit=last.number,
            author=last.author,
            time=time_of(last.time_us),
            hint="nothing was changed; undo the later commits first, or change it by hand",
        )
