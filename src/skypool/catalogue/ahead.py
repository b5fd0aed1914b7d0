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
from typing import TYPE_CHECKING, Any, NamedTuple

from skypool.catalogue.applying import VersionRows, state, version_rows
from skypool.catalogue.expectations import check_expectations
from skypool.catalogue.publish import Resolver
from skypool.codec.documents import dumps_in_parts

if TYPE_CHECKING:
    from skypool.catalogue.chunks import ChunkIndex
    from skypool.catalogue.database import Database
    from skypool.catalogue.draft import Draft

__all__ = ["WorkedOut", "ahead", "worked_out"]


class WorkedOut(NamedTuple):
    """A commit as it will be, if the head is still *head*.

    Attributes
    ----------
    resolver
        Has the numbers of the versions.
    record, data
        The record, and its bytes; None and empty where nothing changes.
    rows
        Of the versions; None where they are not made yet.
    seen
        What `PRAGMA data_version` said.
    kept
        Whether all chunks to be reused were there.
    take_back
        Undoes what the draft's plans filled in.
    """

    resolver: Resolver
    record: dict[str, Any] | None
    data: bytes | bytearray
    head: int
    rows: VersionRows | None = None
    seen: int = -1
    kept: bool = False
    take_back: Callable[[], None] = lambda: None


def worked_out(connection: sqlite3.Connection, draft: Draft) -> WorkedOut:
    """Check what a draft expects, let its plans look at the names, and make its record."""
    seen = list(draft.expected)
    check_expectations(connection, seen)
    for plan in draft.plans:
        plan(draft)
    check_expectations(connection, draft.expected[len(seen) :])
    resolver = Resolver(connection, draft)
    record = resolver.record()
    data = b"" if record is None else dumps_in_parts(record)
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
            listed = found.record.get("versions", ())
            rows = version_rows(connection, found.record["commit"], listed)
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
