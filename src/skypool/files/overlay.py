"""What a mount shows above the pool: files that are not saved, and names that are not kept."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from skypool.errors import NotFound
from skypool.files.changes import Changes, parent_of
from skypool.files.nodes import Entry, FolderNode
from skypool.files.operations import (
    FOLDER,
    Attributes,
    Look,
    Operations,
    as_errno,
    clean,
    look_of,
)
from skypool.files.special import SPECIAL
from skypool.files.staged import StagedFile, is_temporary

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["Overlay"]

_FOLDER: Final = stat.S_IFDIR | 0o755
_LONGEST: Final = 255


class Overlay(Operations):
    """A pool as a file system, with what is not saved yet; see `WriteOperations`."""

    writes = True

    def __init__(
        self,
        pool: Pool,
        staging: str,
        *,
        where: str = "",
        special: bool = True,
        tell: Callable[[str], object] = lambda _: None,
        by: str = "mount",
    ) -> None:
        super().__init__(pool, special=special, tell=tell)
        self.changes = Changes(self.tree, by=by)
        self._staging = staging
        self._where = where
        self._staged: dict[str, StagedFile] = {}
        # Files of the pool under names that are not saved: what they are called there.
        self._aside: dict[str, tuple[str, Entry]] = {}
        # Names of the pool that are not shown: the files are aside, under these names.
        self._hidden: dict[str, str] = {}
        self._times: dict[str, tuple[int, int]] = {}
        self._places = itertools.count()
        self._began = time.time_ns()

    # -- looking

    def _find(self, path: str) -> StagedFile | Entry | None:
        """Return what is at a path; None for a folder that is not in the pool."""
        staged = self._staged.get(path)
        if staged is not None:
            return staged
        if path in self._aside:
            return self._aside[path][1]
        if path in self._hidden:
            raise NotFound(f"there is no {path!r}")
        try:
            return self.tree.entry(path)
        except NotFound:
            if self.changes.is_made(path):
                return None
            raise

    def _check_new(self, path: str) -> None:
        """Make sure that something may be called so, here and in a folder that it is exported to.

        Raises
        ------
        OSError
            If a part of the path is longer than file systems have them.
        """
        self.changes.check(path)
        self._check_length(path)

    def _check_length(self, path: str) -> None:
        if any(len(os.fsencode(part)) > _LONGEST for part in path.split("/")):
            raise OSError(errno.ENAMETOOLONG, f"names have at most {_LONGEST} bytes")

    def _is_there(self, path: str) -> bool:
        try:
            self._find(path)
        except NotFound:
            return False
        return True

    def _is_temporary(self, path: str) -> bool:
        """Say whether what is written to a path is not saved: if it is not in the pool already."""
        if not is_temporary(path):
            return False
        try:
            return isinstance(self.tree.entry(path), FolderNode)
        except NotFound:
            return True

    def entry(self, path: str) -> Entry:
        """Return what the pool has at a path."""
        found = self._find(path)
        if isinstance(found, Entry):
            return found
        raise OSError(errno.ENODATA, "it is not saved yet")

    @as_errno
    def attributes(self, path: str) -> Attributes:
        """Return what `stat` tells of a path."""
        path = clean(path)
        return self._told(path, self._find(path))

    def _told(self, path: str, found: StagedFile | Entry | None) -> Attributes:
        if isinstance(found, StagedFile):
            return found.attributes
        if found is None:
            return _FOLDER, 0, self._times.get(path, (0, self._began))[1]
        mode, size, mtime_ns = self._of(found)
        if not path.startswith("@") or path.partition("/")[0] not in SPECIAL:
            mode |= 0o200
        number, time_ns = self._times.get(path, (-1, 0))
        if number == (0 if found.ref is None else found.ref.number):
            mtime_ns = time_ns
        return mode, size, mtime_ns

    @as_errno
    def look(self, path: str) -> Look:
        """Return what is at a path: its attributes, and what stands for its content."""
        path = clean(path)
        return self._look(path, self._find(path))

    def _look(self, path: str, found: StagedFile | Entry | None) -> Look:
        attributes = self._told(path, found)
        if isinstance(found, StagedFile):
            return Look(attributes, found, None)
        return Look(attributes, FOLDER, None) if found is None else look_of(found, attributes)

    @as_errno
    def looks(self, path: str) -> dict[str, Look]:
        """Return what is in a folder, by names."""
        path = clean(path)
        above = f"{path}/" if path else ""
        found: dict[str, Look] = {}
        try:
            entries = self.tree.children(path)
        except NotFound:
            if not self.changes.is_made(path):
                raise
            entries = ()
        for entry in entries:
            if above + entry.name not in self._hidden:
                found[entry.name] = self._look(above + entry.name, entry)
        for name in self.changes.folders(path):
            found.setdefault(name, self._look(above + name, None))
        for place, (_, entry) in list(self._aside.items()):
            if parent_of(place) == path:
                found[place.rpartition("/")[2]] = self._look(place, entry)
        for place, staged in list(self._staged.items()):
            if parent_of(place) == path:
                found[place.rpartition("/")[2]] = self._look(place, staged)
        return found

    @as_errno
    def extended(self, path: str) -> dict[str, str]:
        """Return the extended attributes of a path."""
        found = self._find(clean(path))
        return super().extended(path) if isinstance(found, Entry) else {}
