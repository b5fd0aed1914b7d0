"""Folders and files of the view of a pool; `skypool.files.tree` finds them by paths."""

from __future__ import annotations

import stat
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Final

from skypool.catalogue.levels import (
    Found,
)
from skypool.model.kinds import is_context
from skypool.pool.file_bytes import file_bytes, file_size
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.pool.file_bytes import RandomAccess
    from skypool.pool.pool import Pool
    from skypool.pool.view import View

__all__ = [
    "Entry",
    "FileNode",
    "FolderNode",
    "Known",
    "MadeFolder",
    "MemberNode",
    "Scene",
    "content_of",
    "put_in",
]

_FOLDER_MODE: Final = stat.S_IFDIR | 0o555
_FILE_MODE: Final = stat.S_IFREG | 0o444


class Known:
    """What versions are shown as, and how many bytes they have as files, by their numbers."""

    def __init__(self) -> None:
        self.shapes: dict[int, str] = {}
        self.sizes: dict[int, int] = {}


class Scene:
    """A pool as of one moment, and what was found out about its versions.

    Parameters
    ----------
    pool
        The pool.
    known
        Shapes and sizes by the numbers of versions, which never change.
    """

    def __init__(self, pool: Pool, known: Known | None = None) -> None:
        self.pool = pool
        self.known = Known() if known is None else known
        self.view: View | None = None
        self.at = 0
        if pool.exists:
            view = pool.view
            self.at = view.at
            # What refs say must be of the same moment as what is listed.
            self.view = type(view)(view.session, self.at)
        self.count = 0
        # Makes the folder of all versions of what is in a folder, which is found everywhere.
        self.versions_of: Callable[[FolderNode], Entry] | None = None
        self._earlier: dict[int, Scene] = {}

    def earlier(self, commit: int) -> Scene:
        """Return the pool as of a commit."""
        if commit not in self._earlier:
            self._earlier[commit] = Scene(self.pool.at(commit), self.known)
        return self._earlier[commit]

    def shape(self, found: Found) -> str:
        """Return what a product is shown as: `file`, `folder`, `tree` or `made`."""
        row = found.row
        if found.children and is_context(row.kind):
            return "folder"
        if found.has_file:
            return "file"
        if row.urn not in self.known.shapes:
            assert self.view is not None
            document = self.view.document(row)
            shape = "made"
            if "tree" in document:
                shape = "tree"
            elif is_context(row.kind) and "file" not in document:
                shape = "folder"
            elif "file" in document:
                shape = "file"
            self.known.shapes[row.urn] = shape
        return self.known.shapes[row.urn]


class Entry:
    """A file or a folder.

    Attributes
    ----------
    name : str
        The last part of its path.
    kind : str
        `file` or `folder`.
    mtime_ns : int
        When the file that was added had been changed last, else when it was saved.
    ref : Ref or None
        The version that it shows; of a folder that only names make, None.
    mode : int
        Type and permissions, as `stat` gives them.
    special : bool
        Whether it is one of the folders `@...`.
    """

    __slots__ = ("_size", "mtime_ns", "name", "ref", "scene", "special")

    kind = "file"
    mode = _FILE_MODE

    def __init__(self, scene: Scene, name: str, ref: Ref | None, mtime_ns: int) -> None:
        self.scene = scene
        self.name = name
        self.ref = ref
        self.mtime_ns = mtime_ns
        self.special = False
        self._size: int | None = None
        scene.count += 1

    @property
    def size(self) -> int:
        """Bytes of the file; 0 of a folder."""
        return 0

    @property
    def content(self) -> Hashable | None:
        """What stands for the bytes of the file: they are the same where this is."""
        return None

    @property
    def mtime(self) -> float:
        """The same as `mtime_ns`, in seconds."""
        return self.mtime_ns / 1e9

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.kind == "folder"

    def open(self) -> RandomAccess:
        """Return random access to the bytes of a file."""
        raise IsADirectoryError(self.name)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class FileNode(Entry):
    """A product that is a file, stored or made."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        if self._size is None:
            assert self.ref is not None
            sizes = self.scene.known.sizes
            if self.ref.number not in sizes:
                sizes[self.ref.number] = self._ask()
            self._size = sizes[self.ref.number]
        return self._size

    @property
    def content(self) -> Hashable | None:
        """What stands for the bytes of the file."""
        return None if self.ref is None else content_of(self.ref)

    def _ask(self) -> int:
        assert self.ref is not None
        found = file_size(self.ref)
        if found is not None:
            return found
        with self.open() as opened:
            return opened.size

    def open(self) -> RandomAccess:
        """Return random access to its bytes."""
        assert self.ref is not None
        return file_bytes(self.ref)


class MemberNode(Entry):
    """A file of a product that is a folder of files."""

    __slots__ = ("_member",)

    def __init__(self, scene: Scene, name: str, ref: Ref, mtime_ns: int, member: str) -> None:
        super().__init__(scene, name, ref, mtime_ns)
        self._member = member

    @property
    def size(self) -> int:
        """Bytes of the file."""
        if self._size is None:
            assert self.ref is not None
            found = file_size(self.ref, self._member)
            if found is None:
                with self.open() as opened:
                    found = opened.size
            self._size = found
        return self._size

    @property
    def content(self) -> Hashable | None:
        """What stands for the bytes of the file."""
        return None if self.ref is None else content_of(self.ref, self._member)

    def open(self) -> RandomAccess:
        """Return random access to its bytes."""
        assert self.ref is not None
        return file_bytes(self.ref, self._member)


def content_of(ref: Ref, member: str = "") -> Hashable:
    """Return what stands for the bytes of the file of a version, or of one of its files."""
    # Numbers belong to a catalogue: one that is made anew may give others.
    return ref.view.session.epoch, ref.number, member


class FolderNode(Entry):
    """A folder."""

    __slots__ = ("_children", "_seen")

    kind = "folder"
    mode = _FOLDER_MODE

    def __init__(self, scene: Scene, name: str, ref: Ref | None = None, mtime_ns: int = 0) -> None:
        super().__init__(scene, name, ref, mtime_ns)
        self._children: dict[str, Entry] | None = None
        self._seen: dict[str, Entry | None] = {}

    def content(self) -> dict[str, Entry]:
        """Return what is in it, by name, but not what is found without being listed."""
        if self._children is None:
            self._children = self._read()
            self._seen.clear()
        return self._children

    def listed(self) -> Iterable[Entry]:
        """Return what is in it."""
        return self.content().values()

    def child(self, name: str) -> Entry | None:
        """Return what is in it under a name; None where there is nothing."""
        if self._children is not None and name in self._children:
            return self._children[name]
        if name not in self._seen:
            self._seen[name] = self._look(name)
        return self._seen[name]

    def _read(self) -> dict[str, Entry]:
        return {}

    def _look(self, name: str) -> Entry | None:
        return self.content().get(name)


class MadeFolder(FolderNode):
    """A folder of what is put into it, above what it has of its own."""

    __slots__ = ("_base", "_items")

    def __init__(self, scene: Scene, name: str, base: FolderNode | None = None) -> None:
        super().__init__(scene, name)
        if base is not None:
            self.ref, self.mtime_ns = base.ref, base.mtime_ns
        self._items: dict[str, Entry] = {}
        self._base = base

    def put(self, entry: Entry) -> None:
        """Put an entry into it."""
        self._items[entry.name] = entry
        self.mtime_ns = max(self.mtime_ns, entry.mtime_ns)

    def _read(self) -> dict[str, Entry]:
        base = self._base.content() if self._base is not None else {}
        return {**base, **dict(sorted(self._items.items()))}


def put_in(folder: MadeFolder, parts: list[str], entry: Entry) -> None:
    """Put an entry into a folder that is some levels further down; it takes the last part."""
    for part in parts[:-1]:
        below = folder._items.get(part)
        if not isinstance(below, MadeFolder):
            base = below if isinstance(below, FolderNode) else None
            below = MadeFolder(folder.scene, part, base)
            folder.put(below)
        folder.mtime_ns = max(folder.mtime_ns, entry.mtime_ns)
        folder = below
    there = folder._items.get(parts[-1])
    if isinstance(there, MadeFolder) and isinstance(entry, FolderNode):
        there._base = entry
        there.ref = entry.ref
        return
    folder.put(entry)
