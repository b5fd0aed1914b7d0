"""Giving up old versions, for users who want the space: `purge` and `forget`.

What is given up is a logged commit, and `gc` takes the bytes. Protected are, whatever is asked,
versions that carry a tag, the newest of products in view, and what a version that stays refers to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from skypool.catalogue.draft import Draft, Purge
from skypool.catalogue.old_versions import OldVersions
from skypool.errors import UsageError
from skypool.pool.history import commit_number
from skypool.pool.room import at_once

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View

__all__ = ["PurgeReport", "forget", "purge"]

_AT_ONCE = 5000


@dataclass(slots=True)
class PurgeReport:
    """What was given up, or would be.

    Attributes
    ----------
    versions, bytes : int
        Versions given up, and the size of their products; what `gc` gives back is less where
        versions that stay share it.
    tagged, newest, needed : int
        Versions that stay although they were asked for: they carry a tag, are the newest of a
        product in view, or a version that stays refers to them.
    commits : list of int
        The commits that say so; more than one where there are many versions.
    """

    versions: int = 0
    bytes: int = 0
    tagged: int = 0
    newest: int = 0
    needed: int = 0
    commits: list[int] = field(default_factory=list)


def purge(
    view: View,
    refs: Iterable[Ref],
    keep: int,
    message: str = "",
    *,
    dry_run: bool = False,
    report: PurgeReport | None = None,
) -> PurgeReport:
    """Give up all but the newest versions of products, and of what is named below them.

    Parameters
    ----------
    view, refs, keep, message, dry_run
        As for `Pool.purge`.
    report
        What was given up before it stopped for lack of room, to go on with.

    Raises
    ------
    UsageError
        If *keep* is not positive.
    """
    if keep < 1:
        raise UsageError(
            f"of a product at least one version stays, and not {keep}",
            hint="`remove` takes a product out of view; `gc` gives it up 30 days later",
        )
    refs = list(refs)
    tracks = {ref.track for ref in refs}
    for ref in refs:
        row = view.identity.latest(ref.track, view.at)
        if row is not None and row.name is not None:
            tracks.update(track for _, track in view.identity.names(view.at, row.name))
    kept = "newest version" if keep == 1 else f"newest {keep} versions"
    text = message or f"purge: keep the {kept} of {', '.join(ref.name for ref in refs[:3])}" + (
        f" and {len(refs) - 3} more" if len(refs) > 3 else ""
    )
    with OldVersions(view.session.catalogue.database) as old:
        old.of_tracks(sorted(tracks), keep)
        return _give_up(view, old, text, report, dry_run=dry_run)


def forget(
    view: View,
    before: int | str | date,
    message: str = "",
    *,
    dry_run: bool = False,
    report: PurgeReport | None = None,
) -> PurgeReport:
    """Give up what is not in view at a commit or time, nor was later; see `purge`.

    Raises
    ------
    NotFound
        If there is no such commit, or none before that time.
    """
    commit = commit_number(view.identity, before)
    with OldVersions(view.session.catalogue.database) as old:
        old.up_to(commit)
        return _give_up(view, old, message or f"forget: before {before}", report, dry_run=dry_run)


def _give_up(
    view: View, old: OldVersions, message: str, begun: PurgeReport | None, *, dry_run: bool
) -> PurgeReport:
    report = begun if begun is not None else PurgeReport()
    report.tagged, report.newest, report.needed = old.spare()
    if dry_run:
        report.versions, report.bytes = old.count()
        return report
    session = view.session
    for batch in old.batches(at_once(session.folder.path, _AT_ONCE)):
        draft = Draft(session.settings.author, message)
        draft.purge = Purge(batch)
        # What somebody protected meanwhile is left out by the commit itself.
        commit = session.publish(draft, None).commit
        if commit is not None:
            versions, size = old.purged_by(commit)
            report.versions += versions
            report.bytes += size
            report.commits.append(commit)
    return report
