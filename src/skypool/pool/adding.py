"""Adding files, folders and archives."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import Children, Draft, DraftVersion, Expectation, Published
from skypool.errors import SkypoolError, StorageError
from skypool.pool.add_report import AddOptions, AddReport
from skypool.pool.adding_files import Content, FileIntake
from skypool.pool.arranging import Place, arrange
from skypool.pool.collector import stilled
from skypool.pool.continuing import Continuing
from skypool.pool.contradictions import check_contradictions
from skypool.pool.damage_notes import missing_packs
from skypool.pool.following import Unread, children_that_stay, in_old_order
from skypool.pool.noting import context_document, origin_of, unread_names
from skypool.pool.observations import Entries
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.resolve import check_name
from skypool.pool.tree_totals import TreeTotals
from skypool.pool.trees import FileNode, FolderNode, Node, is_tar, scan, unpack

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.storage.interface import Writer

__all__ = ["AddOptions", "AddReport", "Adder"]


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
        self._totals = TreeTotals(session, draft.versions)
        # Places in the draft: of files, and of observations with their metadata.
        self._files = array("q")
        self._observations: dict[int, list[list[Any]]] = {}
        # Names of what stays though it is not in the folder.
        self._staying: list[str] = []
        # Of the root that is being placed: what could not be read, and stays as it was.
        self._unread = Unread(())
        self._done = (0, 0)
        self._todo = (0, 0)
        self.report = AddReport()
        self._intake = FileIntake(session, draft, writer, options, self.report)

    def add(self, paths: Sequence[str]) -> list[int]:
        """Read everything and return the targets of the roots."""
        missing = missing_packs(self._session)
        if missing:
            self._session.catalogue.mark_bad(missing)
        with ExitStack() as stack:
            nodes = [(path, self._node(path, stack)) for path in paths]
            files = [file for _, node in nodes for file in _files(node)]
            self._todo = (len(files), sum(file.status.st_size for file in files))
            self._intake.expect(files)
            stack.callback(self._intake.forget_files)
            del files
            targets = []
            while nodes:  # each is forgotten when it is read
                path, node = nodes.pop(0)
                targets.append(self._root(path, node, last=not nodes))
            return targets

    def finish(self) -> Published:
        """Commit the draft; contradicting versions are refused before."""
        if self._options.exclusive:
            self._draft.expected = [Expectation(v.name) for v in self._draft.versions if v.name]
        if not self._options.as_version:
            numbers = chain(self._files, self._observations)
            check_contradictions(self._session, self._draft.versions, numbers, self._parameters_of)
        intake = self._intake
        self._draft.staged = intake.seen.staged
        published = self._session.publish(self._draft, self._writer, intake.documents)
        intake.seen.keep()
        return published

    def keep_what_is_read(self) -> None:
        """Index what was read although there will be no commit: the next one takes it over."""
        with contextlib.suppress(SkypoolError):  # it only saves reading it again
            self._intake.stage()

    # -- roots

    def _node(self, path: str, stack: ExitStack) -> Node:
        if is_tar(path):
            folder = tempfile.TemporaryDirectory(prefix="skypool-")
            stack.enter_context(folder)
            return unpack(path, folder)
        following = self._options.following
        leaves_out = following.leaves_out if following is not None else None
        return scan(path, self._session.folder.path, leaves_out)

    def _root(self, path: str, node: Node, *, last: bool) -> int:
        origin = self._options.origins.get(path, {})
        if isinstance(node, FileNode):
            content = self._content(node, "")
            if content is None:
                raise StorageError(f"cannot add {path!r}: {self.report.skipped[-1][1]}")
            default = node.name if node.format is not None or origin else _given_name(path)
            name = check_name(self._options.root(default, path))
            return self._place_file(node, content, name, origin)
        following = self._options.following
        if following is None:
            _check_readable(path, node)
        unread, skipped = len(self._intake.unread), len(self.report.skipped)
        self._take_skipped(node)
        start = len(os.path.join(node.path, ""))
        with closing(stilled(node.files())) as files:
            for file in files:
                file.content = self._content(file, file.path[start:])
        if last:
            self._intake.forget_files()
        found = arrange(node, self._parameters, lambda file: file.content is not None)
        node.children.clear()  # from here on what is placed is forgotten
        self.report.notes += found.notes
        name = check_name(self._options.root(found.name or node.name, path))
        first = len(self._draft.versions)
        kept = self._kept(found.place, name) if self._options.partial and found.name else {}
        self._staying = [f"{name}/{role}" for role in kept]
        self._unread = Unread(where for where, _ in self.report.skipped[skipped:])
        target = self._place(found.place, name, node.path, origin, kept)
        self._draft.versions[-1 - target].origin = origin or None
        versions = self._draft.versions[first:]
        if following is not None:
            plan = following.moves(self._session.catalogue, node.path, name, versions)
            self._draft.plans.append(plan)
            if not following.removes:
                return target
        self._draft.plans.append(
            Continuing(
                self._session.catalogue,
                name,
                versions,
                files=_below(versions, name, found.place.observations()),
                unread=unread_names(name, self._intake.unread[unread:]),
                removed=self.report.removed,
                kept=self._staying,
            )
        )
        return target

    def _parameters(self, file: FileNode) -> Entries:
        content = file.content
        return {} if content is None else {e[0]: e for e in self._intake.entries(content.document)}

    def _parameters_of(self, number: int) -> Mapping[str, Any]:
        """Return what a file or an observation says of itself."""
        meta = self._observations.get(number)
        if meta is None:
            entries = self._intake.entries(self._draft.versions[number].document)
            return {entry[0]: entry[1] for entry in entries}
        # When it began is what its products say: those that are there.
        return {entry[0]: entry[1] for entry in meta if entry[0] != "startDate"}

    def _kept(self, place: Place, name: str) -> dict[str, tuple[int, str]]:
        """Return what an observation has in the pool that a part of it has not, and where."""
        catalogue = self._session.catalogue
        track = catalogue.named(name, catalogue.head())
        row = None if track is None else catalogue.latest(track, catalogue.head())
        if row is None:
            return {}
        here = {child.role for child in place.children}
        paths = dict(self._session.document(row.document).get("paths", ()))
        return {
            ref.role: (ref.child, paths.get(ref.role, ref.role))
            for ref in catalogue.refs(row.urn)
            if ref.child is not None and ref.role not in here
        }

    def _place(
        self,
        place: Place,
        root: str,
        folder: str,
        origin: Mapping[str, Any],
        kept: Mapping[str, tuple[int, str]] = MappingProxyType({}),
    ) -> int:
        """Make the versions of a context and of all below it."""
        name = f"{root}/{place.name}" if place.name else root
        following, unread = self._options.following, self._unread
        if following is not None or unread:
            keeps = following.keeps if following is not None else unread
            stay = children_that_stay(self._session, place, name, root, folder, keeps)
            self._staying += [called for _, _, called in stay.values()]
            kept = {**kept, **{role: (urn, path) for role, (urn, path, _) in stay.items()}}
        refs = Children()
        for role, (urn, _) in kept.items():
            refs.append(role, urn)
        for child in place.children:
            if isinstance(child.what, Place):
                below = os.path.join(folder, child.path)
                refs.append(child.role, self._place(child.what, root, below, origin))
            else:
                file, called = child.what, f"{root}/{child.name}"
                assert file.content is not None
                refs.append(child.role, self._place_file(file, file.content, called, origin))
        if unread:
            refs = in_old_order(self._session, name, refs)
        document = context_document(place, [[role, path] for role, (_, path) in kept.items()])
        place.children = [child for child in place.children if isinstance(child.what, Place)]
        version = DraftVersion(b"", "", "", 0, 0, refs, name, keep_same=True)
        content = self._intake.describe(document)
        self._intake.stage_when_large()
        version.document, version.kind = content.document, content.kind
        version.type, version.size = content.type, content.size
        if place.observation:
            self._observations[len(self._draft.versions)] = place.meta
        return self._append(version)

    def _place_file(
        self, node: FileNode, content: Content, name: str, origin: Mapping[str, Any]
    ) -> int:
        version = DraftVersion(
            content.document,
            content.kind,
            content.type,
            content.size,
            0,
            (),
            name,
            keep_same=True,
            origin=origin_of(node, origin),
            taken=content.taken,
        )
        self._files.append(len(self._draft.versions))
        return self._append(version)

    def _take_skipped(self, node: FolderNode) -> None:
        for path, reason in node.all_skipped():
            self._intake.skip(path, reason, os.path.relpath(path, node.path))

    def _content(self, node: FileNode, name: str) -> Content | None:
        """Take a file in; None, and why, where it cannot be read."""
        self._tell(node)
        content = self._intake.content(node, name)
        if content is not None:
            self._done = (self._done[0] + 1, self._done[1] + node.status.st_size)
        return content

    def _append(self, version: DraftVersion) -> int:
        self._draft.versions.append(version)
        target = -len(self._draft.versions)
        children = (item for _, item in version.refs if isinstance(item, int))
        version.total = self._totals.note(target, version.size, children)
        return target

    def _tell(self, node: FileNode) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    "adding", self._done[0], self._todo[0], self._done[1], self._todo[1], node.path
                )
            )


def _below(
    versions: Sequence[DraftVersion], root: str, places: Iterable[Place]
) -> list[DraftVersion]:
    """Return the files of observations."""
    starts = tuple(f"{root}/{place.name}/" if place.name else f"{root}/" for place in places)
    return [v for v in versions if v.origin and v.name and v.name.startswith(starts)]


def _check_readable(path: str, node: FolderNode) -> None:
    """Refuse a folder of which nothing can be seen: it would have become an empty one."""
    if node.skipped and node.skipped[0][0] == node.path:
        raise StorageError(
            f"cannot add {path!r}: {node.skipped[0][1]}", hint="nothing was added or removed"
        )


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
