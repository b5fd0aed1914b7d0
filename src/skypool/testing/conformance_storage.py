"""What every chunk store does, as tests that any back end can take over.

A back end derives from `ChunkStoreTests` and supplies the fixtures; what they do to
the store must not pass through the methods under test.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from skypool.codec.digest import digest
from skypool.errors import Damaged, StorageError, UsageError
from skypool.storage.interface import Location, Store

__all__ = ["ChunkStoreTests"]

SIZES = (0, 1, 7, 40, 1023, 4095, 4096, 4097, 65_536, 300_001)


def _samples() -> list[bytes]:
    rng = np.random.default_rng(5)
    noise = [rng.bytes(size) for size in SIZES]
    smooth = [np.arange(size, dtype=">f4").tobytes() for size in (3, 2_000, 70_000)]
    return [*noise, *smooth, b"\0" * 5_000, b"text " * 3_000]


class ChunkStoreTests:
    """Tests of a chunk store; derive and give the two fixtures."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store that can be written to."""
        raise AssertionError("the back end's tests supply this fixture")

    @pytest.fixture
    def lose(self, store: Store) -> Callable[[Location], None]:
        """Return a function that takes the bytes at a location away from the store."""
        raise AssertionError("the back end's tests supply this fixture")

    def test_gives_back_what_came_in(self, store: Store) -> None:
        """Chunks of all sizes and sorts come back."""
        samples = _samples()
        writer = store.writer()
        names = [writer.put(raw) for raw in samples]
        placed = writer.flush()
        writer.close()
        assert names == [digest(raw) for raw in samples]
        assert set(placed) == set(names)
        for name, raw in zip(names, samples, strict=True):
            assert placed[name].length == len(raw)
            assert store.read(placed[name], name) == raw
            assert store.holds(placed[name], name)

    def test_reads_many(self, store: Store) -> None:
        """Many at once are the same, in the order asked for."""
        samples = _samples()
        writer = store.writer()
        stream = writer.stream(4)
        names = [stream.put(raw) for raw in samples]
        placed = writer.flush()
        wanted = [(placed[name], name) for name in reversed(names)]
        assert store.read_many(wanted + wanted) == samples[::-1] * 2
        assert store.read_many([]) == []

    @pytest.mark.parametrize("itemsize", [1, 2, 3, 8, 255])
    def test_takes_any_buffer(self, store: Store, itemsize: int) -> None:
        """Arrays in FITS order, views and byte arrays are taken, and copied."""
        array = np.linspace(0, 1, 5_000).astype(">f8").reshape(50, 100)
        text = bytearray(b"abc" * 9_000)
        buffers: list[Any] = [array, memoryview(array.tobytes()), text, np.empty(0)]
        expected = [np.asarray(buffer).tobytes() for buffer in buffers]
        writer = store.writer()
        names = [writer.stream(itemsize).put(buffer) for buffer in buffers]
        array[:] = 0
        text[:] = bytes(27_000)
        placed = writer.flush()
        assert [store.read(placed[name], name) for name in names] == expected

    def test_same_chunk_is_stored_once(self, store: Store) -> None:
        """In one commit, and what the catalogue knows."""
        known = digest(b"k" * 9_000)
        writer = store.writer({known}.intersection)
        first = writer.put(b"a" * 9_000)
        assert writer.put(b"a" * 9_000) == first
        writer.put(b"k" * 9_000)
        assert set(writer.flush()) == {first}
        assert writer.reused == {known}
        writer.put(b"a" * 9_000)
        assert writer.flush() == {}

    def test_forgotten_chunks_are_written(self, store: Store) -> None:
        """What was to be reused and is gone is written at its next put."""
        raw = b"k" * 9_000
        gone = {digest(raw)}
        writer = store.writer(gone.intersection)
        name = writer.put(raw)
        assert writer.flush() == {}
        gone.clear()
        writer.forget([name])
        assert writer.reused == set()
        writer.put(raw)
        assert store.read(writer.flush()[name], name) == raw

    def test_flush_gives_what_is_new(self, store: Store) -> None:
        """Each place is given once, and stays good."""
        writer = store.writer()
        first = writer.put(b"1" * 5_000)
        placed = writer.flush()
        second = writer.put(b"2" * 50)
        more = writer.flush()
        assert (set(placed), set(more)) == ({first}, {second})
        assert writer.flush() == {}
        assert store.read(placed[first], first) == b"1" * 5_000
        assert store.read(more[second], second) == b"2" * 50

    def test_abandoned_commit_leaves_the_store_usable(self, store: Store) -> None:
        """Nothing of it is needed, what was before is as it was."""
        writer = store.writer()
        kept = writer.put(b"kept" * 2_000)
        placed = writer.flush()
        writer.close()
        for reclaim in (False, True):
            writer = store.writer()
            for number in range(50):
                writer.put(os.urandom(100 + 200 * number))
            writer.abandon(reclaim=reclaim)
            with pytest.raises(StorageError):
                writer.flush()
        assert store.read(placed[kept], kept) == b"kept" * 2_000
        writer = store.writer()
        name = writer.put(b"next" * 2_000)
        assert store.read(writer.flush()[name], name) == b"next" * 2_000

    def test_ended_writer_takes_nothing(self, store: Store) -> None:
        """A writer is for one commit."""
        writer = store.writer()
        writer.put(b"x")
        writer.close()
        with pytest.raises(StorageError):
            writer.put(b"y")

    def test_too_long_a_chunk_is_refused(self, store: Store) -> None:
        """A chunk is at most 64 MiB."""
        with pytest.raises(UsageError, match="64 MiB"):
            store.writer().put(bytes((64 << 20) + 1))

    def test_lost_bytes_are_damage(self, store: Store, lose: Callable[[Location], None]) -> None:
        """What is gone is an error that names the chunk, never a wrong value."""
        writer = store.writer()
        name = writer.put(os.urandom(9_000))
        placed = writer.flush()
        writer.close()
        lose(placed[name])
        assert not store.holds(placed[name], name)
        with pytest.raises(Damaged, match=name.hex()):
            store.read(placed[name], name)

    def test_wrong_digest_is_damage(self, store: Store) -> None:
        """A place that holds another chunk gives an error."""
        writer = store.writer()
        for raw in (b"s" * 100, b"l" * 10_000):
            name = writer.put(raw)
            place = writer.flush()[name]
            with pytest.raises(Damaged):
                store.read(place, digest(b"other"))
            assert not store.holds(place, digest(b"other"))

    def test_threads_share_a_writer_and_a_store(self, store: Store) -> None:
        """Puts and reads from several threads do not disturb each other."""
        writer = store.writer()
        chunks = [[os.urandom(500 + 97 * n) for n in range(60)] for _ in range(4)]

        def put(part: list[bytes]) -> None:
            for raw in part:
                writer.put(raw)

        _run_all([threading.Thread(target=put, args=(part,)) for part in chunks])
        placed = writer.flush()
        assert len(placed) == 240
        wrong: list[bytes] = []

        def read(part: list[bytes]) -> None:
            wrong.extend(raw for raw in part if store.read(placed[digest(raw)], digest(raw)) != raw)

        _run_all([threading.Thread(target=read, args=(part,)) for part in chunks])
        assert wrong == []


def _run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
