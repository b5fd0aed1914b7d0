"""World coordinates of IRAF: generated headers of each kind, real files, and another reader."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.model.wcs import wcs_cards
from skypool.server.data_world import World

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "files"
LENGTH = 50


def written(folder: Path, cards: dict[str, Any], shape: tuple[int, ...] = (LENGTH,)) -> Path:
    """Write a file with the header of a spectrum of IRAF; long texts in pieces of 68 characters."""
    hdu = fits.PrimaryHDU(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    for key, value in cards.items():
        if key.startswith("WAT"):
            for place, at in enumerate(range(0, len(value), 68)):
                hdu.header[f"{key}_{place + 1:03d}"] = value[at : at + 68]
        else:
            hdu.header[key] = value
    path = folder / "spectrum.fits"
    hdu.writeto(path)
    return path


def axis_of(path: Path) -> tuple[str, str, np.ndarray]:
    """Return what is said of the last axis of the array of a file: name, unit, values."""
    return told_of(sp.Array(fits.getdata(path), wcs=fits.getheader(path)))


def told_of(array: sp.Array) -> tuple[str, str, np.ndarray]:
    world = World(array)
    along = world.along(array.ndim - 1, np.arange(array.shape[-1]))
    assert along is not None
    described = world.describe()
    assert described is not None
    first = described["axes"][0]
    assert (first["name"], first["unit"]) == along[:2]
    return along


LINEAR = {
    "WCSDIM": 1, "CTYPE1": "LINEAR", "CRVAL1": 4000.0, "CRPIX1": 1.0, "CDELT1": 2.5, "CD1_1": 2.5,
    "LTM1_1": 1.0, "DC-FLAG": 0, "WAT0": "system=equispec",
    "WAT1": "wtype=linear label=Wavelength units=angstroms",
}  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "name", "unit"),
    [
        ("wtype=linear label=Wavelength units=angstroms", "Wavelength", "Angstrom"),
        ("wtype=linear label=Wavelength units=Angstroms", "Wavelength", "Angstrom"),
        ("wtype=linear label=Wavelength units=microns", "Wavelength", "um"),
        ("wtype=linear label=Wavelength units=millimicrons", "Wavelength", "nm"),
        ("wtype=linear label=Frequency units=GHz", "Frequency", "GHz"),
        ("wtype=linear label=Velocity units=km/s", "Velocity", "km/s"),
        ('wtype=linear label="Slit position" units=furlongs', "Slit position", ""),
        ("wtype=linear", "LINEAR", ""),
        ("label = 'It is'", "It is", ""),
        ("=== = label", "LINEAR", ""),
    ],
)
def test_a_linear_axis_has_its_label_and_unit(tmp_path, attributes, name, unit):
    found = axis_of(written(tmp_path, LINEAR | {"WAT1": attributes}))
    assert found[:2] == (name, unit)
    np.testing.assert_allclose(found[2], 4000 + 2.5 * np.arange(LENGTH), rtol=1e-14)


def test_what_the_standard_says_comes_first(tmp_path):
    told = {"CUNIT1": "nm", "CNAME1": "mine"}
    assert axis_of(written(tmp_path, LINEAR | told))[:2] == ("mine", "nm")


def test_pixels_of_a_telescope_give_way(tmp_path):
    assert axis_of(written(tmp_path, LINEAR | {"CUNIT1": "pixel"}))[1] == "Angstrom"


@pytest.mark.parametrize("matrix", [True, False])
def test_a_log_linear_axis(tmp_path, matrix):
    cards = LINEAR | {"DC-FLAG": 1, "CRVAL1": 3.5, "CRPIX1": 3.0, "CDELT1": 1e-4, "CD1_1": 1e-4}
    if not matrix:
        del cards["CD1_1"]
    name, unit, values = axis_of(written(tmp_path, cards))
    assert (name, unit) == ("Wavelength", "Angstrom")
    np.testing.assert_allclose(values, 10 ** (3.5 + 1e-4 * (np.arange(LENGTH) - 2)), rtol=1e-13)


def multispec(*rows: str) -> dict[str, Any]:
    listed = " ".join(f'spec{n} = "{row}"' for n, row in enumerate(rows, 1))
    return {
        "WCSDIM": 2, "CTYPE1": "MULTISPE", "CTYPE2": "MULTISPE", "CD1_1": 1.0, "CD2_2": 1.0,
        "LTM1_1": 1.0, "LTM2_2": 1.0, "WAT0": "system=multispec",
        "WAT1": "wtype=multispec label=Wavelength units=angstroms",
        "WAT2": f"wtype=multispec {listed}",
    }  # fmt: skip


ROW = "{0} {0} {1} {2} {3} {4} {5} 0.98 28.21"


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize(("kind", "start", "step"), [(0, 5537.79, 0.0796), (1, 3.7431, 1.2e-5)])
@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_rows_of_one_dispersion(tmp_path, count, kind, start, step, shift):
    rows = [ROW.format(n, kind, start, step, LENGTH, shift) for n in range(1, count + 1)]
    path = written(tmp_path, multispec(*rows), (count, LENGTH))
    name, unit, values = axis_of(path)
    along = start + step * np.arange(LENGTH)
    expected = (10**along if kind else along) / (1 + shift)
    assert (name, unit) == ("Wavelength", "Angstrom")
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    if count > 1 and not kind:  # another reader of IRAF's convention, which has no log-linear
        collection = pytest.importorskip("specutils").SpectrumCollection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = collection.read(path, format="iraf").spectral_axis[0].value
        np.testing.assert_allclose(values, theirs, rtol=1e-6 if shift else 1e-12)


def test_a_part_of_a_spectrum_counts_in_physical_pixels(tmp_path):
    cards = multispec(ROW.format(1, 0, 5000.0, 2.0, 100, 0.0))
    # Every second pixel from the eleventh: logical = physical / 2 - 4.5
    found = axis_of(written(tmp_path, cards | {"LTM1_1": 0.5, "LTV1": -4.5}, (1, LENGTH)))
    np.testing.assert_allclose(found[2], 5020 + 4.0 * np.arange(LENGTH), rtol=1e-14)


@pytest.mark.parametrize(
    "rows",
    [
        # Chebyshev, Legendre; rows that differ; what nobody can read
        ["1 113 2 4955.4 0.05 256 0. 23.22 31.27 1. 0. 1 4 1. 256. 5000. 5. 1. 0.1"],
        ["1 113 2 4955.4 0.05 256 0. 23.22 31.27 1. 0. 2 4 1. 256. 5000. 5. 1. 0.1"],
        [ROW.format(1, 0, 5000.0, 2.0, 50, 0.0), ROW.format(2, 0, 5100.0, 2.0, 50, 0.0)],
        ["1 1 -1 1 1 50 0 1 2"],
        ["what is this"],
        ["1 1 0 nan inf 50 0. 1 2"],
        ["1 1 0 5000 2 50 -1 1 2"],
        ["1 1 1 5000 2 50 0 1 2"],
        [],
    ],
)
def test_other_functions_stay_in_pixels_and_say_so(tmp_path, rows):
    path = written(tmp_path, multispec(*rows), (max(1, len(rows)), LENGTH))
    name, unit, values = axis_of(path)
    assert (name, unit) == ("pixel", "")
    np.testing.assert_allclose(values, np.arange(1, LENGTH + 1))


def test_axes_on_the_sky_are_left_alone():
    text = "".join(
        card.ljust(80)
        for card in (
            "CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRVAL1  = 10.0", "CRVAL2  = 20.0",
            "WAT0_001= 'system=image'", "WAT1_001= 'wtype=tan axtype=ra label=x units=angstroms'",
        )
    )  # fmt: skip
    assert wcs_cards(text) == text[: 4 * 80]


def test_standard_words_are_read_again_as_they_are(tmp_path):
    path = written(tmp_path, LINEAR | {"DC-FLAG": 1, "CRVAL1": 3.5, "CD1_1": 1e-4})
    text = fits.getheader(path).tostring(sep="", endcard=False, padding=False)
    once = wcs_cards(text)
    assert "LINE-LOG" in once
    assert wcs_cards(once) == once
    # A file with both, as one that was written out again
    both = once + "".join(
        text[i : i + 80] for i in range(0, len(text), 80) if "WAT" in text[i : i + 3]
    )
    assert wcs_cards(both) == once


def test_it_reaches_specutils_xarray_and_programs(tmp_path):
    pytest.importorskip("specutils")
    from skypool.vo.payload import _axis

    with sp.Pool(tmp_path / "pool") as pool:
        product = pool.add(written(tmp_path, LINEAR)).product
        spectrum = product.to_spectrum()
        wanted = 4000 + 2.5 * np.arange(LENGTH)
        np.testing.assert_allclose(spectrum.spectral_axis.to_value("Angstrom"), wanted)
        values, unit = _axis(product["image"], LENGTH)
        np.testing.assert_allclose(values, wanted)
        assert unit == "Angstrom"
        xarray = pytest.importorskip("xarray")
        made = product["image"].to_xarray()
        assert isinstance(made, xarray.DataArray)
        np.testing.assert_allclose(made.coords["wavelength"], wanted)


REAL = {
    "musevlt+mpdaf/data__obj__g9-124Tspec.fits": ("image", 4602.60402868278, 0.630448220641262),
    "musevlt+mpdaf/data__obj__Spectrum_lines.fits": ("DATA", 6550.0, 1.25549590587616),
    "pypi_pydl/pydl__pydlspec2d__tests__t__spPlate-4055-55359-0020.fits": ("image", 3.5529, 1e-4),
}


@pytest.mark.parametrize("file", REAL)
def test_real_files(tmp_path, file):
    if not (DATA / file).is_file():
        pytest.skip("the shared files are not there")
    name, start, step = REAL[file]
    with sp.Pool(tmp_path / "pool") as pool:
        label, unit, values = told_of(pool.add(DATA / file).product[name])
    along = start + step * np.arange(len(values))
    assert (label, unit) == ("Wavelength", "Angstrom")
    np.testing.assert_allclose(values, 10**along if start < 10 else along, rtol=1e-12)
