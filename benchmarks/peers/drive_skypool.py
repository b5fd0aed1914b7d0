"""skypool, as the benchmarks drive it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from driver import Acknowledged, Attempt, folder_bytes, main, median, spare, timed, wait_until

import skypool as sp


def _product(meta: dict[str, Any], arrays: dict[str, Any]) -> sp.Product:
    return sp.Product(
        kind="SimpleImage",
        type="BENCH",
        description="benchmark product",
        instrument=meta.get("instrument", "SPIRE"),
        meta={key: value for key, value in meta.items() if key != "instrument"},
        datasets=arrays,
    )


def _tree(items: list[Any], obsid: int) -> sp.Product:
    levels: dict[str, dict[str, sp.Product]] = {}
    for item in items:
        levels.setdefault(item.level, {})[item.name] = _product(item.meta, item.arrays)
    return sp.Product(
        kind="ObservationContext",
        type="OBS",
        description="benchmark observation",
        meta={"obsid": obsid},
        refs={
            level: sp.Product(kind="MapContext", type="LEVEL", description=level, refs=products)
            for level, products in levels.items()
        },
    )


def _warm_up(folder: str) -> None:
    """Save and read once elsewhere."""
    import numpy as np

    with spare(folder) as place:
        pool = sp.Pool(f"{place}/pool")
        image = np.arange(300.0 * 300.0, dtype=np.float32).reshape(300, 300)
        pool.save(_product({"key00": 1}, {"image": image}), name="warm")
        pool = sp.Pool(f"{place}/pool", mode="r")
        (ref,) = pool.find("key00 == 1 and max(image) > 1")
        np.asarray(ref.product["image"])


def observation(data: str, folder: str) -> dict[str, Any]:
    """Save 40 products as a tree, then eight of them changed."""
    import numpy as np
    from workload import OBSID
    from workload import observation as items_of

    first, second = items_of(Path(data)), items_of(Path(data), reprocessed=True)
    _warm_up(folder)
    with timed() as saving:
        pool = sp.Pool(f"{folder}/pool")
        pool.save(_tree(first, OBSID), name=str(OBSID))
    saved = folder_bytes(folder)

    pool = sp.Pool(f"{folder}/pool")
    tree = pool[str(OBSID)].product
    level = tree.refs["level2"].product
    old = {item.name: level.refs[item.name].product for item in second}
    with timed() as again:
        changed = {}
        for item in second:
            # The coverage is the pool's own, so it is neither read nor hashed.
            arrays = {"image": item.arrays["image"], "error": item.arrays["error"]}
            meta = {"key00": item.meta["key00"]}
            changed[item.name] = old[item.name].replace(meta=meta, datasets=arrays)
        pool.save(tree.replace(refs={"level2": level.replace(refs=changed)}))
    added = folder_bytes(folder) - saved

    last = second[-1]
    for wanted, place in ((last, f"{OBSID}/level2/{last.name}"), (first[-1], None)):
        ref = pool[place] if place else pool[f"{OBSID}/level2/{last.name}@0"]
        if not np.array_equal(ref.product["image"], wanted.arrays["image"]):
            raise RuntimeError("the pool gave back another image")
    return {"save": saving.seconds, "bytes": saved, "again": again.seconds, "added": added}


def small(folder: str, count: int, mode: str) -> dict[str, Any]:
    """Save small products in one commit, or with a commit each."""
    from workload import small_products

    products = small_products(0, count)
    _warm_up(folder)
    pool = sp.Pool(f"{folder}/pool")
    pool.save(sp.Product(description="so that the pool exists"))
    with timed() as clock:
        if mode == "bulk":
            with pool.commit("bulk") as commit:
                for number, meta, arrays in products:
                    commit.save(_product(meta, arrays), name=f"products/p{number}")
        else:
            for number, meta, arrays in products:
                pool.save(_product(meta, arrays), name=f"products/p{number}")
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def grow(folder: str, data: str, count: int) -> dict[str, Any]:
    """Fill a pool with many small products, 10,000 in a commit."""
    from workload import small_products

    pool = sp.Pool(f"{folder}/pool")
    seconds = 0.0
    for first in range(0, count, 10_000):
        products = small_products(first, min(10_000, count - first))
        with timed(settle=False) as clock, pool.commit("bulk") as commit:
            for number, meta, arrays in products:
                commit.save(_product(meta, arrays), name=f"products/p{number}")
        seconds += clock.seconds
    return {"seconds": seconds, "bytes": folder_bytes(folder)}


def search(folder: str, count: int, values: list[int]) -> dict[str, Any]:
    """Open a pool, then find products by keys nobody declared, and count values."""
    from workload import COUNTED, number_of_two, numbers_with

    _warm_up(folder)
    with timed(settle=False) as opening:
        pool = sp.Pool(f"{folder}/pool", mode="r")
        len(pool.find("key00 == -1"))
    found = []
    for value in values:
        with timed(settle=False) as clock:
            names = [ref.name for ref in pool.find(f"key00 == {value}")]
        found.append(clock.seconds)
        numbers = sorted(int(name.rsplit("p", 1)[1]) for name in names)
        if numbers != numbers_with(value, count):
            raise RuntimeError(f"found {numbers} for {value}")
    two, counts = [], []
    for value in values:
        with timed(settle=False) as clock:
            names = [
                ref.name for ref in pool.find(f"key00 < {50 + value} and key01 < {20 + value / 97}")
            ]
        two.append(clock.seconds)
        if len(names) != number_of_two(value, count):
            raise RuntimeError(f"found {len(names)} with two keys for {value}")
    for value in values[:5]:
        with timed(settle=False) as clock:
            pool.find(f"key01 < {142 + value / 97}").facets(*COUNTED)
        counts.append(clock.seconds)
    rest = {"two": median(two), "counts": median(counts)}
    return {"open": opening.seconds, "first": found[0], "find": median(found[1:]), **rest}


def image(folder: str) -> dict[str, Any]:
    """Open an observation and read one image."""
    import numpy as np

    pool = sp.Pool(f"{folder}/pool", mode="r")
    data = np.asarray(pool["1342182452/level2/level2_3"].product["image"])
    return {"sum": float(data.sum(dtype="f8"))}


def cutouts(folder: str, data: str) -> dict[str, Any]:
    """Cut 32 x 32 pixels out of products nobody has touched yet, the pool open."""
    import numpy as np
    from workload import OBSID
    from workload import observation as items_of

    items = items_of(Path(data))[:32]
    box = (slice(10, 42), slice(10, 42))
    pool = sp.Pool(f"{folder}/pool", mode="r")
    _ = pool[f"{OBSID}/level2/level2_0"].product["image"][box]  # opened
    found = []
    for item in items:
        with timed(settle=False) as clock:
            pixels = pool[f"{OBSID}/{item.level}/{item.name}"].product["image"][box]
        found.append(clock.seconds)
        if not np.array_equal(pixels, item.arrays["image"][box]):
            raise RuntimeError("the cutout is not the image's")
    return {"seconds": median(found)}


def make_images(folder: str, data: str) -> dict[str, Any]:
    """Save the images that are searched by their pixels."""
    from workload import images

    pool = sp.Pool(f"{folder}/pool")
    with timed() as clock, pool.commit("images") as commit:
        for number, pixels in images(Path(data)):
            commit.save(_product({"number": number}, {"image": pixels}), name=f"images/i{number}")
    return {"seconds": clock.seconds, "bytes": folder_bytes(folder)}


def images_over(folder: str, limit: float) -> dict[str, Any]:
    """Find the images with a pixel above the limit, in the language and with a function."""
    _warm_up(folder)
    pool = sp.Pool(f"{folder}/pool", mode="r")
    pool.find("number == 1")  # opened
    with timed(settle=False) as clock:
        names = [ref.name for ref in pool.find(f"max(image) > {limit}")]
    with timed(settle=False) as function:
        hits = pool.find(lambda p: p["image"].max() > limit, kind="SimpleImage")
    if len(hits) != len(names):
        raise RuntimeError("the language and the function disagree")
    return {"seconds": clock.seconds, "function": function.seconds, "count": len(names)}


def make(folder: str) -> dict[str, Any]:
    """Make an empty pool for workers."""
    sp.Pool(f"{folder}/pool").save(sp.Product(description="so that the pool exists"))
    return {}


def work(folder: str, worker: int, count: int, start: float, size: int = 16) -> dict[str, Any]:
    """Save products and note what is acknowledged, until killed where count is 0."""
    import numpy as np
    from workload import small_metadata

    pool = sp.Pool(f"{folder}/pool")
    pixels = np.random.default_rng(1).normal(0, 1, (size, size)).astype(np.float32)
    noted, errors, number = Acknowledged(folder, worker), [], worker * 100_000
    wait_until(start)
    begun = time.perf_counter()
    while not count or number - worker * 100_000 < count:
        product = _product(small_metadata(number), {"image": pixels + np.float32(number)})
        with Attempt() as attempt:
            ref = pool.save(product, name=f"products/p{number}")
            noted.note(number, ref.urn)
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

    def right(ref: sp.Ref, number: int) -> bool:
        data = np.asarray(ref.product["image"])
        same = ref.meta["key00"].value == small_metadata(number)["key00"]
        return same and np.array_equal(data, pixels + np.float32(number))

    with Attempt() as opening:
        pool = sp.Pool(f"{folder}/pool")
        refs = list(pool.find("startswith(name, 'products/')"))
    found["opens"] = not opening.error
    if opening.error:
        return {**found, "errors": [opening.error]}
    errors = []
    for number, urn in noted:
        with Attempt() as attempt:
            found["right" if right(pool[urn], number) else "wrong"] += 1
        errors += [attempt.error] if attempt.error else []
    known = {urn for _, urn in noted}
    for ref in refs:
        if ref.urn not in known:
            with Attempt() as attempt:
                found["torn"] += not right(ref, int(ref.name.rsplit("p", 1)[1]))
            found["torn"] += bool(attempt.error)
    with Attempt() as saving:
        pool.save(_product({}, {"image": pixels}), name="after")
    found["saves"] = not saving.error
    errors += [saving.error] if saving.error else []
    return {**found, "errors": errors}


def versions() -> dict[str, Any]:
    """What ran."""
    return {"versions": {"skypool": sp.__version__}}


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
