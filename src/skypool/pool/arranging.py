"""From folders to trees of products: which folder becomes what, and what is in it.

Every folder becomes a context and every file a product of the same name. In an observation as
the Herschel archive lays it out (`<obsid>/<level>/<key>/[<class>/]<file>`) the references are
those of HCSS: `level2` refers to a product by its key, `PSW`, not by the name of a file, and to
the slices of a sliced product by their numbers. Each reference knows where its file was, so that
the same files come out again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from skypool.pool.descriptor import (
    Descriptor,
    NotADescriptorError,
    is_named_like_one,
    read_descriptor,
)
from skypool.pool.observations import (
    CONTEXTS,
    Entries,
    Observation,
    is_level,
    metadata_of,
    number_of,
    strange_folder,
)
from skypool.pool.trees import FileNode, FolderNode

__all__ = ["PAIR", "Arrangement", "Child", "Place", "arrange"]

_CLASS = re.compile(r"[a-z]\w*(\.\w+)*\.[A-Z]\w*\Z")
_DOWNLOAD = re.compile(r"anonymous\d+\Z")
_NUMBER = re.compile(r"\d{10}\Z")
#: Instruments of the parallel mode.
PAIR = ("PACS", "SPIRE")

#: Gives the parameters of a file's product.
Reader = Callable[[FileNode], Entries]
#: Says whether a file could be read.
Test = Callable[[FileNode], bool]


@dataclass(slots=True)
class Child:
    """A reference of a context that is to be made.

    Attributes
    ----------
    role : str
    path : str
        Where its file or folder is, seen from that of the context; `.` for the same folder.
    what : Place or FileNode
    name : str
        Name of a file's product, below the root's.
    """

    role: str
    path: str
    what: Place | FileNode
    name: str = ""


@dataclass(slots=True)
class Place:
    """A context that is to be made.

    Attributes
    ----------
    name : str
        Its name below the root's; empty for the root.
    kind : str
    meta : list
        Parameters, as in a document.
    children : list of Child
    observation : bool
        Whether it is an observation, or both halves of one.
    """

    name: str
    kind: str = "MapContext"
    meta: list[list[Any]] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    observation: bool = False

    def observations(self) -> Iterator[Place]:
        """Return the observations that it is, or has below."""
        if self.observation:
            yield self
            return
        for child in self.children:
            if isinstance(child.what, Place):
                yield from child.what.observations()


@dataclass(slots=True)
class Arrangement:
    """What a folder becomes.

    Attributes
    ----------
    place : Place
    name : str
        Name of the observation that it is; empty for any other folder.
    notes : list of (path, text)
        What is odd about its observations.
    """

    place: Place
    name: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)


def arrange(folder: FolderNode, reader: Reader, is_there: Test) -> Arrangement:
    """Say what a folder becomes.

    Parameters
    ----------
    folder
        What is to be added.
    reader
        Gives the parameters of its files.
    is_there
        Says whether a file could be read; others are left out.
    """
    work = _Work(reader, is_there)
    found = work.download(folder, "") or work.observation(folder, "")
    if found is None:
        return Arrangement(work.plain(folder, ""), "", work.notes)
    place, name = found
    return Arrangement(place, name, work.notes)


class _Work:
    def __init__(self, reader: Reader, is_there: Test) -> None:
        self._reader = reader
        self._is_there = is_there
        self.notes: list[tuple[str, str]] = []

    # -- folders of any sort

    def plain(self, folder: FolderNode, name: str) -> Place:
        """Make a context of a folder; observations in it are what they are."""
        place = Place(name)
        for child in folder.children:
            below = _joined(name, child.name)
            if isinstance(child, FileNode):
                if self._is_there(child):
                    place.children.append(Child(child.name, child.name, child, below))
                continue
            found = self.download(child, below) or self.observation(child, below)
            made = found[0] if found is not None else self.plain(child, below)
            place.children.append(Child(child.name, child.name, made))
        return place

    def download(self, folder: FolderNode, name: str) -> tuple[Place, str] | None:
        """Make an observation of a download: its folder, and what came beside it."""
        folders = [child for child in folder.children if isinstance(child, FolderNode)]
        inner = [child for child in folders if _looks_like_one(child)]
        beside = [child for child in folders if child not in inner]
        if len(inner) != 1 or any(child.name not in CONTEXTS for child in beside):
            return None
        certain = folder.archive or _DOWNLOAD.match(folder.name) or beside
        if not certain and not any(is_named_like_one(child.name) for child in folder.children):
            return None
        # The single folders at the top of an archive have no meaning, as for all archives.
        alone = bool(folder.archive) and len(folder.children) == 1
        return self.observation(inner[0], name, around=None if alone else folder)

    # -- observations

    def observation(
        self, folder: FolderNode, name: str, around: FolderNode | None = None
    ) -> tuple[Place, str] | None:
        """Make an observation of a folder, if it is one; return it with its name."""
        if not _looks_like_one(folder):
            return None
        descriptors = self._descriptors(folder, around)
        products = list(self._products(folder))
        described = next((d.obsid for d in descriptors if d.obsid is not None), None)
        found = number_of(folder.name, products, described)
        if found is None:
            problem = strange_folder(products)
            if problem:
                self.notes.append((folder.path, problem))
            return None
        self._note_strange(folder, found, descriptors, around)
        made = _Made(self._reader, self._is_there, found, products, descriptors)
        halves = _halves(found, descriptors)
        if len(halves) == 2:
            place = Place(name, meta=[["description", f"Observation {found.obsid}"]])
            place.observation = True
            for half in halves:
                whole = made.whole(folder, _joined(name, half), around, half)
                place.children.append(Child(half, ".", whole))
            return place, str(found.obsid)
        half = halves[0] if halves else ""
        whole = made.whole(folder, name, around, half, split=False)
        return whole, f"{found.obsid}/{half}" if half else str(found.obsid)

    def _products(self, folder: FolderNode) -> Iterator[tuple[str, Entries]]:
        for child in folder.children:
            if isinstance(child, FolderNode) and is_level(child.name):
                for file in child.files():
                    if self._is_there(file):
                        yield child.name, self._reader(file)

    def _descriptors(self, folder: FolderNode, around: FolderNode | None) -> list[Descriptor]:
        found = []
        for node in (folder, around):
            for child in node.children if node is not None else ():
                if not isinstance(child, FileNode) or not child.name.lower().endswith(".xml"):
                    continue
                try:
                    found.append(read_descriptor(child.path))
                except (NotADescriptorError, OSError) as error:
                    if is_named_like_one(child.name):
                        text = f"the descriptor is not used: {error}"
                        self.notes.append((child.path, text))
        return found

    def _note_strange(
        self,
        folder: FolderNode,
        found: Observation,
        descriptors: list[Descriptor],
        around: FolderNode | None,
    ) -> None:
        for other, count in found.strange.items():
            what = "a product is" if count == 1 else f"{count} products are"
            self.notes.append((folder.path, f"{what} of the observation {other}"))
        here = {file.name for node in (folder, around) if node is not None for file in node.files()}
        for descriptor in descriptors:
            listed = {item.path for item in descriptor.items if item.path}
            missing = sorted(path for path in listed if path.rpartition("/")[2] not in here)
            if missing:
                text = f"{len(missing)} of {len(listed)} files of the descriptor are not here"
                self.notes.append((folder.path, f"{text}, such as {missing[0]}"))


@dataclass(frozen=True, slots=True)
class _Made:
    """Makes the contexts of one observation."""

    reader: Reader
    is_there: Test
    found: Observation
    products: list[tuple[str, Entries]]
    descriptors: list[Descriptor]

    def whole(
        self,
        folder: FolderNode,
        name: str,
        around: FolderNode | None,
        half: str,
        *,
        split: bool = True,
    ) -> Place:
        """Make the observation, or of both halves that share a folder the one."""
        descriptor = next(
            (d for d in self.descriptors if half in ("", d.instrument)),
            self.descriptors[0] if len(self.descriptors) == 1 and not split else Descriptor(),
        )
        only = half if split else ""
        place = Place(name, "ObservationContext", observation=True)
        place.meta = metadata_of(self.found.obsid, self.products, descriptor.observation.meta, half)
        if around is None:
            place.children = list(self._children(folder, name, only))
            return place
        place.children = list(self._children(around, name, only, leave_out=folder))
        taken = {folder.name, *(child.role for child in place.children)}
        for child in self._children(folder, name, only):
            if child.role not in taken:
                child.path = f"{folder.name}/{child.path}"
                place.children.append(child)
        # Where both have something of one name, that of the inner folder stays in it.
        inner = _joined(name, folder.name)
        rest = [c for c in self._children(folder, inner, only) if c.role in taken]
        if rest or not folder.children:
            place.children.append(Child(folder.name, folder.name, Place(inner, children=rest)))
        return place

    def _children(
        self, folder: FolderNode, name: str, only: str, leave_out: FolderNode | None = None
    ) -> Iterator[Child]:
        for child in folder.children:
            below = _joined(name, child.name)
            if child is leave_out or not self._belongs(child, only):
                continue
            if isinstance(child, FileNode):
                yield Child(child.name, child.name, child, below)
            elif is_level(child.name) or child.name in CONTEXTS:
                yield Child(child.name, child.name, self._keys(child, below, only))
            else:
                yield self._key(child, below, only)

    def _keys(self, folder: FolderNode, name: str, only: str) -> Place:
        place = Place(name)
        for child in folder.children:
            below = _joined(name, child.name)
            if not self._belongs(child, only):
                continue
            if isinstance(child, FileNode):
                place.children.append(Child(child.name, child.name, child, below))
            else:
                place.children.append(self._key(child, below, only))
        return place

    def _key(self, folder: FolderNode, name: str, only: str) -> Child:
        """Make what a key refers to: a product, its slices, or more keys."""
        inside = folder.children[0] if len(folder.children) == 1 else None
        if isinstance(inside, FileNode) and self._belongs(inside, only):
            path = f"{folder.name}/{inside.name}"
            return Child(folder.name, path, inside, _joined(name, inside.name))
        if isinstance(inside, FolderNode) and _CLASS.match(inside.name):
            files = [file for file in inside.children if isinstance(file, FileNode)]
            if files and len(files) == len(inside.children):
                return self._slices(folder, inside.name, files, name, only)
        return Child(folder.name, folder.name, self._keys(folder, name, only))

    def _slices(
        self, folder: FolderNode, inner: str, files: list[FileNode], name: str, only: str
    ) -> Child:
        place = Place(name, "ListContext")
        there = [file for file in files if self._belongs(file, only)]
        for number, file in enumerate(there):
            path = f"{inner}/{file.name}"
            place.children.append(Child(str(number), path, file, _joined(name, path)))
        return Child(folder.name, folder.name, place)

    def _belongs(self, node: FileNode | FolderNode, only: str) -> bool:
        """Return whether a node is there, and is not of the other half alone."""
        if isinstance(node, FolderNode):
            files = list(node.files())
            return not only or not files or any(self._belongs(file, only) for file in files)
        if not only or not self.is_there(node):
            return self.is_there(node)
        if is_named_like_one(node.name) and len(self.descriptors) > 1:
            return self._is_described(node, only)
        instrument = str(self.reader(node).get("instrument", ["", ""])[1])
        return instrument not in PAIR or instrument == only

    def _is_described(self, node: FileNode, only: str) -> bool:
        try:
            return read_descriptor(node.path).instrument in ("", only)
        except (NotADescriptorError, OSError):
            return True


def _halves(found: Observation, descriptors: list[Descriptor]) -> list[str]:
    """Return the instruments of a parallel-mode observation that are there."""
    described = {d.instrument for d in descriptors if d.instrument in PAIR}
    parallel = found.parallel or len(described) == 2 or any(d.parallel for d in descriptors)
    if not parallel:
        return []
    return [name for name in PAIR if name in found.instruments or name in described]


def _looks_like_one(folder: FolderNode) -> bool:
    """Return whether a folder may be an observation, by the names in it."""
    folders = [child.name for child in folder.children if isinstance(child, FolderNode)]
    if any(map(is_level, folders)):
        return True
    if any(is_named_like_one(c.name) for c in folder.children if isinstance(c, FileNode)):
        return any(name in CONTEXTS for name in folders)
    return _NUMBER.match(folder.name) is not None and any(name in CONTEXTS for name in folders)


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
