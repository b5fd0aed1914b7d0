"""Gnomonic images against astropy."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from skypool.sky.tangent import tangent
from skypool.sky.vectors import position, vector

ANGLES = st.floats(0, 6.3)
DEGREES = st.floats(-180, 400)
LATITUDES = st.floats(-89.99, 89.99) | st.sampled_from([0.0, 89.9999, -89.9999])


def cards(**values):
    header = fits.Header()
    for key, value in values.items():
        header[key.replace("__", "-")] = value
    return header.tostring(sep="", endcard=False, padding=False)


@st.composite
def headers(draw):
    scale = draw(st.floats(1e-5, 0.02))
    angle = draw(ANGLES)
    squeeze = draw(st.floats(0.5, 2.0))
    wcs = WCS(naxis=2)
    kinds = draw(st.sampled_from([["RA---TAN", "DEC--TAN"], ["GLON-TAN", "GLAT-TAN"]]))
    centre = [draw(DEGREES), draw(LATITUDES)]
    swapped = draw(st.booleans())
    wcs.wcs.ctype = kinds[::-1] if swapped else kinds
    wcs.wcs.crval = centre[::-1] if swapped else centre
    wcs.wcs.crpix = [draw(st.floats(-500, 1500)), draw(st.floats(-500, 1500))]
    turned = [[-np.cos(angle), np.sin(angle) * squeeze], [np.sin(angle), np.cos(angle) * squeeze]]
    wcs.wcs.cd = scale * np.array(turned)
    if kinds[0].startswith("RA"):
        wcs.wcs.radesys = draw(st.sampled_from(["ICRS", "FK5"]))
    return wcs.to_header().tostring(sep="", endcard=False, padding=False)


@given(headers(), st.floats(-500, 1500), st.floats(-500, 1500))
def test_pixels_and_directions_are_those_of_astropy(header, x, y):
    found = tangent(header)
    assert found is not None
    truth = WCS(fits.Header.fromstring(header))
    at = truth.pixel_to_world(x, y).icrs
    pixel = found.pixel(vector(at.ra.deg, at.dec.deg))
    assert pixel == pytest.approx((x, y), abs=1e-5)
    ra, dec = position(found.direction(x, y))
    assert SkyCoord(ra * u.deg, dec * u.deg).separation(at).arcsec < 1e-5


BASE = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0,
    "CRPIX1": 50.0, "CRPIX2": 50.0, "CDELT1": -0.01, "CDELT2": 0.01,
}  # fmt: skip


def test_the_other_half_of_the_sky_has_no_pixel():
    found = tangent(cards(**BASE))
    assert found.pixel(vector(10.0, 20.0)) == pytest.approx((49.0, 49.0))
    assert found.pixel(vector(190.0, -20.0)) is None
    assert found.pixel(vector(190.0, 20.0)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"},
        {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-5},
        {"A_ORDER": 2, "A_2_0": 1e-5},
        {"PV1_1": 1.01},
        {"CROTA2": 30.0},
        {"LONPOLE": 90.0},
        {"RADESYS": "FK4"},
        {"EQUINOX": 1950.0},
        {"RADESYS": "FK5", "EQUINOX": 1975.0},
        {"CRVAL2": 90.0},
        {"CDELT1": 0.0},
        {"CUNIT1": "arcsec"},
        {"CTYPE2": "RA---TAN"},
        {"CPDIS1": "LOOKUP"},
        {"CD1_1": 0.01, "PC1_1": 1.0},
        {"CRVAL1": "10"},
    ],
)
def test_whatever_is_unusual_is_left_to_astropy(more):
    assert tangent(cards(**{**BASE, **more})) is None


def test_a_keyword_that_stands_there_twice_is_left_to_astropy():
    assert tangent(cards(**BASE)) is not None
    assert tangent(cards(**BASE) + cards(CRVAL1=11.0)) is None


def test_a_header_without_equinox_is_icrs_and_one_with_is_fk5():
    one = tangent(cards(**BASE)).pixel(vector(10.0, 20.0))
    two = tangent(cards(**BASE, EQUINOX=2000.0)).pixel(vector(10.0, 20.0))
    at = SkyCoord(10.0, 20.0, unit="deg", frame="icrs")
    truth = WCS(fits.Header.fromstring(cards(**BASE, EQUINOX=2000.0))).world_to_pixel(at)
    assert one != two
    assert two == pytest.approx([float(v) for v in truth], abs=1e-9)
