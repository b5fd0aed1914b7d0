"""How fast datasets compute in dask, xarray and pandas, beside files that astropy reads.

    python benchmarks/array_speed.py [--planes 256] [--runs 5] [--folder /tmp]

Both sides hold the same values in a file system cache that is warm; runs take turns. The pool is
opened anew for each run, before the clock starts, so that nothing is in its memory. It decompresses
and checks every byte against its digest; astropy maps files into memory and checks nothing. Values
are float32 noise, the case that compresses least.

- `mean of a cube`: along the first axis.
- `mean of a stack`: of 20 images of 1024 x 1024, each a product of its own.
- `one spectrum`: all planes of one pixel.
- `cutout`: 32 x 32 of a plane.
- `column`: one of 40 columns of 500,000 rows, as a data frame.
- `1,000 points`: at random in a box of 64 x 64 x 64.

CPU times, of all threads, say more than the clock on a busy machine.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.table import Table

import skypool as sp

Work = Callable[[sp.Pool], object]


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def make(folder: Path, planes: int) -> None:
    """Write the files and add them to a pool."""
    rng = np.random.default_rng(1)
    cube = rng.normal(0, 1, (planes, 512, 512)).astype(">f4")
    fits.PrimaryHDU(cube).writeto(folder / "cube.fits")
    (folder / "stack").mkdir()
    for n in range(20):
        image = rng.normal(0, 1, (1024, 1024)).astype(">f4")
        fits.PrimaryHDU(image).writeto(folder / f"stack/{n:02}.fits")
    columns = [
        fits.Column(f"c{n}", "E", array=rng.normal(0, 1, 500_000).astype("f4")) for n in range(40)
    ]
    fits.BinTableHDU.from_columns(columns).writeto(folder / "table.fits")
    with sp.Pool(folder / "pool") as pool:
        pool.add([folder / "cube.fits"], name="cube")
        pool.add([folder / "stack"], name="stack")
        pool.add([folder / "table.fits"], name="table")


def files(folder: Path, work: Callable[[Any], object], name: str = "cube.fits") -> Work:
    """Return what opens a file with astropy's memory map and works with its first array."""

    def run(pool: sp.Pool) -> object:
        with fits.open(folder / name, memmap=True) as hdus:
            return work(hdus[0].data)

    return run


def dask_of_map(values: Any, rows: int) -> da.Array:
    # Without a name, which would cost a hash of all values.
    return da.from_array(values, chunks=(rows, *values.shape[1:]), name=False)


def stack_ours(pool: sp.Pool) -> object:
    arrays = [pool[f"stack/{n:02}.fits"].product["image"].to_dask() for n in range(20)]
    return da.stack(arrays).mean(axis=0).compute()


def stack_astropy(folder: Path) -> Work:
    def run(pool: sp.Pool) -> object:
        with ExitStack() as closing:
            parts = []
            for n in range(20):
                hdus = closing.enter_context(fits.open(folder / f"stack/{n:02}.fits", memmap=True))
                parts.append(dask_of_map(hdus[0].data, 256))
            return da.stack(parts).mean(axis=0).compute()

    return run


def cube(pool: sp.Pool) -> sp.Array:
    return pool["cube"].product["image"]


def table(pool: sp.Pool) -> sp.Table:
    return next(d for d in pool["table"].product.datasets.values() if isinstance(d, sp.Table))


def rows(folder: Path) -> list[tuple[str, str, Work]]:
    """Return (work, who, what is run); the first of a work is ours, the others peers."""
    points = tuple(np.random.default_rng(2).integers(0, 64, (3, 1000)))
    place = (100, slice(200, 232), slice(300, 332))

    def section(pool: sp.Pool) -> object:
        with fits.open(folder / "cube.fits") as hdus:
            return hdus[0].section[place]

    def by_xarray(pool: sp.Pool) -> object:
        with xr.open_dataset(pool["cube"], engine="skypool", coordinates=False) as data:
            return data.image[place].values

    def column_map(pool: sp.Pool) -> object:
        with fits.open(folder / "table.fits", memmap=True) as hdus:
            return np.array(hdus[1].data["c7"])

    def whole_table(pool: sp.Pool) -> object:
        return Table.read(folder / "table.fits")[["c7"]].to_pandas()

    mean = "mean of a cube"
    return [
        (mean, "dask over our tiles", lambda p: cube(p).to_dask().mean(axis=0).compute()),
        (mean, "image.mean(axis=0)", lambda p: cube(p).mean(axis=0)),
        (mean, "dask over astropy's map", files(
            folder, lambda d: dask_of_map(d, 16).mean(axis=0).compute())),
        (mean, "numpy over astropy's map", files(folder, lambda d: np.mean(d, axis=0))),
        ("mean of a stack", "dask over our tiles", stack_ours),
        ("mean of a stack", "dask over astropy's maps", stack_astropy(folder)),
        ("one spectrum", "image[:, 99, 99]", lambda p: cube(p)[:, 99, 99]),
        ("one spectrum", "astropy's map", files(folder, lambda d: np.array(d[:, 99, 99]))),
        ("cutout", "slicing", lambda p: cube(p)[place]),
        ("cutout", "xarray, engine skypool", by_xarray),
        ("cutout", "astropy's section", section),
        ("cutout", "astropy's map", files(folder, lambda d: np.array(d[place]))),
        ("column", "to_pandas() of one", lambda p: table(p)[["c7"]].to_pandas()),
        ("column", "to_astropy(lazy=True)", lambda p: table(p).to_astropy(lazy=True)["c7"]),
        ("column", "Table.read, to_pandas()", whole_table),
        ("column", "astropy's map", column_map),
        ("1,000 points", "image[i, j, k]", lambda p: cube(p)[points]),
        ("1,000 points", "astropy's map", files(folder, lambda d: np.array(d[points]))),
    ]  # fmt: skip


def measure(
    folder: Path, listed: list[tuple[str, str, Work]], runs: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return medians of seconds of clock and of CPU, after one run that does not count."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(runs + 1):
        for work, who, function in listed:
            with sp.Pool(folder / "pool", "r") as pool:
                pool["cube"]  # the catalogue is open
                before, start = cpu(), time.perf_counter()
                function(pool)
                found = time.perf_counter() - start, cpu() - before
            if turn:
                taken.setdefault((work, who), []).append(found)
    return {
        key: (statistics.median(c for c, _ in found), statistics.median(u for _, u in found))
        for key, found in taken.items()
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--planes", type=int, default=256)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        make(folder, given.planes)
        listed = rows(folder)
        found = measure(folder, listed, given.runs)
    first: dict[str, tuple[float, float]] = {}
    titles = ("clock ms", "CPU ms", "clock ratio", "CPU ratio")
    print(f"{'work':<16} {'by':<26}" + "".join(f"{title:>12}" for title in titles))
    for work, who, _ in listed:
        clock, used = found[work, who]
        base = first.setdefault(work, (clock, used))
        figures = (clock * 1e3, used * 1e3, clock / base[0], used / max(base[1], 1e-6))
        print(f"{work:<16} {who:<26}" + "".join(f"{figure:>12.2f}" for figure in figures))
    print("ratio: how many times as long as the first line of the work")


if __name__ == "__main__":
    main()
