"""Figures about a pool, verification, garbage collection and rebuilding."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.pool.collecting import GRACE, Collector, GcReport
from skypool.pool.verifying import Problem, Verifier, VerifyReport, list_packs_of

if TYPE_CHECKING:
    from datetime import datetime

    from skypool.pool.progress import OnProgress
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = [
    "GcReport",
    "PoolInfo",
    "Problem",
    "VerifyReport",
    "collect",
    "info",
    "rebuild",
    "verify",
]


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """Figures about a pool.

    Attributes
    ----------
    path, name, id : str
        Its folder, its name in URNs, and its own number in hexadecimal.
    created : datetime
    products, versions, tags, commits : int
        Visible products, versions of all products, different tags, commits.
    bytes_logical : int
        Size of all versions together, as if each were a file.
    bytes_stored : int
        Size of the packs.
    bytes_index : int
        Size of catalogue and log.
    packs : int
    """

    path: str
    name: str
    id: str
    created: datetime
    products: int
    versions: int
    tags: int
    commits: int
    bytes_logical: int
    bytes_stored: int
    bytes_index: int
    packs: int


def info(view: View) -> PoolInfo:
    """Return figures about a pool as of a view's commit."""
    folder, identity, at = view.session.folder, view.identity, view.at
    products, versions, size = identity.counts(at)
    packs = [entry.stat().st_size for entry in list_packs_of(folder)]
    index = (folder.catalogue, folder.catalogue + "-wal", folder.log.path)
    return PoolInfo(
        path=folder.path,
        name=folder.name,
        id=folder.id.hex(),
        created=folder.created,
        products=products,
        versions=versions,
        tags=len(identity.all_tags(at)),
        commits=at,
        bytes_logical=size,
        bytes_stored=sum(packs),
        bytes_index=sum(os.path.getsize(path) for path in index if os.path.exists(path)),
        packs=len(packs),
    )


def verify(view: View, quick: bool = False, on_progress: OnProgress | None = None) -> VerifyReport:
    """Check every committed byte of a pool; nothing is changed.

    Parameters
    ----------
    view
        The pool.
    quick
        Check sums only: records are not decoded, files kept in place not read.
    on_progress
        Told how far the work is.
    """
    return Verifier(view, quick, on_progress).run()


def collect(
    view: View,
    dry_run: bool = False,
    grace: float | None = None,
    on_progress: OnProgress | None = None,
) -> GcReport:
    """Give back the space of what no version reaches.

    Parameters
    ----------
    view
        The pool.
    dry_run
        Only tell what would be given back.
    grace
        Seconds for which a pack is left alone after it was written to; an hour if None.
    on_progress
        Told how far the work is.
    """
    seconds = GRACE if grace is None else grace
    return Collector(view, dry_run=dry_run, grace=seconds, on_progress=on_progress).run()


def rebuild(session: Session, on_progress: OnProgress | None = None) -> None:
    """Rebuild the catalogue from the packs and the log.

    Parameters
    ----------
    session
        The open pool.
    on_progress
        Told how far the work is.
    """
    from skypool.pool.rebuilding import rebuild_catalogue

    rebuild_catalogue(session, on_progress)
