"""What programs do to files, as changes of a pool: for whatever shows a pool as a folder.

A file that is written becomes a product, or a version of the one that is there; one that is
deleted goes to the trash, and renaming renames. Each is one commit. The pool has names and no
empty folders, programs make them before they put something in: those are remembered here, for
as long as this lives, and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from skypool.errors import Conflict, NotFound, ReadOnly
from skypool.files.nodes import Entry, FileNode, FolderNode
from skypool.files.special import SPECIAL
from skypool.pool.exporting import safe_name
from skypool.pool.resolve import check_name

if TYPE_CHECKING:
    from skypool.files.tree import Tree
    from skypool.pool.ref import Ref

__all__ = ["Changes", "clean", "parent_of"]

_PIECE: Final = 4 * 1024 * 1024


def clean(path: str) -> str:
    """Return a path without slashes at its ends or behind each other."""
    return "/".join(part for part in path.split("/") if part)


def parent_of(path: str) -> str:
    """Return the path of the folder that something is in."""
    return path.rpartition("/")[0]


class Changes:
    """Writes into a pool by the paths of its tree. Threads may share it.

    Parameters
    ----------
    tree
        The pool as folders and files.
    by
        What the history calls who asks, such as `webdav`.
    """

    def __init__(self, tree: Tree, by: str = "") -> None:
        self.tree = tree
        self._pool = tree.pool
        self._by = by
        self._folders: set[str] = set()
        self._lock = threading.Lock()

    # -- folders

    def folders(self, path: str) -> list[str]:
        """Return the names of empty folders in a folder that were made here."""
        above = f"{clean(path)}/" if clean(path) else ""
        with self._lock:
            found = {
                f[len(above) :].partition("/")[0] for f in self._folders if f.startswith(above)
            }
        return sorted(found - {""})

    def is_made(self, path: str) -> bool:
        """Return whether a folder was made here, or something below it."""
        path = clean(path)
        with self._lock:
            return any(f == path or f.startswith(f"{path}/") for f in self._folders)

    def made(self) -> list[str]:
        """Return the paths of all empty folders that were made here."""
        with self._lock:
            return sorted(self._folders)

    def check(self, path: str) -> None:
        """Make sure that something may be written to a path, or removed there.

        Raises
        ------
        InvalidName
            If no product can be called so.
        ReadOnly
            If it is in a folder that nobody writes to.
        """
        check_name(self._writable(path))

    def make_folder(self, path: str) -> None:
        """Make an empty folder.

        Raises
        ------
        Conflict
            If something is there, or there is no folder to put it in.
        ReadOnly
            If it is in a folder that nobody writes to.
        """
        path = self._writable(path)
        if self._entry(path) is not None or self.is_made(path):
            raise Conflict(f"there is {path!r} already")
        self._check_parent(path)
        check_name(path)
        with self._lock:
            self._folders.add(path)

    # -- files

    @contextmanager
    def staging(self) -> Iterator[str]:
        """Make a folder for files that are to be written, and remove it in the end."""
        cache = os.path.join(os.fspath(self._pool.settings.cache), "writing")
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            yield folder

    def put(self, files: Mapping[str, str], message: str = "") -> list[Ref]:
        """Add files under paths of the tree, in one commit.

        Parameters
        ----------
        files
            Where the files are, by path.
        message
            What the history says.

        Raises
        ------
        Conflict
            If a folder is at a path.
        ReadOnly
            If a path is in a folder that nobody writes to.
        """
        names = {source: self._name(path) for path, source in files.items()}
        origins = {
            source: {"path": clean(path), "mtime_ns": os.stat(source).st_mtime_ns}
            for path, source in files.items()
        }
        report = self._pool.add_report(
            list(names),
            names=names,
            origins=origins,
            as_version=True,
            force_read=True,
            message=message or self._text("write", *files),
        )
        for path in files:
            self._forget(clean(path))
        return report.refs

    def write(self, path: str, data: bytes | BinaryIO, message: str = "") -> Ref:
        """Add what is read from an open file, or bytes, under a path."""
        with self.staging() as folder:
            staged = staged_name(folder, path)
            with open(staged, "xb") as out:
                if isinstance(data, bytes):
                    out.write(data)
                else:
                    shutil.copyfileobj(data, out, _PIECE)
            return self.put({path: staged}, message)[0]

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all in it; `restore` brings it back.

        Raises
        ------
        NotFound
            If there is nothing.
        ReadOnly
            If it is shown there because something refers to it, or is not to be written to.
        """
        path = self._writable(path)
        entry = self._entry(path)
        if entry is None and not self.is_made(path):
            raise NotFound(f"there is no {path!r} in the pool")
        found = self._named(path, entry)
        if found:
            with self._pool.commit(self._text("remove", path)) as transaction:
                for ref in found:
                    transaction.remove(ref, alone=True)
        elif entry is not None:
            raise ReadOnly(
                f"{path!r} is shown here because something refers to it",
                hint="remove what refers to it, or the product under its own name",
            )
        self._drop(path)
        self._keep(parent_of(path))

    def rename(self, old: str, new: str) -> None:
        """Rename a file or folder; a file over another becomes the next version of that one.

        Raises
        ------
        NotFound
            If there is nothing.
        Conflict
            If a folder has the name already, or it is renamed into itself.
        ReadOnly
            If one of the places is not to be written to.
        """
        old, new = self._writable(old), self._writable(new)
        if old == new:
            return
        entry = self._entry(old)
        if entry is None and not self.is_made(old):
            raise NotFound(f"there is no {old!r} in the pool")
        if new.startswith(f"{old}/"):
            raise Conflict(f"{old!r} cannot be put into itself")
        if entry is not None and not isinstance(entry, FolderNode):
            self._rename_file(old, entry, new)
        else:
            self._rename_folder(old, entry, new)
        if self._entry(new) is not None:
            self._forget(new)
        self._keep(parent_of(old))

    def _rename_file(self, old: str, entry: Entry, new: str) -> None:
        name = self._name(new)
        found = self._named(old, entry)
        if not found or entry.ref is None:
            raise ReadOnly(f"{old!r} is shown here because something refers to it")
        there = self._entry(new)
        with self._pool.commit(self._text("rename", old, new)) as transaction:
            if there is None and not self._goes_on(name, found[0]):
                transaction.rename(found[0], name)
            else:
                transaction.save(entry.ref.product, name)
                transaction.remove(found[0], alone=True)

    def _goes_on(self, name: str, ref: Ref) -> bool:
        """Say whether a new product takes the name of one that was just removed.

        So programs save: they write a file, remove the old one, and rename the new one.
        """
        view = self._pool.view
        return ref.version == 0 and view.identity.removed(name, view.at) is not None

    def _rename_folder(self, old: str, entry: Entry | None, new: str) -> None:
        if self._entry(new) is not None:
            raise Conflict(f"there is {new!r} already")
        self._check_parent(new)
        check_name(new)
        found = self._named(old, entry)
        if not found and entry is not None:
            raise ReadOnly(f"{old!r} is shown here because something refers to it")
        if found:
            with self._pool.commit(self._text("rename", old, new)) as transaction:
                done = ""
                for ref in sorted(found, key=lambda ref: ref.name.split("/")):
                    if not done or not ref.name.startswith(f"{done}/"):
                        transaction.rename(ref, new + ref.name[len(old) :])
                        done = ref.name
        with self._lock:
            moved = {f for f in self._folders if f == old or f.startswith(f"{old}/")}
            self._folders -= moved
            self._folders |= {new + f[len(old) :] for f in moved}

    def copy(self, old: str, new: str) -> None:
        """Copy a file: no content is written, whichever version it is.

        Raises
        ------
        NotFound
            If there is no such file.
        Conflict
            If a folder is there.
        """
        old = clean(old)
        entry = self.tree.entry(old)
        if isinstance(entry, FolderNode):
            raise Conflict(f"{old!r} is a folder")
        message = self._text("copy", old, new)
        ref = entry.ref
        if ref is not None and isinstance(entry, FileNode):
            name = self._name(new)
            product = ref.product
            if name == ref.name and "file" not in ref.document:
                product = product.replace()  # as it was, and yet to be saved
            if name != ref.name or "file" not in ref.document:
                self._pool.save(product, name, message=message)
                self._forget(clean(new))
                return
        with self.staging() as folder:
            staged = staged_name(folder, new)
            copy_out(entry, staged)
            self.put({new: staged}, message)

    def check_file(self, path: str) -> None:
        """Raise what `put` would raise because of a path; nothing is changed.

        Raises
        ------
        Conflict
            If a folder is there, or a file where a folder is to be.
        ReadOnly
            If it is in a folder that nobody writes to.
        """
        path = self._writable(path)
        entry = self._entry(path)
        if isinstance(entry, FolderNode) or (entry is None and self.is_made(path)):
            raise Conflict(f"{path!r} is a folder")
        self._check_parent(path)
        if entry is not None and not isinstance(entry, FileNode):
            raise ReadOnly(
                f"{path!r} is a part of {parent_of(path)!r}, which is one product",
                hint="add the whole folder again",
            )
        check_name(path)

    # -- help

    def _text(self, what: str, *paths: str) -> str:
        """Return what the history says: one file, several of them, or from where to where."""
        said = " to ".join(map(clean, paths))
        if what == "write" and len(paths) > 1:
            said = f"{len(paths)} files"
        return f"{what} {said}"[:200] + (f" ({self._by})" if self._by else "")

    def _entry(self, path: str) -> Entry | None:
        try:
            return self.tree.entry(path)
        except NotFound:
            return None

    def _writable(self, path: str) -> str:
        path = clean(path)
        if not path:
            raise ReadOnly("the uppermost folder stays")
        for part in path.split("/"):
            if part in SPECIAL:
                raise ReadOnly(
                    f"{part} shows what is elsewhere in the pool: nothing is written there",
                    hint="write beside it; files are copied out of it",
                )
        return path

    def _check_parent(self, path: str) -> None:
        above = parent_of(path)
        if not above or self.is_made(above):
            return
        entry = self._entry(above)
        if entry is not None and not isinstance(entry, FolderNode):
            raise Conflict(f"{above!r} is a file, not a folder")

    def _name(self, path: str) -> str:
        """Return the name under which something is saved that is written to a path."""
        self.check_file(path)
        path = clean(path)
        entry = self._entry(path)
        ref = None if entry is None else entry.ref
        if ref is not None and ref.name != path and self._named(path, entry):
            # What was made in memory has no extension of its own; a file needs it.
            self._pool.rename(ref, check_name(path))
        return check_name(path)

    def _named(self, path: str, entry: Entry | None) -> list[Ref]:
        """Return what is named so, or below; empty for what is only referred to."""
        if entry is None or not self._pool.exists:
            return []
        view = self._pool.view
        found = []
        if entry.ref is not None and not isinstance(entry, FolderNode):
            name = entry.ref.name
            shown = safe_path(name)
            if view.identity.named(name, view.at) != entry.ref.track:
                return []
            if shown == path or parent_of(shown) == parent_of(path):
                return [entry.ref.latest]
            return []
        own = view.identity.named(path, view.at)
        tracks = [own] if own is not None else []
        tracks += [track for _, track in view.identity.names(view.at, path)]
        for track in tracks:
            row = view.identity.latest(track, view.at)
            if row is not None:
                found.append(view.ref(row))
        return found

    def _forget(self, path: str) -> None:
        """Forget made folders that have become real."""
        with self._lock:
            self._folders = {f for f in self._folders if f != path and not path.startswith(f"{f}/")}

    def _drop(self, path: str) -> None:
        with self._lock:
            self._folders = {f for f in self._folders if f != path and not f.startswith(f"{path}/")}

    def _keep(self, path: str) -> None:
        """Keep a folder that has become empty: who empties it removes it next."""
        if path and self._entry(path) is None:
            with self._lock:
                self._folders.add(path)


def safe_path(name: str) -> str:
    """Return the path at which something of a name is shown."""
    return "/".join(safe_name(part) for part in name.split("/"))


def staged_name(folder: str, path: str) -> str:
    """Return the path of a file in a folder whose name says what one at *path* is.

    The ends of archives are left out: a file that is written stays a file.
    """
    base = clean(path).rpartition("/")[2]
    lower = base.lower()
    for end in (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"):
        if lower.endswith(end):
            base = base[: -len(end)]
    number = 0
    while os.path.lexists(os.path.join(folder, str(number))):
        number += 1
    inner = os.path.join(folder, str(number))
    os.makedirs(inner)
    return os.path.join(inner, base or "file")


def copy_out(entry: Entry, path: str) -> None:
    """Write the bytes of a file of the tree to a path."""
    source: Any = entry.open()
    with open(path, "xb") as out:
        for offset in range(0, source.size, _PIECE):
            out.write(source.pread(offset, _PIECE))
