"""The comparisons, each against its peer in the same run."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from engines import Borg, Engine, Ours, Restic
from measure import Figure, command, folder_bytes, medians, python, sync_file, timed
from workload import OBSID, Item, change_files, fits_file, observation, write_files

import skypool as sp

MB = 1e6


# -- an observation -----------------------------------------------------------------------


def _product(item: Item) -> sp.Product:
    datasets: dict[str, Any] = dict(item.arrays)
    return sp.Product(
        kind="SimpleImage",
        type=f"BENCH{item.meta['band']}",
        description="benchmark product",
        instrument="SPIRE",
        meta={key: value for key, value in item.meta.items() if key != "instrument"},
        datasets=datasets,
    )


def _tree(items: list[Item]) -> sp.Product:
    levels: dict[str, dict[str, sp.Product]] = {}
    for item in items:
        levels.setdefault(item.level, {})[item.name] = _product(item)
    return sp.Product(
        kind="ObservationContext",
        type="OBS",
        description="benchmark observation",
        meta={"obsid": OBSID},
        refs={
            level: sp.Product(kind="MapContext", type="LEVEL", description=level, refs=products)
            for level, products in levels.items()
        },
    )


def _astropy_save(folder: Path, items: list[Item]) -> None:
    for item in items:
        path = folder / item.level / f"{item.name}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        fits_file(item).writeto(path, overwrite=True)
        sync_file(path)


def observation_rows(scratch: Path, size: int, runs: int) -> list[Figure]:
    """Save 40 products, then again with the eight of level 2 reprocessed."""
    first = list(observation(size))
    second = [item for item in observation(size, reprocessed=True) if item.level == "level2"]
    added: dict[str, float] = {}

    def ours(run: int) -> float:
        folder = scratch / f"observation-{run}.pool"
        tree = _tree(first)
        with timed() as clock:
            pool = sp.Pool(f"{folder}")
            pool.save(tree, name=str(OBSID))
        added["ours"] = folder_bytes(folder)
        return clock.seconds

    def peer(run: int) -> float:
        folder = scratch / f"observation-{run}.fits"
        with timed() as clock:
            _astropy_save(folder, first)
        added["peer"] = folder_bytes(folder)
        return clock.seconds

    def ours_again(run: int) -> float:
        folder = scratch / f"observation-{run}.pool"
        pool = sp.Pool(f"{folder}")
        before = folder_bytes(folder)
        tree = pool[str(OBSID)].product
        level = tree.refs["level2"].product
        replaced = {}
        for item in second:
            old = level.refs[item.name].product
            replaced[item.name] = old.replace(
                meta={"key00": item.meta["key00"]},
                # The coverage is the pool's own, so it is neither read nor hashed.
                datasets={"image": item.arrays["image"], "error": item.arrays["error"]},
            )
        with timed() as clock:
            pool.save(tree.replace(refs={"level2": level.replace(refs=replaced)}))
        added["ours again"] = folder_bytes(folder) - before
        return clock.seconds

    def peer_again(run: int) -> float:
        folder = scratch / f"observation-{run}.fits.2"
        with timed() as clock:
            _astropy_save(folder, second)
        added["peer again"] = folder_bytes(folder)
        return clock.seconds

    save, peer_save, again, peer_save_again = medians(runs, ours, peer, ours_again, peer_again)
    mb = {key: value / MB for key, value in added.items()}
    goals = (0.15, 12.0) if size == 512 else (None, None)
    name = "astropy, each file fsynced"
    work = "save it again, 8 of 40 reprocessed"
    return [
        Figure("save an observation of 40 products", "s", save, name, peer_save, peer_save),
        Figure("  on disk", "MB", mb["ours"], name, mb["peer"], 0.8 * mb["peer"]),
        Figure(work, "s", again, name, peer_save_again, goals[0]),
        Figure("  added on disk", "MB", mb["ours again"], name, mb["peer again"], goals[1]),
    ]


def reading_rows(scratch: Path, runs: int) -> list[Figure]:
    """Read one image in a fresh process, and small cutouts in an open pool."""
    pool_folder = scratch / "observation-0.pool"
    files = scratch / "observation-0.fits"

    ours_code = (
        "import sys, numpy as np, skypool as sp\n"
        "pool = sp.Pool(sys.argv[1], mode='r')\n"
        f"image = np.asarray(pool['{OBSID}/level2/level2_3'].product['image'])\n"
        "print(float(image.sum(dtype='f8')))"
    )
    peer_code = (
        "import sys, numpy as np\n"
        "from astropy.io import fits\n"
        "image = fits.getdata(sys.argv[1], 'IMAGE')\n"
        "print(float(image.sum(dtype='f8')))"
    )
    answers: set[str] = set()

    def ours(_: int) -> float:
        with timed() as clock:
            text = python(ours_code, pool_folder)
        answers.add(text.strip()[:9])
        return clock.seconds

    def peer(_: int) -> float:
        with timed() as clock:
            text = python(peer_code, scratch / "observation-0.fits.2/level2/level2_3.fits")
        answers.add(text.strip()[:9])
        return clock.seconds

    fresh, peer_fresh = medians(runs + 2, ours, peer)
    if len(answers) != 1:
        raise RuntimeError(f"the two read different images: {answers}")

    names = [f"level{n}/level{n}_{k}" for n in (0, 1) for k in range(8)]
    box = (slice(10, 42), slice(10, 42))
    pool = sp.Pool(f"{pool_folder}", mode="r")
    pool[f"{OBSID}/level2/level2_0"].product["image"][box]  # opened, as the row says

    def our_cutout(run: int) -> float:
        start = time.perf_counter()
        data = pool[f"{OBSID}/{names[run]}"].product["image"][box]
        seconds = time.perf_counter() - start
        if not np.array_equal(data, fits.getdata(files / f"{names[run]}.fits", "IMAGE")[box]):
            raise RuntimeError("the cutout is not the file's")
        return 1000 * seconds

    def peer_cutout(run: int) -> float:
        start = time.perf_counter()
        with fits.open(files / f"{names[run]}.fits") as hdus:
            _ = hdus["IMAGE"].section[box]
        return 1000 * (time.perf_counter() - start)

    cutout, peer_section = medians(len(names), our_cutout, peer_cutout)
    return [
        Figure("fresh process to one image", "s", fresh, "astropy", peer_fresh, 0.30),
        Figure("cutout of 32 x 32, pool open", "ms", cutout, "astropy section", peer_section, 1.0),
    ]


def import_rows(runs: int) -> list[Figure]:
    """Import the package; its names are loaded at first use, so that is timed as well."""
    code = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"

    def importing(what: str) -> Callable[[int], float]:
        return lambda _: float(python(code.format(what)))

    bare, used, peer = medians(
        runs + 4,
        importing("import skypool"),
        importing("import skypool; skypool.Pool; skypool.Product"),
        importing("import astropy.io.fits"),
    )
    return [
        Figure("import skypool", "s", bare, "astropy.io.fits", peer, 0.08),
        Figure("  and load Pool and Product", "s", used, "astropy.io.fits", peer),
    ]


# -- a gigabyte of files ------------------------------------------------------------------


class Files:
    """The files, as they were and with ten of them changed, made once and copied into place."""

    def __init__(self, scratch: Path, fraction: float) -> None:
        self.first, self.folder = scratch / "original", scratch / "files"
        self.changed = scratch / "changed"
        self.names = [path.name for path in write_files(self.first, fraction)]
        shutil.copytree(self.first, self.changed)
        kept = {path.name for path in change_files(self.changed, fraction)}
        for path in self.changed.iterdir():
            if path.name not in kept:
                path.unlink()

    def start(self) -> None:
        """Put the files into place as they were, as old as files are when they are saved."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.first, self.folder, copy_function=shutil.copyfile)
        time.sleep(2.5)  # no program trusts the times of a file that has just been written

    def change(self) -> None:
        """Write ten of them anew."""
        for path in self.changed.iterdir():
            shutil.copyfile(path, self.folder / path.name)
        time.sleep(2.5)


def _one_engine(engine: Engine, files: Files) -> dict[str, float]:
    """Take the files in, change ten, take them in again, read one, verify."""
    files.start()
    found: dict[str, float] = {}
    with timed() as clock:
        engine.save(files.folder)
    found["save"], found["bytes"] = clock.seconds, folder_bytes(engine.place)
    files.change()
    with timed() as clock:
        engine.save(files.folder)
    found["again"] = clock.seconds
    found["added"] = folder_bytes(engine.place) - found["bytes"]
    chosen = files.folder / "map007.fits"
    with timed() as clock:
        data = engine.read_one(chosen)
    found["read"] = clock.seconds
    if data != chosen.read_bytes():
        raise RuntimeError(f"{engine.name} gave back another file")
    with timed() as clock:
        engine.verify()
    found["verify"] = clock.seconds
    return found


def file_rows(scratch: Path, fraction: float, peers: list[str], runs: int) -> list[Figure]:
    """Take in 979 MB in 100 files, change 10, take in again, read one back, verify all."""
    files = Files(scratch, fraction)
    kinds = [Ours, *(kind for kind in (Borg, Restic) if kind.name.split()[0] in peers)]
    results: dict[str, list[dict[str, float]]] = {}
    for run in range(runs):
        for kind in kinds:
            place = scratch / f"{kind.name.split()[0]}-{run}"
            place.mkdir()
            engine = kind(place)
            found = _one_engine(engine, files)
            if kind is Ours:
                found["open"] = _read_in_process(engine.place, place)
                found["sha256"] = _sha256(files.folder)
            results.setdefault(kind.name, []).append(found)
            shutil.rmtree(place)
    middle = {
        name: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for name, found in results.items()
    }
    ours = middle.pop(Ours.name)
    full = fraction == 1.0
    size = folder_bytes(files.first) / MB
    rows: list[Figure] = []
    for name, peer in middle.items():
        rows += [
            _against(name, f"take in 100 files, {size:.0f} MB", "s", ours, peer, "save"),
            _against(name, "  on disk", "MB", ours, peer, "bytes", 360.0 if full else None),
            _against(name, "take in again, 10 changed", "s", ours, peer, "again"),
            _against(name, "  added on disk", "MB", ours, peer, "added", 20.0 if full else None),
            _against(name, "get one file back, new process", "s", ours, peer, "read"),
            _against(name, "verify every byte", "s", ours, peer, "verify"),
        ]
    verify, sha256 = ours["verify"], ours["sha256"]
    return [
        *rows,
        Figure("get one file back, pool open", "s", ours["open"], "", None, 0.1),
        Figure(
            "verify every byte of the pool", "s", verify, "sha256sum of the files", sha256, sha256
        ),
    ]


def _against(
    name: str,
    work: str,
    unit: str,
    ours: dict[str, float],
    peer: dict[str, float],
    key: str,
    goal: float | None = None,
) -> Figure:
    scale = MB if unit == "MB" else 1.0
    theirs = peer[key] / scale
    return Figure(work, unit, ours[key] / scale, name, theirs, goal or theirs)


def _read_in_process(place: Path, scratch: Path) -> float:
    pool = sp.Pool(f"{place}", mode="r")
    with timed() as clock:
        pool.export(pool["files/map009.fits"], scratch / "out-open")
    return clock.seconds


def _sha256(folder: Path) -> float:
    with timed() as clock:
        command(["sha256sum", *sorted(folder.iterdir())])
    return clock.seconds
