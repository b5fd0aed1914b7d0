"""Write the pool that later releases must be able to read: tests/data/pools/v1.

Run once for a release (``python -m tests.format.make_fixture``); what is committed is never
written again. Beside the pool a JSON file tells what a reader must find in it.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import skypool as sp

from . import made
from .reader import digest

TARGET = Path(__file__).resolve().parents[1] / "data" / "pools" / "v1"


def smooth(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Values that compress well, so that the pool stays small."""
    return (np.arange(np.prod(shape, dtype=int)).reshape(shape) // 50 % 100).astype(dtype)


def write_files(folder: Path) -> None:
    (folder / "level2").mkdir(parents=True)
    scaled = fits.ImageHDU(smooth((70, 60), "i2"), name="scaled")
    scaled.header.update(BSCALE=0.5, BZERO=3.0, BLANK=99)
    images = [fits.ImageHDU(smooth((300, 280), "f4"), name="map"), scaled]
    images.append(fits.ImageHDU(smooth((5, 30, 20), "u2"), name="cube"))
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(folder / "level2" / "map.fits")
    table = fits.BinTableHDU.from_columns(made.table_columns(60), name="events")
    table.writeto(folder / "events.fits")
    data = (folder / "events.fits").read_bytes()
    (folder / "events.fits.gz").write_bytes(gzip.compress(data, 6, mtime=7))
    (folder / "members.gz").write_bytes(gzip.compress(b"one", mtime=7) + gzip.compress(b"two"))
    (folder / "notes.txt").write_text("notes\n" * 300, encoding="utf-8")
    (folder / "größe.bin").write_bytes(bytes(5000))
    made.write_zarr(folder / "grid.zarr")


def fill(pool: sp.Pool, folder: Path) -> None:
    """Make versions, names, tags; every kind of change that a log can hold."""
    root = pool.add(folder, tags=["first", "große Karte"], message="first")
    arrays = {dtype: made.numbers((4, 5), dtype) for dtype in made.DTYPES}
    large = sp.Table({"n": np.arange(70000), "t": smooth((70000,), "f4")})
    meta = {"zero": -0.0, "large": 2**63, "obsid": sp.Parameter(1342182452, "", "number")}
    product = sp.Product(
        type="TEST",
        meta=meta,
        datasets={**arrays, "many": smooth((2100, 900), "u1"), "large": large},
        refs={"map": pool["obs/level2/map.fits"]},
        history=["made"],
    )
    pool.save(product, name="memory", message="made in memory")
    (folder / "notes.txt").write_text("more notes\n" * 300, encoding="utf-8")
    pool.add(folder, message="again")
    pool.untag(root, "first")
    pool.rename("memory", "kept/memory")
    pool.save(product.replace(meta={"obsid": 5}), name="memory")
    pool.remove("obs/events.fits")
    pool.remove("kept/memory")
    pool.restore("kept/memory")


def expected(pool: sp.Pool) -> list[dict[str, Any]]:
    """Names, versions, tags and digests of files as of every commit."""
    found = []
    for commit in reversed(pool.history()):
        past = pool.at(commit.number)
        products = {
            ref.name: {
                "urn": ref.number,
                "version": ref.version,
                "kind": ref.kind,
                "size": ref.size,
                "total": ref.total_size,
                "tags": list(ref.tags),
                "document": ref.hash,
                "file": ref.file_hash,
            }
            for ref in past
        }
        found.append({"message": commit.message, "products": products})
    return found


def main(target: Path = TARGET) -> None:
    os.environ["SKYPOOL_AUTHOR"] = "tester"
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "obs"
        write_files(folder)
        files = {p.relative_to(base).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        first = {name: digest(path.read_bytes()).hex() for name, path in sorted(files.items())}
        with sp.Pool(Path(base) / "pool", mode="x") as pool:
            fill(pool, folder)
            told = {"first": first, "commits": expected(pool)}
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target / "pool.tar", "x") as archive:
            for path in sorted((Path(base) / "pool").rglob("*")):
                # The catalogue is no part of the format: it is rebuilt.
                if path.is_file() and not path.name.startswith("catalogue"):
                    archive.add(path, path.relative_to(base), filter=_anonymous)
        text = json.dumps(told, indent=1, sort_keys=True) + "\n"
        (target / "expected.json").write_text(text, encoding="ascii")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
