"""What the machine allows: the bounds beside the figures, measured in the same run."""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import command

from skypool.codec.compression import decode, encode
from skypool.codec.digest import digest

TILE = 256


@dataclass(frozen=True)
class Bounds:
    """Throughputs in bytes a second, times in seconds."""

    cores: int
    disk: float
    sync: float
    commit: float
    copy: float
    hashing: float
    encoding: float
    decoding: float
    python: float
    numpy: float

    def store(self, raw: float, stored: float) -> tuple[float, str]:
        """Seconds to hash and compress some bytes on all cores, and to write what is left."""
        work = raw * (1 / self.hashing + 1 / self.encoding) / self.cores
        disk = stored / self.disk
        name = f"hash and codec on {self.cores} cores"
        return (work, name) if work >= disk else (disk, "disk")

    def check(self, raw: float) -> tuple[float, str]:
        """Seconds to decompress and hash some bytes on all cores."""
        work = raw * (1 / self.hashing + 1 / self.decoding) / self.cores
        return work, f"codec and hash on {self.cores} cores"

    def durable(self) -> tuple[float, str]:
        """Seconds of one durable commit: chunks, catalogue and log are synced in turn."""
        return 2 * self.sync + self.commit, "two syncs and a commit of SQLite"


def measure_bounds(scratch: Path, runs: int = 5, scale: float = 1) -> Bounds:
    """Measure them; *scale* is that of the bytes written and copied."""
    tile = _tile()
    raw = tile.tobytes()
    packed = encode(raw, 2, 4)
    tiles = 64
    many = tiles * len(raw)

    def rate(work: Callable[[], object]) -> float:
        return many / _median(runs, lambda: [work() for _ in range(tiles)])

    block = np.zeros(int(scale * (256 << 20)), np.uint8)
    target = np.empty_like(block)
    return Bounds(
        cores=len(os.sched_getaffinity(0)),
        disk=_disk(scratch / "disk", block, runs),
        sync=_sync(scratch / "sync"),
        commit=_commit(scratch / "commit.sqlite"),
        copy=block.nbytes / _median(runs, lambda: np.copyto(target, block)),
        hashing=rate(lambda: digest(raw)),
        encoding=rate(lambda: encode(raw, 2, 4)),
        decoding=rate(lambda: decode(packed, 2, 4, len(raw))),
        python=_median(runs, lambda: command([sys.executable, "-c", "pass"])),
        numpy=_median(runs, lambda: command([sys.executable, "-c", "import numpy"])),
    )


def _tile() -> np.ndarray:
    """A tile such as the observation's images have, in the byte order of FITS."""
    return np.random.default_rng(7).normal(5, 1, (TILE, TILE)).astype(">f4")


def _median(runs: int, work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _disk(path: Path, block: np.ndarray, runs: int) -> float:
    """Bytes a second that reach the disk."""

    def write() -> None:
        with path.open("wb") as file:
            for start in range(0, len(block), 1 << 20):
                file.write(block[start : start + (1 << 20)])
            file.flush()
            os.fsync(file.fileno())

    found = len(block) / _median(runs, write)
    path.unlink()
    return found


def _sync(path: Path) -> float:
    """Seconds of appending 4 KiB and syncing it."""
    seconds = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - start)
    path.unlink()
    return statistics.median(seconds)


def _commit(path: Path) -> float:
    """Seconds of a durable commit of 50 rows in SQLite."""
    seconds = []
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("CREATE TABLE entry (key INTEGER, value TEXT)")
    for _ in range(100):
        start = time.perf_counter()
        base.execute("BEGIN IMMEDIATE")
        base.executemany("INSERT INTO entry VALUES (?, ?)", [(n, "value") for n in range(50)])
        base.execute("COMMIT")
        seconds.append(time.perf_counter() - start)
    base.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    return statistics.median(seconds)
