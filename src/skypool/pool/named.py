"""Where pools are: bare names, paths and URLs."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass

from skypool.config import Settings
from skypool.errors import PoolNotFound, UsageError
from skypool.pool.folder import is_pool

__all__ = ["NamedPool", "list_pools", "locate", "missing_pool"]


@dataclass(frozen=True, slots=True)
class NamedPool:
    """A pool in the folder of named pools."""

    name: str
    path: str


def locate(where: str | os.PathLike[str], settings: Settings) -> str:
    """Return the folder that a bare name, a path or a URL means.

    Parameters
    ----------
    where
        A bare name is a pool below `settings.home`; text with a separator is a path.
    settings
        Settings from outside.

    Raises
    ------
    UsageError
        If it is empty, or a URL of a sort that is not known.
    """
    text = os.fspath(where)
    if not text:
        raise UsageError(
            "the name of a pool is empty", hint="give a name, a path, or a file:// URL"
        )
    if "\0" in text:
        raise UsageError("the name of a pool has a character 0")
    if text.startswith("file://"):
        return os.path.abspath(text[7:])
    if "://" in text:
        raise UsageError(
            f"pools at {text.partition('://')[0]}:// are not known",
            hint="give a name, a path, or a file:// URL",
        )
    bare = not isinstance(where, os.PathLike) and os.sep not in text and text not in (".", "..")
    if bare:
        return os.path.abspath(os.path.join(os.fspath(settings.home), text))
    return os.path.abspath(os.path.expanduser(text))


def list_pools(settings: Settings) -> list[NamedPool]:
    """Return the pools below the folder of named pools, in the order of their names."""
    try:
        names = sorted(os.listdir(settings.home))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    paths = ((name, os.path.join(os.fspath(settings.home), name)) for name in names)
    return [NamedPool(name, path) for name, path in paths if is_pool(path)]


def missing_pool(path: str, settings: Settings) -> PoolNotFound:
    """Return the error that says that there is no pool, with names near it."""
    parent, name = os.path.split(path)
    if os.path.isfile(path):
        return PoolNotFound(
            f"{path} is a file; a pool is a folder",
            hint="`skypool add FILE` puts a file into a pool",
        )
    if os.path.isdir(path):
        return PoolNotFound(
            f"{path} is a folder, but no pool",
            hint="`skypool add FOLDER` puts its files into a pool",
        )
    is_home = os.path.abspath(settings.home) == parent
    if is_home and is_pool(name):
        return PoolNotFound(
            f"there is no pool {name!r} in {parent}",
            candidates=[os.path.join(".", name)],
            hint="a bare name is a pool of yours; the one in this folder is a path",
        )
    near = []
    try:
        near = [n for n in os.listdir(parent) if is_pool(os.path.join(parent, n))]
    except OSError:
        near = []
    close = difflib.get_close_matches(name, near, n=3, cutoff=0.4) or near[:3]
    return PoolNotFound(
        f"there is no pool {name!r} in {parent}",
        candidates=close if is_home else [os.path.join(parent, n) for n in close],
        hint="did you mean one of these?" if close else "`skypool init` makes a pool",
    )
