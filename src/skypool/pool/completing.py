"""Completing: reading what was left unread when only the headers of files were added.

Each batch is a commit, so whatever stops it, what is done stays done. The versions stay the same;
their documents get what was not known (docs/format/commits.md, *Completion*).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from skypool.catalogue.draft import Completion, Draft, SourceRow, SourceRows
from skypool.catalogue.interface import ChunksGone, IndexedDocument
from skypool.catalogue.kept_files import KeptFile, KeptFiles
from skypool.catalogue.terms import indexed
from skypool.codec.deferring import has_same_headers
from skypool.codec.documents import dumps
from skypool.errors import SourceChanged, StorageError
from skypool.formats.registry import read_file
from skypool.pool.inplace import InPlaceSink
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.retrying import attempts
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["CompleteReport", "complete"]

# One commit: so many files, or bytes.
_FILES: Final = 256
_MOST_THREADS: Final = 8
_BYTES: Final = 2 << 30


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
        How many files are read at a time; 0 to choose.
    on_progress
        Told how far the work is.
    """
    return _Completing(view, threads, on_progress).run(refs)


class _Completing:
    """Reads files in batches, several at a time."""

    def __init__(self, view: View, threads: int, on_progress: OnProgress | None) -> None:
        self._session = view.session
        self._kept = KeptFiles(view.session.catalogue.database)
        self._threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
        self._on_progress = on_progress
        self._total = (0, 0)
        self._report = CompleteReport()

    def run(self, refs: Iterable[Ref] | None) -> CompleteReport:
        """Complete all that is asked for."""
        with ThreadPoolExecutor(self._threads, "skypool-complete") as executor:
            for batch in _batches(self._asked(refs)):
                self._commit(batch, executor)
        return self._report

    def _asked(self, refs: Iterable[Ref] | None) -> Iterable[KeptFile]:
        if refs is None:
            self._total = self._kept.unread_size()
            return self._kept.unread()
        # Documents have their numbers in the order in which their files were added.
        numbers = array("q", sorted({n for ref in refs for n in self._kept.numbers(ref.number)}))
        self._total = self._kept.unread_size_of(numbers)
        return self._kept.unread_of(numbers)

    def _commit(self, batch: list[KeptFile], executor: ThreadPoolExecutor) -> None:
        session = self._session
        for undisturbed in attempts(session):
            with undisturbed:
                writer = session.writer()
                try:
                    found, skipped = self._read_all(batch, writer, executor)
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
        self, batch: list[KeptFile], writer: Writer, executor: ThreadPoolExecutor
    ) -> tuple[list[_Found], list[tuple[str, str]]]:
        found: list[_Found] = []
        skipped: list[tuple[str, str]] = []
        size = 0
        pending = [executor.submit(self._read, kept, writer) for kept in batch]
        try:
            for kept, future in zip(batch, pending, strict=True):
                self._tell(len(found) + len(skipped), size, kept.row.path)
                try:
                    found.append(future.result())
                    size += kept.row.size
                except SOURCE_ERRORS as error:
                    skipped.append((kept.row.path, error.message))
        finally:
            for future in pending:
                future.cancel()
        return found, skipped

    def _read(self, kept: KeptFile, writer: Writer) -> _Found:
        """Read a file, in a thread."""
        row = kept.row
        sink = InPlaceSink(writer)
        state = FileState(row.size, row.mtime_ns)
        with FileSource(row.path, state, self._session.folder.files) as source:
            document = read_file(source, sink, os.path.basename(row.path)).document
            source.check()
            inode = source.state.inode
        if not has_same_headers(self._session.document(row.document), document):
            raise SourceChanged(
                f"{row.path} is not as it was when it was added, though its size and time are",
                hint="add it again to make a new version of it",
            )
        sink.keep_headers(document)
        name = writer.put(dumps(document))
        return _Found(
            kept,
            indexed(name, document, row.size),
            SourceRow(name, row.path, row.size, row.mtime_ns, inode),
        )

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


def _batches(kept: Iterable[KeptFile]) -> Iterator[list[KeptFile]]:
    batch: list[KeptFile] = []
    size = 0
    for each in kept:
        batch.append(each)
        size += each.row.size
        if len(batch) >= _FILES or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
