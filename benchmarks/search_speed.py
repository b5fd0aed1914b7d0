"""Measure searches in a large pool: any key, counts of values, pages, and queries of all depths.

    python benchmarks/big_pool.py FOLDER --products 1000000
    python benchmarks/search_speed.py FOLDER

Opens the pool for reading. Every run asks with other literals, so that no answer can be
remembered; a line says the median of the runs, and their number. What is read once for each
process (the columns of keys) has lines of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from big_pool import BANDS, FIRST_OBSID, metadata, position

import skypool as sp
from skypool.pool.results.hits import Hits

FACETS = ("instrument", "band", "level", "obsMode", "pipeline", "calVersion", "qflag", "status0")
PAGE = 50


def median(work: Callable[[int], object], runs: int) -> float:
    """Return the median time of some work, in milliseconds; each run gets another number."""
    found = []
    for run in range(runs):
        began = time.perf_counter()
        work(run)
        found.append(1e3 * (time.perf_counter() - began))
    return statistics.median(found)


class Speed:
    """The rows of one pool."""

    def __init__(self, pool: sp.Pool, runs: int) -> None:
        self._pool = pool
        self._runs = runs
        self._count = len(pool)
        self.rows: dict[str, float] = {}

    def row(self, name: str, work: Callable[[int], object], runs: int | None = None) -> None:
        """Measure, keep and print one row."""
        self.rows[name] = median(work, runs or self._runs)
        print(f"{name:<58} {self.rows[name]:>10.2f} ms   {runs or self._runs} runs", flush=True)

    def metadata(self) -> None:
        """Ten of all by one key, and few by any key."""
        observations = self._count // len(BANDS)

        def by_obsid(run: int) -> None:
            wanted = FIRST_OBSID + (run * 7919 + 17) % observations
            hits = self._pool.find("obsid == $o", o=wanted)
            assert len([ref.name for ref in hits]) == len(BANDS)

        def by_any_key(run: int) -> None:
            value = metadata((run * 104729 + 31) % self._count)[f"level{run % 10}Rms"]
            assert len(self._pool.find(f"level{run % 10}Rms == $x", x=value)) >= 1

        def of_two(run: int) -> None:
            day = run % max(observations // 40, 1) + 1
            assert len(self._pool.find(f"odNumber == {day} and count0 < {run % 9 + 1}")) >= 0

        self.row(f"find 10 of {self._count:,} by a key", by_obsid)
        self.row("find by any of 10 keys", by_any_key)
        self.row("find by two keys", of_two)

    def depths(self) -> None:
        """What covers a point, and metadata, sky and pixels in one query."""

        def place(run: int) -> tuple[float, float]:
            return position((run * 104729 + 31) % (self._count // len(BANDS)))

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
        began = time.perf_counter()
        hits = self._pool.find("", order_by="-exposure", all_names=True)
        print(f"order all by a key, the first time {1e3 * (time.perf_counter() - began):.0f} ms")
        last = max(len(hits) // PAGE - 1, 0)

        def page(number: int) -> None:
            at = min(number, last) * PAGE
            assert len([ref.name for ref in hits[at : at + PAGE]]) == PAGE

        self.row("a page of 50, near the first", lambda run: page(run + 10))
        self.row("a page of 50, near the 1,000th", lambda run: page(1000 + run))

    def facets(self) -> None:
        """Counts of eight keys, under filters of different size."""

        def some(run: int) -> Hits:
            days = max(self._count // len(BANDS) // 40, 2)
            return self._pool.find(f"odNumber < {days // 10 + run}", all_names=True)

        for name, find in {
            "a tenth of all": some,
            "all": lambda run: self._pool.find("", all_names=True),
        }.items():
            found = [find(run) for run in range(min(self._runs, 5))]
            began = time.perf_counter()
            found[0].facets(*FACETS)
            first = 1e3 * (time.perf_counter() - began)
            print(f"facets of 8 keys, {name}: the first time {first:.0f} ms")
            self.row(
                f"facets of 8 keys, {name} ({len(found[0]):,} hits)",
                lambda run, found=found: found[run % len(found)].facets(*FACETS),
            )
            self.row(f"  the search for them ({name})", find, min(self._runs, 5))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    options = parser.parse_args()
    with sp.Pool(options.folder, "r") as pool:
        speed = Speed(pool, options.runs)
        speed.metadata()
        speed.depths()
        speed.pages()
        speed.facets()
    if options.json:
        options.json.write_text(json.dumps(speed.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
