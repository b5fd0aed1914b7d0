"""Clone, pull and push."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.catalogue.interface import ChunksGone, HeadMoved
from skypool.errors import PoolExists, StorageError, UsageError
from skypool.pool.folder import PoolFolder, is_pool
from skypool.pool.named import locate
from skypool.pool.sync.forward import follow
from skypool.pool.sync.relation import Standing, relation
from skypool.pool.sync.remotes import Remotes
from skypool.pool.sync.report import SyncReport
from skypool.pool.sync.transfer import Counter
from skypool.storage.commit_log import START

if TYPE_CHECKING:
    from skypool.config import Settings
    from skypool.pool.progress import OnProgress
    from skypool.pool.session import Session
    from skypool.storage.filelayer import FileLayer

__all__ = ["SyncOptions", "bring_in_step", "finish_clone", "make_clone", "remember"]

_TRIES = 20


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a pull is done.

    Attributes
    ----------
    unrelated : bool
        Whether pools without a common beginning are merged.
    skip_damaged : bool
        Whether products that are damaged in the source come without what is lost.
    progress
        Told how far the work is.
    doing : str
        What it is told as.
    """

    unrelated: bool = False
    skip_damaged: bool = False
    progress: OnProgress | None = None
    doing: str = "pulling"


def bring_in_step(source: Session, target: Session, options: SyncOptions) -> SyncReport:
    """Bring to a pool what another one has and it lacks.

    Parameters
    ----------
    source, target
        The pools; only the target is changed.
    options
        How.

    Raises
    ------
    UsageError
        If both are the same pool.
    Conflict
        If they have nothing in common, and that was not asked for.
    Damaged
        If the source has lost data, and they are not to be skipped.
    """
    if source.folder.key == target.folder.key:
        raise UsageError(f"{source.folder.path} and {target.folder.path} are the same pool")
    report = SyncReport(source.folder.path, target.folder.path)
    for _ in range(_TRIES):
        try:
            if _step(source, target, report, options):
                return report
        except (ChunksGone, HeadMoved):
            continue  # a writer or gc in the target came in between
    raise StorageError(
        f"{target.folder.path} changed again and again while pulling", hint="try again"
    )


def _step(source: Session, target: Session, report: SyncReport, options: SyncOptions) -> bool:
    """Do what the pools as they are now need; True when that is done."""
    with target.committing():
        target.complete_log()
    found = relation(target, source)
    report.commit = found.ours.number
    if found.standing in (Standing.SAME, Standing.AHEAD):
        if not report.changed:
            report.how = found.standing.value
        return True
    if found.standing is Standing.BEHIND:
        what = "cloning" if found.ours == START else "pulling"
        counter = Counter(options.progress, what)
        before = report.purged
        follow(source, target, found, report, counter, skip_damaged=options.skip_damaged)
        # What was purged while it was copied is whole with the commit that purged it.
        return report.purged == before
    from skypool.pool.sync.merging import merge

    merge(source, target, found, report, options)
    return True


def make_clone(
    source: Session, where: str | os.PathLike[str], settings: Settings, files: FileLayer
) -> PoolFolder:
    """Make the folder of a clone, or take up one that was not finished.

    Raises
    ------
    PoolExists
        If there is another pool.
    UsageError
        If the folder has other content.
    """
    path = locate(where, settings)
    mine = source.folder.id.hex()
    if is_pool(path):
        folder = PoolFolder.open(path, files)
        begun = Remotes.read(folder).cloning
        if begun != mine and (begun is not None or folder.log.end() != START):
            raise PoolExists(
                f"there is a pool at {path} already",
                hint=f"to bring it up to date: `skypool -p {path} pull {source.folder.path}`",
            )
    else:
        folder = PoolFolder.create(path, files, exclusive=True)
    Remotes(pull=source.folder.path, push=source.folder.path, cloning=mine).write(folder)
    return folder


def finish_clone(folder: PoolFolder) -> None:
    """Note that a clone is complete."""
    remotes = Remotes.read(folder)
    remotes.cloning = None
    remotes.write(folder)


def remember(folder: PoolFolder, direction: str, other: str) -> None:
    """Remember the other side if none is remembered yet."""
    remotes = Remotes.read(folder)
    if getattr(remotes, direction) is None:
        setattr(remotes, direction, other)
        remotes.write(folder)
