"""Relocating: following files of a user that were moved to another disk or folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import Draft, Move, SourceRow
from skypool.catalogue.kept_files import KeptFiles
from skypool.catalogue.outside import moved_path, named_path
from skypool.errors import NotFound, SourceChanged, SourceMissing, UsageError
from skypool.pool.elsewhere import Elsewhere
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.sources import check_source, file_digest, file_hash
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState

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
        Files that are looked for at the new place now, and other pools that have dropped content.
    bytes_read : int
        Bytes that were read to prove that files are the same.
    refused : list of (path, reason)
        Files and pools, by their old paths, of which the new place does not have the same
        content: they are still looked for at the old one.
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
    draft = Draft(session.settings.author, message or f"relocate {old} to {new}")
    moving = _Moving(session, old, new, full, draft)
    report = moving.report
    kept = KeptFiles(session.catalogue.database)
    paths = groupby(kept.all(old), key=lambda each: each.row.path)
    for count, (path, found) in enumerate(paths):
        if on_progress is not None and count % 64 == 0:
            on_progress(Progress("looking", count, 0, report.bytes_read, 0, path))
        moving.file(path, [each.row for each in found])
    moving.places(kept)
    _check(report, old, new)
    if not dry_run:
        refused = dict.fromkeys(path for path, _ in report.refused)
        draft.relocated = [Move(old, new, tuple(refused))]
        report.commit = session.publish(draft, None).commit
    return report


@dataclass(slots=True)
class _Moving:
    """Looks for what was at one path, or below it, at another one, and notes it in a draft."""

    session: Session
    old: str
    new: str
    full: bool
    draft: Draft
    report: RelocateReport = field(default_factory=RelocateReport)

    def file(self, path: str, rows: Iterable[SourceRow]) -> None:
        """Look for a file; of what it held one after the other it has one thing now."""
        new = moved_path(path, self.old, self.new)
        followed, refused = [], []
        for row in rows:
            try:
                found = _found(self.session, row, new, self.full, self.report)
            except SOURCE_ERRORS as error:
                refused.append((row, error.message))
            else:
                followed.append((row, found))
        self.report.moved += len(followed)
        if followed:  # what it held before is gone: nothing is lost by a look at the new path
            refused = [each for each in refused if check_source(each[0])[0] == "fine"]
        self.report.refused += [(path, reason) for _, reason in refused]
        if refused:  # what the prefix does not move is moved one by one
            self.draft.gone += [(row.document, path) for row, _ in followed]
        for row, changed in followed:
            if changed is not None:
                self.draft.sources.append(changed)
            elif refused:
                self.draft.sources.append(replace(row, path=new, inode=0))

    def places(self, kept: KeptFiles) -> None:
        """Look for pools and files that had dropped content; those kept in place are looked at."""
        below = self.session.catalogue.dropped_below(self.old)
        with Elsewhere(self.session, ()) as elsewhere:
            for path, found in groupby(below, key=lambda each: named_path(each[2])):
                if kept.others_at(path, b""):
                    continue
                if any(self._is_there(elsewhere, *each) for each in found):
                    self.report.moved += 1
                else:
                    new = moved_path(path, self.old, self.new)
                    self.report.refused.append((path, elsewhere.why or f"{new} is another pool"))

    def _is_there(
        self, elsewhere: Elsewhere, urn: int, name: bytes, place: Mapping[str, Any]
    ) -> bool:
        """Tell whether what had the content of a version is at its new path."""
        path, elsewhere.why = named_path(place), ""
        new = moved_path(path, self.old, self.new)
        if "pool" in place:
            return elsewhere.has_pool({**place, "pool": new})
        document, origin = self.session.document(name), elsewhere.origin(urn)
        file = document.get("file", {})
        size = file.get("wrapper", file).get("size", 0)
        if "member" not in place and origin.get("path") == path and not self.full:
            state = FileState(size, origin["mtime_ns"])
            with suppress(*SOURCE_ERRORS), FileSource(new, state, self.session.folder.files):
                return True
        self.report.bytes_read += size
        return bool(elsewhere.verified({**place, "path": new}, document))


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
            f"nothing at {old} or below it holds content of this pool",
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
