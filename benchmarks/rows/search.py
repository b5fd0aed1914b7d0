"""Open a large pool, and find ten of its products by a key."""

from __future__ import annotations

import shutil

from measure import Figure, in_turn
from workload import PERIOD

from rows import Bench


def search_rows(bench: Bench) -> list[Figure]:
    """Fill both, then open and search them in turn, each time in a fresh process."""
    sizes = [bench.products]
    if bench.full and bench.products < 1_000_000:
        sizes.append(1_000_000)
    return [row for size in sizes for row in _of_size(bench, size)]


def _of_size(bench: Bench, size: int) -> list[Figure]:
    data = bench.folder(f"search-data-{size}")
    # The Butler takes 20 minutes for a million.
    names = ("skypool", "butler") if size <= 200_000 else ("skypool",)
    peers = bench.present(*names)
    folders = {peer.name: bench.folder(f"search-{peer.name}-{size}") for peer in peers}
    made = {
        peer.name: peer.call("grow", folder=folders[peer.name], data=data, count=size)
        for peer in peers
    }
    shutil.rmtree(data)
    values = [17 + 97 * number for number in range(21)]
    works = {
        peer.name: lambda _, peer=peer: peer.call(
            "search", folder=folders[peer.name], count=size, values=values
        )
        for peer in peers
    }
    found = in_turn(bench.runs, works)
    for folder in folders.values():
        shutil.rmtree(folder)

    ours, peer = found["skypool"], found.get("butler", {})
    title = "Butler" if peer else ""
    # The goals are set for these sizes; what holds there has to hold below.
    find_goal = 2.0 if size <= 100_000 else 5.0 if size <= 1_000_000 else None
    open_goal = 20.0 if size <= 100_000 else None

    def row(work: str, key: str, goal: float | None) -> Figure:
        theirs = 1e3 * peer[key] if peer else None
        return Figure(work, "ms", 1e3 * ours[key], title, theirs, goal)

    ingest = "Butler, registers existing files" if peer else ""
    return [
        row(f"find {size / PERIOD:.0f} of {size:,} by a key, pool open", "find", find_goal),
        row("  the first search after opening", "first", None),
        row("find by two keys, one in a hundred each", "two", None),
        row("count the values of 8 keys of a tenth of all", "counts", None),
        row(f"open a pool of {size:,}", "open", open_goal),
        Figure(
            f"save {size:,} products, 10,000 in a commit",
            "/s",
            size / made["skypool"]["seconds"],
            ingest,
            size / made["butler"]["seconds"] if peer else None,
            None,
            True,
        ),
    ]
