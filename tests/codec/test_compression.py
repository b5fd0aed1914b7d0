"""Chunks come back as they were, whichever way they are decompressed, or say that they do not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from skypool.codec import compression, direct
from skypool.codec.compression import RAW, SHUFFLE, ZSTD, decode, encode, shuffle, unshuffle
from skypool.errors import Damaged


@pytest.fixture(params=["of the library", "of the module"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Decompress by the library at once, and as where its functions are not to be found."""
    if request.param == "of the module":
        monkeypatch.setattr(direct, "_library", lambda: None)
    yield request.param


def noise(size: int) -> bytes:
    values = np.random.default_rng(size).normal(100, 3, size // 4 + 1).astype(">f4")
    return values.tobytes()[:size]


@pytest.mark.parametrize("itemsize", [1, 2, 3, 4, 5, 8, 16])
def test_elements_are_shuffled_and_put_back(itemsize: int) -> None:
    for size in (0, 1, itemsize, itemsize + 1, 1000 * itemsize, 70_001 * itemsize + itemsize - 1):
        raw = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
        assert unshuffle(bytes(shuffle(raw, itemsize)), itemsize) == raw


def test_chunks_come_back(way: str) -> None:
    for size in (0, 1, 5000, 1 << 14, 1 << 18, (1 << 18) + 3, 3 << 20):
        raw = noise(size)
        for codec in (RAW, ZSTD, SHUFFLE):
            for itemsize in (2, 4, 8):
                payload = encode(raw, codec, itemsize)
                assert decode(memoryview(payload), codec, itemsize, size) == raw


def test_the_library_is_found_here() -> None:
    if direct._library() is None:
        pytest.skip("the module for zstd shows no functions of its library")
    raw = noise(1 << 18)
    found = direct.decompressed(encode(raw, ZSTD), len(raw))
    assert found is not None and found.tobytes() == raw


def test_what_is_damaged_says_so(way: str) -> None:
    raw = noise(1 << 18)
    payload = encode(raw, ZSTD)
    bad = bytearray(payload)
    bad[len(bad) // 2] ^= 255
    for piece, length in (
        (payload[:-1], len(raw)),
        (payload[: len(payload) // 2], len(raw)),
        (b"", len(raw)),
        (b"x" * 100, len(raw)),
        (payload, len(raw) - 1),
        (payload, len(raw) + 1),
    ):
        with pytest.raises(Damaged):
            decode(piece, ZSTD, 1, length)
    with contextlib.suppress(Damaged):  # the codec need not notice: the digest does
        assert decode(bytes(bad), ZSTD, 1, len(raw)) != raw


def test_threads_do_not_share_memory() -> None:
    chunks = [noise((1 << 18) + 4 * number) for number in range(8)]
    payloads = [encode(raw, SHUFFLE, 4) for raw in chunks]
    wrong: list[int] = []

    def check(number: int) -> None:
        for _ in range(20):
            if decode(payloads[number], SHUFFLE, 4, len(chunks[number])) != chunks[number]:
                wrong.append(number)

    threads = [threading.Thread(target=check, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert compression.decode(payloads[0], SHUFFLE, 4, len(chunks[0])) == chunks[0]
