"""All chunk stores do the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skypool.storage.interface import Location
from skypool.storage.memory import MemoryStore
from skypool.testing.conformance_storage import ChunkStoreTests


class TestChunkStore(ChunkStoreTests):
    @pytest.fixture
    def store(self, make_store):
        return make_store()

    @pytest.fixture
    def lose(self, lose):
        return lose


class TestUncachedChunkStoreWithSmallPacks(ChunkStoreTests):
    @pytest.fixture
    def store(self, make_store):
        return make_store(cache_bytes=0, roll_bytes=100_000)

    @pytest.fixture
    def lose(self, lose):
        return lose


class TestMemoryStore(ChunkStoreTests):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def lose(self, store: MemoryStore) -> Callable[[Location], None]:
        return lambda place: store.chunks.pop(place.offset)
