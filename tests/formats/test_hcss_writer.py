"""Products as FITS files in the convention of HCSS: astropy reads them, we read them equal."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings

import pytest
from astropy.io import fits
from hypothesis import given, settings
from test_writer import check_equal, hostile, read_back

from skypool.formats.fits.hcss_writer import hcss_bytes
from skypool.testing.strategies import products


def without_context(product):
    return product.replace(datasets={"context": None}) if "context" in product else product


def check_standard(data):
    """Astropy reads all units, and fitsverify, where it is installed, finds no error."""
    with warnings.catch_warnings(), fits.open(io.BytesIO(data)) as opened:
        warnings.simplefilter("ignore")
        for hdu in opened:
            _ = hdu.data
            assert all(hdu.header[key] is not None for key in hdu.header if key)


@pytest.fixture(scope="session")
def verified(tmp_path_factory):
    program = shutil.which("fitsverify")
    path = tmp_path_factory.mktemp("fitsverify") / "product.fits"

    def verify(data):
        if program is not None:
            path.write_bytes(data)
            out = subprocess.run([program, str(path)], capture_output=True, text=True).stdout
            assert "and 0 error(s)" in out, out

    return verify


def test_hostile_products_are_readable_and_equal(verified):
    product = hostile()
    data = hcss_bytes(product)
    check_standard(data)
    verified(data)
    back = read_back(data)
    check_equal(product, without_context(back))


@settings(max_examples=60)
@given(product=products())
def test_any_product_is_readable_and_equal(verified, product):
    data = hcss_bytes(product)
    check_standard(data)
    verified(data)
    check_equal(product, read_back(data))
