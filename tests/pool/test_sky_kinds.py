"""Coverage of what is no plain image: distorted images, cubes, tables, HEALPix and MOC files."""

import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

import skypool as sp


def names(pool, query, **values):
    return [ref.name for ref in pool.find(query, **values)]


def write_with_lookup_tables(path):
    """Write an image as Hubble's cameras have them: pixels moved by tables in other HDUs."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10, 20], [20, 30], [-0.001, 0.001]
    header = wcs.to_header()
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.ones((50, 40), "f4"), header, name="SCI")]
    for n, moved in ((1, 2.0), (2, -1.5)):
        hdus[1].header[f"CPDIS{n}"] = "LOOKUP"
        for value in (f"EXTVER: {n}.0", "NAXES: 2.0", "AXIS.1: 1.0", "AXIS.2: 2.0"):
            hdus[1].header.append((f"DP{n}", value))
        table = fits.ImageHDU(np.full((5, 4), moved, "f4"), name="WCSDVARR", ver=n)
        for axis, step in ((1, 13), (2, 12)):
            table.header[f"CRPIX{axis}"] = table.header[f"CRVAL{axis}"] = 1
            table.header[f"CDELT{axis}"] = step
        hdus.append(table)
    fits.HDUList(hdus).writeto(path)


@pytest.mark.parametrize("in_place", [False, True])
def test_distortions_from_tables(tmp_path, in_place):
    path = tmp_path / "hst.fits"
    write_with_lookup_tables(path)
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(hdus["SCI"].header, hdus)
        assert wcs.cpdis1 is not None
        inside = wcs.pixel_to_world([-0.4, 39.4, 39.4], [-0.4, -0.4, 49.4])
        outside = wcs.pixel_to_world([-0.6, 39.6, 20.0], [10.0, 10.0, 49.6])
    pool = sp.Pool(tmp_path / "pool")
    pool.add(path, in_place=in_place)
    for place in inside:
        assert names(pool, "covers($p) and footprint_covers($p)", p=place) == ["hst.fits"]
    for place in outside:
        assert names(pool, "covers($p) or footprint_covers($p)", p=place) == []
    image = pool["hst.fits"].product["SCI"]
    assert image.wcs.cpdis1 is not None
    assert image.cutout((20, 20), 5).shape == (5, 5)


def test_distortions_that_do_not_fit_their_header(tmp_path):
    """The file is added all the same, and is nowhere on the sky."""
    write_with_lookup_tables(tmp_path / "hst.fits")
    with fits.open(tmp_path / "hst.fits", mode="update") as hdus:
        del hdus["SCI"].header["DP2"]
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(tmp_path / "hst.fits")
        assert ref.product["SCI"][:].shape == (50, 40)
        assert ref.product["SCI"].wcs is None
        assert names(pool, "footprint_covers(10, 20)") == []


def test_cubes_whatever_the_order_of_their_axes(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    orders = [("RA---TAN", "DEC--TAN", "WAVE"), ("WAVE", "RA---TAN", "DEC--TAN"),
              ("DEC--TAN", "WAVE", "RA---TAN")]  # fmt: skip
    places = {}
    for number, order in enumerate(orders):
        wcs = WCS(naxis=3)
        wcs.wcs.ctype = list(order)
        value = {"RA---TAN": (10.0 * number, -0.01, 8), "DEC--TAN": (5.0, 0.01, 6),
                 "WAVE": (1e-6, 1e-8, 4)}  # fmt: skip
        wcs.wcs.crval = [value[axis][0] for axis in order]
        wcs.wcs.cdelt = [value[axis][1] for axis in order]
        wcs.wcs.crpix = [1.0] * 3
        data = np.full(tuple(value[axis][2] for axis in reversed(order)), np.nan)
        at = {"RA---TAN": 7, "DEC--TAN": 2, "WAVE": 3}
        data[tuple(at[axis] for axis in reversed(order))] = 1.0
        pool.save(sp.Product(datasets={"cube": sp.Array(data, wcs=wcs)}), name=f"cube{number}")
        flat = wcs.celestial
        xy = (7, 2) if flat.wcs.lng == 0 else (2, 7)
        places[f"cube{number}"] = (
            flat.pixel_to_world(*xy),
            flat.pixel_to_world(*(n - 1 for n in xy)),
        )
    for name, (seen, blank) in places.items():
        assert names(pool, "covers($p)", p=seen) == [name]
        assert names(pool, "covers($p)", p=blank) == []
        assert names(pool, "footprint_covers($p)", p=blank) == [name]


def test_mosaics_are_the_union_of_their_extensions(tmp_path):
    hdus = [fits.PrimaryHDU()]
    for number in range(3):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval, wcs.wcs.crpix = [50.0 + number, 0.0], [5.5, 5.5]
        wcs.wcs.cdelt = [-0.01, 0.01]
        hdus.append(fits.ImageHDU(np.ones((10, 10), "i2"), wcs.to_header(), f"CCD{number}"))
    fits.HDUList(hdus).writeto(tmp_path / "mosaic.fits")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tmp_path / "mosaic.fits")
    for ra, there in ((50, True), (51, True), (52.04, True), (50.5, False), (52.06, False)):
        assert bool(pool.find(f"covers({ra}, 0.02)")) is there
    middle = SkyCoord(51, 0, unit="deg")
    assert names(pool, "within($m, '1 arcsec')", m=middle) == ["mosaic.fits"]
