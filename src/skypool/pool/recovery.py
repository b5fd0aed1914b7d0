"""Bringing catalogue and log together when a pool is opened, and rebuilding the catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import ChunkPlace, IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.documents import loads
from skypool.storage.commit_log import LogPosition
from skypool.storage.pack_scan import scan_pack

if TYPE_CHECKING:
    from skypool.catalogue.sqlite import SqliteCatalogue
    from skypool.pool.session import Session

__all__ = ["bring_up_to_date", "log_position", "noted_position", "replay_log"]

_BATCH = 5000


def log_position(catalogue: SqliteCatalogue) -> LogPosition:
    """Return the end of the log as the catalogue last noted it."""
    return LogPosition(
        catalogue.state("log_number", 0),
        catalogue.state("log_offset", 0),
        catalogue.state("log_previous", bytes(32)),
    )


def noted_position(position: LogPosition) -> dict[str, Any]:
    """Return a position in the log as the catalogue notes it."""
    return {
        "log_number": position.number,
        "log_offset": position.offset,
        "log_previous": position.previous,
    }


def bring_up_to_date(session: Session) -> None:
    """Complete the log from the catalogue, or the catalogue from the log.

    A process that died between its transaction and its acknowledgement leaves a log
    that lacks records; a catalogue that was lost or copied too early lacks commits.
    """
    if not session.writable:
        return
    catalogue, log = session.catalogue, session.folder.log
    position = log_position(catalogue)
    if position.offset > _size(log.path):
        position = LogPosition(0, 0, bytes(32))
    end = log.end(position)
    head = catalogue.head()
    if end.number > head:
        # Another process may be between its log and ours reading it, never ahead of the
        # catalogue: under the exclusive lock the difference is real.
        with session.folder.lock(exclusive=True):
            replay_log(session, LogPosition(0, 0, bytes(32)))
    elif head > end.number:
        with session.folder.lock(exclusive=False):
            session.complete_log()


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def replay_log(session: Session, after: LogPosition) -> None:
    """Take in the commits of the log that the catalogue lacks.

    The places of all chunks are found by scanning the packs.
    """
    catalogue = session.catalogue
    batch: list[tuple[bytes, ChunkPlace]] = []
    for digest, place in _scan(session):
        batch.append((digest, place))
        if len(batch) >= _BATCH:
            catalogue.stage(batch, ())
            batch = []
    catalogue.stage(batch, ())
    end = after
    for record in session.folder.log.records(after):
        end = record.end
        if end.number <= catalogue.head():
            continue
        commit = loads(record.payload)
        catalogue.stage((), list(_documents(session, commit)))
        catalogue.replay(commit)
    catalogue.set_state(noted_position(end))


def _scan(session: Session) -> Iterator[tuple[bytes, ChunkPlace]]:
    folder = session.folder.packs
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pack"):
            for digest, at in scan_pack(os.path.join(folder, name)):
                yield digest, ChunkPlace(at.pack, at.offset, at.stored, at.member, at.length)


def _documents(session: Session, commit: Mapping[str, Any]) -> Iterator[IndexedDocument]:
    for version in commit.get("versions", ()):
        digest = bytes.fromhex(version["document"])
        yield indexed(digest, session.document(digest), version["size"])
