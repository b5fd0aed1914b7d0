"""Taking files in, one by one: read, or known by their figures; indexed ahead of the commit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.catalogue.coverages_at_hand import coverage_from_headers
from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.documents import dumps
from skypool.formats.registry import read_file
from skypool.pool.adding_outside import AddingOutside
from skypool.pool.inplace import InPlaceSink
from skypool.pool.noting import origin_of
from skypool.pool.seen_before import SeenBefore
from skypool.storage.inplace import SOURCE_ERRORS, FileSource, FileState

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.pool.add_report import AddOptions, AddReport
    from skypool.pool.session import Session
    from skypool.pool.trees import FileNode
    from skypool.storage.interface import Writer

__all__ = ["Content", "FileIntake"]

_STAGE_DOCUMENTS = 1000
_STAGE_BYTES = 512 * 1024**2
# Files up to this size are read in one go.
_AHEAD_BYTES = 64 * 1024


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
    origin: Mapping[str, Any] | None = None


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
        self._staged_at = 0
        # Of what is not indexed yet: what it is, and its parameters.
        self._known: dict[bytes, tuple[str, str, int]] = {}
        self._fresh: dict[bytes, list[list[Any]]] = {}
        self.seen = SeenBefore(session, writer, ())
        self.documents: list[IndexedDocument] = []
        self.unread: list[str] = []

    def expect(self, files: Sequence[FileNode]) -> None:
        """Take notice of all files that will come, in their order."""
        self.seen = SeenBefore(self._session, self._writer, files, in_place=self._options.in_place)

    def skip(self, path: str, reason: str, name: str) -> None:
        """Note what cannot be read."""
        self._report.skipped.append((path, reason))
        self.unread.append(name)

    def entries(self, content: Content) -> list[list[Any]]:
        """Return the parameters of a product."""
        fresh = self._fresh.get(content.document)
        if fresh is not None:
            return fresh
        found: list[list[Any]] = self._session.document(content.document)["meta"]
        return found

    def describe(
        self, document: Mapping[str, Any], size: int = 0, headers: Mapping[int, str] | None = None
    ) -> Content:
        """Store a document; *headers* are those of its file, where they are at hand."""
        digest = self._writer.put(dumps(document))
        if digest not in self._known:
            coverage = coverage_from_headers(document, headers) if headers else None
            entry = indexed(digest, document, size, coverage)
            self.documents.append(entry)
            self._known[digest] = (entry.kind, entry.type, size)
            self._fresh[digest] = document["meta"]
        return Content(digest, *self._known[digest])

    def content(self, node: FileNode, name: str, origin: Mapping[str, Any]) -> Content | None:
        """Take a file in; None, and why, where it cannot be read."""
        try:
            content = self._seen_before(node) or self._read(node, name)
        except SOURCE_ERRORS as error:
            self.skip(node.path, error.message, name)
            return None
        self.stage_when_large()
        content.origin = origin_of(node, origin)
        return content

    def _seen_before(self, node: FileNode) -> Content | None:
        """Take the document that a file of these figures had; its bytes are not read."""
        options = self._options
        if options.force_read or node.format is not None or node.member:
            return None
        seen = self.seen.find(node)
        if seen is None or not self._outside.serves(seen):
            return None
        if options.in_place:
            status = node.status
            state = FileState(status.st_size, status.st_mtime_ns, status.st_ino)
            self._outside.note(node.path, state, seen.document, seen[1:4])
        self._report.bytes_in += node.status.st_size
        return Content(seen.document, seen.kind, seen.type, seen.size, taken=(seen.document,))

    def _read(self, node: FileNode, name: str) -> Content:
        if node.format is not None:
            return self._read_folder(node, name)
        with FileSource(node.path, ahead=_AHEAD_BYTES) as source:
            sink = self._outside.sink(source, self._writer, node.member)
            found = read_file(source, sink, node.name, self._options.gzip)
            source.check()
            size = source.size
            state = source.state
        known = self._outside.known(node.path, state, found.document)
        if known is not None:
            content = Content(*known, taken=(known.document,))
        else:
            if isinstance(sink, InPlaceSink):
                sink.keep_headers(found.document)
            size_of_file = _file_size(found.document["file"])
            content = self.describe(found.document, size_of_file, found.headers)
        if found.reason:
            self._report.opaque.append((name or node.name, found.reason))
        if not node.member:
            facts = (content.kind, content.type, content.size)
            self._outside.note(node.path, state, content.document, facts)
            if not found.lacking:  # with the package installed, adding again reads it
                self.seen.note(node, content.document)
        self._report.bytes_in += size
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
        size = sum(_file_size(file) for file in files)
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


def _file_size(file: Mapping[str, Any]) -> int:
    wrapper = file.get("wrapper")
    return int(wrapper["size"] if wrapper else file["size"])
