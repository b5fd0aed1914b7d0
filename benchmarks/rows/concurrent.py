"""Four processes that save at once, and processes that are killed while they save."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from environments import Peer, quiet_environment
from measure import Figure

from rows import Bench

WORKERS = 4
TITLES = {"astropy": "astropy files", "butler": "Butler", "fdi": "fdi"}


def _start(peer: Peer, **arguments: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        peer.words("work", **arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=quiet_environment(),
    )


# -- many at once -------------------------------------------------------------------------


def concurrent_rows(bench: Bench) -> list[Figure]:
    """Let four processes save at once, then look for everything they were told is saved."""
    saves = int(250 * bench.scale)
    found = {}
    for peer in bench.present("skypool", "butler", "fdi"):
        folder = bench.folder(f"together-{peer.name}")
        found[peer.name] = one = _together(peer, folder, saves)
        shutil.rmtree(folder)
        bench.notes.append(
            f"{peer.title}, 4 processes: {one['acknowledged']} saves acknowledged, of these"
            f" {one['right']} are there and right, {one['wrong']} are another product,"
            f" {one['acknowledged'] - one['right'] - one['wrong']} cannot be read;"
            f" {one['died']} workers died."
        )
    ours = found.pop("skypool")
    work = f"{WORKERS} processes x {saves} saves: there and right"
    rows = []
    for name, peer in found.items():
        goal = float(WORKERS * saves)
        title = TITLES[name]
        rows += [
            Figure(work, "", ours["right"], title, peer["right"], goal, True),
            Figure("  all together", "s", ours["seconds"], title, peer["seconds"]),
        ]
    return rows


def _together(peer: Peer, folder: Path, saves: int) -> dict[str, Any]:
    peer.call("make", folder=folder)
    start = time.time() + 6
    workers = [
        _start(peer, folder=folder, worker=number, count=saves, start=start)
        for number in range(WORKERS)
    ]
    died = 0
    for worker in workers:
        try:
            died += worker.wait(timeout=300) != 0
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
            died += 1
    seconds = time.time() - start
    return {**_checked(peer, folder), "seconds": seconds, "died": died}


def _checked(peer: Peer, folder: Path, size: int = 16) -> dict[str, Any]:
    """Look at what is left; a check that dies with its peer finds nothing readable."""
    try:
        return peer.call("check", folder=folder, size=size)
    except RuntimeError as error:
        noted = sum(path.read_bytes().count(b"\n") for path in folder.glob("acknowledged-*"))
        lost = {"acknowledged": noted, "right": 0, "wrong": 0, "torn": 0}
        return {**lost, "opens": False, "saves": False, "errors": [f"{error}"[-200:]]}


# -- kill -9 ------------------------------------------------------------------------------


def kill_rows(bench: Bench) -> list[Figure]:
    """Kill a process that saves, in twenty pools, at random moments."""
    pools = max(2, int(20 * bench.scale))
    peers = bench.present("skypool", "astropy", "butler", "fdi")
    # The Butler takes seconds to make a repository, and allows copies of it.
    empty = bench.folder("killed-butler")
    for peer in bench.present("butler"):
        peer.call("make", folder=empty)
    chance = random.Random(7)
    rounds = [(peer, n, chance.uniform(0.0, 0.6)) for n in range(pools) for peer in peers]

    def one_round(peer: Peer, number: int, delay: float) -> dict[str, Any]:
        folder = bench.scratch / f"killed-{peer.name}-{number}"
        if peer.name == "butler":
            shutil.copytree(empty, folder)
        else:
            folder.mkdir()
            peer.call("make", folder=folder)
        found = _killed(peer, folder, delay)
        shutil.rmtree(folder)
        return found

    # Nothing is timed, so every core has one to kill.
    with ThreadPoolExecutor(bench.bounds.cores) as threads:
        results = list(threads.map(lambda given: one_round(*given), rounds))
    found = {peer.name: dict.fromkeys(("pools", "lost", "torn", "all"), 0) for peer in peers}
    for (peer, _, _), one in zip(rounds, results, strict=True):
        total = found[peer.name]
        total["pools"] += not (one["opens"] and one["saves"])
        total["lost"] += one["acknowledged"] - one["right"]
        total["torn"] += one["torn"]
        total["all"] += one["acknowledged"]
    bench.notes.append(
        f"Killed while saving, {pools} pools each; saves acknowledged in them: "
        + ", ".join(f"{bench.peers[name].title} {one['all']}" for name, one in found.items())
        + "."
    )
    ours = found.pop("skypool")
    rows = []
    for name, peer in found.items():
        title = TITLES[name]
        work = f"kill -9 while saving, {pools} pools: not usable"
        lost, torn = "  acknowledged products lost", "  torn products in sight"
        rows += [
            Figure(work, "", ours["pools"], title, peer["pools"], 0.0),
            Figure(lost, "", ours["lost"], title, peer["lost"], 0.0),
            Figure(torn, "", ours["torn"], title, peer["torn"], 0.0),
        ]
    return rows


def _killed(peer: Peer, folder: Path, delay: float) -> dict[str, Any]:
    """Kill a worker some time after its fifth save."""
    worker = _start(peer, folder=folder, worker=0, count=0, start=0.0, size=128)
    noted = folder / "acknowledged-0"
    while worker.poll() is None and not (noted.exists() and noted.read_bytes().count(b"\n") >= 5):
        time.sleep(0.005)
    time.sleep(delay)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    return _checked(peer, folder, size=128)
