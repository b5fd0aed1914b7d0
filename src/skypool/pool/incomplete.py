"""Commits at the end of a log whose data did not come along when the pool was copied."""

from __future__ import annotations

import logging
import time
import uuid
from functools import partial
from itertools import chain

from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.catalogue.times import microseconds
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.folder import PoolFolder
from skypool.pool.reaching import reached
from skypool.pool.rebuilding import remove_catalogue, take_places, whole_chunk
from skypool.storage.commit_log import START, LogPosition
from skypool.storage.looking import status_of
from skypool.storage.pack_files import packs_with_status
from skypool.storage.store import ChunkStore
from skypool.storage.whole_files import publish

__all__ = ["drop_incomplete"]

_logger = logging.getLogger("skypool")


def drop_incomplete(folder: PoolFolder, store: ChunkStore) -> None:
    """Cut off the last commits of the log if their chunks are not in the packs.

    That is what a copy can look like whose packs are older than its log. The records cut off
    are kept in a file beside the log. Commits in the middle whose chunks are missing stay:
    that is damage, and those behind them are whole; but not commits that were made after the
    copying had begun, of which a pack that was copied early cannot have all. The exclusive
    pool lock is held.
    """
    path = f"{folder.catalogue}.{uuid.uuid4().hex}.tmp"
    try:
        catalogue = SqliteCatalogue(path, writable=True, scratch=True)
        try:
            take_places(catalogue, folder)
            cut = _end_of_whole(catalogue, folder, store, _copied_since(folder))
        finally:
            catalogue.close()
    finally:
        remove_catalogue(folder, path)
    end = folder.log.end()
    if cut is not None and cut.number < end.number:
        keep_rest(folder, cut)
        _logger.warning(
            "the commits %d to %d of %s are dropped: their data did not come along",
            cut.number + 1,
            end.number,
            folder.path,
        )


def _copied_since(folder: PoolFolder) -> int:
    """Return when the first file of a copied pool was complete (us since 1970).

    That is the time of the last change of its inode, which no tool sets to that of the original.
    """
    times = [status.st_ctime_ns for _, status in packs_with_status(folder.packs)]
    log = status_of(folder.log.path)
    return min(times if log is None else [*times, log.st_ctime_ns]) // 1000


def _end_of_whole(
    catalogue: SqliteCatalogue, folder: PoolFolder, store: ChunkStore, since: int
) -> LogPosition | None:
    """Return where the last commits begin that lack chunks; None if the last one is whole.

    Behind the first one that lacks chunks and was made after *since* none is looked at.
    """
    before = START
    cut: LogPosition | None = None
    purged: set[int] = set()
    completed: set[str] = set()
    for record in folder.log.records():
        commit = record.commit()
        purged.update(commit.get("purged", ()))
        purged.update(entry["version"] for entry in commit.get("dropped", ()))
        completed.update(each["of"] for each in commit.get("completed", ()))
    for record in folder.log.records():
        commit = record.commit()
        # What was given up need not be there, nor what another document took the place of.
        needed = {
            bytes.fromhex(made["document"])
            for made in chain(commit.get("versions", ()), commit.get("completed", ()))
            if made.get("urn") not in purged and made["document"] not in completed
        }
        if needed:
            # The content of these is in files of the user's.
            outside = {bytes.fromhex(each["document"]) for each in commit.get("sources", ())}
            if _are_whole(catalogue, store, needed, outside):
                cut = None
            elif cut is None:
                cut = before
            if cut is not None and microseconds(commit["time"]) >= since:
                return cut
        before = record.end
    return cut


def _are_whole(
    catalogue: SqliteCatalogue, store: ChunkStore, documents: set[bytes], outside: set[bytes]
) -> bool:
    """Return whether all that documents reach is in the packs, or in files outside the pool."""
    fetch = partial(whole_chunk, catalogue, store)
    try:
        for name in documents:
            document = loads(fetch(name))
            if name in outside:
                continue
            for digests in reached(document, fetch):
                for at in range(0, len(digests), 32):
                    if not catalogue.places(digests[at : at + 32]):
                        return False
    except Damaged:
        return False
    return True


def keep_rest(folder: PoolFolder, cut: LogPosition) -> None:
    """Cut the log, keeping what is cut off in a file of its own beside it."""
    files, log = folder.files, folder.log.path
    handle = files.open_update(log)
    try:
        rest = files.pread(handle, cut.offset, files.size(handle) - cut.offset)
        publish(files, f"{log}.dropped-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}", rest)
        files.truncate(handle, cut.offset)
        files.sync(handle)
    finally:
        files.close(handle)
