"""How two pools stand to each other: what their logs have in common."""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, NamedTuple

from skypool.errors import StorageError
from skypool.storage.commit_log import START, LogPosition

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["Relation", "Standing", "logged", "relation"]


class Standing(enum.Enum):
    """What one pool is, seen from another."""

    SAME = "same"
    BEHIND = "behind"  # ours has only the first of their commits
    AHEAD = "ahead"  # theirs has only the first of ours
    APART = "apart"  # a common beginning, then different commits
    UNRELATED = "unrelated"


class Relation(NamedTuple):
    """How our pool stands to theirs.

    Attributes
    ----------
    standing : Standing
    base : LogPosition
        The end of what both logs have in common.
    ours, theirs : LogPosition
        The ends of both, as they were looked at.
    """

    standing: Standing
    base: LogPosition
    ours: LogPosition
    theirs: LogPosition


def logged(session: Session) -> LogPosition:
    """Return the end of a pool's log, durable, and no further than its catalogue knows."""
    log = session.folder.log
    with contextlib.suppress(StorageError, FileNotFoundError):
        # A commit taken from there must not be one that a power cut makes undone.
        handle = session.folder.files.open_read(log.path)
        try:
            session.folder.files.sync(handle)
        finally:
            session.folder.files.close(handle)
    end = session.log_end()
    head = session.catalogue.head()
    if end.number <= head:
        return end
    end = START
    for record in log.records():
        if record.end.number > head:
            break
        end = record.end
    return end


def relation(ours: Session, theirs: Session) -> Relation:
    """Compare the logs of two pools.

    The log is a chain: each record holds the digest of the one before. Two logs that have a
    record in common are the same up to there, byte for byte.
    """
    mine, other = logged(ours), logged(theirs)
    if mine == other:
        return Relation(Standing.SAME, mine, mine, other)
    if mine.number < other.number and _passes(theirs, mine):
        return Relation(Standing.BEHIND, mine, mine, other)
    if other.number < mine.number and _passes(ours, other):
        return Relation(Standing.AHEAD, other, mine, other)
    limit = min(mine.offset, other.offset, ours.folder.log.common(theirs.folder.log))
    base = ours.folder.log.end_before(limit)
    standing = Standing.APART if base.number else Standing.UNRELATED
    return Relation(standing, base, mine, other)


def _passes(session: Session, position: LogPosition) -> bool:
    """Return whether a log has a valid record behind a position: it is one of its own."""
    return position == START or any(True for _ in session.folder.log.records(position))
