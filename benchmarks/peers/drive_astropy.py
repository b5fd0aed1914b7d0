"""Plain FITS files written and read with astropy, as the benchmarks drive them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from driver import Acknowledged, Attempt, folder_bytes, main, median, spare, timed, wait_until
from fits_files import read, read_array, sync, write


def _save_tree(folder: Path, items: list[Any]) -> None:
    for item in items:
        path = folder / item.level / f"{item.name}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, item.meta, item.arrays)
        sync(path)


def _warm_up(folder: str) -> None:
    """Write and read once elsewhere."""
    import numpy as np

    with spare(folder) as place:
        write(place / "warm.fits", {"key00": 1}, {"image": np.ones((300, 300), np.float32)})
        sync(place / "warm.fits")
        read(place / "warm.fits")


def observation(data: str, folder: str) -> dict[str, Any]:
    """Write 40 files, each synced; then eight of them changed, into a folder of their own."""
    from workload import observation as items_of

    first, second = items_of(Path(data)), items_of(Path(data), reprocessed=True)
    _warm_up(folder)
    with timed() as saving:
        _save_tree(Path(folder) / "v1", first)
    saved = folder_bytes(folder)
    with timed() as again:
        _save_tree(Path(folder) / "v2", second)
    added = folder_bytes(folder) - saved
    return {"save": saving.seconds, "bytes": saved, "again": again.seconds, "added": added}


def small(folder: str, count: int, mode: str) -> dict[str, Any]:
    """Write small files: not synced in bulk, each synced when single."""
    from workload import small_products

    products = small_products(0, count)
    place = Path(folder) / "products"
    place.mkdir()
    _warm_up(folder)
    with timed() as clock:
        for number, meta, arrays in products:
            write(place / f"p{number}.fits", meta, arrays)
            if mode == "single":
                sync(place / f"p{number}.fits")
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def image(folder: str) -> dict[str, Any]:
    """Read one image."""
    data = read_array(f"{folder}/v2/level2/level2_3.fits", "image")
    return {"sum": float(data.sum(dtype="f8"))}


def cutouts(folder: str, data: str) -> dict[str, Any]:
    """Read sections of 32 x 32 pixels."""
    from workload import observation as items_of

    box = (slice(10, 42), slice(10, 42))
    read_array(f"{folder}/v1/level2/level2_0.fits", "image", box)
    found = []
    for item in items_of(Path(data))[:32]:
        with timed(settle=False) as clock:
            read_array(f"{folder}/v1/{item.level}/{item.name}.fits", "image", box)
        found.append(clock.seconds)
    return {"seconds": median(found)}


def make_images(folder: str, data: str) -> dict[str, Any]:
    """Write the images that are searched by their pixels."""
    from workload import images

    with timed() as clock:
        for number, pixels in images(Path(data)):
            write(Path(folder) / f"i{number}.fits", {"number": number}, {"image": pixels})
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def images_over(folder: str, limit: float) -> dict[str, Any]:
    """Read every image and look."""
    _warm_up(folder)
    with timed(settle=False) as clock:
        paths = Path(folder).iterdir()
        count = sum(bool(read_array(path, "image").max() > limit) for path in paths)
    return {"seconds": clock.seconds, "count": count}


def make(folder: str) -> dict[str, Any]:
    """Make the folder that workers write to."""
    (Path(folder) / "products").mkdir()
    return {}


def work(folder: str, worker: int, count: int, start: float, size: int = 16) -> dict[str, Any]:
    """Write files and note what is done, until killed where count is 0."""
    import numpy as np
    from workload import small_metadata

    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)
    noted, number = Acknowledged(folder, worker), worker * 100_000
    wait_until(start)
    begun = time.perf_counter()
    while not count or number - worker * 100_000 < count:
        path = f"{folder}/products/p{number}.fits"
        write(path, small_metadata(number), {"image": pixels + np.float32(number)})
        noted.note(number)
        number += 1
    return {"seconds": time.perf_counter() - begun, "errors": []}


def check(folder: str, size: int = 16) -> dict[str, Any]:
    """Look what became of everything that was written."""
    import numpy as np
    from workload import small_metadata

    noted = {number for number, _ in Acknowledged.read(folder)}
    found = {"acknowledged": len(noted), "right": 0, "wrong": 0, "torn": 0, "opens": True}
    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)
    errors = []
    for path in sorted(Path(folder, "products").glob("*.fits")):
        number, same = int(path.stem[1:]), False
        with Attempt() as attempt:
            meta, arrays = read(path)
            same = meta["KEY00"] == small_metadata(number)["key00"]
            same = same and np.array_equal(arrays["image"], pixels + np.float32(number))
        errors += [attempt.error] if attempt.error else []
        if number not in noted:
            found["torn"] += not same
        elif not attempt.error:
            found["right" if same else "wrong"] += 1
    return {**found, "saves": True, "errors": errors}


def versions() -> dict[str, Any]:
    """What ran."""
    import astropy
    import numpy as np

    return {"versions": {"astropy": astropy.__version__, "numpy": np.__version__}}


if __name__ == "__main__":
    main(
        {
            verb.__name__: verb
            for verb in (
                observation, small, image, cutouts, make_images, images_over,
                make, work, check, versions,
            )
        }
    )  # fmt: skip
