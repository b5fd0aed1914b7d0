"""Rebuilding the catalogue from the packs and the log.

The new catalogue is made in a file of its own and then put in place in one step: as one
transaction of the old file where SQLite can still open that, so that nobody who has it open
is left behind (storage rule 2); else as the file itself.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import ChunkPlace, IndexedDocument
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.catalogue.terms import indexed
from skypool.codec.documents import loads
from skypool.errors import Damaged
from skypool.pool.folder import PoolFolder
from skypool.pool.progress import OnProgress, Progress
from skypool.storage.commit_log import START, LogPosition
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_scan import scan_pack
from skypool.storage.store import ChunkStore, Location

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["fill", "make_catalogue", "noted_position", "rebuild_catalogue"]

_CHUNKS_AT_ONCE = 50_000
_VERSIONS_AT_ONCE = 2000


def noted_position(position: LogPosition) -> dict[str, Any]:
    """Return a position in the log as the catalogue notes it."""
    return {
        "log_number": position.number,
        "log_offset": position.offset,
        "log_previous": position.previous,
    }


def rebuild_catalogue(session: Session, on_progress: OnProgress | None = None) -> None:
    """Rebuild the catalogue of an open pool; other processes may have it open too.

    Commits in progress elsewhere notice the new epoch and write again what they staged.
    """
    with session.folder.lock(exclusive=True):
        # The log must have all that the old catalogue knows before that is given up.
        session.complete_log()
        old = session.catalogue.state("epoch")
        path = make_catalogue(session.folder, session.store, old, on_progress)
        try:
            session.catalogue.database.take_over(path)
        finally:
            _remove(session.folder, path)


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
    path = f"{folder.catalogue}.{uuid.uuid4().hex}.tmp"
    try:
        catalogue = SqliteCatalogue(path, writable=True, scratch=True)
        try:
            fill(catalogue, folder, store, on_progress)
            # Never the same number as one given before, even where the old one is not known.
            catalogue.set_state({"epoch": max(old_epoch + 1, time.time_ns() // 1000)})
        finally:
            catalogue.close()
    except BaseException:
        _remove(folder, path)
        raise
    return path


def _remove(folder: PoolFolder, path: str) -> None:
    for end in ("", "-wal", "-shm", "-journal"):
        folder.files.unlink(path + end)


def fill(
    catalogue: SqliteCatalogue,
    folder: PoolFolder,
    store: ChunkStore,
    on_progress: OnProgress | None = None,
) -> None:
    """Take in the places of all chunks, and the commits of the log that are not there yet."""
    _take_places(catalogue, folder, on_progress)
    head = catalogue.head()
    end = START
    batch: list[tuple[Mapping[str, Any], list[IndexedDocument]]] = []
    count = 0
    for record in folder.log.records():
        end = record.end
        if end.number <= head:
            continue
        commit = loads(record.payload)
        documents = list(_documents(catalogue, store, commit))
        batch.append((commit, documents))
        count += 1 + len(documents)
        if count >= _VERSIONS_AT_ONCE:
            catalogue.replay_all(batch)
            batch, count = [], 0
            _tell(on_progress, "replaying the log", end.number)
    catalogue.replay_all(batch)
    catalogue.set_state(noted_position(end))


def _take_places(
    catalogue: SqliteCatalogue, folder: PoolFolder, on_progress: OnProgress | None
) -> None:
    batch: list[tuple[bytes, ChunkPlace]] = []
    entries = sorted(list_packs(folder.packs), key=_age)
    total = sum(entry.stat().st_size for entry in entries)
    done = 0
    for count, entry in enumerate(entries):
        _tell(on_progress, "scanning", count, len(entries), done, total)
        _make_durable(folder, entry.path)
        for digest, at in scan_pack(entry.path, folder.files):
            batch.append((digest, ChunkPlace(at.pack, at.offset, at.stored, at.member, at.length)))
            if len(batch) >= _CHUNKS_AT_ONCE:
                catalogue.stage(batch, ())
                batch = []
        done += entry.stat().st_size
    catalogue.stage(batch, ())
    _tell(on_progress, "scanning", len(entries), len(entries), total, total)


def _age(entry: os.DirEntry[str]) -> tuple[int, str]:
    """Order packs by their time: the newest is what writers go on with."""
    return entry.stat().st_mtime_ns, entry.name


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
) -> Iterator[IndexedDocument]:
    done = set()
    for version in commit.get("versions", ()):
        digest = bytes.fromhex(version["document"])
        if digest not in done:
            done.add(digest)
            yield _document(catalogue, store, digest, version)


def _document(
    catalogue: SqliteCatalogue, store: ChunkStore, digest: bytes, version: Mapping[str, Any]
) -> IndexedDocument:
    for place in catalogue.places(digest):
        with contextlib.suppress(Damaged):
            document = loads(store.read(Location(*place), digest))
            return indexed(digest, document, version["size"])
    # The log has enough to list it; whoever opens it is told that it is damaged.
    return IndexedDocument(digest, version["kind"], version["type"], version["size"], None, ())


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


def replace_file(folder: PoolFolder, path: str) -> None:
    """Put a catalogue file in the place of one that is missing or that SQLite cannot open.

    SQLite's own files of the old one go first: they must never be applied to the new one.
    Whoever has the old one open notices that the file is another one.
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
