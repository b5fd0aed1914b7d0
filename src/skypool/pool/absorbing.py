"""Absorbing: copying into the pool what was in files of the user; they may go away then."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from skypool.catalogue.draft import Completion, Draft, SourceRow
from skypool.catalogue.interface import ChunksGone, IndexedDocument
from skypool.catalogue.kept_files import KeptFiles
from skypool.catalogue.terms import indexed
from skypool.codec.deferring import has_same_headers, is_deferred
from skypool.codec.documents import dumps
from skypool.errors import SourceChanged, StorageError
from skypool.formats.registry import read_file
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.reaching import reached
from skypool.pool.retrying import attempts
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["AbsorbReport", "absorb"]

# One commit: so many files, or bytes.
_FILES: Final = 1000
_BYTES: Final = 1 << 30


@dataclass(slots=True)
class AbsorbReport:
    """What absorbing did.

    Attributes
    ----------
    absorbed, bytes : int
        Files of which the pool has the content now, and their size.
    bytes_added : int
        Growth of the packs.
    skipped : list of (path, reason)
        Files that are not as they were, or cannot be read.
    commits : list of int
        The commits that it made.
    """

    absorbed: int = 0
    bytes: int = 0
    bytes_added: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)


def absorb(
    view: View, refs: Iterable[Ref], *, on_progress: OnProgress | None = None
) -> AbsorbReport:
    """Copy the content of versions, and of all below them, into the pool; see `Pool.absorb`."""
    kept = KeptFiles(view.session.catalogue.database)
    numbers = sorted({n for ref in refs for n in kept.numbers(ref.number)})
    work = _Absorbing(view, kept, on_progress)
    groups = [list(rows) for rows in _by_document(each.row for each in kept.of(numbers))]
    work.run(sorted(groups, key=lambda rows: rows[0].path))
    return work.report


class _Absorbing:
    """Copies files in batches, each of which is a commit."""

    def __init__(self, view: View, kept: KeptFiles, on_progress: OnProgress | None) -> None:
        self._session = view.session
        self._kept = kept
        self._on_progress = on_progress
        self._total = (0, 0)
        self._first: StorageError | None = None
        self.report = AbsorbReport()

    def run(self, groups: list[list[SourceRow]]) -> None:
        """Absorb documents, given by the files that have their content.

        Raises
        ------
        SourceMissing, SourceChanged
            If none can be absorbed.
        """
        self._total = (len(groups), sum(rows[0].size for rows in groups))
        batch: list[list[SourceRow]] = []
        for rows in groups:
            batch.append(rows)
            if len(batch) >= _FILES or sum(each[0].size for each in batch) >= _BYTES:
                self._commit(batch)
                batch = []
        if batch:
            self._commit(batch)
        if self._first is not None and not self.report.absorbed:
            raise self._first

    def _commit(self, batch: list[list[SourceRow]]) -> None:
        session = self._session
        for undisturbed in attempts(session):
            with undisturbed:
                writer = session.writer()
                draft = Draft(session.settings.author, "")
                documents: list[IndexedDocument] = []
                skipped: list[tuple[str, str]] = []
                try:
                    size = self._read_all(batch, writer, draft, documents, skipped)
                    count = len(batch) - len(skipped)
                    draft.message = f"absorb {count} file{'' if count == 1 else 's'}"
                    commit = session.publish(draft, writer, documents).commit
                except ChunksGone:
                    writer.abandon()
                    continue
                except BaseException:
                    writer.abandon()
                    raise
                writer.close()
            self.report.absorbed += count
            self.report.bytes += size
            self.report.bytes_added += writer.bytes_written
            self.report.skipped += skipped
            if commit is not None:
                self.report.commits.append(commit)
            return
        raise StorageError("chunks were reclaimed again and again while absorbing")

    def _read_all(
        self,
        batch: list[list[SourceRow]],
        writer: Writer,
        draft: Draft,
        documents: list[IndexedDocument],
        skipped: list[tuple[str, str]],
    ) -> int:
        size = 0
        for count, rows in enumerate(batch):
            self._tell(count, size, rows[0].path)
            try:
                found = self._read(rows, writer)
            except SOURCE_ERRORS as error:
                self._first = self._first or error
                skipped.append((rows[0].path, error.message))
                continue
            size += rows[0].size
            # What was dropped is here now, and must stay: the file may go away.
            draft.fetches += self._kept.versions(rows[0].document)
            if found is None:
                draft.gone += [(row.document, row.path) for row in rows]
            else:
                draft.completed.append(
                    Completion(rows[0].document, found.digest, found.kind, found.type, found.size)
                )
                documents.append(found)
        return size

    def _read(self, rows: list[SourceRow], writer: Writer) -> IndexedDocument | None:
        """Copy the content of a document from the first file that has it, where it must be copied.

        Returns
        -------
        IndexedDocument or None
            A complete document, where only the headers of the file had been read.
        """
        problem: StorageError | None = None
        for row in rows:
            try:
                return self._copy(row, writer)
            except SOURCE_ERRORS as error:
                problem = problem or error
        assert problem is not None
        if self._is_here(rows[0].document, writer):
            return None
        raise problem

    def _is_here(self, name: bytes, writer: Writer) -> bool:
        """Return whether the pool has all of a document already, so that no file is needed."""
        document = self._session.document(name)
        return not is_deferred(document) and all(
            writer.reuse_all([digests[at : at + 32] for at in range(0, len(digests), 32)])
            for digests in reached(document, self._session.fetch)
        )

    def _copy(self, row: SourceRow, writer: Writer) -> IndexedDocument | None:
        session = self._session
        state = FileState(row.size, row.mtime_ns)
        with FileSource(row.path, state, session.folder.files) as source:
            document = read_file(source, writer, os.path.basename(row.path)).document
            source.check()
        known = session.document(row.document)
        if is_deferred(known):
            if not has_same_headers(known, document):
                raise _changed(row.path)
            name = writer.put(dumps(document))
            return indexed(name, document, row.size)
        outer, was = (each["file"].get("wrapper") or each["file"] for each in (document, known))
        if outer["hash"] != was["hash"]:
            raise _changed(row.path)
        if document["file"] != known["file"]:
            self._copy_chunks(row, writer)  # another release, or another zlib, cuts it otherwise
        return None

    def _copy_chunks(self, row: SourceRow, writer: Writer) -> None:
        """Copy the chunks that a document names, each checked by its digest."""
        session = self._session
        fetch = session.fetch_for(row.document)
        for digests in reached(session.document(row.document), fetch):
            for at in range(0, len(digests), 32):
                writer.put(fetch(digests[at : at + 32]))

    def _tell(self, items: int, size: int, path: str) -> None:
        if self._on_progress is not None:
            done = self.report.absorbed + len(self.report.skipped)
            read = self.report.bytes + size
            self._on_progress(
                Progress("absorbing", done + items, self._total[0], read, self._total[1], path)
            )


def _changed(path: str) -> SourceChanged:
    return SourceChanged(
        f"{path} is not as it was when it was added, though its size and time are",
        hint="add it again to make a new version of it",
    )


def _by_document(rows: Iterable[SourceRow]) -> Iterator[list[SourceRow]]:
    group: list[SourceRow] = []
    for row in rows:
        if group and group[0].document != row.document:
            yield group
            group = []
        group.append(row)
    if group:
        yield group
