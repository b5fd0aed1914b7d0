"""Measure skypool against its peers: `make bench`, or `python benchmarks/run.py --small`.

Each comparison runs both sides in the same run, taking turns, on data made for it; figures
are medians. Results go to a JSON file and, at full size, to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from measure import Figure
from rows import file_rows, import_rows, observation_rows, reading_rows

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/benchmarks.md"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--small", action="store_true", help="a quick look: a tenth of the data")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement")
    parser.add_argument(
        "--only", choices=["observation", "import", "files"], action="append", help="only these"
    )
    parser.add_argument("--scratch", type=Path, default=ROOT / "bench-data")
    parser.add_argument("--json", type=Path, help="where the results go")
    options = parser.parse_args()
    chosen = options.only or ["observation", "import", "files"]

    peers = [name for name in ("borg", "restic") if shutil.which(name)]
    for name in {"borg", "restic"} - set(peers):
        print(f"{name} is not installed: its rows are left out")
    shutil.rmtree(options.scratch, ignore_errors=True)
    options.scratch.mkdir(parents=True)

    figures: list[Figure] = []
    if "observation" in chosen:
        size = 160 if options.small else 512
        show(figures, observation_rows(options.scratch, size, options.runs))
        show(figures, reading_rows(options.scratch, options.runs))
    if "import" in chosen:
        show(figures, import_rows(options.runs))
    if "files" in chosen:
        fraction = 0.1 if options.small else 1.0
        show(figures, file_rows(options.scratch, fraction, peers, min(3, options.runs)))

    shutil.rmtree(options.scratch)
    target = options.json or options.scratch / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "small": options.small, "figures": [asdict(f) for f in figures]}
    target.write_text(json.dumps(result, indent=1) + "\n")
    if not options.small and set(chosen) == {"observation", "import", "files"}:
        PAGE.write_text(page(figures))
    print(f"results: {os.path.relpath(target)}")
    return 0


HEADINGS = ("work", "skypool", "peer", "peer's", "ratio", "goal")


def show(figures: list[Figure], more: list[Figure]) -> None:
    """Print lines of the table as they are known."""
    if not figures:
        print(line(*HEADINGS))
    for figure in more:
        print(line(*cells(figure)))
    sys.stdout.flush()
    figures.extend(more)


def line(work: str, ours: str, peer_name: str, peer: str, ratio: str, goal: str) -> str:
    """Lay one line of the table out."""
    return f"{work:<36} {ours:>10} {peer:>10} {ratio:>6} {goal:>10}  {peer_name}"


def cells(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """Write a figure as the cells of its line."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.3g} {figure.unit}"

    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    goal = "" if figure.goal is None else f"{'met' if figure.ours <= figure.goal else 'MISSED'}"
    if goal and figure.goal != figure.peer:
        goal += f" {figure.goal:.3g}"
    return figure.work, number(figure.ours), figure.peer_name, number(figure.peer), ratio, goal


def machine() -> dict[str, str]:
    """Describe what the figures were measured on."""
    return {
        "cpus": str(os.cpu_count()),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def page(figures: list[Figure]) -> str:
    """Write the page of the documentation."""
    about = machine()
    rows = []
    for work, ours, peer_name, peer, ratio, goal in map(cells, figures):
        indented = work.replace("  ", "&nbsp;&nbsp;")
        rows.append(f"| {indented} | {ours} | {peer_name} | {peer} | {ratio} | {goal} |")
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; do not edit. Both sides of a line were measured in the same",
            f"run, taking turns: medians, on {about['cpus']} cores ({about['machine']},"
            f" {about['system']}, Python {about['python']}),",
            "files in the page cache, everything saved by skypool durable before the clock stops.",
            "The ratio is skypool's figure over the peer's: below 1 is better than the peer.",
            "",
            "| work | skypool | peer | peer's figure | ratio | goal |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "What is measured, with its data: `benchmarks/rows.py` and `benchmarks/workload.py`.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
