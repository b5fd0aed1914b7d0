"""The folder of a pool: marker, lock and layout (docs/format/pool.md)."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from skypool.catalogue.keeping import Keeping
from skypool.errors import (
    Damaged,
    FormatTooNew,
    PoolExists,
    PoolNotFound,
    UsageError,
)
from skypool.pool.marker import FORMAT_VERSION, MARKER, Journal, PoolSettings, read_marker
from skypool.pool.room import RESERVE, make_reserve
from skypool.storage.commit_log import CommitLog
from skypool.storage.filelayer import FileLayer, locked
from skypool.storage.looking import is_file, list_folder, status_of
from skypool.storage.mounts import is_network

__all__ = ["FORMAT_VERSION", "MARKER", "PoolFolder", "check_empty", "fitting_journal", "is_pool"]

_FEATURES: frozenset[str] = frozenset()

_README = """\
This folder is a skypool pool: a database of astronomical data products.

    skypool -p THIS_FOLDER ls                 what is in it
    skypool -p THIS_FOLDER export NAME DIR    your files, byte for byte
    skypool -p THIS_FOLDER verify             is every byte as it was

commits.log and packs/ hold everything; catalogue.sqlite is an index and can be
rebuilt (skypool reindex). Do not edit these files. The format is described in
the folder docs/format of skypool, precisely enough to read it without skypool.
"""


def fitting_journal(path: str) -> Journal:
    """Return how a catalogue is kept on the file system of a path (storage rule 15)."""
    return "delete" if is_network(path) else "wal"


def is_pool(path: str) -> bool:
    """Return whether a folder is a pool."""
    return is_file(os.path.join(path, MARKER))


@dataclass(frozen=True)
class PoolFolder:
    """A pool's folder.

    Attributes
    ----------
    path : str
        Absolute.
    id : bytes
        The pool's own 16 random bytes.
    created : datetime
    settings : PoolSettings
        As they were when it was opened.
    """

    path: str
    id: bytes
    created: datetime
    files: FileLayer
    settings: PoolSettings = field(default_factory=PoolSettings)

    @cached_property
    def key(self) -> bytes:
        """What tells this pool from all others: a copy has the same id in another folder."""
        return self.id + os.fsencode(os.path.realpath(self.path))

    @property
    def packs(self) -> str:
        """Folder of the packs."""
        return os.path.join(self.path, "packs")

    @property
    def catalogue(self) -> str:
        """File of the catalogue."""
        return os.path.join(self.path, "catalogue.sqlite")

    @cached_property
    def keeping(self) -> Keeping:
        """How the file of the catalogue is kept."""
        return Keeping(self.settings.journal, self.settings.shared, is_network(self.path))

    @property
    def log(self) -> CommitLog:
        """The commit log."""
        return CommitLog(os.path.join(self.path, "commits.log"), self.files)

    @property
    def name(self) -> str:
        """Name of the pool, as its URNs show it."""
        return os.path.basename(self.path).replace(":", "_").replace(" ", "_") or "pool"

    @classmethod
    def open(cls, path: str, files: FileLayer) -> PoolFolder:
        """Open an existing pool's folder.

        Raises
        ------
        PoolNotFound
            If there is no pool.
        FormatTooNew
            If a newer skypool wrote it.
        Damaged
            If its marker cannot be read.
        """
        marker = os.path.join(path, MARKER)
        try:
            obj = read_marker(path)
        except FileNotFoundError:
            raise PoolNotFound(f"there is no pool at {path}") from None
        try:
            version, features = int(obj["version"]), frozenset(obj["features"])
            settings = PoolSettings.of(obj)
            found = cls(
                os.path.abspath(path),
                bytes.fromhex(obj["id"]),
                datetime.fromisoformat(obj["created"]),
                files.for_group() if settings.shared else files,
                settings,
            )
            known = obj["format"] == "skypool" and len(found.id) == 16 and version > 0
            known = known and found.created.tzinfo is not None
        except (ValueError, KeyError, TypeError, OverflowError):
            known = False
        if not known:
            raise Damaged(
                f"{marker} is not the marker of a pool",
                hint="the rest of the pool may be whole: `skypool reindex` makes the marker anew",
            )
        unknown = features - _FEATURES
        if version > FORMAT_VERSION or unknown:
            what = (
                f"format {version}" if version > FORMAT_VERSION else f"features {sorted(unknown)}"
            )
            raise FormatTooNew(
                f"the pool {path} has {what}, this skypool reads up to format {FORMAT_VERSION}",
                hint="use a newer skypool: pip install --upgrade skypool",
            )
        return found

    @classmethod
    def create(
        cls,
        path: str,
        files: FileLayer,
        *,
        exclusive: bool,
        settings: PoolSettings | None = None,
    ) -> PoolFolder:
        """Make a pool, or open the one that another process made meanwhile.

        Parameters
        ----------
        path
            Its folder.
        files
            The file layer.
        exclusive
            Whether it must be new.
        settings
            What it is set to; by default as fits the file system.

        Raises
        ------
        PoolExists
            If there is one and *exclusive* is true.
        UsageError
            If the folder has other content.
        """
        path = os.path.abspath(path)
        if is_pool(path):
            if exclusive:
                raise PoolExists(f"there is a pool at {path} already")
            return cls.open(path, files)
        check_empty(path)
        _make_folders(os.path.dirname(path), files)
        if settings is None:
            settings = PoolSettings(journal=fitting_journal(path))
        if settings.shared:
            files = files.for_group()
        for part in (path, os.path.join(path, "packs")):
            if settings.shared or not os.path.isdir(part):
                files.make_folder(part)
        _write_new(os.path.join(path, "README.txt"), _README.encode(), files)
        _write_new(os.path.join(path, "lock"), b"", files)
        CommitLog(os.path.join(path, "commits.log"), files).create()
        files.sync_folder(path)
        if not _write_marker(path, settings, files) and exclusive:
            raise PoolExists(f"there is a pool at {path} already")
        make_reserve(files, path)
        return cls.open(path, files)

    def complete(self) -> None:
        """Make what of the folder is missing and holds nothing: the lock, and a place for packs."""
        if not os.path.isdir(self.packs):
            self.files.make_folder(self.packs)
        lock = os.path.join(self.path, "lock")
        if not os.path.exists(lock):
            _write_new(lock, b"", self.files)
            self.files.sync_folder(self.path)

    @contextlib.contextmanager
    def lock(self, *, exclusive: bool, wait: float | None = None) -> Iterator[None]:
        """Hold the pool lock."""
        with locked(self.files, os.path.join(self.path, "lock"), exclusive=exclusive, wait=wait):
            yield


def check_empty(path: str) -> None:
    """Refuse a place for a new pool that holds anything else."""
    if is_file(path):
        raise UsageError(
            f"{path} is a file, a pool is a folder", hint="name a folder that does not exist yet"
        )
    try:
        names = [entry.name for entry in list_folder(path)]
    except FileNotFoundError:
        return
    others = [name for name in names if name not in _OWN and not name.endswith(".tmp")]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise UsageError(
            f"the folder {path} is not empty ({others[0]!r}{more})",
            hint="a pool wants a folder of its own: name one that does not exist yet",
        )


_OWN = frozenset({"packs", "README.txt", "lock", "commits.log", RESERVE, MARKER})


def _make_folders(path: str, files: FileLayer) -> None:
    found = status_of(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        return
    parent = os.path.dirname(path)
    if parent != path:
        _make_folders(parent, files)
    files.make_folder(path)


def _write_marker(path: str, settings: PoolSettings, files: FileLayer) -> bool:
    """Make the folder a pool; false where another process was faster."""
    obj: dict[str, Any] = {
        "format": "skypool",
        "version": FORMAT_VERSION,
        "features": [],
        "id": uuid.uuid4().hex,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    } | settings.entries()
    marker = os.path.join(path, MARKER)
    temporary = f"{marker}.{uuid.uuid4().hex}.tmp"
    _write_new(temporary, (json.dumps(obj, indent=1) + "\n").encode(), files)
    try:
        files.link(temporary, marker)
    except FileExistsError:
        return False
    finally:
        files.unlink(temporary)
    return True


def _write_new(path: str, data: bytes, files: FileLayer) -> None:
    """Make a small file durable; one that is there is left alone."""
    try:
        handle = files.create_exclusive(path)
    except FileExistsError:
        return
    try:
        if data:
            files.write(handle, 0, [data])
        files.sync(handle)
    finally:
        files.close(handle)
