"""What the pool notes of the files and contexts that are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from skypool.pool.arranging import PAIR, Place
from skypool.pool.observations import ordered
from skypool.pool.trees import FileNode
from skypool.storage.looking import absolute

__all__ = ["FileOrigin", "context_document", "origin_of", "unread_names"]


def unread_names(root: str, paths: Sequence[str]) -> list[str]:
    """Return the names that the products of unread files may have had.

    Those of an observation leave out its folder in a download, and have its instrument. Of the
    folder itself (`.`) that is all that is named below the root.
    """
    ends = [end for path in paths for end in (path, path.partition("/")[2])]
    found = [root] if "." in paths else []
    for end in ends:
        if end not in ("", "."):
            found += [f"{root}/{half}{end}" for half in ("", *(f"{i}/" for i in PAIR))]
    return found


class FileOrigin(Mapping[str, Any]):
    """Where a file came from, `path` and `mtime_ns`: all in a folder share its path.

    Parameters
    ----------
    folder
        The absolute path of its folder, with the `/` at its end.
    name
        Its base name.
    mtime_ns
        When it was changed.
    """

    __slots__ = ("_folder", "_mtime_ns", "_name")

    def __init__(self, folder: str, name: str, mtime_ns: int) -> None:
        self._folder, self._name, self._mtime_ns = folder, name, mtime_ns

    def __getitem__(self, key: str) -> str | int:
        if key == "path":
            return self._folder + self._name
        if key == "mtime_ns":
            return self._mtime_ns
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("path", "mtime_ns"))

    def __len__(self) -> int:
        return 2


def origin_of(node: FileNode, fetched: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where a file came from."""
    if fetched:
        return {**fetched, "member": node.member} if node.member else dict(fetched)
    mtime_ns = node.status.st_mtime_ns
    if node.archive:
        origin = {"path": absolute(node.archive), "mtime_ns": mtime_ns}
        return origin | ({"member": node.member} if node.member else {})
    folder, _, name = absolute(node.path).rpartition("/")
    return FileOrigin(_shared(f"{folder}/"), node.name if node.name == name else name, mtime_ns)


@lru_cache(maxsize=64)
def _shared(text: str) -> str:
    """Return a text that was the same before as the same object."""
    return text


def context_document(place: Place, kept: Sequence[list[str]]) -> dict[str, Any]:
    """Return the document of a context; *kept* are places of what it has besides its children."""
    meta = ordered({entry[0]: entry for entry in place.meta})
    document = {"skypool": 1, "kind": place.kind, "meta": meta, "datasets": []}
    paths = [*kept, *([child.role, child.path] for child in place.children)]
    paths = [[role, path] for role, path in paths if path != role]
    return document | ({"paths": paths} if paths else {})
