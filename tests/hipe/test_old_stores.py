"""Pools that HIPE left behind are taken over, with tags and references where files tell them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import NotFound
from skypool.formats.fits.hcss_writer import hcss_bytes
from skypool.hipe import (
    LocalStoreContext,
    LocalStoreFactory,
    MapContext,
    MetaQuery,
    ObservationContext,
    PoolManager,
    Product,
    ProductStorage,
    SimpleImage,
)
from skypool.pool.old_stores import is_store

IMAGE = "herschel.ia.dataset.image.SimpleImage"
OBS = "herschel.ia.obs.ObservationContext"
MAP = "herschel.ia.pal.MapContext"
TAGS = "herschel.ia.pal.versioning.TagsProduct"


def put(folder: Path, place: str, product: sp.Product) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(hcss_bytes(product))


def tags(**urns: str) -> sp.Product:
    table = sp.Table({"tags": list(urns), "urns": list(urns.values())})
    return sp.Product(kind="TagsProduct", datasets={"tagsInfo": table})


def external(**urns: str) -> dict[str, sp.ExternalRef]:
    return {role: sp.ExternalRef(urn) for role, urn in urns.items()}


def make_store(folder: Path) -> Path:
    """Write a pool as HIPE did: an observation of two maps, one of them in another pool."""
    for number, level in enumerate((1.0, 2.0)):
        image = sp.Product(
            kind="SimpleImage", type="PMP", datasets={"image": np.full((2, 2), level)}
        )
        put(folder, f"{IMAGE}/PMP_v{number}.fits", image)
    put(folder, "Product_01/foo/other.fits", sp.Product(description="elsewhere"))
    level2 = sp.Product(
        kind="MapContext",
        refs=external(
            PSW=f"urn::{IMAGE}:1", PMW=f"urn:old:{IMAGE}:0", lost="urn:far:herschel.ia.X:7",
            named="urn::herschel.ia.dataset.Product:3",
        ),
    )  # fmt: skip
    put(folder, f"{MAP}/MapContext_v0.fits", level2)
    obs = sp.Product(
        kind="ObservationContext", type="OBS", instrument="SPIRE",
        meta={"obsid": 1342182452}, refs=external(level2=f"urn::{MAP}:0"),
    )  # fmt: skip
    put(folder, f"{OBS}/OBS_v5.fits", obs)
    put(folder, f"{TAGS}/TagsProduct_v0.fits", tags(old=f"urn:old:{IMAGE}:0"))
    put(
        folder,
        f"{TAGS}/TagsProduct_v1.fits",
        tags(cal=f"urn:old:{OBS}:5", map=f"urn::{IMAGE}:1", gone="urn:old:herschel.ia.X:1"),
    )
    (folder / ".index").mkdir()
    (folder / ".index/herschel.ia.dataset.Product.urnMapping").write_text(
        "#a comment\nurn\\:old\\:herschel.ia.dataset.Product\\:3=Product_01/foo/other.fits\n"
        "urn:old:herschel.ia.dataset.Product:4 nowhere.fits\n"
    )
    (folder / f"{IMAGE}/.seq").write_text("1\n")
    return folder


@pytest.fixture
def lstore(tmp_path: Path, home: Path) -> Path:
    return make_store(tmp_path / "user/.hcss/lstore/old")


def check(storage: ProductStorage) -> None:
    obs = storage.select(MetaQuery(ObservationContext, "p", "1"))[0].product
    level2 = obs.refs["level2"].product
    assert obs.level2 is level2
    assert list(level2.refs) == ["PSW", "PMW", "lost", "named"]
    assert level2.refs["PSW"].product.image[0, 0] == 2.0
    assert level2.refs["PMW"].product.image[0, 0] == 1.0
    assert level2.refs["named"].product.description == "elsewhere"
    assert level2.refs["lost"].urn == "urn:far:herschel.ia.X:7"
    with pytest.raises(NotFound, match="no pool at hand"):
        level2.refs["lost"].product  # noqa: B018
    assert not obs.isDirty(storage), "what was only looked at is not changed"
    assert storage.load("cal").product.obsid == 1342182452
    assert storage.load("map").product.image.max() == 2.0
    assert storage.getAllTags() == ["cal", "map"], "the newest list of tags counts"


def test_a_pool_of_hipe_is_opened(lstore: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = {path: path.read_bytes() for path in lstore.rglob("*") if path.is_file()}
    assert is_store(str(lstore))
    assert PoolManager.hasPool("old")
    check(ProductStorage(PoolManager.getPool("old")))
    assert "taking over" in caplog.text
    PoolManager.unload("old")
    check(ProductStorage("old"))
    assert caplog.text.count("taking over") == 1
    assert {path: path.read_bytes() for path in lstore.rglob("*") if path.is_file()} == before


def test_a_pool_of_hipe_is_added(lstore: Path, home: Path, tmp_path: Path) -> None:
    pool = sp.Pool("mine")
    root = pool.add(lstore)
    assert root.name == "old"
    check(ProductStorage(sp.Pool("mine")))
    pool.untag("tag:map", "map")
    commits = len(pool.history())
    pool.add(lstore)
    assert len(pool.history()) == commits, "what is there already keeps the tags that it has"
    pool.export(root, tmp_path / "out")
    for path in lstore.rglob("*"):
        if path.is_file():
            assert (tmp_path / "out" / path.relative_to(lstore)).read_bytes() == path.read_bytes()


def test_a_pool_of_hipe_elsewhere(lstore: Path, tmp_path: Path) -> None:
    place = tmp_path / "disk/mine"
    make_store(place)
    store = LocalStoreFactory.getStore(LocalStoreContext("mine", str(tmp_path / "disk")))
    check(ProductStorage(store))
    assert (tmp_path / "disk/mine.skypool").is_dir()
    assert LocalStoreFactory.getStore(str(place)) is store
    # The folder of all pools of HIPE means the pool that is there for it.
    there = LocalStoreFactory.getStore(LocalStoreContext("old", str(lstore.parent)))
    assert there.pool.path == PoolManager.getPool("old").pool.path
    assert not (lstore.parent / "old.skypool").exists()


def test_what_is_changed_is_whole(lstore: Path) -> None:
    storage = ProductStorage("old")
    obs = storage.select(MetaQuery(ObservationContext, "p", "1"))[0].product
    obs.level2.refs["PSW"].product.image[0, 0] = 77.0
    obs.level2.refs.remove("lost")
    ref = storage.save(obs)
    found = storage.load(ref.urn).product
    assert ref.version == 1
    assert ref.core.refs["level2"].refs["PSW"].version == 1
    assert found.level2.refs["PSW"].product.image[0, 0] == 77.0
    assert list(found.level2.refs) == ["PSW", "PMW", "named"]
    assert "context" not in found.level2
    assert not obs.isDirty(storage)
    obs.meta["object"] = "M 83"
    assert storage.save(obs).product.level2.refs["PMW"].product.image.max() == 1.0


def test_copies_in_other_pools_have_their_references(lstore: Path) -> None:
    obs = ProductStorage("old").select(MetaQuery(ObservationContext, "p", "1"))[0].product
    ref = ProductStorage("new").save(obs)
    core = ref.core
    assert core.refs["level2"].refs["PSW"].product["image"].max() == 2.0
    assert core.refs["level2"].refs["lost"].urn == "urn:far:herschel.ia.X:7"
    assert not obs.isDirty(ProductStorage("new"))


def test_other_folders_are_none(tmp_path: Path, home: Path) -> None:
    (tmp_path / "herschel.x.Y").mkdir()
    assert not is_store(str(tmp_path))
    assert not is_store(str(tmp_path / "missing"))
    assert PoolManager.getIDList() == []
    context = MapContext()
    context.refs["a"] = Product()
    ref = ProductStorage("plain").save(context)
    assert ref.product.refs["a"].product.description == "Unknown"
    assert isinstance(SimpleImage(), Product)
