"""Figures about a pool, verification, garbage collection and rebuilding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.catalogue.collecting import Marks
from skypool.pool.collecting import Collector
from skypool.pool.gc_report import GcOptions, GcReport
from skypool.pool.verifying import Problem, Verifier, VerifyReport
from skypool.storage.looking import size_of
from skypool.storage.pack_files import packs_with_status

if TYPE_CHECKING:
    from datetime import datetime

    from skypool.pool.progress import OnProgress
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = [
    "GcOptions",
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
    waiting, waiting_bytes : int
        Versions of removed products that `gc` gives up in time, and the size of their products.
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
    waiting: int
    waiting_bytes: int


def info(view: View) -> PoolInfo:
    """Return figures about a pool as of a view's commit."""
    folder, identity, at = view.session.folder, view.identity, view.at
    products, versions, size = identity.counts(at)
    packs = [status.st_size for _, status in packs_with_status(folder.packs)]
    with Marks(view.session.catalogue.database) as marks:
        waiting = marks.removed(-1).waiting
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
        bytes_index=sum(size_of(path) or 0 for path in index),
        packs=len(packs),
        waiting=waiting.versions,
        waiting_bytes=waiting.size,
    )


def verify(
    view: View,
    quick: bool = False,
    on_progress: OnProgress | None = None,
    *,
    resume: bool = False,
) -> VerifyReport:
    """Check every committed byte of a pool; nothing is changed.

    Parameters
    ----------
    view
        The pool.
    quick
        Check sums only: records are not decoded, files kept in place not read.
    on_progress
        Told how far the work is.
    resume
        Go on where an interrupted verification stopped.
    """
    return Verifier(view, quick, on_progress, resume=resume).run()


def collect(
    view: View, options: GcOptions | None = None, on_progress: OnProgress | None = None
) -> GcReport:
    """Give back the space of what no version reaches.

    Parameters
    ----------
    view
        The pool.
    options
        How to; by default what `GcOptions` says.
    on_progress
        Told how far the work is.
    """
    return Collector(view, options or GcOptions(), on_progress).run()


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
