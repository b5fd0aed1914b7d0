"""Save one observation of 40 products, and again with eight of them reprocessed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from environments import Peer
from measure import MB, Figure, in_turn
from workload import prepare_observation

from rows import Bench

NAMES = {"astropy": "astropy files, each fsynced", "butler": "Butler", "fdi": "fdi, not synced"}


def observation_rows(bench: Bench) -> list[Figure]:
    """Measure with all peers in turn; the last run's folders are kept for reading."""
    data = bench.folder("observation-data")
    size = int(512 * bench.scale**0.5)
    prepare_observation(data, size)

    def saving(peer: Peer) -> Callable[[int], dict[str, Any]]:
        def save(run: int) -> dict[str, Any]:
            folder = bench.scratch / f"observation-{peer.name}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            return peer.call("observation", data=data, folder=folder)

        return save

    peers = bench.present("skypool", "astropy", "butler", "fdi")
    found = in_turn(bench.runs, {peer.name: saving(peer) for peer in peers})
    ours = found.pop("skypool")
    raw = size * size * 4.0
    # Of the eight, seven images and errors are new, and one tile or more of the eighth; the
    # coverage is the pool's own.
    save_limit = bench.bounds.store(120 * raw, ours["bytes"])
    again_limit = bench.bounds.store(16 * raw, ours["added"])
    rows = []
    for name, peer in found.items():
        title = NAMES[name]
        goal = peer["save"] if name == "astropy" else None
        bytes_goal = 0.8 * peer["bytes"] / MB if name == "astropy" else None
        work = f"save 40 products, {120 * raw / MB:.0f} MB"
        again = "save again, 8 of 40 reprocessed"
        seconds, added = bench.goal(0.15), bench.goal(12.0)
        rows += [
            Figure(work, "s", ours["save"], title, peer["save"], goal, False, *save_limit),
            Figure("  on disk", "MB", ours["bytes"] / MB, title, peer["bytes"] / MB, bytes_goal),
            Figure(again, "s", ours["again"], title, peer["again"], seconds, False, *again_limit),
            Figure("  added", "MB", ours["added"] / MB, title, peer["added"] / MB, added),
        ]
    return rows
