"""Arrays: reading, statistics, units, world coordinates, cutouts."""

import math
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, Cutout2D, NDData, NoOverlapError
from astropy.wcs import WCS, Sip
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.codec.chunking import tile_shape as tile_shape_of_pools
from skypool.codec.statistics import Statistics
from skypool.errors import InvalidProduct, UsageError
from skypool.model.arrays import MemoryArray
from skypool.model.reductions import tile_shape, tiles
from skypool.model.wcs import wcs_cards
from skypool.testing.strategies import array_values, wcs

INDEX = st.one_of(
    st.integers(-6, 6), st.slices(6), st.just(Ellipsis), st.none(), st.just([0]), st.just([True])
)


class Counting(MemoryArray):
    """An array that counts the values read."""

    def __init__(self, data, statistics=None):
        super().__init__(data)
        self.values_read = 0
        self.statistics = statistics

    def read(self, index):
        found = super().read(index)
        self.values_read += found.size
        return found


def with_statistics(data):
    parts = [data[place] for place in tiles(data.shape, tile_shape(data.shape, data.itemsize))]
    return Counting(data, Statistics.of(parts))


@given(array_values(), st.one_of(INDEX, st.tuples(INDEX, INDEX), st.tuples(INDEX, INDEX, INDEX)))
def test_indices_mean_what_numpy_means(data, index):
    array = sp.Array(data)
    try:
        expected = data[index]
    except (IndexError, ValueError):
        with pytest.raises((IndexError, ValueError)):
            array[index]
        return
    found = array[index]
    assert np.shape(found) == np.shape(expected)
    assert np.array_equal(found, expected, equal_nan=data.dtype.kind in "fc")
    assert np.asarray(found).dtype == data.dtype


def test_only_what_is_asked_for_is_read():
    source = Counting(np.zeros((1000, 1000)))
    array = sp.Array(source)
    assert array[10:42, 10:42].shape == (32, 32)
    assert array[5, 5] == 0
    assert array[::100, -1].shape == (10,)
    assert source.values_read == 32 * 32 + 1 + 10
    assert (array.shape, array.ndim, array.size, array.nbytes) == (
        (1000, 1000), 2, 10**6, 8 * 10**6,
    )  # fmt: skip
    assert source.values_read < 2000


def test_arrays_handed_out_are_read_only():
    data = np.zeros((3, 3))
    array = sp.Array(data)
    data[0, 0] = 7
    assert array[0, 0] == 0
    for view in (array[...], array[0], np.asarray(array), np.asarray(array, "f4")):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    mine = np.array(array)
    mine[0] = 1
    assert array.max() == 0
    with pytest.raises(TypeError, match="copy"):
        array[0, 0] = 1
    with pytest.raises(AttributeError):
        array.unit = "Jy"
    kept = sp.Array(data, copy=False)
    assert np.shares_memory(np.asarray(kept), data)
    with pytest.raises(ValueError, match="need a copy"):
        np.asarray(array, dtype="f4", copy=False)


def test_types():
    assert sp.Array(np.arange(3, dtype=">i2")).dtype == np.dtype("int16")
    assert sp.Array([1.5, 2]).dtype == np.dtype("float64")
    assert sp.Array(True).shape == ()
    for dtype in ("f2", np.longdouble, np.clongdouble, "U3", object, "M8[s]", "f4,i4"):
        bad = np.zeros(2, dtype)
        with pytest.raises(InvalidProduct, match=r"cannot be kept; \w+"):
            sp.Array(bad)
    with pytest.raises(InvalidProduct, match="no unit"):
        sp.Array([1], unit=5)


def test_units():
    assert sp.Array([1], "Jy/pixel").unit == u.Jy / u.pix
    assert sp.Array([1], u.Jy).unit_text == "Jy"
    assert sp.Array([1]).unit is None
    assert sp.Array([1], "furlongs per fortnight").unit == "furlongs per fortnight"
    assert sp.Array([1], u.dimensionless_unscaled).unit == u.dimensionless_unscaled
    assert sp.Array([1, 2] * u.km).unit == u.km
    assert sp.Array([1], "Å").unit == u.AA
    assert np.array_equal(sp.Array([1, 2], "km").to_quantity(), [1, 2] * u.km)
    with pytest.raises(UsageError):
        sp.Array([1], "parrots").to_quantity()


def naive(data, name):
    values = data.reshape(-1)
    values = values[~np.isnan(values)] if data.dtype.kind in "fc" else values
    if name == "count":
        return values.size
    if name in ("any", "all"):
        return bool(getattr(values, name)())
    if name == "sum":
        return values.astype("f8").sum()
    if not values.size:
        return math.nan
    if name in ("max", "min"):
        return getattr(values, name)()
    return getattr(np, name)(values.astype("f8"))


REDUCTIONS = ("max", "min", "count", "any", "all", "sum", "mean", "std", "median")


@given(array_values(max_dims=3), st.booleans())
def test_statistics_agree_with_numpy(data, known):
    array = sp.Array(with_statistics(data) if known and data.dtype.kind != "c" and data.size
                     else data)  # fmt: skip
    for name in REDUCTIONS:
        if data.dtype.kind == "c":
            if name in ("max", "min", "std", "median"):
                with pytest.raises(TypeError):
                    getattr(array, name)()
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            expected = naive(data, name)
        found = getattr(array, name)()
        assert type(found) in (bool, int, float)
        if name in ("max", "min", "count", "any", "all"):
            assert found == expected or (math.isnan(found) and math.isnan(expected))
        elif np.isfinite(expected) and abs(expected) < 1e150:
            scale = float(np.nanmax(np.abs(data[np.isfinite(data)].astype("f8")), initial=1e-300))
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-7 * scale)


def test_statistics_spare_the_pixels():
    data = np.random.default_rng(1).normal(5, 1, (600, 600)).astype("f4")
    data[:300] = np.nan
    source = with_statistics(data)
    array = sp.Array(source)
    assert array.max() == np.nanmax(data)
    assert array.min() == np.nanmin(data)
    assert array.count() == 300 * 600
    assert array.any()
    assert source.values_read == 0
    assert array.mean() == pytest.approx(np.nanmean(data.astype("f8")))
    assert source.values_read == data.size


def test_sums_do_not_depend_on_the_place():
    data = np.random.default_rng(2).normal(size=(700, 500)).astype("f4")
    transposed = sp.Array(np.asfortranarray(data), copy=False)
    for name in ("sum", "mean", "std"):
        assert getattr(sp.Array(data), name)() == getattr(transposed, name)()


@given(st.lists(st.integers(0, 3000), max_size=5), st.sampled_from((1, 2, 4, 8, 16)))
def test_tiles_are_those_of_pools(shape, itemsize):
    found = tile_shape(tuple(shape), itemsize)
    assert [min(a, b) for a, b in zip(found, shape, strict=True)] == list(
        tile_shape_of_pools(shape, itemsize)
    )


def test_truth_and_length():
    with pytest.raises(ValueError, match="any"):
        bool(sp.Array([1, 2]))
    assert bool(sp.Array(1))
    with pytest.raises(TypeError):
        len(sp.Array(1))
    assert len(sp.Array([[1], [2]])) == 2
    assert [list(row) for row in sp.Array([[1], [2]])] == [[1], [2]]


@given(st.integers(1, 4).flatmap(wcs))
def test_world_coordinates_survive(given_wcs):
    array = sp.Array(np.zeros((4,) * given_wcs.naxis), wcs=given_wcs)
    pixel = [np.array([1.0, 2.5])] * given_wcs.naxis
    original, back = given_wcs.deepcopy(), array.wcs
    original.wcs.set()
    assert np.allclose(
        original.wcs_pix2world(*pixel, 0), back.wcs_pix2world(*pixel, 0), rtol=1e-14, atol=0,
        equal_nan=True,
    )  # fmt: skip
    assert list(back.wcs.ctype) == list(original.wcs.ctype)
    assert list(back.wcs.cunit) == list(original.wcs.cunit)
    assert np.array_equal(back.wcs.crval, original.wcs.crval)
    assert back.pixel_shape == (4,) * given_wcs.naxis
    assert sp.Array(np.zeros(1), wcs=array.wcs_header).wcs_header == array.wcs_header


def test_sip_terms_survive_exactly():
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    made.wcs.crval = [10.1234567890123456, 20.1]
    made.wcs.cd = [[-1e-4 / 3, 1e-9 / 7], [1e-9, 1e-4 / 3]]
    terms = np.zeros((3, 3))
    terms[2, 0] = 1e-5 / 3
    made.sip = Sip(terms, terms / 7, None, None, [1, 1])
    back = sp.Array(np.zeros((5, 5)), wcs=made).wcs
    assert np.array_equal(back.sip.a, made.sip.a)
    assert np.array_equal(back.sip.b, made.sip.b)


def test_world_coordinates_are_copies():
    made = WCS(naxis=1)
    made.wcs.ctype = ["WAVE"]
    made.wcs.cunit = ["um"]
    made.wcs.crval = [70]
    array = sp.Array(np.zeros(5), wcs=made)
    array.wcs.wcs.crval = [5]
    made.wcs.crval = [6]
    assert array.wcs.wcs.crval[0] == pytest.approx(70e-6)
    assert str(array.wcs.wcs.cunit[0]) == "m"
    assert sp.Array([1]).wcs is None
    assert sp.Array([1], wcs="").wcs is None


def test_world_coordinates_of_other_sorts_are_refused():
    with pytest.raises(InvalidProduct, match="wcs"):
        sp.Array([1], wcs=object())
    made = WCS(naxis=2)
    from astropy.wcs import DistortionLookupTable

    table = DistortionLookupTable(np.zeros((2, 2), "f4"), (1, 1), (1, 1), (1, 1))
    made.cpdis1 = table
    with pytest.raises(InvalidProduct, match="tables"):
        sp.Array(np.zeros((2, 2)), wcs=made)


def test_headers_of_files_give_their_wcs():
    header = fits.Header()
    header["CTYPE1"], header["CRVAL1"], header["OBJECT"] = "WAVE", 5.0, "M 83"
    header["A_0_2"], header["CUNIT1"] = 3.0, "m"
    text = header.tostring(sep="", endcard=True)
    calls = []

    def lazy():
        calls.append(1)
        return text

    array = sp.Array(np.zeros(3), wcs=lazy)
    assert calls == []
    assert array.wcs.wcs.crval[0] == 5
    assert array.wcs.wcs.ctype[0] == "WAVE"
    assert "OBJECT" not in array.wcs_header
    assert calls == [1]
    assert wcs_cards(fits.Header({"OBJECT": "x"}).tostring()) == ""
    broken = sp.Array(np.zeros(3), wcs="CTYPE1  = 'RA---TAN'".ljust(80))
    assert broken.wcs is None or broken.wcs.naxis


def celestial():
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [201.365, -43.019]
    made.wcs.crpix = [400, 300]
    made.wcs.cdelt = [-1 / 3600, 1 / 3600]
    made.wcs.pc = [[0.8, -0.6], [0.6, 0.8]]
    return made


@pytest.mark.parametrize("size", [32, (20, 30), 30 * u.arcsec, (10 * u.pixel, 1 * u.arcmin)])
@pytest.mark.parametrize("position", ["sky", (400, 300), (2, 3), (798.2, 599)])
def test_cutouts_are_those_of_astropy(position, size):
    data = np.arange(600 * 800, dtype="f4").reshape(600, 800)
    sky = SkyCoord(201.37, -43.02, unit="deg") if position == "sky" else position
    source = Counting(data)
    array = sp.Array(source, "Jy", celestial())
    found = array.cutout(sky, size)
    expected = Cutout2D(data, sky, size, wcs=celestial(), mode="trim")
    assert np.array_equal(found, expected.data)
    assert found.unit == u.Jy
    assert source.values_read == expected.data.size
    corner = found.wcs.pixel_to_world_values(1, 2)
    assert np.allclose(corner, expected.wcs.pixel_to_world_values(1, 2), rtol=1e-12)


def test_cutouts_of_cubes_keep_all_planes():
    made = WCS(naxis=3)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN", "FREQ"]
    made.wcs.crval = [10, 20, 1e9]
    made.wcs.crpix = [5, 5, 1]
    made.wcs.cdelt = [-0.01, 0.01, 1e6]
    array = sp.Array(np.arange(4000.0).reshape(40, 10, 10), "Jy", made)
    found = array.cutout(SkyCoord(10, 20, unit="deg"), 3)
    assert found.shape == (40, 3, 3)
    assert np.array_equal(found, np.asarray(array)[:, 3:6, 3:6])
    assert np.allclose(
        found.wcs.pixel_to_world_values(0, 0, 7), array.wcs.pixel_to_world_values(3, 3, 7)
    )
    assert sp.Array(np.zeros((5, 9, 9))).cutout((4, 4), 3).shape == (5, 3, 3)


def test_cutouts_that_cannot_be():
    array = sp.Array(np.zeros((50, 50)), wcs=celestial())
    with pytest.raises(NoOverlapError):
        array.cutout((500, 500), 5)
    with pytest.raises(NoOverlapError):
        array.cutout(SkyCoord(21, 43, unit="deg"), 5)
    with pytest.raises(UsageError, match="celestial"):
        sp.Array(np.zeros((5, 5))).cutout(SkyCoord(21, 43, unit="deg"), 5)
    with pytest.raises(UsageError, match="angle"):
        sp.Array(np.zeros((5, 5))).cutout((2, 2), 5 * u.deg)
    with pytest.raises(UsageError, match="image"):
        sp.Array(np.zeros(5)).cutout((2, 2), 5)


def test_nddata():
    array = sp.Array(np.ones((2, 2)), "adu", celestial(), {"FILTER": "R"})
    for made, kind in ((array.to_nddata(), NDData), (array.to_ccddata(), CCDData)):
        assert isinstance(made, kind)
        assert made.unit == u.adu
        assert made.meta["FILTER"] == "R"
        made.data[0, 0] = 5
    assert array.max() == 1
    again = sp.Array(array.to_ccddata())
    assert again.unit == u.adu
    assert again.wcs_header == array.wcs_header
    with pytest.raises(UsageError, match="no unit"):
        sp.Array([1]).to_ccddata()
    assert str(sp.Array([1], "parrots").to_nddata().unit) == "parrots"


def test_repr_reads_nothing():
    source = Counting(np.zeros((3, 3), "f4"))
    assert repr(sp.Array(source, "Jy")) == "Array(shape=(3, 3), dtype=float32, unit='Jy')"
    assert source.values_read == 0
