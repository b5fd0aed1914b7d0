"""Time, bytes, processes: what the benchmarks share."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One comparison: our figure and the peer's, in the same unit; smaller is better.

    `goal` is what ours must not exceed, None where no number was set.
    """

    work: str
    unit: str
    ours: float
    peer_name: str
    peer: float | None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer if self.peer else None


class Clock:
    """Holds the seconds that a `timed` block took."""

    seconds: float = 0.0


@contextmanager
def timed() -> Iterator[Clock]:
    """Time a block, with everything written before already on disk."""
    os.sync()
    clock = Clock()
    start = time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start


def medians(runs: int, *works: Callable[[int], float]) -> list[float]:
    """Run each work in turn, `runs` times over, and give their medians.

    Taking turns spreads what else the machine does over all of them.
    """
    found: list[list[float]] = [[] for _ in works]
    for run in range(runs):
        for values, work in zip(found, works, strict=True):
            values.append(work(run))
    return [statistics.median(values) for values in found]


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def command(
    words: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
) -> str:
    """Run a program and give its output; fails when the program does."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def python(code: str, *arguments: str | Path) -> str:
    """Run code in a fresh process of this Python."""
    return command([sys.executable, "-c", code, *arguments])


def sync_file(path: Path) -> None:
    """Make a file and its entry in its folder durable."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
