"""Datasets, products and refs in other processes: as places, not as values."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from tests.arrays.conftest import CUBE, IMAGE, ROWS, celestial

import skypool as sp
from skypool.errors import NotFound, PoolNotFound
from skypool.model.arrays import MemoryArray
from skypool.pool import reopening


def again(value):
    return pickle.loads(pickle.dumps(value))


def test_datasets_are_pickled_as_places(pool):
    image = pool["image"].product["image"]
    assert len(pickle.dumps(image.source)) < 600
    assert len(pickle.dumps(image)) < 4000
    back = again(image)
    assert np.array_equal(back, IMAGE, equal_nan=True)
    assert (back.unit, back.meta["FILTER"].value, back.description) == (image.unit, "R", "a map")
    assert back.wcs_header == image.wcs_header
    assert back.max() == image.max()
    nested = pool["nested"].product
    assert np.array_equal(again(nested["inner"]["image"]), IMAGE[:300, :300], equal_nan=True)
    assert again(nested["inner"])["events"]["name"][3] == "s3"


def test_tables_rows_and_columns(pool):
    events = pool["events"].product["events"]
    assert len(pickle.dumps(events)) < 4000
    assert np.array_equal(again(events)["energy"], events["energy"])
    some = events.where("energy > 8990")
    assert 0 < len(some) < ROWS / 100
    assert np.array_equal(again(some)["time"], some["time"])
    assert again(events["n"])[:8].mask.tolist() == [True, *[False] * 6, True]


def test_refs_and_products(pool):
    ref = pool["cube"]
    assert again(ref) == ref
    assert again(ref).product["image"].shape == CUBE.shape
    product = again(ref.product)
    assert np.array_equal(product["image"], CUBE, equal_nan=True)
    assert product.meta["obsid"].value == 5
    assert again(pool.at(1)["cube"]).view.pinned == 1


def test_what_is_in_memory_is_pickled_itself():
    array = sp.Array(IMAGE, "Jy", celestial())
    assert np.array_equal(again(array), IMAGE, equal_nan=True)
    assert again(array).wcs_header == array.wcs_header
    assert again(sp.Table({"a": [1, 2]}))["a"][:].tolist() == [1, 2]
    assert copy.deepcopy(array)[5, 5] is not None


def test_copies_are_the_same_source(pool):
    array = pool["image"].product["image"]
    assert copy.deepcopy(array).source is array.source
    assert copy.copy(array).source is array.source
    ref = pool["image"]
    assert copy.deepcopy(ref).view is ref.view
    assert copy.deepcopy(ref.product)["image"].source.place is not None


def test_files_that_a_format_reads(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4))
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["values"] = np.arange(12.0).reshape(3, 4)
    try:
        with sp.Pool(tmp_path / "pool") as pool:
            array = pool.add(tmp_path / "a.h5").product["values"]
            assert array.source.stored is None
            assert np.array_equal(again(array), np.arange(12.0).reshape(3, 4))
    finally:
        reopening.close_pools()


def test_another_process_reads_them(pool, tmp_path):
    file = tmp_path / "array.pickle"
    file.write_bytes(pickle.dumps([pool["image"].product["image"], pool["image"]]))
    program = (
        "import pickle, sys; array, ref = pickle.load(open(sys.argv[1], 'rb'));"
        "print(array[200, 300], ref.name, array.unit)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [str(IMAGE[200, 300]), "image", "Jy", "/", "beam"]


def test_another_pool_in_its_place_is_an_error(tmp_path):
    try:
        with sp.Pool(tmp_path / "pool") as pool:
            array = pool.save(sp.Product(datasets={"a": np.arange(4)}), name="a").product["a"]
            pickled = pickle.dumps(array)
        shutil.rmtree(tmp_path / "pool")
        with pytest.raises(PoolNotFound):
            pickle.loads(pickled)
        with sp.Pool(tmp_path / "pool") as pool:
            pool.save(sp.Product(datasets={"a": np.arange(5)}), name="a")
        with pytest.raises(NotFound, match="another"):
            pickle.loads(pickled)
    finally:
        reopening.close_pools()


def test_values_of_no_pool_and_no_memory_are_refused():
    class Elsewhere(MemoryArray):
        def __reduce__(self):
            raise pickle.PicklingError("no place")

    with pytest.raises(pickle.PicklingError, match="no place"):
        pickle.dumps(sp.Array(Elsewhere(np.zeros(3))))


def test_images_in_compressed_tiles(tmp_path):
    values = np.arange(6000, dtype="i2").reshape(60, 100)
    fits.CompImageHDU(values, compression_type="RICE_1").writeto(tmp_path / "a.fits.fz")
    try:
        with sp.Pool(tmp_path / "pool") as pool:
            product = pool.add(tmp_path / "a.fits.fz").product
            (array,) = product.datasets.values()
            assert array.source.stored is None
            back = again(array)
            assert np.array_equal(back, values)
            assert back.to_dask().name == array.to_dask().name
            assert np.array_equal(again(array.to_dask()).compute(scheduler="sync"), values)
    finally:
        reopening.close_pools()
