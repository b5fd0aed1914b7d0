"""The kit finds faults that were put into the engine on purpose."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skypool.catalogue import database
from skypool.storage.filelayer import FileLayer, Handle
from skypool.storage.pack_writer import PackWriter
from skypool.testing.crash.campaign import Tally, check_operation
from skypool.testing.crash.operations import OPERATIONS
from skypool.testing.crash.recording import scratch_folder
from skypool.testing.crash.sqlite import can_trace
from skypool.testing.crash.states import Kind

pytestmark = pytest.mark.skipif(
    not can_trace(), reason="this Python hides the functions of its SQLite"
)


class Forgetful:
    """A file layer that leaves out some syncs."""

    def __init__(self, files: FileLayer, *, file: str = "", folder: str = "") -> None:
        self._files = files
        self._file, self._folder = file, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def sync(self, handle: Handle) -> None:
        if not (self._file and self._file in os.path.basename(handle.path)):
            self._files.sync(handle)

    def sync_folder(self, path: str) -> None:
        if not (self._folder and os.path.basename(path) == self._folder):
            self._files.sync_folder(path)


def forgetting(**what: str) -> Callable[[FileLayer], FileLayer]:
    return lambda files: Forgetful(files, **what)  # type: ignore[return-value]


@pytest.fixture
def folder() -> Iterator[str]:
    with scratch_folder() as name:
        yield name


def found(operation: str, folder: str, count: int = 150, **options: Any) -> str:
    """Return what the kit says first of an operation with a fault in it."""
    tally: Tally = check_operation(OPERATIONS[operation], folder, count, most_failures=1, **options)
    assert tally.failures, f"{tally.total} states, and no fault was found"
    return tally.failures[0]


@pytest.mark.parametrize(
    ("operation", "file"),
    [
        ("new version", ".pack"),
        ("add a tree", ".pack"),
        ("gc and repacking", ".pack"),
        ("saves with checkpoints", "commits.log"),
        ("first save", "skypool.json"),
        ("rebuild a lost catalogue", "catalogue.sqlite"),
    ],
)
def test_a_file_is_not_synced(operation: str, file: str, folder: str) -> None:
    found(operation, folder, wrap=forgetting(file=file), only={Kind.NONE, Kind.ONE_MISSING})


@pytest.mark.parametrize("operation", ["first save", "roll of a pack", "gc and repacking"])
def test_a_folder_is_not_synced(operation: str, folder: str) -> None:
    found(operation, folder, wrap=forgetting(folder="packs"), only={Kind.ENTRY})


def test_a_database_that_does_not_sync(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("synchronous=FULL", "synchronous=OFF"), *args)

    real = database._connect

    def connect(path: str, *, uri: bool = False) -> sqlite3.Connection:
        with monkeypatch.context() as patch:
            own = sqlite3.connect
            patch.setattr(sqlite3, "connect", lambda *a, **k: own(*a, **{**k, "factory": Careless}))
            return real(path, uri=uri)

    monkeypatch.setattr(database, "_connect", connect)
    found("saves with checkpoints", folder, only={Kind.NONE, Kind.SUBSET})


def test_an_index_before_its_records(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PackWriter.seal

    def seal(self: PackWriter) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(self, "sync", self.write_out)
            real(self)

    monkeypatch.setattr(PackWriter, "seal", seal)
    found("roll of a pack", folder, only={Kind.GROWN})
