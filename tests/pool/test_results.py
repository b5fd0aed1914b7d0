"""Hits against a plain evaluation in Python over all products."""

import random
import sys
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest

import skypool as sp
from skypool import errors
from skypool.errors import QueryError
from skypool.pool.results import values as values_module

KEYS = ["instrument", "band", "flux", "od", "when", "good", "Mixed", "MIXED", "wavelength", "chip"]
FACETS = [*KEYS, "product_type", "mixed", "kind", "version", "saved", "message", "tags"]
TEXTS = ["PSW", "PMW", "blue", "", "é", "\U0010ff00x", "\udc80", "2009-09-25"]


def some_meta(draw):
    meta = {"INSTRUME": "WFC3", "TELESCOP": "HST"} if draw.random() < 0.3 else {}
    if draw.random() < 0.8:
        meta["band"] = draw.choice(TEXTS)
    if draw.random() < 0.8:
        meta["flux"] = draw.choice([draw.uniform(-5, 5), 2, 2.0, float("nan"), float("-inf")])
    if draw.random() < 0.7:
        meta["od"] = draw.choice([98, 99, "98", "x", -(2**62), 10**30])
    if draw.random() < 0.7:
        meta["when"] = datetime(2009, 9, draw.randrange(1, 4), 6, tzinfo=UTC)
    if draw.random() < 0.5:
        meta["good"] = draw.random() < 0.5
    if draw.random() < 0.3:
        meta["Mixed"] = draw.randrange(3)
    if draw.random() < 0.3:
        meta["MIXED"] = draw.randrange(3, 6)
    if draw.random() < 0.6:
        meta["wavelength"] = draw.choice(
            [sp.Parameter(70.0, "um"), sp.Parameter(0.25, "mm"), sp.Parameter(160.0, "um"), 100]
        )
    return meta


def some_product(draw):
    meta = some_meta(draw)
    datasets = {}
    for name in ("a", "b"):
        if draw.random() < 0.4:
            inner = {"chip": draw.randrange(4)} if draw.random() < 0.7 else {}
            if draw.random() < 0.3:
                inner["band"] = "inner"
            datasets[name] = sp.Array(np.zeros(2), meta=inner)
    return sp.Product(
        kind=draw.choice(["SimpleImage", "CalProduct"]), type="T", meta=meta, datasets=datasets
    )


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    draw = random.Random(4)
    pool = sp.Pool(tmp_path_factory.mktemp("results") / "pool")
    for batch in range(4):
        with pool.commit(f"batch {batch}") as commit:
            for n in range(60):
                name = f"{draw.choice('xyz')}/{batch}{n:03}"
                tags = draw.sample(["t1", "t2", "t3"], draw.randrange(3))
                commit.save(some_product(draw), name=name, tags=tags)
    for ref in draw.sample(pool.ls(), 20):
        pool.save(some_product(draw), name=ref.name)
    for ref in draw.sample(pool.ls(), 10):
        pool.remove(ref)
    for ref in draw.sample(pool.ls(), 10):
        pool.rename(ref, "moved/" + ref.name)
    return pool


# -- what is right, in plain Python


def plain_value(ref, key):
    if key in ("name", "version", "kind", "type", "size", "saved"):
        return getattr(ref, key), ""
    if key in ("author", "message"):
        return getattr(
            next(c for c in ref.view.identity.commits(ref.view.at) if c.number == ref.commit), key
        ), ""
    metas = [ref.meta, *(d.meta for d in ref.product.datasets.values())]
    if key in ("instrument", "product_type"):
        own = [ref.meta[name].value for name in ref.meta if name.casefold() == key]
        metas = metas if any(value != "Unknown" for value in own) else [ref.attributes, *metas]
    for meta in metas:
        names = [n for n in meta if n.casefold() == key.casefold()]
        name = key if key in meta else names[0] if len(names) == 1 else None
        if name is not None:
            value = meta[name].value
            return (None if value != value else value), meta[name].unit
    return None, ""


def plain_key(ref, key):
    value, unit = plain_value(ref, key)
    if value is None:
        return None
    if isinstance(value, str):
        return 1, value
    if isinstance(value, datetime):
        return 1, value.isoformat()
    return 0, float(value) * (1000.0 if unit == "mm" else 1.0)


def plain_order(refs, order):
    refs = sorted(refs, key=lambda ref: ref.name)
    for part in reversed(order.split(",")):
        groups = {}
        for ref in refs:
            groups.setdefault(plain_key(ref, part.strip().lstrip("-")), []).append(ref)
        unknown = groups.pop(None, [])
        # stable: those that agree stay in the order they were in
        known = sorted(groups, reverse=part.strip().startswith("-"))
        refs = [ref for key in known for ref in groups[key]] + unknown
    return refs


def plain_once(refs):
    seen, kept = set(), []
    for ref in refs:
        if ref.hash not in seen:
            seen.add(ref.hash)
            kept.append(ref)
    return kept


@pytest.fixture(params=["documents", "columns"])
def way(request, monkeypatch):
    """Answer from the documents of few hits, and from columns as for many."""
    few = 10**9 if request.param == "documents" else -1
    monkeypatch.setattr(values_module.values_of, "__defaults__", (few,))
    if request.param == "documents":
        monkeypatch.setattr("skypool.catalogue.columns.Columns.has", lambda self, name: False)


ORDERS = [
    "name", "-name", "flux", "-flux, band", "band, -flux", "od", "-od,when", "-when", "good,-band",
    "instrument,-flux", "-product_type", "mixed", "Mixed", "-MIXED, name", "wavelength",
    "-wavelength", "chip", "-chip,-flux",
    "-saved, name", "size,-version", "kind,-type,od", "message,-flux", "author", "nothing,-band",
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_order(pool, way, order):
    expected = plain_order(pool.ls(), order)
    for everything in (True, False):
        wanted = expected if everything else plain_once(expected)
        hits = pool.find("", order_by=order, all_names=everything)
        assert [ref.name for ref in hits] == [ref.name for ref in wanted]
        assert [r.name for r in pool.find("", order_by=order, limit=7, all_names=everything)] == [
            ref.name for ref in wanted[:7]
        ]


@pytest.mark.parametrize(
    "key", [*KEYS, "product_type", "mixed", "kind", "version", "saved", "message", "tags"]
)
def test_facets(pool, way, key):
    hits = pool.find("has('flux')", all_names=True)
    refs = [ref for ref in pool.ls() if "flux" in ref.meta]
    assert len(refs) == len(hits) > 50
    if key == "tags":
        expected = Counter(tag for ref in refs for tag in ref.tags or [None])
    else:
        expected = Counter()
        mixed_units = key == "wavelength"
        for ref in refs:
            value, unit = plain_value(ref, key)
            if value is not None and mixed_units:
                value = f"{value} {unit}".rstrip()
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
                value = float(value)
            expected[value] += 1
    facet = hits.facets(key)[key]
    assert facet == expected
    assert facet.missing == expected[None]
    counts = [count for value, count in facet.items() if value is not None]
    assert counts == sorted(counts, reverse=True)
    assert None not in list(facet)[:-1]
    short = hits.facets(key, limit=2)[key]
    assert [pair for pair in short.items() if pair[0] is not None] == [
        pair for pair in facet.items() if pair[0] is not None
    ][:2]
    assert short.different == len(set(expected) - {None})


def test_types_of_facet_values(pool, way):
    facets = pool.find("").facets("good", "when", "od")
    assert {type(value) for value in facets["good"]} == {bool, type(None)}
    assert {type(value) for value in facets["when"]} == {datetime, type(None)}
    edges, counts = facets["when"].histogram(4)
    assert sum(counts) == sum(n for value, n in facets["when"].items() if value is not None)
    assert edges[0] == datetime(2009, 9, 1, 6, tzinfo=UTC)
    with pytest.raises(errors.UsageError, match="no numbers"):
        pool.find("").facets("band")["band"].histogram()


def test_hits_are_a_sequence_without_loading(pool, monkeypatch):
    names = sorted(ref.name for ref in pool.ls())
    hits = pool.find("", all_names=True)
    assert [ref.name for ref in hits] == names
    assert [hits[n].name for n in (0, 5, 70, -1, len(names) - 1)] == [
        names[n] for n in (0, 5, 70, -1, len(names) - 1)
    ]
    for piece in (slice(3, 9), slice(None, None, -3), slice(-5, None), slice(4, 4)):
        assert [ref.name for ref in hits[piece]] == names[piece]
    with pytest.raises(IndexError):
        hits[len(names)]
    assert hits == pool.find("", all_names=True) and hits[:5] != hits[:6]
    assert hits[3] in hits and hits[3] not in hits[:3]
    assert not pool.view.session.catalogue.database.connection().in_transaction


def test_a_page_asks_for_its_rows_only(pool, monkeypatch):
    asked = []
    whole = type(pool.view.identity).numbered_all

    def counted(self, numbers, at):
        asked.append(len(numbers))
        return whole(self, numbers, at)

    hits = pool.find("", order_by="-flux", all_names=True)
    for snapshot in hits.snapshots:
        snapshot._rows = {}
    monkeypatch.setattr(type(pool.view.identity), "numbered_all", counted)
    assert len([ref.name for ref in hits[100:110]]) == 10
    assert len(hits[200:].numbers) == len(hits) - 200
    assert asked == [10]


def test_hits_stay_as_they_were(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    for n in range(6):
        pool.save(sp.Product(meta={"n": n}), name=f"p{n}")
    hits = pool.find("n >= 2")
    for snapshot in hits.snapshots:
        snapshot._rows = {}
    pool.save(sp.Product(meta={"n": 0}), name="p3")
    pool.remove("p4")
    pool.rename("p5", "renamed")
    assert [(ref.name, ref.version) for ref in hits] == [(f"p{n}", 0) for n in (2, 3, 4, 5)]
    assert [ref.name for ref in hits.where("n > 3")] == ["p4", "p5"]
    assert hits.facets("n")["n"] == {2: 1, 3: 1, 4: 1, 5: 1}
    assert [ref.name for ref in pool.find("n >= 2")] == ["p2", "renamed"]
    with pytest.raises(errors.UsageError, match="different commits"):
        hits | pool.find("")


def test_columns_learn_of_commits_by_others(tmp_path, monkeypatch):
    monkeypatch.setattr(values_module.values_of, "__defaults__", (-1,))
    pool = sp.Pool(tmp_path / "pool")
    draw = random.Random(9)
    other = sp.Pool(tmp_path / "pool")
    for step in range(12):
        writer = draw.choice([pool, other])
        with writer.commit(str(step)) as commit:
            for _ in range(draw.randrange(1, 8)):
                commit.save(some_product(draw), name=f"p{draw.randrange(30)}")
        if step == 5:
            other.reindex()
        if step == 8:
            pool.remove(pool.ls()[0])
            other.gc()
        for reader in (pool, other):
            hits = reader.find("", order_by="-flux,band", all_names=True)
            expected = plain_order(reader.ls(), "-flux,band")
            assert [ref.urn for ref in hits] == [ref.urn for ref in expected]
            counts = Counter(plain_value(ref, "chip")[0] for ref in reader.ls())
            assert hits.facets("chip")["chip"] == counts


def test_together(pool):
    some, others = pool.find("flux > 0"), pool.find("band == 'PSW'")
    a, b = {ref.urn for ref in some}, {ref.urn for ref in others}
    assert {ref.urn for ref in some | others} == a | b
    assert [r.urn for r in some & others] == [r.urn for r in some if r.urn in b]
    assert [r.urn for r in some - others] == [r.urn for r in some if r.urn not in b]
    assert some.where("band == 'PSW'") == some & pool.find("band == 'PSW'", all_names=True)
    assert some.find("band == $b", b="PSW") == some.where("band == 'PSW'")
    assert (some | sp.find("flux > 0", pools=[])) == some
    with pytest.raises(errors.UsageError, match="different pools"):
        some | sp.Pool(pool.path + "2").find("") | _one(pool)


def _one(pool):
    other = sp.Pool(pool.path + "other")
    other.save(sp.Product(meta={"flux": 1.0}), name="x")
    return other.find("")


def test_identical_content_is_one_hit(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    same, other = sp.Product(meta={"n": 1}), sp.Product(meta={"n": 2})
    for name in ("b", "a", "c"):
        pool.save(same, name=name)
    ref = pool.save(other, name="d")
    assert [ref.name for ref in pool.find("n == 1")] == ["a"]
    assert [ref.name for ref in pool.find("n == 1", order_by="-name")] == ["c"]
    assert [ref.name for ref in pool.find("n == 1", all_names=True)] == ["a", "b", "c"]
    assert [ref.name for ref in pool.find("name == 'b'")] == ["b"]
    assert [ref.name for ref in pool.find("", limit=2)] == ["a", "d"]
    assert len(pool.find("n == 1", all_versions=True)) == 3
    # contexts are what they refer to
    for role in ("one", "two"):
        pool.save(sp.Product(kind="MapContext", meta={"n": 3}, refs={role: ref}), name=role)
    assert [ref.name for ref in pool.find("n == 3")] == ["one", "two"]


def test_several_pools(tmp_path):
    first, second = sp.Pool(tmp_path / "one"), sp.Pool(tmp_path / "two")
    for n in range(5):
        first.save(sp.Product(meta={"n": n}), name=f"p{2 * n}")
        second.save(sp.Product(meta={"n": n}), name=f"p{2 * n + 1}")
    hits = sp.find("n >= $low", pools=[first, second], low=2)
    assert [ref.name for ref in hits] == ["p4", "p5", "p6", "p7", "p8", "p9"]
    assert [ref.view.session.folder.name for ref in hits[:2]] == ["one", "two"]
    hits = sp.find("", pools=[first, second], order_by="-n", limit=3)
    assert [ref.name for ref in hits] == ["p8", "p9", "p6"]
    assert hits.facets("n")["n"] == {4: 2, 3: 1}
    assert [ref.name for ref in hits.where("n == 4")] == ["p8", "p9"]
    table = hits.to_table("n")
    assert list(table["pool"]) == ["one", "two", "one"] and list(table["n"]) == [4, 4, 3]
    assert [r.name for r in sp.find(lambda p: p.meta["n"].value == 1, pools=[first, second])] == [
        "p2", "p3",
    ]  # fmt: skip


def test_saved_searches(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    for n in range(6):
        pool.save(sp.Product(meta={"n": n}), name=f"p{n}")
    pool.save_search("high", "n >= $low", values={"low": 2}, order_by="-n", limit=3)
    assert [ref.name for ref in pool.find(saved="high")] == ["p5", "p4", "p3"]
    assert [ref.name for ref in pool.find(saved="high", limit=1)] == ["p5"]
    pool.save_search("high", "n >= 3")
    pool.reindex()
    assert pool.searches()["high"].query == "n >= 3"
    assert pool["searches/high"].version == 1
    copy = sp.clone(pool, tmp_path / "copy")
    assert [ref.name for ref in copy.find(saved="high")] == ["p3", "p4", "p5"]
    with pytest.raises(errors.NotFound, match="no saved search") as caught:
        pool.find(saved="low")
    assert caught.value.candidates == ("high",)
    with pytest.raises(errors.QueryError):
        pool.save_search("bad", "n >=")
    with pytest.raises(errors.UsageError):
        pool.save_search("bad", "n > 1", colour="red")


def test_what_makes_no_sense_says_so(pool):
    with pytest.raises(errors.UsageError, match="lacks a key"):
        pool.find("", order_by="flux,,band")
    with pytest.raises(errors.QueryError) as caught:
        pool.find("", order_by="wavelenght")
    assert "wavelength" in caught.value.candidates
    with pytest.raises(errors.UsageError, match="negative"):
        pool.find("", limit=-1)
    with pytest.raises(errors.UsageError, match="not one value"):
        pool.find("", order_by="tags")


def test_table(pool, way):
    hits = pool.find("", order_by="name", columns=["flux", "when"])
    table = hits.to_table()
    assert table.colnames[-2:] == ["flux", "when"]
    for row, ref in zip(table, hits, strict=True):
        value, _ = plain_value(ref, "flux")
        assert np.ma.is_masked(row["flux"]) if value is None else row["flux"] == value
        assert row["tags"] == ", ".join(ref.tags)
    lengths = pool.find("wavelength > '0 um' and wavelength != '250 um'").to_table("wavelength")
    assert lengths["wavelength"].unit == "um"


def test_a_key_of_one_of_several_pools_is_no_mistake(tmp_path):
    one, two = sp.Pool(tmp_path / "one"), sp.Pool(tmp_path / "two")
    one.save(sp.Product(meta={"odNumber": 98}), name="a")
    two.save(sp.Product(meta={"odNumbers": 98}), name="b")
    hits = sp.find("odNumber == 98 or odNumbers == 98", pools=[one, two], order_by="odNumbers")
    assert [ref.name for ref in hits] == ["b", "a"]
    with pytest.raises(QueryError, match="odNumbr"):
        sp.find("odNumbr == 98", pools=[one, two])


def test_data_frame(pool, way):
    hits = pool.find("", order_by="-flux, name", columns=["flux", "band"])
    frame = hits.to_pandas()
    assert list(frame.columns[-2:]) == ["flux", "band"]
    assert list(frame["name"]) == [ref.name for ref in hits]
    for flux, band, ref in zip(frame["flux"], frame["band"], hits, strict=True):
        value, _ = plain_value(ref, "flux")
        assert np.isnan(flux) if value is None else flux == value
        value, _ = plain_value(ref, "band")
        assert isinstance(band, str) is (value is not None)
        # what is no whole character is written out
        assert value is None or band == value.encode("utf-8", "backslashreplace").decode()
    assert list(hits[:3].to_pandas("od").columns)[-1] == "od"
    assert len(pool.find("flux == 'nothing like it'").to_pandas()) == 0


def test_data_frames_need_pandas(pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(errors.MissingDependency, match="pandas"):
        pool.find("").to_pandas()


def test_a_misspelt_dataset_or_column_names_the_right_one(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    inner = sp.Composite({"flux": sp.Array(np.ones(3))})
    table = sp.Table({"energy": np.arange(3.0), "pi": np.arange(3)})
    image = sp.Array(np.ones((3, 3)), meta={"GAIN": 2})
    datasets = {"image": image, "events": table, "spectra": inner, "SCI,1": image}
    pool.save(sp.Product(datasets=datasets), name="a")
    for query, right in (
        ("max(imag) > 1", "image"),
        ("missing(x) or mean(imgae, imgae > 0) > 1", "image"),
        ("value(imag, 1, 2) > 3", "image"),
        ("count(evnts['energy'] > 1) > 3", "events"),
        ("count(events['enrgy'] > 1) > 3", "energy"),
        ("imag.shape[0] == 3 or parent(imag.meta['GAIN'] == 2)", "image"),
        ("max(spectra.flx) > 0 or max(spectr.flux) > 0", "spectra/flux"),
    ):
        with pytest.raises(QueryError, match="no product has a") as caught:
            pool.find(query)
        assert right in caught.value.candidates, query
        with pytest.raises(QueryError, match="no product has a"):
            pool.find("").where(query)
    # What resembles nothing, differs in its number, or is asked for by its name: no mistake.
    for query in (
        "max(coverage) > 1",
        "max(events['x']) > 1",
        "max(datasets['SCI,2']) > 1 or datasets['SCI'].meta['GAIN'] == 2",
        "has_dataset('imag') or max(IMAGE) > 1",
        "max(image2) > 1",
    ):
        assert len(pool.find(query)) == 0
    assert len(pool.find("max(spectra.flux) == 1 and max(Events['PI']) == 2")) == 1


def test_a_column_that_no_product_has_is_floating_point(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    pool.save(sp.Product(meta={"a": 1, "nan": float("nan")}), name="one")
    table = pool.find("").to_table("a", "quality", "nan")
    assert [table[name].dtype.kind for name in ("a", "quality", "nan")] == ["i", "f", "f"]
    assert table["quality"].mask.all()
    assert pool.find("a == 2").to_table("quality")["quality"].dtype.kind == "f"
