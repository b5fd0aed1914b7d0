"""Taking files in, one by one: read, or known by their figures; indexed ahead of the commit."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.documents import dumps_document
from skypool.errors import SourceChanged
from skypool.pool.adding_outside import AddingOutside
from skypool.pool.reading_ahead import WINDOW, ReadingAhead, processes_for, threads_for
from skypool.pool.reading_files import (
    FileRead,
    How,
    Record,
    file_size,
    take_file,
)
from skypool.pool.seen_before import SeenBefore
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState

if TYPE_CHECKING:
    from skypool.catalogue.seen import Seen
    from skypool.codec.sinks import ByteSource
    from skypool.pool.add_report import AddOptions, AddReport
    from skypool.pool.session import Session
    from skypool.pool.trees import FileNode
    from skypool.storage.interface import Writer

__all__ = ["Content", "FileIntake"]

_STAGE_DOCUMENTS = 1000
_STAGE_BYTES = 64 * 1024**2


@dataclass(slots=True)
class Content:
    """What a file is, as it stands in the catalogue.

    Attributes
    ----------
    taken : tuple of bytes
        Its document, where it was there already and was not read.
    """

    document: bytes
    kind: str
    type: str
    size: int
    taken: tuple[bytes, ...] = ()


class FileIntake:
    """Makes documents of files.

    Parameters
    ----------
    session
        The open pool.
    draft
        Takes where files are that stay in place.
    writer
        Takes the chunks.
    options
        How files are added.
    report
        Takes what could not be read, and counts.

    Attributes
    ----------
    documents : list of IndexedDocument
        Those that are not indexed yet.
    unread : list of str
        Names of what could not be read, below the root.
    seen : SeenBefore
    """

    def __init__(
        self,
        session: Session,
        draft: Draft,
        writer: Writer,
        options: AddOptions,
        report: AddReport,
    ) -> None:
        self._session = session
        self._writer = writer
        self._options = options
        self._report = report
        self._outside = AddingOutside(session, draft, options)
        self._how = How(options.in_place, options.headers_only, options.gzip)
        self._staged_at = 0
        # Files that will come, and what is known of the next of them.
        self._files: Sequence[FileNode] = ()
        self._looked_at = 0
        self._next: deque[tuple[FileNode, Seen | None]] = deque()
        self._ahead: ReadingAhead | None = None
        # Of what is not indexed yet: what it is, and its parameters.
        self._known: dict[bytes, tuple[str, str, int]] = {}
        self._fresh: dict[bytes, Sequence[Sequence[Any]]] = {}
        self.seen = SeenBefore(session, writer, ())
        self.documents: list[IndexedDocument] = []
        self.unread: list[str] = []

    def expect(self, files: Sequence[FileNode]) -> None:
        """Take notice of all files that will come, in their order."""
        self.seen = SeenBefore(self._session, self._writer, files, in_place=self._options.in_place)
        self._files, self._looked_at = files, 0
        self._next.clear()
        wanted = self._session.settings.processes
        processes, threads = processes_for(len(files), wanted), threads_for(wanted)
        several = len(files) > 1 and (processes or threads)
        self._ahead = ReadingAhead(self._how, processes, threads) if several else None

    def forget_files(self) -> None:
        """Let go of the files: nobody asks for them any more."""
        if self._ahead is not None:
            self._ahead.close()
        self._files, self._ahead = (), None
        self._next.clear()
        self.seen.forget_files()

    def skip(self, path: str, reason: str, name: str) -> None:
        """Note what cannot be read."""
        self._report.skipped.append((path, reason))
        self.unread.append(name)

    def entries(self, document: bytes) -> Sequence[Any]:
        """Return the parameters of a product, given by its document's digest."""
        fresh = self._fresh.get(document)
        if fresh is not None:
            return fresh
        found: list[list[Any]] = self._session.document(document)["meta"]
        return found

    def describe(self, document: Mapping[str, Any], size: int = 0) -> Content:
        """Store a document of something that is no file."""
        digest = self._writer.put(dumps_document(document))
        if digest in self._known:
            return Content(digest, *self._known[digest])
        return self._take(indexed(digest, document, size))

    def _take(self, entry: IndexedDocument) -> Content:
        """Have a document indexed that is stored."""
        digest = entry.digest
        if digest not in self._known:
            self.documents.append(entry)
            self._known[digest] = (intern(entry.kind), intern(entry.type), entry.size)
            self._fresh[digest] = next(iter(entry.metas))[1]
        return Content(digest, *self._known[digest])

    def content(self, node: FileNode, name: str) -> Content | None:
        """Take a file in; None, and why, where it cannot be read."""
        try:
            content = self._seen_before(node) or self._read(node, name)
        except SourceChanged:
            self.skip(node.path, f"{node.path} changed while it was read", name)
            return None
        except SOURCE_ERRORS as error:
            self.skip(node.path, error.message, name)
            return None
        self.stage_when_large()
        return content

    def _look_ahead(self) -> None:
        """Find out which of the next files have to be read."""
        if len(self._next) > WINDOW // 2:
            return
        upto = min(len(self._files), self._looked_at + WINDOW - len(self._next))
        for node in self._files[self._looked_at : upto]:
            seen = self._seen(node)
            self._next.append((node, seen))
            if self._ahead is not None and seen is None and node.format is None:
                size = node.status.st_size
                self._ahead.expect(node, size, (node.path, node.name, node.member, size))
        self._looked_at = upto

    def _seen(self, node: FileNode) -> Seen | None:
        """Return the document that a file of these figures had, if that will do."""
        if self._options.force_read or node.format is not None or node.member:
            return None
        seen = self.seen.find(node)
        return seen if seen is not None and self._outside.serves(seen) else None

    def _seen_before(self, node: FileNode) -> Content | None:
        """Take the document that a file of these figures had; its bytes are not read."""
        if self._ahead is None:
            seen = self._seen(node)
        else:
            self._look_ahead()
            expected, seen = self._next.popleft()
            assert expected is node
        if seen is None:
            return None
        if self._options.in_place:
            status = node.status
            state = FileState(status.st_size, status.st_mtime_ns, status.st_ino)
            self._outside.note(node.path, state, seen.document, seen[1:4])
        self._report.bytes_in += node.status.st_size
        kind, type_ = intern(seen.kind), intern(seen.type)
        return Content(seen.document, kind, type_, seen.size, taken=(seen.document,))

    def _read(self, node: FileNode, name: str) -> Content:
        if node.format is not None:
            return self._read_folder(node, name)
        record = self._ahead.take(node) if self._ahead is not None else None
        read: FileRead | Record
        if record is None:
            read = take_file(node.path, node.name, node.member, self._how, self._writer)
        else:
            read = record.put(self._writer)
        known = self._outside.known(node.path, read)
        if known is not None:
            content = Content(*known, taken=(known.document,))
        else:
            content = self._take(read.index(self._writer))
        if read.reason:
            self._report.opaque.append((name or node.name, read.reason))
        if not node.member:
            facts = (content.kind, content.type, content.size)
            self._outside.note(node.path, read.state, content.document, facts)
            if not read.lacking:  # with the package installed, adding again reads it
                self.seen.note(node, content.document)
        self._report.bytes_in += read.state.size
        self._report.files_read += 1
        return content

    def _read_folder(self, node: FileNode, name: str) -> Content:
        from pathlib import Path

        assert node.format is not None
        with ExitStack() as stack:

            def open_source(relative: str) -> ByteSource:
                return stack.enter_context(FileSource(os.path.join(node.path, relative)))

            found = node.format.read(Path(node.path), open_source, self._writer)
        if found.reason:
            self._report.opaque.append((name or node.name, found.reason))
        for path, reason in found.skipped:
            self.skip(os.path.join(node.path, path), reason, name)
        files = [file for _, file in found.document["tree"] if file is not None]
        size = sum(file_size(file) for file in files)
        self._report.bytes_in += size
        return self.describe(found.document, size)

    def stage_when_large(self) -> None:
        """Index what is read so far, so that neither memory nor the last transaction grow."""
        written = self._writer.bytes_written
        if len(self.documents) < _STAGE_DOCUMENTS and written - self._staged_at < _STAGE_BYTES:
            return
        self.stage()

    def stage(self) -> None:
        """Index what is read so far."""
        self._session.stage(self._writer, self.documents, self._outside.not_staged())
        self.documents = []
        self._staged_at = self._writer.bytes_written
        self._known, self._fresh = {}, {}
        self.seen.keep()
