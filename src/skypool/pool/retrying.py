"""Doing the work of a commit again where chunks that it counted on were reclaimed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["attempts"]

_UNGUARDED = 2
_GUARDED = 3


def attempts(session: Session) -> Iterator[contextlib.AbstractContextManager[None]]:
    """Give what to hold during each attempt at storing and committing.

    The first attempts hold nothing, so that a long save delays nobody. Where the catalogue is
    rebuilt again and again, the later ones hold the shared pool lock from the first chunk on:
    a rebuild waits for them.

    Parameters
    ----------
    session
        The pool.

    Yields
    ------
    context manager
        Entered around one attempt.
    """
    for _ in range(_UNGUARDED):
        yield contextlib.nullcontext()
    for _ in range(_GUARDED):
        yield session.committing()
