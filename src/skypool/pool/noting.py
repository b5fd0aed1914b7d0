"""What the pool notes of the files and contexts that are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skypool.pool.arranging import PAIR, Place
from skypool.pool.observations import ordered
from skypool.pool.trees import FileNode
from skypool.storage.looking import absolute

__all__ = ["context_document", "origin_of", "unread_names"]


def unread_names(root: str, paths: Sequence[str]) -> list[str]:
    """Return the names that the products of unread files may have had.

    Those of an observation leave out its folder in a download, and have its instrument.
    """
    ends = [end for path in paths for end in (path, path.partition("/")[2]) if end]
    return [f"{root}/{half}{end}" for end in ends for half in ("", *(f"{i}/" for i in PAIR))]


def origin_of(node: FileNode, fetched: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a file came from."""
    origin: dict[str, Any] = dict(fetched)
    if not origin:
        path = node.archive or node.path
        # Where it is so already, one text in memory, not two.
        origin = {"path": absolute(path), "mtime_ns": node.status.st_mtime_ns}
    return origin | ({"member": node.member} if node.member else {})


def context_document(place: Place, kept: Sequence[list[str]]) -> dict[str, Any]:
    """Return the document of a context; *kept* are places of what it has besides its children."""
    meta = ordered({entry[0]: entry for entry in place.meta})
    document = {"skypool": 1, "kind": place.kind, "meta": meta, "datasets": []}
    paths = [*kept, *([child.role, child.path] for child in place.children)]
    paths = [[role, path] for role, path in paths if path != role]
    return document | ({"paths": paths} if paths else {})
