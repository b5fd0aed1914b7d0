"""Measure a mounted pool against the same files in a folder: `python benchmarks/mount_speed.py`.

Both sides take turns. Wall time says what a user sees on a machine that does nothing else; CPU
time, of the program and of the process that serves the mount, hardly depends on what else runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits

import skypool as sp

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(process: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / _TICKS


@contextmanager
def mounted(pool: Path, folder: Path) -> Iterator[int]:
    """Mount a pool, and give the number of the process."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "skypool", "-p", str(pool), "mount", "-f", str(folder)],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            subprocess.run(["fusermount3", "-u", str(folder)], check=False, timeout=60)


def forget(path: Path) -> None:
    """Have the kernel forget what it has read of a file."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def read_all(path: Path) -> None:
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def cutout(path: Path) -> None:
    with fits.open(path, memmap=True) as hdus:
        np.array(hdus[0].section[3000:3100, 3000:3100])


def listing(path: Path) -> None:
    subprocess.run(["ls", "-l", str(path)], stdout=subprocess.DEVNULL, check=True, timeout=120)


def measured(work: Callable[[Path], None], path: Path, server: int) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    begun, cpu = time.perf_counter(), cpu_of(os.getpid()) + (cpu_of(server) if server else 0)
    work(path)
    wall = time.perf_counter() - begun
    return wall, cpu_of(os.getpid()) + (cpu_of(server) if server else 0) - cpu


def compare(
    what: str,
    work: Callable[[Path], None],
    ours: Path,
    plain: Path,
    server: int,
    size: float,
    *,
    fresh: bool = True,
) -> None:
    """Print one line: wall of both, their ratio, and our CPU.

    Unless *fresh*, the kernel may keep what it has read.
    """
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "plain": []}
    for _ in range(5):
        for name, path in (("ours", ours), ("plain", plain)):
            if path.is_file() and fresh:
                forget(path)
            found[name].append(measured(work, path, server if name == "ours" else 0))
    wall = {name: statistics.median(w for w, _ in each) for name, each in found.items()}
    cpu = statistics.median(c for _, c in found["ours"])
    best = min(w for w, _ in found["ours"])
    rate = (
        f"  {size / 1e6 / best:6.0f} MB/s at best, {size / 1e6 / cpu:.0f} MB per CPU s"
        if size
        else ""
    )
    print(
        f"{what:28}  mount {wall['ours'] * 1e3:8.1f} ms  plain {wall['plain'] * 1e3:8.1f} ms"
        f"  ratio {wall['ours'] / wall['plain']:5.1f}  best {best * 1e3:8.1f} ms"
        f"  CPU {cpu * 1e3:7.0f} ms{rate}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--pixels", type=int, default=7000)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        os.environ["SKYPOOL_CACHE"] = str(base / "cache")
        folder, many = base / "seq", base / "many"
        folder.mkdir()
        many.mkdir()
        shape = (options.pixels, options.pixels)
        noise = (rng.normal(size=shape) * 3 + 100).astype(">f4")
        fits.PrimaryHDU(noise).writeto(folder / "noise.fits")
        counts = rng.poisson(100, size=shape).astype(">i2")
        fits.PrimaryHDU(counts).writeto(folder / "counts.fits")
        for number in range(options.files):
            (many / f"file{number:05d}.txt").write_bytes(b"%d" % number * (number % 50 + 1))
        with sp.Pool(base / "pool") as pool:
            pool.add([folder, many])
        mount = base / "mnt"
        for file in ("noise.fits", "counts.fits"):
            with mounted(base / "pool", mount) as server:
                path = folder / file
                size = path.stat().st_size
                compare(f"read {file}, {size / 1e6:.0f} MB", read_all, mount / "seq" / file, path,
                        server, size)  # fmt: skip
                compare("the same again", read_all, mount / "seq" / file, path, server, size,
                        fresh=False)  # fmt: skip
                compare("memmap cutout 100 x 100", cutout, mount / "seq" / file, path, server, 0)
        with mounted(base / "pool", mount) as server:
            what = f"ls -l of {options.files}, first"
            wall, cpu = measured(listing, mount / "many", server)
            print(f"{what:28}  mount {wall * 1e3:8.1f} ms"
                  f"  CPU {cpu * 1e3:.0f} ms")  # fmt: skip
            compare(f"ls -l of {options.files}, again", listing, mount / "many", many, server, 0)


if __name__ == "__main__":
    main()
