"""Adding files, folders and archives."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import (
    Draft,
    DraftVersion,
    Expectation,
    IndexedDocument,
    Published,
    RefTarget,
    SourceRow,
    VersionRow,
)
from skypool.catalogue.terms import indexed
from skypool.codec.documents import dumps
from skypool.errors import (
    NameConflict,
    SourceChanged,
    SourceMissing,
    StorageError,
)
from skypool.formats.base import fixed_attributes
from skypool.formats.registry import read_file
from skypool.pool.damage_notes import missing_packs
from skypool.pool.inplace import InPlaceSink
from skypool.pool.observations import Observation, contradiction, observation_of
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.ref import Ref
from skypool.pool.resolve import check_name
from skypool.pool.saving import Totals
from skypool.pool.trees import FileNode, FolderNode, Node, is_tar, scan, unpack
from skypool.storage.inplace import FileSource, SourceUnreadable

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.pool.session import Session
    from skypool.storage.interface import Writer

__all__ = ["AddOptions", "AddReport", "Adder"]

# A file changed so shortly before it was read may change again within the grain of the
# clock without showing it (git calls such an entry racily clean): it is read next time.
_CLOCK_GRAIN_NS = 2 * 10**9
_STAGE_DOCUMENTS = 1000
_STAGE_BYTES = 512 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """How files are added; see `Pool.add`."""

    name: str | None = None
    under: str | None = None
    in_place: bool = False
    as_version: bool = False
    exclusive: bool = False
    force_read: bool = False
    gzip: str = "exact"


@dataclass(slots=True)
class AddReport:
    """What adding did.

    Attributes
    ----------
    commit : int or None
        Number of the commit; None where nothing was new.
    refs : list of Ref
        The roots, in the order given.
    saved : list of Ref
        The new versions.
    unchanged : int
        Products that were there already, as they are.
    skipped : list of (path, reason)
        Files that could not be read.
    opaque : list of (name, reason)
        Files kept as bytes though they look like a known format.
    removed : list of str
        Names that a folder no longer has.
    bytes_in : int
        Bytes of the files.
    bytes_added : int
        Growth of the packs, overhead included.
    """

    commit: int | None = None
    refs: list[Ref] = field(default_factory=list)
    saved: list[Ref] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    opaque: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    bytes_in: int = 0
    bytes_added: int = 0


class Adder:
    """Reads trees of files into a draft.

    Parameters
    ----------
    session
        The open pool.
    draft
        Takes the versions.
    writer
        Takes the chunks.
    options
        How files are added.
    on_progress
        Told how far the work is.
    """

    def __init__(
        self,
        session: Session,
        draft: Draft,
        writer: Writer,
        options: AddOptions,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._session = session
        self._draft = draft
        self._writer = writer
        self._options = options
        self._on_progress = on_progress
        self._totals = Totals(session)
        self._documents: list[IndexedDocument] = []
        self._indexed: dict[bytes, tuple[str, str, int]] = {}
        # Metadata of the versions that are files; of those not read, the document's digest.
        self._metas: dict[int, Mapping[str, Any] | bytes] = {}
        self._seen: list[tuple[str, os.stat_result, bytes]] = []
        self._staged_at = 0
        self._unread: set[str] = set()
        self._done = (0, 0)
        self._todo = (0, 0)
        self.report = AddReport()

    def add(self, paths: Sequence[str]) -> list[int]:
        """Read everything and return the targets of the roots."""
        missing = missing_packs(self._session)
        if missing:
            self._session.catalogue.mark_bad(missing)
        with ExitStack() as stack:
            nodes = [self._node(path, stack) for path in paths]
            files = [file for _, node in nodes for file in _files(node)]
            self._todo = (len(files), sum(file.status.st_size for file in files))
            return [self._root(path, node) for path, node in nodes]

    def finish(self) -> Published:
        """Commit the draft; contradicting versions are refused before."""
        if self._options.exclusive:
            self._draft.expected = [Expectation(v.name) for v in self._draft.versions if v.name]
        if not self._options.as_version:
            self._check_contradictions()
        published = self._session.publish(self._draft, self._writer, self._documents)
        if self._seen:
            self._session.catalogue.note_seen(self._seen)
        return published

    # -- roots

    def _node(self, path: str, stack: ExitStack) -> tuple[str, Node]:
        if is_tar(path):
            folder = tempfile.TemporaryDirectory(prefix="skypool-")
            stack.enter_context(folder)
            return path, unpack(path, folder)
        return path, scan(path, self._session.folder.path)

    def _root(self, path: str, node: Node) -> int:
        if isinstance(node, FolderNode):
            self._take_skipped(node)
        first = len(self._draft.versions)
        found: Observation | None = None
        if isinstance(node, FolderNode):
            refs = self._children(node, "")
            found = self._observation(node, first)
            target: int | None = self._add_context(refs, "", found)
        else:
            target = self._add_file(node, "")
        if target is None:
            raise StorageError(f"cannot add {path!r}: {self.report.skipped[-1][1]}")
        name = self._root_name(path, node, found)
        for version in self._draft.versions[first:]:
            version.name = name if not version.name else f"{name}/{version.name}"
        if isinstance(node, FolderNode):
            mine = {version.name for version in self._draft.versions[first:]}
            self._draft.plans.append(partial(self._hide_missing, name, mine))
        return target

    def _root_name(self, path: str, node: Node, found: Observation | None) -> str:
        options = self._options
        if options.name is not None:
            name = options.name
        elif found is not None:
            name = found.name
        elif isinstance(node, FolderNode) or node.format is not None:
            name = node.name
        else:
            name = _given_name(path)
        if options.under:
            name = f"{options.under.strip('/')}/{name}"
        return check_name(name)

    def _observation(self, node: FolderNode, first: int) -> Observation | None:
        folders = [child.name for child in node.children if isinstance(child, FolderNode)]
        numbers = range(first, len(self._draft.versions))
        return observation_of(folders, (self._meta(n) for n in numbers if n in self._metas))

    def _meta(self, number: int) -> Mapping[str, Any]:
        found = self._metas[number]
        if isinstance(found, bytes):
            found = self._metas[number] = _values(self._session.document(found))
        return found

    def _hide_missing(self, root: str, here: set[str | None], draft: Draft) -> None:
        """Hide what an earlier version of a folder had and this one has not."""
        catalogue = self._session.catalogue
        head = catalogue.head()
        missing = []
        for name, track in catalogue.names(head, root):
            unread = any(name == u or name.startswith(u + "/") for u in self._unread)
            if name not in here and not unread:
                missing.append((name, track))
        if not missing:
            return
        gone = {track for _, track in missing} | {self._track(name) for name in here}
        for name, track in missing:
            if all(parent.track in gone for parent in catalogue.live_parents(track, head)):
                draft.hidden.append((track, True))
                self.report.removed.append(name)

    def _track(self, name: str | None) -> int | None:
        catalogue = self._session.catalogue
        return catalogue.named(name, catalogue.head()) if name else None

    def _take_skipped(self, node: FolderNode) -> None:
        for path, reason in node.all_skipped():
            self._skip(path, reason, os.path.relpath(path, node.path))

    def _skip(self, path: str, reason: str, name: str) -> None:
        self.report.skipped.append((path, reason))
        self._unread.add(name)

    # -- nodes

    def _children(self, node: FolderNode, name: str) -> list[tuple[str, RefTarget]]:
        refs: list[tuple[str, RefTarget]] = []
        for child in node.children:
            below = f"{name}/{child.name}" if name else child.name
            if isinstance(child, FolderNode):
                refs.append((child.name, self._add_context(self._children(child, below), below)))
            else:
                target = self._add_file(child, below)
                if target is not None:
                    refs.append((child.name, target))
        return refs

    def _add_context(
        self, refs: list[tuple[str, RefTarget]], name: str, found: Observation | None = None
    ) -> int:
        document = _context_document("MapContext", {})
        if found is not None:
            document = _context_document("ObservationContext", found.meta)
            self._metas[len(self._draft.versions)] = _values(document)
        version = DraftVersion(b"", "", "", 0, 0, refs, name, keep_same=True)
        self._describe(version, document)
        return self._append(version)

    def _describe(self, version: DraftVersion, document: Mapping[str, Any], size: int = 0) -> None:
        """Give a version its document."""
        digest = self._writer.put(dumps(document))
        if digest not in self._indexed:
            entry = indexed(digest, document, size)
            self._documents.append(entry)
            self._indexed[digest] = (entry.kind, entry.type, size)
        version.document = digest
        version.kind, version.type, version.size = self._indexed[digest]

    def _append(self, version: DraftVersion) -> int:
        self._draft.versions.append(version)
        target = -len(self._draft.versions)
        children = (item for _, item in version.refs if isinstance(item, int))
        version.total = self._totals.note(target, version.size, children)
        self._stage_when_large()
        return target

    def _add_file(self, node: FileNode, name: str) -> int | None:
        self._tell(node)
        version = DraftVersion(b"", "", "", 0, 0, [], name, keep_same=True)
        size = node.status.st_size
        try:
            if not self._take_seen(node, version):
                size = self._read(node, version, name)
        except (SourceChanged, SourceMissing, SourceUnreadable) as error:
            self._skip(node.path, error.message, name)
            return None
        self.report.bytes_in += size
        self._done = (self._done[0] + 1, self._done[1] + node.status.st_size)
        version.origin = {"path": os.path.abspath(node.path), "mtime_ns": node.status.st_mtime_ns}
        return self._append(version)

    def _take_seen(self, node: FileNode, version: DraftVersion) -> bool:
        """Take the document that a file of these figures had; its bytes are not read."""
        if self._options.force_read or self._options.in_place or node.format is not None:
            return False
        catalogue = self._session.catalogue
        digest = catalogue.document_of_seen(os.path.abspath(node.path), node.status)
        if digest is None or not self._session.is_whole(digest):
            return False
        found = self._indexed.get(digest) or catalogue.document_size(digest)
        if found is None:
            return False
        version.document, version.taken = digest, (digest,)
        version.kind, version.type, version.size = found
        self._metas[len(self._draft.versions)] = digest
        return True

    def _read(self, node: FileNode, version: DraftVersion, name: str) -> int:
        if node.format is not None:
            return self._read_folder(node, version, name)
        sink = InPlaceSink(self._writer) if self._options.in_place else self._writer
        with FileSource(node.path) as source:
            found = read_file(source, sink, node.name, self._options.gzip)
            source.check()
            size = source.size
            state = source.state
        file = found.document["file"]
        if isinstance(sink, InPlaceSink):
            sink.keep_headers(found.document)
        self._describe(version, found.document, _file_size(file))
        if found.reason:
            self.report.opaque.append((name or node.name, found.reason))
        self._metas[len(self._draft.versions)] = _values(found.document)
        if self._options.in_place:
            path = os.path.abspath(node.path)
            self._draft.sources.append(
                SourceRow(version.document, path, state.size, state.mtime_ns, state.inode)
            )
        else:
            self._note_seen(node, version)
        return size

    def _read_folder(self, node: FileNode, version: DraftVersion, name: str) -> int:
        from pathlib import Path

        assert node.format is not None
        with ExitStack() as stack:

            def open_source(relative: str) -> ByteSource:
                return stack.enter_context(FileSource(os.path.join(node.path, relative)))

            found = node.format.read(Path(node.path), open_source, self._writer)
        for path, reason in found.skipped:
            self._skip(os.path.join(node.path, path), reason, name)
        files = [file for _, file in found.document["tree"] if file is not None]
        size = sum(_file_size(file) for file in files)
        self._describe(version, found.document, size)
        self._metas[len(self._draft.versions)] = _values(found.document)
        return size

    def _note_seen(self, node: FileNode, version: DraftVersion) -> None:
        changed = max(node.status.st_mtime_ns, node.status.st_ctime_ns)
        if time.time_ns() - changed > _CLOCK_GRAIN_NS:
            self._seen.append((os.path.abspath(node.path), node.status, version.document))

    def _stage_when_large(self) -> None:
        """Index what is read so far, so that neither memory nor the last transaction grow."""
        written = self._writer.bytes_written
        if len(self._documents) < _STAGE_DOCUMENTS and written - self._staged_at < _STAGE_BYTES:
            return
        self._session.stage(self._writer, self._documents, self._draft.sources)
        self._documents = []
        self._staged_at = written

    def _tell(self, node: FileNode) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    "adding", self._done[0], self._todo[0], self._done[1], self._todo[1], node.path
                )
            )

    # -- contradictions

    def _check_contradictions(self) -> None:
        for number in self._metas:
            version = self._draft.versions[number]
            row = self._last(version.name)
            if row is None or row.document == version.document:
                continue
            old = _values(self._session.document(row.document))
            problem = contradiction(old, self._meta(number))
            if problem:
                raise NameConflict(
                    f"{version.name!r} in the pool is of another observation than "
                    f"the file to be added: {problem}",
                    hint="nothing was added; give another name (--name, --under), or say that it "
                    "is a version of it (--as-version)",
                )

    def _last(self, name: str | None) -> VersionRow | None:
        catalogue = self._session.catalogue
        at = catalogue.head()
        track = self._track(name)
        if track is None and name:
            track = catalogue.removed(name, at)
        return None if track is None else catalogue.latest(track, at)


def _files(node: Node) -> Iterator[FileNode]:
    if isinstance(node, FileNode):
        yield node
    else:
        yield from node.files()


def _given_name(path: str) -> str:
    """Return the name of a file given alone: the path as given, its relative part."""
    parts = re.split(r"/+", os.path.normpath(path))
    if os.path.isabs(path):
        return parts[-1]
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _file_size(file: Mapping[str, Any]) -> int:
    wrapper = file.get("wrapper")
    return int(wrapper["size"] if wrapper else file["size"])


def _values(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {entry[0]: entry[1] for entry in document["meta"]}


def _context_document(kind: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    fixed = fixed_attributes(meta)
    known = {entry[0] for entry in fixed}
    more = [[key, value] for key, value in meta.items() if key not in known]
    return {"skypool": 1, "kind": kind, "meta": fixed + more, "datasets": []}
