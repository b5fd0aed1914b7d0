"""Working out a large commit before the write lock is taken.

What takes the time of a commit of 100,000 products is making its record and the rows of its
versions, not writing them. Both follow from the commits that there are: as long as there is no
other one, what was worked out before holds. Whether anything at all was changed meanwhile by
somebody else, SQLite tells (`PRAGMA data_version`); if so, what else the commit counts on is
looked up again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.catalogue.applying import CommitRows, commit_rows, state
from skypool.catalogue.expectations import check_expectations
from skypool.catalogue.publish import Resolver
from skypool.codec.documents import dumps_in_parts, in_parts
from skypool.codec.packing import pack

if TYPE_CHECKING:
    from skypool.catalogue.chunks import ChunkIndex
    from skypool.catalogue.database import Database
    from skypool.catalogue.draft import Draft

__all__ = ["WorkedOut", "ahead", "is_large", "worked_out"]

# Versions of a commit that is worked out before it takes the write lock.
_LARGE: Final = 2000


class WorkedOut(NamedTuple):
    """A commit as it will be, if the head is still *head*.

    Attributes
    ----------
    resolver
        Has the numbers of the versions.
    record, data
        The record, and its bytes, compressed if there are many; None and empty where nothing
        changes.
    rows
        Of its lists; None where they are not made yet.
    seen
        What `PRAGMA data_version` said.
    kept
        Whether all chunks to be reused were there.
    take_back
        Undoes what the draft's plans filled in.
    """

    resolver: Resolver
    record: dict[str, Any] | None
    data: bytes
    head: int
    rows: CommitRows | None = None
    seen: int = -1
    kept: bool = False
    take_back: Callable[[], None] = lambda: None


def is_large(draft: Draft) -> bool:
    """Return whether a draft is to be worked out ahead, and its record compressed."""
    return len(draft.versions) >= _LARGE


def worked_out(connection: sqlite3.Connection, draft: Draft) -> WorkedOut:
    """Check what a draft expects, let its plans look at the names, and make its record."""
    seen = list(draft.expected)
    check_expectations(connection, seen)
    for plan in draft.plans:
        plan(draft)
    check_expectations(connection, draft.expected[len(seen) :])
    resolver = Resolver(connection, draft)
    record = resolver.record()
    if record is None:
        data = b""
    elif is_large(draft):
        data = pack(in_parts(record))
    else:
        data = dumps_in_parts(record)
    return WorkedOut(resolver, record, data, state(connection, "head"))


def ahead(
    database: Database, chunks: ChunkIndex, draft: Draft, reused: Collection[bytes]
) -> WorkedOut:
    """Work out a commit as it would be now; nothing is changed but the draft."""
    take_back = _undoing(draft)
    with database.reading() as connection:
        kept = chunks.are_kept(reused)
        found = worked_out(connection, draft)
        rows = None
        if found.record is not None:
            rows = commit_rows(connection, found.record)
        ((seen,),) = connection.execute("PRAGMA data_version")
    return found._replace(rows=rows, seen=seen, kept=kept, take_back=take_back)


def _undoing(draft: Draft) -> Callable[[], None]:
    """Return what undoes what plans fill into a draft."""
    lists: list[list[Any]] = [draft.renames, draft.moves, draft.hidden, draft.expected, draft.tags]
    before = [list(each) for each in lists]
    tracks = [version.track for version in draft.versions]

    def undo() -> None:
        for each, was in zip(lists, before, strict=True):
            each[:] = was
        for version, track in zip(draft.versions, tracks, strict=True):
            version.track = track

    return undo
