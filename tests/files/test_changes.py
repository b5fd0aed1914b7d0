"""What programs do to files becomes changes of the pool."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import Conflict, InvalidName, NotFound, ReadOnly
from skypool.files.changes import Changes
from skypool.files.tree import Tree


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    (tmp_path / "obs" / "level2").mkdir(parents=True)
    (tmp_path / "obs" / "level2" / "a.txt").write_text("a")
    (tmp_path / "obs" / "b.txt").write_text("b")
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tmp_path / "obs", name="obs")
        pool.save(sp.Product(datasets={"image": np.ones((4, 5))}), name="maps/m83")
        yield pool


@pytest.fixture
def changes(pool: sp.Pool) -> Changes:
    return Changes(Tree(pool), "test")


def read(changes: Changes, path: str) -> bytes:
    with changes.tree.entry(path).open() as found:
        return found.pread(0, found.size)


def names(changes: Changes, path: str = "") -> list[str]:
    return [entry.name for entry in changes.tree.children(path) if not entry.special]


def last(pool: sp.Pool) -> str:
    return pool.history()[0].message


def test_written_files_are_products_and_versions(pool: sp.Pool, changes: Changes) -> None:
    ref = changes.write("obs/c.txt", b"one")
    assert (ref.name, ref.version, read(changes, "obs/c.txt")) == ("obs/c.txt", 0, b"one")
    assert last(pool) == "write obs/c.txt (test)"
    assert ref.origin["path"] == "obs/c.txt"
    ref = changes.write("/obs//c.txt", io.BytesIO(b"two"))
    assert (ref.version, read(changes, "obs/c.txt")) == (1, b"two")
    assert read(changes, "@versions/obs/c.txt/c@0.txt") == b"one"
    commits = len(pool.history())
    assert changes.write("obs/c.txt", b"two").version == 1  # nothing new
    assert len(pool.history()) == commits
    assert changes.write("empty.bin", b"").size == 0


def test_many_files_are_one_commit(pool: sp.Pool, changes: Changes) -> None:
    commits = len(pool.history())
    with changes.staging() as folder:
        files = {}
        for name in ("x/a.txt", "y/a.txt", "obs/b.txt"):
            files[name] = f"{folder}/{len(files)}-a.txt"
            Path(files[name]).write_text(name)
        changes.put(files)
    assert len(pool.history()) == commits + 1
    assert last(pool) == "write 3 files (test)"
    assert read(changes, "y/a.txt") == b"y/a.txt"
    assert pool["obs/b.txt"].version == 1
    assert not Path(folder).exists()


def test_archives_stay_files(changes: Changes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("inside.txt"))
    changes.write("data.tar.gz", out.getvalue())
    assert not changes.tree.entry("data.tar.gz").is_folder
    assert read(changes, "data.tar.gz") == out.getvalue()


def test_a_product_made_in_memory_gets_the_name_of_its_file(
    pool: sp.Pool, changes: Changes
) -> None:
    assert names(changes, "maps") == ["m83.fits"]
    out = io.BytesIO()
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(out)
    ref = changes.write("maps/m83.fits", out.getvalue())
    assert names(changes, "maps") == ["m83.fits"]
    assert (ref.name, ref.version) == ("maps/m83.fits", 1)
    assert read(changes, "maps/m83.fits") == out.getvalue()


def test_removed_files_are_in_the_trash(pool: sp.Pool, changes: Changes) -> None:
    changes.remove("obs/level2/a.txt")
    assert [item.name for item in pool.trash()] == ["obs/level2/a.txt"]
    changes.remove("obs")
    assert "obs" not in names(changes)
    assert {item.name for item in pool.trash()} >= {"obs", "obs/b.txt"}
    with pytest.raises(NotFound):
        changes.remove("obs")
    pool.restore("obs")
    assert read(changes, "obs/b.txt") == b"b"
    changes.remove("maps/m83.fits")
    assert "maps/m83" not in pool


def test_a_folder_that_is_emptied_stays_until_it_is_removed(
    pool: sp.Pool, changes: Changes
) -> None:
    changes.write("new/below/a.txt", b"a")
    changes.remove("new/below/a.txt")
    assert changes.is_made("new/below")
    assert changes.folders("new") == ["below"]
    changes.remove("new/below")
    assert changes.folders("") == ["new"]
    changes.remove("new")
    assert not changes.folders("")


def test_folders_are_made_and_become_real(pool: sp.Pool, changes: Changes) -> None:
    commits = len(pool.history())
    changes.make_folder("one")
    changes.make_folder("one/two")
    assert (changes.folders(""), changes.folders("one")) == (["one"], ["two"])
    with pytest.raises(Conflict):
        changes.make_folder("one/two")
    with pytest.raises(Conflict):
        changes.make_folder("obs")
    with pytest.raises(Conflict, match="is a file"):
        changes.make_folder("obs/b.txt/below")
    changes.rename("one", "uno")
    assert changes.folders("uno") == ["two"]
    assert len(pool.history()) == commits
    changes.write("uno/two/a.txt", b"a")
    assert not changes.folders("")
    assert names(changes, "uno") == ["two"]


def test_renaming(pool: sp.Pool, changes: Changes) -> None:
    changes.rename("obs/b.txt", "obs/level2/c.txt")
    assert (names(changes, "obs"), names(changes, "obs/level2")) == (["level2"], ["a.txt", "c.txt"])
    changes.rename("obs", "observation")
    assert read(changes, "observation/level2/c.txt") == b"b"
    assert pool["observation/level2/c.txt"].kind == "File"
    assert "obs" not in names(changes)
    changes.write("plain/x/a.txt", b"a")
    changes.write("plain/y.txt", b"y")
    changes.rename("plain", "fancy")
    assert (read(changes, "fancy/x/a.txt"), read(changes, "fancy/y.txt")) == (b"a", b"y")
    with pytest.raises(Conflict, match="into itself"):
        changes.rename("fancy", "fancy/x/z")
    with pytest.raises(Conflict):
        changes.rename("fancy", "observation")
    with pytest.raises(NotFound):
        changes.rename("nothing", "something")


def test_an_editor_that_saves_beside_and_renames_makes_a_version(
    pool: sp.Pool, changes: Changes
) -> None:
    changes.write("obs/b.txt.tmp", b"better")
    changes.rename("obs/b.txt.tmp", "obs/b.txt")
    assert pool["obs/b.txt"].version == 1
    assert read(changes, "obs/b.txt") == b"better"
    assert names(changes, "obs") == ["b.txt", "level2"]


def test_copies_write_no_content(pool: sp.Pool, changes: Changes) -> None:
    changes.write("obs/b.txt", b"second")
    before = pool.info().bytes_stored
    changes.copy("@versions/obs/b.txt/b@0.txt", "obs/b.txt")
    assert read(changes, "obs/b.txt") == b"b"
    assert pool["obs/b.txt"].version == 2
    changes.copy("maps/m83.fits", "maps/other.fits")
    assert read(changes, "maps/other.fits") == read(changes, "maps/m83.fits")
    pool.save(pool["maps/m83"].product.replace(meta={"a": 1}))
    old = read(changes, "@versions/maps/m83.fits/m83@0.fits")
    changes.copy("@versions/maps/m83.fits/m83@0.fits", "maps/back.fits")
    assert read(changes, "maps/back.fits") == old
    assert pool.info().bytes_stored < before + 20_000
    with pytest.raises(Conflict, match="is a folder"):
        changes.copy("obs", "obs2")


def test_what_is_refused(pool: sp.Pool, changes: Changes) -> None:
    with pytest.raises(ReadOnly, match="@tags shows"):
        changes.write("@tags/x/a.txt", b"")
    with pytest.raises(ReadOnly):
        changes.remove("")
    with pytest.raises(Conflict, match="is a folder"):
        changes.write("obs", b"")
    with pytest.raises(Conflict, match="is a file"):
        changes.write("obs/b.txt/c", b"")
    with pytest.raises(InvalidName):
        changes.write("obs/../c", b"")
    pool.save(sp.Product(kind="MapContext", refs={"other": pool["obs/b.txt"]}), name="working")
    assert names(changes, "working") == ["other"]
    with pytest.raises(ReadOnly, match="refers to it"):
        changes.remove("working/other")
    with pytest.raises(ReadOnly, match="refers to it"):
        changes.rename("working/other", "mine")
    with sp.Pool(pool.path, "r") as reading, pytest.raises(ReadOnly):
        Changes(Tree(reading)).write("x", b"")


def test_parts_of_a_folder_product_are_not_written(
    pool: sp.Pool, changes: Changes, tmp_path: Path
) -> None:
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    zarr.save_array(str(tmp_path / "cube.zarr"), np.arange(90))
    pool.add(tmp_path / "cube.zarr", name="cube.zarr")
    (inner,) = [entry.name for entry in changes.tree.children("cube.zarr") if entry.name[0] == "z"]
    with pytest.raises(ReadOnly, match="one product"):
        changes.write(f"cube.zarr/{inner}", b"")
    changes.copy(f"cube.zarr/{inner}", "copy.json")
    assert read(changes, "copy.json") == (tmp_path / "cube.zarr" / inner).read_bytes()
    changes.remove("cube.zarr")
    assert "cube.zarr" not in names(changes)
