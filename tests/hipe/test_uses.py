"""What real scripts do, in today's Python: the fourteen uses, and the lines of the slides."""

# ruff: noqa: SIM103, SIM113, T201 (scripts are as they were written)

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from skypool import Pool
from skypool.errors import Ambiguous, NotFound, StorageError, UsageError
from skypool.hipe import *  # noqa: F403 (as HIPE's console had them)
from skypool.hipe import (  # for the checkers
    FullQuery,
    HttpClientPool,
    ListContext,
    LocalStoreContext,
    LocalStoreFactory,
    MetaQuery,
    MyHSAConnection,
    MyHSAPool,
    ObservationContext,
    PoolManager,
    Product,
    ProductRef,
    ProductStorage,
    Query,
    SimpleImage,
    StringParameter,
    bg,
    exportObservation,
    getObservation,
    localStoreCopier,
    readSliced,
    saveObservation,
    saveProduct,
    saveSlicedCopy,
    simpleFitsReader,
    simpleFitsWriter,
)

from .herschel import OBSID, image, observation

pytestmark = pytest.mark.usefixtures("home")


def fill(name: str, *obsids: int, instrument: str = "PACS") -> ProductStorage:
    store = ProductStorage(PoolManager.getPool(name))
    for obsid in obsids:
        store.save(observation(obsid, instrument))
    return store


# -- the fourteen uses


def test_a_list_all_observations() -> None:
    fill("standard", 1342180957, 1342180930)
    store = ProductStorage(PoolManager.getPool("standard"))
    refs = store.select(MetaQuery(ObservationContext, "p", "1"))
    listed = [(ref.meta["obsid"].long, ref.meta["obsid"]) for ref in refs]
    listed.sort(key=lambda pair: pair[0])
    assert [number for number, _ in listed] == [1342180930, 1342180957]


def test_b_from_one_pool_to_another() -> None:
    fill("ops", OBSID)
    store = ProductStorage()
    store.register(HttpClientPool(f"file://{Pool('ops').path}"))
    store.authenticate()
    query = MetaQuery(ObservationContext, "p", f"p.meta['obsid'].value=={OBSID}L")
    obs = store.select(query)[0].product
    obs.calibration.spec.refs.clear()
    store_out = ProductStorage(PoolManager.getPool("out"))
    store_out.save(obs)
    found = store_out.select(query)[0].product
    assert found.calibration.spec.refs.isEmpty()
    assert list(found.calibration.phot.refs) == ["flat"]
    assert not store.select(query)[0].product.calibration.spec.refs.isEmpty()


def test_c_replace_a_product_and_write_it(tmp_path: Path) -> None:
    fill("local", OBSID, instrument="SPIRE")
    try:
        obs = getObservation(OBSID, poolName="local")
    except NotFound:
        obs = getObservation(OBSID, useHsa=True)
    new = image("PSW", 9.0)
    obs.level2.setProduct("PSW", new)
    path = str(tmp_path / "psw.fits")
    simpleFitsWriter(new, path)
    saveObservation(obs, poolName="local")
    assert getObservation(OBSID).level2.refs["PSW"].product.image.max() == 9.0
    assert simpleFitsReader(path).image.max() == 9.0
    with pytest.raises(StorageError, match="there already"):
        simpleFitsWriter(new, path)
    simpleFitsWriter(new, path, warn=False)


def test_d_process_save_and_export(tmp_path: Path) -> None:
    n, out = "processed", str(tmp_path / "out")
    obs = observation()
    saveObservation(obs, poolLocation=str(tmp_path / "stores"), poolName=n)
    store = LocalStoreFactory.getStore(LocalStoreContext(n, str(tmp_path / "stores")))
    urn = "urn:" + n + ":herschel.ia.obs.ObservationContext:0"
    exportObservation(pool=store, urn=urn, dirout=out)
    files = sorted(os.path.relpath(path, out) for path in Path(out).rglob("*.fits"))
    assert f"{OBSID}/level2/HPPPMAPB.fits" in files
    assert not any("calibration" in file for file in files), "saveCalTree is False by default"
    assert not PoolManager.hasPool(n), "it is at another place"
    assert getObservation(OBSID, poolName=n, poolLocation=str(tmp_path / "stores")).odNumber == 98


def test_e_save_with_calibration_unless_the_pool_is_there() -> None:
    for _ in range(2):
        if not PoolManager.hasPool(str(OBSID)):
            saveObservation(observation(), poolName=str(OBSID), saveCalTree=True)
    pool = PoolManager.getPool(str(OBSID))
    assert len(pool.getVersions(pool.storage.select(Query(ObservationContext))[0])) == 1
    obs = getObservation(OBSID)
    assert list(obs.calibration.refs) == ["phot", "spec"]
    # What the pool has already is not taken away.
    obs.meta["object"] = "M 83"
    saveObservation(obs)
    assert "calibration" in getObservation(OBSID).refs
    assert getObservation(OBSID).object == "M 83"


def test_f_tags_in_pools_elsewhere(tmp_path: Path) -> None:
    p, pool, loc, tag = image("PSW", 1.0), "mine", str(tmp_path / "loc"), "the map"
    saveProduct(product=p, pool=pool, poolLocation=loc, tag=tag)
    store = LocalStoreFactory.getStore(LocalStoreContext(pool, loc))
    storage = ProductStorage(store)
    urn = storage.getUrnFromTag(tag)
    assert storage.load(urn).product.equals(p)
    assert os.path.isdir(store.getContext().getStoreDir())


def test_g_with_the_archive_as_last_resort() -> None:
    fill("both", OBSID)
    fill("both", OBSID, instrument="SPIRE")
    with pytest.raises(Ambiguous, match="More than one observation"):
        getObservation(obsid=OBSID, poolName="both")
    obs_in = getObservation(obsid=OBSID, poolName="both", instrument="PACS")
    assert obs_in.instrument == "PACS"
    obs_in.refs.remove("level0")
    assert obs_in.level0 is None
    assert getObservation(hex(OBSID), instrument="SPIRE").instrument == "SPIRE"
    assert getObservation(str(OBSID), latest=True).instrument == "SPIRE"
    with pytest.raises(NotFound, match="none of the pools: both"):
        getObservation(obsid=12345, poolName="both", useHsa=0)
    with pytest.raises(UsageError):
        getObservation("M 83")


def test_h_the_archives_pool() -> None:
    fill("hsa", OBSID)
    hsaStore = ProductStorage(MyHSAPool.getNewInstance(MyHSAConnection.ON))
    obs = hsaStore.load("urn:hsa:herschel.ia.obs.ObservationContext:0").product
    assert obs.obsid == OBSID
    with pytest.raises(NotFound):
        hsaStore.load("urn:hsa:herschel.ia.obs.ObservationContext:643488")
    with pytest.raises(StorageError, match="for reading only"):
        hsaStore.save(obs)


def test_i_slices() -> None:
    slices = ListContext("sliced cubes", type="HPS3DB")
    slices.refs.append(image("slice 0", 1.0))
    slices.refs.append(image("slice 1", 2.0))
    saveSlicedCopy(slices, "sliced")
    found = readSliced("sliced")
    assert [ref.product.image.max() for ref in found.refs] == [1.0, 2.0]
    found.refs.append(image("slice 2", 3.0))
    saveSlicedCopy(found, "sliced")
    assert readSliced("sliced").refs.size() == 3
    assert len(PoolManager.getPool("sliced").pool.find(kind="ListContext", all_versions=True)) == 2


def test_j_maps_of_spire() -> None:
    fill("spire", OBSID, instrument="SPIRE")
    obs = getObservation(OBSID)
    found = obs.level2.refs["psrcPSW"].product
    assert found.image[2, 3] == 3.0
    assert found.getUnit() == "Jy/pixel"
    obs.level2.refs.remove("psrcPSW")
    assert list(obs.level2.refs.keySet()) == ["PSW"]


def test_k_memory() -> None:
    fill("pool", OBSID)
    obs = getObservation(OBSID, useHsa=0, poolLocation=None, poolName="pool")
    assert obs.level2.getProduct("HPPPMAPB").getImage().getData().dimensions == [3, 4]
    del obs
    gc.collect()


def test_l_pools_of_processes_that_run_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slot had caches of its own, since two could not share a pool: now they can."""
    for slot in range(3):
        saveObservation(observation(OBSID + slot), poolName="shared")
    assert ProductStorage("shared").select(Query(ObservationContext)).size() == 3
    monkeypatch.setenv("SKYPOOL_HOME", str(tmp_path / "slot 1"))
    assert PoolManager.getIDList() == []


def test_n_local_stores(tmp_path: Path) -> None:
    store = LocalStoreFactory.getStore("test")
    p = Product(creator="Scott", type="AbcProduct")
    p.meta["context"] = StringParameter("/Product_01/foo")
    ref = store.save(p, "AbcProduct")
    assert ref.core.name == "Product_01/foo/AbcProduct"
    other = Product(creator="Tiger")
    other.meta["context"] = StringParameter("/Product_01/foo")
    assert ProductStorage(store).save(other).core.name == "Product_01/foo/Product-1"
    folder = tmp_path / "files"
    folder.mkdir()
    simpleFitsWriter(image("PSW", 1.0), str(folder / "psw.fits"))
    storeFoo = LocalStoreFactory.getStore("foo")
    storeFoo.ingest(folder, 1)
    assert storeFoo.select(Query(SimpleImage)).size() == 1
    store.rebuildIndex()
    assert (store.clearLocks(), store.isPoolLocked()) == (0, False)
    assert store.getPoolSize() > 0
    assert store.select(Query("creator == 'Scott'")) == [ref]
    assert localStoreCopier("test", str(tmp_path / "copy.zip")).endswith("copy.zip")
    with pytest.raises(UsageError, match="there already"):
        localStoreCopier("test", str(tmp_path / "copy.zip"))
    copy = localStoreCopier("test", str(tmp_path / "copy"), compression="NONE")
    assert len(Pool(copy)) == len(Pool("test")) == 2


# -- the slides


def testImage(i):  # type: ignore[no-untyped-def]
    # image type: Blue detector
    if i.type != "HPPPMAPBS":
        return False
    # AND: at least one pixel over 1 Jy
    if max(i.image) < 1.0:
        return False
    return True


testImage.__test__ = False  # type: ignore[attr-defined]


def test_m_the_demo_script(capsys: pytest.CaptureFixture[str]) -> None:
    store = ProductStorage("temp1")
    for number, peak in enumerate((0.5, 1.5, 3.0)):
        store.save(image("HPPPMAPBS", peak, obsid=1342180930 + number))
        store.save(image("HPPPMAPR", peak, obsid=7))
    pool = PoolManager.getPool("temp1")
    storage = ProductStorage(pool)
    query = FullQuery(SimpleImage, "i", "testImage(i)")
    refs = storage.select(query)
    print(refs.size(), " images found")
    i = 0
    for ref in refs:
        m = ref.meta
        print(str(i), ": Obsid", m["obsid"].value)
        i += 1
    assert capsys.readouterr().out.splitlines() == [
        "2  images found", "0 : Obsid 1342180931", "1 : Obsid 1342180932",
    ]  # fmt: skip


def test_the_console_of_the_slides() -> None:
    fill("standard", 1342180930, 1342180952, 1342180953, 1342180954, 1342180955)
    fill("standard", 1342180957, instrument="SPIRE")
    fill("pipeline-out", 1342182452)
    fill("temp1", 1342180956)
    QUERY_RESULT = ProductStorage([PoolManager.getPool("standard")]).select(
        MetaQuery(ObservationContext, "p", "1")
    )
    obsid_1342180957 = QUERY_RESULT[5].product
    assert obsid_1342180957.obsid == 1342180957
    obsid_1342180957_refs_level2_product_PSW = (
        obsid_1342180957.refs["level2"].product.refs["PSW"].product
    )
    assert obsid_1342180957_refs_level2_product_PSW.image.dimensions == [3, 4]
    QUERY_RESULT_2 = ProductStorage(
        [PoolManager.getPool("pipeline-out"), PoolManager.getPool("temp1"),
         PoolManager.getPool("standard")]
    ).select(MetaQuery(ObservationContext, "p", "1"))  # fmt: skip
    assert QUERY_RESULT_2.size() == 8
    obsid_1342182452 = QUERY_RESULT_2[0].product
    bg("saveProduct(product=obsid_1342182452, pool='temp1', tag='using cal v1')").result()
    tagged = ProductStorage("temp1").load("using cal v1")
    assert tagged.product.obsid == obsid_1342182452.obsid == 1342182452
    assert tagged.totalSize > tagged.size
    result = ProductStorage("temp1").select(MetaQuery(ObservationContext, "p", "1"))
    assert [(ref.meta["obsid"].value, list(ref.tags)) for ref in result] == [
        (1342180956, []),
        (1342182452, ["using cal v1"]),
    ]


def test_commands_in_the_background() -> None:
    value = 20  # noqa: F841 (the commands name it)
    assert bg("value + 22").result() == 42
    assert bg(max, 1, 2).result() == 2
    assert bg("x = value").result() is None
    with pytest.raises(ZeroDivisionError):
        bg("value / 0").result()
    for wrong in ("1 +", "", None):
        with pytest.raises(UsageError, match="no command"):
            bg(wrong)  # type: ignore[arg-type]


def test_references_keep_what_they_loaded() -> None:
    store = fill("temp1", OBSID)
    obs = store.select(Query(ObservationContext))[0].product
    assert obs.refs["level2"].product is obs.refs["level2"].product
    assert obs.level2 is obs.refs["level2"].product
    assert isinstance(obs.refs["level2"], ProductRef)
    assert np.nanmax(obs.level2.refs["HPPPMAPB"].product.image) == 2.0
