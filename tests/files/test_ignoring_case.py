"""Exports onto a file system that ignores case: no file takes the place of another one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import Conflict
from skypool.pool.spelling import Spelling

from .mounting import SECONDS, need_fuse

NAMES = ("A.txt", "a.txt", "Sub/x.txt", "sub/only.txt", "sub/x.txt", "z.txt")


@pytest.fixture
def folding(tmp_path: Path) -> Iterator[Path]:
    need_fuse()
    place = tmp_path / "folding"
    place.mkdir()
    (tmp_path / "really").mkdir()
    words = [sys.executable, "-m", "tests.files.folding", str(tmp_path / "really"), str(place)]
    with subprocess.Popen(words) as process:
        try:
            until = time.monotonic() + SECONDS
            while not os.path.ismount(place):
                assert process.poll() is None, "it ended"
                assert time.monotonic() < until, "it took too long"
                time.sleep(0.02)
            yield place
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(place)], check=False)
            process.wait(SECONDS)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    top = tmp_path / "obs"
    for name in NAMES:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"this is {name}")
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(top)
        yield pool


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_whole_pool(pool: sp.Pool, folding: Path, overwrite: bool) -> None:
    expected = {
        "obs/A.txt": "A.txt", "obs/a@0.txt": "a.txt", "obs/Sub/x.txt": "Sub/x.txt",
        "obs/Sub/x@0.txt": "sub/x.txt", "obs/Sub/only.txt": "sub/only.txt", "obs/z.txt": "z.txt",
    }  # fmt: skip
    for again in (False, True):
        report = pool.export_all(folding, overwrite=overwrite)
        assert files(folding) == {name: f"this is {of}" for name, of in expected.items()}
        assert report.moved == [("obs/a@0.txt", "obs/a.txt"), ("obs/sub/x@0.txt", "obs/sub/x.txt")]
        assert (report.files, report.kept) == ((0, 6) if again else (6, 0))


def test_a_bag(pool: sp.Pool, folding: Path) -> None:
    assert pool.export_all(folding / "bag", bag=True).files == 6
    assert len((folding / "bag/manifest-sha256.txt").read_text().splitlines()) == 6


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_tree(pool: sp.Pool, folding: Path, overwrite: bool) -> None:
    with pytest.raises(Conflict, match=r"takes .*/a\.txt for .*/A\.txt"):
        pool.export("name:obs", folding, overwrite=overwrite)
    assert files(folding)["A.txt"] == "this is A.txt"


def test_one_product(pool: sp.Pool, folding: Path) -> None:
    (folding / "A.TXT").write_text("of somebody else")
    for name in ("obs/A.txt", "obs/a.txt"):
        with pytest.raises(Conflict, match=r"A\.TXT"):
            pool.export(name, folding, overwrite=True)
    pool.export("obs/z.txt", folding)
    pool.export("obs/z.txt", folding, overwrite=True)
    assert files(folding) == {"A.TXT": "of somebody else", "z.txt": "this is z.txt"}


def test_names_are_told_apart_where_they_are(pool: sp.Pool, tmp_path: Path) -> None:
    """On any other file system nothing is numbered."""
    for _ in range(2):
        report = pool.export_all(tmp_path / "out", overwrite=True)
        assert report.moved == []
        assert files(tmp_path / "out/obs") == {name: f"this is {name}" for name in NAMES}
    spelling = Spelling(str(tmp_path))
    assert spelling.other(str(tmp_path / "out/obs/A.txt")) == ""
    assert spelling.other(str(tmp_path / "out/OBS/A.txt")) == ""


def made(value: int) -> sp.Product:
    return sp.Product(datasets={"x": np.full(4, value)})


def test_what_is_beside_its_name_takes_no_other_name(tmp_path: Path) -> None:
    """A product of memory gets an extension, and a number: both may be those of another one."""
    note = tmp_path / "note"
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(made(1), name="x")
        pool.save(made(2), name="y")
        pool.save(made(3), name="y.fits.gz")
        for name in ("x.fits", "x@0.fits"):
            note.write_text(name)
            pool.add(note, name=name)
        for _ in range(2):
            report = pool.export_all(tmp_path / "out", overwrite=True)
            assert report.moved == [("x@0-2.fits", "x"), ("y@0.fits", "y.fits.gz")]
            assert {path.name for path in (tmp_path / "out").iterdir()} == {
                "x.fits", "x@0.fits", "x@0-2.fits", "y.fits", "y@0.fits",
            }  # fmt: skip
        assert (tmp_path / "out/x@0.fits").read_text() == "x@0.fits"


def test_two_products_of_a_tree_that_become_one_file(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        refs = {"m": pool.save(made(1), name="1"), "m.fits": pool.save(made(2), name="2")}
        pool.save(sp.Product(kind="MapContext", refs=refs), name="both")
        for overwrite in (False, True):
            with pytest.raises(Conflict, match="two products become"):
                pool.export("name:both", tmp_path / f"out{overwrite}", overwrite=overwrite)
        refs["m.fits"] = refs["m"]
        pool.save(sp.Product(kind="MapContext", refs=refs), name="both")
        pool.export("name:both", tmp_path / "same")
        assert [path.name for path in (tmp_path / "same").iterdir()] == ["m.fits"]


def test_a_folder_of_files_replaces_none(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    store.mkdir()
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(store)
        assert "tree" in pool["a.zarr"].document
        pool.export("a.zarr", tmp_path / "out")
        (tmp_path / "out/a.zarr/.zgroup").write_text("mine")
        with pytest.raises(Conflict, match="already"):
            pool.export("a.zarr", tmp_path / "out")
        assert (tmp_path / "out/a.zarr/.zgroup").read_text() == "mine"
        pool.export("a.zarr", tmp_path / "out", overwrite=True)
        assert (tmp_path / "out/a.zarr/.zgroup").read_text() != "mine"
