"""Files of HCSS: names, types, units, kinds, and the tree of datasets."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from fits_oracle import Stored

BLOCK = 2880


def unit(cards, data=b""):
    head = b"".join(card.encode().ljust(80) for card in [*cards, "END"])
    return head.ljust(-(-len(head) // BLOCK) * BLOCK) + data.ljust(
        -(-len(data) // BLOCK) * BLOCK, b"\0"
    )


def primary(*cards, children=(), prefix="DS_", kind="herschel.ia.dataset.image.SimpleImage"):
    return unit(
        [
            "SIMPLE  =                    T / Java FITS",
            "BITPIX  =                   32",
            "NAXIS   =                    0 / Dimensionality",
            "EXTEND  =                    T",
            "TIMESYS = 'UTC     '",
            "HCSS____=                    5 / HCSS Fits Product Version",
            f"CLASS___= '{kind}'",
            "INFO____= 'A map'",
            "          -------------- Herschel Parameter Data----------",
            *cards,
            f"DSETS___= {len(children)}",
            *(f"{prefix + str(n):<8}= {child}" for n, child in enumerate(children)),
        ]
    )


def image(name, *cards, shape=(2, 3)):
    values = np.arange(np.prod(shape), dtype=">f8").reshape(shape)
    return unit(
        [
            "XTENSION= 'IMAGE   '",
            "BITPIX  = -64",
            f"NAXIS   = {len(shape)}",
            *(f"NAXIS{n}  = {length}" for n, length in enumerate(shape[::-1], 1)),
            "PCOUNT  = 0",
            "GCOUNT  = 1",
            f"EXTNAME = '{name}'",
            "CLASS___= 'herschel.ia.dataset.ArrayDataset'",
            "DATA____= 'herschel.ia.numeric.Double2d'",
            *cards,
        ],
        values.tobytes(),
    )


def composite(name, *children, **more):
    return unit(
        [
            "XTENSION= 'IMAGE   '",
            "BITPIX  = 32",
            "NAXIS   = 0",
            "PCOUNT  = 0",
            "GCOUNT  = 1",
            f"EXTNAME = '{name}'",
            "INFO____= 'History of product'",
            f"DSETS___= {len(children)}",
            *(f"DS_{n}    = {child}" for n, child in enumerate(children)),
        ]
    )


def meta(listed):
    return {entry[0]: entry[1:] for entry in listed}


def test_parameters_have_their_own_names_types_units_and_descriptions():
    data = primary(
        "OBS_ID  =           1342263815 / [] Observation identifier",
        "META_0  =                  0.5 / [Jy] A flux",
        "DATE-OBS= '2013-02-17T01:10:35.261674' / Start date of this product",
        "DATE_OBS= '2013-02-17T01:10:35.261674' / Start date of this product",
        "LEVEL   = '20      '           / The level",
        "META_1  =                    F / [] no unit for booleans",
        "WAVELNTH=                250.0 / [micrometer] The reference wavelength at whi&",
        "COMMENT ch the image is taken",
        "DESC    = 'A map   '           / Name of this product",
        "HIERARCH  key.OBS_ID='obsid'",
        "HIERARCH  key.META_0='flux'",
        "HIERARCH  key.DATE-OBS='startDate'",
        "HIERARCH  key.LEVEL='level'",
        "HIERARCH  key.META_1='done'",
        "HIERARCH  key.WAVELNTH='wavelength'",
        "HIERARCH  key.DESC='description'",
    )
    stored = Stored(data)
    found = meta(stored.document["meta"])
    assert found["obsid"] == [1342263815, "", "Observation identifier"]
    assert found["flux"] == [0.5, "Jy", "A flux"]
    assert found["startDate"] == [
        datetime(2013, 2, 17, 1, 10, 35, 261674, UTC),
        "",
        "Start date of this product",
    ]
    assert found["level"] == ["20", "", "The level"]
    assert found["done"] == [False, "", "[] no unit for booleans"]
    assert found["wavelength"][2] == "The reference wavelength at which the image is taken"
    assert found["description"] == ["A map", "", "Name of this product"]
    assert found["type"] == ["Unknown"]
    # neither the structure nor the duplicates
    assert set(found) == {
        "type", "creator", "description", "instrument", "modelName", "startDate", "formatVersion",
        "obsid", "flux", "level", "done", "wavelength",
    }  # fmt: skip


def test_the_dictionary_serves_files_without_key_cards():
    found = meta(Stored(primary("OBS_ID  = 7", "OTHER   = 8")).document["meta"])
    assert found["obsid"] == [7]
    assert found["OTHER"] == [8]
    assert found["description"] == ["A map"]


@pytest.mark.parametrize("prefix", ["DS_", "DSET_"])
def test_the_tree_of_datasets(prefix):
    data = (
        primary(children=(1, 3, 2), prefix=prefix)
        + image("image", "QTTY____= 'Jy/beam '", "CTYPE1  = 'RA---TAN'", "INFO____= 'Image'")
        + composite("History", 4, 5)
        + image("error")
        + image("one")
        + composite("inner", 6)
        + image("two", shape=(4,))
        + image("forgotten")
    )
    stored = Stored(data)
    document = stored.document
    assert stored.rebuilt() == data
    assert document["kind"] == "SimpleImage"
    assert [name for name, _ in document["datasets"]] == ["image", "error", "History", "forgotten"]
    picture = stored.datasets["image"]
    assert picture.unit_text == "Jy/beam"
    assert picture.description == "Image"
    assert stored.datasets["History"].description == "History of product"
    assert stored.datasets["History"]["inner"]["two"].shape == (4,)
    # coordinates belong to the whole product
    assert [d.get("wcs") for _, d in document["datasets"]][:2] == [{"hdu": 1}, {"hdu": 1}]
    assert document["file"]["hdus"][1]["class"] == "herschel.ia.dataset.ArrayDataset"


def test_a_missing_child_means_a_file_that_was_cut():
    data = primary(children=(1, 2)) + image("image")
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.document["kind"] == "File"
    assert stored.imported.reason == (
        "HDU 0 lists HDU 2 as its child, the file has 2 HDUs: it was cut short"
    )


def test_children_in_a_circle_and_twice():
    data = primary(children=(1, 1, 2)) + composite("a", 2) + composite("b", 1)
    stored = Stored(data)
    assert stored.rebuilt() == data
    names = [name for name, _ in stored.document["datasets"]]
    assert names[0] == "a"


def test_other_classes_are_kinds_of_their_own():
    data = primary(kind="herschel.pacs.cal.photometer.FilterTransmission")
    assert Stored(data).document["kind"] == "FilterTransmission"


def test_real_maps_and_calibration_files(shared_data):
    files = sorted((shared_data / "files").glob("ivvv+herspy/*.fits.gz"))
    assert len(files) == 4
    for path in files:
        stored = Stored(path.read_bytes(), path.name)
        found = meta(stored.document["meta"])
        assert stored.document["kind"] == "SimpleImage"
        assert isinstance(found["obsid"][0], int)
        assert found["startDate"][0].tzinfo is UTC
        assert next(iter(stored.datasets)) == "image"
        history = stored.datasets["History"]
        assert list(history) == ["HistoryScript", "HistoryTasks", "HistoryParameters"]
        assert str(history["HistoryScript"]["Lines"][0]).startswith("# Autogenerated")
        assert not any(name.startswith("META_") for name in found)


def test_the_map_that_astropy_cannot_read(shared_data):
    path = (
        shared_data / "files/pchanial+tamasis-pacs/madcap__test__data__madmap1__madmapSpirePsw.fits"
    )
    stored = Stored(path.read_bytes(), path.name)
    parameters = stored.datasets["History"]["HistoryParameters"]
    assert set(parameters["ProductId"][:].tolist()) == {""}
    assert parameters["Type"][:3].tolist()
    # the column before the one of width 0 and the one behind the boolean
    assert str(parameters["Class"][:][0]).startswith("herschel.") or parameters["Class"][0] == ""
    assert stored.datasets["image"].wcs is not None
    assert stored.datasets["error"].wcs is not None


def test_a_comment_that_goes_on_with_a_blank():
    data = primary(
        "SAARMS  =    1.071692897913875 / [deg] standard deviation of the Solar Aspect&",
        "COMMENT ~Angle",
        "HIERARCH  key.SAARMS='rms'",
    )
    found = meta(Stored(data).document["meta"])
    assert found["rms"][2] == "standard deviation of the Solar Aspect Angle"


def test_units_are_all_that_stands_in_the_brackets():
    data = primary(
        "META_0  =                  1.5 / [km/s, lsr: v=c] a speed",
        "META_1  =                    3 / [] [x] y",
        "META_2  =                    3 / [m",
        "HIERARCH  key.META_0='speed'",
        "HIERARCH  key.META_1='odd'",
        "HIERARCH  key.META_2='open'",
    )
    found = meta(Stored(data).document["meta"])
    assert found["speed"] == [1.5, "km/s, lsr: v=c", "a speed"]
    assert found["odd"] == [3, "", "[x] y"]
    assert found["open"] == [3, "", "[m"]


def test_numbers_that_java_writes_and_fits_forbids():
    data = primary(
        "META_0  =                  NaN / [Jy] none",
        "META_1  =            -Infinity / []",
        "META_2  = 'NaN     '           / text",
        "HIERARCH  key.META_0='a'",
        "HIERARCH  key.META_1='b'",
        "HIERARCH  key.META_2='c'",
    )
    found = meta(Stored(data).document["meta"])
    assert np.isnan(found["a"][0])
    assert found["a"][1:] == ["Jy", "none"]
    assert found["b"] == [-np.inf]
    assert found["c"] == ["NaN", "", "text"]


def test_times_of_files_in_tai():
    cards = ["DATE-OBS= '2013-02-17T01:10:35.261674'", "HIERARCH  key.DATE-OBS='startDate'"]
    tai = primary(*cards).replace(b"'UTC     '", b"'TAI     '")
    found = meta(Stored(tai).document["meta"])
    assert found["startDate"] == [datetime(2013, 2, 17, 1, 10, 0, 261674, UTC)]


def test_the_dictionary_knows_numbered_keywords():
    found = meta(Stored(primary("BOLVDB1 = 2.6", "CRVAL2  = 3.5")).document["meta"])
    assert found["BOL_VD_B_1"] == [2.6]
    assert found["crval2"] == [3.5]


def test_a_file_that_only_imitates_hcss():
    """CLASS___ and the tree, without version and key cards, children out of order."""
    version = b"HCSS____=                    5 / HCSS Fits Product Version"
    data = primary("OBS_ID  = 7", children=(2, 1)).replace(version, b" " * len(version))
    document = Stored(data + image("error") + image("image")).document
    assert meta(document["meta"])["obsid"] == [7]
    assert [name for name, _ in document["datasets"]] == ["image", "error"]


def test_history_cards_that_somebody_added():
    data = primary("HISTORY smoothed by hand", "HISTORY twice")
    assert Stored(data).document["history"] == ["smoothed by hand", "twice"]


def classed(name, class_name, data_class, values):
    bitpix = 8 * values.itemsize * (-1 if values.dtype.kind == "f" else 1)
    return unit(
        [
            "XTENSION= 'IMAGE   '",
            f"BITPIX  = {bitpix}",
            f"NAXIS   = {values.ndim}",
            *(f"NAXIS{n}  = {length}" for n, length in enumerate(values.shape[::-1], 1)),
            "PCOUNT  = 0",
            "GCOUNT  = 1",
            f"EXTNAME = '{name}'",
            f"CLASS___= 'herschel.ia.dataset.{class_name}'",
            f"DATA____= 'herschel.ia.numeric.{data_class}'",
        ],
        values.tobytes(),
    )


def test_classes_of_datasets_and_of_their_values():
    pairs = np.arange(6, dtype=">f8").reshape(3, 2)
    data = (
        primary(children=(1, 2, 3, 4))
        + classed("flags", "ArrayDataset", "Bool2d", np.array([[0, 1]], "u1"))
        + classed("bytes", "ArrayDataset", "Bool2d", np.array([[0, 7]], "u1"))
        + classed("waves", "ArrayDataset", "Complex1d", pairs)
        + classed("odd", "spectrum.Mine", "Double2d", pairs)
    )
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.datasets["flags"].dtype == bool
    assert stored.datasets["flags"].any()
    assert stored.datasets["bytes"].dtype == np.uint8
    assert stored.datasets["waves"][:].tolist() == [1j, 2 + 3j, 4 + 5j]
    classes = {name: obj.get("class") for name, obj in stored.document["datasets"]}
    assert classes == {
        "flags": None,
        "bytes": None,
        "waves": None,
        "odd": "herschel.ia.dataset.spectrum.Mine",
    }


WCS = (
    "CTYPE1  = 'RA---TAN'",
    "CTYPE2  = 'DEC--TAN'",
    "CRVAL1  = 17.5",
    "CRVAL2  = 35.5",
    "HIERARCH  key.CRVAL1='crval1'",
)


def test_coordinates_in_the_primary_header_alone():
    stored = Stored(primary(*WCS, children=(1, 2)) + image("image") + image("error"))
    assert stored.datasets["image"].wcs.wcs.crval.tolist() == [17.5, 35.5]
    assert stored.datasets["error"].wcs.wcs.crval.tolist() == [17.5, 35.5]
    other = primary(*WCS, children=(1,), kind="herschel.x.Other") + image("image")
    assert Stored(other).datasets["image"].wcs is None


def test_a_plain_image_with_key_cards():
    """As programs write it that copy the header of a map of HCSS."""
    cards = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 2"]
    cards += ["META_1  =                 64.5 / [] Number of detector columns"]
    found = meta(Stored(unit([*cards, "HIERARCH  key.META_1='detDouble'"], b"ab")).document["meta"])
    assert found["detDouble"] == [64.5, "", "Number of detector columns"]


def test_an_image_in_the_primary_unit_with_the_cards_of_hcss():
    """As it is after a map was cut with other tools: the list of children is stale."""
    cards = [
        "SIMPLE  = T",
        "BITPIX  = -64",
        "NAXIS   = 2",
        "NAXIS1  = 3",
        "NAXIS2  = 2",
        "EXTEND  = T",
        "HCSS____= 5",
        "CLASS___= 'herschel.ia.dataset.image.SimpleImage'",
        "INFO____= 'PLW map'",
        "DATE-OBS= '2011-05-09T14:45:25.000000'",
        "OBSID001= 1342220650",
        "BUNIT   = 'MJy/sr'",
        *WCS[:4],
        "DSETS___= 4",
        "DS_0    = 1",
        "DS_1    = 2",
        "DS_2    = 6",
        "DS_3    = 7",
    ]
    data = unit(cards, np.arange(6, dtype=">f8").tobytes()) + image("coverage")
    stored = Stored(data)
    assert stored.rebuilt() == data
    assert stored.document["kind"] == "SimpleImage"
    assert list(stored.datasets) == ["image", "coverage"]
    picture = stored.datasets["image"]
    assert picture[:].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert picture.unit_text == "MJy/sr"
    assert picture.wcs.wcs.crval.tolist() == [17.5, 35.5]
    found = meta(stored.document["meta"])
    assert found["obsid001"] == [1342220650]
    assert found["startDate"] == [datetime(2011, 5, 9, 14, 45, 25, 0, UTC)]
    assert "obsid001" in picture.meta


def test_children_of_children_between_those_of_the_product():
    data = (
        primary(children=(1, 2, 6, 7))
        + image("image")
        + composite("History", 3, 4, 5)
        + b"".join(image(name) for name in ("HistoryScript", "HistoryTasks", "more"))
        + image("error")
        + image("coverage")
    )
    datasets = Stored(data).datasets
    assert list(datasets) == ["image", "History", "error", "coverage"]
    assert list(datasets["History"]) == ["HistoryScript", "HistoryTasks", "more"]
