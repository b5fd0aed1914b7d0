"""Pools for programs that open files through fsspec: `skypool://temp1/1342182452/level2/PSW.fits`.

The first part of a path is the name of a pool. A path that begins with a slash (or `./`, `../`,
`~`) is one of the computer's own: its first folder that is a pool is the pool, and what follows
is inside it, as in `skypool:///data/pools/survey/maps/m83.fits`. Inside, paths are those of
`skypool.files.tree`.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from skypool.config import from_environment
from skypool.errors import MissingDependency, NotFound
from skypool.files.changes import Changes, clean, staged_name
from skypool.files.nodes import Entry, FolderNode
from skypool.files.opened import ReadingFile, WritingFile, remove_folder
from skypool.files.translating import Translating, translated
from skypool.files.tree import Tree
from skypool.pool.folder import is_pool
from skypool.pool.named import list_pools, locate
from skypool.pool.pool import Pool

try:
    from fsspec.spec import AbstractFileSystem
    from fsspec.transaction import Transaction
except ImportError as error:
    raise MissingDependency(
        f"file systems of fsspec need a package more: {error}",
        hint="pip install 'skypool[fsspec]'",
    ) from error

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["SkypoolFileSystem"]

_PATHS: Final = ("/", "./", "../", "~")


class SkypoolTransaction(Transaction):  # type: ignore[misc] # fsspec has no types
    """Files that become one commit, or none."""

    def complete(self, commit: bool = True) -> None:
        """Give all files to their pools: one commit for each pool."""
        files = [file for file in self.files if isinstance(file, WritingFile)]
        self.files.clear()
        self.fs._intrans = False
        self.fs._transaction = None
        try:
            if commit:
                self.fs._give_all(files)
        finally:
            for file in files:
                file.discard()


class _Open:
    """An open pool."""

    def __init__(self, where: str, mode: str) -> None:
        self.pool = Pool(where, mode)
        self.tree = Tree(self.pool)
        self.changes = Changes(self.tree, "fsspec")


class SkypoolFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Pools as a file system of fsspec.

    Reading touches only the chunks that are asked for. A file that is written becomes a product
    or the next version of one when it is closed, one commit for each; within a transaction, one
    commit for all. What is deleted goes to the trash.

    Parameters
    ----------
    read_only
        Refuse everything that changes a pool.
    **options
        Those of all file systems of fsspec.
    """

    protocol = "skypool"
    root_marker = ""
    transaction_type = SkypoolTransaction
    cachable = True

    def __init__(self, read_only: bool = False, **options: Any) -> None:
        super().__init__(read_only=read_only, **options)
        self.read_only = read_only
        self._opened: dict[str, _Open] = {}
        self._writing: dict[str, _Open] = {}
        self._roots: dict[str, tuple[str, str]] = {}
        self._open_lock = threading.RLock()

    def close(self) -> None:
        """Close the pools; the next use opens them again."""
        with self._open_lock:
            for found in (*self._opened.values(), *self._writing.values()):
                found.pool.close()
            self._opened.clear()
            self._writing.clear()
            self._roots.clear()

    # -- which pool, and where in it

    def _split(self, path: str) -> tuple[str, str]:
        """Return what a path says of the pool, and the path inside."""
        if not path.startswith(_PATHS):
            name, _, inner = path.partition("/")
            return name, clean(inner)
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            above = "/".join(parts[:end])
            if above and is_pool(os.path.expanduser(above)):
                return above, clean("/".join(parts[end:]))
        raise FileNotFoundError(
            errno.ENOENT, "no folder of this path is a pool; `skypool init` makes one", path
        )

    def _of(self, path: str, *, write: bool = False) -> tuple[_Open, str]:
        where, inner = self._split(path)
        if not where:
            raise PermissionError(errno.EPERM, "the list of pools is not a pool", path)
        if write and self.read_only:
            raise PermissionError(errno.EROFS, "this file system is read only", path)
        with self._open_lock:
            found = self._writing.get(where)
            if found is None and not write:
                found = self._opened.get(where)
            if found is None:
                location = locate(where, from_environment())
                if not is_pool(location):
                    raise FileNotFoundError(errno.ENOENT, f"there is no pool {where!r}", path)
                with translated(path):
                    found = _Open(location, "a" if write else "r")
                (self._writing if write else self._opened)[where] = found
        return found, inner

    # -- looking

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder; the folders `@...` are found but not listed."""
        path = self._strip_protocol(path)
        if not path:
            found = [self._folder(pool.name) for pool in list_pools(from_environment())]
            return found if detail else [each["name"] for each in found]
        opened, inner = self._of(path)
        with translated(path):
            entry = self._entry(opened, inner)
            if entry is not None and not isinstance(entry, FolderNode):
                return [self._info(path, entry)] if detail else [path]
            listed: dict[str, Any] = {}
            for each in entry.listed() if entry is not None else ():
                if not each.special:
                    listed[each.name] = self._info(f"{path}/{each.name}", each)
        for name in opened.changes.folders(inner):
            listed.setdefault(name, self._folder(f"{path}/{name}"))
        return [listed[n] if detail else f"{path}/{n}" for n in sorted(listed)]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe a file or folder: `urn`, `version`, `kind` and `tags` of what is a product."""
        path = self._strip_protocol(path)
        if not path:
            return self._folder("")
        opened, inner = self._of(path)
        with translated(path):
            entry = self._entry(opened, inner)
            if entry is None:
                return self._folder(path)
            found = self._info(path, entry)
            if entry.ref is not None:
                found["tags"] = entry.ref.tags
            return found

    def _entry(self, opened: _Open, inner: str) -> Entry | None:
        """Return what is at a path; None for an empty folder that was made here."""
        try:
            return opened.tree.entry(inner)
        except NotFound:
            if inner and opened.changes.is_made(inner):
                return None
            raise

    def _folder(self, path: str) -> dict[str, Any]:
        return {"name": path, "size": 0, "type": "directory"}

    def _info(self, path: str, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": path,
            "size": entry.size,
            "type": "directory" if entry.is_folder else "file",
        }
        if entry.mtime_ns:
            found["mtime"] = entry.mtime_ns / 1e9
        if entry.ref is not None:
            found |= {"urn": entry.ref.urn, "version": entry.ref.version, "kind": entry.ref.kind}
        return found

    def _ref(self, path: str) -> Any:
        opened, inner = self._of(self._strip_protocol(path))
        with translated(path):
            entry = self._entry(opened, inner)
        if entry is None or entry.ref is None or isinstance(entry, FolderNode):
            raise IsADirectoryError(errno.EISDIR, "a folder has no content of its own", path)
        return entry.ref

    def checksum(self, path: str) -> int:
        """Return a number that is another one for other content: of the product's digest."""
        return int(self._ref(path).hash[:32], 16)

    def ukey(self, path: str) -> str:
        """Return a text that is another one for every version."""
        ref = self._ref(path)
        return f"{ref.urn} {ref.hash}"

    def created(self, path: str) -> datetime:
        """Return when the version was saved."""
        saved: datetime = self._ref(path).saved
        return saved

    def modified(self, path: str) -> datetime:
        """Return when the file had been changed last that was added, else when it was saved."""
        found = self.info(path).get("mtime")
        if found is None:
            raise NotImplementedError(f"{path!r} has no time")
        return datetime.fromtimestamp(found, UTC)

    # -- reading and writing

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:
        """Write an empty file, an empty version of one that is there; times are not set."""
        if not truncate and self.exists(path):
            raise NotImplementedError("a pool does not set the times of files")
        super().touch(path, truncate=True, **kwargs)

    def _source(self, path: str) -> ByteSource:
        opened, inner = self._of(path)
        with translated(path):
            found = opened.tree.open(inner)
        return Translating(found, path)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """Return the bytes of a file, or a part of them."""
        path = self._strip_protocol(path)
        with ReadingFile(self._source(path), path) as file:
            first, last, _step = slice(start, end).indices(file.size)
            file.seek(first)
            return file.read(max(0, last - first))

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        if mode == "rb":
            again = (_open_again, (self.read_only, path))
            return ReadingFile(self._source(path), path, again)
        if mode not in ("wb", "xb", "ab"):
            raise ValueError(
                f"files of a pool are opened with 'rb', 'wb', 'xb' or 'ab', not {mode}"
            )
        opened, inner = self._of(path, write=True)
        if mode == "xb" and self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        if not inner or self.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        cache = os.path.join(os.fspath(opened.pool.settings.cache), "writing")
        os.makedirs(cache, exist_ok=True)
        folder = tempfile.mkdtemp(dir=cache)
        staged = staged_name(folder, inner)
        if mode == "ab" and self.exists(path):
            self.get_file(path, staged)

        def give(file: str) -> None:
            with translated(path):
                opened.changes.put({inner: file})

        return WritingFile(staged, path, give, lambda: remove_folder(folder), autocommit=autocommit)

    def _give_all(self, files: Iterable[WritingFile]) -> None:
        """Give written files to their pools, one commit for each."""
        commits: dict[int, tuple[_Open, dict[str, WritingFile]]] = {}
        for file in files:
            opened, inner = self._of(file.path, write=True)
            commits.setdefault(id(opened), (opened, {}))[1][inner] = file
        for opened, staged in commits.values():
            with translated(next(iter(staged))):
                opened.changes.put({inner: file.staged for inner, file in staged.items()})

    def put_file(self, lpath: str, rpath: str, mode: str = "overwrite", **options: Any) -> None:
        """Add a local file; see `mkdir` for folders."""
        if os.path.isdir(lpath):
            self.makedirs(rpath, exist_ok=True)
            return
        if mode == "create" and self.exists(rpath):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), rpath)
        super().put_file(lpath, rpath, **options)

    # -- changing

    @contextmanager
    def _changing(self, path: str) -> Iterator[tuple[Changes, str]]:
        opened, inner = self._of(self._strip_protocol(path), write=True)
        with translated(path):
            yield opened.changes, inner

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a folder, which the pool remembers once something is in it; or a pool."""
        path = self._strip_protocol(path)
        if "/" not in path:
            self._make_pool(path)
            return
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        above = self._parent(path)
        if not create_parents and not self.isdir(above):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), above)
        with self._changing(path) as (changes, inner):
            changes.make_folder(inner)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder, and those above it."""
        path = self._strip_protocol(path)
        if self.isdir(path):
            if not exist_ok:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            return
        self.mkdir(path)

    def _make_pool(self, name: str) -> None:
        if self.read_only:
            raise PermissionError(errno.EROFS, "this file system is read only", name)
        with translated(name):
            Pool(locate(name, from_environment()), "x").close()

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        path = self._strip_protocol(path)
        if self.ls(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        with self._changing(path) as (changes, inner):
            changes.remove(inner)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, and with *recursive* folders: `skypool restore` brings them back."""
        if maxdepth is not None:
            super().rm(path, recursive=recursive, maxdepth=maxdepth)
            return
        done = ""
        for each in self.expand_path(path):
            if done and each.startswith(f"{done}/"):
                continue
            if self.isdir(each) and not recursive:
                raise IsADirectoryError(errno.EISDIR, "is a folder (recursive=True)", each)
            self._rm(each)
            done = each

    def _rm(self, path: str) -> None:
        with self._changing(path) as (changes, inner):
            changes.remove(inner)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file; within a pool no content is written."""
        path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.isdir(path1):
            self.makedirs(path2, exist_ok=True)
            return
        source, inner1 = self._of(path1)
        target, inner2 = self._of(path2, write=True)
        if source.pool.path == target.pool.path:
            with translated(path1):
                target.changes.copy(inner1, inner2)
            return
        with self._open(path1) as reading, translated(path2):
            target.changes.write(inner2, reading)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        **options: Any,
    ) -> None:
        """Rename a file or folder, in one commit; into a folder where that is there."""
        one = isinstance(path1, str) and isinstance(path2, str) and maxdepth is None
        if not one or _has_magic(path1):
            super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth, **options)
            return
        old, new = self._strip_protocol(path1), self._strip_protocol(path2)
        if path2.endswith("/") or self.isdir(new):
            new = f"{new}/{old.rpartition('/')[2]}"
        source, inner1 = self._of(old, write=True)
        target, inner2 = self._of(new, write=True)
        if source is not target:
            super().mv(old, new, recursive=recursive, **options)
            return
        with translated(old):
            source.changes.rename(inner1, inner2)


def _open_again(read_only: bool, path: str) -> Any:
    return SkypoolFileSystem(read_only=read_only).open(path, "rb")


def _has_magic(path: str) -> bool:
    return any(char in path for char in "*?[")
