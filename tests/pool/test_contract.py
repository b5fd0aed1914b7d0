"""The public contract of a pool, point by point."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.wcs import WCS

import skypool as sp
from skypool import errors


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "temp1") as pool:
        yield pool


def wcs() -> WCS:
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [204.25, -29.87]
    made.wcs.crpix = [50, 40]
    made.wcs.cdelt = [-0.001, 0.001]
    return made


def product(**changes):
    rng = np.random.default_rng(7)
    settings = {
        "kind": "SimpleImage",
        "type": "HPPPMAPBS",
        "description": "a map",
        "instrument": "PACS",
        "meta": {"obsid": 1342182452, "wavelength": sp.Parameter(70.0, "um", "reference")},
        "datasets": {
            "image": sp.Array(rng.normal(size=(80, 100)).astype("f4"), "Jy/pixel", wcs()),
            "coverage": np.ones((80, 100), "f4"),
            "sources": Table({"ra": [1.0, 2.0], "name": ["a", "b"]}),
        },
    }
    return sp.Product(**(settings | changes))


def test_names_below_home_and_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("SKYPOOL_HOME", str(tmp_path / "home"))
    assert sp.Pool("temp1").path == str(tmp_path / "home" / "temp1")
    assert sp.Pool(f"{tmp_path}/a").path == str(tmp_path / "a")
    assert sp.Pool(f"file://{tmp_path}/a").path == str(tmp_path / "a")
    with pytest.raises(errors.UsageError, match="ftp"):
        sp.Pool("ftp://example.org/pool")


def test_modes(tmp_path):
    path = tmp_path / "pool"
    with pytest.raises(errors.PoolNotFound):
        sp.Pool(path, "r")
    sp.Pool(path)
    assert not path.exists()  # created by the first save
    sp.Pool(path).save(product(), name="a")
    with pytest.raises(errors.PoolExists):
        sp.Pool(path, "x")
    with pytest.raises(errors.PoolNotFound) as caught:
        sp.Pool(tmp_path / "pol", "r")
    assert str(path) in caught.value.candidates
    reader = sp.Pool(path, "r")
    with pytest.raises(errors.ReadOnly):
        reader.save(product(), name="b")
    with pytest.raises(errors.UsageError):
        sp.Pool(path, "w")


def test_save_and_load(pool):
    ref = pool.save(product(), name="maps/m83", tags=["using cal v1"], message="first")
    assert (ref.name, ref.version, ref.kind, ref.type) == (
        "maps/m83",
        0,
        "SimpleImage",
        "HPPPMAPBS",
    )
    assert ref.urn == "urn:temp1:SimpleImage:1"
    assert ref.tags == ("using cal v1",)
    assert ref.meta["obsid"].value == 1342182452
    assert "obsid" in ref.meta
    assert str(ref.meta["creationDate"].value).startswith(f"{datetime.now(UTC):%Y-%m-%d}"[:4])
    loaded = ref.product
    image = loaded["image"]
    np.testing.assert_array_equal(np.asarray(image), np.asarray(product()["image"]))
    assert image.unit.to_string() == "Jy / pix"
    assert image.wcs.wcs.crval[0] == 204.25
    np.testing.assert_array_equal(image[10:42, 10:42], np.asarray(image)[10:42, 10:42])
    assert image.max() == np.asarray(image).max()
    assert loaded["sources"].colnames == ["ra", "name"]
    assert len(loaded["sources"]) == 2
    assert list(loaded.datasets) == ["image", "coverage", "sources"]
    assert loaded.type == "HPPPMAPBS"
    assert ref.size == 2 * 80 * 100 * 4 + 2 * 9


def test_versions_and_old_states(pool):
    first = pool.save(product(), name="m")
    loaded = first.product
    second = pool.save(loaded.replace(meta={"quality": "good"}))
    assert second.version == 1
    assert [ref.version for ref in second.versions] == [0, 1]
    assert pool["m"] == second
    assert pool["m@0"] == first
    assert "quality" not in pool["m@0"].meta
    assert pool.at(1)["m"] == first
    assert pool.at(datetime.now(UTC))["m"] == second
    assert pool.at(f"{datetime.now(UTC):%Y-%m-%d}")["m"] == second
    with pytest.raises(errors.NotFound):
        pool.at(datetime.now(UTC) - timedelta(days=2))
    with pytest.raises(errors.NotFound):
        pool.at(3)
    with pytest.raises(errors.ReadOnly):
        pool.at(1).tag("m", "x")


def test_saving_what_is_unchanged_writes_nothing(pool):
    ref = pool.save(product(), name="m")
    before = pool.view.session.folder.log.end()
    assert pool.save(ref.product) == ref
    assert pool.save(pool["m"].product, name="m") == ref
    assert pool.view.session.folder.log.end() == before


def test_names_made_of_the_type(pool):
    assert pool.save(product()).name == "HPPPMAPBS-1"
    assert pool.save(product()).name == "HPPPMAPBS-2"
    assert pool.save(sp.Product()).name == "Product-1"
    pool.remove("HPPPMAPBS-2")
    assert pool.save(product()).name == "HPPPMAPBS-3"


def test_trees_are_saved_whole_and_shared(pool):
    cal = pool.save(product(type="CAL"), name="cal")
    child = product()
    obs = sp.Product(
        kind="ObservationContext",
        refs={"level2": sp.Product(kind="MapContext", refs={"PSW": child, "same": child})},
    )
    obs = obs.replace(refs={"calibration": cal})
    ref = pool.save(obs, name="1342182452")
    assert [r.name for r in pool.ls("1342182452")] == [
        "1342182452/level2",
        "1342182452/level2/PSW",
    ]
    psw = ref.product.refs["level2"].product.refs["PSW"]
    assert psw.product["image"].shape == (80, 100)
    assert ref.product.refs["calibration"] == cal
    assert ref.total_size == psw.size + cal.size
    assert ref.product.refs["level2"].product.refs["same"] == psw


def test_an_edited_child_of_a_tree_is_saved(pool):
    obs = sp.Product(
        kind="ObservationContext",
        refs={"level2": sp.Product(kind="MapContext", refs={"PSW": product(), "PMW": product()})},
    )
    first = pool.save(obs, name="obs")
    loaded = first.product
    level2 = loaded.refs["level2"].product
    psw = level2.refs["PSW"].product
    edited = psw.replace(meta={"note": "edited"})
    second = pool.save(loaded.replace(refs={"level2": level2.replace(refs={"PSW": edited})}))
    found = second.product.refs["level2"].product.refs
    assert found["PSW"].version == 1
    assert found["PSW"].name == "obs/level2/PSW"
    assert found["PSW"].meta["note"].value == "edited"
    assert found["PMW"].version == 0
    assert "note" not in first.product.refs["level2"].product.refs["PSW"].meta


def test_arrays_handed_out_cannot_be_changed_in_vain(pool):
    image = pool.save(product(), name="m").product["image"]
    for array in (np.asarray(image), image[3:5], image[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        image[0, 0] = 1


def test_parts_that_came_from_the_pool_are_neither_read_nor_hashed(pool, monkeypatch):
    rng = np.random.default_rng(1)
    big = sp.Product(
        type="big", datasets={"a": rng.normal(size=(512, 512)), "b": rng.normal(size=(512, 512))}
    )
    ref = pool.save(big, name="big")
    pool.close()
    again = sp.Pool(pool.path)
    loaded = again["big"].product
    store = again.view.session.store
    read, before = store.bytes_read, again.info().bytes_stored
    hashed = []
    from skypool.codec import digest

    original = digest.digest
    monkeypatch.setattr(
        "skypool.storage.writer.digest",
        lambda data: hashed.append(memoryview(data).nbytes) or original(data),
    )
    second = again.save(loaded.replace(datasets={"a": np.zeros((2, 2))}))
    assert store.bytes_read - read < 20_000
    assert sum(hashed) < 20_000
    assert again.info().bytes_stored - before < 20_000
    np.testing.assert_array_equal(np.asarray(second.product["b"]), np.asarray(big["b"]))
    assert ref.version == 0


def test_tags_many_to_many(pool):
    a, b = pool.save(product(), name="a"), pool.save(product(), name="b")
    pool.tag(a, "good", "using cal v1")
    pool.tag("b", "good")
    assert pool.tagged("good") == [a, b]
    with pytest.raises(errors.Ambiguous) as caught:
        pool["good"]
    assert caught.value.candidates == ("a@0", "b@0")
    c = pool.save(a.product.replace(meta={"x": 1}), tags="using cal v1")
    assert pool["using cal v1"] == c  # the newest of one product
    assert pool["a@using cal v1"] == c
    pool.untag(c, "using cal v1")
    assert pool["tag:using cal v1"] == a
    with pytest.raises(errors.NotFound):
        pool.untag(c, "never there")
    assert pool.tags == {"good": 2, "using cal v1": 1}
    for bad in ("", " x", "a\nb", "urn:x"):
        with pytest.raises(errors.InvalidName):
            pool.tag(a, bad)


def test_order_of_resolution(pool):
    a = pool.save(product(), name="x.fits")
    pool.save(product(), name="other")
    pool.tag("other", "x.fits", "x")
    assert pool["x.fits"] == a
    assert pool["x"] == a  # the stem of a name before a tag
    assert pool["tag:x"].name == "other"
    assert pool["name:x"] == a
    assert pool[a.urn] == a
    assert pool[a.hash[:12]] == a
    pool.save(product(), name="x.fit")
    with pytest.raises(errors.Ambiguous):
        pool["x"]
    with pytest.raises(errors.NotFound) as caught:
        pool["othr"]
    assert "other" in caught.value.candidates
    with pytest.raises(errors.NotFound, match="no version 7"):
        pool["other@7"]
    with pytest.raises(errors.InvalidName):
        pool["urn:a"]


def test_rename_remove_restore(pool):
    obs = sp.Product(kind="MapContext", refs={"a": product(), "b": product()})
    ref = pool.save(obs, name="obs")
    other = pool.save(sp.Product(kind="MapContext", refs={"x": pool["obs/b"]}), name="other")
    pool.rename("obs", "old/obs")
    assert [r.name for r in pool.ls()] == ["old/obs", "old/obs/a", "old/obs/b", "other"]
    assert pool.at(1)["obs/a"].name == "obs/a"
    report = pool.remove("old/obs")
    assert report.removed == ("old/obs", "old/obs/a")
    assert report.spared == ("old/obs/b",)
    assert [r.name for r in pool.ls()] == ["old/obs/b", "other"]
    with pytest.raises(errors.NotFound) as caught:
        pool["old/obs"]
    assert "restore" in caught.value.hint
    assert ref.product.refs["a"].product["image"].shape == (80, 100)  # refs go on
    assert pool.restore("old/obs") == ref
    assert len(pool) == 4
    assert other.product.refs["x"].name == "old/obs/b"
    with pytest.raises(errors.NameConflict):
        pool.rename("other", "old/obs")
    new = pool.save(product(), name="obs")  # the old name starts a new track
    assert new.version == 0
    pool.remove("obs")
    assert pool.save(product(), name="obs").version == 1  # a removed name continues


def test_a_name_given_up_after_coming_back_starts_anew(pool):
    first = pool.save(product(), name="a")
    pool.remove("a")
    assert pool.save(product(), name="a").track == first.track
    pool.rename("a", "b")
    again = pool.save(product(), name="a")  # found by the stateful test
    assert (again.version, again.track) == (0, first.track + 1)


def test_transactions_are_all_or_nothing(pool):
    with pool.commit("two at once") as c:
        a = c.save(product(), name="a")
        c.tag(a, "t")
        c.save(sp.Product(kind="MapContext", refs={"a": a}), name="b")
    assert [len(pool), len(pool.history())] == [2, 1]
    assert pool["t"] == a.ref == pool["b"].product.refs["a"]

    def fail():
        with pool.commit("nothing") as c:
            c.save(product(), name="c")
            c.tag("nonsense", "x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "c" not in pool
    assert len(pool.history()) == 1


def test_history(pool):
    pool.save(product(), name="a", message="why not")
    pool.tag("a", "x")
    pool.save(product(), name="b")
    assert [c.number for c in pool.history()] == [3, 2, 1]
    assert [c.number for c in pool.history("a")] == [2, 1]
    commit = pool.history()[-1]
    assert (commit.author, commit.message) == ("tester", "why not")
    assert commit.time.tzinfo is UTC


def test_a_pool_without_commits_has_no_past(tmp_path):
    with (
        sp.Pool(tmp_path / "made", mode="x") as pool,
        pytest.raises(errors.NotFound, match="no commit yet"),
    ):
        pool.at(1)


def test_products_of_other_pools_are_copied(pool, tmp_path):
    with sp.Pool(tmp_path / "other") as other:
        old = other.save(product(), name="m", tags="t")
        old = other.save(old.product.replace(meta={"x": 1}))
        ref = pool.save(sp.Product(kind="MapContext", refs={"m": old}), name="top")
        urn = old.urn
    copied = pool["top/m"]
    np.testing.assert_array_equal(
        np.asarray(copied.product["image"]), np.asarray(product()["image"])
    )
    assert copied.origin["urn"] == urn
    assert [entry["version"] for entry in copied.origin["history"]] == [0, 1]
    assert copied.origin["history"][0]["tags"] == ["t"]
    assert ref.product.refs["m"] == copied


def test_a_copied_pool_is_another_pool(pool, tmp_path):
    pool.save(product(), name="m")
    shutil.copytree(pool.path, tmp_path / "copy")
    pool.save(product(meta={"n": 2}, datasets={"image": np.full((3, 3), 7.0)}), name="late")
    with sp.Pool(tmp_path / "copy") as copy:
        late = pool["late"].product
        copied = copy.save(late.replace(meta={"n": 3}), name="late")
        np.testing.assert_array_equal(np.asarray(copied.product["image"]), np.full((3, 3), 7.0))
        assert pool["m"] != copy["m"]
        assert copy.verify().ok


def test_external_references_are_kept(pool):
    text = "urn::herschel.ia.dataset.image.SimpleImage:123"
    ref = pool.save(sp.Product(kind="MapContext", refs={"x": sp.ExternalRef(text)}), name="a")
    assert pool["a"].product.refs["x"].text == text
    assert ref.product.refs["x"] == sp.ExternalRef(text)


def test_find(pool):
    pool.save(product(), name="a")
    pool.save(product(type="OTHER", meta={"obsid": 7}), name="b")
    assert [r.name for r in pool.find("type == 'HPPPMAPBS'")] == ["a"]
    assert [r.name for r in pool.find("obsid > 5")] == ["a", "b"]
    assert [r.name for r in pool.find(lambda p: p["image"].max() > 1, kind="SimpleImage")] == [
        "a",
        "b",
    ]
    assert not pool.find("obsid == $n", n=9)
    with pytest.raises(errors.QueryError):
        pool.find("obsid ==")
    table = pool.find("").to_table("obsid", "nothing")
    assert list(table["obsid"]) == [1342182452, 7]
    assert table["nothing"].mask.all()


def test_ccd_data_there_and_back(pool):
    ccd = CCDData(np.ones((5, 6)), unit="adu", mask=np.eye(5, 6, dtype=bool), wcs=wcs())
    ref = pool.save(sp.Product(datasets={"image": ccd}), name="c")
    back = ref.product.to_ccddata("image")
    np.testing.assert_array_equal(back.data, ccd.data)
    np.testing.assert_array_equal(back.mask, ccd.mask)
    assert back.unit == ccd.unit
    assert back.wcs.wcs.crval[1] == -29.87


@pytest.mark.parametrize(
    "dtype", ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16"]
)  # fmt: skip
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 300), (2, 3, 70), (2, 1, 3, 4)])
def test_every_type_and_shape(pool, dtype, shape):
    rng = np.random.default_rng(3)
    values = (rng.normal(size=shape) * 100).astype(dtype)
    ref = pool.save(sp.Product(datasets={"x": values}), name="x")
    back = np.asarray(ref.product["x"])
    assert back.dtype == values.dtype
    assert back.shape == values.shape
    np.testing.assert_array_equal(back, values)


def test_names_that_cannot_be(pool):
    for bad in ("", "/a", "a//b", "../a", "a/.", "urn:x", "tag:x", "a\0b"):
        with pytest.raises(errors.InvalidName):
            pool.save(product(), name=bad)
    assert not pool.exists


@pytest.mark.parametrize("name", ["ünï/cödé.fits", "with blank", "q'uo\"te", "a@b", "x@3", "日本"])
def test_odd_names(pool, name):
    ref = pool.save(product(), name=name)
    assert pool[name] == ref
    assert pool[f"{name}@0"] == ref


def test_saving_what_is_no_product(pool):
    with pytest.raises(errors.UsageError, match="no product"):
        pool.save(np.ones(3))


def test_changes_of_one_name_that_mean_two_things(pool):
    a = pool.save(product(), name="a")

    def together(*changes):
        with pool.commit("") as c:
            for change in changes:
                change(c)

    cases = [
        (lambda c: c.save(product(), name="n"), lambda c: c.rename(a, "n")),
        (lambda c: c.rename(a, "x"), lambda c: c.rename(a, "y")),
        (lambda c: c.rename(a, "x"), lambda c: c.save(product(), name="a")),
        (lambda c: c.remove(a), lambda c: c.save(product(), name="a")),
        (lambda c: c.remove(a), lambda c: c.rename(a, "b")),
    ]
    for changes in cases:
        with pytest.raises(errors.NameConflict):
            together(*changes)
    assert [ref.name for ref in pool.ls()] == ["a"]
    assert len(pool.history()) == 1


def test_a_removed_product_is_not_renamed(pool):
    a = pool.save(product(), name="a")
    pool.remove(a)
    with pytest.raises(errors.NotFound, match="removed"):
        pool.rename(a, "b")


def test_arrays_and_tables_without_values(pool):
    datasets = {"x": np.zeros((0, 3)), "t": Table({"a": np.zeros(0)})}
    empty = pool.save(sp.Product(kind="SimpleImage", datasets=datasets), name="empty").product
    assert empty["x"].count() == 0
    assert not empty["x"].any()
    assert empty["x"].all()
    assert np.isnan(empty["x"].mean())
    assert len(empty["t"].where("a > 1")) == 0
    for query in ("max(x) > 1", "min(x) < 1", "median(x) < 1", "count(t['a'] > 1) > 0"):
        assert not pool.find(query)


def test_what_was_loaded_before_its_name_went_to_another_is_refused(pool):
    pool.save(sp.Product(meta={"n": 1}), name="a")
    pool.save(sp.Product(meta={"n": 2}), name="b")
    old = pool["name:a"].product
    pool.remove("name:a")
    pool.rename("name:b", "a")
    with pytest.raises(errors.NameConflict, match="taken since this product was removed"):
        pool.save(old.replace(meta={"n": 3}))
    assert [(ref.name, ref.meta["n"].value) for ref in pool.ls()] == [("a", 2)]
    ref = pool.save(old.replace(meta={"n": 3}), name="c")
    assert ref.name == "c"
    assert pool.verify().ok


def test_a_commit_brings_no_name_back_that_it_gives_away(pool):
    pool.save(sp.Product(meta={"n": 1}), name="a")
    pool.save(sp.Product(meta={"n": 2}), name="b")
    old = pool["name:a"].product
    pool.remove("name:a")
    with pytest.raises(errors.NameConflict), pool.commit() as c:
        c.save(old.replace(meta={"n": 3}))
        c.rename(pool["name:b"], "a")
    assert [ref.name for ref in pool.ls()] == ["b"]
    assert pool.verify().ok


def test_an_empty_pool_of_somebody_else(tmp_path, monkeypatch) -> None:
    from skypool.pool.folder import PoolFolder
    from skypool.storage.filelayer import LocalFiles

    PoolFolder.create(str(tmp_path / "theirs"), LocalFiles(), exclusive=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        errors.ReadOnly, match=r"nothing was saved in it yet.*no permission to write"
    ):
        sp.Pool(tmp_path / "theirs")
    with pytest.raises(errors.PoolNotFound, match="nothing was saved in it yet"):
        sp.Pool(tmp_path / "theirs", mode="r")
