"""A pool as folders and files: what a path of this view is, for mounts, WebDAV and fsspec.

Names are paths: the product `1342182452/level2/PSW.fits` is a file in two folders, laid out as
an export of all names writes them (`skypool.pool.whole`). Beside them, uppermost:

- `@versions/PATH/` has all versions of what is at PATH: `PSW@0.fits`, `PSW@1.fits`;
- `@tags/TAG/` has what carries a tag, in the versions that carry it;
- `@at/WHEN/` is the pool as it was: a date, a time, or the number of a commit;
- `@search/QUERY/` has what a search finds; the saved ones are listed.

`@versions` is in every other folder as well, where it is found but not listed, so that whoever
copies the folder does not get it. In one part of a path `%2F` stands for a slash, `%25` for a
percent sign.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from skypool.errors import NotFound, UsageError
from skypool.files.nodes import Entry, FolderNode, Known, Scene
from skypool.files.special import RootNode

if TYPE_CHECKING:
    from skypool.pool.file_bytes import RandomAccess
    from skypool.pool.pool import Pool

__all__ = ["Entry", "Tree"]

# So many entries are remembered; beyond it all are forgotten.
_KEPT: Final = 300_000


class Tree:
    """The folders and files of a pool, as it is at any time.

    A pool that does not exist yet is an empty folder. Threads may share a tree.

    Parameters
    ----------
    pool
        The pool; one as of an earlier time stays so.
    special
        Whether `@versions`, `@tags`, `@at` and `@search` are there.
    """

    def __init__(self, pool: Pool, *, special: bool = True) -> None:
        self.pool = pool
        self._special = special
        self._known = Known()
        self._root: RootNode | None = None
        self._state: tuple[object, int] = (None, -1)
        self._lock = threading.Lock()

    def entry(self, path: str) -> Entry:
        """Return what is at a path.

        Parameters
        ----------
        path
            Parts with slashes between; those at either end do not matter. Empty for the root.

        Raises
        ------
        NotFound
            If there is nothing.
        """
        node: Entry = self.root()
        parts = [part for part in path.split("/") if part]
        for place, part in enumerate(parts):
            found = node.child(part) if isinstance(node, FolderNode) else None
            if found is None:
                raise NotFound(f"there is no {'/'.join(parts[: place + 1])!r} in the pool")
            node = found
        return node

    def children(self, path: str) -> Iterable[Entry]:
        """Return what is in a folder, in the order of names.

        Raises
        ------
        NotFound
            If there is no such folder.
        """
        found = self.entry(path)
        if not isinstance(found, FolderNode):
            raise NotFound(f"{path!r} is a file, not a folder")
        return found.listed()

    def open(self, path: str) -> RandomAccess:
        """Return random access to the bytes of a file: only chunks that are touched are read.

        Raises
        ------
        NotFound
            If there is no such file.
        UsageError
            If it is a folder.
        """
        found = self.entry(path)
        if isinstance(found, FolderNode):
            raise UsageError(f"{path!r} is a folder, not a file")
        return found.open()

    def walk(self, path: str = "") -> Iterator[tuple[str, Entry]]:
        """Return all files below a folder with their paths, but not those of `@...` folders."""
        for entry in self.children(path):
            if entry.special:
                continue
            where = f"{path}/{entry.name}" if path else entry.name
            if isinstance(entry, FolderNode):
                yield from self.walk(where)
            else:
                yield where, entry

    def root(self) -> RootNode:
        """Return the uppermost folder as the pool is now."""
        with self._lock:
            state = self._now()
            if self._root is None or state != self._state or self._root.scene.count > _KEPT:
                self._root = RootNode(Scene(self.pool, self._known), special=self._special)
                self._state = state
            return self._root

    def _now(self) -> tuple[object, int]:
        if not self.pool.exists:
            return None, 0
        view = self.pool.view
        return view.session.epoch, view.at
