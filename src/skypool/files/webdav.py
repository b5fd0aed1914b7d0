"""The files and folders of a pool as resources of WebDAV (RFC 4918).

The tree is that of `skypool.files.tree`; what is written goes through `skypool.files.changes`.
"""

from __future__ import annotations

import mimetypes
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from wsgidav import util
from wsgidav.dav_error import (
    HTTP_BAD_REQUEST,
    HTTP_CONFLICT,
    HTTP_FORBIDDEN,
    HTTP_INSUFFICIENT_STORAGE,
    HTTP_INTERNAL_ERROR,
    HTTP_NOT_FOUND,
    DAVError,
)
from wsgidav.dav_provider import DAVCollection, DAVNonCollection, DAVProvider

from skypool.errors import Conflict, DiskFull, InvalidName, NotFound, ReadOnly, SkypoolError
from skypool.files.changes import Changes, clean, staged_name
from skypool.files.nodes import Entry, FolderNode
from skypool.files.opened import ReadingFile, remove_folder
from skypool.files.tree import Tree

if TYPE_CHECKING:
    from skypool.pool.pool import Pool

__all__ = ["PoolProvider"]

_TYPES: Final = {
    ".fits": "application/fits",
    ".fit": "application/fits",
    ".fts": "application/fits",
    ".vot": "application/x-votable+xml",
    ".ecsv": "text/plain",
}


class PoolProvider(DAVProvider):  # type: ignore[misc] # wsgidav has no types
    """A pool as a share of WebDAV.

    Parameters
    ----------
    pool
        The pool.
    write
        Whether it may be changed.
    """

    def __init__(self, pool: Pool, *, write: bool = False) -> None:
        super().__init__()
        self.tree = Tree(pool)
        self.changes = Changes(self.tree, "webdav")
        self._write = write
        self._empty: set[str] = set()
        self._lock = threading.Lock()

    def is_readonly(self) -> bool:
        """Say whether nothing may be changed."""
        return not self._write

    def get_resource_inst(self, path: str | None, environ: dict[str, Any]) -> Any:
        """Return what is at a path, None where there is nothing."""
        if path is None:  # above the root
            return None
        with answered():
            place = clean(path)
            try:
                entry: Entry | None = self.tree.entry(place)
            except NotFound:
                entry = None
            if isinstance(entry, FolderNode):
                return PoolFolder(path, environ, self, entry)
            if entry is not None:
                return PoolFile(path, environ, self, entry)
            if self.changes.is_made(place):
                return PoolFolder(path, environ, self, None)
            return PoolFile(path, environ, self, None) if self.is_reserved(place) else None

    # -- names that a lock keeps, or that are about to be written to

    def is_reserved(self, path: str) -> bool:
        """Say whether a name was taken by a lock, and nothing was written to it yet."""
        with self._lock:
            return clean(path) in self._empty

    def reserve(self, path: str) -> None:
        """Take a name; the pool gets nothing before something is written."""
        with self._lock:
            self._empty.add(clean(path))

    def release(self, path: str) -> None:
        """Give a name back."""
        with self._lock:
            self._empty.discard(clean(path))

    def reserved(self, path: str) -> list[str]:
        """Return the names in a folder that are taken so."""
        with self._lock:
            return [
                name
                for f in self._empty
                for above, _, name in (f.rpartition("/"),)
                if above == path
            ]


class _Common:
    """What files and folders have in common."""

    path: str
    provider: Any
    environ: Any
    entry: Entry | None

    def get_creation_date(self) -> float | None:
        return self.get_last_modified()

    def get_last_modified(self) -> float | None:
        return self.entry.mtime if self.entry is not None and self.entry.mtime_ns else None

    def get_display_name(self) -> str:
        return clean(self.path).rpartition("/")[2]

    @property
    def _changes(self) -> Changes:
        if self.provider.is_readonly():
            raise DAVError(HTTP_FORBIDDEN, "this pool is shown read-only (serve --write)")
        found: Changes = self.provider.changes
        return found

    def _forget(self) -> None:
        self.remove_all_properties(recursive=True)  # type: ignore[attr-defined] # of the other base
        self.remove_all_locks(recursive=True)  # type: ignore[attr-defined]

    def delete(self) -> list[Any]:
        """Move it to the trash."""
        if self.provider.is_reserved(self.path):
            self.provider.release(self.path)
        else:
            with answered():
                self._changes.remove(self.path)
        self._forget()
        return []

    def support_recursive_delete(self) -> bool:
        return True

    def support_recursive_move(self, dest_path: str) -> bool:
        return True

    def handle_delete(self) -> bool:
        """Refuse what cannot be removed, before all that is below it is looked at."""
        self._check_places(self.path)
        return False

    def _check_places(self, *paths: str) -> None:
        for path in paths:
            with answered():
                self._changes.check(path)

    def handle_move(self, dest_path: str) -> bool:
        """Rename over a file that is there: it gets a version."""
        self._check_places(self.path, dest_path)
        there = self.provider.get_resource_inst(dest_path, self.environ)
        if there is None or there.is_collection or self.is_collection:  # type: ignore[attr-defined]
            return False
        self.move_recursive(dest_path)
        return True

    def move_recursive(self, dest_path: str) -> list[Any]:
        """Rename it, in one commit."""
        with answered():
            self._changes.rename(self.path, dest_path)
        self._properties(dest_path, move=True)
        self.remove_all_locks(recursive=True)  # type: ignore[attr-defined]
        return []

    def _properties(self, dest_path: str, *, move: bool) -> None:
        manager = self.provider.prop_manager
        target = self.provider.get_resource_inst(dest_path, self.environ)
        if manager is None or target is None:
            return
        own = self.get_ref_url()  # type: ignore[attr-defined]
        if move:
            manager.move_properties(
                own, target.get_ref_url(), with_children=True, environ=self.environ
            )
        else:
            manager.copy_properties(own, target.get_ref_url(), self.environ)


class PoolFile(_Common, DAVNonCollection):  # type: ignore[misc] # wsgidav has no types
    """A file, or the name of one that is to be written."""

    def __init__(
        self, path: str, environ: dict[str, Any], provider: PoolProvider, entry: Entry | None
    ) -> None:
        super().__init__(path, environ)
        self.provider = provider
        self.entry = entry
        self._folder = ""
        self._staged = ""

    def get_content_length(self) -> int:
        """Return the bytes of the file."""
        with answered():
            return 0 if self.entry is None else self.entry.size

    def get_content_type(self) -> str:
        """Return the type, by the name."""
        name = self.path.rpartition("/")[2].lower()
        known = _TYPES.get(os.path.splitext(name)[1])
        if name.endswith(".gz"):
            return "application/gzip"
        return known or mimetypes.guess_type(name)[0] or "application/octet-stream"

    def get_etag(self) -> str:
        """Return what is another one for every version."""
        ref = self.entry.ref if self.entry is not None else None
        return "empty" if ref is None else f"{ref.number}-{ref.hash[:32]}"

    def support_etag(self) -> bool:
        """Say that there is one."""
        return True

    def support_ranges(self) -> bool:
        """Say that parts can be asked for: only their chunks are read."""
        return True

    def get_content(self) -> BinaryIO:
        """Open it."""
        with answered():
            if self.entry is None:
                raise NotFound(f"nothing was written to {self.path!r} yet")
            return ReadingFile(self.entry.open(), self.path)

    def begin_write(self, *, content_type: str | None = None) -> BinaryIO:
        """Return a file to the side, which `end_write` gives to the pool."""
        with answered():
            cache = os.fspath(self._changes.tree.pool.settings.cache)
        cache = os.path.join(cache, "writing")
        os.makedirs(cache, exist_ok=True)
        self._folder = tempfile.mkdtemp(dir=cache)
        self._staged = staged_name(self._folder, self.path)
        return open(self._staged, "xb", 1 << 20)

    def end_write(self, *, with_errors: bool) -> None:
        """Give what was written to the pool, as one commit."""
        try:
            if with_errors:
                return
            announced = self.environ.get("CONTENT_LENGTH", "")
            if announced.isdigit() and int(announced) != os.path.getsize(self._staged):
                raise DAVError(HTTP_BAD_REQUEST, "the connection ended within the file")
            with answered():
                self._changes.put({self.path: self._staged})
                self.entry = self.provider.tree.entry(self.path)
        finally:
            self.provider.release(self.path)
            remove_folder(self._folder)

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        """Copy over a file that is there: it gets a version."""
        there = self.provider.get_resource_inst(dest_path, self.environ)
        if there is None or there.is_collection:
            return False
        self.copy_move_single(dest_path, is_move=False)
        return True

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Copy it, without writing its content again."""
        with answered():
            self._changes.copy(self.path, dest_path)
        self._properties(dest_path, move=False)


class PoolFolder(_Common, DAVCollection):  # type: ignore[misc] # wsgidav has no types
    """A folder; an empty one that was made here has no entry."""

    def __init__(
        self,
        path: str,
        environ: dict[str, Any],
        provider: PoolProvider,
        entry: FolderNode | None,
    ) -> None:
        super().__init__(path, environ)
        self.provider = provider
        self.entry = entry

    def get_etag(self) -> None:
        """Return nothing: folders have none."""
        return

    def support_etag(self) -> bool:
        """Say that there is none."""
        return False

    def get_member_names(self) -> list[str]:
        """Return the names of what is in it."""
        with answered():
            place = clean(self.path)
            names = []
            if isinstance(self.entry, FolderNode):
                names = [entry.name for entry in self.entry.listed()]
            more = {*self.provider.changes.folders(place), *self.provider.reserved(place)}
            return names + sorted(more - set(names))

    def get_member(self, name: str) -> Any:
        """Return what is in it under a name."""
        path = util.join_uri(self.path, name)
        with answered():
            entry = self.entry.child(name) if isinstance(self.entry, FolderNode) else None
        if isinstance(entry, FolderNode):
            return PoolFolder(path, self.environ, self.provider, entry)
        if entry is not None:
            return PoolFile(path, self.environ, self.provider, entry)
        return self.provider.get_resource_inst(path, self.environ)

    def create_empty_resource(self, name: str) -> PoolFile:
        """Take a name for what is written next."""
        path = util.join_uri(self.path, name)
        with answered():
            self._changes.check_file(path)
        self.provider.reserve(path)
        return PoolFile(path, self.environ, self.provider, None)

    def create_collection(self, name: str) -> None:
        """Make a folder, which the pool remembers once something is in it."""
        with answered():
            self._changes.make_folder(util.join_uri(self.path, name))

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Make the folder that the copies of what is in it go to."""
        there = self.provider.get_resource_inst(dest_path, self.environ)
        if there is None:
            with answered():
                self._changes.make_folder(dest_path)
        self._properties(dest_path, move=False)


@contextmanager
def answered() -> Iterator[None]:
    """Turn errors of skypool into answers of HTTP."""
    try:
        yield
    except SkypoolError as error:
        text = f"{error.message} ({error.hint})" if error.hint else error.message
        raise DAVError(_status(error), text, src_exception=error) from error


def _status(error: SkypoolError) -> int:
    answers: tuple[tuple[type[SkypoolError], int], ...] = (
        (NotFound, HTTP_NOT_FOUND),
        (InvalidName, HTTP_FORBIDDEN),
        (Conflict, HTTP_CONFLICT),
        (ReadOnly, HTTP_FORBIDDEN),
        (DiskFull, HTTP_INSUFFICIENT_STORAGE),
    )
    for kind, status in answers:
        if isinstance(error, kind):
            return status
    return int(HTTP_INTERNAL_ERROR)
