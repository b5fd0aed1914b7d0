"""The files and folders of a pool as resources of WebDAV (RFC 4918).

What they are, and what writing to them means, is that of a mount (`skypool.files.operations`,
`skypool.files.writing`): files whose names are those of a while never get into the pool.
"""

from __future__ import annotations

import contextlib
import io
import mimetypes
import os
import stat
import threading
import uuid
from typing import Any, BinaryIO, Final

from wsgidav import util
from wsgidav.dav_error import (
    HTTP_BAD_REQUEST,
    HTTP_FORBIDDEN,
    DAVError,
)
from wsgidav.dav_provider import DAVCollection, DAVNonCollection, DAVProvider

from skypool.errors import NotFound, SkypoolError
from skypool.files.changes import clean, parent_of
from skypool.files.opened import ReadingFile
from skypool.files.operations import Attributes, Operations
from skypool.files.staged import is_temporary
from skypool.files.webdav_answers import answer_to, answered
from skypool.files.webdav_names import place_of, shown_name
from skypool.files.webdav_transfers import Arriving, OpenFile
from skypool.files.writing import WriteOperations

__all__ = ["PoolProvider"]

_TYPES: Final = {
    ".fits": "application/fits",
    ".fit": "application/fits",
    ".fts": "application/fits",
    ".vot": "application/x-votable+xml",
    ".ecsv": "text/plain",
}
# What arrives has such a name until it is whole; nobody is shown it.
_ARRIVING: Final = ".skypool-arriving-"


class PoolProvider(DAVProvider):  # type: ignore[misc] # wsgidav has no types
    """A pool as a share of WebDAV.

    Parameters
    ----------
    files
        The pool as a file system, which may be one to write to.
    """

    def __init__(self, files: Operations) -> None:
        super().__init__()
        self.files = files
        self._empty: set[str] = set()
        self._lock = threading.Lock()

    def is_readonly(self) -> bool:
        """Say whether nothing may be changed."""
        return not isinstance(self.files, WriteOperations)

    def get_resource_inst(self, path: str | None, environ: dict[str, Any]) -> Any:
        """Return what is at a path, None where there is nothing."""
        if path is None:  # above the root
            return None
        place = place_of(path)
        try:
            return self.resource(path, environ, self.files.attributes(place))
        except FileNotFoundError:
            return PoolFile(path, environ, self, None) if self.is_reserved(path) else None
        except OSError as error:
            raise answer_to(error) from error

    def resource(self, path: str, environ: dict[str, Any], found: Attributes) -> Any:
        """Return a file or folder."""
        kind = PoolFolder if stat.S_ISDIR(found[0]) else PoolFile
        return kind(path, environ, self, found)

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
            parts = [each.rpartition("/") for each in self._empty]
        return [name for above, _, name in parts if above == path]


class _Common:
    """What files and folders have in common."""

    path: str
    provider: Any
    environ: Any
    found: Attributes | None

    def get_creation_date(self) -> float | None:
        return self.get_last_modified()

    def get_last_modified(self) -> float | None:
        return self.found[2] / 1e9 if self.found is not None and self.found[2] else None

    def get_display_name(self) -> str:
        return clean(self.path).rpartition("/")[2]

    @property
    def _writing(self) -> WriteOperations:
        files = self.provider.files
        if not isinstance(files, WriteOperations):
            raise DAVError(HTTP_FORBIDDEN, "this pool is shown read-only (serve --write)")
        return files

    def _check(self, *paths: str) -> None:
        """Refuse what cannot be changed, before all that is below it is looked at."""
        with answered():
            for path in paths:
                self._writing.changes.check(place_of(path))

    def _forget(self) -> None:
        self.remove_all_properties(recursive=True)  # type: ignore[attr-defined] # of the other base
        self.remove_all_locks(recursive=True)  # type: ignore[attr-defined]

    def handle_delete(self) -> bool:
        self._check(self.path)
        return False

    def support_recursive_delete(self) -> bool:
        return True

    def support_recursive_move(self, dest_path: str) -> bool:
        return True

    def handle_move(self, dest_path: str) -> bool:
        """Rename over a file that is there: it gets a version."""
        self._check(self.path, dest_path)
        there = self.provider.get_resource_inst(dest_path, self.environ)
        if there is None or there.is_collection or self.is_collection:  # type: ignore[attr-defined]
            return False
        self.move_recursive(dest_path)
        return True

    def move_recursive(self, dest_path: str) -> list[Any]:
        """Rename it, in one commit."""
        if self.provider.is_reserved(self.path):
            self.provider.release(self.path)
            self._take(dest_path)
        else:
            with answered():
                self._writing.rename(place_of(self.path), place_of(dest_path))
        self._properties(dest_path, move=True)
        self.remove_all_locks(recursive=True)  # type: ignore[attr-defined]
        return []

    def _take(self, dest_path: str) -> None:
        """Take a name for what has no content yet; a file of that name becomes empty."""
        if self.provider.get_resource_inst(dest_path, self.environ) is None:
            self.provider.reserve(dest_path)
            return
        with answered():
            files, place = self._writing, place_of(dest_path)
            number = files.open(place, os.O_WRONLY | os.O_TRUNC)
            files.release(number)

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
        self,
        path: str,
        environ: dict[str, Any],
        provider: PoolProvider,
        found: Attributes | None,
    ) -> None:
        super().__init__(path, environ)
        self.provider = provider
        self.found = found
        self._arriving = ""

    def get_content_length(self) -> int:
        """Return the bytes of the file."""
        return 0 if self.found is None else self.found[1]

    def get_content_type(self) -> str:
        """Return the type, by the name."""
        name = self.path.rpartition("/")[2].lower()
        known = _TYPES.get(os.path.splitext(name)[1])
        if name.endswith(".gz"):
            return "application/gzip"
        return known or mimetypes.guess_type(name)[0] or "application/octet-stream"

    def get_etag(self) -> str:
        """Return what is another one for every version."""
        if self.found is None:
            return "empty"
        try:
            ref = self.provider.files.entry(place_of(self.path)).ref
        except (OSError, SkypoolError):  # not in the pool (yet)
            ref = None
        if ref is None:
            return f"unsaved-{self.found[1]}-{self.found[2]}"
        return f"{ref.number}-{ref.hash[:32]}"

    def support_etag(self) -> bool:
        """Say that there is one."""
        return True

    def support_ranges(self) -> bool:
        """Say that parts can be asked for: only their chunks are read."""
        return True

    def get_content(self) -> BinaryIO:
        """Open it."""
        with answered():
            if self.found is None:
                return io.BytesIO()
            return ReadingFile(OpenFile(self.provider.files, place_of(self.path)), self.path)

    def begin_write(self, *, content_type: str | None = None) -> Arriving:
        """Return a file to the side, which `end_write` renames."""
        place = place_of(self.path)
        above = parent_of(place)
        self._arriving = f"{above}/" if above else ""
        self._arriving += f"{_ARRIVING}{uuid.uuid4().hex}"
        with answered():
            return Arriving(self._writing, self._arriving)

    def end_write(self, *, with_errors: bool) -> None:
        """Give what was written to the pool, as one commit."""
        files, place = self._writing, place_of(self.path)
        try:
            arrived = files.attributes(self._arriving)[1]
            announced = self.environ.get("CONTENT_LENGTH", "")
            if with_errors:
                return
            if announced.isdigit() and int(announced) != arrived:
                raise DAVError(HTTP_BAD_REQUEST, "the connection ended within the file")
            with answered():
                files.rename(self._arriving, place)
                self.found = files.attributes(place)
        finally:
            self.provider.release(self.path)
            with contextlib.suppress(OSError):  # renamed
                files.unlink(self._arriving)

    def delete(self) -> list[Any]:
        """Move it to the trash."""
        if self.provider.is_reserved(self.path):
            self.provider.release(self.path)
        else:
            with answered():
                self._writing.unlink(place_of(self.path))
        self._forget()
        return []

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        """Copy over a file that is there: it gets a version."""
        there = self.provider.get_resource_inst(dest_path, self.environ)
        if there is None or there.is_collection:
            return False
        self.copy_move_single(dest_path, is_move=False)
        return True

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Copy it, without writing its content again."""
        if self.provider.is_reserved(self.path):
            self._take(dest_path)
        else:
            with answered():
                self._writing.copy(place_of(self.path), place_of(dest_path))
        self._properties(dest_path, move=False)


class PoolFolder(_Common, DAVCollection):  # type: ignore[misc] # wsgidav has no types
    """A folder."""

    def __init__(
        self, path: str, environ: dict[str, Any], provider: PoolProvider, found: Attributes
    ) -> None:
        super().__init__(path, environ)
        self.provider = provider
        self.found = found
        self._members: dict[str, Attributes] | None = None

    def get_etag(self) -> None:
        """Return nothing: folders have none."""
        return

    def support_etag(self) -> bool:
        """Say that there is none."""
        return False

    def _listed(self) -> dict[str, Attributes]:
        if self._members is None:
            with answered():
                found = dict(self.provider.files.listing(place_of(self.path)))
            shown = {shown_name(name): each for name, each in found.items()}
            self._members = {n: each for n, each in shown.items() if not n.startswith(_ARRIVING)}
        return self._members

    def get_member_names(self) -> list[str]:
        """Return the names of what is in it."""
        names = list(self._listed())
        return names + sorted({*self.provider.reserved(clean(self.path))} - set(names))

    def get_member(self, name: str) -> Any:
        """Return what is in it under a name."""
        path = util.join_uri(self.path, name)
        found = self._listed().get(name)
        if found is not None:
            return self.provider.resource(path, self.environ, found)
        return self.provider.get_resource_inst(path, self.environ)

    def create_empty_resource(self, name: str) -> PoolFile:
        """Take a name for what is written next."""
        path = util.join_uri(self.path, name)
        with answered():
            self._writing.changes.check_file(place_of(path))
        self.provider.reserve(path)
        return PoolFile(path, self.environ, self.provider, None)

    def create_collection(self, name: str) -> None:
        """Make a folder."""
        with answered():
            self._writing.mkdir(place_of(util.join_uri(self.path, name)))

    def delete(self) -> list[Any]:
        """Move it to the trash with all in it, in one commit."""
        place = place_of(self.path)
        with answered():
            self._unlink_unsaved(place)
            with contextlib.suppress(NotFound):  # there was nothing else in it
                self._writing.changes.remove(place)
        self._forget()
        return []

    def _unlink_unsaved(self, place: str) -> None:
        """Remove what has a name of a while, which the pool has not."""
        for name, found in list(self._writing.listing(place)):
            path = f"{place}/{name}"
            if stat.S_ISDIR(found[0]):
                self._unlink_unsaved(path)
            elif is_temporary(path):
                self._writing.unlink(path)

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Make the folder that the copies of what is in it go to."""
        if self.provider.get_resource_inst(dest_path, self.environ) is None:
            with answered():
                self._writing.mkdir(place_of(dest_path))
        self._properties(dest_path, move=False)
