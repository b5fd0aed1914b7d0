"""Time reading through fsspec: from a pool, beside the same files on disk.

    python benchmarks/fsspec_speed.py [FOLDER] [--side 4096]

Both sides go through fsspec, `skypool://` here and `file://` there, and read the same bytes. The
files are in the page cache. What is told is CPU time, the median of several runs each; the first
run of a pool, which decodes everything, is told apart where chunks stay in memory.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import numpy as np
from astropy.io import fits

import skypool as sp

PIECE = 4 * 1024**2
RUNS = 5


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that some work takes, threads included."""
    began = time.process_time()
    work()
    return time.process_time() - began


def sequential(url: str) -> None:
    with fsspec.open(url) as file:
        while file.read(PIECE):
            pass


def blocks(url: str) -> None:
    """As astropy reads headers and small tables: 2,880 bytes at a time."""
    with fsspec.open(url) as file:
        for _ in range(5000):
            file.read(2880)


def cutouts(url: str, side: int, count: int = 100) -> None:
    rng = random.Random(5)
    with fits.open(url, use_fsspec=True) as opened:
        section = opened[0].section
        for _ in range(count):
            y, x = rng.randrange(side - 32), rng.randrange(side - 32)
            section[y : y + 32, x : x + 32]


def headers(urls: list[str]) -> None:
    for url in urls:
        with fits.open(url, use_fsspec=True) as opened:
            opened[0].header["OBJECT"]


def frame(url: str) -> None:
    import pandas as pd

    pd.read_csv(url)


def make(folder: Path, side: int) -> tuple[str, str]:
    """Write the files and the pool; return what addresses of both start with."""
    files = folder / "files"
    if not (folder / "pool").is_dir():
        files.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(1)
        # A sky of 12 bits of noise, as of a detector.
        image = rng.normal(1000, 30, (side, side)).round(1).astype(">f4")
        fits.PrimaryHDU(image).writeto(files / "large.fits", overwrite=True)
        for n in range(100):
            small = fits.PrimaryHDU(image[:64, n : n + 64])
            small.header["OBJECT"] = f"field {n}"
            small.writeto(files / f"small{n}.fits", overwrite=True)
        rows = rng.normal(size=(100_000, 4))
        out = io.StringIO()
        np.savetxt(out, rows, fmt="%.5f", delimiter=",", header="a,b,c,d", comments="")
        (files / "table.csv").write_text(out.getvalue())
        with sp.Pool(folder / "pool", "x") as pool:
            pool.add(files, name="files")
    return f"skypool://{folder}/pool/files", f"file://{files}"


@contextmanager
def place(folder: str | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder).absolute()
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--side", type=int, default=4096, help="pixels of a side of the image")
    given = parser.parse_args(words)
    with place(given.folder) as folder:
        ours, theirs = make(folder, given.side)
        size = 4 * given.side**2 / 1e6
        cases: list[tuple[str, Callable[[str], object]]] = [
            (f"all of {size:.0f} MB, 4 MB at a time", lambda at: sequential(f"{at}/large.fits")),
            ("14 MB, 2,880 bytes at a time", lambda at: blocks(f"{at}/large.fits")),
            ("100 cutouts of 32 x 32", lambda at: cutouts(f"{at}/large.fits", given.side)),
            ("100 headers", lambda at: headers([f"{at}/small{n}.fits" for n in range(100)])),
            ("a csv table, by pandas", lambda at: frame(f"{at}/table.csv")),
        ]
        print(f"{'CPU seconds':<36}{'first':>9}{'skypool':>9}{'file':>9}{'ratio':>7}")
        for name, work in cases:
            fsspec.filesystem("skypool").close()  # forgets what is in memory
            work(theirs)
            first = cpu(lambda work=work: work(ours))
            mine = statistics.median(cpu(lambda work=work: work(ours)) for _ in range(RUNS))
            file = statistics.median(cpu(lambda work=work: work(theirs)) for _ in range(RUNS))
            print(f"{name:<36}{first:9.3f}{mine:9.3f}{file:9.3f}{mine / file:7.1f}")
        fsspec.filesystem("skypool").close()


if __name__ == "__main__":
    main(sys.argv[1:])
