"""Stores for the tests of the storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skypool.storage.interface import Location
from skypool.storage.store import ChunkStore

POOL = b"0123456789abcdef"


def path_of(folder: Path, pack: bytes) -> Path:
    return folder / f"{pack.hex()}.pack"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "packs"
    made.mkdir()
    return made


@pytest.fixture
def make_store(folder: Path) -> Iterator[Callable[..., ChunkStore]]:
    """Return a function that opens a store of the folder; all are closed at the end."""
    made: list[ChunkStore] = []

    def make(**options: object) -> ChunkStore:
        options = {"writable": True, **options}
        store = ChunkStore(folder, POOL, **options)  # type: ignore[arg-type]
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., ChunkStore]) -> ChunkStore:
    return make_store()


@pytest.fixture
def lose(folder: Path) -> Callable[[Location], None]:
    def overwrite(place: Location) -> None:
        with open(path_of(folder, place.pack), "r+b") as file:
            file.seek(place.offset)
            file.write(os.urandom(place.stored))

    return overwrite
