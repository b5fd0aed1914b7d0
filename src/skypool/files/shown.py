"""How versions and names are shown: as files, as folders, laid out as an export does."""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from skypool.catalogue.levels import (
    Found,
    Step,
    foreign_refs,
    found_rows,
    level,
    steps_named,
)
from skypool.files.nodes import Entry, FileNode, FolderNode, MadeFolder, MemberNode, Scene, put_in
from skypool.model.kinds import is_context
from skypool.pool.exporting import safe_name
from skypool.pool.file_bytes import plain_bytes
from skypool.pool.ref import Ref
from skypool.pool.spelling import beside

if TYPE_CHECKING:
    from skypool.pool.file_bytes import RandomAccess

__all__ = ["GIVEN_UP", "ContextNode", "GivenUpNode", "NamesNode", "TreeNode", "node_of", "numbered"]

#: What is behind the name of a version that was given up.
GIVEN_UP: Final = ".given-up"

_FITS_ENDS: Final = (".fits", ".fit", ".fts")


class GivenUpNode(Entry):
    """Stands where a version was that was given up since, and says so: a short text.

    Whoever copies the folder has it in the copy; no program takes it for the product.
    """

    __slots__ = ("_text",)

    def __init__(self, scene: Scene, name: str, found: Found) -> None:
        assert scene.view is not None
        super().__init__(scene, name + GIVEN_UP, scene.view.ref(found.row), found.time_us * 1000)
        error = scene.view.gone(found.row)
        self._text = f"{error.message}\n{error.hint}\n".encode()

    @property
    def size(self) -> int:
        """Bytes of the text."""
        return len(self._text)

    @property
    def content(self) -> Hashable | None:
        """What stands for the text."""
        return self._text

    def open(self) -> RandomAccess:
        """Return random access to the text."""
        return plain_bytes(self._text)


class TreeNode(MadeFolder):
    """A product that is a folder of files: a Zarr store, a measurement set."""

    __slots__ = ()

    def __init__(self, scene: Scene, name: str, ref: Ref, mtime_ns: int) -> None:
        super().__init__(scene, name)
        self.ref, self.mtime_ns = ref, mtime_ns

    def _read(self) -> dict[str, Entry]:
        assert self.ref is not None
        for relative, file in self.ref.document["tree"]:
            parts = [safe_name(part) for part in relative.split("/") if part]
            if not parts:
                continue
            if file is None:
                put_in(self, parts, MadeFolder(self.scene, parts[-1]))
            else:
                node = MemberNode(self.scene, parts[-1], self.ref, self.mtime_ns, relative)
                put_in(self, parts, node)
        return super()._read()


class ContextNode(MadeFolder):
    """A context as that version of it is: what it refers to, where an export puts it."""

    __slots__ = ()

    def __init__(self, scene: Scene, name: str, ref: Ref, mtime_ns: int) -> None:
        super().__init__(scene, name)
        self.ref, self.mtime_ns = ref, mtime_ns

    def _read(self) -> dict[str, Entry]:
        assert self.ref is not None
        refs = [
            (row.role, row.child)
            for row in self.ref.view.identity.refs(self.ref.number)
            if row.child is not None
        ]
        place_refs(self, self.ref, refs)
        return super()._read()


def place_refs(folder: MadeFolder, ref: Ref, refs: list[tuple[str, int]]) -> None:
    """Put what a context refers to where an export puts it."""
    scene = folder.scene
    assert scene.view is not None
    database = scene.view.session.catalogue.database
    paths = dict(ref.document.get("paths", ()))
    rows = found_rows(database, scene.at, [child for _, child in refs])
    for role, child in refs:
        found = rows.get(child)
        if found is None or found.row.purged:
            continue
        path = paths.get(role)
        parts = [safe_name(p) for p in (path or "").split("/") if p not in ("", ".")]
        parts = parts or [safe_name(role)]
        entry = node_of(scene, parts[-1], found)
        put_in(folder, [*parts[:-1], entry.name], entry)


def node_of(scene: Scene, base: str, found: Found, *, name: str | None = None) -> Entry:
    """Return a version as a file or folder.

    Parameters
    ----------
    scene
        The pool.
    base
        What it is called; products made in memory get the extension of FITS files.
    found
        The version.
    name
        What it is called, with its extension.
    """
    assert scene.view is not None
    ref = scene.view.ref(found.row)
    mtime_ns = found.time_us * 1000 if found.mtime_ns is None else found.mtime_ns
    shape = scene.shape(found)
    name = name or (file_name(base) if shape == "made" else base)
    if shape == "folder":
        return ContextNode(scene, name, ref, mtime_ns)
    if shape == "tree":
        return TreeNode(scene, name, ref, mtime_ns)
    node = FileNode(scene, name, ref, mtime_ns)
    # Where only the content of a gzip file was kept, its file has another size.
    if shape == "file" and not name.endswith(".gz"):
        node._size = found.row.size
    return node


def file_name(base: str) -> str:
    """Return a name with the extension of FITS files, as an export gives it."""
    base = base.removesuffix(".gz")
    return base if base.lower().endswith(_FITS_ENDS) else f"{base}.fits"


def numbered(name: str, version: int) -> str:
    """Return the name of the file of a version: PSW@1.fits.gz of PSW.fits.gz."""
    stem, end = os.path.splitext(name)
    if end == ".gz":
        stem, more = os.path.splitext(stem)
        end = more + end
    return f"{stem}@{version}{end}"


class NamesNode(FolderNode):
    """What is named below a name, in its newest versions.

    What a context refers to that never had a name in it stands there as well.
    """

    __slots__ = ("path",)

    def __init__(
        self, scene: Scene, path: str, found: Found | None = None, time_us: int = 0
    ) -> None:
        assert scene.view is not None or not path
        ref = None if found is None or scene.view is None else scene.view.ref(found.row)
        super().__init__(scene, path.rpartition("/")[2], ref, time_us * 1000)
        self.path = path

    def _read(self) -> dict[str, Entry]:
        if self.scene.view is None:
            return {}
        steps = level(self.scene.view.session.catalogue.database, self.scene.at, self.path)
        named = self._shown(steps)
        more = self._foreign()
        if not more:
            return named
        return dict(sorted({**more, **named}.items()))

    def _foreign(self) -> dict[str, Entry]:
        """Return what the folder refers to and is named elsewhere."""
        if self.ref is None or self.scene.view is None:
            return {}
        database = self.scene.view.session.catalogue.database
        refs = foreign_refs(database, self.scene.at, self.ref.number, self.path)
        if not refs:
            return {}
        folder = MadeFolder(self.scene, self.name)
        place_refs(folder, self.ref, refs)
        return folder.content()

    def _look(self, name: str) -> Entry | None:
        if name == "@versions" and self.scene.versions_of is not None:
            return self.scene.versions_of(self)
        if self.scene.view is None or self._children is not None:
            return None
        # Whatever may be shown under that name; see _shown.
        stem, end = os.path.splitext(name)
        plain = stem.rpartition("@")[0] + end if "@" in stem else name
        parts = {name, plain, name.removesuffix(GIVEN_UP)}
        for each in (name, plain):
            parts |= {each + ".gz", os.path.splitext(each)[0], os.path.splitext(each)[0] + ".gz"}
        parts.discard("")
        database = self.scene.view.session.catalogue.database
        found = self._shown(steps_named(database, self.scene.at, self.path, sorted(parts)))
        return found.get(name) or self._foreign().get(name)

    def _shown(self, steps: list[Step]) -> dict[str, Entry]:
        """Return files and folders, laid out as `skypool.pool.whole` does."""
        scene = self.scene
        names = {step.name for step in steps if step.found is not None}
        folders = {step.name for step in steps if step.below}
        above = f"{self.path}/" if self.path else ""
        shown: dict[str, Entry] = {}
        for step in steps:
            found = step.found
            node: Entry | None = None
            if found is not None and found.row.purged:
                if not (step.below and is_context(found.row.kind)):
                    node = GivenUpNode(scene, step.name, found)
                    shown[node.name] = node
                found = None
            elif found is not None:
                node = node_of(scene, step.name, found)
                if isinstance(node, ContextNode):
                    node = None
                else:

                    def is_taken(name: str, own: str = step.name) -> bool:
                        return name in folders or (name != own and (name in names or name in shown))

                    if is_taken(node.name):
                        free = beside(node.name, found.row.version)
                        node.name = next(name for name in free if not is_taken(name))
                    shown[node.name] = node
                    found = None
            if node is None or step.below:
                time_us = found.time_us if found is not None else step.time_us
                shown[step.name] = NamesNode(scene, above + step.name, found, time_us)
        return shown
