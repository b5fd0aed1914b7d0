"""Products in xarray: names and coordinates of axes, lazy reading, the engine."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.arrays.conftest import CUBE, IMAGE, ROWS, celestial, spectral

import skypool as sp
from skypool.errors import MissingName, NotFound, PoolNotFound, UsageError
from skypool.model.bridges.axes import axes_of
from skypool.pool.reopening import close_pools

xr = pytest.importorskip("xarray")


def wcs_of(*kinds):
    made = WCS(naxis=len(kinds))
    made.wcs.ctype = kinds
    made.wcs.cdelt = [0.01] * len(kinds)
    return made


def test_names_of_axes():
    assert axes_of((5, 6), None).names == ("y", "x")
    assert axes_of((5,), None).names == ("x",)
    assert axes_of((2, 3, 4, 5), None).names == ("axis3", "z", "y", "x")
    assert axes_of((5, 6), wcs_of("RA---TAN", "DEC--TAN")).names == ("y", "x")
    assert axes_of((5, 6), wcs_of("GLON-CAR", "GLAT-CAR")).sky.keys() == {"glon", "glat"}
    assert axes_of((5, 6), wcs_of("TLON-CAR", "TLAT-CAR")).sky.keys() == {"lon", "lat"}
    cube = axes_of((4, 1, 5, 6), wcs_of("RA---SIN", "DEC--SIN", "STOKES", "FREQ"))
    assert cube.names == ("freq", "stokes", "y", "x")
    assert cube.along.keys() == {"freq", "stokes"}
    assert axes_of((5, 6), wcs_of("WAVE", "SLIT")).names == ("slit", "wave")
    assert axes_of((5, 6), wcs_of("", "")).names == ("y", "x")
    assert axes_of((5, 6), wcs_of("LINEAR", "LINEAR")).names == ("linear1", "linear")
    assert axes_of((5,), wcs_of("RA---TAN", "DEC--TAN")).names == ("x",)


def test_an_image(pool):
    image = pool["image"].product["image"]
    made = image.to_xarray("map")
    assert isinstance(made, xr.DataArray)
    assert (made.name, made.dims, made.shape, made.dtype) == ("map", ("y", "x"), (600, 800), "f4")
    assert made.attrs == {"FILTER": "R", "units": "Jy/beam", "long_name": "a map"}
    assert np.array_equal(made, IMAGE, equal_nan=True)
    ra, dec = celestial().pixel_to_world_values(700, 50)
    assert made.ra[50, 700].item() == pytest.approx(ra, abs=1e-12)
    assert made.dec[50, 700].item() == pytest.approx(dec, abs=1e-12)
    assert made.ra.attrs == {"units": "deg", "frame": "ICRS"}
    assert made.encoding["preferred_chunks"] == {"y": 256, "x": 256}
    assert not image.to_xarray(coordinates=False).coords


def test_a_cube_is_selected_by_its_coordinates(pool):
    data = pool["cube"].product.to_xarray()
    assert data.image.dims == data["mask"].dims == ("freq", "y", "x")
    assert data.spectrum.dims == ("spectrum_freq",)
    assert data.attrs["obsid"] == 5
    one = data.image.sel(freq=1e11 + 7.2e6, method="nearest")
    assert np.array_equal(one, CUBE[7], equal_nan=True)
    some = data.image.sel(freq=slice(1e11 + 2e6, 1e11 + 4e6))
    assert some.shape == (3, 60, 80)
    shown = data.image.where(~data["mask"])[:, 1:]
    means = shown.mean("freq")
    expected = np.nanmean(np.where(CUBE > 2, np.nan, CUBE)[:, 1:], axis=0)
    assert np.allclose(means, expected, atol=1e-5)
    assert means.ra.dims == ("y", "x")


@settings(max_examples=40)
@given(st.data())
def test_any_selection_means_what_xarray_means(data):
    check_selection(data)


@pytest.mark.campaign
@given(st.data())
def test_any_selection_at_length(data):
    check_selection(data)


def check_selection(data):
    values = np.arange(7 * 8 * 9).reshape(7, 8, 9)
    ours, theirs = sp.Array(values).to_xarray(), xr.DataArray(values, dims=("z", "y", "x"))
    selection = {}
    for dim, length in theirs.sizes.items():
        place = st.integers(-length, length - 1)
        sort = data.draw(st.sampled_from(["all", "one", "slice", "list", "points"]))
        if sort == "one":
            selection[dim] = data.draw(place)
        elif sort == "slice":
            selection[dim] = data.draw(st.slices(length))
        elif sort == "list":
            selection[dim] = data.draw(st.lists(place, max_size=4))
        elif sort == "points":
            selection[dim] = xr.DataArray(
                data.draw(st.lists(place, min_size=3, max_size=3)), dims="p"
            )
    assert theirs.isel(selection).identical(ours.isel(selection).drop_vars(ours.coords))


def test_only_what_is_looked_at_is_read(pool, monkeypatch):
    image = pool["image"].product["image"]
    read = []
    inner = type(image.source).read
    monkeypatch.setattr(
        type(image.source), "read", lambda s, index: read.append(index) or inner(s, index)
    )
    data = pool["image"].product.to_xarray()
    repr(data)
    part = data.image[100:110, 200:220]
    assert not read
    part.load()
    assert read == [(slice(100, 110, 1), slice(200, 220, 1))]


def test_who_writes_writes_into_a_copy(pool):
    data = pool["image"].product.to_xarray()
    data.image[0, 0] = 7
    assert data.image[0, 0] == 7
    assert np.isnan(pool["image"].product["image"][0, 0])


def test_chunks_and_what_other_processes_get(pool):
    pytest.importorskip("dask.array")
    data = pool["cube"].product.to_xarray().chunk({"y": 30})
    assert data.image.chunks == ((70,), (30, 30), (80,))
    mean = pickle.loads(pickle.dumps(data.image.mean("freq"))).compute()
    assert np.allclose(mean, CUBE.mean(axis=0), equal_nan=True, atol=1e-5)
    assert np.array_equal(pickle.loads(pickle.dumps(data)).image, CUBE, equal_nan=True)
    values = pickle.loads(pickle.dumps(pool["image"].product.to_xarray()))
    assert np.array_equal(values.image, IMAGE, equal_nan=True)
    assert np.array_equal(values.ra[3:5], pool["image"].product.to_xarray().ra[3:5])


def test_tables(pool):
    data = pool["events"].product.to_xarray("events")
    assert dict(data.sizes) == {"row": ROWS, "xyz_1": 3}
    assert data.attrs["OBJECT"] == "M 83"
    assert data.energy.attrs["units"] == "eV"
    assert np.array_equal(data.n[:8], [np.nan, *range(1, 7), np.nan], equal_nan=True)
    assert data.name[101].item() == "s1"
    assert (data.energy > 8000).sum() == (pool["events"].product["events"]["energy"] > 8000).sum()
    assert pool["spectrum"].product.to_xarray()["FLUX"].shape == (200,)
    assert pool["nested"].product.to_xarray("inner").image.shape == (300, 300)


def test_what_xarray_cannot_hold(pool, tmp_path):
    with pytest.raises(UsageError, match="events, empty"):
        pool["events"].product.to_xarray()
    with pytest.raises(UsageError, match="is an array"):
        pool["image"].product.to_xarray("image")
    with pytest.raises(MissingName):
        pool["image"].product.to_xarray("imagee")
    missing = sp.Table({"n": np.ma.MaskedArray([1, 2], [0, 1])})
    assert missing.to_xarray().n.dtype == np.float64
    large = sp.Table({"n": np.ma.MaskedArray([2**60 + 1, 2], [0, 1])})
    with pytest.raises(UsageError, match="too large"):
        large.to_xarray().load()
    whole = AstropyTable({"n": [2**60 + 1, 2]})
    whole.write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update") as file:
        file[1].header["TNULL1"] = -1
    with sp.Pool(tmp_path / "pool") as made:
        found = made.add(tmp_path / "a.fits").product.to_xarray()
        assert found.n.dtype == np.int64 and found.n[0] == 2**60 + 1


def test_whole_numbers_that_a_text_table_lacks(tmp_path):
    """Nothing but their count tells that some are missing."""
    table = AstropyTable({"n": np.ma.MaskedArray([1, 2, 3], [0, 1, 0], "i2"), "m": [1, 2, 3]})
    table.write(tmp_path / "a.ecsv")
    with sp.Pool(tmp_path / "pool") as pool:
        found = pool.add(tmp_path / "a.ecsv").product.to_xarray().load()
        assert (found.n.dtype, found.m.dtype) == (np.float64, np.int64)
        assert np.array_equal(found.n, [1, np.nan, 3], equal_nan=True)


def test_the_engine_opens_addresses(folder, pool):
    for address, options in (
        (f"skypool://{folder}/cube", {}),
        (f"{folder}/cube", {"engine": "skypool"}),
        (pool["cube"], {}),
        (pool["cube"].product, {}),
        (f"skypool://{folder}/cube@0", {"at": 1}),
    ):
        with xr.open_dataset(address, **options) as data:
            assert np.array_equal(data.image[5], CUBE[5], equal_nan=True)
            assert data.freq.size == 70
            assert data.xindexes.keys() == {"freq", "spectrum_freq"}
    with xr.open_dataset(f"skypool://{folder}/events", group="events") as data:
        assert data.sizes["row"] == ROWS
    with xr.open_dataset(f"skypool://{folder}/cube", drop_variables=["mask"]) as data:
        assert set(data) == {"image", "spectrum"}


def test_the_engine_opens_named_pools(monkeypatch, folder):
    monkeypatch.setenv("SKYPOOL_HOME", str(folder.parent))
    with xr.open_dataset("skypool://pool/nested", group="inner") as data:
        assert data.image.shape == (300, 300)
    for address, error in (
        ("skypool://pol/nested", PoolNotFound),
        ("skypool://pool", UsageError),
        (f"skypool://{folder.parent}/nowhere/x", NotFound),
        ("skypool://pool/nothing", NotFound),
    ):
        with pytest.raises(error):
            xr.open_dataset(address)


def test_two_versions_of_an_address_are_not_taken_for_one(tmp_path):
    pytest.importorskip("dask.array")
    address = f"skypool://{tmp_path}/pool/m"
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(datasets={"image": np.full((6, 7), 2.0)}), name="m")
        with xr.open_dataset(address, chunks={}) as old:
            pool.save(sp.Product(datasets={"image": np.full((6, 7), 9.0)}), name="m")
            with xr.open_dataset(address, chunks={}) as new:
                assert (new - old).image.mean() == 7


def test_preferred_chunks_are_whole_tiles(folder):
    pytest.importorskip("dask.array")
    with xr.open_dataset(f"skypool://{folder}/image", chunks={}) as data:
        assert data.image.chunks == ((256, 256, 88), (256, 256, 256, 32))
        assert data.ra.chunks is not None
    with xr.open_dataset(f"skypool://{folder}/image", chunks={"y": -1, "x": 512}) as data:
        assert data.image.chunks == ((600,), (512, 288))
    with xr.open_dataset(f"skypool://{folder}/image", chunks="auto") as data:
        assert data.image.chunks == ((600,), (800,))


def test_coordinates_of_turned_axes():
    made = spectral().sub([2, 1, 3])
    data = sp.Array(CUBE.transpose(0, 2, 1), wcs=made).to_xarray()
    assert "freq" in data.coords, data
    ra, dec = spectral().celestial.pixel_to_world_values(7, 9)
    assert data.dims == ("freq", "y", "x")
    assert data.ra.dims == ("y", "x")
    assert (data.ra[7, 9].item(), data.dec[7, 9].item()) == pytest.approx((float(ra), float(dec)))


def test_a_tree_has_all_groups(folder, pool):
    image = np.arange(12.0).reshape(3, 4)
    product = sp.Product(datasets={
        "image": image,
        "inner": {"image": image[:2], "events": sp.Table({"a": [1, 2]}), "deep": {"image": image}},
    })  # fmt: skip
    with xr.open_datatree(product, engine="skypool") as tree:
        assert set(tree.groups) == {"/", "/inner", "/inner/events", "/inner/deep"}
        assert tree["inner/image"].dims == ("image_y", "image_x")
        assert np.array_equal(tree["/inner/image"], image[:2])
        assert tree["/inner/events/a"].values.tolist() == [1, 2]
        assert np.array_equal(tree["/inner/deep/image"], image)
    with xr.open_datatree(f"skypool://{folder}/nested") as tree:
        assert tree["inner/events/energy"].shape == (10,)
    assert set(xr.open_groups(pool["events"], engine="skypool")) == {"/", "/events", "/empty"}


def test_names_of_axes_are_no_names_of_datasets():
    wave = sp.Array(np.arange(3.0), "K", spectral().sub([3]))
    made = sp.Product(datasets={"freq": wave, "x": np.ones((2, 3)), "y": np.ones(3)}).to_xarray()
    assert made.freq.dims == ("freq_freq",)
    assert made.x.dims == ("x_y", "x_x")
    assert made.y.shape == (3,)
    table = sp.Table({"row": [[1, 2], [3, 4]], "b": [1, 2]}).to_xarray()
    assert table.row.dims == ("table_row", "row_1")


def test_what_the_engine_opened_goes_to_other_processes(folder):
    """As `open_mfdataset(parallel=True)` needs it with the workers of distributed."""
    try:
        for options in ({}, {"chunks": {}}):
            with xr.open_dataset(f"skypool://{folder}/cube", **options) as opened:
                back = pickle.loads(pickle.dumps(opened))
                close = pickle.loads(pickle.dumps(opened._close))
            assert np.array_equal(back.image, CUBE, equal_nan=True)
            assert back.ra.shape == (60, 80) and float(back.ra[3, 3]) == pytest.approx(10)
            close()  # nothing is there that could be closed
            back.close()
    finally:
        close_pools()


def test_addresses_are_those_of_fsspec_too(folder):
    for inner in ("image.fits", "@versions/image.fits/image@0.fits", "nested.fits"):
        with xr.open_dataset(
            f"skypool://{folder}/{inner}", group="inner" if "nes" in inner else None
        ) as found:
            assert "image" in found
    for inner in ("image.fit", "@versions", "@nowhere/image"):
        with pytest.raises(NotFound, match=inner):
            xr.open_dataset(f"skypool://{folder}/{inner}")
