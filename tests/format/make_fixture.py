"""Write a pool that this and all later releases must be able to read: tests/data/pools/NAME.

Run once for a release (``python -m tests.format.make_fixture 0.2.0``); a fixture that is
there is never written again. Beside the pool, and the user's files that it keeps in place, a
JSON file tells what a reader must find. CONTRIBUTING.md says when to make one.
"""

from __future__ import annotations

import gzip
import json
import lzma
import math
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

import skypool as sp
from skypool.model.references import ExternalRef

from . import made
from .reader import digest

POOLS = Path(__file__).resolve().parents[1] / "data" / "pools"
MOST_BYTES = 300_000
# So small that the first pack is sealed.
ROLL_BYTES = 40_000


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


def write_more_files(folder: Path) -> None:
    """Files that stay where they are, and formats that other packages read."""
    placed = folder / "placed"
    placed.mkdir()
    data = np.random.default_rng(3).normal(size=(40, 30)).astype("f4")
    fits.PrimaryHDU(data).writeto(placed / "map.fits")
    wrapped = gzip.compress((placed / "map.fits").read_bytes(), 6, mtime=9)
    (placed / "map.fits.gz").write_bytes(wrapped)
    (placed / "notes.txt").write_bytes(b"in place\n" * 400)
    (folder / "table.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, unit: Jy, datatype: float64}\n"
        "# - {name: b, datatype: string}\n# schema: astropy-2.0\na b\n1.5 one\nnan two\n",
        encoding="ascii",
    )


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


def write_observation(folder: Path) -> Path:
    """An observation as the archive lays it out: references do not say where its files are."""
    for name, seed in (("level2/PSW/psw_1469548187623", 1), ("level2/CUBE/a.b.Cube/00", 2)):
        path = folder / f"{name}.fits"
        path.parent.mkdir(parents=True)
        header = fits.Header({"OBSID": 1342000000, "INSTRUME": "SPIRE"})
        fits.PrimaryHDU(smooth((20 + seed, 30), "f4"), header).writeto(path)
    return folder


def fill_more(pool: sp.Pool, base: Path) -> None:
    """Go on with what the first fixture had not."""
    pool.view.session.store._roll_bytes = ROLL_BYTES
    noise = np.random.default_rng(4).integers(0, 256, (170, 256), dtype="u1")
    inner = sp.Composite({"deep": sp.Array(noise[:9, :7], unit="K"), "rows": sp.Table({"a": [1]})})
    product = sp.Product(
        kind="SimpleImage",
        type="MORE",
        meta={"nan": math.nan, "when": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)},
        datasets={"image": sp.Array(noise, unit="Jy"), "parts": sp.Composite({"inner": inner})},
        refs={
            "outside": ExternalRef("urn:elsewhere:herschel.ia.dataset.Product:7"),
            "inside": pool["kept/memory@0"],
        },
    )
    saved = pool.save(product, name="more/image", message="rolls the pack")
    pool.add(base / "more" / "placed", in_place=True, message="in place")
    pool.add(base / "more" / "table.ecsv", name="table.ecsv")
    wrapped = base / "more" / "placed" / "map.fits.gz"
    pool.add(wrapped, name="content only.fits.gz", gzip="content")
    with pool.commit("many at once") as commit:
        child = commit.save(product.replace(meta={"n": 1}), name="more/child")
        parent = sp.Product(kind="MapContext", refs={"child": child, "image": saved})
        commit.tag(commit.save(parent, name=os.fsdecode(b"no text \xff")), "parent")
    with sp.Pool(base / "other", mode="x") as other:
        first = other.save(sp.Product(type="OTHER", meta={"a": 1}), name="theirs", tags=["t"])
        second = other.save(first.product.replace(meta={"a": 2}))
        pool.save(second.product, name="copied", message="from another pool")
    observation = write_observation(base / "1342000000")
    pool.add(observation, message="an observation")
    (psw,) = (observation / "level2" / "PSW").iterdir()
    psw.rename(psw.with_name("psw_1500000000000.fits"))
    pool.add(observation, message="whose file has another name")
    pool.tag("more/image", "tagged later", "and untagged")
    pool.untag("more/image", "and untagged")
    pool.remove("more/child")


def _settled(path: Path, data: bytes | None = None) -> Path:
    """Write a file, an image if nothing else, that is so old that its headers may stand for it."""
    path.parent.mkdir(exist_ok=True)
    if data is None:
        fits.PrimaryHDU(smooth((60, 50), "f4"), fits.Header({"NAME": path.stem})).writeto(path)
    else:
        path.write_bytes(data)
    os.utime(path, (1.5e9, 1.5e9))
    return path


def _on_the_sky() -> dict[str, sp.Product]:
    """Products of which only rows or pixels say what they cover."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [14, 0], [50, 50], [-0.01, 0.01]
    random = np.random.default_rng(5)
    data = random.normal(size=(100, 100)).astype("f4")
    data[60:, :70] = np.nan
    rows = sp.Table({"RA": random.uniform(9.8, 10.2, 5000), "Dec": random.uniform(0, 0.4, 5000)})
    return {
        "map": sp.Product(datasets={"image": sp.Array(data, wcs=wcs)}),
        "rows": sp.Product(datasets={"rows": rows}),
    }


def fill_outside(pool: sp.Pool, base: Path) -> None:
    """Files outside: of which headers are known, read later, moved, and absorbed."""
    placed = base / "more" / "placed"
    for name in ("unread.fits", "later.fits"):
        pool.add(_settled(placed / name), in_place=True, headers_only=True, message=name)
    pool.complete("later.fits")
    moving = _settled(base / "more" / "moving" / "disk.bin", bytes(range(256)) * 20)
    pool.add(moving, in_place=True)
    moving.rename(placed / "disk.bin")
    pool.relocate(moving, placed / "disk.bin")
    absorbed = _settled(base / "more" / "moving" / "absorbed.bin", b"absorbed\n" * 300)
    pool.add(absorbed, in_place=True)
    pool.absorb("absorbed.bin")
    absorbed.unlink()


def fill_space(pool: sp.Pool, base: Path) -> None:
    """What is dropped, came back, was given up, and came from another pool; and settings."""
    for name, product in _on_the_sky().items():
        pool.save(product, name=f"dropped/{name}")
    pool.save(sp.Product(datasets={"a": made.numbers((50, 50), "f8")}), name="back")
    with pool.clone(base / "clone") as clone:
        pool.drop(["dropped/map", "dropped/rows", "back"], from_=clone, message="drop")
        pool.bring_back("back")
    for number in range(3):
        pool.save(sp.Product(meta={"n": number}, datasets={"a": np.arange(9.0)}), name="purged")
    pool.purge("purged")
    with sp.Pool(base / "third", mode="x") as third:
        child = third.save(sp.Product(meta={"n": 1}, datasets={"a": np.eye(40)}), name="piece/a")
        third.tag(child, "chosen")
        third.save(child.product.replace(meta={"n": 2}))
        third.collect("piece", "n == 2")
        third.copy("name:piece", pool)
    pool.gc(grace=0)
    pool.configure(shared=True, max_size="1GB")


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
                "file": None if ref.purged else ref.file_hash,
            }
            for ref in past
        }
        found.append({"message": commit.message, "products": products})
    return found


def datasets(pool: sp.Pool) -> dict[str, dict[str, str]]:
    """Digests of the values of all arrays and columns of all products in view, by name."""
    found = {}
    for ref in pool:
        if ref.dropped:
            continue
        found[ref.name] = dict(_values(ref.product.datasets, ""))
    return {name: values for name, values in found.items() if values}


def _values(items: Any, above: str) -> Iterator[tuple[str, str]]:
    for name, item in items.items():
        place = f"{above}{name}"
        if isinstance(item, sp.Composite):
            yield from _values(item, f"{place}/")
        elif isinstance(item, sp.Table):
            for column in item.colnames:
                yield f"{place}/{column}", _digest(np.asarray(item[column][:]))
        else:
            yield place, _digest(np.asarray(item[:]))


def _digest(values: np.ndarray[Any, Any]) -> str:
    if values.dtype.kind in "OU":
        text = json.dumps([str(value) for value in values.ravel().tolist()])
        return f"text {values.shape} {digest(text.encode()).hex()[:32]}"
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    return f"{little.dtype.str} {values.shape} {digest(little.tobytes()).hex()[:32]}"


def main(name: str, pools: Path = POOLS) -> None:
    target = pools / name
    os.environ["SKYPOOL_AUTHOR"] = "tester"
    with tempfile.TemporaryDirectory() as text:
        base = Path(text)
        folder = base / "obs"
        write_files(folder)
        (base / "more").mkdir()
        write_more_files(base / "more")
        files = {p.relative_to(base).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        first = {name: digest(path.read_bytes()).hex() for name, path in sorted(files.items())}
        with sp.Pool(base / "pool", mode="x") as pool:
            fill(pool, folder)
            fill_more(pool, base)
            fill_outside(pool, base)
            fill_space(pool, base)
            told: dict[str, Any] = {"first": first, "commits": expected(pool)}
            told |= {"datasets": datasets(pool), "base": text}
            problems = pool.verify().problems
        # The last pack stays open for writers.
        with sp.Pool(base / "pool") as pool:
            pool.view.session.store.candidates = lambda: ()
            pool.save(sp.Product(type="LAST", meta={"a": 1}), name="last")
            told |= {"commits": expected(pool)}
        assert not problems, problems
        placed = sorted((base / "more" / "placed").iterdir())
        told["placed"] = {path.name: path.stat().st_mtime_ns for path in placed}
        target.mkdir(parents=True)
        with tarfile.open(target / "pool.tar.xz", "x:xz") as archive:
            for path in [*sorted((base / "pool").rglob("*")), *placed]:
                # The catalogue is no part of the format: it is rebuilt.
                if path.is_file() and not path.name.startswith("catalogue"):
                    archive.add(path, path.relative_to(base), filter=_anonymous)
        line = json.dumps(told, sort_keys=True) + "\n"
        with lzma.open(target / "expected.json.xz", "xt", encoding="ascii") as file:
            file.write(line)
    size = sum(path.stat().st_size for path in target.iterdir())
    assert size < MOST_BYTES, f"{size} bytes are too many for the repository"


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main(sys.argv[1])
