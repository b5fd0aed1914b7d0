"""Bringing catalogue and log together when a pool is opened, and rebuilding the catalogue."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skypool.pool.rebuilding import fill, noted_position
from skypool.storage.commit_log import LogPosition

if TYPE_CHECKING:
    from skypool.catalogue.sqlite import SqliteCatalogue
    from skypool.pool.session import Session

__all__ = ["bring_up_to_date", "file_identity", "log_position", "noted_position"]


def log_position(catalogue: SqliteCatalogue) -> LogPosition:
    """Return the end of the log as the catalogue last noted it."""
    return LogPosition(
        catalogue.state("log_number", 0),
        catalogue.state("log_offset", 0),
        catalogue.state("log_previous", bytes(32)),
    )


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
            fill(catalogue, session.folder, session.store)
    elif head > end.number:
        with session.folder.lock(exclusive=False):
            session.complete_log()


def file_identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file, None if there is none; it is not opened."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0
