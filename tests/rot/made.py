"""A small pool with some of everything, to be damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.pool.upkeep import noise

import skypool as sp
from skypool.pool.pool import Pool


def product(seed: int, size: int = 30, **more: object) -> sp.Product:
    values = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    return sp.Product(
        type="MAP",
        meta={"seed": seed, "wavelength": sp.Parameter(250.0 + seed, "um")},
        datasets={"image": sp.Array(values, unit="Jy"), **more},  # type: ignore[dict-item]
    )


def write_tree(folder: Path) -> Path:
    for name, data in {
        "notes.txt": b"a short text\n",
        "level2/map.bin": noise(1, 9_000),
        "level2/mask.bin": bytes(20_000),
        "level1/empty": b"",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def small_pool(path: Path, tree: Path) -> None:
    """Make a pool with versions, tags, a rename, a removal, a context, a table and files."""
    with Pool(path) as pool:
        write_tree(tree)
        pool.add(tree, name="obs", tags=["first"])
        table = sp.Table({"flux": np.arange(500.0), "id": np.arange(500)})
        first = pool.save(product(1, table=table), name="maps/a", tags=["cal v1", "good"])
        pool.save(first.product.replace(meta={"seed": 11}), name="maps/a", message="new seed")
        pool.save(product(2, 40), name="maps/b")
        (tree / "level2/map.bin").write_bytes(noise(3, 9_000))
        pool.add(tree, name="obs", tags=["second"])
        pool.rename("maps/b", "maps/c")
        pool.save(product(3), name="gone")
        pool.remove("gone")
        pool.untag("maps/a@0", "good")
        context = sp.Product(kind="MapContext", refs={"a": pool["maps/a"]})
        pool.save(context, name="observation", tags=["übung"])


def names_of(path: Path) -> list[str]:
    """Return `name@version` of every version that can be named."""
    with Pool(path, "r") as pool:
        return [f"{old.name}@{old.version}" for ref in pool.ls() for old in ref.versions]
