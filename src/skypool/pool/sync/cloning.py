"""`clone`: a pool made from another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skypool.pool.pool import Pool

if TYPE_CHECKING:
    from skypool.pool.progress import OnProgress

__all__ = ["clone"]


def clone(
    source: Pool | str | os.PathLike[str],
    where: str | os.PathLike[str],
    *,
    skip_damaged: bool = False,
    progress: OnProgress | None = None,
) -> Pool:
    """Make a pool that has all commits of another one; see `Pool.clone`.

    Parameters
    ----------
    source
        The pool, or its name, path or `file://` URL.
    where
        Name, path or `file://` URL of the new pool.
    skip_damaged
        Take along what is whole of products that are damaged in the source.
    progress
        Told how far the work is.

    Examples
    --------
    >>> mine = clone("/archive/survey", "survey")
    """
    if isinstance(source, Pool):
        return source.clone(where, skip_damaged=skip_damaged, progress=progress)
    with Pool(source, mode="r") as pool:
        return pool.clone(where, skip_damaged=skip_damaged, progress=progress)
