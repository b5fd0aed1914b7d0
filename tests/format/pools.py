"""A pool of many things for the tests of the format, and what is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import skypool as sp

from . import made, reader

Values = np.ndarray[Any, Any]


@dataclass
class Made:
    """A pool, the reader's view of it, and what went in."""

    path: Path
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)  # by commit and name
    products: dict[str, sp.Product] = field(default_factory=dict)

    def read(self) -> reader.Pool:
        return reader.Pool(self.path)


def files_of(folder: Path, name: str = "") -> dict[str, bytes]:
    name = name or folder.name
    found = (path for path in folder.rglob("*") if path.is_file())
    return {f"{name}/{path.relative_to(folder)}": path.read_bytes() for path in found}


def fill(target: Made, folder: Path) -> None:
    made.write_files(folder)
    with sp.Pool(target.path) as pool:
        root = pool.add(folder, tags=["first", "große Karte"], message="first")
        target.files[len(pool.history())] = files_of(folder)
        products = made.memory_products()
        with pool.commit("many at once") as commit:
            for name, product in products.items():
                commit.save(product, name=name, tags=["made"])
        target.products = products
        made.reprocess(folder)
        pool.add(folder, message="again")
        target.files[len(pool.history())] = files_of(folder)
        pool.untag(root, "first")
        pool.tag(pool["obs/map.fits@0"], "first", "the old map")
        pool.rename(pool["arrays"] if "arrays" in pool else pool["arrays/f4"], "kept/f4")
        pool.remove(pool["meta"])
        pool.remove(pool["obs"])
        pool.save(products["arrays/f8"].replace(meta={"changed": True}), name="arrays/f8")
        pool.restore("obs")
        pool.save(products["arrays/f4"], name="arrays/f4")  # a new track: the old one is renamed
        other = folder.with_name("content only.fits.gz")
        other.write_bytes((folder / "cube.fits.gz").read_bytes())
        pool.add(other, name="content only.fits.gz", gzip="content")
        pool.save(
            sp.Product(type="OBS", kind="MapContext", refs={"a": pool["kept/f4"], "b": root}),
            name="context",
        )


def stored_files(pool: reader.Pool, state: reader.State) -> Iterator[tuple[str, bytes | None]]:
    """Bytes of all files in view, those of folders that are one product too."""
    for name, track in state.visible().items():
        product = pool.product(state.versions[state.tracks[track][-1]])
        if "file" in product.document:
            yield name, product.file()
        for path, data in product.tree().items() if "tree" in product.document else ():
            if not path.endswith("/"):
                yield f"{name}/{path}", data


KEYS = ("number", "version", "kind", "type", "size", "total_size", "hash")


LOG_KEYS = ("urn", "version", "kind", "type", "size", "total", "document")


def seen(pool: sp.Pool) -> dict[str, Any]:
    """What skypool says of names, versions and tags."""
    return {
        ref.name: [([getattr(one, key) for key in KEYS], list(one.tags)) for one in ref.versions]
        for ref in pool
    }


def read(state: reader.State) -> dict[str, Any]:
    """What the log says of the same."""
    found = {}
    for name, track in state.visible().items():
        found[name] = [
            (
                [state.versions[number][key] for key in LOG_KEYS],
                sorted(tag for tag, tagged in state.tags.items() if number in tagged),
            )
            for number in state.tracks[track]
        ]
    return found
