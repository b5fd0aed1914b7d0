"""Wavelengths of tables and bands of frequencies, positions in pairs, keys that give way."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable

import skypool as sp
from skypool.errors import UsageError
from skypool.model.attributes.engine import load

ENGINE = load()


def product(meta, datasets=(), kind="Product"):
    return {"kind": kind, "meta": [[key, *value] if isinstance(value, tuple) else [key, value]
                                   for key, value in meta.items()],
            "datasets": list(datasets)}  # fmt: skip


def attributes(meta, datasets=(), kind="Product"):
    return ENGINE.attributes(product(meta, datasets, kind))


@pytest.fixture
def pool(tmp_path):
    return sp.Pool(tmp_path / "pool")


@pytest.mark.parametrize(
    ("name", "unit", "values", "lowest", "highest"),
    [
        ("WAVELENGTH", "Angstrom", [1150.0, 1700.0], 1.15e-7, 1.7e-7),
        ("wave", "1 / cm", [20.0, 25.0], 4e-4, 5e-4),
        ("wave", "um", [55.0, 210.0], 55e-6, 210e-6),
        ("usbfrequency_1", "MHz", [556_000.0, 558_000.0], 299792458 / 558e9, 299792458 / 556e9),
        ("frequency", "GHz", [np.nan, 100.0, 110.0], 299792458 / 110e9, 299792458 / 100e9),
        ("WAVE", "", [1.0, 2.0], None, None),
        ("wave", "kg", [1.0, 2.0], None, None),
        ("wave", "um", [-1.0, np.nan], None, None),
        ("wave", "um", [1.0, np.inf], None, None),
    ],
)
@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
def test_the_range_of_a_spectrum_in_a_table(
    tmp_path, pool, name, unit, values, lowest, highest, suffix
):
    table = AstropyTable({name: values, "flux": np.ones(len(values))})
    table[name].unit = unit or None
    table.write(tmp_path / f"s.{suffix}", format="ascii.ecsv" if suffix == "ecsv" else "fits")
    ref = pool.add(tmp_path / f"s.{suffix}")
    found = ref.attributes
    assert found["product_type"].value == "spectrum"
    if lowest is None:
        assert not {"wavelength", "wavelength_min", "wavelength_max"} & set(found)
        return
    assert found["wavelength_min"].value == pytest.approx(lowest)
    assert found["wavelength_max"].value == pytest.approx(highest)
    assert found["wavelength"].value == pytest.approx((lowest + highest) / 2)
    hits = pool.find("wavelength_min <= $x <= wavelength_max", x=(lowest + highest) / 2)
    assert len(hits) == 1


def test_spectra_in_one_row_of_arrays_and_in_very_many_rows(tmp_path, pool):
    wave = np.linspace(1150.0, 1750.0, 2_000_000)
    column = fits.Column("WAVELENGTH", f"{len(wave)}D", "Angstroms", array=wave[None])
    flux = fits.Column("FLUX", f"{len(wave)}E", array=np.ones((1, len(wave)), "f4"))
    rows = [fits.Column("WAVELENGTH", "D", "Angstroms", array=wave),
            fits.Column("FLUX", "E", array=np.ones(len(wave), "f4"))]  # fmt: skip
    for name, columns in (("one", [column, flux]), ("many", rows)):
        fits.BinTableHDU.from_columns(columns).writeto(tmp_path / f"{name}.fits")
        found = pool.add(tmp_path / f"{name}.fits").attributes
        assert found["wavelength_min"].value == pytest.approx(1.15e-7)
        assert found["wavelength_max"].value == pytest.approx(1.75e-7)


def test_tables_that_are_no_spectra_have_no_wavelengths(pool):
    lines = sp.Product(kind="TableProduct", datasets={"lines": sp.Table(
        AstropyTable({"wave": [1.0, 2.0], "ion": ["HI", "CII"]}))})  # fmt: skip
    found = pool.save(lines).attributes
    assert found["product_type"].value == "table"
    assert "wavelength" not in found


def spectral_axis(ghz):
    meta = [["CTYPE1", "FREQ"], ["CRVAL1", ghz * 1e9], ["CDELT1", 1e6], ["CRPIX1", 1.0],
            ["CUNIT1", "Hz"]]  # fmt: skip
    return [["image", {"is": "array", "shape": [10], "meta": meta}]]


@pytest.mark.parametrize(
    ("ghz", "band"),
    [(40, "1"), (70, "2"), (86.75, "3"), (115.2, "3"), (145, "4"), (163.5, "5"), (230, "6"),
     (345, "7"), (460, "8"), (690, "9"), (870, "10"), (120, None), (1200, None)],
)  # fmt: skip
def test_bands_of_alma(ghz, band):
    found = attributes({"TELESCOP": "ALMA"}, spectral_axis(ghz))
    assert found.get("band") == band
    assert found["instrument"] == "ALMA"
    assert found["wavelength"] == pytest.approx(299792458 / (ghz * 1e9), rel=1e-3)


@pytest.mark.parametrize(("ghz", "band"), [(1.4, "L"), (5, "C"), (22.2, "K"), (43, "Q")])
def test_bands_of_the_vla(ghz, band):
    assert attributes({"TELESCOP": "EVLA"}, spectral_axis(ghz))["band"] == band
    assert "band" not in attributes({"TELESCOP": "ATCA"}, spectral_axis(ghz))


def test_hifi():
    found = attributes({"instrument": "HIFI", "band": "4b", "obsid": 1342201001})
    assert found["wavelength_min"] == pytest.approx(299792458 / 1120e9)
    assert found["wavelength_max"] == pytest.approx(299792458 / 960e9)
    meta = {"instrument": "HIFI", "band": "1a"}
    exact = attributes(meta, spectral_axis(556.9))
    assert exact["wavelength_min"] == pytest.approx(299792458 / 556.9e9, rel=1e-3)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"XPOSURE": 100.0, "EFFEXPTM": 107.0}, 100.0),
        ({"EFFEXPTM": 107.4}, 107.4),
        ({"EXPTIME": 5.0}, None),
        ({}, None),
    ],
)
def test_exposure_of_jwst_is_a_number_and_no_time(more, expected):
    found = attributes({"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "EXPOSURE": 9, **more})
    assert found.get("exposure") == expected


@pytest.mark.parametrize(
    ("header", "telescope"),
    [("SOLO/SPICE/SW", "Solar Orbiter"), ("SDO/HMI", "SDO"), ("SOHO", "SOHO"),
     ("Daniel K. Inouye Solar Telescope", "DKIST"), ("HESSI", "RHESSI")],
)  # fmt: skip
def test_observatories_of_the_sun(header, telescope):
    found = attributes({"TELESCOP": header, "XPOSURE": 2000.0})
    assert found["telescope"] == telescope
    assert found["exposure"] == (2.0 if telescope == "DKIST" else 2000.0)


def test_texts_give_way_to_attributes_that_are_numbers(pool):
    def save(name, **meta):
        pool.save(sp.Product(meta=meta), name=name)

    save("jwst", TELESCOP="JWST", INSTRUME="NIRCAM", EXPOSURE="00009", XPOSURE=107.5)
    save("text", RA="13:25:27.6", DEC="-43:01:09", EXPTIME=10.0)
    save("degrees", RA=201.0, DEC=-43.0, EXPOSURE=20.0)
    save("odd", EXPOSURE="long")
    save("both", EXPOSURE="long", exposure=3.0)

    def names(query):
        return [ref.name for ref in pool.find(query)]

    assert names("exposure > 50") == ["jwst"]
    assert names("exposure == 9") == []
    assert names("exposure == '00009'") == []
    assert names("meta['EXPOSURE'] == '00009'") == ["jwst"]
    assert names("200 < ra < 202") == ["degrees", "text"]
    assert names("exposure == 'long'") == ["odd"]
    assert names("EXPOSURE == 'long'") == ["both", "odd"]
    assert [ref.name for ref in pool.find("has(exposure)", order_by="-exposure")] == [
        "odd", "jwst", "degrees", "text", "both"
    ]  # fmt: skip
    table = pool.find("has(ra)", order_by="ra").to_table("ra")
    assert table["ra"].tolist() == [201.0, pytest.approx(201.365)]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('band = [{ key = "F", unit = "GHz", ranges = { L = [1, 2, 3] } }]', "two numbers"),
        ('band = [{ key = "F", unit = "GHz", ranges = { L = 5 } }]', "two numbers"),
        ('band = [{ key = "F", unit = "s", ranges = { L = [1, 2] } }]', "no wavelengths"),
        ('band = [{ key = "F", ranges = [1] }]', "a table is wanted"),
        ('band = [{ key = "F", stop = true }]', "one of key"),
    ],
)
def test_mistakes_in_rules(tmp_path, rule, words):
    (tmp_path / "my.toml").write_text(f"[[recognise]]\nT = 'x'\n[attributes]\n{rule}\n")
    with pytest.raises(UsageError, match=words):
        load(tmp_path)


def test_ranges_of_a_key_and_an_end_of_a_list(tmp_path):
    (tmp_path / "my.toml").write_text(
        "[[recognise]]\nTELESCOP = 'Mine'\n[attributes]\n"
        "band = [{ key = 'LO', unit = 'GHz', ranges = { low = [80, 100], high = [100, 120] } }]\n"
        "object = ['TGT', { stop = true }]\n"
    )
    engine = load(tmp_path)

    def found(**meta):
        return engine.attributes(product({"TELESCOP": "Mine", **meta}))

    assert found(LO=90.0)["band"] == "low"
    assert found(LO=(0.11, "THz"))["band"] == "high"
    assert "band" not in found(LO=60.0)
    assert found(TGT="M 31", OBJECT="M 33")["object"] == "M 31"
    assert "object" not in found(OBJECT="M 33")
