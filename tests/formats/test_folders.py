from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_help import content, leaves, meta, rebuilt

from skypool.codec.documents import dumps, loads
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.errors import SourceMissing
from skypool.formats.base import Imported
from skypool.formats.folders import folder_format
from skypool.formats.registry import reader

# Python asks for a filter since 3.11.4.
TRUSTED: dict[str, str] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}

zarr = pytest.importorskip("zarr")


class Folder:
    """A folder, read."""

    def __init__(self, path: Path, missing: tuple[str, ...] = ()) -> None:
        self.sink = MemorySink()
        self.path = path
        found = folder_format(path)
        assert found is not None

        def open_source(name: str) -> MemorySource:
            if name in missing:
                raise SourceMissing(f"{name} is gone")
            return MemorySource((path / name).read_bytes())

        self.imported: Imported = found.read(path, open_source, self.sink)
        self.document: dict[str, Any] = loads(dumps(self.imported.document))
        self.tree = dict(self.document["tree"])
        self.files = {name: content(r, self.sink) for name, r in self.tree.items() if r}

    def check_files(self) -> None:
        """Every file and empty folder is in the tree, byte for byte."""
        for name, recipe in self.tree.items():
            if recipe is None:
                assert not list((self.path / name).iterdir())
            else:
                assert rebuilt(recipe, self.sink) == (self.path / name).read_bytes()
        there = {
            str(p.relative_to(self.path))
            for p in self.path.rglob("*")
            if p.is_file() and not p.is_symlink()
        }
        assert {name for name in self.tree if not name.endswith("/")} == there

    def array(self, name: str, index: tuple[slice, ...] | None = None) -> np.ndarray[Any, Any]:
        dataset = dict(leaves(self.document["datasets"]))[name]
        data = dataset["data"]
        opened: Any = reader(data["reader"])
        source = opened.open_array(data["item"], dataset, self.files)
        return source.read(index or tuple(slice(0, n, 1) for n in source.shape))

    def table(self, name: str) -> Any:
        dataset = dict(leaves(self.document["datasets"]))[name]
        data = dataset["data"]
        opened: Any = reader(data["reader"])
        return opened.open_table(data["item"], dataset, self.files)


@pytest.fixture(params=[2, 3])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A Zarr store of groups and arrays, under a name that says nothing."""
    path = tmp_path / "observation 1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(path, mode="w", zarr_format=request.param)
        root.attrs.update({"title": "a store", "INSTRUME": "PACS"})
        image = root.create_array("image", shape=(100, 70), chunks=(32, 32), dtype="f4")
        image[:] = np.arange(7000).reshape(100, 70)
        image[0, 0] = np.nan
        image.attrs["units"] = "Jy"
        group = root.create_group("sub")
        cube = group.create_array("cube", shape=(5, 6, 7), dtype=">i2", chunks=(2, 3, 4))
        cube[:] = np.arange(210).reshape(5, 6, 7)
        group.create_array("blank", shape=(4,), dtype="f8", fill_value=2.5)
        text = group.create_array("text", shape=(2,), dtype="U4")
        text[:] = np.array(["a", "bcdé"])
    return path


def test_zarr(store: Path) -> None:
    (store / "sub" / "empty").mkdir()
    found = Folder(store)
    assert found.imported.reason is None
    assert found.document["kind"] == "Product"
    assert "file" not in found.document
    found.check_files()
    assert found.tree["sub/empty/"] is None
    assert meta(found.document)["instrument"] == "PACS"
    assert meta(found.document)["description"] == "a store"
    expected = np.arange(7000, dtype="f4").reshape(100, 70)
    expected[0, 0] = np.nan
    assert np.array_equal(found.array("image"), expected, equal_nan=True)
    index = (slice(3, 90, 5), slice(1, 2, 1))
    assert np.array_equal(found.array("image", index), expected[index])
    assert np.array_equal(found.array("sub/cube"), np.arange(210).reshape(5, 6, 7))
    assert found.array("sub/cube").dtype == np.int16
    assert found.array("sub/blank").tolist() == [2.5] * 4
    assert found.array("sub/text").tolist() == ["a", "bcdé"]
    image = dict(leaves(found.document["datasets"]))["image"]
    assert image["unit"] == "Jy"
    assert image["stats"]["type"] == "f8"


def test_a_slice_reads_its_chunks_alone(store: Path) -> None:
    found = Folder(store)
    touched: list[str] = []

    class Noting(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            touched.append(key)
            return super().__getitem__(key)

    found.files = Noting(found.files)
    found.array("image", (slice(40, 50, 1), slice(40, 50, 1)))
    chunks = [key for key in touched if "json" not in key and "/." not in key]
    assert len(chunks) == 1


def test_an_array_alone_is_an_image(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.save_array(tmp_path / "a.zarr", np.ones((3, 4)))
    found = Folder(tmp_path / "a.zarr")
    assert found.document["kind"] == "SimpleImage"
    assert found.array("data").tolist() == np.ones((3, 4)).tolist()


def test_what_is_no_file_is_skipped_with_a_reason(store: Path) -> None:
    (store / "link").symlink_to("/etc/passwd")
    (store / "sub" / "loop").symlink_to(store)
    os.mkfifo(store / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(store)  # the path of a socket must be short
        server.bind("socket")
        os.chdir(here)
        found = Folder(store, missing=("sub/blank/.zarray", "sub/blank/zarr.json"))
    skipped = dict(found.imported.skipped)
    assert skipped["link"] == "a symbolic link"
    assert skipped["sub/loop"] == "a symbolic link"
    assert skipped["pipe"] == "a named pipe"
    assert skipped["socket"] == "a socket"
    assert sum("is gone" in reason for reason in skipped.values()) == 1
    assert "sub/cube" in dict(leaves(found.document["datasets"]))


def test_pickled_arrays_are_not_decoded(store: Path) -> None:
    for mark in (store / "image" / ".zarray", store / "image" / "zarr.json"):
        if not mark.exists():
            continue
        described = json.loads(mark.read_text())
        if "codecs" in described:
            described["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
        else:
            described["filters"] = [{"id": "pickle", "protocol": 5}]
        mark.write_text(json.dumps(described))
    found = Folder(store)
    parts = dict(found.document["datasets"])
    assert parts["image"]["is"] == "composite"
    assert "pickle" in parts["image"]["description"]
    found.check_files()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"zarr_format": 9}', '{"zarr_format": 3}']
)
def test_broken_descriptions(store: Path, text: str) -> None:
    for name in (".zarray", "zarr.json"):
        if (store / "image" / name).exists():
            (store / "image" / name).write_text(text)
    found = Folder(store)
    found.check_files()


def test_missing_chunks_and_garbage(store: Path) -> None:
    for path in store.rglob("*"):
        if path.is_file() and "json" not in path.name and not path.name.startswith(".z"):
            path.write_bytes(b"garbage")
    found = Folder(store)
    found.check_files()
    assert dict(found.document["datasets"])["image"]["description"].startswith("not read: ")


def test_without_the_package_the_metadata_are_there(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    found = Folder(store)
    image = dict(leaves(found.document["datasets"]))["image"]
    assert image["shape"] == [100, 70]
    assert "stats" not in image


@pytest.mark.parametrize(
    ("name", "text"),
    [("zarr.json", "{}"), (".zgroup", "no"), (".zarray", "[]"), ("table.dat", "no"), ("a", "b")],
)
def test_other_folders_are_none(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert folder_format(tmp_path) is None
    assert folder_format(tmp_path / "missing") is None


def test_numcodecs_does_not_break_fits() -> None:
    """Beside some versions of zfpy, importing numcodecs fails, and astropy.io.fits with it."""
    code = "import zarr, astropy.io.fits as f; f.HDUList([f.PrimaryHDU()])"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images that casacore 3.8 wrote: a cube with a mask, a plane of nine tiles."""
    archive = Path(__file__).parent / "data" / "casa_images.tar.xz"
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, **TRUSTED)
    return tmp_path


def test_casa_images(images: Path) -> None:
    cube = Folder(images / "cube.image")
    assert cube.imported.reason is None
    assert cube.document["kind"] == "SimpleCube"
    cube.check_files()
    expected = np.arange(4 * 6 * 5, dtype="f4").reshape(4, 6, 5) / np.float32(7)
    values = cube.array("image")
    assert np.array_equal(
        np.isnan(values), np.isnan(np.where(expected == expected[1, 2, 3], np.nan, 0))
    )
    assert np.array_equal(values[0], expected[0])
    mask = cube.array("mask0")
    assert mask.sum() == 117
    assert not mask[0, 0, :3].any()
    image = dict(cube.document["datasets"])["image"]
    assert "CTYPE" in image["wcs"]["header"]


def test_casa_tiles_equal_the_package(images: Path) -> None:
    from casa_formats_io import image_to_dask

    plane = Folder(images / "plane.image")
    assert plane.document["kind"] == "SimpleImage"
    expected = np.asarray(image_to_dask(str(images / "plane.image"), memmap=False))
    assert np.array_equal(plane.array("image"), expected)
    for index in ((slice(30, 40, 1), slice(5, 80, 7)), (slice(0, 0, 1), slice(0, 9, 1))):
        assert np.array_equal(plane.array("image", index), expected[index])


def test_a_part_of_a_casa_image_reads_its_tiles(images: Path) -> None:
    plane = Folder(images / "plane.image")
    source = plane.files["table.f0_TSM0"]
    reads: list[int] = []

    class Counting:
        size = source.size

        def pread(self, offset: int, length: int) -> bytes:
            reads.append(length)
            return source.pread(offset, length)

    plane.files["table.f0_TSM0"] = Counting()  # type: ignore[assignment]
    plane.array("image", (slice(33, 40, 1), slice(2, 9, 1)))
    assert reads == [32 * 32 * 4]


def test_a_measurement_set() -> None:
    package = pytest.importorskip("casa_formats_io")
    path = Path(package.__file__).parent / "casa_low_level_io/tests/data/simple.ms"
    if not path.is_dir():
        pytest.skip("this version of casa-formats-io brings no measurement set")
    found = Folder(path)
    assert found.document["kind"] == "Product"
    found.check_files()
    values = meta(found.document)
    assert values["instrument"] == "EVLA"
    assert str(values["startDate"]).startswith("2021-06-11")
    antennas = found.table("ANTENNA")
    assert antennas.nrows == 4
    assert antennas.info("POSITION").unit == "m"
    assert antennas.info("POSITION").shape == (3,)
    from casa_formats_io.casa_low_level_io.table import CASATable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package leaves its files open
        theirs = CASATable.read(str(path / "ANTENNA")).as_astropy_table()
        assert np.array_equal(antennas.read("POSITION", 0, 4), theirs["POSITION"])
        assert antennas.read("NAME", 0, 4).tolist() == list(theirs["NAME"])
    main = dict(found.document["datasets"])["MAIN"]
    assert "DATA" in main["description"]
    assert found.table("MAIN").read("ANTENNA1", 0, 20).shape == (20,)


def test_damaged_casa_tables_keep_their_files(images: Path) -> None:
    import random

    rng = random.Random(3)
    path = images / "cube.image" / "table.dat"
    good = path.read_bytes()
    for _ in range(40):
        data = bytearray(good)
        place = rng.randrange(4, len(data))
        data[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        path.write_bytes(data[: rng.choice([len(data), place + 4])])
        found = Folder(images / "cube.image")
        assert rebuilt(found.tree["table.dat"], found.sink) == path.read_bytes()


def test_without_casa_formats_io(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("casa_formats_io")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "casa_formats_io", None)
    found = Folder(images / "cube.image")
    assert found.imported.reason is not None
    assert "skypool[casa]" in found.imported.reason
    found.check_files()
