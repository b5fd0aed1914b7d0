"""Folders that are one product: Zarr stores, CASA tables, measurement sets and images."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skypool.errors import MissingDependency, SkypoolError
from skypool.formats.base import FolderFormat, Imported, fixed_attributes
from skypool.formats.opaque import write_verbatim
from skypool.formats.parsing import NotUnderstood, WatchedSource
from skypool.formats.typed import kind_of, known_attributes, unread
from skypool.formats.verbatim import Description, renamed

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink

__all__ = ["SourceFiles", "folder_format", "list_folder", "read_folder", "store_tree"]

OpenSource = Callable[[str], "ByteSource"]
MAX_OPEN = 64


def folder_format(path: Path) -> FolderFormat | None:
    """Find the format of a folder that is one product.

    Parameters
    ----------
    path
        The folder; its content decides, whatever it is called.

    Returns
    -------
    FolderFormat or None
        None for all other folders, which become contexts.
    """
    try:
        with os.scandir(path) as entries:
            names = {entry.name for entry in entries}
    except OSError:
        return None
    # The formats are imported only where their marks are there.
    if names & {"zarr.json", ".zgroup", ".zarray"}:
        from skypool.formats.zarr import ZarrFormat

        zarr = ZarrFormat()
        return zarr if zarr.matches(path) else None
    if "table.dat" in names:
        from skypool.formats.casa import CasaFormat

        casa = CasaFormat()
        return casa if casa.matches(path) else None
    return None


def list_folder(folder: Path) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """List what is in a folder and below, in the order of the paths.

    Parameters
    ----------
    folder
        Symbolic links in it are not followed: what they show is not part of it.

    Returns
    -------
    files : list of str
        Relative paths of the regular files.
    empty : list of str
        Relative paths of the folders without entries.
    skipped : list of (str, str)
        Relative paths of what is neither, with the reason.
    """
    files: list[str] = []
    empty: list[str] = []
    skipped: list[tuple[str, str]] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as scan:
                entries = list(scan)
        except OSError as error:
            skipped.append((below or ".", f"the folder cannot be read: {error.strerror}"))
            continue
        if not entries and below:
            empty.append(below)
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_symlink():
                skipped.append((path, "a symbolic link"))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                files.append(path)
            else:
                skipped.append((path, _special(entry)))
    return sorted(files), sorted(empty), sorted(skipped)


def _special(entry: os.DirEntry[str]) -> str:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return "not a file"
    for test, name in (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return name
    return "not a file"


def store_tree(
    folder: Path, open_source: OpenSource, sink: ChunkSink
) -> tuple[list[list[Any]], list[tuple[str, str]]]:
    """Store all files of a folder.

    Returns
    -------
    tree : list of [path, recipe]
        The document's ``tree``.
    skipped : list of (path, reason)
        What was left out.
    """
    files, empty, skipped = list_folder(folder)
    tree: list[list[Any]] = [[path + "/", None] for path in empty]
    for path in files:
        watched: WatchedSource | None = None
        try:
            watched = WatchedSource(open_source(path))
            tree.append([path, write_verbatim(watched, sink, "opaque")])
            watched.close()
        except (OSError, SkypoolError) as error:
            if watched is not None and watched.failure is None:
                raise  # the storage failed, not the file
            skipped.append((path, f"cannot be read: {error}"))
    return sorted(tree), skipped


class SourceFiles(Mapping[str, "ByteSource"]):
    """The files of a folder by relative path, opened when they are asked for.

    Only the last ones stay open, where they can be closed: a store may have more files
    than a process may open.
    """

    def __init__(self, paths: Iterable[str], open_source: OpenSource) -> None:
        self._paths = dict.fromkeys(paths)
        self._open = open_source
        self._opened: dict[str, WatchedSource] = {}

    def __getitem__(self, path: str) -> ByteSource:
        if path not in self._paths:
            raise KeyError(path)
        found = self._opened.pop(path, None) or WatchedSource(self._open(path))
        self._opened[path] = found
        if len(self._opened) > MAX_OPEN:
            self._opened.pop(next(iter(self._opened))).close()
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def close(self) -> None:
        """Close the files that are open."""
        while self._opened:
            self._opened.popitem()[1].close()


def read_folder(
    folder: Path,
    open_source: OpenSource,
    sink: ChunkSink,
    name: str,
    describe: Callable[[Mapping[str, ByteSource]], Description],
) -> Imported:
    """Store all files of a folder and describe what they hold together.

    Parameters
    ----------
    folder
        The folder.
    open_source
        Opens one of its files by relative path.
    sink
        Where chunks go.
    name
        Of the format, for the reason why a folder is kept undescribed.
    describe
        Describes the datasets.
    """
    tree, skipped = store_tree(folder, open_source, sink)
    files = SourceFiles([path for path, recipe in tree if recipe is not None], open_source)
    reason = None
    try:
        found = describe(files)
    except NotUnderstood as error:
        reason = f"looks like {name}, but is {error.reason}"
    except MissingDependency as error:
        reason = error.message
    finally:
        files.close()
    if reason is not None:
        found = Description(kind="Product", datasets=[["content", unread(reason)]])
    return Imported(_document(found, tree), reason, skipped)


def _document(found: Description, tree: list[list[Any]]) -> dict[str, Any]:
    """Make the document of a folder that is one product."""
    fixed = known_attributes(found.meta) | {k: v for k, v in found.fixed.items() if v}
    parameters = fixed_attributes(fixed)
    taken = {parameter[0] for parameter in parameters}
    parameters += [entry for entry in renamed(found.meta) if entry[0] not in taken]
    return {
        "skypool": 1,
        "kind": found.kind or kind_of(found.datasets),
        "meta": parameters,
        "datasets": found.datasets,
        "tree": tree,
    }
