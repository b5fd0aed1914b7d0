"""Measure searches in a large pool: any key, counts of values, pages, and queries of all depths.

    python benchmarks/big_pool.py FOLDER --products 1000000
    python benchmarks/search_speed.py FOLDER

Opens the pool for reading. Every run asks with other literals, so that no answer can be
remembered; a line says the medians of the runs, by the clock and of the processor's time, which
other programs disturb less. What is read once in each process has lines of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from big_pool import BANDS, FIRST_OBSID, metadata, position

import skypool as sp
from skypool.pool.results.hits import Hits

FACETS = ("instrument", "band", "level", "obsMode", "pipeline", "calVersion", "qflag", "status0")
PAGE = 50


class Speed:
    """The rows of one pool.

    Attributes
    ----------
    rows : dict
        For each row the median in milliseconds by the clock, and of the processor's time.
    """

    def __init__(self, pool: sp.Pool, runs: int) -> None:
        self._pool = pool
        self._runs = runs
        self.count = len(pool)
        self.rows: dict[str, dict[str, float]] = {}

    def row(self, name: str, work: Callable[[int], object], runs: int | None = None) -> None:
        """Measure, keep and print one row; each run gets another number."""
        wall, cpu = [], []
        for run in range(runs or self._runs):
            began, spent = time.perf_counter(), time.process_time()
            work(run)
            wall.append(1e3 * (time.perf_counter() - began))
            cpu.append(1e3 * (time.process_time() - spent))
        self.rows[name] = {"wall": statistics.median(wall), "cpu": statistics.median(cpu)}
        print(
            f"{name:<52} {self.rows[name]['wall']:>9.2f} ms, processor"
            f" {self.rows[name]['cpu']:>9.2f} ms   {len(wall)} runs",
            flush=True,
        )

    def metadata(self) -> None:
        """Ten of all by one key, and few by any key."""
        observations = self.count // len(BANDS)

        def by_obsid(run: int) -> None:
            wanted = FIRST_OBSID + (run * 7919 + 17) % observations
            hits = self._pool.find("obsid == $o", o=wanted)
            assert len([ref.name for ref in hits]) == len(BANDS)

        def by_any_key(run: int) -> None:
            value = metadata((run * 104729 + 31) % self.count)[f"level{run % 10}Rms"]
            assert len(self._pool.find(f"level{run % 10}Rms == $x", x=value)) >= 1

        def of_two(run: int) -> None:
            day = run % max(observations // 40, 1) + 1
            assert len(self._pool.find(f"odNumber == {day} and count0 < {run % 9 + 1}")) >= 0

        self.row("the first search of a process", by_obsid, 1)
        self.row("find ten by a key", by_obsid)
        self.row("find one by any of ten keys", by_any_key)
        self.row("find by two keys, the first time", of_two, 1)
        self.row("find by two keys", of_two)

    def depths(self) -> None:
        """What covers a point, and metadata, sky and pixels in one query."""

        def place(run: int) -> tuple[float, float]:
            return position((run * 104729 + 31) % (self.count // len(BANDS)))

        def covers(run: int) -> None:
            ra, dec = place(run)
            assert len(self._pool.find(f"covers({ra!r}, {dec!r})")) >= 1

        def all_three(run: int) -> None:
            ra, dec = place(run)
            band = BANDS[run % len(BANDS)]
            query = f"band == '{band}' and covers({ra!r}, {dec!r}) and max(image) > {run / 50}"
            assert len(self._pool.find(query)) >= 0

        self.row("find what covers a point", covers)
        self.row("find by metadata, sky and pixels", all_three)

    def pages(self) -> None:
        """The first page and one far behind, of the same hits in an order."""
        found: list[Hits] = []

        def order(run: int) -> None:
            found.append(self._pool.find("", order_by="-exposure", all_names=True))

        self.row("order all by a key, the first time", order, 1)
        self.row("order all by a key", order, 3)
        hits = found[-1]
        last = max(len(hits) // PAGE - 1 - self._runs, 0)

        def page(number: int) -> None:
            at = min(number, last) * PAGE
            assert len([ref.name for ref in hits[at : at + PAGE]]) == PAGE

        self.row("a page of 50, near the first", lambda run: page(run + 1))
        self.row("a page of 50, near the 1,000th", lambda run: page(1000 + run))

    def facets(self) -> None:
        """Counts of eight keys, under filters of different size."""

        def some(run: int) -> Hits:
            days = max(self.count // len(BANDS) // 40, 2)
            return self._pool.find(f"odNumber < {days // 10 + run}", all_names=True)

        def every(run: int) -> Hits:
            return self._pool.find("", all_names=True)

        first = some(0)
        self.row("facets of 8 keys, the first time", lambda _: first.facets(*FACETS), 1)
        for name, find in {"a tenth of all": some, "all": every}.items():
            found = [find(run) for run in range(5)]
            self.row(
                f"facets of 8 keys of {name}",
                lambda run, found=found: found[run % len(found)].facets(*FACETS),
            )
            self.row(f"find and count {name}", find)


def peak_mb() -> float:
    """Return the most memory that this process had; getrusage counts that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        if found:
            return int(found.group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    options = parser.parse_args()
    with sp.Pool(options.folder, "r") as pool:
        speed = Speed(pool, options.runs)
        print(f"{speed.count:,} products")
        speed.metadata()
        speed.depths()
        speed.pages()
        speed.facets()
    peak = peak_mb()
    print(f"peak memory of the process {peak:.0f} MB")
    if options.json:
        result = {"products": speed.count, "peak_mb": peak, "rows": speed.rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
