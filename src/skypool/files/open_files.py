"""Files of a mount that are open for writing, and how they are saved."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Hashable
from typing import Final

from skypool.errors import NotFound, ReadOnly, SkypoolError
from skypool.files.changes import staged_name
from skypool.files.nodes import Entry, FileNode, FolderNode, content_of
from skypool.files.operations import as_errno, check_taken, clean
from skypool.files.overlay import Overlay
from skypool.files.staged import StagedFile, StagedHandle, held_by, is_temporary

__all__ = ["OpenFiles"]

_ACCESS: Final = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


class OpenFiles(Overlay):
    """A pool as a file system whose files are written; see `WriteOperations`."""

    # -- open files

    @as_errno
    def open(
        self,
        path: str,
        flags: int = os.O_RDONLY,
        process: int = 0,
        takes: Callable[[Hashable], bool] | None = None,
    ) -> int:
        """Open a file, and return a number for it; see `Operations.open`."""
        path = clean(path)
        writing = flags & _ACCESS != os.O_RDONLY
        with self._lock:
            found = self._find(path)
            check_taken(takes, self._look(path, found).token)
            if found is None or isinstance(found, FolderNode):
                raise OSError(errno.EISDIR, f"{path} is a folder")
            if isinstance(found, Entry):
                if not writing:
                    return self.keep(self._reader(found))
                found = self._copy_of(path, found, bool(flags & os.O_TRUNC))
            elif writing and flags & os.O_TRUNC:
                found.truncate(0)
            return self._use(found, process, writing=writing)

    def _copy_of(self, path: str, entry: Entry, empty: bool) -> StagedFile:
        self.changes.check(path)
        if not isinstance(entry, FileNode):
            raise ReadOnly(f"{path!r} is a part of one product")
        return self._stage(path, None if empty else entry, changed=empty)

    def _stage(self, path: str, base: Entry | None, *, changed: bool) -> StagedFile:
        folder = os.path.join(self._staging, str(next(self._places)))
        staged = StagedFile(folder, path, base, changed=changed)
        if base is not None:
            staged.set_mtime(self._told(path, base)[2])
        self._staged[path] = staged
        return staged

    def _use(self, staged: StagedFile, process: int, *, writing: bool) -> int:
        number = self.keep(StagedHandle(staged, writing=writing))
        staged.users[number] = process
        return number

    @as_errno
    def create(self, path: str, process: int = 0) -> int:
        """Make a file, open for writing, and return a number for it."""
        path = clean(path)
        self._check_new(path)
        with self._lock:
            if self._is_there(path):
                raise OSError(errno.EEXIST, f"there is {path} already")
            return self._use(self._stage(path, None, changed=True), process, writing=True)

    def _staged_handle(self, number: int) -> StagedHandle:
        handle = self.handle(number)
        if not isinstance(handle, StagedHandle) or not handle.writing:
            raise OSError(errno.EBADF, "it is open for reading")
        return handle

    @as_errno
    def write(self, number: int, data: bytes, offset: int) -> int:
        """Write into an open file."""
        return self._staged_handle(number).staged.pwrite(data, offset)

    @as_errno
    def sync(self, number: int) -> None:
        """Have what was written to an open file on the disk."""
        handle = self._handles.get(number)
        if isinstance(handle, StagedHandle):
            handle.staged.sync()

    @as_errno
    def flush(self, number: int, process: int = 0) -> None:
        """Save a file where its last user closes it: the error is told to who closes it.

        A file that is handed on from process to process, as shells do, is closed by each.
        """
        handle = self._handles.get(number)
        if not isinstance(handle, StagedHandle) or not handle.writing:
            return
        staged = handle.staged
        if not staged.changed or staged.deleted or self._is_temporary(staged.path):
            return
        where = os.path.join(self._where, staged.path)
        if any(held_by(each, where) for each in {process, *staged.users.values()} - {0}):
            return
        self._save(staged)

    @as_errno
    def release(self, number: int) -> None:
        """Close an open file for good."""
        handle = self._handles.pop(number, None)
        if not isinstance(handle, StagedHandle):
            if handle is not None:
                handle.close()
            return
        staged = handle.staged
        with self._lock:
            staged.users.pop(number, None)
            if staged.users:
                return
            self._settle(staged)

    def _settle(self, staged: StagedFile) -> None:
        """Save a file that nobody has open, unless its name is one for a while."""
        if staged.deleted:
            staged.remove()
            return
        if self._is_temporary(staged.path):
            staged.rest()
            return
        if staged.changed:
            self._save(staged)
        self._leave(staged)

    def _leave(self, staged: StagedFile) -> None:
        """Show what the pool has, now that it is the same."""
        time_ns = staged.attributes[2]
        if self._staged.get(staged.path) is staged:
            del self._staged[staged.path]
            self._remember_time(staged.path, time_ns)
        staged.remove()

    def _remember_time(self, path: str, time_ns: int) -> None:
        """Show the time of what was written, where the version that the pool has is an older one.

        Who wrote the same content again (`rsync`, `make`), or gave another time alone, would do so
        for ever.
        """
        with contextlib.suppress(NotFound):
            entry = self.tree.entry(path)
            if isinstance(entry, FileNode) and entry.mtime_ns != time_ns:
                self._times[path] = (0 if entry.ref is None else entry.ref.number, time_ns)

    def _save(self, *files: StagedFile) -> None:
        """Make products of files, in one commit; they stay where they are if that fails."""
        for staged in files:
            if staged.broken:
                raise OSError(staged.broken, f"{staged.path} could not be written whole")
        with self._lock, self.changes.staging() as folder:
            sources = {}
            for staged in files:
                source = staged_name(folder, staged.path)
                staged.link(source)
                sources[staged.path] = source
                staged.changed = False
            try:
                saved = {ref.name: ref for ref in self.changes.put(sources)}
            except BaseException:
                for staged in files:
                    staged.changed = True
                raise
            for staged in files:
                ref = saved.get(staged.path)
                if ref is not None and not staged.changed:
                    staged.saved = content_of(ref)
                self._hidden.pop(staged.path, None)
                self._times.pop(staged.path, None)

    # -- what is not content

    @as_errno
    def truncate(
        self,
        path: str,
        length: int,
        number: int | None = None,
        takes: Callable[[Hashable], bool] | None = None,
    ) -> None:
        """Cut a file, or fill it with zeros, to a length; see `Operations.open` for *takes*."""
        if number is not None and number in self._handles:
            self._staged_handle(number).staged.truncate(length)
            return
        path = clean(path)
        with self._lock:
            found = self._find(path)
            check_taken(takes, self._look(path, found).token)
            if found is None or isinstance(found, FolderNode):
                raise OSError(errno.EISDIR, f"{path} is a folder")
            if isinstance(found, Entry):
                found = self._copy_of(path, found, length == 0)
            found.truncate(length)
            if not found.users:
                self._settle(found)

    @as_errno
    def utimens(self, path: str, mtime_ns: int) -> None:
        """Set when a file was last changed: kept with a file that is not saved yet.

        Of others it is remembered until the end, like that of folders: it belongs to versions.
        """
        path = clean(path)
        found = self._find(path)
        if isinstance(found, StagedFile):
            found.set_mtime(mtime_ns)
            return
        number = 0 if found is None or found.ref is None else found.ref.number
        self._times[path] = (number, mtime_ns)

    # -- the end

    def close(self) -> None:
        """Close and save all files; empty folders that were made become contexts."""
        super().close()
        lost = []
        for path, staged in sorted(self._staged.items()):
            if staged.deleted or (self._is_temporary(path) and not staged.changed):
                continue
            if self._is_temporary(path):
                lost.append(path)
                continue
            try:
                self._save(staged)
            except (OSError, SkypoolError) as error:
                self.tell(f"{path} is not saved: {error}")
        if lost:
            shown = ", ".join(lost[:10]) + (" ..." if len(lost) > 10 else "")
            self.tell(f"not saved, since their names are those of files for a while: {shown}")
        self._save_folders()
        for staged in self._staged.values():
            staged.remove()
        self._staged.clear()

    def _save_folders(self) -> None:
        from skypool.model.product import Product

        made = [path for path in self.changes.made() if not is_temporary(path)]
        leaves = [p for p in made if not any(other.startswith(f"{p}/") for other in made)]
        leaves = [p for p in leaves if not self._is_in_tree(p)]
        if not leaves:
            return
        try:
            with self.pool.commit(f"make folders: {', '.join(leaves)}"[:200]) as transaction:
                for path in leaves:
                    transaction.save(Product(kind="MapContext"), path)
        except SkypoolError as error:
            self.tell(f"empty folders are not saved: {error}")

    def _is_in_tree(self, path: str) -> bool:
        with contextlib.suppress(NotFound):
            self.tree.entry(path)
            return True
        return False
