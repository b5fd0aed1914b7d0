"""Figures, time, bytes, processes: what the benchmarks share."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MB = 1e6


@dataclass(frozen=True)
class Figure:
    """One comparison: our figure and the peer's, in the same unit.

    `goal` is the bound that ours must keep, None where none was set; `more` says that larger
    is better. `limit` is what the machine alone would allow, and `limited` names it.
    """

    work: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float | None = None
    goal: float | None = None
    more: bool = False
    limit: float | None = None
    limited: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better ours is; below 1 the peer is better."""
        if not self.peer or not self.ours:
            return None
        return self.ours / self.peer if self.more else self.peer / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached."""
        if self.goal is None:
            return None
        return self.ours >= self.goal if self.more else self.ours <= self.goal


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


def in_turn(
    runs: int, works: Mapping[str, Callable[[int], Mapping[str, Any]]]
) -> dict[str, dict[str, float]]:
    """Run each work in turn, `runs` times over, and give the median of each number it found.

    Taking turns spreads what else the machine does over all of them.
    """
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in works}
    for run in range(runs):
        for name, work in works.items():
            found[name].append(work(run))
    return {name: middle(results) for name, results in found.items()}


def middle(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Give the median of each number of several results."""
    return {
        key: statistics.median(float(result[key]) for result in results)
        for key, value in results[0].items()
        if isinstance(value, int | float)
    }


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of all files below a folder."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )


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


# A process counts what its parent held when it was started, so a small one starts it.
_LAUNCHER = """
import json, resource, subprocess, sys
done = subprocess.run(json.loads(sys.argv[1]), stdin=subprocess.DEVNULL, capture_output=True)
sys.stderr.write(done.stderr.decode(errors="replace"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def peak_memory(words: Sequence[str | Path], environment: Mapping[str, str], *, cwd: Path) -> float:
    """Run a program and give the most memory it or a child of it held, in bytes."""
    given = json.dumps([str(word) for word in words])
    return 1024.0 * int(command([sys.executable, "-c", _LAUNCHER, given], environment, cwd=cwd))
