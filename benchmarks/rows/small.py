"""Small products with 60 metadata entries each, in bulk and with one durable commit each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from environments import Peer
from measure import Figure, in_turn

from rows import Bench

BULK = {
    "astropy": "astropy files, not synced",
    "butler": "Butler, one transaction",
    "fdi": "fdi, not synced",
}
SINGLE = {
    "astropy": "astropy files, each fsynced",
    "butler": "Butler, files not synced",
    "fdi": "fdi, not synced",
}


def small_rows(bench: Bench) -> list[Figure]:
    """Measure products a second."""
    count = int(1000 * bench.scale)
    # A commit each takes the peers ten times longer; the rate does not change with the number.
    singles = max(50, count // 4)

    def saving(peer: Peer, mode: str, number: int) -> Callable[[int], dict[str, Any]]:
        def save(run: int) -> dict[str, Any]:
            folder = bench.folder(f"small-{peer.name}-{mode}-{run}")
            found = peer.call("small", folder=folder, count=number, mode=mode)
            shutil.rmtree(folder)
            return {"rate": number / found["seconds"]}

        return save

    rows = []
    limit, limited = bench.bounds.durable()
    for mode, number, goal, titles in (
        ("bulk", count, 3000.0, BULK),
        ("single", singles, 300.0, SINGLE),
    ):
        # fdi has one mode only.
        names = ("skypool", "astropy", "butler", "fdi")
        peers = [peer for peer in bench.present(*names) if mode == "single" or peer.name != "fdi"]
        works = {peer.name: saving(peer, mode, number) for peer in peers}
        found = in_turn(min(3, bench.runs), works)
        ours = found.pop("skypool")["rate"]
        how = "in one commit" if mode == "bulk" else "a durable commit each"
        rows += [
            Figure(
                f"save {number} small products, {how}",
                "/s",
                ours,
                titles[name],
                peer["rate"],
                bench.goal(goal),
                True,
                1 / limit if mode == "single" else None,
                limited if mode == "single" else "",
            )
            for name, peer in found.items()
        ]
    return rows
