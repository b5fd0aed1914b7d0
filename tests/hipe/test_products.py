"""Products, datasets and metadata that change in place, and what pools and files keep of them."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import skypool as sp
import skypool.hipe
from skypool.errors import (
    ContextRuleException,
    InvalidName,
    MissingName,
    StorageError,
    UsageError,
)
from skypool.hipe import (
    ArrayDataset,
    BooleanParameter,
    Column,
    CompositeDataset,
    Context,
    DateParameter,
    Double1d,
    Double2d,
    DoubleParameter,
    FineTime,
    Int1d,
    ListContext,
    LongParameter,
    MapContext,
    MetaData,
    ObservationContext,
    Parameter,
    PoolManager,
    Product,
    ProductRef,
    ProductStorage,
    SimpleCube,
    SimpleImage,
    Spectrum1d,
    String1d,
    StringParameter,
    TableDataset,
    Urn,
    Wcs,
    simpleFitsReader,
    simpleFitsWriter,
)
from skypool.hipe.names import HOMES

# -- names


def test_every_name_is_there() -> None:
    for name in HOMES:
        assert getattr(skypool.hipe, name) is not None, name
    from skypool.hipe import numeric

    assert set(numeric.__all__) <= set(skypool.hipe.__all__)
    assert issubclass(skypool.hipe.PacsCube, skypool.hipe.SpectralSimpleCube)
    assert "PacsCube" in dir(skypool.hipe)
    with pytest.raises(AttributeError):
        skypool.hipe.NoSuchThing  # noqa: B018


def test_the_import_loads_little() -> None:
    program = "import sys, skypool.hipe; print('numpy' in sys.modules, 'astropy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


# -- times


def test_times_count_tai() -> None:
    time = FineTime("2009-08-19T19:44:16")
    assert time.microsecondsSince1958() == 1629402290000000
    assert time.toDate() == datetime(2009, 8, 19, 19, 44, 16, tzinfo=UTC)
    assert str(time) == "2009-08-19T19:44:50.000000 TAI (1629402290000000)"
    assert FineTime(0) == FineTime("1958-01-01")
    assert FineTime(1839486952156000).toDate().isoformat() == "2016-04-16T08:35:16.156000+00:00"
    later = time.addMicroSeconds(5)
    assert (later - time, later.subtract(time), later.compareTo(time)) == (5, 5, 1)
    assert time < later
    assert later.after(time)
    assert time.before(later)
    assert time < later.microsecondsSince1958()
    assert later - 5 == time + 0 == FineTime(time)
    assert len({time, FineTime(time), later}) == 2
    assert abs((FineTime() - FineTime(datetime.now(UTC))) / 1e6) < 3600
    with pytest.raises(UsageError):
        FineTime("yesterday")
    with pytest.raises(UsageError):
        FineTime(2**63 - 1).toDate()
    assert "TAI" in str(FineTime(2**63 - 1))


@given(st.datetimes(datetime(1959, 1, 1), datetime(2025, 1, 1)))
def test_times_agree_with_erfa(moment: datetime) -> None:
    from astropy.time import Time

    time = FineTime(moment)
    assert time.toDate() == moment.replace(tzinfo=UTC)
    if moment.year >= 1972:
        tai = Time(moment, scale="utc").tai
        epoch = Time("1958-01-01", scale="tai")
        assert abs((tai - epoch).sec * 1e6 - time.microsecondsSince1958()) < 50


# -- metadata


def test_five_sorts_of_parameters() -> None:
    meta = MetaData()
    meta["long"] = LongParameter(1342182452, "number", "count")
    meta["double"] = DoubleParameter(70, description="wavelength", unit=units.um)
    meta["text"] = StringParameter("Tiger")
    meta["truth"] = BooleanParameter(True)
    meta["time"] = DateParameter(FineTime("2010-01-01"))
    assert [type(meta[name]).__name__ for name in meta] == [
        "LongParameter", "DoubleParameter", "StringParameter", "BooleanParameter", "DateParameter",
    ]  # fmt: skip
    assert (meta["long"].long, meta["long"].getLong(), meta["double"].getDouble()) == (
        1342182452, 1342182452, 70.0,
    )  # fmt: skip
    assert (meta["double"].unit, meta["double"].getUnit(), meta["text"].unit) == ("um", "um", None)
    assert meta["double"].getDescription() == "wavelength"
    assert meta["truth"].value is True
    assert meta["truth"].getBoolean()
    assert isinstance(meta["time"].value, FineTime)
    assert meta["time"].time == meta["time"].date == FineTime("2010-01-01")
    assert meta["text"].string == "Tiger"
    values = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": 7, "e": 2.5}
    sorts = [type(Parameter(value)).__name__ for value in values.values()]
    assert sorts == [
        "LongParameter", "DoubleParameter", "BooleanParameter", "LongParameter", "DoubleParameter",
    ]  # fmt: skip
    for wrong in (
        lambda: LongParameter(1.5),
        lambda: LongParameter("1"),
        lambda: DoubleParameter("x"),
        lambda: StringParameter(3),
        lambda: BooleanParameter("yes"),
        lambda: DateParameter("no time"),
        lambda: StringParameter("x", unit="m"),
        lambda: Parameter([1, 2]),
        lambda: meta.set("", 1),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_metadata_change_in_place() -> None:
    meta = MetaData({"a": DoubleParameter(1.0, "first", "m")})
    meta["a"] = 2.0
    assert meta["a"] == DoubleParameter(2.0, "first", "m")
    meta["a"].value = 3
    meta["a"].setUnit("km")
    assert str(meta["a"]) == "3.0 km"
    assert (meta.size(), meta.containsKey("a"), meta.containsKey("A")) == (1, True, False)
    copy = meta.copy()
    copy["a"].value = 9.0
    assert meta["a"].value == 3.0
    frozen = MetaData(sp.MetaData({"b": 1})).frozen()
    meta["b"] = frozen["b"]
    meta["b"].value = 2
    assert (meta.pop("b").value, frozen["b"].value) == (2, 1)
    assert meta.remove("a").value == 3.0
    assert meta.remove("a") is None
    assert meta.isEmpty()
    with pytest.raises(MissingName):
        meta["wavelenth"]


# -- products


def test_beans_and_getters() -> None:
    p = Product(creator="Scott", description="Tiger")
    assert p.creator == p.getCreator() == p.meta["creator"].value == "Scott"
    p.setInstrument("PACS")
    assert p.instrument == "PACS"
    p.startDate = FineTime("2010-01-01")
    p.setEndDate(datetime(2010, 1, 1, 1))
    assert p.getDuration() == 3600.0
    assert (p.type, p.modelName, p.formatVersion) == ("Unknown", "Unknown", "1.0")
    p.startDate = None
    assert "startDate" not in p.meta
    assert p.getDefault() is None
    with pytest.raises(AttributeError, match="did you mean creator"):
        p.creater = "me"
    with pytest.raises(AttributeError, match="has no 'getNothing'"):
        p.getNothing()
    p.meta["x"] = 1
    assert p.getMeta().get("x").getValue() == 1
    assert p.copy().equals(p)
    assert not p.copy().equals(Product())
    p.history = ["made"]
    assert p.getHistory() == ["made"]


def test_datasets_change_in_place() -> None:
    p = Product()
    p["array"] = ArrayDataset(Double1d([1, 2, 3]), unit="Jy", description="values")
    p["plain"] = np.arange(6.0).reshape(2, 3)
    p["table"] = AstropyTable({"a": [1, 2], "b": ["x", "y"]})
    p["group"] = {"inner": [1.0, 2.0]}
    assert list(p.keySet()) == ["array", "plain", "table", "group"]
    assert p["array"].getUnit() == "Jy"
    p["array"].data[0] = 10
    p["array"].data = p["array"].data * 2
    assert list(p["array"].data) == [20.0, 4.0, 6.0]
    assert isinstance(p["plain"].data, Double2d)
    assert p["plain"].dimensions == [2, 3]
    assert isinstance(p["table"], TableDataset)
    assert isinstance(p["group"]["inner"], ArrayDataset)
    assert isinstance(p["group"], CompositeDataset)
    assert p.getDefault() is p["array"]
    p.remove("array")
    assert not p.containsKey("array")
    with pytest.raises(MissingName, match="plain"):
        p["plan"]
    with pytest.raises(UsageError, match="no dataset"):
        p["x"] = object()


def test_tables() -> None:
    table = TableDataset(description="rows")
    table["x"] = Column(Double1d([1, 2, 3]), unit="s", description="time")
    table.addColumn("n", Column(String1d(["a", "b", "c"])))
    table.addColumn(Column(Int1d([7, 8, 9])))
    assert list(table.getColumnNames()) == ["x", "n", "Column2"]
    assert (table.rowCount, table.columnCount, len(table)) == (3, 3, 3)
    assert table["x"].data[1] == table[0].data[1] == table.getColumn("x").getData()[1] == 2.0
    table.addRow([4.0, "dd", 10])
    table.setValueAt(5.0, 3, "x")
    assert list(table.getRow(3)) == [5.0, "dd", 10]
    assert table.getValueAt(0, "n") == "a"
    assert list(table.select([0, 3])["n"].data) == ["a", "dd"]
    assert table.select(np.asarray(table["x"]) > 2)["x"].unit == "s"
    other = table.select([1])
    table.concatenate(other)
    assert table.rowCount == 5
    table.setColumnName("Column2", "number")
    table.removeColumn("n")
    assert list(table.columnNames) == ["x", "number"]
    assert table["x"].max() == 5.0
    with pytest.raises(UsageError, match="one value for each of"):
        table.addRow({"x": 1})
    table["short"] = Column([1])
    with pytest.raises(UsageError, match="differ in length"):
        table.to_core()


def test_images() -> None:
    image = SimpleImage("map", image=np.arange(12.0).reshape(3, 4), unit="MJy/sr")
    image.error = np.ones((3, 4))
    image.setCoverage(Double2d(np.ones((3, 4))))
    image.wcs = Wcs(
        crpix1=1.0, crpix2=1.0, crval1=10.0, crval2=0.0, cdelt1=-0.1, cdelt2=0.1,
        ctype1="RA---TAN", ctype2="DEC--TAN",
    )  # fmt: skip
    assert (image.width, image.getHeight(), image.unit) == (4, 3, "MJy/sr")
    assert image.hasError()
    assert not image.hasExposure()
    assert image.exposure is None
    image.removeError()
    assert not image.hasError()
    assert image.getIntensity(1, 2) == 6.0
    assert image.getIntensityWorldCoordinates(10.0, 0.1) == 4.0
    assert math.isnan(image.getIntensityWorldCoordinates(50.0, 0.1))
    assert image.wcs.crval1 == image.wcs.getCrval1() == 10.0
    image.wcs.crval1 = 11.0
    assert image.wcs.crval1 == image["coverage"].wcs.wcs.crval[0] == 11.0
    image.wcs.setCrval1(10.0)
    image.wcs.crota2 = 30.0
    assert round(image.wcs.crota2, 9) == 30.0
    image.wcs.crota2 = 0.0
    row, column = image.wcs.getPixelCoordinates(10.0, 0.2)
    assert (round(row), round(column)) == (2, 0)
    assert np.allclose(image.wcs.getWorldCoordinates(2, 0), [10.0, 0.2], atol=1e-3)
    image.image = np.zeros((3, 4))
    assert image.unit == "MJy/sr", "other values, the same dataset"
    doubled = image.image + 2 * image.image
    assert doubled.dimensions == [3, 4]
    image.image[0, 0] = 5
    assert image.image.max() == image["image"].data[0, 0] == 5.0
    assert (image.image > 4)[0, 0]
    assert np.mean(image.image) == np.mean(image["image"]) == image.image.mean()
    assert list(np.max(image.image, axis=0)) == [5.0, 0.0, 0.0, 0.0]
    assert np.nanmax(np.asarray(image.image)) == 5.0
    with pytest.raises(UsageError, match="no image"):
        SimpleImage().unit  # noqa: B018


def test_cubes_and_spectra() -> None:
    cube = SimpleCube("cube", image=np.arange(24.0).reshape(2, 3, 4), unit="Jy")
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN", "FREQ"]
    cube.wcs = wcs
    layer = cube.getSimpleImage(1)
    assert (layer.image[0, 0], layer.unit, cube.depth, layer.wcs.ctype1) == (
        12.0,
        "Jy",
        2,
        "RA---TAN",
    )
    assert cube.getIntensity(1, 2, 3) == 23.0
    spectrum = Spectrum1d(wave=[1.0, 2.0], flux=[3.0, 4.0])
    spectrum.flag = [0, 1]
    assert list(spectrum.getFlux()) == [3.0, 4.0]
    assert list(spectrum.table.columnNames) == ["wave", "flux", "flag"]
    with pytest.raises(MissingName):
        Spectrum1d().wave  # noqa: B018


# -- contexts


def test_references_by_role() -> None:
    context = MapContext()
    context.setProduct("PSW.fits", Product("psw"))
    context.refs["other"] = Product("other")
    assert context.refs["PSW"].product.description == "psw"
    assert "PSW" in context.refs
    assert context.refs.containsKey("PSW")
    context.refs["PSW"] = Product("new")
    assert list(context.refs) == ["PSW.fits", "other"]
    assert context.getProduct("PSW").description == context.PSW.description == "new"
    assert context.getOther().description == "other"
    assert [ref.product.description for ref in context.getAllRefs()] == ["new", "other"]
    context.refs.remove("PSW")
    assert context.refs.size() == 1
    with pytest.raises(MissingName):
        context.refs["othr"]
    with pytest.raises(UsageError, match="no product"):
        context.refs["x"] = 3
    with pytest.raises(AttributeError):
        context.nothing  # noqa: B018


def test_lists_of_references() -> None:
    context = ListContext(refs=[Product("0"), Product("1")])
    context.refs.add(ProductRef(Product("2")))
    context.refs.add(0, Product("first"))
    context.refs.remove(1)
    context.refs[1] = Product("one")
    context.refs += [Product("last")]
    assert [ref.product.description for ref in context.refs] == ["first", "one", "2", "last"]
    assert context.getProduct(1).description == "one"
    context.addProduct(Product("end"))
    assert context.refs.size() == 5
    outer = MapContext(refs={"list": context, "leaf": Product("leaf")})
    assert len(outer.getAllRefs(True)) == 7
    assert len(outer.getAllRefs(True, False)) == 6


def test_rules_of_contexts() -> None:
    context = MapContext()
    context.addRule(lambda ref: ref.type is SimpleImage)
    context.refs["image"] = SimpleImage()
    for way in (
        lambda: context.refs.put("x", Product()),
        lambda: context.setProduct("x", Product()),
        lambda: context.refs.update({"x": Product()}),
        lambda: setattr(context, "refs", {"x": Product()}),
    ):
        with pytest.raises(ContextRuleException, match="refuses"):
            way()
    assert list(context.refs) == ["image"]
    context.setRule(Context.ALLOW_NOTHING)
    with pytest.raises(ContextRuleException):
        context.refs["image"] = SimpleImage()
    context.rule = Context.ALLOW_ANYTHING
    context.refs["x"] = Product()
    lists = ListContext()
    lists.setRule(MapContext.ALLOW_NOTHING)
    for way in (lists.refs.append, lists.refs.add, lists.addProduct):
        with pytest.raises(ContextRuleException):
            way(Product())
    assert Context.isContext(ObservationContext)
    assert not Context.isContext(SimpleImage)


def test_observations() -> None:
    obs = ObservationContext(obsid=1342182452, odNumber=98, instrument="PACS")
    assert (obs.type, obs.getObsid(), obs.meta["obsid"].value) == ("OBS", 1342182452, 1342182452)
    assert obs.level2 is None
    assert obs.obsState == "CREATED"
    with pytest.raises(ContextRuleException, match=r"required data are not found: level2"):
        obs.setObsState("LEVEL2_PROCESSED")
    with pytest.raises(ContextRuleException, match="no state"):
        obs.obsState = "DONE"
    with pytest.raises(ContextRuleException, match="is a context"):
        obs.level2 = Product()
    obs.level2 = MapContext()
    obs.obsState = "LEVEL2_PROCESSED"
    obs.setLevel2_5(MapContext("combined"))
    assert obs.level2_5.description == obs.getLevel2_5().description == "combined"
    obs.refs["browseImageProduct"] = Product("browse")
    assert obs.browseImage.description == obs.browseImageProduct.description == "browse"
    obs.observationLog = MapContext("log")
    assert obs.refs["logObsContext"].product.description == "log"
    obs.level2 = None
    assert "level2" not in obs.refs


def test_urns() -> None:
    urn = Urn("urn:temp1:herschel.ia.dataset.image.SimpleImage:12")
    assert (urn.getPoolId(), urn.getIndex(), urn.getType()) == ("temp1", 12, SimpleImage)
    assert urn.typeName == "herschel.ia.dataset.image.SimpleImage"
    assert urn.getUrnWithoutPoolId() == "urn::herschel.ia.dataset.image.SimpleImage:12"
    assert urn == Urn(str(urn)) == str(urn)
    for wrong in ("urn:a:b", "urn:a:b:c", "urn:a b:C:1", "x"):
        with pytest.raises(InvalidName):
            Urn(wrong)


# -- pools and files

values = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.booleans(),
    st.datetimes(datetime(1, 2, 1), datetime(9999, 11, 30)).map(FineTime),
)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
arrays = st.sampled_from([np.float64, np.float32, np.int16, np.int32, np.int64, np.bool_]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
)


@st.composite
def whole_products(draw: st.DrawFn) -> Product:
    made = Product(draw(st.text(max_size=10)), type="T")
    for name, value in draw(st.dictionaries(names, values, max_size=4)).items():
        if name not in made.meta and name not in ("startDate", "endDate"):
            made.meta[name] = value
    for number, array in enumerate(draw(st.lists(arrays, max_size=3))):
        made[f"array{number}"] = ArrayDataset(array, unit=draw(st.sampled_from([None, "Jy", "1"])))
    if draw(st.booleans()):
        table = TableDataset("table")
        rows = draw(st.integers(0, 4))
        table["f"] = Column(draw(hnp.arrays(np.float64, rows)), unit="s")
        table["t"] = Column(
            np.array(
                draw(st.lists(st.text("abc é", max_size=5), min_size=rows, max_size=rows)),
                dtype=str,
            )
        )
        made["table"] = table
    return made


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(product=whole_products(), more=values)
def test_products_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, product: Product, more: Any
) -> None:
    storage = ProductStorage(sp.Pool(tmp_path_factory.mktemp("round") / "pool"))
    top = MapContext("top")
    top.setProduct("leaf", product)
    ref = storage.save(top)
    found = storage.load(ref.urn).product
    leaf = found.refs["leaf"].product
    assert leaf.equals(product)
    for name in product.sets:
        dataset = leaf[name]
        if isinstance(dataset, ArrayDataset):
            dataset.data  # noqa: B018 (what was only read is not changed)
    assert not found.isDirty(storage)
    assert not top.isDirty(storage)
    assert storage.save(found) == ref
    leaf.meta["one more"] = more
    assert found.isDirty(storage)
    again = storage.load(storage.save(found).urn).product.refs["leaf"].product
    assert again.meta["one more"] == leaf.meta["one more"]
    assert storage.load(ref.urn).product.refs["leaf"].product.equals(product)


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    image = SimpleImage("map", type="PMP", image=np.arange(12.0).reshape(3, 4), unit="Jy/pixel")
    image.meta["wavelength"] = DoubleParameter(250.0, "reference wavelength", "micrometer")
    image.meta["obsid"] = 1342182452
    image.startDate = FineTime("2009-08-19T19:44:16.123456")
    table = TableDataset("rows")
    table["flux"] = Column([1.0, 2.0], unit="Jy", description="the flux")
    image["sources"] = table
    for path, options in (
        ("a.fits", {}),
        ("b.fits.gz", {}),
        ("c.fits", {"compression": "GZIP"}),
        ("d.fit", {"compression": "ZIP"}),
    ):
        written = simpleFitsWriter(image, tmp_path / path, **options)
        found = simpleFitsReader(written)
        assert found.equals(image), path
        assert isinstance(found, SimpleImage)
        assert found["sources"]["flux"].description == "the flux"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.fits", "b.fits.gz", "c.fits.gz", "d.fit.zip",
    ]  # fmt: skip
    assert simpleFitsReader(str(tmp_path / "a.fits"), reader="HCSS").equals(image)
    # What was read stays, whatever becomes of the file; saving it makes a new product.
    found = simpleFitsReader(tmp_path / "a.fits")
    (tmp_path / "a.fits").unlink()
    ref = ProductStorage(PoolManager.getPool("temp1")).save(found)
    assert ref.product.image.max() == 11.0
    for wrong in ("x.txt", "x"):
        with pytest.raises(UsageError, match="does not end as FITS"):
            simpleFitsWriter(image, tmp_path / wrong)
    with pytest.raises(UsageError, match="is no product"):
        simpleFitsWriter(np.ones(3), tmp_path / "x.fits")
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(StorageError, match="cannot be read as FITS"):
        simpleFitsReader(tmp_path / "text.fits")


def test_edits_of_values_that_were_given_up_are_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values that were only read are forgotten when there are many; changed ones never."""
    from skypool.hipe import dataset

    monkeypatch.setattr(dataset, "_MOST_BYTES", 2000)
    store = ProductStorage(PoolManager.getPool("temp1"))
    top = MapContext()
    for number in range(20):
        top.setProduct(f"leaf {number}", SimpleImage(image=np.full((8, 8), float(number))))
    ref = store.save(top)
    found = store.load(ref.urn).product
    held = found.refs["leaf 5"].product["image"].data
    for number in range(20):
        data = found.refs[f"leaf {number}"].product["image"].data
        if number == 3:
            data[0, 0] = 99.0
    held[1, 1] = 77.0
    in_memory = sum(ref.product["image"]._held.read for ref in found.refs.values())
    assert in_memory < 10
    again = store.load(store.save(found).urn).product
    assert again.refs["leaf 3"].product.image[0, 0] == 99.0
    assert again.refs["leaf 5"].product.image[1, 1] == 77.0
    assert [r.version for _, r in again.pairs()] == [int(n in (3, 5)) for n in range(20)]
