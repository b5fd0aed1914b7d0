"""Read: one image in a fresh process, small cutouts, pixels of many images; and the imports."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from environments import Peer
from measure import Figure, command, in_turn, timed
from workload import prepare_images

from rows import Bench
from rows.observation import observation_rows

TITLES = {"astropy": "astropy", "butler": "Butler", "fdi": "fdi"}


def reading_rows(bench: Bench) -> list[Figure]:
    """Read from the observation that the family `observation` saved."""
    if not (bench.scratch / "observation-skypool").exists():
        observation_rows(bench)
    return [*_fresh(bench), *_cutouts(bench), *_pixels(bench)]


def _fresh(bench: Bench) -> list[Figure]:
    answers: set[str] = set()

    def reading(peer: Peer) -> Callable[[int], dict[str, Any]]:
        words = peer.words("image", folder=bench.scratch / f"observation-{peer.name}")

        def read(run: int) -> dict[str, Any]:
            with timed() as clock:
                text = command(words)
            answers.add(text[text.index('"sum": ') :].partition(",")[0])
            return {"seconds": clock.seconds}

        return read

    peers = bench.present("skypool", "astropy", "butler", "fdi")
    found = in_turn(bench.runs + 2, {peer.name: reading(peer) for peer in peers})
    if len(answers) != 1:
        raise RuntimeError(f"the peers read different images: {answers}")
    ours = found.pop("skypool")["seconds"]
    return [
        Figure(
            f"fresh process to one image of {126 * bench.scale:.0f} MB",
            "s",
            ours,
            TITLES[name],
            peer["seconds"],
            bench.goal(0.30),
            False,
            bench.bounds.numpy,
            "Python and numpy",
        )
        for name, peer in found.items()
    ]


def _cutouts(bench: Bench) -> list[Figure]:
    data = bench.scratch / "observation-data"
    peers = bench.present("skypool", "astropy", "butler")
    works = {
        peer.name: lambda _, peer=peer: peer.call(
            "cutouts", folder=bench.scratch / f"observation-{peer.name}", data=data
        )
        for peer in peers
    }
    found = in_turn(bench.runs, works)
    ours = found.pop("skypool")["seconds"]
    # A tile of 256 x 256 float32 has to be decoded and checked.
    one = 262144 * (1 / bench.bounds.hashing + 1 / bench.bounds.decoding)
    titles = {"astropy": "astropy section", "butler": "Butler, astropy section"}
    return [
        Figure(
            "cutout of 32 x 32, pool open",
            "ms",
            1e3 * ours,
            titles[name],
            1e3 * peer["seconds"],
            bench.goal(1.0),
            False,
            1e3 * one,
            "codec and hash of one tile",
        )
        for name, peer in found.items()
    ]


def _pixels(bench: Bench) -> list[Figure]:
    count = int(1000 * bench.scale)
    data = bench.folder("images-data")
    prepare_images(data, count)
    peers = bench.present("skypool", "astropy", "butler")
    works = {}
    for peer in peers:
        folder = bench.folder(f"images-{peer.name}")
        peer.call("make_images", folder=folder, data=data)
        works[peer.name] = lambda _, peer=peer, folder=folder: peer.call(
            "images_over", folder=folder, limit=20.0
        )
    found = in_turn(bench.runs, works)
    for peer in peers:
        shutil.rmtree(bench.scratch / f"images-{peer.name}")
    shutil.rmtree(data)
    ours = found.pop("skypool")
    if any(peer["count"] != ours["count"] for peer in found.values()):
        raise RuntimeError("the peers found other images")
    rows = []
    for name, peer in found.items():
        title = f"{TITLES[name]} loop over all"
        theirs = 1e3 * peer["seconds"]
        work = f"which of {count:,} images have max > x"
        rows += [
            Figure(work, "ms", 1e3 * ours["seconds"], title, theirs, bench.goal(10.0)),
            Figure("  with a Python function", "ms", 1e3 * ours["function"], title, theirs),
        ]
    return rows


def import_rows(bench: Bench) -> list[Figure]:
    """Import in a fresh process; our names are loaded at first use, so that is timed too."""
    code = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"

    def importing(peer: Peer, what: str) -> Callable[[int], dict[str, Any]]:
        words = [peer.python, "-c", code.format(what)]
        return lambda _: {"seconds": float(command(words).split()[-1])}

    ours = bench.peers["skypool"]
    works = {
        "bare": importing(ours, "import skypool"),
        "used": importing(ours, "import skypool; skypool.Pool; skypool.Product"),
        "astropy.io.fits": importing(bench.peers["astropy"], "import astropy.io.fits"),
    }
    modules = {"butler": "lsst.daf.butler", "fdi": "fdi.pal.productstorage"}
    for peer in bench.present("butler", "fdi"):
        works[modules[peer.name]] = importing(peer, f"import {modules[peer.name]}")
    found = {name: one["seconds"] for name, one in in_turn(bench.runs + 2, works).items()}
    bare, used = found.pop("bare"), found.pop("used")
    rows = []
    for name, seconds in found.items():
        rows += [
            Figure("import skypool", "s", bare, name, seconds, 0.08),
            Figure("  and load Pool and Product", "s", used, name, seconds),
        ]
    return rows
