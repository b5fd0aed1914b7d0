"""Files that need not be read: the pool has their content, in a commit or ahead of one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.catalogue.seen import Seen
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.reaching import content_of, own_parts, reached
from skypool.pool.trees import Figures, FileNode
from skypool.storage.looking import absolute_of

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.storage.interface import Writer

__all__ = ["SeenBefore"]

# A file changed so shortly before it was read may change again within the grain of the
# clock without showing it (git calls such an entry racily clean): it is read next time.
_CLOCK_GRAIN_NS = 2 * 10**9
_BATCH = 500


class SeenBefore:
    """Looks files up as they were last seen, many at a time, and notes those that are read.

    Parameters
    ----------
    session
        The open pool.
    writer
        Of the commit.
    files
        All that will be asked for, in that order.
    in_place
        Content stays in the files: the pool need not have it.

    Attributes
    ----------
    staged : set of bytes
        Documents given out that no commit has yet: the commit has to look again for them.
    """

    def __init__(
        self,
        session: Session,
        writer: Writer,
        files: Sequence[FileNode],
        *,
        in_place: bool = False,
    ) -> None:
        self._session = session
        self._in_place = in_place
        self._writer = writer
        self._files = files
        self._next = 0
        self._asked: set[int] = set()
        # By the path that a node has.
        self._found: dict[str, Seen] = {}
        self._read: list[tuple[str, Figures, bytes]] = []
        self.staged: set[bytes] = set()

    def find(self, node: FileNode) -> Seen | None:
        """Return the document that a file of these figures had; its bytes are not read."""
        while id(node) not in self._asked:
            batch = self._files[self._next : self._next + _BATCH]
            if not batch:
                return None
            self._next += _BATCH
            self._ask(batch)
        return self._found.get(node.path)

    def _ask(self, batch: Sequence[FileNode]) -> None:
        self._asked = {id(node) for node in batch}
        files = [(node.path, node.status) for node in batch if node.format is None]
        paths = absolute_of(path for path, _ in files)
        found = self._session.catalogue.seen.find(
            [(path, status) for path, (_, status) in zip(paths, files, strict=True)]
        )
        is_whole = self._session.is_whole
        ahead = {seen.document for seen in found.values() if not seen.committed}
        there = self._still_there(ahead)
        self.staged |= there
        self._found = {
            given: seen
            for path, (given, _) in zip(paths, files, strict=True)
            if (seen := found.get(path)) is not None
            and (seen.document in there if seen.document in ahead else is_whole(seen.document))
        }

    def _still_there(self, documents: set[bytes]) -> set[bytes]:
        """Return those of some documents of no commit that can be taken, with all they need."""
        needs: dict[bytes, list[bytes]] = {}
        for document in documents:
            try:
                content = loads(self._session.fetch(document))
                needs[document] = [document, *self._needed(content)]
            except Damaged:  # gc was faster
                continue
        if self._writer.reuse_all([name for names in needs.values() for name in names]):
            return set(needs)
        return {document for document in needs if self._writer.reuse_all(needs[document])}

    def _needed(self, document: Mapping[str, Any]) -> list[bytes]:
        """Return the chunks that the packs must have for a document that no version has."""
        fetch = self._session.fetch
        if not self._in_place:
            return _cut(b"".join(reached(document, fetch)))
        names = set(_cut(b"".join(reached(own_parts(document), fetch))))
        content = set(_cut(b"".join(reached(content_of(document), fetch))))
        held = self._session.catalogue.chunks.places_of_many(list(content))
        return list(names | set(held))

    def note(self, node: FileNode, document: bytes) -> None:
        """Note what a file became that was read just now."""
        changed = max(node.status.st_mtime_ns, node.status.st_ctime_ns)
        if time.time_ns() - changed > _CLOCK_GRAIN_NS:
            self._read.append((node.path, node.status, document))

    def forget_files(self) -> None:
        """Let go of the files: nobody asks for them any more."""
        self._files, self._asked, self._found = (), set(), {}

    def keep(self) -> None:
        """Remember what was noted: its documents are indexed, durably."""
        if self._read:
            paths = absolute_of(path for path, _, _ in self._read)
            self._session.catalogue.seen.note(
                [(path, at, name) for path, (_, at, name) in zip(paths, self._read, strict=True)]
            )
            self._read = []


def _cut(digests: bytes) -> list[bytes]:
    return [digests[at : at + 32] for at in range(0, len(digests), 32)]
