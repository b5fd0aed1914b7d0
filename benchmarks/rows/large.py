"""Search large pools: metadata, sky and pixels, counts and pages, at 100,000 and 1,000,000."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from measure import Figure, command

from rows import Bench

HERE = Path(__file__).resolve().parents[1]
SMALLER = 100_000
MILLION = 1_000_000
# Milliseconds; those of the first two are set for 100,000 products and for a million.
GOALS = {
    "find ten by a key": (2.0, 5.0),
    "find one by any of ten keys": (2.0, 5.0),
    "find by two keys": (20.0, 20.0),
    "find by metadata, sky and pixels": (20.0, 20.0),
    "facets of 8 keys of a tenth of all": (50.0, 50.0),
}
PAGES = ("a page of 50, near the first", "a page of 50, near the 1,000th")


def large_rows(bench: Bench) -> list[Figure]:
    """Search a pool of each size in fresh processes; with `--full` a million products, too."""
    sizes = [min(SMALLER, bench.products)]
    if bench.full:
        sizes.append(MILLION)
    found = {size: _searched(bench, size) for size in sizes}
    rows = [row for size in sizes for row in _of_size(bench, size, found)]
    if bench.full:
        rows.append(_footprints(bench))
    return rows


def _searched(bench: Bench, size: int) -> dict[str, Any]:
    """Give the median of several processes, each of which gives medians of its searches."""
    kept = None if bench.pools is None else bench.pools / f"{size}"
    folder = kept if kept is not None and kept.exists() else bench.scratch / f"large-{size}"
    if folder != kept:
        words = [f"{HERE}/big_pool.py", f"{folder}", "--products", f"{size}", "--batch", f"{size}"]
        command([sys.executable, *words])
    results = []
    for run in range(min(bench.runs, 3)):
        target = bench.scratch / f"large-{size}-{run}.json"
        command([sys.executable, f"{HERE}/search_speed.py", f"{folder}", "--json", f"{target}"])
        results.append(json.loads(target.read_text()))
    if folder != kept:
        shutil.rmtree(folder)
    middle = len(results) // 2
    rows = {
        name: {
            clock: sorted(result["rows"][name][clock] for result in results)[middle]
            for clock in ("wall", "cpu")
        }
        for name in results[0]["rows"]
    }
    peak = sorted(result["peak_mb"] for result in results)[middle]
    bench.notes.append(
        f"Searches of {size:,} products, milliseconds of the processor (other programs disturb the"
        " clock): " + ", ".join(f"{name} {row['cpu']:.1f}" for name, row in rows.items()) + "."
    )
    return {"rows": rows, "peak": peak}


def _of_size(bench: Bench, size: int, found: dict[int, dict[str, Any]]) -> list[Figure]:
    rows = found[size]["rows"]
    smaller = found[SMALLER]["rows"] if size > SMALLER and SMALLER in found else None
    figures = []
    for name, row in rows.items():
        goal = GOALS.get(name, (None, None))[size > SMALLER]
        theirs = None if smaller is None else smaller[name]["wall"]
        title = "" if smaller is None else f"skypool, {SMALLER:,}"
        if name == PAGES[1]:
            theirs, title = rows[PAGES[0]]["wall"], "near the first page"
        figures.append(Figure(f"{name}, {size:,}", "ms", row["wall"], title, theirs, goal))
    figures.append(Figure(f"peak memory of these searches, {size:,}", "MB", found[size]["peak"]))
    return figures


def _footprints(bench: Bench) -> Figure:
    """Ask for places among a million footprints as surveys have them."""
    target = bench.scratch / "sky.json"
    words = [f"{HERE}/sky_speed.py", "--folder", f"{bench.scratch}", "--json", f"{target}"]
    command([sys.executable, *words])
    exact = json.loads(target.read_text())["exact_ms"]
    return Figure(f"what covers a point, {MILLION:,} footprints, exact", "ms", exact, goal=1.0)
