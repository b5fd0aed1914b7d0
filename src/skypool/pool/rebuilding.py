"""Rebuilding the catalogue from the packs and the log.

The new catalogue is made in a file of its own and then put in place in one step: as one
transaction of the old file where SQLite can still open that, so that nobody who has it open
is left behind (storage rule 2); else as the file itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from skypool.catalogue.batches import in_batches
from skypool.catalogue.database import Database
from skypool.catalogue.indexing import RUN_DOCUMENTS
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.catalogue.terms import indexed
from skypool.codec.documents import loads
from skypool.errors import Damaged, StorageError
from skypool.pool.doubtful import Placed, drop_unneeded, scanned
from skypool.pool.folder import PoolFolder
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.recovery import file_identity, noted_position
from skypool.pool.sky_tables import coverage, kept_regions
from skypool.storage.commit_log import START, LogPosition, has_record
from skypool.storage.filelayer import GROUP_FILE
from skypool.storage.looking import list_folder, status_of
from skypool.storage.pack_files import packs_with_status
from skypool.storage.store import ChunkStore, Location
from skypool.storage.whole_files import publish

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = [
    "fill",
    "make_catalogue",
    "put_in_place",
    "rebuild_catalogue",
    "rebuild_from_log",
    "remove_catalogue",
    "take_places",
    "whole_chunk",
]

_logger = logging.getLogger("skypool")

_CHUNKS_AT_ONCE = 50_000
_VERSIONS_AT_ONCE = 2000


def rebuild_catalogue(session: Session, on_progress: OnProgress | None = None) -> None:
    """Rebuild the catalogue of an open pool; other processes may have it open too.

    Commits in progress elsewhere notice the new epoch and write again what they staged.

    Raises
    ------
    Damaged
        If the log has not all commits that the old catalogue has: nothing is changed.
    """
    with session.folder.lock(exclusive=True):
        # The log must have all that the old catalogue knows before that is given up.
        session.complete_log()
        head, end = session.catalogue.head(), session.folder.log.end()
        if end.number < head:
            raise Damaged(
                f"the log {session.folder.log.path} is damaged behind commit {end.number}, the "
                f"catalogue has {head} commits: nothing was rebuilt",
                hint="`skypool verify --repair` writes the log again from the catalogue",
            )
        rebuild_from_log(session, on_progress)
        session.catalogue.set_state({"file": str(file_identity(session.folder.catalogue))})
    session.renew()


def rebuild_from_log(session: Session, on_progress: OnProgress | None = None) -> None:
    """Make the catalogue anew from packs and log; the exclusive pool lock is held."""
    old, bad = session.catalogue.state("epoch"), []
    with contextlib.suppress(Damaged):
        bad = session.catalogue.chunks.bad_ranges()
    path = make_catalogue(session.folder, session.store, old, on_progress)
    try:
        session.catalogue.database.take_over(path)
    finally:
        remove_catalogue(session.folder, path)
    if bad:  # else chunks there would be counted on again
        session.catalogue.mark_bad(bad)


def make_catalogue(
    folder: PoolFolder, store: ChunkStore, old_epoch: int, on_progress: OnProgress | None = None
) -> str:
    """Make a new catalogue beside the old one; the exclusive pool lock is held.

    Parameters
    ----------
    folder, store
        The pool.
    old_epoch
        The epoch of the old catalogue; the new one has a larger one.
    on_progress
        Told how far the work is.

    Returns
    -------
    str
        Path of the new file: complete, closed, not durable yet.
    """
    # Nobody else is making one: those that are there were interrupted.
    for entry in list_folder(folder.path):
        if entry.name.startswith("catalogue.sqlite.") and entry.name.endswith(".tmp"):
            folder.files.unlink(entry.path)
    path = f"{folder.catalogue}.{uuid.uuid4().hex}.tmp"
    try:
        catalogue = SqliteCatalogue(path, writable=True, scratch=True)
        try:
            fill(catalogue, folder, store, on_progress)
            # Never the same number as one given before, even where the old one is not known.
            catalogue.set_state({"epoch": max(old_epoch + 1, time.time_ns() // 1000)})
        finally:
            catalogue.close()
        if folder.settings.shared:
            os.chmod(path, GROUP_FILE)
    except BaseException:
        remove_catalogue(folder, path)
        raise
    return path


def remove_catalogue(folder: PoolFolder, path: str) -> None:
    """Remove a catalogue that is not used, with what SQLite has beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        folder.files.unlink(path + end)


def fill(
    catalogue: SqliteCatalogue,
    folder: PoolFolder,
    store: ChunkStore,
    on_progress: OnProgress | None = None,
) -> None:
    """Take in the places of all chunks, and the commits of the log that are not there yet."""
    doubtful = take_places(catalogue, folder, on_progress)
    end = _replay(catalogue, folder, store, on_progress)
    drop_unneeded(catalogue, store, doubtful)
    if end.number:
        _make_durable(folder, folder.log.path)
    catalogue.set_state(noted_position(end))
    _save_rest(folder, end)


def _replay(
    catalogue: SqliteCatalogue,
    folder: PoolFolder,
    store: ChunkStore,
    on_progress: OnProgress | None,
) -> LogPosition:
    """Take in the commits of the log that are not there yet; return where the log ends."""
    head = catalogue.head()
    end = START
    batch: list[tuple[Mapping[str, Any], Sequence[IndexedDocument]]] = []
    count = 0
    for record in folder.log.records():
        end = record.end
        if end.number <= head:
            continue
        commit = record.commit()
        total = len(commit.get("versions", ())) + len(commit.get("completed", ()))
        documents: list[IndexedDocument] = []
        if total > RUN_DOCUMENTS:
            # They go in ahead of their commit, some at a time: nobody sees them until it comes.
            catalogue.replay_all(batch)
            batch, count, done = [], 0, 0
            for run in _documents(catalogue, store, commit):
                catalogue.stage((), run)
                done += len(run)
                _tell(on_progress, "indexing documents", done, total)
        else:
            documents += chain.from_iterable(_documents(catalogue, store, commit))
        batch.append((commit, documents))
        count += 1 + total
        if count >= _VERSIONS_AT_ONCE:
            catalogue.replay_all(batch)
            batch, count = [], 0
            _tell(on_progress, "replaying the log", end.number)
    catalogue.replay_all(batch)
    return end


def _save_rest(folder: PoolFolder, end: LogPosition) -> None:
    """Keep a copy of what is behind the end of the log, unless it is a torn record alone.

    With whole records behind it, it is no tail of an append that died: the log is damaged
    there, and the next append would cut off what is left.
    """
    files = folder.files
    handle = files.open_read(folder.log.path)
    try:
        rest = files.pread(handle, end.offset, files.size(handle) - end.offset)
    finally:
        files.close(handle)
    if has_record(rest):
        name = f"{folder.log.path}.damaged-{end.number}"
        publish(files, name, rest)
        _logger.warning(
            "the log of %s is damaged behind commit %d: what follows is kept in %s",
            folder.path,
            end.number,
            name,
        )


def take_places(
    catalogue: SqliteCatalogue, folder: PoolFolder, on_progress: OnProgress | None = None
) -> list[Placed]:
    """Give places to all good records; return the doubtful ones."""
    batch: list[Placed] = []
    doubtful: list[Placed] = []
    # By their time: the newest is what writers go on with.
    found = sorted(
        packs_with_status(folder.packs), key=lambda one: (one[1].st_mtime_ns, one[0].name)
    )
    total = sum(status.st_size for _, status in found)
    done = 0
    for count, (entry, status) in enumerate(found):
        _tell(on_progress, "scanning", count, len(found), done, total)
        _make_durable(folder, entry.path)
        for digest, place, doubt in scanned(entry.path, folder.files):
            batch.append((digest, place))
            if doubt:
                doubtful.append((digest, place))
            if len(batch) >= _CHUNKS_AT_ONCE:
                catalogue.stage(batch, ())
                batch = []
        done += status.st_size
    catalogue.stage(batch, ())
    _tell(on_progress, "scanning", len(found), len(found), total, total)
    return doubtful


def _make_durable(folder: PoolFolder, path: str) -> None:
    """Make sure of records that a writer appended and has not made durable yet.

    They get places like all others, and another commit may then count on them.
    """
    handle = folder.files.open_read(path)
    try:
        folder.files.sync(handle)
    finally:
        folder.files.close(handle)


def _documents(
    catalogue: SqliteCatalogue, store: ChunkStore, commit: Mapping[str, Any]
) -> Iterator[list[IndexedDocument]]:
    """Yield the documents of a commit that are not indexed yet, about a run at a time."""
    versions, completed = commit.get("versions", ()), commit.get("completed", ())
    regions = kept_regions(completed)
    found: dict[bytes, IndexedDocument] = {}
    for part in in_batches(chain(versions, completed), _VERSIONS_AT_ONCE // 2):
        new: dict[bytes, Mapping[str, Any]] = {}
        for version in part:
            new.setdefault(bytes.fromhex(version["document"]), version)
        kept = regions | kept_regions(part)
        known = catalogue.indexed(list(new))
        for digest, version in new.items():
            if digest not in known and digest not in found:
                found[digest] = _document(catalogue, store, digest, version, kept)
        if len(found) >= RUN_DOCUMENTS:
            yield list(found.values())
            found = {}
    yield list(found.values())


def whole_chunk(catalogue: SqliteCatalogue, store: ChunkStore, digest: bytes) -> bytes:
    """Return a chunk from the first place that has it whole.

    Raises
    ------
    Damaged
        If none has.
    """
    for place in catalogue.places(digest):
        with contextlib.suppress(Damaged):
            return store.read(Location(*place), digest)
    raise Damaged(f"the chunk {digest.hex()} is not in any pack")


def _document(
    catalogue: SqliteCatalogue,
    store: ChunkStore,
    digest: bytes,
    version: Mapping[str, Any],
    kept: Mapping[bytes, list[Any]],
) -> IndexedDocument:
    fetch = partial(whole_chunk, catalogue, store)
    try:
        found = indexed(digest, loads(fetch(digest)), version["size"])
    except Damaged:
        pass
    else:
        if not found.on_sky:
            return found
        return replace(found, coverage=coverage(digest, fetch, kept))
    # The log has enough to list it; whoever opens it is told that it is damaged.
    return IndexedDocument(
        digest, version["kind"], version["type"], version["size"], None, (), bare=True
    )


def _tell(
    on_progress: OnProgress | None,
    stage: str,
    items: int,
    total: int = 0,
    done: int = 0,
    size: int = 0,
) -> None:
    if on_progress is not None:
        on_progress(Progress(stage, items, total, done, size))


def put_in_place(folder: PoolFolder, path: str) -> None:
    """Put a new catalogue in the place of one that is missing or cannot be read.

    Where SQLite can still open the old file it takes the new content, so that whoever has
    it open goes on. Else the file is replaced, and they notice that it is another one.
    """
    if status_of(folder.catalogue) is not None:
        database = Database(folder.catalogue, writable=True, how=folder.keeping)
        try:
            database.take_over(path)
        except (Damaged, StorageError):
            pass  # SQLite cannot even begin to write it
        else:
            remove_catalogue(folder, path)
            return
        finally:
            database.close()
    _replace_file(folder, path)


def _replace_file(folder: PoolFolder, path: str) -> None:
    """Rename a new catalogue to its place.

    SQLite's own files of the old one go first: they must never be applied to the new one. A
    crash in between leaves a pool without catalogue, which is rebuilt like this one.
    """
    files = folder.files
    handle = files.open_update(path)
    try:
        files.sync(handle)
    finally:
        files.close(handle)
    for end in ("", "-wal", "-shm", "-journal"):
        files.unlink(folder.catalogue + end)
    files.replace(path, folder.catalogue)
