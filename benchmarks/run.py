"""Measure skypool against its peers: `make bench`, or `python benchmarks/run.py --small`.

Each comparison runs both sides in the same run, taking turns, on data made for it; figures
are medians. Results go to a JSON file and, when everything ran at full size, to
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bounds import measure_bounds
from engines import ENGINES, Ours
from environments import REQUIREMENTS, Peer, python_peers
from measure import Figure
from page import HEADINGS, cells, line, machine, page, with_families
from rows import Bench
from rows.clone import clone_rows
from rows.concurrent import concurrent_rows, kill_rows
from rows.files import file_rows
from rows.large import large_rows
from rows.memory import memory_rows
from rows.observation import observation_rows
from rows.reading import import_rows, reading_rows
from rows.search import search_rows
from rows.small import small_rows

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/benchmarks.md"

FAMILIES: dict[str, Callable[[Bench], list[Figure]]] = {
    "observation": observation_rows,
    "reading": reading_rows,
    "import": import_rows,
    "small": small_rows,
    "search": search_rows,
    "large": large_rows,
    "files": file_rows,
    "clone": clone_rows,
    "concurrent": concurrent_rows,
    "kill": kill_rows,
    "memory": memory_rows,
}


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", action="store_true", help="a quick look: a tenth of the data")
    size.add_argument("--full", action="store_true", help="add what takes long")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement")
    parser.add_argument("--only", choices=FAMILIES, action="append", help="only these rows")
    parser.add_argument("--page", action="store_true", help="put these rows into the page")
    parser.add_argument("--products", type=int, help="size of the pool that is searched")
    parser.add_argument(
        "--pools", type=Path, help="pools of big_pool.py, called by their number of products"
    )
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=REQUIREMENT", help="for pip"
    )
    parser.add_argument("--without", choices=REQUIREMENTS, action="append", default=[])
    parser.add_argument("--scratch", type=Path, default=ROOT / "bench-data")
    parser.add_argument("--json", type=Path, help="where the results go")
    return parser.parse_args(words)


def main() -> int:
    """Run what was asked for."""
    options = options_of()
    before = os.getloadavg()[0]
    # As pip did for the peers: a start of ours is not to compile what changed since it was set up.
    compileall.compile_dir(ROOT / "src", quiet=1)
    chosen = {**REQUIREMENTS, **dict(peer.split("=", 1) for peer in options.peer)}
    for name in options.without:
        del chosen[name]
    peers, missing = python_peers(ROOT / "bench-data/venvs", chosen)
    programs = [kind for kind in ENGINES if kind is Ours or shutil.which(kind.program)]
    for kind in set(ENGINES) - set(programs):
        missing[kind.program] = "the program is not installed"
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}")

    scratch = options.scratch / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    bench = Bench(
        scratch=scratch,
        peers=peers,
        programs=tuple(kind.program for kind in programs if kind is not Ours),
        bounds=measure_bounds(scratch, min(options.runs, 5), 0.1 if options.small else 1),
        runs=options.runs,
        scale=0.1 if options.small else 1,
        full=options.full,
        products=options.products or (2_000 if options.small else 100_000),
        pools=options.pools,
    )
    found: dict[str, list[Figure]] = {}
    print(line(HEADINGS))
    for name in options.only or FAMILIES:
        start = time.perf_counter()
        found[name] = FAMILIES[name](bench)
        for figure in found[name]:
            print(line(cells(figure)))
        print(f"    ({name}: {time.perf_counter() - start:.0f} s)", flush=True)

    versions = versions_of(peers)
    shutil.rmtree(scratch)
    about = {
        **machine(),
        "runs": str(options.runs),
        "load before": f"{before:.1f}",
        "load after": f"{os.getloadavg()[0]:.1f}",
        "command": _command(options),
    }
    target = options.json or options.scratch / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "about": about,
        "versions": versions,
        "missing": missing,
        "notes": bench.notes,
        "bounds": asdict(bench.bounds),
        "figures": {name: [asdict(figure) for figure in rows] for name, rows in found.items()},
    }
    target.write_text(json.dumps(result, indent=1) + "\n")
    if bench.scale == 1 and not options.only:
        PAGE.write_text(page(found, bench.bounds, versions, missing, bench.notes, about))
    elif options.page:
        PAGE.write_text(with_families(PAGE.read_text(), found, bench.notes, about))
    for note in bench.notes:
        print(note)
    print(f"results: {os.path.relpath(target)}")
    return 0


def _command(options: argparse.Namespace) -> str:
    """Give the command that makes the same again."""
    words = ["--full"] if options.full else []
    words += [f"--only {name}" for name in options.only or ()]
    return f"make bench BENCH_ARGS='{' '.join(words)}'" if words else "make bench"


def versions_of(peers: dict[str, Peer]) -> dict[str, str]:
    """Give the versions of everything that ran."""
    versions = {}
    for peer in peers.values():
        for package, version in peer.versions.items():
            own = peer.python == Path(sys.executable) or package.lower().endswith(peer.name)
            owner = "" if own else f" (of {peer.title})"
            versions[package + owner] = version
    for kind in ENGINES:
        if kind is not Ours and shutil.which(kind.program):
            versions[kind.program] = kind.version()
    return versions


if __name__ == "__main__":
    sys.exit(main())
