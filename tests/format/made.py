"""Files and products of many kinds for the tests of the format, made from fixed numbers."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import skypool as sp

DTYPES = ("bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16")


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 1) -> np.ndarray[Any, Any]:
    """Random values over the whole range of a type; floats with NaN and infinities."""
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return random.integers(limits.min, limits.max, shape, kind, endpoint=True)
    values = random.normal(size=shape).astype(kind)
    if kind.kind == "c":
        values += 1j * random.normal(size=shape)
        return values.astype(kind)
    flat = values.reshape(-1)
    for start, special in enumerate((np.nan, np.inf, -np.inf)):
        flat[start :: 97 + start] = special
    return values


def table_columns(rows: int) -> list[fits.Column]:
    """Columns of every type of binary tables."""
    lists = np.empty(rows, object)
    for row in range(rows):
        lists[row] = np.arange(row % 5, dtype="i4") + row
    texts = np.array([f"source {row % 1000}" for row in range(rows)])
    counted = np.arange(rows) % 30000

    def column(name: str, form: str, values: Any, **more: Any) -> fits.Column:
        return fits.Column(name, form, array=values, **more)

    return [
        column("flag", "L", np.arange(rows) % 3 == 0),
        column("byte", "B", np.arange(rows) % 256),
        column("short", "I", counted, null=7),
        column("unsigned", "J", counted.astype("u4") + 2**31, bzero=2**31),
        column("long", "K", numbers((rows,), "i8")),
        column("flux", "E", numbers((rows,), "f4"), unit="Jy"),
        column("time", "D", numbers((rows,), "f8")),
        column("scaled", "I", counted),
        column("cube", "6E", numbers((rows, 2, 3), "f4"), dim="(3,2)"),
        column("text", "12A", texts),
        column("bits", "11X", numbers((rows, 11), "bool")),
        column("complex", "C", numbers((rows,), "c8")),
        column("lists", "PJ()", lists),
    ]


def image(values: np.ndarray[Any, Any], **cards: Any) -> fits.ImageHDU:
    hdu = fits.ImageHDU(values)
    hdu.header.update(cards)
    return hdu


def _write(path: Path, *hdus: Any) -> None:
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)


def _table_with_gaps(path: Path) -> None:
    """A table with a column without width, whose rows are longer than its columns."""
    header = fits.BinTableHDU.from_columns(
        [fits.Column("a", "J", array=np.zeros(50, "i4")), fits.Column("b", "D")]
    ).header
    header["NAXIS1"] = 20
    header["TFIELDS"] = 4
    header["TFORM3"], header["TFORM4"] = "0A", "3A"
    data = numbers((1000,), "u1").tobytes()
    primary = fits.PrimaryHDU().header.tostring().encode()
    path.write_bytes(primary + header.tostring().encode() + data + bytes(-len(data) % 2880))


def write_files(folder: Path) -> None:
    """Write a folder of files of many kinds."""
    deep = folder / "level2" / "räume"
    deep.mkdir(parents=True)
    (folder / "nothing here").mkdir()
    _write(
        folder / "images.fits",
        *(image(numbers((30, 41), code)) for code in ("u1", "i2", "u2", "u4", "f4", "f8")),
    )
    _write(folder / "map.fits", image(numbers((600, 700), "f4"), BUNIT="Jy/pixel"))
    _write(folder / "mosaic.fits", image(numbers((1700, 1900), "i2")))  # more than 32 tiles
    _write(folder / "cube.fits", image(numbers((40, 210, 190), "f4")))
    _write(folder / "four.fits", image(numbers((3, 2, 40, 50), "f8")), image(np.arange(99999.0)))
    scaled = image(numbers((300, 20), "i2"), BSCALE=0.25, BZERO=10.0, BLANK=-32768)
    _write(folder / "scaled.fits", scaled)
    for name, rows in {"small table.fits": 50, "table.fits": 70000, "no rows.fits": 0}.items():
        _write(folder / name, fits.BinTableHDU.from_columns(table_columns(rows)))
        fits.setval(folder / name, "TSCAL8", value=0.5, ext=1)
        fits.setval(folder / name, "TZERO8", value=3.0, ext=1)
    ascii_columns = [
        fits.Column("name", "A10", array=np.array(["M 83", "M 31"])),
        fits.Column("count", "I6", array=np.array([5, -7])),
        fits.Column("flux", "F8.3", array=np.array([1.5, -2.25])),
    ]
    _write(folder / "ascii.fits", fits.TableHDU.from_columns(ascii_columns))
    _write(folder / "compressed.fits", fits.CompImageHDU(numbers((200, 200), "i2")))
    _table_with_gaps(folder / "gaps.fits")
    groups = fits.GroupData(numbers((7, 3, 5), "f4"), parnames=["u"], pardata=[np.arange(7.0)])
    fits.HDUList([fits.GroupsHDU(groups)]).writeto(folder / "groups.fits")
    whole = (folder / "map.fits").read_bytes()
    (folder / "cut short.fits").write_bytes(whole[:1000000])
    (folder / "more behind.fits").write_bytes(whole + b"more" * 9)
    cube = (folder / "cube.fits").read_bytes()
    (folder / "cube.fits.gz").write_bytes(gzip.compress(cube, 6, mtime=5))
    (folder / "fast.fits.gz").write_bytes(gzip.compress(whole, 1, mtime=5))
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    parts = [deflate.compress(whole[:999]), deflate.flush(zlib.Z_FULL_FLUSH)]
    parts += [deflate.compress(whole[999:]), deflate.flush()]
    (folder / "other.fits.gz").write_bytes(b"".join(parts))
    (folder / "members.fits.gz").write_bytes(
        gzip.compress(whole[:5760], mtime=5) + gzip.compress(whole[5760:], mtime=5) + b"junk"
    )
    for size in (0, 1, 1024, 1025, 4095, 4096, 3000001):
        (deep / f"{size}.bin").write_bytes(numbers((size,), "u1", size).tobytes())
    (deep / "zeros").write_bytes(bytes(100000))
    (deep / "ones").write_bytes(b"\1" * 3000)
    (deep / os.fsdecode(b"not utf-8 \xff\xe9")).write_text("text\n")
    write_zarr(folder / "level2" / "grid.zarr")


def write_zarr(folder: Path) -> None:
    """A Zarr folder of version 2, without compression."""
    (folder / "flux").mkdir(parents=True)
    (folder / "an empty folder").mkdir()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / "flux" / ".zarray").write_text(
        '{"zarr_format": 2, "shape": [40, 30], "chunks": [20, 30], "dtype": ">f4",'
        ' "compressor": null, "fill_value": 0, "order": "C", "filters": null}'
    )
    for part in range(2):
        (folder / "flux" / f"{part}.0").write_bytes(np.arange(600, dtype=">f4").tobytes())


def reprocess(folder: Path) -> None:
    """Change a patch of a map, a column of a table and a header; add, remove and swap files."""
    for name, change in {
        "map.fits": lambda hdu: hdu.data.__setitem__((slice(9, 50), slice(9, 50)), 1),
        "cube.fits": lambda hdu: hdu.header.__setitem__("OBSERVER", "me"),
        "small table.fits": lambda hdu: hdu.data.field("time").__setitem__(slice(None), 2),
    }.items():
        with fits.open(folder / name, mode="update") as hdus:
            change(hdus[1])
    (folder / "fast.fits.gz").write_bytes(
        gzip.compress((folder / "map.fits").read_bytes(), 9, mtime=6)
    )
    (folder / "ascii.fits").unlink()
    (folder / "new.txt").write_text("new")
    (folder / "level2" / "grid.zarr" / "flux" / "1.0").write_bytes(bytes(2400))


def memory_products() -> dict[str, sp.Product]:
    """Products made in Python, by name."""
    products = {
        f"arrays/{dtype}": sp.Product(type="TEST", datasets={"a": numbers((300, 270), dtype)})
        for dtype in DTYPES
    }
    shapes = {"point": (), "line": (70000,), "none": (0, 5), "cube": (30, 150, 140), "one": (1, 1)}
    products["arrays/shapes"] = sp.Product(
        type="TEST",
        datasets={name: numbers(shape, "f4") for name, shape in shapes.items()},
        history=["first", "second"],
    )
    rows = 40000
    lists = np.empty(9, object)
    for row in range(9):
        lists[row] = np.arange(row, dtype="f8")
    columns = {dtype: numbers((rows,), dtype) for dtype in DTYPES if dtype != "c16"}
    columns["texts"] = np.array([f"row {row}" for row in range(rows)])
    columns["vectors"] = numbers((rows, 2, 2), "f4")
    products["tables"] = sp.Product(
        type="TEST",
        datasets={
            "large": sp.Table(columns),
            "inner": sp.Composite(
                {
                    "small": sp.Table({"n": np.arange(9), "lists": lists}),
                    "deep": sp.Composite({"a": np.eye(3)}),
                }
            ),
        },
    )
    meta = {
        "large": 2**63,
        "nan": float("nan"),
        "zero": -0.0,
        "ä\U0001f52d": sp.Parameter("é\u2028", "Jy", "Größe"),
        "yes": True,
    }
    products["meta"] = sp.Product(type="TEST", meta=meta, description="odd values")
    return products
