"""What adding notes of the user's own files: those that stay in place, and those read at last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from skypool.catalogue.draft import Completion, Draft, SourceRow
from skypool.catalogue.kept_files import KeptFiles
from skypool.codec.deferring import has_same_headers
from skypool.pool.sources import is_stored
from skypool.storage.looking import absolute

if TYPE_CHECKING:
    from skypool.catalogue.kept_files import KnownFile
    from skypool.catalogue.seen import Seen
    from skypool.pool.add_report import AddOptions
    from skypool.pool.reading_files import FileRead, Record
    from skypool.pool.session import Session
    from skypool.storage.inplace import FileState

__all__ = ["AddingOutside"]


class AddingOutside:
    """Knows of each file that is added whether its content comes, stays, or waits.

    Parameters
    ----------
    session
        The open pool.
    draft
        Takes the sources, and what is completed.
    options
        How files are added.
    """

    def __init__(self, session: Session, draft: Draft, options: AddOptions) -> None:
        self._session = session
        self._draft = draft
        self._options = options
        self._kept = KeptFiles(session.catalogue.database)
        self._staged = 0

    def serves(self, seen: Seen) -> bool:
        """Tell whether a file need not be read whose figures were seen with a document."""
        if not (seen.whole or self._options.headers_only):
            return False
        if self._options.in_place or not self._session.catalogue.sources(seen.document):
            return True
        return is_stored(self._session, seen.document)

    def note(
        self, path: str, state: FileState, document: bytes, facts: tuple[str, str, int]
    ) -> None:
        """Note a file, its state, its document, and the kind, type and size of that."""
        if not (self._options.in_place or self._has_unread):
            return
        path = absolute(path)
        if self._options.in_place:
            self._draft.sources.append(
                SourceRow(document, path, state.size, state.mtime_ns, state.inode)
            )
        if not self._options.headers_only and self._has_unread:
            for old in self._kept.unread_at(path, state.size, state.mtime_ns):
                self._draft.completed.append(Completion(old, document, *facts))

    def known(self, path: str, read: FileRead | Record) -> KnownFile | None:
        """Return what the pool has of a file already of which the headers were read.

        They name where the file is, so those of a file that was moved are another document.

        Parameters
        ----------
        path, read
            The file, and what its headers say.
        """
        if not read.deferred:
            return None
        path, state = absolute(path), read.state
        for found in self._kept.known_at(path, state.size, state.mtime_ns, state.inode):
            if not self._session.is_whole(found.document):
                continue
            if has_same_headers(read.document(), self._session.document(found.document)):
                return found
        return None

    @cached_property
    def _has_unread(self) -> bool:
        return self._kept.unread_size()[0] > 0

    def not_staged(self) -> Sequence[SourceRow]:
        """Return the sources of the documents since the last call."""
        found = self._draft.sources.since(self._staged)
        self._staged = len(self._draft.sources)
        return found
