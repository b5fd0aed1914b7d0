"""What the drivers of the peers share.

A driver is run as `python drive_PEER.py VERB '{"argument": ...}'` by the Python that the peer
is installed in, and prints one line of JSON. Each verb prepares its data, then measures.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

# The made data, beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Verb = Callable[..., dict[str, Any]]


def main(verbs: Mapping[str, Verb]) -> None:
    """Do what the command line asks for."""
    arguments = json.loads(sys.argv[2])
    found = verbs[sys.argv[1]](**arguments)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("\n" + json.dumps(found))


class Clock:
    """Holds the seconds that a `timed` block took."""

    seconds: float = 0.0


@contextmanager
def timed(*, settle: bool = True) -> Iterator[Clock]:
    """Time a block; by default with everything written before already on disk."""
    if settle:
        os.sync()
    clock = Clock()
    start = time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start


@contextmanager
def spare(folder: str | Path) -> Iterator[Path]:
    """Give a place to warm up in: what is loaded at first use is no part of a figure."""
    place = Path(f"{folder}-spare")
    place.mkdir()
    yield place
    shutil.rmtree(place)


class Attempt:
    """A block whose failure is a finding: whatever a peer raises is kept as text."""

    error: str = ""

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = f"{type(error).__name__}: {error}"[:200]
            return True
        return False


def folder_bytes(folder: str | Path) -> int:
    """Add up the sizes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def wait_until(moment: float) -> None:
    """Start together with other processes."""
    while time.time() < moment:
        time.sleep(0.001)


class Acknowledged:
    """Where a worker notes what a peer has acknowledged: it survives a kill."""

    def __init__(self, folder: str | Path, worker: int = 0) -> None:
        self.path = Path(folder) / f"acknowledged-{worker}"
        self.file = self.path.open("a")

    def note(self, number: int, key: str = "") -> None:
        """Write one product down, with the peer's key for it."""
        self.file.write(f"{number} {key}\n")
        self.file.flush()

    @staticmethod
    def read(folder: str | Path) -> list[tuple[int, str]]:
        """Give everything that was acknowledged below a folder; a cut line does not count."""
        found = []
        for path in sorted(Path(folder).glob("acknowledged-*")):
            for line in path.read_text().split("\n")[:-1]:
                number, _, key = line.partition(" ")
                found.append((int(number), key))
        return found


def median(values: list[float]) -> float:
    """The middle of them."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
