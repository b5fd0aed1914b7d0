"""The folder view of a pool: what its paths are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import NotFound, UsageError
from skypool.files.tree import Entry, Tree


def write_fits(path: Path, seed: int, size: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).normal(size=(size, size)).astype(">f4")
    fits.PrimaryHDU(data).writeto(path, overwrite=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of files, as it is added."""
    root = tmp_path / "obs"
    for n, name in enumerate(("level1/a.fits", "level2/PSW.fits", "level2/PMW.fits")):
        write_fits(root / name, n)
    (root / "notes.txt").write_text("seen twice\n")
    (root / "empty").mkdir()
    return root


@pytest.fixture
def pool(folder: Path, tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(folder, tags=["first look"])
        yield pool


def read(entry: Entry) -> bytes:
    with entry.open() as source:
        return source.pread(0, source.size)


def names(tree: Tree, path: str = "") -> list[str]:
    return [entry.name for entry in tree.children(path)]


def test_it_is_the_folder_that_was_added(pool: sp.Pool, folder: Path) -> None:
    tree = Tree(pool)
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        entry = tree.entry(f"obs/{path.relative_to(folder)}")
        assert entry.kind == "file"
        assert entry.size == path.stat().st_size
        assert entry.mtime_ns == path.stat().st_mtime_ns
        assert read(entry) == path.read_bytes()
    assert names(tree, "obs") == ["empty", "level1", "level2", "notes.txt"]
    assert names(tree, "obs/empty") == []
    assert tree.entry("obs/level2").is_folder
    with pytest.raises(NotFound, match="obs/level3"):
        tree.entry("obs/level3/a.fits")
    with pytest.raises(NotFound, match="is a file"):
        tree.children("obs/notes.txt")
    with pytest.raises(UsageError, match="is a folder"):
        tree.open("obs")


def test_a_path_is_found_as_it_is_listed(pool: sp.Pool) -> None:
    """Looked up alone and found in a listing, an entry is the same."""
    pool.save(sp.Product(datasets={"image": np.ones((4, 4), "f4")}), "maps/m83")
    pool.save(sp.Product(meta={"a": 1}), "maps/m83.fits")
    pool.save(sp.Product(meta={"a": 2}), "maps/m31.fits.gz")
    pool.save(sp.Product(meta={"a": 3}), "maps/m31.fits/inside")
    whole = {path: (entry.kind, entry.size) for path, entry in Tree(pool).walk()}
    assert "maps/m83@0.fits" in whole
    assert "maps/m83.fits" in whole
    assert "maps/m31@0.fits" in whole
    for path, seen in whole.items():
        entry = Tree(pool).entry(path)
        assert (entry.kind, entry.size) == seen, path


def test_it_is_laid_out_as_an_export_of_all_names(pool: sp.Pool, tmp_path: Path) -> None:
    product = sp.Product(datasets={"image": np.arange(100.0).reshape(10, 10)})
    pool.save(product, "obs/level2/made")
    pool.save(product, "obs/level2")  # a file where a folder is needed
    target = tmp_path / "out"
    from skypool.pool.whole import export_all

    export_all(pool.view, str(target))
    there = {str(p.relative_to(target)): p for p in target.rglob("*") if p.is_file()}
    shown = dict(Tree(pool).walk())
    assert set(shown) == set(there)
    for path, entry in shown.items():
        assert entry.size == there[path].stat().st_size
        assert read(entry) == there[path].read_bytes()


def test_commits_are_seen_at_once(pool: sp.Pool, folder: Path) -> None:
    tree = Tree(pool)
    before = tree.entry("obs/notes.txt")
    (folder / "notes.txt").write_text("seen three times\n")
    with sp.Pool(pool.path) as other:
        other.add(folder)
        assert read(tree.entry("obs/notes.txt")) == b"seen three times\n"
        assert read(before) == b"seen twice\n"
        other.remove("obs/notes.txt")
        with pytest.raises(NotFound):
            tree.entry("obs/notes.txt")
        assert "notes.txt" not in names(tree, "obs")


def test_versions(pool: sp.Pool, folder: Path) -> None:
    write_fits(folder / "level2/PSW.fits", 77)
    pool.add(folder)
    tree = Tree(pool)
    for above in ("@versions/obs/level2", "obs/@versions/level2", "obs/level2/@versions"):
        assert names(tree, f"{above}/PSW.fits") == ["PSW@0.fits", "PSW@1.fits"]
        new = read(tree.entry(f"{above}/PSW.fits/PSW@1.fits"))
        assert new == (folder / "level2/PSW.fits").read_bytes()
        assert read(tree.entry(f"{above}/PSW.fits/PSW@0.fits")) != new
    assert names(tree, "@versions/obs/level2")[:2] == ["PMW.fits", "PSW.fits"]
    old = tree.entry("@versions/obs/level2/level2@0/PSW.fits")
    assert old.ref is not None
    assert old.ref.version == 0
    assert "@versions" not in names(tree, "obs")


def test_tags_times_and_searches(pool: sp.Pool, folder: Path) -> None:
    first = (folder / "level2/PSW.fits").read_bytes()
    write_fits(folder / "level2/PSW.fits", 78)
    pool.add(folder)
    pool.tag("obs/level1/a.fits", "for 10% / of all")
    pool.save_search("big ones", "size > 1000")
    tree = Tree(pool)
    assert {"@at", "@search", "@tags", "@versions", "obs"} <= set(names(tree))
    assert names(tree, "@tags") == ["first look", "for 10%25 %2F of all"]
    assert names(tree, "@tags/for 10%25 %2F of all/obs/level1") == ["a.fits"]
    assert read(tree.entry("@tags/first look/obs/level2/PSW.fits")) == first
    assert read(tree.entry("@at/1/obs/level2/PSW.fits")) == first
    (day,) = names(tree, "@at")
    assert read(tree.entry(f"@at/{day}/obs/level2/PSW.fits")) != first
    assert names(tree, "@search") == ["big ones"]
    assert names(tree, "@search/big ones/obs/level2") == ["PMW.fits", "PSW.fits"]
    assert names(tree, "@search/size > 1000 and name contains '%2FPS'/obs/level2") == ["PSW.fits"]
    with pytest.raises(NotFound, match="is no search"):
        tree.entry("@search/naxis1 ==")
    for nothing in ("@at/1999-01-01", "@at/soon", "@tags/none", "@other"):
        with pytest.raises(NotFound):
            tree.entry(nothing)
    plain = Tree(pool, special=False)
    assert not any(name.startswith("@") for name in names(plain))
    with pytest.raises(NotFound):
        plain.entry("@tags")


def test_what_a_folder_refers_to_and_is_named_elsewhere(pool: sp.Pool) -> None:
    shared = pool["obs/level1/a.fits"]
    group = sp.Product(kind="MapContext", refs={"of level 1": shared, "psw": pool["obs/level2"]})
    pool.save(group, "sets/mine")
    tree = Tree(pool)
    assert names(tree, "sets/mine") == ["of level 1", "psw"]
    assert tree.entry("sets/mine/of level 1").ref == shared
    assert names(tree, "sets/mine/psw") == ["PMW.fits", "PSW.fits"]
    pool.rename(pool["obs/level2/PMW.fits"], "moved.fits")
    pool.remove("obs/level2/PSW.fits")
    assert names(tree, "obs/level2") == []


def test_a_pool_that_is_not_there_yet(tmp_path: Path, folder: Path) -> None:
    with sp.Pool(tmp_path / "new") as pool:
        tree = Tree(pool)
        assert names(tree) == []
        pool.add(folder / "notes.txt", name="notes.txt")
        assert "notes.txt" in names(tree)


def test_folders_that_are_one_product(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "cube.zarr"
    zarr.save(str(path), np.arange(60.0).reshape(3, 4, 5))
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(path)
        shown = dict(Tree(pool).walk())
        there = {str(p.relative_to(tmp_path)): p for p in path.rglob("*") if p.is_file()}
        assert set(shown) == set(there)
        for name, entry in shown.items():
            assert entry.size == there[name].stat().st_size
            assert read(entry) == there[name].read_bytes()
