"""Verification of the product documents: what they need, and what the catalogue says of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.chunks import chunk_key
from skypool.catalogue.comparing import TermSums
from skypool.catalogue.kept_files import KeptFiles
from skypool.catalogue.terms import terms_of, terms_of_attributes
from skypool.codec.deferring import deferred_lists, is_deferred
from skypool.codec.digest import Hasher
from skypool.codec.documents import loads
from skypool.errors import Damaged, SkypoolError, SourceChanged, SourceMissing
from skypool.pool.reaching import (
    content_of,
    datasets_of,
    droppable,
    reached,
    without_content,
)
from skypool.pool.sources import is_replaced
from skypool.pool.verify_report import Problem
from skypool.storage.inplace import FileSource, FileState, SourceUnreadable

if TYPE_CHECKING:
    from skypool.catalogue.collecting import Marks
    from skypool.catalogue.draft import SourceRow
    from skypool.catalogue.interface import Term
    from skypool.pool.session import Session
    from skypool.pool.verify_report import Findings

__all__ = ["DocumentCheck"]

_READ = 4 << 20


class DocumentCheck:
    """Go through all documents, and mark the chunks that they need.

    Parameters
    ----------
    session
        The pool.
    findings
        Where problems go.
    quick
        Files kept in place are not read, terms not compared.

    Attributes
    ----------
    unreadable : dict of int to Problem
        Documents that cannot be read, by their number.
    """

    def __init__(self, session: Session, findings: Findings, *, quick: bool) -> None:
        self._session = session
        self._findings = findings
        self._quick = quick
        self._kept = KeptFiles(session.catalogue.database)
        self.unreadable: dict[int, Problem] = {}

    def check(self, marks: Marks, head: int) -> None:
        """Mark what the versions up to a commit need."""
        with contextlib.ExitStack() as stack:
            sums = None
            if not self._quick:
                sums = stack.enter_context(TermSums(self._session.catalogue.database))
            self._check_each(marks, head, sums)

    def _check_each(self, marks: Marks, head: int, sums: TermSums | None) -> None:
        total = marks.count_documents(head)
        dropped = self._session.dropped_here(head)
        absent = self._session.catalogue.dropped_documents(head) - dropped
        for count, (number, digest) in enumerate(marks.documents(0, head)):
            if count % 256 == 0:
                self._findings.tell("checking documents", count, total)
            self._findings.report.checked += 1
            marks.add(digest)
            document = self._document(number, digest)
            if document is None:
                continue
            if sums is not None and not sums.fits(number, self._terms(digest, document)):
                what = "the catalogue has other searchable values than the document"
                problem = self._findings.problem("catalogue", what, f"document {digest.hex()[:16]}")
                problem.hurt = [f"{name}@{version}" for name, version in marks.holders(number)]
            sources = self._session.catalogue.sources(digest)
            if digest in dropped:
                self._findings.report.dropped += 1
                if sources and not self._has(marks, without_content, document):
                    self._check_in_place(marks, number, document, sources)
                else:
                    self._reach(marks, document, staying=True)
            elif digest in absent and not sources:
                self._check_absent(marks, document)
            elif sources:
                self._check_in_place(marks, number, document, sources)
            else:
                self._reach(marks, document)
        self._findings.tell("checking documents", total, total)

    def _terms(self, digest: bytes, document: Mapping[str, Any]) -> Iterator[Term]:
        yield from terms_of(document)
        database = self._session.catalogue.database
        # Where the attributes are damaged, the check of the tables tells it.
        with contextlib.suppress(Damaged):
            yield from terms_of_attributes(database, digest, document)

    def _document(self, number: int, digest: bytes) -> Mapping[str, Any] | None:
        try:
            document = loads(self._session.fetch(digest))
            if not isinstance(document, dict) or document.get("skypool") != 1:
                raise Damaged("it is not a product document")
        except Damaged as error:
            where = f"document {digest.hex()[:16]}"
            self.unreadable[number] = self._findings.problem("document", error.message, where)
            self._findings.lost.add(digest)
            return None
        return document

    def _check_absent(self, marks: Marks, document: Mapping[str, Any]) -> None:
        """Check what is here of content that another pool had dropped when it was taken in."""
        if self._is_stored(marks, droppable(document)):
            self._reach(marks, document)
        else:
            self._findings.report.dropped += 1
            self._reach(marks, document, staying=True)

    def _reach(
        self,
        marks: Marks,
        part: Any,
        but: frozenset[bytes] = frozenset(),
        *,
        staying: bool = False,
    ) -> None:
        try:
            found = without_content if staying else reached
            for digests in found(part, self._session.fetch):
                if but:
                    digests = b"".join(name for name in _names(digests) if name not in but)
                marks.add(digests)
        except Damaged:
            pass  # a list of chunks, whose own name was marked: it will be missed

    def _check_in_place(
        self,
        marks: Marks,
        number: int,
        document: Mapping[str, Any],
        sources: list[SourceRow],
    ) -> None:
        """Check the user's files; their chunks count as there if one file is as it was."""
        good = 0
        problems: list[tuple[SourceRow, SkypoolError]] = []
        for row in sources:
            try:
                self._check_source(row, document)
                good += 1
            except SkypoolError as error:
                problems.append((row, error))
        content = content_of(document)
        # What a wrapper has beside its stream is in the document itself.
        parts = {**document, "file": {**document["file"], "segments": [], "wrapper": None}}
        self._reach(marks, parts, self._in_file(document) if good else frozenset())
        there = good > 0 or self._is_stored(marks, content)
        if there:
            self._reach(marks, [_lists_only(part) for part in content])
        self._tell_sources(number, problems, there)

    def _tell_sources(
        self, number: int, problems: list[tuple[SourceRow, SkypoolError]], there: bool
    ) -> None:
        """Tell of files that are not as they were; *there* if the content is somewhere else.

        What was overwritten on purpose is no damage, as long as only older versions had it; nor
        is what another user may be able to read.
        """
        holders = self._kept.holders(number) if problems else []
        older = not any(newest for _, _, newest in holders)
        for row, error in problems:
            on_purpose = isinstance(error, SourceChanged | SourceMissing) and (older or there)
            if on_purpose and is_replaced(self._kept, row):
                if there:
                    continue
                found = Problem("source", "it holds a newer version", row.path)
                self._findings.report.overwritten.append(found)
            elif isinstance(error, SourceUnreadable) and error.is_refused:
                found = Problem("source", error.message, row.path)
                self._findings.report.unreadable.append(found)
            else:
                found = self._findings.problem("source", error.message, row.path)
            if not there:
                found.hurt = [f"{name}@{version}" for name, version, _ in holders]

    def _in_file(self, document: Mapping[str, Any]) -> frozenset[bytes]:
        """Return the chunks of a file that datasets name once more: complex numbers are pairs."""
        own = [
            parts[0]["data"]
            for _, parts in datasets_of(document)
            if "chunks" in parts[0].get("data", ())
        ]
        if not own:
            return frozenset()
        fetch = self._session.fetch
        try:
            named = {name for digests in reached(own, fetch) for name in _names(digests)}
            content = reached(content_of(document), fetch)
            return frozenset(
                name for digests in content for name in _names(digests) if name in named
            )
        except Damaged:
            return frozenset()

    def _is_stored(self, marks: Marks, content: list[Any]) -> bool:
        """Return whether the pool has all chunks of a file itself."""
        return not any(True for _ in deferred_lists(content)) and self._has(marks, reached, content)

    def _has(self, marks: Marks, find: Callable[..., Iterator[bytes]], part: Any) -> bool:
        """Return whether the pool has all chunks that a function finds of a part of a document."""
        try:
            keys = (
                chunk_key(digests[at : at + 32])
                for digests in find(part, self._session.fetch)
                for at in range(0, len(digests), 32)
            )
            return all(marks.has_row(key) for key in keys)
        except Damaged:
            return False

    def _check_source(self, row: SourceRow, document: Mapping[str, Any]) -> None:
        file = document["file"]
        wrapper = file.get("wrapper") or file
        self._findings.report.checked += 1
        with FileSource(
            row.path, FileState(row.size, row.mtime_ns), self._session.folder.files
        ) as source:
            if self._quick or is_deferred(document):
                return  # of what was never read nothing is known but size and time
            hasher = Hasher()
            for offset in range(0, source.size, _READ):
                hasher.update(source.pread(offset, _READ))
                self._findings.report.bytes += min(_READ, source.size - offset)
            if hasher.digest().hex() != wrapper["hash"]:
                raise SourceChanged(f"{row.path} is not as it was, though its size and time are")


def _names(digests: bytes) -> Iterator[bytes]:
    return (digests[start : start + 32] for start in range(0, len(digests), 32))


def _lists_only(segment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a segment without the names of its chunks, but with that of their list."""
    chunks = segment.get("chunks")
    if isinstance(chunks, Mapping) and "list" in chunks:
        return {"type": "", "list": chunks["list"]}
    return {}
