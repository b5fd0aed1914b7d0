"""What a storage promises: references, versions, tracks, tags, removal, transactions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from skypool import Pool
from skypool.errors import (
    Conflict,
    ContextRuleException,
    InvalidName,
    NameConflict,
    NotFound,
    ReadOnly,
    UsageError,
)
from skypool.hipe import (
    ArrayDataset,
    AttribQuery,
    IllegalArgumentException,
    ListContext,
    LongParameter,
    LStoreMaintenanceUtil,
    MapContext,
    MetaQuery,
    NoSuchElementException,
    ObservationContext,
    PoolManager,
    Product,
    ProductRef,
    ProductStorage,
    SimpleImage,
    StorageManager,
    StorageQuery,
    TemporalPool,
    Urn,
)


@pytest.fixture
def store(home: Path) -> ProductStorage:
    return ProductStorage(PoolManager.getPool("temp1"))


def leaf(text: str = "leaf", value: float = 1.0) -> Product:
    made = Product(text, type="LEAF")
    made["data"] = ArrayDataset(np.full(4, value))
    return made


def tree(**leaves: Product) -> MapContext:
    """Return a context of a context of leaves."""
    inner = MapContext("inner")
    for role, product in leaves.items():
        inner.setProduct(role, product)
    top = MapContext("top")
    top.refs["inner"] = ProductRef(inner)
    return top


def commits(storage: ProductStorage) -> int:
    return len(storage.pools[0].pool.history())


# -- saving, versions, tracks


def test_save_returns_a_reference_with_its_urn(store: ProductStorage) -> None:
    ref = store.save(leaf())
    assert isinstance(ref, ProductRef)
    assert Urn(ref.urn).poolId == "temp1"
    assert Urn(ref.urn).getTypeName() == "Product"
    assert store.load(ref.urn) == ref
    assert (ref.version, ref.hasTrack(), ref.storage) == (0, True, store)
    assert ref.size > 0
    assert ref.totalSize >= ref.size
    assert ref.hash
    assert ref.getType() is Product


def test_each_save_of_a_leaf_is_a_version(store: ProductStorage) -> None:
    product = leaf()
    first = store.save(product)
    second = store.save(product)
    third = store.saveAs(store.load(first.urn).product)
    assert [first.version, second.version, third.version] == [0, 1, 2]
    assert first.trackId == second.trackId == third.trackId
    assert store.getVersions(first) == [first, second, third]
    assert store.getHead(first) == third
    assert store.getHead(second.urn) == third
    assert store.save(leaf()).trackId != first.trackId
    assert store.getVersioningInfo() == "track"


def test_edits_are_there_when_the_product_is_asked_for_again(store: ProductStorage) -> None:
    ref = store.save(leaf())
    found = store.load(ref.urn)
    found.product.meta["new"] = LongParameter(3)
    found.product["data"].data[0] = 42.0
    assert found.product.meta["new"].value == 3
    assert found.product["data"].data[0] == 42.0
    saved = store.save(found.product)
    assert store.load(saved.urn).product["data"].data[0] == 42.0
    assert store.load(ref.urn).product["data"].data[0] == 1.0
    assert "new" not in store.load(ref.urn).meta


def test_a_reference_stays_at_its_version(store: ProductStorage) -> None:
    product = leaf()
    first = store.save(product)
    found = store.load(first.urn)
    product["data"].data[0] = found.product["data"].data[0] = 2.0
    second, third = store.save(product), store.save(found.product)
    assert [ref.version for ref in (first, second, third)] == [0, 1, 2]
    assert found == first
    assert first.product["data"].data[0] == 1.0
    assert found.product["data"].data[0] == 2.0, "what it loaded stays in its hands"
    assert not found.meta.isEmpty()


def test_a_context_refers_to_what_was_saved_last(store: ProductStorage) -> None:
    top = tree(a=leaf())
    store.save(top)
    inner = top.refs["inner"].product.refs["a"]
    inner.product["data"].data[0] = 2.0
    assert store.save(inner.product).version == 1
    assert top.isDirty(store)
    found = store.load(store.save(top).urn).product.refs["inner"].product.refs["a"]
    assert (found.version, found.product["data"].data[0]) == (1, 2.0)
    assert inner.version == 1


def test_products_of_skypool_are_taken(store: ProductStorage) -> None:
    ref = store.save(leaf())
    core = ref.core.product
    context = MapContext()
    context.refs["same"], context.refs["ref"] = core, ref.core
    context.refs["changed"] = core.replace(meta={"x": 1})
    context.refs["new"] = sp.Product(description="new")
    found = store.load(store.save(context).urn).product
    assert found.refs["same"] == found.refs["ref"] == ref
    assert [r.version for _, r in found.pairs()] == [0, 0, 1, 0]
    assert found.refs["changed"].meta["x"].value == 1
    assert store.save(core).version == 2
    assert store.save(core.replace(meta={"x": 3})).version == 3


def test_the_type_of_a_track_stays(store: ProductStorage) -> None:
    product = store.save(leaf()).product
    product.type = "OTHER"
    with pytest.raises(Conflict, match=r"OTHER is not allowed .* LEAF"):
        store.save(product)
    assert store.save(product.copy()).version == 0


def test_an_unchanged_context_is_not_saved_again(
    store: ProductStorage, caplog: pytest.LogCaptureFixture
) -> None:
    top = tree(a=leaf())
    first = store.save(top)
    before = commits(store)
    with caplog.at_level(logging.INFO):
        assert store.save(top) == first
        assert store.save(store.load(first.urn).product) == first
    assert commits(store) == before
    assert "not saved again" in caplog.text
    assert not top.isDirty(store)


def test_only_what_changed_and_the_way_to_the_root_are_saved(store: ProductStorage) -> None:
    store.save(tree(a=leaf("a"), b=leaf("b")))
    top = store.select(AttribQuery(MapContext, "p", "p.description == 'top'"))[0].product
    top.refs["inner"].product.setProduct("a", leaf("new a"))
    found = store.load(store.save(top).urn).product
    kept = found.refs["inner"].product
    assert kept.refs["a"].product.description == "new a"
    # What is new at the place of another product is its next version.
    assert [kept.refs["a"].version, kept.refs["b"].version] == [1, 0]
    assert [ref.version for _, ref in found.pairs()] == [1]
    assert len(store.select(StorageQuery.QUERY_ALL)) == 4
    assert len(store.pools[0].pool.find(all_versions=True, all_names=True)) == 7


@pytest.mark.parametrize("way", ["meta", "data", "in place", "new dataset", "description"])
def test_no_edit_of_a_leaf_below_a_context_is_lost(store: ProductStorage, way: str) -> None:
    """HIPE lost them where the leaf had been saved before."""
    ref = store.save(tree(a=leaf()))
    top = store.load(ref.urn).product
    inner = top.refs["inner"].product.refs["a"].product
    if way == "meta":
        inner.meta["x"] = 1
    elif way == "data":
        inner["data"].data = np.zeros(4)
    elif way == "in place":
        inner["data"].data[2] = 7.0
    elif way == "new dataset":
        inner["more"] = ArrayDataset([1, 2])
    else:
        inner.description = "other"
    assert top.isDirty(store)
    again = store.load(store.save(top).urn).product
    assert again.refs["inner"].product.refs["a"].product.equals(inner)
    assert again.refs["inner"].product.refs["a"].version == 1
    old = store.load(ref.urn).product.refs["inner"].product.refs["a"].product
    assert old.equals(leaf_as_saved(old))
    assert not top.isDirty(store)
    assert store.save(top).version == 1


def leaf_as_saved(old: Product) -> Product:
    made = leaf()
    made.creationDate = old.creationDate
    return made


def test_edits_after_a_save_are_seen_by_the_next(store: ProductStorage) -> None:
    product = leaf()
    top = tree(a=product)
    store.save(top)
    product["data"].data[1] = 5.0
    second = store.save(top)
    assert second.version == 1
    product["data"].data[1] = 1.0
    assert store.save(top).version == 2
    found = store.load(second.urn).product.refs["inner"].product.refs["a"].product
    assert list(found["data"].data) == [1.0, 5.0, 1.0, 1.0]


def test_a_child_in_two_places_is_saved_once(store: ProductStorage) -> None:
    child = leaf()
    top = MapContext("top")
    top.refs["x"], top.refs["y"] = ProductRef(child), ProductRef(child)
    lists = ListContext("list")
    lists.refs.add(ProductRef(child))
    top.refs["z"] = lists
    store.save(top)
    assert top.refs["x"].urn == top.refs["y"].urn == lists.refs[0].urn
    assert len(store.select(AttribQuery(Product, "p", "p.type == 'LEAF'"))) == 1


def test_a_context_below_itself_is_refused(store: ProductStorage) -> None:
    top = MapContext()
    top.refs["again"] = top
    with pytest.raises(UsageError, match="refers to itself"):
        store.save(top)


def test_contexts_that_are_not_complete_are_refused(store: ProductStorage) -> None:
    class Picky(MapContext):
        def isValid(self) -> bool:
            return "needed" in self.refs

    context = Picky()
    with pytest.raises(ContextRuleException, match="invalid"):
        store.save(context)
    with pytest.raises(ContextRuleException, match="invalid"):
        store.save(tree(a=context))
    context.refs["needed"] = leaf()
    assert store.save(context).version == 0


# -- pools


def test_the_first_pool_takes_what_is_saved(home: Path) -> None:
    one, two = PoolManager.getPool("one"), PoolManager.getPool("two")
    other = ProductStorage(two).save(leaf("in two"), "tag of two")
    storage = ProductStorage()
    with pytest.raises(UsageError, match="No product pools registered"):
        storage.save(leaf())
    with pytest.raises(UsageError, match="No product pools registered"):
        storage.load("urn:one:Product:1")
    storage.register(one)
    storage.register(two)
    assert storage.getWritablePool() is one
    assert storage.getPools() == [one, two]
    mine = storage.save(leaf("in one"))
    assert Urn(mine.urn).poolId == "one"
    assert storage.load(other.urn) == other
    assert storage.load("tag of two") == other
    refs = storage.select(StorageQuery.QUERY_ALL)
    assert [Urn(ref.urn).poolId for ref in refs] == ["one", "two"]
    with pytest.raises(NotFound):
        storage.remove(other.urn)
    with pytest.raises(ReadOnly, match="the only one that this storage changes"):
        storage.setTag("mine", other.urn)
    assert ProductStorage(two).load(other.urn).product.description == "in two"


def test_a_pool_id_is_registered_once(home: Path) -> None:
    storage = ProductStorage("one")
    for again in ("one", PoolManager.getPool("one"), Pool("one"), ProductStorage("one")):
        with pytest.raises(NameConflict, match="same ID has already been registered"):
            storage.register(again)
    storage.register(ProductStorage("two", "three"))
    assert [pool.id for pool in ProductStorage(storage.pools).pools] == ["one", "two", "three"]


def test_children_of_other_pools_are_copied_once(home: Path) -> None:
    source, target = ProductStorage("source"), ProductStorage("target")
    child = source.save(leaf("child"))
    top = MapContext("top")
    top.refs["a"] = source.load(child.urn)
    top.refs["b"] = source.load(child.urn)
    inner = MapContext("inner")
    inner.refs["c"] = source.load(child.urn)
    top.refs["inner"] = inner
    ref = target.save(top)
    found = target.load(ref.urn).product
    urns = {found.refs["a"].urn, found.refs["b"].urn, found.refs["inner"].product.refs["c"].urn}
    assert len(urns) == 1
    assert Urn(urns.pop()).poolId == "target"
    assert target.save(top) == ref, "what is in memory knows where it was saved"
    assert source.load(child.urn).product.description == "child"


def test_a_product_continues_its_track_in_each_pool(home: Path) -> None:
    one, two = ProductStorage("one"), ProductStorage("two")
    product = leaf()
    assert [one.save(product).version, two.save(product).version] == [0, 0]
    product["data"].data[0] = 2.0
    assert [one.save(product).version, two.save(product).version] == [1, 1]
    assert two.save(product).version == 2
    assert len(one.select(StorageQuery.QUERY_ALL)) == len(two.select(StorageQuery.QUERY_ALL)) == 1


def test_pools_for_reading_only(home: Path) -> None:
    pool = PoolManager.getPool("one")
    storage = ProductStorage(pool)
    ref = storage.save(leaf())
    pool.setReadOnly(True)
    assert pool.isReadOnly()
    for change in (
        lambda: storage.save(leaf()),
        lambda: storage.remove(ref.urn),
        lambda: storage.setTag("t", ref.urn),
        lambda: storage.startTransaction(),
    ):
        with pytest.raises(ReadOnly):
            change()
    assert storage.load(ref.urn).product.description == "leaf"
    pool.setReadOnly(False)
    assert storage.authenticate()


def test_pools_by_their_names(home: Path) -> None:
    assert not PoolManager.hasPool("new")
    pool = PoolManager.getPool("new")
    assert PoolManager.getPool("new") is pool
    assert pool.isEmpty()
    assert not PoolManager.hasPool("new"), "the first save makes it"
    urn = pool.saveProduct(leaf())
    assert isinstance(urn, Urn)
    assert PoolManager.hasPool("new")
    assert list(PoolManager.getPoolMap()) == list(PoolManager.getIDList()) == ["new"]
    assert pool.exists(urn)
    assert not pool.exists("urn:new:Product:99")
    assert pool.loadProduct(urn).description == "leaf"
    assert pool.meta(urn)["type"].value == "LEAF"
    assert pool.loadDescriptors(urn)["version"] == 0
    assert pool.getProductClasses() == [Product]
    for name in ("", "urn", "a b", "a:b", "../x", "x" * 255):
        with pytest.raises(InvalidName):
            PoolManager.getPool(name)
    assert StorageManager.getStorage("new") is StorageManager.getStorage("new")
    assert StorageManager.hasStorage("new")
    StorageManager.remove("new")
    temporary = TemporalPool.createTmpPool("tmp")
    assert ProductStorage(temporary).save(leaf()).urn == "urn:tmp:Product:1"
    pool.setTag("t", urn)
    pool.removeUrn(urn)
    assert pool.getTags() == []
    assert pool.saveProductRef(pool.getLastVersion(urn)).index == 2
    assert LStoreMaintenanceUtil.getPoolSize(pool) > 0
    assert LStoreMaintenanceUtil.getLockedPools() == []
    LStoreMaintenanceUtil.rebuildUrnMapping(pool)
    LStoreMaintenanceUtil.clear(pool)
    assert pool.isEmpty()


def test_urns_with_classes_of_java_count_each_class(store: ProductStorage) -> None:
    store.save(leaf())
    first = store.save(ObservationContext(obsid=1))
    second = store.save(ObservationContext(obsid=2))
    java = "urn:temp1:herschel.ia.obs.ObservationContext"
    assert store.load(f"{java}:0") == first
    assert store.load(f"{java}:1") == second
    with pytest.raises(NotFound):
        store.load(f"{java}:2")
    assert store.load("urn::herschel.ia.dataset.Product:0").product.description == "leaf"


# -- loading


def test_what_is_not_there_is_said_as_scripts_expect(store: ProductStorage) -> None:
    store.save(leaf())
    with pytest.raises(IllegalArgumentException):
        store.load(None)
    for missing in ("no such tag", "urn:temp1:Product:77", "urn:other:Product:1"):
        with pytest.raises(NoSuchElementException, match="not found in storage"):
            store.load(missing)


def test_metadata_of_a_reference_do_not_change(store: ProductStorage) -> None:
    ref = store.load(store.save(leaf()).urn)
    for change in (
        lambda: ref.meta.set("x", 1),
        lambda: setattr(ref.meta["type"], "value", "other"),
        lambda: ref.meta.remove("type"),
        lambda: ref.meta.clear(),
    ):
        with pytest.raises(UsageError, match="metadata of a reference"):
            change()
    assert not ref.isLoaded
    assert not ref.isLoaded()
    ref.product.meta["x"] = 1
    assert ref.meta["x"].value == 1
    assert ref.isLoaded()


def test_unload_tells_of_edits(store: ProductStorage, caplog: pytest.LogCaptureFixture) -> None:
    ref = store.load(store.save(leaf()).urn)
    assert ref.product["data"].data[0] == 1.0
    ref.unload()
    assert not caplog.records
    ref.product["data"].data[0] = 3.0
    ref.unload()
    assert "not saved" in caplog.text
    assert ref.product["data"].data[0] == 1.0


# -- tags


def test_a_tag_is_on_one_version(store: ProductStorage) -> None:
    one, two = store.save(leaf("one"), "t"), store.save(leaf("two"))
    assert store.getUrnFromTag("t") == one.urn
    store.setTag("t", two.urn)
    assert store.getUrnFromTag("t") == two.urn
    assert store.getTags(one.urn) == []
    store.setTag("u", two.urn)
    assert store.getTags(two.urn) == ["t", "u"]
    assert store.load("u") == two
    third = store.save(leaf("three"), "t")
    assert store.load("t") == third
    assert store.getTags(two.urn) == ["u"]
    again = store.save(third.product, "t")
    assert (store.load("t").urn, store.getTags(third.urn)) == (again.urn, [])
    assert store.getAllTags() == ["t", "u"]
    assert store.tagExists("t")
    store.removeTag("t")
    assert not store.tagExists("t")
    with pytest.raises(NotFound):
        store.removeTag("t")
    with pytest.raises(NotFound):
        store.getUrnFromTag("t")
    assert store.pools[0].getTagUrnMap() == {"u": two.urn}
    for text in ("urn:x", "two\nlines", " blank", ""):
        with pytest.raises(InvalidName):
            store.setTag(text, two.urn)


def test_a_tag_moves_onto_an_unchanged_context(store: ProductStorage) -> None:
    one, two = store.save(tree(a=leaf()), "t"), store.save(tree(b=leaf()))
    before = commits(store)
    assert store.save(two.product, "t") == two
    assert store.load("t") == two
    assert store.getTags(one.urn) == []
    assert commits(store) == before + 1
    store.save(two.product, "t")
    assert store.getTags(two.urn) == ["t"]


# -- removing


def test_remove(store: ProductStorage) -> None:
    ref = store.save(leaf(), "t")
    other = store.save(leaf())
    assert store.remove(ref.urn) is True
    with pytest.raises(NotFound):
        store.load(ref.urn)
    assert not store.tagExists("t")
    assert store.select(StorageQuery.QUERY_ALL) == [other]
    with pytest.raises(NotFound):
        store.remove(ref.urn)
    with pytest.raises(IllegalArgumentException):
        store.remove(None)


def test_remove_of_one_version(store: ProductStorage) -> None:
    product = leaf()
    refs = []
    for value in (1.0, 2.0, 3.0):
        product["data"].data[0] = value
        refs.append(store.save(product))
    assert store.remove(refs[1].urn)
    assert store.getVersions(refs[0]) == [refs[0], refs[2]]
    assert store.remove(refs[2].urn)
    head = store.getHead(refs[0])
    assert head.product["data"].data[0] == 1.0
    for gone in refs[1:]:
        with pytest.raises(NotFound):
            store.load(gone.urn)
    assert len(store.select(StorageQuery.QUERY_ALL)) == 1
    assert store.load(refs[0].urn).product.equals(head.product)
    assert store.getVersions(refs[0]) == [head]
    assert store.remove(refs[0].urn)
    assert store.select(StorageQuery.QUERY_ALL) == []
    with pytest.raises(NotFound):
        store.load(head.urn)


def test_recursive_remove_counts_references(
    store: ProductStorage, caplog: pytest.LogCaptureFixture
) -> None:
    shared = leaf("shared")
    first = store.save(tree(a=leaf("only"), b=shared))
    second = store.save(tree(c=shared))
    urn = store.load(second.urn).product.refs["inner"].product.refs["c"].urn
    assert store.pools[0].getReferenceCount(urn) == 2
    assert store.remove(urn) is False
    removed = store.remove(first.urn, True)
    assert sorted(ref.type.__name__ for ref in removed) == ["MapContext", "MapContext", "Product"]
    assert "other contexts refer to it" in caplog.text
    left = store.select(StorageQuery.QUERY_ALL)
    assert [ref.product.description for ref in left] == ["shared", "inner", "top"]
    assert store.pools[0].getReferenceCount(urn) == 1
    assert len(store.remove(second.urn, True)) == 3
    assert store.select(StorageQuery.QUERY_ALL) == []


def test_remove_of_a_context_leaves_its_children(store: ProductStorage) -> None:
    ref = store.save(tree(a=leaf()))
    assert store.remove(ref.urn)
    left = store.select(StorageQuery.QUERY_ALL)
    assert sorted(r.product.description for r in left) == ["inner", "leaf"]


def test_purge_keeps_the_newest(store: ProductStorage) -> None:
    product = leaf()
    refs = [store.save(product) for _ in range(5)]
    store.setTag("keep", refs[1].urn)
    gone = store.purge(refs[0], 2)
    assert [ref.version for ref in gone] == [0, 2]
    assert [ref.version for ref in store.getVersions(refs[4])] == [1, 3, 4]
    assert [ref.version for ref in store.purge(refs[4])] == [3]
    with pytest.raises(UsageError):
        store.purge(refs[4], 0)
    assert store.load(refs[1].urn).product.equals(product)


# -- transactions


def test_a_transaction_is_one_commit(store: ProductStorage) -> None:
    old = store.save(leaf("old"))
    before = commits(store)
    store.startTransaction()
    child = leaf("child")
    first = store.save(child, "t")
    top = store.save(tree(a=child))
    store.setTag("u", old.urn)
    assert (first.urn, first.version, top.urn) == (None, -1, None)
    assert commits(store) == before
    assert len(store.select(StorageQuery.QUERY_ALL)) == 1
    store.commit()
    assert commits(store) == before + 1
    assert store.load("t") == first
    assert store.load("u") == old
    found = store.load(top.urn).product.refs["inner"].product.refs["a"]
    assert found == first, "a child that was saved before it is the same product"
    assert len(store.select(StorageQuery.QUERY_ALL)) == 4


def test_versions_within_a_transaction(store: ProductStorage) -> None:
    product = leaf()
    store.startTransaction()
    store.save(product)
    product["data"].data[0] = 9.0
    store.save(product)
    store.commit()
    (ref,) = store.select(StorageQuery.QUERY_ALL)
    assert [old.product["data"].data[0] for old in store.getVersions(ref)] == [1.0, 9.0]
    assert store.save(product).version == 2


def test_abort_forgets(store: ProductStorage) -> None:
    kept = store.save(leaf("kept"), "t")
    before = commits(store)
    store.startTransaction()
    lost = leaf("lost")
    ref = store.save(lost, "t")
    store.abort()
    assert commits(store) == before
    assert ref.urn is None
    assert store.load("t") == kept
    assert store.save(lost).version == 0
    for wrong in (store.commit, store.abort):
        with pytest.raises(Conflict, match="no transaction is open"):
            wrong()
    store.startTransaction()
    with pytest.raises(Conflict, match="is open"):
        store.startTransaction()
    with pytest.raises(Conflict, match="no part of a transaction"):
        store.remove(kept.urn)
    store.abort()


# -- others


def test_visitors_are_told_of_what_is_saved(store: ProductStorage) -> None:
    told: list[str] = []

    class Visitor:
        def visit(self, product: Product) -> None:
            told.append(product.description)

    visitor = Visitor()
    store.addVisitor(visitor)
    top = tree(a=leaf("a"))
    store.save(top)
    assert told == ["a", "inner", "top"]
    store.save(top)
    top.refs["inner"].product.refs["a"].product.meta["x"] = 1
    store.save(top)
    assert told[3:] == ["a", "inner", "top"]
    store.removeVisitor(visitor)
    store.save(leaf())
    assert len(told) == 6


def test_listeners_are_told_of_saves(store: ProductStorage) -> None:
    told: list[Any] = []
    store.addProductClassesListener(told.append)
    store.save(leaf())
    assert told == [store]
    assert store.getProductClasses() == [Product]
    store.removeProductClassesListener(told.append)
    assert "temp1" in store.getDefinition()


def test_a_query_in_an_earlier_result(store: ProductStorage) -> None:
    for number in range(4):
        product = leaf(f"leaf {number}")
        product.meta["n"] = number
        store.save(product)
    large = store.select(MetaQuery(Product, "p", "p.meta['n'].value > 1"))
    assert len(large) == 2
    assert len(store.select(MetaQuery(Product, "p", "p.meta['n'].value < 3"), large)) == 1
    assert large.contains(large[0])
    iterator, seen = large.iterator(), []
    while iterator.hasNext():
        seen.append(iterator.next())
    assert seen == list(large.iterator()) == list(large)
    assert (large.size(), large.isEmpty(), large.indexOf(large[1])) == (2, False, 1)


def test_a_stream_of_a_product(store: ProductStorage) -> None:
    image = SimpleImage("image", image=np.ones((2, 2)))
    ref = store.save(image)
    with store.createStream(ref) as stream:
        assert stream.read(6) == b"SIMPLE"
    with store.createStream(ref) as stream:
        again = ProductStorage("other").save(stream)
    assert again.product.image.max() == 1.0
    assert Urn(again.urn).poolId == "other"


def test_parents(store: ProductStorage) -> None:
    ref = store.save(tree(a=leaf()))
    inner = ref.product.refs["inner"]
    assert inner.parents == [ref]
    assert inner.product.refs["a"].getParents() == [inner]
    assert {ref, store.load(ref.urn)} == {ref}
    assert ref.compareTo(ref) == 0
    assert ref.equals(store.load(ref.urn))
