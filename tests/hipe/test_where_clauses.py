"""The where-clauses of real scripts, each with what it has to find, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skypool import Pool
from skypool.errors import QueryError
from skypool.hipe import (
    ArrayDataset,
    AttribQuery,
    Column,
    Double1d,
    Double2d,
    FineTime,
    FullQuery,
    JavaQuery,
    LongParameter,
    MapContext,
    MetaQuery,
    ObservationContext,
    PoolManager,
    Product,
    ProductStorage,
    Query,
    SimpleImage,
    StorageQuery,
    StringParameter,
    TableDataset,
    max,  # noqa: A004 (as in HIPE's console)
)
from skypool.model.sources import ArraySource

LIMIT = FineTime("2010-01-01T00:00:00")


def table(**columns: Any) -> TableDataset:
    made = TableDataset()
    for name, values in columns.items():
        made[name] = Column(Double1d(values))
    return made


def products() -> list[Product]:
    """Return products of all sorts; their descriptions name them."""
    scott = Product("scott", creator="Scott", type="AbcProduct", instrument="foo")
    scott.creationDate = FineTime("2009-06-01T12:00:00")
    scott.meta["width"] = LongParameter(5)
    scott.meta["title"] = StringParameter("Tiger")
    scott.meta["keyword"] = StringParameter("Scott")
    scott["myTable"] = table(x=np.arange(30.0))

    me = Product("me", creator="me", type="AbcProduct", modelName="HIFI_ILT_005")
    me.creationDate = FineTime("2009-07-01T00:00:00")
    me["table"] = table(Numbers=[101.0, 250.0])
    me.meta["Par1"] = 3

    mixed = Product("mixed", creator="me", creationDate=FineTime("2011-01-01"))
    mixed["table"] = table(Numbers=[10.0, 250.0])
    mixed.meta["flag"] = "up"
    mixed.meta["Par1"] = 0
    mixed.meta["trackName"] = "left"

    wide = Product("wide", creator="Me", instrument="foo", type="Other")
    wide.creationDate = FineTime("2008-01-01")
    wide.meta["width"] = 200
    wide.meta["flag"] = "down"
    wide.meta["Par1"] = -1.5

    zero = Product("zero", creator="0", instrument="foo")
    zero.meta["width"] = "300"
    zero["myTable"] = table(x=np.zeros(30))

    short = Product("short", creator="scott")
    short["myTable"] = table(x=[1.0, 2.0])
    short.creationDate = FineTime(1_000_000_000_000_000)
    short.endDate = FineTime(1_000_000_000_000_009)

    spire = ObservationContext("spire", creator="SPG v0.0", instrument="spire", obsid=1342190892)
    spire.meta["object"] = "M 83"
    spire.startDate = FineTime("2010-02-03T04:05:06")
    spire.meta["startTime"] = spire.startDate
    pacs = ObservationContext("pacs", creator="SPG v14", instrument="PACS", obsid=1342190892)
    pacs.meta["startTime"] = FineTime("2010-03-01")
    return [scott, me, mixed, wide, zero, short, spire, pacs, *images()]


def images() -> list[Product]:
    made = []
    for name, kind, peak in (
        ("bright slice", "HPPPMAPBS", 3.0),
        ("faint slice", "HPPPMAPBS", 0.5),
        ("bright map", "HPPPMAPB", 3.0),
    ):
        pixels = np.linspace(0.0, peak, 12).reshape(3, 4)
        pixels[0, 0] = np.nan
        made.append(SimpleImage(name, type=kind, image=Double2d(pixels)))
    return made


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the pool once; tests change copies."""
    folder = tmp_path_factory.mktemp("filled") / "temp1"
    storage = ProductStorage(Pool(folder))
    storage.startTransaction()
    for product in products():
        storage.save(product)
    storage.commit()
    storage.pools[0].pool.close()
    return folder


@pytest.fixture
def store(home: Path, filled: Path) -> ProductStorage:
    shutil.copytree(filled, home / "temp1")
    return ProductStorage(PoolManager.getPool("temp1"))


def getScott() -> str:
    return "Scott"


def testImage(i: SimpleImage) -> bool:
    # image type: Blue detector
    if i.type != "HPPPMAPBS":
        return False
    # AND: at least one pixel over 1 Jy
    return not max(i.image) < 1.0


testImage.__test__ = False  # type: ignore[attr-defined]
name = "Scott"
obsid = 1342190892
inst = "PACS"
T0 = FineTime("2010-01-01").microsecondsSince1958()
T1 = FineTime("2010-02-15").microsecondsSince1958()

EVERYTHING = [product.description for product in products()]
CLAUSES: list[tuple[int, Callable[[], StorageQuery], list[str]]] = [
    (1, lambda: MetaQuery(ObservationContext, "p", "1"), ["spire", "pacs"]),
    (2, lambda: AttribQuery(Product, "p", "p.creator=='Scott'"), ["scott"]),
    (3, lambda: MetaQuery(Product, "p", "p.type=='AbcProduct'"), ["scott", "me"]),
    (4, lambda: AttribQuery(Product, "p", "p.modelName == 'HIFI_ILT_005'"), ["me"]),
    (5, lambda: AttribQuery(Product, "p", "p.creator!='0'"),
     [text for text in EVERYTHING if text != "zero"]),
    (6, lambda: AttribQuery(Product, "product", "(product.creator =='me')"), ["me", "mixed"]),
    (7, lambda: AttribQuery(
        Product, "p",
        "p.creationDate < " + str(LIMIT.microsecondsSince1958()) + "L and p.creator = 'Me'"),
     ["wide"]),
    (8, lambda: MetaQuery(ObservationContext, "p", f"p.meta['obsid'].value=={obsid:d}L"),
     ["spire", "pacs"]),
    (8, lambda: MetaQuery(
        ObservationContext, "p",
        "p.meta['obsid'].value==" + str(obsid) + "L and p.instrument == '" + inst + "'"),
     ["pacs"]),
    (9, lambda: MetaQuery(
        Product, "p", '(p.meta.containsKey("obsid") and p.meta["obsid"].value==1342190892L)'),
     ["spire", "pacs"]),
    (10, lambda: MetaQuery(
        Product, "p", "p.meta.containsKey('flag') and p.meta['flag'].value == 'up'"), ["mixed"]),
    (11, lambda: MetaQuery(
        Product, "p", "p.meta.containsKey('Par1') and p.meta['Par1'].value>0"), ["me"]),
    (12, lambda: MetaQuery(
        Product, "p", 'p.type == "OBS" and p.creator=="SPG v0.0" and p.instrument=="spire"'),
     ["spire"]),
    (13, lambda: FullQuery(
        Product, "p", "p.creator == 'me' and (ALL(p['table']['Numbers'].data > 100.0))"), ["me"]),
    (14, lambda: FullQuery(
        Product, "p", "p.creator == 'me' and (ANY(p['table']['Numbers'].data < 50.0))"),
     ["mixed"]),
    (15, lambda: Query("instrument=='foo' and width>=200"), ["wide"]),
    (16, lambda: Query("type=='AbcProduct' and width==5"), ["scott"]),
    (17, lambda: Query("['myTable']['x'].data[20] > 10"), ["scott"]),
    (18, lambda: Query("creator==name"), ["scott"]),
    (19, lambda: Query("type=='AbcProduct' and creator==getScott()"), ["scott"]),
    (20, lambda: Query("title=='Tiger' and meta['keyword']=='Scott'"), ["scott"]),
    (21, lambda: Query("instrument!='Unknown'"), ["scott", "wide", "zero", "spire", "pacs"]),
    (22, lambda: Query('creator=="scott" and ABS(creationDate-endDate)<10'), ["short"]),
    (23, lambda: FullQuery(SimpleImage, "i", "testImage(i)"), ["bright slice"]),
    (24, lambda: MetaQuery(
        Product, "p", 'p.meta.containsKey("object") and p.meta["object"].value == "M 83"'),
     ["spire"]),
    (24, lambda: MetaQuery(
        Product, "p",
        'p.meta.containsKey("startTime") and '
        f'p.meta["startTime"].value.microsecondsSince1958() >= {T0}L and '
        f'p.meta["startTime"].value.microsecondsSince1958() <= {T1}L'), ["spire"]),
    (25, lambda: MetaQuery(Product, "p", "p.meta['trackName'].value == 'left'"), ["mixed"]),
]  # fmt: skip


def found(refs: Any) -> list[str]:
    return [ref.product.description for ref in refs]


@pytest.mark.parametrize(
    ("query", "wanted"), [(q, w) for _, q, w in CLAUSES], ids=[str(n) for n, _, _ in CLAUSES]
)
def test_each_finds_what_it_asks_for(
    store: ProductStorage, query: Callable[[], StorageQuery], wanted: list[str]
) -> None:
    made = query()
    assert found(store.select(made)) == wanted
    # In an earlier result, and of references that are in no storage.
    everything = store.select(StorageQuery.QUERY_ALL)
    assert found(store.select(made, everything)) == wanted
    assert found(store.select(made, everything[3:])) == [
        text for text in wanted if text in EVERYTHING[3:]
    ]
    assert found(made.match(everything)) == wanted


def test_all_of_the_table_are_here() -> None:
    assert {number for number, _, _ in CLAUSES} == set(range(1, 26))
    assert found_in_order() == EVERYTHING


def found_in_order() -> list[str]:
    return [product.description for product in products()]


def test_a_storage_finds_everything_in_the_order_in_which_it_was_saved(
    store: ProductStorage,
) -> None:
    assert found(store.select(StorageQuery.QUERY_ALL)) == EVERYTHING
    assert found(store.select(Query(SimpleImage))) == [i.description for i in images()]


@pytest.mark.parametrize(
    ("clause", "same"),
    [
        ("creator = 'me' && Par1 > 2L", "creator == 'me' and Par1 > 2"),
        ("width = 5 || width = 200", "width in (5, 200)"),
        ("creator <> 'me' and Par1 < 0", "not (creator == 'me') and Par1 < 0"),
        ("!(creator == 'me') and Par1 < 0", "creator != 'me' and Par1 < 0"),
        ("width / 2 == 2", "width == 5"),  # whole numbers, as in Jython
        ("width == 0xC8 or width == 005", "width == 200 or width == 5"),
        ("creator.startswith('Sc') and title == u'Tiger'", "creator == 'Scott'"),
        ("creator.equals('Scott')", "creator == 'Scott'"),
        ("[creator, type] == ['Scott', 'AbcProduct']", "creator == 'Scott'"),
        ("3 < width < 10", "width == 5"),
        ("meta['width'].value == 5", "width == 5"),
        ("sum([v for v in [1, 2, width] if v > 1]) == 7", "width == 5"),
        ("1 if width == 5 else 0", "width == 5"),
    ],
)
def test_spellings_of_jython(store: ProductStorage, clause: str, same: str) -> None:
    hits = found(store.select(Query(clause)))
    assert hits
    assert hits == found(store.select(Query(same)))


def test_what_is_missing_does_not_match(store: ProductStorage) -> None:
    others = [text for text in EVERYTHING if text not in ("me", "mixed", "wide")]
    for clause in ("Par1 != 77", "not (Par1 == 77)"):
        assert found(store.select(Query(clause))) == ["me", "mixed", "wide"]
    assert not set(found(store.select(Query("Par1 < 77 or flag == 'up'")))) & set(others)
    assert store.select(Query("['none'].data[0] == 0")) == []
    assert store.select(Query("meta['none'] == 0")) == []
    assert found(store.select(Query("creator == 'me' or trackName == 1"))) == ["me", "mixed"]
    assert store.select(MetaQuery(Product, "p", "p.meta['nowhere'].value < 3")) == []


def test_unknown_names_are_mistakes(store: ProductStorage) -> None:
    with pytest.raises(QueryError, match=r"'widht' is neither .*\n.*width"):
        store.select(Query("widht == 5"))
    assert ProductStorage("empty").select(Query("widht == 5")) == []


def test_loud_queries_say_what_is_missing(
    store: ProductStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Query, "_quiet", True)
    Query.setQuiet(False)
    with pytest.raises(QueryError, match="lacks what"):
        store.select(Query("width == 5"))


def test_queries_know_their_sort() -> None:
    assert Query("creator == 'me'").type == "Attrib"
    assert Query("width == 5 and creator == name").getType() == "Meta"
    assert Query("['myTable']['x'].data[20] > 10").type == "Full"


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("p.creator ==", "cannot be read"),
        ("p.creator == nobody", "'nobody' is not known"),
        ("nobody(p)", "calls 'nobody'"),
        ("lambda: 1", "cannot have a lambda"),
        ("[" * 120 + "1" + "]" * 120, "deeper"),
    ],
)
def test_what_is_no_condition_says_so(store: ProductStorage, clause: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        store.select(MetaQuery(Product, "p", clause))


def test_functions_are_queries(store: ProductStorage) -> None:
    assert found(store.select(FullQuery(SimpleImage, "i", testImage))) == ["bright slice"]
    assert found(store.select(JavaQuery(SimpleImage, testImage))) == ["bright slice"]
    assert found(store.select(testImage)) == ["bright slice"]


def test_a_function_that_always_fails_is_a_mistake(store: ProductStorage) -> None:
    def wrong(p: Product) -> Any:
        return p.meta["width"].value.no_such_thing

    def sometimes(p: Product) -> Any:
        return p.meta["width"].value > 100 if "width" in p.meta else False

    with pytest.raises(AttributeError):
        store.select(FullQuery(Product, "p", "wrong(p)"))
    refs = store.select(FullQuery(Product, "p", "sometimes(p)"))
    assert found(refs) == ["wide"]
    assert [(ref.product.description, type(error)) for ref, error in refs.errors] == [
        ("zero", TypeError)
    ]


def test_local_names_of_functions_are_known(store: ProductStorage) -> None:
    wanted = "me"
    least = 2  # noqa: F841 (the query names it)

    def helper(text: str) -> bool:
        return text == wanted

    assert found(store.select(Query("creator == wanted and Par1 > least"))) == ["me"]
    assert found(store.select(AttribQuery(Product, "p", "helper(p.creator)"))) == ["me", "mixed"]


changing = 5


def test_names_count_as_they_are_when_it_is_asked(store: ProductStorage) -> None:
    global changing
    changing = 5
    query = Query("width == changing")
    assert found(store.select(query)) == ["scott"]
    changing = 200
    assert found(store.select(query)) == ["wide"]
    assert found(query.match(store.select(StorageQuery.QUERY_ALL))) == ["wide"]


def test_sub_classes_are_found(store: ProductStorage) -> None:
    class Special(SimpleImage):
        """Of the script."""

    assert Special.kind == "Special"
    store.save(Special("special", image=np.ones((2, 2))))
    assert "special" in found(store.select(MetaQuery(SimpleImage, "p", "1")))
    assert found(store.select(MetaQuery(Special, "p", "1"))) == ["special"]
    assert isinstance(store.select(Query(Special))[0].product, Special)
    assert found(store.select(MetaQuery(MapContext, "p", "1"))) == ["spire", "pacs"]
    assert found(store.select(MetaQuery("herschel.ia.obs.ObservationContext", "p", "1"))) == [
        "spire", "pacs",
    ]  # fmt: skip


def test_old_versions_only_where_they_are_asked_for(store: ProductStorage) -> None:
    ref = store.select(Query("title == 'Tiger'"))[0]
    product = ref.product
    product.meta["title"].value = "Lion"
    store.save(product)
    assert store.select(Query("title == 'Tiger'")) == []
    query = MetaQuery(Product, "p", "p.meta['title'].value == 'Tiger'", True)
    assert [hit.version for hit in store.select(query)] == [0]
    query = MetaQuery(Product, "p", "p.meta.containsKey('title')")
    query.setRetrieveAllVersions(True)
    assert [hit.version for hit in store.select(query)] == [0, 1]


def test_contexts_are_searched_too(store: ProductStorage) -> None:
    leaves = MapContext("level")
    for image in images():
        leaves.setProduct(image.description, image)
    top = MapContext("top")
    top.refs["level"] = leaves
    query = FullQuery(SimpleImage, "i", "testImage(i)")
    assert found(query.match(top)) == ["bright slice"]
    assert query.match(top, []) == []


def test_no_pixel_is_read_where_statistics_tell(
    store: ProductStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(monkeypatch)
    assert store.select(FullQuery(SimpleImage, "i", "testImage(i)")).size() == 1
    assert store.select(FullQuery(SimpleImage, "i", "MAX(i['image'].data) > 1.0")).size() == 2
    assert store.select(MetaQuery(Product, "p", "p.creator != '0'")).size() == 10
    assert store.select(FullQuery(SimpleImage, "i", "ANY(i['image'].data > 1.0)")).size() == 2
    assert store.select(FullQuery(SimpleImage, "i", "ALL(i['image'].data < 9)")) == []  # NaN
    assert store.select(FullQuery(SimpleImage, "i", "max(i.image) < 9 and i.rank")) == []
    assert read == []
    assert store.select(FullQuery(SimpleImage, "i", "i.image[2, 3] == 0.5")).size() == 1
    assert len(read) == 3


HARD = [
    "p.meta['flag'].value == 1",
    "p.meta['flag'].value == True",
    "p.meta['flag'].value",
    "p.meta['n'].value == True",
    "p.meta['n'].value == 1.0",
    "p.meta['n'].string == '1'",
    "p.meta['flag'].string == 'True'",
    "p.meta['f'].long == 5",
    "p.meta['f'].double == 5.7",
    "p.meta['text'].value == '5'",
    "p.meta['text'].long == 5",
    "p.meta['time'].value == FineTime('2010-01-01')",
    "p.meta['time'].value < FineTime('2010-01-01T00:00:00.000001')",
    "p.meta['date'].value == '2010-01-01'",
    "p.creator == 'Unknown' and p.type == 'Unknown'",
    "MAX(p['group']['inner'].data) > 1.5",
    "ANY(p['group']['inner'].data > 1)",
    "ALL(p['group']['inner'].data > 0)",
    "MAX(p['table']['x'].data) > 5 and ANY(p['table']['x'].data > 5.5)",
    "MAX(p['SCI,1'].data) > 6 and MIN(p['nan'].data) == 2",
    "ANY(p['b'].data) and not ALL(p['b'].data)",
    "ALL(p['empty'].data > 0)",
    "ANY(p['texts']['s'].data == 'abc')",
]


@pytest.mark.parametrize("clause", HARD)
def test_the_catalogue_leaves_out_nothing_that_matches(home: Path, clause: str) -> None:
    made = Product("hard")
    made.meta.update({"flag": True, "n": 1, "f": 5.7, "text": "5", "date": "2010-01-01"})
    made.meta["time"] = FineTime("2010-01-01")
    made["group"] = {"inner": [1.0, 2.0]}
    made["table"], made["SCI,1"] = table(x=[5.0, 6.0]), [7.0]
    made["nan"], made["b"], made["empty"] = [np.nan, 2.0], np.array([True, False]), np.empty(0)
    made["texts"] = TableDataset()
    made["texts"]["s"] = ["abc", "d"]
    storage = ProductStorage("hard")
    ref = storage.save(made)
    query = FullQuery(Product, "p", clause)
    assert query.match([ref]) == [ref]
    assert storage.select(query) == [ref]


subjects = st.sampled_from(
    [f"p.meta['{key}'].value" for key in ("width", "Par1", "flag", "obsid", "title", "none")]
    + ["p.creator", "p.type", "p.instrument", "p.creationDate", "p.getModelName()"]
    + ["p.meta['startTime'].value", "p.meta['startTime'].value.microsecondsSince1958()"]
    + ["MAX(p['image'].data)", "MIN(p['image'].data)", "p['myTable']['x'].data[1]"]
)
constants = st.sampled_from(
    ["5", "200L", "0", "-1.5", "3.0", "1342190892L", "'up'", "'Scott'", "'me'", "'5'", "'300'",
     "'Unknown'", "'AbcProduct'", "True", str(LIMIT.microsecondsSince1958()), "0.5", "limit"]
)  # fmt: skip


def compared(left: str, sign: str, right: str, turned: bool) -> str:
    return f"{right} {sign} {left}" if turned else f"{left} {sign} {right}"


signs = st.sampled_from(["==", "=", "!=", "<", "<=", ">", ">="])
comparisons = st.builds(compared, subjects, signs, constants, st.booleans())
atoms = st.one_of(
    comparisons,
    comparisons,
    st.sampled_from(["p.meta.containsKey('flag')", "p.meta.has_key('none')", "1", "0"]),
    st.sampled_from(["ANY(p['image'].data > 1)", "ALL(p['image'].data < 9)", "p['coverage']"]),
)
clauses = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)
limit = LIMIT


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clause=clauses)
def test_the_catalogue_agrees_with_the_clause(filled: Path, clause: str) -> None:
    storage = ProductStorage(Pool(filled, "r"))
    query = FullQuery(Product, "p", clause)
    everything = storage.select(StorageQuery.QUERY_ALL)
    assert found(storage.select(query)) == found(query.match(everything)), query._terms.texts


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[slice, ...]]:
    from skypool.codec.stored import StoredArray

    read: list[tuple[slice, ...]] = []
    real = StoredArray.read

    def counted(self: ArraySource, index: tuple[slice, ...]) -> Any:
        read.append(index)
        return real(self, index)  # type: ignore[arg-type]

    monkeypatch.setattr(StoredArray, "read", counted)
    return read


def test_the_sky_is_asked_of_the_catalogue(store: ProductStorage) -> None:
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [201.365, -43.019], [2.0, 2.0], [-0.1, 0.1]
    image = SimpleImage("cena", type="MAP")
    image["image"] = ArrayDataset(np.ones((3, 3)))
    image.wcs = wcs
    store.save(image)
    ra, dec = 201.365, -43.019  # noqa: F841 (the queries name them)
    assert found(store.select(Query("type == 'MAP' and covers(ra, dec)"))) == ["cena"]
    assert found(store.select(MetaQuery(SimpleImage, "p", "covers(ra, dec)"))) == ["cena"]
    assert store.select(Query("covers(10, 10)")) == []
    before = store.select(StorageQuery.QUERY_ALL)
    assert found(store.select(Query("covers(ra, dec)"), before)) == ["cena"]
    with pytest.raises(QueryError):
        store.select(Query("covers(ra, width)"))
    with pytest.raises(QueryError):
        store.select(Query("not covers(ra, dec)"))
