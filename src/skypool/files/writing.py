"""What a file system asks of a pool that may be written to.

A file that is written stands in a folder of the user's cache until it is closed; then it becomes
a product, or the next version of one, in one commit. Names that programs use for a while
(`.PSW.fits.Xy12`, `map.fits~`) are kept there until the file gets another name, so that writing
beside and renaming over, as rsync and editors do, makes one version. A file of the pool that is
renamed to such a name is only shown so: it is the backup of an editor, which writes anew under
the old name.
"""

from __future__ import annotations

import contextlib
import errno
import os

from skypool.errors import Conflict, NotFound, ReadOnly, SkypoolError
from skypool.files.changes import copy_out, staged_name
from skypool.files.nodes import FileNode, FolderNode
from skypool.files.open_files import OpenFiles
from skypool.files.operations import as_errno, clean
from skypool.files.staged import StagedFile

__all__ = ["WriteOperations"]

_PIECE = 4 * 1024**2


class WriteOperations(OpenFiles):
    """A pool as a file system that can be written to.

    Parameters
    ----------
    pool
        The pool.
    staging
        A folder for files that are being written; nobody else uses it.
    where
        Where it is mounted; empty if it is not.
    special, tell
        See `Operations`.
    by
        What the history calls who asks.
    """

    @as_errno
    def mkdir(self, path: str) -> None:
        """Make a folder."""
        path = clean(path)
        self._check_length(path)
        with self._lock:
            if self._is_there(path):
                raise OSError(errno.EEXIST, f"there is {path} already")
            self.changes.make_folder(path)

    @as_errno
    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        path = clean(path)
        with self._lock:
            if any(True for _ in self.listing(path)):
                raise OSError(errno.ENOTEMPTY, f"{path} is not empty")
            for place, (name, _) in list(self._aside.items()):
                if self._hidden.get(name) == place and name.startswith(f"{path}/"):
                    # A backup outlives the folder that it comes from.
                    self._settle_aside(place)
            self.changes.remove(path)

    @as_errno
    def unlink(self, path: str) -> None:
        """Remove a file; what the pool has of it goes to the trash."""
        path = clean(path)
        self.changes.check(path)
        with self._lock:
            staged = self._staged.pop(path, None)
            if staged is not None:
                self._give_up(staged)
            if path in self._aside:
                self._drop_aside(path)
                return
            if path in self._hidden:
                if staged is None:
                    raise NotFound(f"there is no {path!r}")
                return
            try:
                entry = self.tree.entry(path)
            except NotFound:
                if staged is None:
                    raise
                return
            if isinstance(entry, FolderNode):
                raise OSError(errno.EISDIR, f"{path} is a folder")
            self.changes.remove(path)

    def _give_up(self, staged: StagedFile) -> None:
        staged.deleted = True
        if not staged.users:
            staged.remove()

    def _drop_aside(self, path: str) -> None:
        """Remove a file that stands aside; its product only if nothing took its name since."""
        old, _ = self._aside.pop(path)
        if self._hidden.get(old) == path:
            self._hidden.pop(old, None)
            if old not in self._staged:
                self.changes.remove(old)

    @as_errno
    def rename(self, old: str, new: str, *, replace: bool = True) -> None:
        """Rename a file or folder.

        Parameters
        ----------
        old, new
            Paths.
        replace
            Whether a file of the new name may be there; the pool gets a version of it.
        """
        old, new = clean(old), clean(new)
        self.changes.check(old)
        self._check_new(new)
        with self._lock:
            found = self._find(old)
            if old == new:
                return
            if not replace and self._is_there(new):
                raise OSError(errno.EEXIST, f"there is {new} already")
            if found is None or isinstance(found, FolderNode):
                self._rename_folder(old, new)
                return
            if isinstance(found, StagedFile):
                if self._in_pool(old):
                    # A file of the pool that is being changed: both go.
                    if found.changed:
                        self._save(found)
                    del self._staged[old]
                    self._rename_entry(old, new)
                    found.path = new
                    self._staged[new] = found
                    if not found.users:
                        self._settle(found)
                else:
                    self._rename_staged(found, new)
            elif old in self._aside:
                self._rename_aside(old, new)
            else:
                self._rename_entry(old, new)

    @as_errno
    def copy(self, old: str, new: str) -> None:
        """Copy a file; of what the pool has, no content is written.

        Parameters
        ----------
        old, new
            Paths; a file of the new name gets a version.
        """
        old, new = clean(old), clean(new)
        self._check_new(new)
        with self._lock:
            found = self._find(old)
            if found is None or isinstance(found, FolderNode):
                raise OSError(errno.EISDIR, f"{old} is a folder")
            saved = isinstance(found, FileNode) and old not in self._aside
            if saved and not self._is_temporary(new):
                self._clear(new)
                self.changes.copy(old, new)
                self._hidden.pop(new, None)
                return
            source = self.open(old)
            try:
                target = self.create(f"{new}.part")
                for offset in range(0, self.attributes(old)[1], _PIECE):
                    self.write(target, self.read(source, offset, _PIECE), offset)
                self.release(target)
            finally:
                self.release(source)
            self.rename(f"{new}.part", new)

    def _in_pool(self, path: str) -> bool:
        if path in self._hidden or path in self._aside:
            return False
        with contextlib.suppress(NotFound):
            return not isinstance(self.tree.entry(path), FolderNode)
        return False

    def _clear(self, path: str) -> None:
        """Make room for what takes a name: what is not saved there is given up."""
        there = self._staged.pop(path, None)
        if there is not None:
            self._give_up(there)
        if path in self._aside:
            self._drop_aside(path)

    def _rename_staged(self, staged: StagedFile, new: str) -> None:
        old = staged.path
        self._clear(new)
        del self._staged[old]
        if old in self._aside:  # it was written over
            self._drop_aside(old)
        staged.path = new
        self._staged[new] = staged
        if staged.users:
            return
        try:
            self._settle(staged)
        except (OSError, SkypoolError):
            self._staged.pop(new, None)
            staged.path = old
            self._staged[old] = staged
            raise

    def _rename_aside(self, old: str, new: str) -> None:
        self._clear(new)
        name, _ = self._aside[new] = self._aside.pop(old)
        if self._hidden.get(name) == old:
            self._hidden[name] = new
        if not self._is_temporary(new):
            self._settle_aside(new)

    def _settle_aside(self, path: str) -> None:
        """Give a file that stands aside its name for good."""
        name, entry = self._aside.pop(path)
        if self._hidden.get(name) == path:
            del self._hidden[name]
            if name != path:
                self.changes.rename(name, path)
        else:
            # Its name has been taken meanwhile: the old content goes on elsewhere.
            with self.changes.staging() as folder:
                source = staged_name(folder, path)
                copy_out(entry, source)
                os.utime(source, ns=(entry.mtime_ns, entry.mtime_ns))
                self.changes.put({path: source}, f"rename {name} to {path}")
        self._hidden.pop(path, None)

    def _rename_entry(self, old: str, new: str) -> None:
        if self._is_temporary(new):
            entry = self.tree.entry(old)
            if not isinstance(entry, FileNode):
                raise ReadOnly(f"{old!r} is a part of one product")
            self._clear(new)
            self._aside[new] = (old, entry)
            self._hidden[old] = new
            return
        self._clear(new)
        self.changes.rename(old, new)
        self._hidden.pop(new, None)

    def _rename_folder(self, old: str, new: str) -> None:
        if new.startswith(f"{old}/"):
            raise OSError(errno.EINVAL, f"{old} cannot be put into itself")
        if self._is_there(new):
            self.rmdir(new)  # an empty one may be replaced
        try:
            self.changes.rename(old, new)
        except Conflict as error:
            raise OSError(errno.EINVAL, error.message) from None

        def moved(path: str) -> str:
            return new + path[len(old) :] if path.startswith(f"{old}/") else path

        self._hidden = {moved(name): moved(place) for name, place in self._hidden.items()}
        self._aside = {
            moved(place): (moved(name), entry) for place, (name, entry) in self._aside.items()
        }
        for place in list(self._aside):
            if not self._is_temporary(place):
                self._settle_aside(place)
        ready = []
        for place in [each for each in self._staged if each.startswith(f"{old}/")]:
            staged = self._staged.pop(place)
            staged.path = new + place[len(old) :]
            self._staged[staged.path] = staged
            if staged.changed and not staged.users and not self._is_temporary(staged.path):
                ready.append(staged)
        if ready:
            self._save(*ready)
            for staged in ready:
                self._leave(staged)
