"""Products: the contract, all problems at once, changed copies, kinds, references."""

import copy
import pickle
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS
from hypothesis import given, settings

import skypool as sp
from skypool.errors import Ambiguous, InvalidProduct, MissingName, NotFound
from skypool.model.compare import differences
from skypool.model.kinds import PARENTS, ancestors, is_context, is_kind, kind_of_class, subkinds
from skypool.model.product import FIXED_ATTRIBUTES
from skypool.model.references import Refs
from skypool.testing.strategies import products


def celestial():
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [201.365, -43.019]
    made.wcs.crpix = [16.5, 16.5]
    made.wcs.cdelt = [-1 / 3600, 1 / 3600]
    return made


@pytest.fixture
def product():
    data = np.arange(32 * 32, dtype="f4").reshape(32, 32)
    return sp.Product(
        kind="SimpleImage",
        type="HPPPMAPBS",
        description="a map",
        instrument="PACS",
        meta={"obsid": 1342182452, "wavelength": sp.Parameter(70.0, "um", "reference wavelength")},
        datasets={
            "image": sp.Array(data, unit="Jy/pixel", wcs=celestial()),
            "coverage": data,
            "sources": AstropyTable({"ra": [1.0, 2.0], "name": ["a", "b"]}),
            "History": {"tasks": {"ID": np.arange(2)}},
        },
        refs={"calibration": sp.ExternalRef("urn:other:Product:5"), "PSW.fits": sp.Product()},
    )


def test_contract(product):
    assert product.kind == "SimpleImage"
    assert product.type == product.meta["type"].value == "HPPPMAPBS"
    assert product.meta["obsid"].value == 1342182452
    assert product.meta["wavelength"].unit == "um"
    assert product.creator == product.modelName == "Unknown"
    assert product.formatVersion == "1.0"
    assert product.creationDate.tzinfo is UTC
    assert product.startDate is None
    assert list(product.datasets) == ["image", "coverage", "sources", "History"]
    assert list(product) == list(product.datasets)
    assert product["image"].shape == (32, 32)
    assert product["sources"].colnames == ["ra", "name"]
    assert product["History/tasks/ID"].shape == (2,)
    assert product["history/TASKS/id"].shape == (2,)
    assert "image" in product
    assert "nothing" not in product
    assert product.is_kind("Product")
    assert not product.is_context
    assert product.product is product
    assert set(product.meta) >= set(FIXED_ATTRIBUTES) - {"startDate", "endDate"}


def test_replace_gives_a_changed_copy(product):
    new = product.replace(
        type="X",
        meta={"obsid": 5, "wavelength": None},
        datasets={"coverage": None, "image": np.zeros(3), "History/tasks/ID": np.ones(4)},
        refs={"calibration": None, "new": sp.ExternalRef("x")},
        history=["changed"],
        kind="Product",
    )
    assert (new.type, new.meta["obsid"].value, new.kind) == ("X", 5, "Product")
    assert "wavelength" not in new.meta
    assert list(new.datasets) == ["image", "sources", "History"]
    assert new["History/tasks/ID"].shape == (4,)
    assert list(new.refs) == ["PSW.fits", "new"]
    assert new.history == ("changed",)
    assert product.type == "HPPPMAPBS"
    assert product["History/tasks/ID"].shape == (2,)
    assert product.history == ()
    with pytest.raises(MissingName):
        product.replace(datasets={"nothing": None})
    with pytest.raises(TypeError, match="no attribute"):
        product.replace(tpye="X")


def test_origin_stays_and_changes_are_known(product):
    loaded = sp.Product.assemble(
        product.kind, product.meta, product.datasets, product.refs, (), origin="token"
    )
    assert loaded.unchanged
    changed = loaded.replace(meta={"obsid": 3})
    assert not changed.unchanged
    assert changed.origin == "token"
    assert not product.unchanged
    assert changed["image"].source is product["image"].source


def test_nothing_can_be_set(product):
    with pytest.raises(AttributeError, match=r"product\.replace"):
        product.type = "X"
    with pytest.raises(AttributeError, match=r"product\.replace"):
        product.note = "X"
    with pytest.raises(TypeError, match=r"product\.replace"):
        product["image"] = np.zeros(3)
    with pytest.raises(TypeError, match="replace"):
        product.datasets["image"] = np.zeros(3)
    with pytest.raises(TypeError, match="replace"):
        product.refs["x"] = product
    with pytest.raises(TypeError, match="replace"):
        product["History"]["tasks"] = 3
    with pytest.raises(TypeError, match="replace"):
        product["sources"]["ra"] = 3


def test_all_problems_at_once():
    with pytest.raises(InvalidProduct) as caught:
        sp.Product(
            kind="no kind",
            type=5,
            meta={"x": object(), "instrument": 3, "creationDate": "yesterday"},
            datasets={
                "half": np.zeros(3, "f2"),
                "objects": np.array([object()]),
                "composite": {"deep": {"long": np.zeros(2, np.longdouble)}},
                "table": AstropyTable({"c": [object(), object()]}),
                "": np.zeros(3),
            },
            refs={"a": 3},
            history=["x", 5],
        )
    places = ["/".join(map(str, problem.location)) for problem in caught.value.problems]
    assert places == [
        "kind",
        "meta/x",
        "meta/type",
        "meta/creationDate",
        "meta/instrument",
        "datasets/half",
        "datasets/objects",
        "datasets/composite/deep/long",
        "datasets/table/c",
        "datasets",
        "refs/a",
        "history/1",
    ]
    assert "float32" in str(caught.value)
    with pytest.raises(InvalidProduct) as caught:
        sp.Product(type=5, meta={"type": "x", "startDate": "yesterday", "creator": 7})
    places = ["/".join(map(str, problem.location)) for problem in caught.value.problems]
    assert sorted(places) == ["meta/creator", "meta/startDate", "meta/type"]


def test_dates_are_utc():
    made = sp.Product(startDate=datetime(2013, 2, 17), endDate=np.datetime64("2013-02-18"))
    assert str(made.meta["startDate"].value).startswith("2013-02-17")
    assert made.endDate == datetime(2013, 2, 18, tzinfo=UTC)


def test_references():
    leaf = sp.Product()
    refs = Refs({"PSW.fits": leaf, "a.fits": leaf, "a.txt": leaf, "Cal": sp.ExternalRef("u")})
    assert refs["PSW"] is refs["psw.FITS"] is refs[0] is leaf
    assert refs[-1].urn == "u"
    assert "PSW" in refs
    with pytest.raises(Ambiguous):
        refs["a"]
    with pytest.raises(MissingName):
        refs["PMW"]
    with pytest.raises(LookupError):
        refs[9]
    with pytest.raises(NotFound, match="points at nothing"):
        _ = refs["cal"].product
    listed = sp.Product("ListContext", refs=[leaf, sp.ExternalRef("x")])
    assert list(listed.refs) == ["0", "1"]
    assert listed.refs[0] is listed.refs["0"] is leaf
    assert listed.is_context
    assert sp.ExternalRef("x") == sp.ExternalRef("x")


def test_a_reference_is_not_asked_for_its_product():
    class Lazy:
        urn = "urn:p:Product:1"

        @property
        def product(self):
            raise AssertionError("loaded")

    assert sp.Product(refs={"a": Lazy()}).refs["a"].urn == "urn:p:Product:1"


def test_kinds():
    assert ancestors("ObservationContext") == (
        "ObservationContext", "MapContext", "Context", "Product",
    )  # fmt: skip
    assert is_kind("SpectralSimpleCube", "SimpleCube")
    assert not is_kind("SimpleCube", "SpectralSimpleCube")
    assert is_kind("SomebodysOwn", "Product")
    assert is_context("ListContext")
    assert not is_context("SimpleImage")
    assert subkinds("MapContext") >= {"MapContext", "ObservationContext"}
    assert "SimpleImage" not in subkinds("Context")
    assert kind_of_class("herschel.ia.dataset.image.SimpleImage") == "SimpleImage"
    assert kind_of_class("a.B$C") == "C"
    assert kind_of_class("not a class!") == "Product"
    for kind in PARENTS:
        assert ancestors(kind)[-1] == "Product"


def test_nddata_brings_mask_and_uncertainty(product):
    ccd = CCDData(
        np.ones((4, 4), "f4"),
        unit="adu",
        wcs=celestial(),
        mask=np.eye(4, dtype=bool),
        uncertainty=StdDevUncertainty(np.full((4, 4), 0.1)),
        meta={"FILTER": "R", "comments": ["a", "b"]},
    )
    made = sp.Product(datasets={"image": ccd, "second": NDData(ccd, unit="adu")})
    assert list(made.datasets) == [
        "image",
        "mask",
        "error",
        "second",
        "second_mask",
        "second_error",
    ]
    assert made["image"].meta["comments"].value == "a\nb"
    back = made.to_ccddata()
    assert isinstance(back, CCDData)
    assert np.array_equal(back.data, ccd.data)
    assert np.array_equal(back.mask, ccd.mask)
    assert np.array_equal(back.uncertainty.array, ccd.uncertainty.array)
    assert back.unit == ccd.unit
    assert back.meta["FILTER"] == "R"
    assert np.allclose(back.wcs.wcs.crval, ccd.wcs.wcs.crval, rtol=0, atol=0)
    assert isinstance(made.to_nddata("second").uncertainty, StdDevUncertainty)
    variance = NDData(np.ones(3), uncertainty=VarianceUncertainty(np.ones(3)), unit="Jy")
    other = sp.Product(datasets={"flux": variance})
    assert list(other.datasets) == ["flux", "flux_variance"]
    assert other["flux_variance"].unit_text == "Jy2"
    assert isinstance(other.to_nddata("flux").uncertainty, VarianceUncertainty)
    assert list(product.replace(datasets={"image": ccd}).datasets)[-2:] == ["mask", "error"]
    with pytest.raises(InvalidProduct, match="there is one of that name"):
        sp.Product(datasets={"image": ccd, "mask": np.zeros(3)})
    with pytest.raises(InvalidProduct, match="mask"):
        sp.Array(ccd)


def test_masked_arrays_bring_their_mask():
    made = sp.Product(datasets={"image": np.ma.array([1.0, 2.0], mask=[True, False])})
    assert np.array_equal(made["mask"], [True, False])
    assert np.array_equal(made.to_nddata("image").mask, [True, False])


@settings(max_examples=50)
@given(products())
def test_products_equal_their_copies(made):
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), made.replace()):
        assert differences(made, other) == []
    assert len(repr(made)) < 2000


def test_differences(product):
    def found(**changes):
        return [str(problem) for problem in differences(product, product.replace(**changes))]

    assert found() == []
    assert "obsid" in found(meta={"obsid": 6})[0]
    assert "meta" in found(meta={"new": 6})[0]
    assert "values differ" in found(datasets={"coverage": np.ones((32, 32), "f4")})[0]
    assert "only left" in found(datasets={"coverage": None})[0]
    assert "kind" in found(kind="Product")[0]
    assert "history" in found(history="x")[0]
    assert "refs" in found(refs={"calibration": None})[0]
    assert found(datasets={"sources": AstropyTable({"ra": [1.0, 3.0], "name": ["a", "b"]})})
    assert found(datasets={"sources": np.zeros(3)})
    assert found(datasets={"image": sp.Array(product["image"], wcs=None, unit="Jy")})
