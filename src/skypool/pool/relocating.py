"""Relocating: following files of a user that were moved to another disk or folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skypool.catalogue.draft import Draft, Move, SourceRow, SourceRows
from skypool.catalogue.kept_files import KeptFiles
from skypool.catalogue.outside import moved_path
from skypool.errors import NotFound, SourceChanged, SourceMissing, UsageError
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.sources import file_digest, file_hash
from skypool.storage.inplace import SOURCE_ERRORS, FileSource

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.view import View

__all__ = ["RelocateReport", "relocate"]


@dataclass(slots=True)
class RelocateReport:
    """What relocating did, or would do.

    Attributes
    ----------
    moved : int
        Files that are looked for at the new place now.
    bytes_read : int
        Bytes that were read to prove that files are the same.
    refused : list of (path, reason)
        Files, by their old paths, of which the new place does not have the same content: they
        are still looked for at the old one.
    commit : int or None
        The commit that says so; None where nothing was changed.
    """

    moved: int = 0
    bytes_read: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    commit: int | None = None


def relocate(
    view: View,
    old: str,
    new: str,
    *,
    full: bool = False,
    dry_run: bool = False,
    message: str = "",
    on_progress: OnProgress | None = None,
) -> RelocateReport:
    """Look for files at or below one path at another one from now on; see `Pool.relocate`."""
    if not old or not new:
        raise UsageError("a path is empty", hint="say where the files were, and where they are now")
    old, new = os.path.abspath(old), os.path.abspath(new)
    if old == new:
        raise UsageError(
            "the old place and the new one are the same",
            hint="say where the files were, and where they are now",
        )
    session = view.session
    report = RelocateReport()
    changed = SourceRows()
    kept = KeptFiles(session.catalogue.database)
    for count, each in enumerate(kept.all(old)):
        if on_progress is not None and count % 64 == 0:
            on_progress(Progress("looking", count, 0, report.bytes_read, 0, each.row.path))
        try:
            row = _found(session, each.row, moved_path(each.row.path, old, new), full, report)
        except SOURCE_ERRORS as error:
            report.refused.append((each.row.path, error.message))
            continue
        report.moved += 1
        if row is not None:
            changed.append(row)
    _check(report, old, new)
    if not dry_run:
        draft = Draft(session.settings.author, message or f"relocate {old} to {new}")
        draft.relocated = [Move(old, new, tuple(path for path, _ in report.refused))]
        draft.sources = changed
        report.commit = session.publish(draft, None).commit
    return report


def _check(report: RelocateReport, old: str, new: str) -> None:
    """Refuse where no file can be followed.

    Raises
    ------
    NotFound
        If the pool has none there.
    SourceMissing, SourceChanged
        If none of them is at the new place.
    """
    if report.moved:
        return
    if not report.refused:
        raise NotFound(
            f"no file at {old} or below it holds content of this pool",
            hint="`skypool status` lists the files that are not where they were",
        )
    count = len(report.refused)
    kind = SourceChanged if os.path.exists(new) else SourceMissing
    raise kind(
        f"{new} has none of the {count} files of {old}: {report.refused[0][1]}",
        hint="nothing was changed; the new place must be that of the old one's content",
    )


def _found(
    session: Session, row: SourceRow, path: str, full: bool, report: RelocateReport
) -> SourceRow | None:
    """Make sure that a file is at its new path.

    Returns
    -------
    SourceRow or None
        What the pool is to know of it, where that is more than another path.

    Raises
    ------
    StorageError
        If it is not there, or not the same.
    """
    with FileSource(path, files=session.folder.files) as source:
        state = source.state
        if state.size != row.size:
            raise SourceChanged(f"{path} has {state.size:,} bytes instead of {row.size:,}")
        if not full and state.mtime_ns == row.mtime_ns:
            return None
        wanted = file_hash(session, row.document)
        if wanted is None:
            if state.mtime_ns == row.mtime_ns:
                return None
            raise SourceChanged(
                f"{path} has another time, and only headers are known of its content"
            )
        report.bytes_read += state.size
        if file_digest(source).hex() != wanted:
            raise SourceChanged(f"{path} has other content")
    if state.mtime_ns == row.mtime_ns:
        return None
    return SourceRow(row.document, path, state.size, state.mtime_ns, state.inode)
