"""Spectra of specutils, cubes of spectral-cube, images of astropy.nddata for photutils."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty
from astropy.table import Table, vstack
from tests.arrays.conftest import CUBE, IMAGE, celestial, spectral, spectrum

import skypool as sp
from skypool.errors import UsageError

specutils = pytest.importorskip("specutils")


def test_a_table_is_a_spectrum(pool):
    made = pool["spectrum"].product.to_spectrum()
    table = spectrum()
    assert isinstance(made, specutils.Spectrum)
    assert np.array_equal(made.flux, table["FLUX"][:] * u.Jy)
    assert np.array_equal(made.spectral_axis.to_value(u.um), table["WAVE"][:])
    assert isinstance(made.uncertainty, StdDevUncertainty)
    assert np.array_equal(made.uncertainty.array, table["ERROR"][:])
    assert np.array_equal(made.mask, table["mask"][:])


def test_columns_are_found_by_name_and_by_ucd():
    axis, flux = [1.0, 2.0, 3.0] * u.GHz, [5.0, 6.0, 7.0] * u.K
    made = sp.Table({"Frequency": axis, "intensity": flux, "ivar": [1.0, 2.0, 3.0]}).to_spectrum()
    assert isinstance(made.uncertainty, InverseVariance)
    assert made.spectral_axis.unit == u.GHz
    with pytest.raises(UsageError, match="none is the spectral axis"):
        sp.Table({"a": [1.0], "flux": [2.0]}).to_spectrum()
    with pytest.raises(UsageError, match="no unit"):
        sp.Table({"wave": [1.0], "flux": [2.0]}).to_spectrum()
    with pytest.raises(UsageError, match="no spectrum"):
        sp.Product(datasets={"image": np.zeros((2, 2))}).to_spectrum()


def test_an_array_is_a_spectrum(pool):
    product = pool["cube"].product
    made = product.to_spectrum("spectrum")
    assert np.array_equal(made.flux.value, CUBE[:, 5, 5])
    assert made.flux.unit == u.K
    assert made.spectral_axis[3].to_value(u.Hz) == pytest.approx(1e11 + 3e6)
    assert product.to_spectrum().shape == (70,)
    cube = product.to_spectrum("image")
    assert cube.shape == CUBE.shape
    assert np.array_equal(cube.mask, CUBE > 2)
    with pytest.raises(UsageError, match="no axis"):
        sp.Array(np.zeros(3)).to_spectrum()


def test_lists_of_spectra(pool):
    assert len(pool["cube"].product.to_spectra()) == 1
    wave = np.tile(np.linspace(1, 2, 5), (3, 1)) * u.um
    flux = np.arange(15.0).reshape(3, 5) * u.Jy
    product = sp.Product(datasets={"orders": sp.Table({"wave": wave, "flux": flux})})
    found = product.to_spectra()
    assert isinstance(found, specutils.SpectrumList)
    assert [list(one.flux.value) for one in found] == flux.value.tolist()
    with pytest.raises(UsageError, match="to_spectra"):
        product.to_spectrum()


def test_a_cube(pool):
    cubes = pytest.importorskip("skypool.model.optional").package("spectral_cube", extra="spectra")
    made = pool["cube"].product.to_spectral_cube()
    assert isinstance(made, cubes.DaskSpectralCube)
    assert made.shape == CUBE.shape
    assert made.unit == u.K
    shown = np.where(CUBE > 2, np.nan, CUBE)
    assert np.allclose(made.filled_data[:].value, shown, equal_nan=True)
    assert made.spectral_axis[5].to_value(u.Hz) == pytest.approx(1e11 + 5e6)
    assert np.allclose(made[:, 7, 9].value, CUBE[:, 7, 9])
    plain = pool["cube"].product["image"].to_spectral_cube()
    assert np.allclose(plain.sum(axis=0)[9, 7].value, CUBE[:, 9, 7].sum(), rtol=1e-4)
    sky = plain.world[0, 9, 7]
    ra, dec = spectral().celestial.pixel_to_world_values(7, 9)
    assert (sky[2].value, sky[1].value) == pytest.approx((float(ra), float(dec)))


def test_a_cube_of_a_file_is_the_one_of_spectral_cube(tmp_path):
    """Values, units, axes and the beam, without which Jy/beam are no temperatures."""
    cubes = pytest.importorskip("spectral_cube")
    header = spectral().to_header()
    header.update({"BUNIT": "Jy/beam", "BMAJ": 0.02, "BMIN": 0.01, "BPA": 30.0, "RESTFRQ": 1e11})
    fits.PrimaryHDU(CUBE, header).writeto(tmp_path / "cube.fits")
    theirs = cubes.SpectralCube.read(tmp_path / "cube.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        ours = pool.add(tmp_path / "cube.fits").product.to_spectral_cube()
        assert ours.beam == theirs.beam
        assert ours.unit == theirs.unit == u.Unit("Jy/beam")
        assert np.array_equal(ours.spectral_axis, theirs.spectral_axis)
        assert list(ours.world[0, 7, 9]) == list(theirs.world[0, 7, 9])
        mine, others = ours.filled_data[:].value, theirs.filled_data[:].value
        assert np.array_equal(mine, others, equal_nan=True)
        mine, others = ours[5].to(u.K).value, theirs[5].to(u.K).value
        assert np.allclose(mine, others, equal_nan=True)


def test_a_cube_with_a_beam_for_each_channel(tmp_path):
    """As CASA writes them; rows in any order, those of other Stokes parameters left out."""
    cubes = pytest.importorskip("spectral_cube")
    header = spectral().to_header()
    header.update({"BUNIT": "Jy/beam", "CASAMBM": True, "RESTFRQ": 1e11})
    channels = np.arange(70)
    columns = [
        fits.Column("BMAJ", "E", "arcsec", array=3 + channels / 10),
        fits.Column("BMIN", "E", "arcsec", array=2 + channels / 10),
        fits.Column("BPA", "E", "deg", array=channels),
        fits.Column("CHAN", "J", array=channels),
        fits.Column("POL", "J", array=0 * channels),
    ]
    beams = fits.BinTableHDU.from_columns(columns, name="BEAMS")
    beams.header["NCHAN"], beams.header["NPOL"] = 70, 1
    fits.HDUList([fits.PrimaryHDU(CUBE, header), beams]).writeto(tmp_path / "cube.fits")
    theirs = cubes.SpectralCube.read(tmp_path / "cube.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        product = pool.add(tmp_path / "cube.fits").product
        ours = product.to_spectral_cube()
        assert isinstance(ours, cubes.DaskVaryingResolutionSpectralCube)
        assert (ours.beams == theirs.beams).all()
        assert np.allclose(ours[5].to(u.K).value, theirs[5].to(u.K).value, equal_nan=True)
        table = product["BEAMS"].to_astropy()[::-1]
        table = vstack([table, Table(table, copy=True)])
        table["POL"][:70] = 1
        table["BMAJ"][:70] = 99
        mixed = product.replace(datasets={"BEAMS": table}).to_spectral_cube()
        assert (mixed.beams == theirs.beams).all()
        table.remove_row(75)
        assert not hasattr(product.replace(datasets={"BEAMS": table}).to_spectral_cube(), "beams")


def test_the_beam_of_aips(tmp_path):
    cubes = pytest.importorskip("spectral_cube")
    header = spectral().to_header()
    header["BUNIT"] = "JY/BEAM"
    header.add_history("AIPS   CLEAN BMAJ=  2.3752E-03 BMIN=  7.7554E-04 BPA=  60.19")
    fits.PrimaryHDU(CUBE, header).writeto(tmp_path / "cube.fits")
    with sp.Pool(tmp_path / "pool") as pool:
        ours = pool.add(tmp_path / "cube.fits").product.to_spectral_cube()
        assert ours.beam == cubes.SpectralCube.read(tmp_path / "cube.fits").beam
        assert ours.beam.pa == 60.19 * u.deg


def test_rows_of_a_catalogue_are_no_spectrum():
    stars = sp.Table({"wavelength": [3.0, 1.0, np.nan] * u.um, "flux": [1.0, 2.0, 3.0] * u.Jy})
    with pytest.raises(UsageError, match="'wavelength' neither rises nor falls"):
        stars.to_spectrum()
    product = sp.Product(datasets={"stars": stars, "lines": spectrum()})
    assert len(product.to_spectra()) == 1
    assert product.to_spectrum().shape == (200,)


def test_units_as_older_programs_write_them():
    pytest.importorskip("spectral_cube")
    image = sp.Array(CUBE, "JY/BEAM", spectral())
    assert image.unit_text == "JY/BEAM"
    assert image.to_quantity().unit == image.to_ccddata().unit == u.Jy / u.beam
    assert image.to_spectral_cube().unit == u.Jy / u.beam
    for text, unit in {
        "COUNTS/S": u.ct / u.s,
        "Electrons": u.electron,
        "METERS": u.m,
        "KM/S": u.km / u.s,
        "10**(-6)counts/s": 1e-6 * u.ct / u.s,
    }.items():
        assert sp.Array([1.0], text).unit == unit
    # MJy or mJy; (Jy/beam) km/s, which would be read as Jy/(beam km s).
    for text in ("MJY", "JY/BEAM.KM/S", "JY/BEAM*KM/S", "JY/BEAM KM/S", "bool"):
        assert sp.Array([1.0], text).unit == text


def test_units_that_nobody_knows_stay_with_the_data():
    array = sp.Array(IMAGE, "Jy/blob", celestial())
    for made in (array.to_nddata(), array.to_ccddata()):
        assert isinstance(made.unit, u.UnrecognizedUnit)
        assert str(made.unit) == "Jy/blob"
    both = sp.Product(datasets={"image": array, "error": array}).to_ccddata()
    assert str(both.uncertainty.unit) == str(both.unit)
    with pytest.raises(UsageError, match="Jy/blob"):
        sp.Product(datasets={"image": array, "variance": array}).to_nddata()
    assert sp.Product(datasets={"image": array}).to_nddata().data.shape == IMAGE.shape
    with pytest.raises(UsageError, match=r"Jy/blob.*\n.*to_nddata"):
        array.to_quantity()


def test_what_is_no_array_is_no_nddata():
    product = sp.Product(datasets={"table": sp.Table({"a": [1.0]})})
    for become in (product.to_nddata, product.to_ccddata):
        with pytest.raises(UsageError, match="'table' is no array, but a Table"):
            become("table")


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_cubes_with_axes_in_any_order(order):
    pytest.importorskip("spectral_cube")
    wcs = spectral().sub([3 - axis for axis in reversed(order)])
    made = sp.Array(CUBE.transpose(order), "K", wcs).to_spectral_cube()
    assert made.shape == CUBE.shape
    assert np.allclose(made[:, 7, 9].value, CUBE[:, 7, 9])
    ra, dec = spectral().celestial.pixel_to_world_values(9, 7)
    found = made.world[0, 7, 9]
    assert (found[2].value, found[1].value) == pytest.approx((float(ra), float(dec)))


def test_cubes_with_one_stokes_parameter():
    pytest.importorskip("spectral_cube")
    wcs = spectral().sub([1, 2, 3, 0])
    wcs.wcs.ctype = [*spectral().wcs.ctype, "STOKES"]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = (
        [*spectral().wcs.crval, 1], [*spectral().wcs.cdelt, 1], [*spectral().wcs.crpix, 1],
    )  # fmt: skip
    made = sp.Array(CUBE[None], "K", wcs).to_spectral_cube()
    assert made.shape == CUBE.shape
    both = sp.Array(np.stack([CUBE, -CUBE]), "K", wcs)
    with pytest.raises(UsageError, match=r"Stokes parameters I, Q\nchoose one.*stokes='I'"):
        both.to_spectral_cube()
    with pytest.raises(UsageError, match="I, Q, not V"):
        both.to_spectral_cube(stokes="V")
    chosen = sp.Product(datasets={"image": both, "mask": np.stack([CUBE < 9, CUBE > 2])})
    assert np.allclose(both.to_spectral_cube(stokes="q")[:, 7, 9].value, -CUBE[:, 7, 9])
    shown = chosen.to_spectral_cube(stokes="Q").filled_data[:].value
    assert np.allclose(shown, np.where(CUBE > 2, np.nan, -CUBE), equal_nan=True)
    wcs.wcs.ctype = [*spectral().wcs.ctype, ""]
    with pytest.raises(UsageError, match="2 planes"):
        sp.Array(np.zeros((2, *CUBE.shape)), "K", wcs).to_spectral_cube()
    with pytest.raises(UsageError, match="two celestial axes"):
        sp.Array(IMAGE, "K", celestial()).to_spectral_cube()
    with pytest.raises(UsageError, match="no cube"):
        sp.Product(datasets={"image": IMAGE}).to_spectral_cube()


def test_photutils_takes_what_it_is_given(pool):
    aperture = pytest.importorskip("photutils.aperture")
    made = pool["image"].product.to_ccddata()
    circle = aperture.CircularAperture((500, 400), r=3)
    found = aperture.aperture_photometry(made, circle)
    assert found["aperture_sum"].unit == u.Jy / u.beam
    # What errors add up to is photutils' choice, and changed with its version 3.
    plain = aperture.aperture_photometry(made.data, circle, error=np.full(made.shape, 0.5))
    assert found["aperture_sum_err"][0].value == pytest.approx(plain["aperture_sum_err"][0])
    direct = aperture.aperture_photometry(pool["image"].product["image"], circle)
    assert direct["aperture_sum"][0] == pytest.approx(found["aperture_sum"][0].value)


def test_slices_of_a_lazy_nddata_read_their_part(pool, monkeypatch):
    product = pool["image"].product
    source = type(product["image"].source)
    read, inner = [], source.read
    monkeypatch.setattr(source, "read", lambda s, index: read.append(index) or inner(s, index))
    made = product.to_nddata("image", lazy=True)
    assert not read
    part = made[100:110, 290:310]
    assert len(read) == 3
    assert all(index == (slice(100, 110, 1), slice(290, 310, 1)) for index in read)
    assert np.array_equal(part.data, IMAGE[100:110, 290:310], equal_nan=True)
    assert np.array_equal(part.mask, np.isnan(IMAGE[100:110, 290:310]))
    assert (part.uncertainty.array == 0.5).all()
    assert part.add(part).unit == u.Jy / u.beam
    assert part.meta["FILTER"] == "R"
    assert part.wcs.pixel_to_world(0, 0).ra.deg == pytest.approx(
        float(celestial().pixel_to_world_values(290, 100)[0])
    )
