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
