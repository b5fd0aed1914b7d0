"""The page of the documentation, and the lines that `make bench` prints."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence

from bounds import Bounds
from measure import MB, Figure

HEADINGS = ("work", "skypool", "peer", "peer's", "ratio", "goal", "bound")

TITLES = {
    "observation": "One observation",
    "reading": "Reading",
    "import": "Import",
    "small": "Many small products",
    "search": "Opening and finding",
    "large": "Searching large pools",
    "files": "A gigabyte of files",
    "clone": "Clones",
    "concurrent": "Several processes at once",
    "kill": "Killed while saving",
    "memory": "Memory",
}


def machine() -> dict[str, str]:
    """Describe what the figures were measured on."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def number(value: float | None, unit: str) -> str:
    """Write a value with three figures and its unit."""
    if value is None:
        return ""
    if value == 0 or (value == int(value) and not unit):
        return f"{value:.0f} {unit}".strip()
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def cells(figure: Figure) -> tuple[str, ...]:
    """Write a figure as the cells of its line."""
    sign = "≥" if figure.more else "≤"
    goal = ""
    if figure.goal is not None:
        goal = f"{'met' if figure.met else 'MISSED'}, {sign} {number(figure.goal, figure.unit)}"
    limit = number(figure.limit, figure.unit)
    return (
        figure.work,
        number(figure.ours, figure.unit),
        figure.peer_name,
        number(figure.peer, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.3g}",
        goal,
        f"{limit}: {figure.limited}" if limit else "",
    )


def line(found: Sequence[str]) -> str:
    """Lay one line of the table out for a terminal."""
    work, ours, peer_name, peer, ratio, goal, limit = found
    return f"{work:<48} {ours:>11} {peer:>11} {ratio:>6}  {peer_name:<32} {goal:<22} {limit}"


def bounds_lines(bounds: Bounds) -> list[str]:
    """Say what the machine does."""
    rates = (
        ("write and fsync of 256 MB", bounds.disk),
        ("copy in memory", bounds.copy),
        ("BLAKE3, one core", bounds.hashing),
        ("byte shuffle and zstd level 1, one core", bounds.encoding),
        ("the reverse, one core", bounds.decoding),
    )
    times = (
        ("append 4 KiB and sync it", bounds.sync),
        ("commit of 50 rows in SQLite, synced", bounds.commit),
        ("start of Python", bounds.python),
        ("start of Python with numpy", bounds.numpy),
    )
    return [
        "| what | figure |",
        "|---|---|",
        *(f"| {name} | {rate / MB:,.0f} MB/s |" for name, rate in rates),
        *(f"| {name} | {1e3 * seconds:.3g} ms |" for name, seconds in times),
    ]


def table(rows: Sequence[Figure]) -> list[str]:
    """Write the table of a family."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for figure in rows:
        work, *rest = cells(figure)
        lines.append("| " + " | ".join([work.replace("  ", "&nbsp;&nbsp;"), *rest]) + " |")
    return lines


def with_families(
    text: str, found: Mapping[str, Sequence[Figure]], notes: Sequence[str], about: Mapping[str, str]
) -> str:
    """Put families that were measured apart into a page that is there."""
    head, *sections = text.split("\n## ")
    for family, rows in found.items():
        apart = (
            f"Measured apart from the rest, by `{about['command']}`: medians of {about['runs']}"
            f" runs, load {about['load before']} before and {about['load after']} after."
        )
        wanted = "\n".join([TITLES[family], "", apart, "", *table(rows)])
        if notes:
            wanted += "\n\n" + "\n".join(f"- {note}" for note in notes)
        places = [n for n, each in enumerate(sections) if each.startswith(f"{TITLES[family]}\n")]
        if places:
            sections[places[0]] = wanted + "\n"
        else:
            titles = [TITLES[each] for each in TITLES]
            later = titles[titles.index(TITLES[family]) + 1 :]
            place = next(
                (n for n, each in enumerate(sections) if each.partition("\n")[0] in later), 0
            )
            sections.insert(place, wanted + "\n")
    rows_of_goals = re.findall(r"\| (met|MISSED), ", "\n".join(sections))
    counted = f"{rows_of_goals.count('met')} of {len(rows_of_goals)} goals are met."
    head = re.sub(r"\d+ of \d+ goals are met\.", counted, head)
    return "\n## ".join([head, *sections])


def page(
    found: Mapping[str, Sequence[Figure]],
    bounds: Bounds,
    versions: Mapping[str, str],
    missing: Mapping[str, str],
    notes: Sequence[str],
    about: Mapping[str, str],
) -> str:
    """Write the page."""
    figures = [figure for rows in found.values() for figure in rows]
    goals = [figure.met for figure in figures if figure.met is not None]
    lines = [
        "# Benchmarks",
        "",
        f"Written by `{about['command']}`; do not edit. Both sides of a line were measured in",
        "the same run on the same data, taking turns: medians of"
        f" {about['runs']} runs (3 where a run is long, 1 for what is",
        f"counted), on {about['cores']} cores ({about['processor']}, {about['system']}, Python"
        f" {about['python']}), load {about['load before']} before and",
        f"{about['load after']} after, files in the page cache. What skypool saves is durable"
        " before the clock stops; what",
        "peers leave to the page cache is said with their names. The *ratio* says how many times",
        "better skypool is: below 1 the peer is better. The *bound* is what the hash, the codec,",
        "the disk or the interpreter of this machine alone would take.",
        "",
        f"{sum(goals)} of {len(goals)} goals are met.",
    ]
    for family, rows in found.items():
        lines += ["", f"## {TITLES[family]}", "", *table(rows)]
    lines += ["", "## What the machine does", "", *bounds_lines(bounds), "", "## What ran", ""]
    lines += [f"- {name} {version}" for name, version in versions.items()]
    lines += [f"- {name}: not measured: {reason}" for name, reason in missing.items()]
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join([*lines, *REPEAT])


REPEAT = [
    "",
    "## To repeat it",
    "",
    "`make bench` in a fresh clone: it installs borg, restic and git-annex where Debian's apt",
    "works, and the Butler and fdi with pip, each into an environment of its own below",
    "`bench-data/venvs`. What cannot be installed is named above and left out. It needs 15",
    "minutes on 2 cores and 15 GB of disk; `BENCH_ARGS=--small` is a quick look,",
    "`BENCH_ARGS=--full` adds a million products (an hour more), and `BENCH_ARGS='--only files'`",
    "runs a part, which `--page` puts into this page (`benchmarks/run.py --help`). With `--pools",
    "FOLDER` the million is made once, by `python benchmarks/big_pool.py FOLDER/1000000`. The rows",
    "are in `benchmarks/rows`, their data in",
    "`benchmarks/workload.py` and `benchmarks/file_workload.py`, the peers' sides in",
    "`benchmarks/peers` and `benchmarks/engines.py`.",
    "",
]
