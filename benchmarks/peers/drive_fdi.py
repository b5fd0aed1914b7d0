"""fdi, as the benchmarks drive it. It syncs nothing, and takes no numpy arrays."""

from __future__ import annotations

import array
import time
from pathlib import Path
from typing import Any

from driver import Acknowledged, Attempt, folder_bytes, main, spare, timed, wait_until
from fdi.dataset.arraydataset import ArrayDataset
from fdi.dataset.metadata import Parameter
from fdi.dataset.product import Product
from fdi.pal.context import MapContext
from fdi.pal.productstorage import ProductStorage


def _open(folder: str, *, new: bool = False) -> ProductStorage:
    return ProductStorage(poolname="pool", poolurl=f"file://{folder}/pool", makenew=new)


def _product(meta: dict[str, Any], arrays: dict[str, Any]) -> Product:
    product = Product(description="benchmark product")
    for key, value in meta.items():
        product.meta[key] = Parameter(value=value)
    for name, data in arrays.items():
        dataset = ArrayDataset(data=array.array("f", data.tobytes()))
        dataset.meta["width"] = Parameter(value=data.shape[-1])
        product[name] = dataset
    return product


def _save_tree(storage: ProductStorage, items: list[Any], tag: str, levels: dict[str, Any]) -> None:
    contexts: dict[str, MapContext] = {}
    for item in items:
        context = contexts.setdefault(item.level, MapContext(description=item.level))
        context["refs"][item.name] = storage.save(_product(item.meta, item.arrays))
    for level, context in contexts.items():
        levels[level] = storage.save(context)
    root = MapContext(description="observation")
    for level, ref in levels.items():
        root["refs"][level] = ref
    storage.save(root, tag=tag)


def _warm_up(folder: str) -> None:
    """Save once elsewhere."""
    import numpy as np

    with spare(folder) as place:
        storage = ProductStorage(poolname="spare", poolurl=f"file://{place}/spare", makenew=True)
        storage.save(_product({"key00": 1}, {"image": np.ones((4, 4), np.float32)}))


def observation(data: str, folder: str) -> dict[str, Any]:
    """Save 40 products as a tree, then eight of them changed."""
    from workload import observation as items_of

    first, second = items_of(Path(data)), items_of(Path(data), reprocessed=True)
    levels: dict[str, Any] = {}
    _warm_up(folder)
    with timed() as saving:
        storage = _open(folder, new=True)
        _save_tree(storage, first, "obs", levels)
    saved = folder_bytes(folder)
    with timed() as again:
        _save_tree(storage, second, "obs2", levels)
    added = folder_bytes(folder) - saved
    return {"save": saving.seconds, "bytes": saved, "again": again.seconds, "added": added}


def small(folder: str, count: int, mode: str) -> dict[str, Any]:
    """Save small products; fdi knows no transaction, so both modes are the same."""
    from workload import small_products

    products = small_products(0, count)
    _warm_up(folder)
    storage = _open(folder, new=True)
    with timed() as clock:
        for _, meta, arrays in products:
            storage.save(_product(meta, arrays))
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def image(folder: str) -> dict[str, Any]:
    """Open an observation and read one image."""
    import numpy as np

    root = _open(folder).load("obs2")[0].product
    product = root["refs"]["level2"].product["refs"]["level2_3"].product
    return {"sum": float(np.frombuffer(product["image"].data, "f4").sum(dtype="f8"))}


def make(folder: str) -> dict[str, Any]:
    """Make an empty pool for workers."""
    _open(folder, new=True)
    return {}


def work(folder: str, worker: int, count: int, start: float, size: int = 16) -> dict[str, Any]:
    """Save products and note what is acknowledged, until killed where count is 0."""
    import numpy as np
    from workload import small_metadata

    storage = _open(folder)
    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)
    noted, errors, number = Acknowledged(folder, worker), [], worker * 100_000
    wait_until(start)
    begun = time.perf_counter()
    while not count or number - worker * 100_000 < count:
        product = _product(small_metadata(number), {"image": pixels + np.float32(number)})
        with Attempt() as attempt:
            noted.note(number, storage.save(product).urn)
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

    def right(urn: str, number: int) -> bool:
        product = storage.load(urn).product
        same = product.meta["key00"].value == small_metadata(number)["key00"]
        data = np.frombuffer(product["image"].data, "f4").reshape(size, size)
        return same and np.array_equal(data, pixels + np.float32(number))

    with Attempt() as opening:
        storage = _open(folder)
    found["opens"] = not opening.error
    if opening.error:
        return {**found, "errors": [opening.error]}
    errors = []
    for number, urn in noted:
        with Attempt() as attempt:
            found["right" if right(urn, number) else "wrong"] += 1
        errors += [attempt.error] if attempt.error else []
    with Attempt() as saving:
        storage.save(_product({}, {"image": pixels}))
    found["saves"] = not saving.error
    errors += [saving.error] if saving.error else []
    return {**found, "errors": errors}


def versions() -> dict[str, Any]:
    """What ran."""
    from importlib.metadata import version

    return {"versions": {name: version(name) for name in ("fdi", "numpy")}}


if __name__ == "__main__":
    main(
        {
            verb.__name__: verb
            for verb in (observation, small, image, make, work, check, versions)
        }
    )  # fmt: skip
