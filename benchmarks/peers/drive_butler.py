"""lsst-daf-butler, as the benchmarks drive it. It syncs its SQLite file, not the products'."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from driver import Acknowledged, Attempt, folder_bytes, main, median, spare, timed, wait_until
from lsst.daf.butler import Butler

RUN = "run"


def _record(number: int, meta: dict[str, Any]) -> dict[str, Any]:
    return {**meta, "id": number}


def _put(
    butler: Butler, name: str, number: int, meta: dict[str, Any], arrays: Any, run: str
) -> None:
    from butler_formatter import Product

    where = {"instrument": meta["instrument"], "product": number}
    butler.put(Product(meta, arrays), name, **where, run=run)


def _save_tree(butler: Butler, items: list[Any], run: str, *, again: bool) -> None:
    if again:
        butler.collections.register(run)
    with butler.transaction():
        records = [_record(item.number, item.meta) for item in items]
        butler.registry.insertDimensionData("product", *records, replace=again)
        for item in items:
            _put(butler, item.level, item.number, item.meta, item.arrays, run)


def _warm_up(butler: Butler) -> None:
    """Put and get once, in a run of its own."""
    import numpy as np
    from workload import small_metadata

    meta = {**small_metadata(0), "instrument": "HIFI"}
    butler.collections.register("warm")
    butler.registry.insertDimensionData("product", _record(1_000_000, meta))
    _put(butler, "product", 1_000_000, meta, {"image": np.ones((4, 4), np.float32)}, "warm")
    (ref,) = butler.query_datasets("product", collections="warm", where="product.key00 = 0")
    butler.get(ref)


def observation(data: str, folder: str) -> dict[str, Any]:
    """Put 40 products into a run, then eight changed ones into another, chained before it."""
    from butler_setup import make_repository
    from lsst.daf.butler import CollectionType
    from workload import observation as items_of

    first, second = items_of(Path(data)), items_of(Path(data), reprocessed=True)
    butler = make_repository(f"{folder}/repo", "obs/v1")
    _warm_up(butler)
    empty = folder_bytes(folder)
    with timed() as saving:
        _save_tree(butler, first, "obs/v1", again=False)
        butler.collections.register("obs", CollectionType.CHAINED)
        butler.collections.redefine_chain("obs", ["obs/v1"])
    saved = folder_bytes(folder)
    with timed() as again:
        _save_tree(butler, second, "obs/v2", again=True)
        butler.collections.redefine_chain("obs", ["obs/v2", "obs/v1"])
    added = folder_bytes(folder) - saved
    found = {"save": saving.seconds, "bytes": saved, "again": again.seconds, "added": added}
    return {**found, "empty": empty}


def small(folder: str, count: int, mode: str) -> dict[str, Any]:
    """Put small products in one transaction, or one by one."""
    from butler_setup import make_repository
    from workload import small_products

    products = small_products(0, count)
    butler = make_repository(f"{folder}/repo", RUN)
    _warm_up(butler)
    with timed() as clock:
        if mode == "bulk":
            with butler.transaction():
                records = [_record(number, meta) for number, meta, _ in products]
                butler.registry.insertDimensionData("product", *records)
                for number, meta, arrays in products:
                    _put(butler, "product", number, meta, arrays, RUN)
        else:
            for number, meta, arrays in products:
                butler.registry.insertDimensionData("product", _record(number, meta))
                _put(butler, "product", number, meta, arrays, RUN)
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def grow(folder: str, data: str, count: int) -> dict[str, Any]:
    """Register existing files where they are, 10,000 at a time: putting takes too long."""
    from butler_setup import make_repository
    from fits_files import write
    from lsst.daf.butler import DataCoordinate, DatasetRef, FileDataset
    from workload import small_products

    butler = make_repository(f"{folder}/repo", RUN)
    kind = butler.get_dataset_type("product")
    seconds = 0.0
    for first in range(0, count, 10_000):
        products = small_products(first, min(10_000, count - first))
        place = Path(data) / f"files-{first}"
        place.mkdir(exist_ok=True)
        # Nobody reads these files here; ten thousand names of one are as good.
        original = place / f"p{first}.fits"
        write(original, products[0][1], products[0][2])
        files = []
        for number, meta, _ in products:
            path = place / f"p{number}.fits"
            if not path.exists():
                os.link(original, path)
            where = DataCoordinate.standardize(
                instrument=meta["instrument"], product=number, dimensions=kind.dimensions
            )
            files.append(FileDataset(path=str(path), refs=[DatasetRef(kind, where, run=RUN)]))
        records = [_record(number, meta) for number, meta, _ in products]
        with timed(settle=False) as clock:
            butler.registry.insertDimensionData("product", *records)
            butler.ingest(*files, transfer="direct")
        seconds += clock.seconds
    return {"seconds": seconds, "bytes": folder_bytes(folder)}


def search(folder: str, count: int, values: list[int]) -> dict[str, Any]:
    """Open a repository, find products by keys declared when it was made, and count values."""
    from butler_setup import make_repository
    from workload import COUNTED, number_of_two, numbers_with

    def find(value: int) -> list[int]:
        where = f"product.key00 = {value}"
        hits = butler.query_datasets("product", collections=RUN, where=where, explain=False)
        return sorted(hit.dataId["product"] for hit in hits)

    with spare(folder) as place:
        _warm_up(make_repository(f"{place}/repo", RUN))
        butler = Butler.from_config(f"{place}/repo", writeable=False)
        find(1)
    with timed(settle=False) as opening:
        butler = Butler.from_config(f"{folder}/repo", writeable=False)
    found = []
    for value in values:
        with timed(settle=False) as clock:
            numbers = find(value)
        found.append(clock.seconds)
        if numbers != numbers_with(value, count):
            raise RuntimeError(f"found {numbers} for {value}")
    two, counts = [], []
    for value in values:
        limits = f"product.key00 < {50 + value} AND product.key01 < {20 + value / 97}"
        with timed(settle=False) as clock:
            hits = butler.query_datasets(
                "product", collections=RUN, where=limits, explain=False, limit=None
            )
        two.append(clock.seconds)
        if len(hits) != number_of_two(value, count):
            raise RuntimeError(f"found {len(hits)} with two keys for {value}")
    for value in values[:5]:
        with timed(settle=False) as clock:
            records = butler.query_dimension_records(
                "product", where=f"product.key01 < {142 + value / 97}", limit=None, explain=False
            )
            for key in COUNTED:
                Counter(getattr(record, key) for record in records)
        counts.append(clock.seconds)
    rest = {"two": median(two), "counts": median(counts)}
    return {"open": opening.seconds, "first": found[0], "find": median(found[1:]), **rest}


def _one(butler: Butler, item_number: int, level: str, parameters: dict[str, Any]) -> Any:
    where = f"instrument = 'SPIRE' AND product = {item_number}"
    (ref,) = butler.query_datasets(level, collections="obs", where=where)
    return butler.get(ref, parameters=parameters).arrays["image"]


def image(folder: str) -> dict[str, Any]:
    """Open an observation and read one image."""
    butler = Butler.from_config(f"{folder}/repo", writeable=False)
    data = _one(butler, 35, "level2", {"array": "image"})
    return {"sum": float(data.sum(dtype="f8"))}


def cutouts(folder: str, data: str) -> dict[str, Any]:
    """Read parts of 32 x 32 pixels, the repository open."""
    from workload import observation as items_of

    box = (slice(10, 42), slice(10, 42))
    butler = Butler.from_config(f"{folder}/repo", writeable=False)
    _one(butler, 32, "level2", {"array": "image", "box": box})
    found = []
    for item in items_of(Path(data))[:32]:
        with timed(settle=False) as clock:
            _one(butler, item.number, item.level, {"array": "image", "box": box})
        found.append(clock.seconds)
    return {"seconds": median(found)}


def make_images(folder: str, data: str) -> dict[str, Any]:
    """Put the images that are searched by their pixels."""
    from butler_setup import make_repository
    from workload import images, small_metadata

    butler = make_repository(f"{folder}/repo", RUN)
    with timed() as clock, butler.transaction():
        for number, pixels in images(Path(data)):
            meta = {**small_metadata(0), "instrument": "SPIRE"}
            butler.registry.insertDimensionData("product", _record(number, meta))
            _put(butler, "product", number, meta, {"image": pixels}, RUN)
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def images_over(folder: str, limit: float) -> dict[str, Any]:
    """Get every image and look: a query cannot ask for pixels."""
    butler = Butler.from_config(f"{folder}/repo", writeable=False)
    with timed(settle=False) as clock:
        count = 0
        for ref in butler.query_datasets("product", collections=RUN, limit=None):
            pixels = butler.get(ref, parameters={"array": "image"}).arrays["image"]
            count += bool(pixels.max() > limit)
    return {"seconds": clock.seconds, "count": count}


def make(folder: str) -> dict[str, Any]:
    """Make an empty repository for workers."""
    from butler_setup import make_repository

    make_repository(f"{folder}/repo", RUN)
    return {}


def work(folder: str, worker: int, count: int, start: float, size: int = 16) -> dict[str, Any]:
    """Put products and note what is acknowledged, until killed where count is 0."""
    import numpy as np
    from workload import small_metadata

    butler = Butler.from_config(f"{folder}/repo", writeable=True)
    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)
    noted, errors, number = Acknowledged(folder, worker), [], worker * 100_000
    wait_until(start)
    begun = time.perf_counter()
    while not count or number - worker * 100_000 < count:
        meta = small_metadata(number)
        with Attempt() as attempt:
            butler.registry.insertDimensionData("product", _record(number, meta))
            _put(butler, "product", number, meta, {"image": pixels + np.float32(number)}, RUN)
            noted.note(number)
        errors += [attempt.error] if attempt.error else []
        number += 1
    return {"seconds": time.perf_counter() - begun, "errors": errors}


def check(folder: str, size: int = 16) -> dict[str, Any]:
    """Look what became of everything that was acknowledged."""
    import numpy as np
    from workload import small_metadata

    noted = Acknowledged.read(folder)
    found: dict[str, Any] = {"acknowledged": len(noted), "right": 0, "wrong": 0, "torn": 0}
    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)

    def right(number: int) -> bool:
        meta = small_metadata(number)
        where = {"instrument": meta["instrument"], "product": number}
        product = butler.get("product", **where, collections=RUN)
        same = product.meta["KEY00"] == meta["key00"]
        return same and np.array_equal(product.arrays["image"], pixels + np.float32(number))

    with Attempt() as opening:
        butler = Butler.from_config(f"{folder}/repo", writeable=True)
        refs = butler.query_datasets("product", collections=RUN, limit=None, explain=False)
    found["opens"] = not opening.error
    if opening.error:
        return {**found, "errors": [opening.error]}
    errors = []
    for number, _ in noted:
        with Attempt() as attempt:
            found["right" if right(number) else "wrong"] += 1
        errors += [attempt.error] if attempt.error else []
    known = {number for number, _ in noted}
    for number in (ref.dataId["product"] for ref in refs):
        if number not in known:
            with Attempt() as attempt:
                found["torn"] += not right(number)
            found["torn"] += bool(attempt.error)
    files = sum(path.suffix == ".fits" for path in Path(folder, "repo").rglob("*"))
    found["orphans"] = files - len(refs)
    with Attempt() as saving:
        meta = small_metadata(99_999)
        butler.registry.insertDimensionData("product", _record(99_999, meta))
        _put(butler, "product", 99_999, meta, {"image": pixels}, RUN)
    found["saves"] = not saving.error
    errors += [saving.error] if saving.error else []
    return {**found, "errors": errors}


def versions() -> dict[str, Any]:
    """What ran."""
    from importlib.metadata import version

    names = ("lsst-daf-butler", "SQLAlchemy", "astropy", "numpy")
    return {"versions": {name: version(name) for name in names}}


if __name__ == "__main__":
    main(
        {
            verb.__name__: verb
            for verb in (
                observation, small, grow, search, image, cutouts, make_images, images_over,
                make, work, check, versions,
            )
        }
    )  # fmt: skip
