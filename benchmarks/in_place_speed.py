"""Adding files in place beside `sha256sum`, and headers alone beside astropy.

Run: python benchmarks/in_place_speed.py [--megabytes N] [--files N]. CPU time of whole processes,
the best of three runs: the machine may be doing other things. A million files, their memory, kills
and another writer: `benchmarks/million_in_place.py`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

_ASTROPY = """
import sys, pathlib
from astropy.io import fits
for path in pathlib.Path(sys.argv[1]).iterdir():
    with fits.open(path) as hdus:
        for hdu in hdus:
            dict(hdu.header)
"""


def seconds(words: Sequence[str], before: object = None) -> float:
    """Return the CPU seconds of a process, the best of three runs."""
    best = float("inf")
    for _ in range(3):
        if callable(before):
            before()
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    return best


def write(folder: Path, files: int, size: int) -> None:
    """Write images with noise, and cards as archives have them."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(files):
        data = random.normal(size=(size, size)).astype("f4")
        header = fits.Header([(f"KEY{n}", n * 1.5, "a card") for n in range(60)])
        fits.PrimaryHDU(data, header).writeto(folder / f"{number}.fits")
        os.utime(folder / f"{number}.fits", (1.5e9, 1.5e9))


def show(what: str, ours: float, peer: str, theirs: float, rate: str) -> None:
    """Print one line."""
    print(
        f"{what:<34}{ours:8.2f} s   {peer:<22}{theirs:8.2f} s   ratio {ours / theirs:5.2f}   {rate}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        pool = base / "pool"
        sky = [sys.executable, "-m", "skypool", "-p", str(pool)]

        def afresh() -> None:
            shutil.rmtree(pool, ignore_errors=True)

        side = 2048
        write(base / "large", max(1, options.megabytes * 10**6 // (4 * side * side)), side)
        size = sum(path.stat().st_size for path in (base / "large").iterdir())
        paths = [str(path) for path in (base / "large").iterdir()]
        peer = seconds(["sha256sum", *paths])
        ours = seconds([*sky, "add", "--in-place", str(base / "large")], afresh)
        show("add --in-place", ours, "sha256sum", peer, f"{size / ours / 1e6:,.0f} MB/s")

        def headers() -> None:
            afresh()
            words = [*sky, "add", "--in-place", "--headers-only", str(base / "large")]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        ours = seconds([*sky, "complete"], headers)
        show("complete", ours, "sha256sum", peer, f"{size / ours / 1e6:,.0f} MB/s")

        write(base / "many", options.files, 64)
        peer = seconds([sys.executable, "-c", _ASTROPY, str(base / "many")])
        ours = seconds([*sky, "add", "--in-place", "--headers-only", str(base / "many")], afresh)
        show("add --headers-only", ours, "astropy, headers", peer, f"{options.files / ours:,.0f}/s")
        again = seconds([*sky, "add", "--in-place", "--headers-only", str(base / "many")])
        show("the same again", again, "astropy, headers", peer, f"{options.files / again:,.0f}/s")
        ours = seconds([*sky, "status"])
        show("status", ours, "astropy, headers", peer, f"{options.files / ours:,.0f}/s")


if __name__ == "__main__":
    main()
