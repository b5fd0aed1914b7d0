"""Small pools for tests of clones, and what is asked of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

import skypool as sp
from skypool.pool.pool import Pool


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def packs_of(pool: Path | str) -> list[Path]:
    return sorted((Path(pool) / "packs").glob("*.pack"))


def image(seed: int, size: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)


def product(seed: int, size: int = 120, **meta: Any) -> sp.Product:
    return sp.Product(
        type="MAP",
        meta={"seed": seed, **meta},
        datasets={"image": sp.Array(image(seed, size), unit="Jy")},
    )


def write_tree(folder: Path, seed: int = 1) -> Path:
    """Make a tree of files that are their own oracle."""
    for name, data in {
        "notes.txt": b"a short text\n",
        "level2/map.bin": noise(seed, 300_000),
        "level2/mask.bin": bytes(200_000),
        "level1/frames.bin": noise(seed + 1, 400_000),
        "level1/empty": b"",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def filled(path: Path, tree: Path) -> Pool:
    """Return a pool with versions, tags, renames, removals, a context and a tree of files."""
    pool = sp.Pool(path)
    pool.add(tree, name="obs", tags=["first"])
    first = pool.save(product(1), name="maps/a", tags=["cal v1", "good"])
    pool.save(first.product.replace(meta={"seed": 11}), name="maps/a", message="new seed")
    pool.save(product(2, 90), name="maps/b")
    (tree / "level2/map.bin").write_bytes(noise(7, 300_000))
    pool.add(tree, name="obs", tags=["second"])
    pool.rename("maps/b", "maps/c")
    pool.save(product(3, 50), name="gone")
    pool.remove("gone")
    pool.untag("maps/a@0", "good")
    context = sp.Product(kind="MapContext", refs={"a": pool["maps/a"], "new": product(4, 20)})
    pool.save(context, name="observation \udcff", tags=["übung"])
    return pool


def answers(pool: Pool) -> list[Any]:
    """Return what a pool says at every commit, without its own name."""
    said: list[Any] = []
    for commit in pool.history():
        then = pool.at(commit.number)
        said.append((commit, then.tags))
        said.extend(
            (ref.number, ref.name, ref.version, ref.tags, ref.kind, ref.size, ref.total_size)
            for ref in then.ls()
        )
        said.extend(str(ref.meta) for ref in then.ls())
    return said


def state_of(folder: Path) -> dict[str, str]:
    """Return a digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pack_bytes(pool: Path | str) -> int:
    return sum(path.stat().st_size for path in packs_of(pool))


def log_of(pool: Path | str) -> bytes:
    return (Path(pool) / "commits.log").read_bytes()
