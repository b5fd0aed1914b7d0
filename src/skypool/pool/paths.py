"""Real files for other programs: a bounded cache outside the pool."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from typing import TYPE_CHECKING

from skypool.codec.digest import digest
from skypool.errors import ReadOnly, StorageError
from skypool.pool.exporting import file_name, is_folder, write_file
from skypool.storage.inplace import FileSource, FileState

if TYPE_CHECKING:
    from collections.abc import Callable

    from skypool.pool.ref import Ref

__all__ = ["cached_path", "made_path"]


def cached_path(ref: Ref) -> str:
    """Return the path of a read-only file with a product's bytes.

    A product kept in place gives the user's own file, if it is as it was. Others are
    written into the cache, of which the files used longest ago are removed when it
    grows over its bound.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    session = ref.view.session
    if ref.purged:
        ref.view.check_there(ref.row)
    for source in session.catalogue.sources(ref.row.document):
        # A file that is gone may have a copy in the packs, or in another place.
        with contextlib.suppress(StorageError):
            FileSource(source.path, FileState(source.size, source.mtime_ns)).close()
            return source.path
    path = os.path.join(_folder(ref), file_name(ref))
    if _is_there(path, ref):
        return path
    if is_folder(ref) or "tree" in ref.document:
        return _cached_folder(ref, path)
    write_file(ref, path)
    _settle(path, ref)
    return path


def made_path(ref: Ref, name: str, make: Callable[[str], None]) -> str:
    """Return the path of a read-only file made of a product, in the same cache.

    Parameters
    ----------
    ref
        The product.
    name
        Relative path: what the file is, and its name.
    make
        Writes it to the path that it is given; called if it is not there.
    """
    path = os.path.join(_folder(ref), "made", name)
    if _is_there(path, ref):
        return path
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        make(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _settle(path, ref)
    return path


def _folder(ref: Ref) -> str:
    cache = os.fspath(ref.view.session.settings.cache)
    key = ref.hash
    if ref.refs and ("file" not in ref.document or is_folder(ref)):
        # What it refers to is in the file, or is the folder, but is not in the document.
        key = digest(f"{key} {ref.view.session.folder.key.hex()} {ref.urn}".encode()).hex()
    return os.path.join(cache, "files", key[:2], key)


def _is_there(path: str, ref: Ref) -> bool:
    """Say whether a file is in the cache, and note that it is used; else make its folder."""
    if os.path.exists(path):
        with contextlib.suppress(PermissionError):  # a cache that another user has made
            os.utime(path)
        return True
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except PermissionError:
        raise ReadOnly(
            f"the cache folder {ref.view.session.settings.cache} cannot be written to",
            hint="set SKYPOOL_CACHE to a folder of yours",
        ) from None
    except OSError as error:
        raise StorageError(f"the cache folder {folder} cannot be made: {error.strerror}") from None
    return False


def _settle(path: str, ref: Ref) -> None:
    os.chmod(path, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    _trim(os.path.join(os.fspath(ref.view.session.settings.cache), "files"), path, ref)


def _cached_folder(ref: Ref, path: str) -> str:
    from skypool.pool.exporting import Exporter

    temporary = f"{path}.{os.getpid()}.tmp"
    if "tree" in ref.document:
        Exporter(overwrite=True).export(ref, temporary)
        made = os.path.join(temporary, file_name(ref))
    else:
        Exporter(overwrite=True).export(ref, temporary)
        made = temporary
    try:
        os.rename(made, path)
    except OSError:
        if not os.path.exists(path):
            raise
    return path


def _trim(folder: str, keep: str, ref: Ref) -> None:
    """Remove the files used longest ago until the cache fits its bound."""
    budget = ref.view.session.settings.cache_bytes
    files = []
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            try:
                found = os.stat(path)
            except FileNotFoundError:
                continue
            files.append((found.st_mtime_ns, found.st_size, path))
    used = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if used <= budget:
            break
        if path == keep:
            continue
        try:
            os.unlink(path)
            os.removedirs(os.path.dirname(path))
        except OSError:  # not empty, or another process was first
            pass
        used -= size
