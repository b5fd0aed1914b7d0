"""Throughput of the chunk store, beside a plain write and fsync of the same bytes.

Run: python benchmarks/storage_throughput.py [--megabytes N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skypool.storage.pack_files import list_packs
from skypool.storage.pack_scan import scan_pack
from skypool.storage.pack_verify import verify_pack
from skypool.storage.store import ChunkStore

TILE = 256
POOL = b"benchmark-pool--"


def make_tiles(megabytes: int) -> list[np.ndarray]:
    """Tiles of a map with structure, sources, noise and blank corners."""
    side = 4096
    rng = np.random.default_rng(11)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    tiles: list[np.ndarray] = []
    while len(tiles) * TILE * TILE * 4 < megabytes * 1e6:
        phase = rng.uniform(0, 6)
        image = np.sin(x / 317 + phase) + np.cos(y / 211) + 0.3 * np.sin((x + y) / 97)
        image += rng.normal(0, 0.01, image.shape).astype(np.float32)
        image[np.abs(x - side / 2) + np.abs(y - side / 2) > 0.85 * side] = np.nan
        image = image.astype(">f4")
        tiles += [
            np.ascontiguousarray(image[i : i + TILE, j : j + TILE])
            for i in range(0, side, TILE)
            for j in range(0, side, TILE)
        ]
    return tiles[: max(1, int(megabytes * 1e6 / (TILE * TILE * 4)))]


def timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def plain(path: Path, tiles: list[np.ndarray]) -> float:
    def act() -> None:
        with open(path, "wb") as file:
            for tile in tiles:
                file.write(tile)
            file.flush()
            os.fsync(file.fileno())

    seconds = timed(act)
    path.unlink()
    return seconds


def small_commits(store: ChunkStore, count: int) -> float:
    """Median milliseconds of a commit of a 1 KiB document and a 1 KiB image, durable."""
    times = []
    for _ in range(count):
        document, image = os.urandom(512) * 2, os.urandom(512) * 2

        def act(document: bytes = document, image: bytes = image) -> None:
            with store.writer() as writer:
                writer.put(document)
                writer.put(image, 4)
                writer.flush()

        times.append(timed(act))
    return statistics.median(times) * 1e3


def run(folder: Path, tiles: list[np.ndarray]) -> None:
    total = sum(tile.nbytes for tile in tiles)
    beside = plain(folder / "plain", tiles)
    packs = folder / "packs"
    packs.mkdir()
    store = ChunkStore(packs, POOL, writable=True, cache_bytes=0)
    names: list[bytes] = []
    placed = {}
    grown = 0

    def write() -> None:
        nonlocal grown
        with store.writer() as writer:
            stream = writer.stream(4)
            names.extend(stream.put(tile) for tile in tiles)
            placed.update(writer.flush())
        grown = writer.bytes_written

    def again() -> None:
        with store.writer(placed.__contains__) as writer:
            stream = writer.stream(4)
            for tile in tiles:
                stream.put(tile)
            writer.flush()

    def read() -> None:
        for name in names:
            store.read(placed[name], name)

    def read_many() -> None:
        for start in range(0, len(names), 64):
            store.read_many([(placed[name], name) for name in names[start : start + 64]])

    paths = [entry.path for entry in list_packs(str(packs))]

    def verify(full: bool) -> None:
        for path in paths:
            assert not verify_pack(path, full).problems

    def scan() -> None:
        for path in paths:
            assert sum(1 for _ in scan_pack(path))

    seconds = timed(write)
    paths = [entry.path for entry in list_packs(str(packs))]

    def show(what: str, took: float) -> None:
        print(f"{what:32}{total / took / 1e6:9.0f} MB/s{beside / took:8.2f}")

    print(f"{total / 1e6:.0f} MB in {len(tiles)} tiles, {grown / total:.3f} of the bytes stored")
    print(f"{'':32}{'raw bytes':>14}{'ratio':>8}")
    show("plain write and fsync", beside)
    show("write, durable", seconds)
    show("write what is known", timed(again))
    show("read, one by one", timed(read))
    show("read, 64 at a time", timed(read_many))
    show("verify, quick", timed(lambda: verify(False)))
    show("verify, full", timed(lambda: verify(True)))
    show("scan", timed(scan))
    durable = small_commits(store, 300)
    print(f"commit of 1 KiB + 1 KiB, durable: {durable:.3f} ms")
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    tiles = make_tiles(options.megabytes)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        run(Path(folder), tiles)


if __name__ == "__main__":
    main()
