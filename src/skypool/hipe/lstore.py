"""HIPE's own pools below `~/.hcss/lstore`, taken over when they are first opened."""

from __future__ import annotations

import logging
import os

from skypool.config import from_environment
from skypool.pool.folder import is_pool
from skypool.pool.old_stores import is_store
from skypool.pool.pool import Pool

__all__ = ["old_pools", "taken_over"]

_log = logging.getLogger(__name__)


def _home() -> str:
    folder = from_environment().hcss
    return "" if folder is None else os.path.join(folder, "lstore")


def old_pools() -> list[str]:
    """Return the names of HIPE's own pools."""
    try:
        names = sorted(os.listdir(_home()))
    except OSError:
        return []
    return [name for name in names if is_store(os.path.join(_home(), name))]


def taken_over(name: str, path: str) -> str:
    """Return the folder of a pool, into which HIPE's of that name was copied if it is new.

    The files of HIPE stay as they are and where they are.

    Parameters
    ----------
    name
        Name of the pool.
    path
        The pool's own folder; if it is one of HIPE, the pool is beside it, `<name>.skypool`.
    """
    old = os.path.join(_home(), name)
    if is_store(path) and not is_pool(path):
        old, path = path, f"{path}.skypool"
        if os.path.realpath(os.path.dirname(old)) == os.path.realpath(_home() or os.sep):
            path = os.path.join(os.fspath(from_environment().home), name)
    elif os.path.dirname(path) != os.path.abspath(from_environment().home):
        return path
    if is_store(old) and not _begun(path):
        _log.warning("taking over the pool of HIPE %s; its files stay where they are", old)
        Pool(path).add(old, name=name, message=f"take over {old}")
    return path


def _begun(path: str) -> bool:
    """Say whether a pool has, or had, something in it."""
    return is_pool(path) and Pool(path, "r").view.identity.head() > 0
