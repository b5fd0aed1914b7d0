"""Completing: reading what was left unread when only the headers of files were added.

Each batch is a commit, so whatever stops it, what is done stays done. The versions stay the same;
their documents get what was not known (docs/format/commits.md, *Completion*).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from skypool.catalogue.draft import Completion, Draft, SourceRow, SourceRows
from skypool.catalogue.interface import ChunksGone, IndexedDocument
from skypool.catalogue.kept_files import KeptFile, KeptFiles
from skypool.errors import StorageError
from skypool.pool.collector import still
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.reading_ahead import processes_for, threads_for
from skypool.pool.reading_kept import KeptReading
from skypool.pool.retrying import attempts
from skypool.storage.inplace import SOURCE_ERRORS

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["CompleteReport", "complete"]

# One commit: so many files, or bytes.
_FILES: Final = 1000
_BYTES: Final = 2 << 30
# A commit of fewer bytes takes a second or two: nothing is looked for to be freed meanwhile.
_QUICK_BYTES: Final = 256 << 20


@dataclass(slots=True)
class CompleteReport:
    """What completing did.

    Attributes
    ----------
    completed, bytes : int
        Files that were read, and their size.
    skipped : list of (path, reason)
        Files that are not as they were, or cannot be read.
    commits : list of int
        The commits that it made.
    """

    completed: int = 0
    bytes: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that was read."""

    kept: KeptFile
    entry: IndexedDocument
    source: SourceRow


def complete(
    view: View,
    refs: Iterable[Ref] | None = None,
    *,
    threads: int = 0,
    on_progress: OnProgress | None = None,
) -> CompleteReport:
    """Read the files of which only the headers were read.

    Parameters
    ----------
    view
        The pool.
    refs
        Only those of these versions and of all below them; None for all.
    threads
        How many files are read at a time, by processes or threads; 0 to choose.
    on_progress
        Told how far the work is.
    """
    return _Completing(view, threads, on_progress).run(refs)


class _Completing:
    """Reads files in batches, several at a time."""

    def __init__(self, view: View, threads: int, on_progress: OnProgress | None) -> None:
        self._session = view.session
        self._kept = KeptFiles(view.session.catalogue.database)
        self._wanted = threads
        self._on_progress = on_progress
        self._total = (0, 0)
        self._report = CompleteReport()

    def run(self, refs: Iterable[Ref] | None) -> CompleteReport:
        """Complete all that is asked for."""
        files = self._asked(refs)
        processes = self._session.settings.processes
        if self._wanted:
            processes = min(self._wanted, processes or self._wanted)
        processes = processes_for(self._total[0], processes)
        with closing(
            KeptReading(self._session, files, processes, threads_for(self._wanted))
        ) as reading:
            while batch := reading.batch(_FILES, _BYTES):
                quick = sum(kept.row.size for kept in batch) < _QUICK_BYTES
                with still() if quick else nullcontext():
                    self._commit(batch, reading)
        return self._report

    def _asked(self, refs: Iterable[Ref] | None) -> Iterable[KeptFile]:
        if refs is None:
            self._total = self._kept.unread_size()
            return self._kept.unread()
        # Documents have their numbers in the order in which their files were added.
        numbers = array("q", sorted({n for ref in refs for n in self._kept.numbers(ref.number)}))
        self._total = self._kept.unread_size_of(numbers)
        return self._kept.unread_of(numbers)

    def _commit(self, batch: list[KeptFile], reading: KeptReading) -> None:
        session = self._session
        for undisturbed in attempts(session):
            with undisturbed:
                writer = session.writer()
                try:
                    found, skipped = self._read_all(batch, writer, reading)
                    draft = Draft(session.settings.author, _message(found))
                    draft.completed = [_completion(each) for each in found]
                    draft.sources = SourceRows(each.source for each in found)
                    entries = {each.entry.digest: each.entry for each in found}
                    commit = session.publish(draft, writer, list(entries.values())).commit
                except ChunksGone:
                    writer.abandon()
                    continue
                except BaseException:
                    writer.abandon()
                    raise
                writer.close()
            self._report.completed += len(found)
            self._report.bytes += sum(each.source.size for each in found)
            self._report.skipped += skipped
            if commit is not None:
                self._report.commits.append(commit)
            return
        raise StorageError("chunks were reclaimed again and again while completing")

    def _read_all(
        self, batch: list[KeptFile], writer: Writer, reading: KeptReading
    ) -> tuple[list[_Found], list[tuple[str, str]]]:
        found: list[_Found] = []
        skipped: list[tuple[str, str]] = []
        size = 0
        for kept in batch:
            self._tell(len(found) + len(skipped), size, kept.row.path)
            try:
                read = reading.read(kept, writer)
            except SOURCE_ERRORS as error:
                skipped.append((kept.row.path, error.message))
                continue
            entry, row = read.index(writer), kept.row
            source = SourceRow(entry.digest, row.path, row.size, row.mtime_ns, read.state.inode)
            found.append(_Found(kept, entry, source))
            size += row.size
        return found, skipped

    def _tell(self, items: int, size: int, path: str) -> None:
        if self._on_progress is not None:
            done, read = self._report.completed + len(self._report.skipped), self._report.bytes
            self._on_progress(
                Progress(
                    "completing", done + items, self._total[0], read + size, self._total[1], path
                )
            )


def _completion(found: _Found) -> Completion:
    entry = found.entry
    return Completion(found.kept.row.document, entry.digest, entry.kind, entry.type, entry.size)


def _message(found: list[_Found]) -> str:
    return f"complete {len(found)} file{'' if len(found) == 1 else 's'}"
