"""What is read of an open file are its bytes, in whatever order and by however many threads."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from skypool.files import reading
from skypool.files.opened import ReadingFile
from skypool.files.reading import Buffers, Reader
from skypool.files.translating import Translating

SIZE = 300_007


class Source:
    """Bytes in memory, cut where it is told."""

    size_is_known = True

    def __init__(self, *, cut: bool) -> None:
        self.data = random.Random(5).randbytes(SIZE)
        self.size = SIZE
        self.closed = False
        self.broken = False
        if cut:
            self.cuts = lambda size, most: [0, 1000, 41_000, 50_000, 250_000, SIZE]
            self.read_into = self._read_into

    def pread(self, offset: int, length: int) -> bytes:
        if self.broken:
            raise OSError("broken")
        return self.data[offset : offset + length]

    def _read_into(self, offset: int, out: memoryview) -> None:
        out[:] = self.pread(offset, len(out))

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    monkeypatch.setattr(reading, "_WINDOW", 10_000)
    monkeypatch.setattr(reading, "_AHEAD", 30_000)
    monkeypatch.setattr(reading, "_SLACK", 5_000)
    with ThreadPoolExecutor(3) as found:
        yield found


@pytest.mark.parametrize("cut", [False, True])
def test_bytes_in_any_order(executor: ThreadPoolExecutor, cut: bool) -> None:
    source, buffers = Source(cut=cut), Buffers()
    for seed in range(20):
        rng = random.Random(seed)
        file = Reader(source, executor, buffers)
        offset = 0
        for _ in range(60):
            if rng.random() < 0.1:
                offset = rng.randrange(SIZE + 1000)
            length = rng.randrange(1, 20_000)
            assert file.pread(offset, length) == source.data[offset : offset + length]
            offset += length + rng.choice([0, 0, 0, -3000, 2000])
            offset = max(0, offset)
        file.close()
    assert source.closed


@pytest.mark.parametrize("cut", [False, True])
def test_many_threads(executor: ThreadPoolExecutor, cut: bool) -> None:
    source = Source(cut=cut)
    file = Reader(source, executor, Buffers())
    wrong: list[int] = []

    def read(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(10):
            start = rng.randrange(SIZE) if rng.random() < 0.3 else 0
            for offset in range(start, min(SIZE, start + 120_000), 4096):
                if file.pread(offset, 4096) != source.data[offset : offset + 4096]:
                    wrong.append(offset)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    assert wrong == []


def test_errors_are_told_and_memory_is_given_back(executor: ThreadPoolExecutor) -> None:
    source, buffers = Source(cut=True), Buffers()
    file = Reader(source, executor, buffers)
    for offset in range(0, 40_000, 4000):
        file.pread(offset, 4000)
    source.broken = True
    with pytest.raises(OSError, match="broken"):
        for offset in range(40_000, SIZE, 4000):
            file.pread(offset, 4000)
    file.close()
    assert buffers._kept == sum(map(len, buffers._free))
    assert buffers._free


@pytest.mark.parametrize("cut", [False, True])
def test_large_pieces_go_right_into_the_memory_of_the_program(cut: bool) -> None:
    source = Source(cut=cut)
    with ReadingFile(Translating(source, "a")) as file:
        assert file.read(SIZE - 1) == source.data[: SIZE - 1]
        assert file.read(SIZE) == source.data[SIZE - 1 :]
        file.seek(7)
        memory = bytearray(SIZE)
        assert file.readinto(memory) == SIZE - 7
        assert memory[: SIZE - 7] == source.data[7:]
        assert file.seek(2 * SIZE) == 2 * SIZE
        assert file.readinto(memory) == 0
        source.broken = True
        file.seek(0)
        with pytest.raises(OSError, match="broken"):
            file.read(SIZE)
    assert source.closed
