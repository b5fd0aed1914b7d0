"""Content that is dropped because another place has it, and comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.format.reader import Damaged as ReaderDamaged
from tests.format.reader import Pool as Reader

import skypool as sp
from skypool.cli.app import app
from skypool.errors import Conflict, Dropped, UsageError


def image(seed: int, **meta: object) -> sp.Product:
    data = np.random.default_rng(seed).normal(size=(200, 200)).astype("float32")
    data[0, 0] = 100 + seed
    return sp.Product(kind="SimpleImage", meta={"seed": seed, **meta}, datasets={"image": data})


def pixels(ref: sp.Ref) -> np.ndarray:
    return np.asarray(ref.product["image"][:])


def packed(pool: sp.Pool) -> int:
    return sum(path.stat().st_size for path in Path(pool.path).glob("packs/*.pack"))


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        a = pool.save(image(1), name="obs/a", tags=["good"])
        b = pool.save(image(2), name="obs/b")
        pool.save(sp.Product(kind="MapContext", refs={"a": a, "b": b}), name="obs")
        pool.save(image(3), name="kept")
        yield pool


@pytest.fixture
def clone(pool: sp.Pool, tmp_path: Path) -> Iterator[sp.Pool]:
    with pool.clone(tmp_path / "clone") as clone:
        yield clone


def check_dropped(ref: sp.Ref) -> None:
    with pytest.raises(Dropped) as caught:
        pixels(ref)
    assert f"skypool get {ref.name}@{ref.version}" in caught.value.hint
    assert caught.value.candidates


def test_drop_keeps_all_that_searches_need_and_get_brings_it_back(
    pool: sp.Pool, clone: sp.Pool
) -> None:
    before, wanted = packed(pool), pixels(pool["obs/a"])
    report = pool.drop("name:obs", from_=clone)
    assert (report.versions, report.already) == (2, 1)
    assert report.places == [f"pool {clone.path}"]
    check_dropped(pool["obs/a"])
    assert pool.gc(grace=0).reclaimed > 200_000
    assert packed(pool) < before - 200_000
    for _ in range(2):
        check_dropped(pool["obs/a"])
        ref = pool["obs/a"]
        assert (ref.tags, ref.meta["seed"].value, ref.dropped) == (
            ("good",),
            1,
            (f"pool {clone.path}",),
        )
        assert [r.name for r in pool.find("seed == 2")] == ["obs/b"]
        assert [r.name for r in pool.find("max(image) > 101.5")] == ["kept", "obs/b"]
        assert ref.product["image"].shape == (200, 200)
        found = pool.verify()
        assert found.ok
        assert found.dropped == 2
        assert pixels(pool["kept"]).shape == (200, 200)
        assert pool.usage(by="version").stored < 200_000
        pool.reindex()
    reader = Reader(Path(pool.path))
    entry = next(v for v in reader.at().versions.values() if v["urn"] == pool["obs/a"].number)
    assert reader.at().dropped[entry["urn"]][0]["from"][0]["pool"] == clone.path
    with pytest.raises(ReaderDamaged):
        product = reader.product(entry)
        product.data(product.datasets()["image"]["data"])
    got = pool.bring_back("name:obs")
    assert (got.versions, got.already) == (2, 1)
    assert np.array_equal(pixels(pool["obs/a"]), wanted)
    assert pool["obs/a"].dropped == ()
    pool.gc(grace=0)
    pool.reindex()
    assert np.array_equal(pixels(pool["obs/a"]), wanted)
    assert pool.verify().dropped == 0
    assert pool.bring_back("name:obs").versions == 0


def test_nothing_is_dropped_that_no_other_place_has(pool: sp.Pool, clone: sp.Pool) -> None:
    pool.save(image(9), name="obs/new")
    head = len(pool.history())
    for wrong in ((), clone):
        with pytest.raises(Conflict, match="no other place") as caught:
            pool.drop(["name:obs", "obs/new"], from_=wrong)
        assert "obs/new@0" in caught.value.candidates
    path = next(Path(clone.path).glob("packs/*.pack"))
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"damaged" * 10)
    with pytest.raises(Conflict):
        pool.drop(["kept", "obs/a"], from_=clone)
    assert len(pool.history()) == head
    assert pool.verify().ok


def test_plain_copy_is_no_other_place(pool: sp.Pool, tmp_path: Path) -> None:
    """It would take the record over with the next pull, and drop what it has."""
    pool.close()
    shutil.copytree(tmp_path / "pool", tmp_path / "copy")
    with sp.Pool(tmp_path / "pool") as pool, pytest.raises(UsageError, match="plain copy"):
        pool.drop("kept", from_=tmp_path / "copy")


def test_clone_keeps_what_its_source_dropped(pool: sp.Pool, clone: sp.Pool) -> None:
    """The record comes along with the history, but is about the other pool alone."""
    wanted = pixels(pool["kept"])
    pool.drop("kept", from_=clone)
    pool.gc(grace=0)
    clone.pull()
    for _ in range(2):
        clone.gc(grace=0)
        assert np.array_equal(pixels(clone["kept"]), wanted)
        report = clone.verify()
        assert report.ok
        assert report.dropped == 0
        clone.reindex()
    with pytest.raises(Conflict):
        clone.drop("kept", from_=pool)
    pool.bring_back("kept")
    pool.gc(grace=0)
    clone.drop("kept", from_=pool)
    clone.gc(grace=0)
    check_dropped(clone["kept"])
    pool.pull(clone)
    pool.gc(grace=0)
    assert np.array_equal(pixels(pool["kept"]), wanted)
    assert pool.verify().ok


def test_clone_of_a_pool_that_dropped(pool: sp.Pool, clone: sp.Pool, tmp_path: Path) -> None:
    pool.drop("kept", from_=clone)
    pool.gc(grace=0)
    with pool.clone(tmp_path / "third") as third:
        check_dropped(third["kept"])
        assert third.verify().ok
        assert third.verify().dropped == 1
        third.gc(grace=0)
        third.reindex()
        assert third.verify().ok
        pool.bring_back("kept")
        third.pull(pool)
        assert np.array_equal(pixels(third["kept"]), pixels(pool["kept"]))
        assert third.verify().dropped == 0


def test_merge_and_copy_of_what_was_dropped(pool: sp.Pool, clone: sp.Pool, tmp_path: Path) -> None:
    pool.drop("kept", from_=clone)
    pool.gc(grace=0)
    with sp.Pool(tmp_path / "other") as other:
        other.save(image(50), name="mine")
        other.pull(pool, unrelated=True)
        check_dropped(other["kept"])
        assert other.verify().ok
        assert other.bring_back("kept").versions == 1
        assert pixels(other["kept"])[0, 0] == 103
        assert other.verify().ok
    with sp.Pool(tmp_path / "piece") as piece:
        pool.copy("kept", piece)
        check_dropped(piece["kept"])
        piece.bring_back("kept", from_=clone)
        assert pixels(piece["kept"])[0, 0] == 103


def test_shared_chunks_stay(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        big = np.random.default_rng(0).normal(size=(600, 600)).astype("float32")
        pool.save(sp.Product(datasets={"image": big}), name="a")
        changed = big.copy()
        changed[:5, :5] = 0
        pool.save(sp.Product(datasets={"image": changed}), name="a")
        with pool.clone(tmp_path / "clone") as clone:
            pool.drop("a@0", from_=clone)
            pool.gc(grace=0)
            assert np.array_equal(np.asarray(pool["a@1"].product["image"][:]), changed)
            with pytest.raises(Dropped):
                pool["a@0"].product["image"][:]
            got = pool.bring_back("a@0")
            assert got.bytes_added < 400_000  # one tile of nine
            assert np.array_equal(np.asarray(pool["a@0"].product["image"][:]), big)


def test_same_content_in_a_version_that_stays(pool: sp.Pool, clone: sp.Pool) -> None:
    pool.save(pool["kept"].product, name="twin")
    pool.drop("kept", from_=clone)
    pool.gc(grace=0)
    assert pixels(pool["twin"])[0, 0] == 103
    check_dropped(pool["kept"])
    assert pool.verify().ok


def test_files_that_products_came_from(tmp_path: Path) -> None:
    files = {"a.bin": 1, "b.fits": 2}
    for name, seed in files.items():
        (tmp_path / name).write_bytes(np.random.default_rng(seed).bytes(300_000))
    with sp.Pool(tmp_path / "pool") as pool:
        refs = [pool.add(tmp_path / name, name=name) for name in files]
        report = pool.drop(refs)
        assert report.versions == 2
        pool.gc(grace=0)
        assert packed(pool) < 20_000
        for ref in refs:
            with pytest.raises(Dropped):
                pool.export(ref, tmp_path / "out")
        (tmp_path / "b.fits").write_bytes(b"other")
        pool.bring_back("a.bin")
        pool.export("a.bin", tmp_path / "out")
        assert (tmp_path / "out" / "a.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
        with pytest.raises(Dropped, match="cannot be had now"):
            pool.bring_back("b.fits")
        # Adding the same file again brings it back as well.
        (tmp_path / "again").mkdir()
        (tmp_path / "again" / "b.fits").write_bytes(np.random.default_rng(2).bytes(300_000))
        assert pool.add(tmp_path / "again" / "b.fits", name="b.fits").version == 0
        assert pool["b.fits"].dropped == ()
        pool.gc(grace=0)
        pool.export("b.fits", tmp_path / "out")
        assert pool.verify().ok


def test_changed_files_are_no_other_place(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(path, name="a")
        path.write_bytes(bytes(range(255, -1, -1)) * 1000)
        with pytest.raises(Conflict):
            pool.drop("a")


def test_interrupted_get_goes_on(
    pool: sp.Pool, clone: sp.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skypool.pool import dropping

    pool.drop("name:obs", from_=clone)
    pool.gc(grace=0)
    monkeypatch.setattr(dropping, "STAGE_BYTES", 1)

    def stop(progress: object) -> None:
        if getattr(progress, "bytes", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.bring_back("name:obs", progress=stop)
    check_dropped(pool["obs/a"])
    got = pool.bring_back("name:obs")
    assert got.bytes < 200_000  # the other one was here
    assert pixels(pool["obs/a"])[0, 0] == 101
    assert pool.verify().ok


def test_what_was_dropped_is_purged_and_changed(pool: sp.Pool, clone: sp.Pool) -> None:
    pool.drop("kept", from_=clone)
    pool.gc(grace=0)
    with pytest.raises(Dropped):  # its pixels would have to be stored again
        pool.save(pool["kept"].product.replace(meta={"more": 1}), name="kept")
    pool.tag("kept", "a tag")
    pool.save(image(4), name="kept")
    pool.untag("kept@0", "a tag")
    assert pool.purge("kept").versions == 1
    pool.gc(grace=0)
    assert pool.verify().ok


def test_collection_while_it_comes_back(pool: sp.Pool, clone: sp.Pool) -> None:
    """gc that began before must not take what came back meanwhile."""
    pool.drop("kept", from_=clone)
    done: list[int] = []

    def step(progress: object) -> None:
        if getattr(progress, "stage", "") == "giving back" and not done:
            done.append(1)
            with sp.Pool(pool.path) as other:
                other.bring_back("kept", from_=clone)

    pool.gc(grace=0, progress=step)
    assert done
    assert pixels(pool["kept"])[0, 0] == 103
    assert pool.verify().ok


def test_command_line(pool: sp.Pool, clone: sp.Pool, tmp_path: Path) -> None:
    def sky(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["-p", pool.path, *words])
        assert result.exit_code == code, result.output
        return result.stdout

    dry = json.loads(sky("drop", "kept", "--from", clone.path, "--dry-run", "--json"))
    assert (dry["versions"], dry["commit"]) == (1, None)
    assert "dropped 1 version" in sky("drop", "kept", "--from", clone.path)
    assert "nothing to drop: 1 version has no content here" in sky("drop", "kept")
    assert f"dropped   it is in the pool {clone.path}" in sky("show", "kept")
    refused = CliRunner().invoke(app, ["-p", pool.path, "undo", str(len(pool.history()))])
    assert "skypool get" in refused.output
    cut = json.loads(sky("export", "kept", str(tmp_path / "out"), "--json", code=4))
    assert cut["error"]["code"] == "dropped"
    assert json.loads(sky("get", "kept", "--json"))["versions"] == 1
