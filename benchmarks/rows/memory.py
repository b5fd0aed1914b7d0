"""The most memory that taking in one large file needs."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from astropy.io import fits
from engines import Engine, GitAnnex
from measure import MB, Figure, peak_memory

from rows import Bench
from rows.files import engines_of

ROWS = 4096


def memory_rows(bench: Bench) -> list[Figure]:
    """Take in an image of float32, 5 GB at full size."""
    folder = bench.folder("large")
    megabytes = 5000 if bench.scale == 1 else 500
    path = folder / "large.fits"
    write_large(path, megabytes)

    def peak(kind: type[Engine]) -> float:
        engine = kind(bench.folder(f"large-{kind.name.split()[0]}"))
        words = engine.save_words(folder)
        found = peak_memory(words, engine.environment, cwd=folder.parent) / MB
        engine.close()
        return found

    # git-annex moves the file. Nothing is timed, so every core has one.
    kinds = [kind for kind in engines_of(bench) if kind is not GitAnnex]
    with ThreadPoolExecutor(bench.bounds.cores) as threads:
        found = dict(zip((kind.name for kind in kinds), threads.map(peak, kinds), strict=True))
    shutil.rmtree(folder)
    ours = found.pop("skypool")
    work = f"take in one file of {megabytes / 1000:g} GB: peak memory"
    return [Figure(work, "MB", ours, name, peer, bench.goal(400.0)) for name, peer in found.items()]


def write_large(path: Path, megabytes: int) -> None:
    """Write noise on a slope: nothing in it repeats, and making it is quick."""
    width = 25_000
    height = megabytes * 1_000_000 // (4 * width)
    header = fits.PrimaryHDU(np.zeros((1, 1), ">f4")).header
    header["NAXIS1"], header["NAXIS2"] = width, height
    noise = np.random.default_rng(3).standard_normal((ROWS, width), np.float32)
    with path.open("wb") as file:
        file.write(header.tostring().encode("ascii"))
        for first in range(0, height, ROWS):
            block = noise[: min(ROWS, height - first)] + np.float32(first * 1.37e-3)
            file.write(block.astype(">f4"))
        file.write(bytes(-file.tell() % 2880))
