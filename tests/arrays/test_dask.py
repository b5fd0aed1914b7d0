"""Arrays and columns as dask arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.arrays.conftest import CUBE, IMAGE, ROWS

import skypool as sp
from skypool.codec.chunking import tile_shape
from skypool.model.bridges.chunks import grouped

da = pytest.importorskip("dask.array")


def test_nothing_is_read_before_it_is_computed(pool, monkeypatch):
    array = pool["image"].product["image"]
    read = []
    inner = type(array.source).read
    monkeypatch.setattr(
        type(array.source),
        "read",
        lambda self, index: read.append(index) or inner(self, index),
    )
    lazy = array.to_dask(chunks=(256, 256))
    wanted = (lazy[300:310, 600:700] * 2).sum()
    assert not read
    assert wanted.compute() == pytest.approx(2 * IMAGE[300:310, 600:700].sum(), rel=1e-5)
    sizes = [math.prod(s.stop - s.start for s in index) for index in read]
    assert sum(sizes) <= 256 * 256  # of one tile


def test_chunks_are_whole_tiles(pool):
    array = pool["image"].product["image"]
    assert array.tile == (256, 256)
    assert array.to_dask().chunks == ((600,), (800,))
    for chunks in ("300 KiB", "auto", (256, 512), -1):
        for lengths in array.to_dask(chunks).chunks:
            assert all(length % 256 == 0 for length in lengths[:-1])
    assert da.asarray(array).chunks == array.to_dask().chunks
    column = pool["events"].product["events"]["energy"]
    assert all(length % 32768 == 0 for length in column.to_dask("200 KiB").chunks[0][:-1])


@settings(max_examples=40)
@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=4), st.sampled_from((1, 2, 4, 8, 16)))
def test_parts_are_multiples_of_tiles_of_some_size(shape, itemsize):
    shape = tuple(shape)
    tile = tile_shape(shape, itemsize)
    part = grouped(shape, tile, itemsize)
    assert all(p % t == 0 or p == n for p, t, n in zip(part, tile, shape, strict=True))
    size = math.prod(part) * itemsize
    assert size <= 128 * 1024**2
    if math.prod(shape) * itemsize > 64 * 1024**2:
        assert size >= 2 * 1024**2


def test_computations_agree_with_numpy(pool):
    cube = pool["cube"].product["image"]
    lazy = cube.to_dask()
    for computed, expected in (
        (lazy.mean(axis=0), CUBE.mean(axis=0)),
        (da.nanmax(lazy), np.nanmax(CUBE)),
        (lazy[::-3, 5:50:7, -1], CUBE[::-3, 5:50:7, -1]),
        (lazy[[3, 1, 60]][:, 7], CUBE[[3, 1, 60]][:, 7]),
        (lazy[5, 5, 5], CUBE[5, 5, 5]),
        (lazy[None, 3, ..., 2], CUBE[None, 3, ..., 2]),
        (lazy[:0].sum(), 0),
    ):
        assert np.allclose(computed.compute(), expected, equal_nan=True, atol=1e-5)
    assert da.nanmean(cube).compute() == pytest.approx(np.nanmean(CUBE), abs=1e-5)


def test_arrays_and_dask_arrays_compute_together(pool):
    cube = pool["cube"].product["image"]
    lazy = cube.to_dask()
    for made in (lazy + cube, cube + lazy, cube * lazy, np.add(cube, lazy), lazy - cube):
        assert isinstance(made, da.Array)
    assert np.array_equal((cube + lazy).compute(), CUBE + CUBE, equal_nan=True)
    assert isinstance(np.concatenate([cube, lazy]), da.Array)


def test_masked_columns(pool):
    events = pool["events"].product["events"]
    lazy = events["n"].to_dask()
    assert isinstance(lazy[:100].compute(), np.ma.MaskedArray)
    assert lazy[:8].compute().mask.tolist() == [True, *[False] * 6, True]
    assert events["energy"].to_dask().max().compute() == events["energy"].max()
    assert events["xyz"].to_dask().shape == (ROWS, 3)
    assert events["name"].to_dask()[5:7].compute().tolist() == ["s5", "s6"]


def test_names_are_made_of_content(tmp_path, pool):
    image = pool["image"].product["image"]
    assert image.to_dask().name == pool["image"].product["image"].to_dask().name
    assert image.to_dask().name != image.to_dask((256, 256)).name
    assert image.to_dask().name != pool["image"].product["error"].to_dask().name
    with sp.Pool(tmp_path / "other") as other:
        copied = other.save(sp.Product(datasets={"x": IMAGE}), name="x").product["x"]
        assert copied.to_dask().name == image.to_dask().name
        assert sp.Array(IMAGE).to_dask().name != copied.to_dask().name
    assert sp.Array(IMAGE).to_dask().name == sp.Array(IMAGE.copy()).to_dask().name
    events = pool["events"].product["events"]
    names = {events[name].to_dask().name for name in events.colnames}
    names |= {events[:5]["time"].to_dask().name, events[:6]["time"].to_dask().name}
    assert len(names) == len(events.colnames) + 2


def test_other_processes_compute(pool):
    cube = pool["cube"].product["image"]
    found = cube.to_dask((70, 32, 64)).mean(axis=0).compute(scheduler="processes", num_workers=2)
    assert np.allclose(found, CUBE.mean(axis=0), equal_nan=True, atol=1e-5)


@pytest.mark.campaign
def test_a_cluster_computes(pool):
    distributed = pytest.importorskip("distributed")
    events = pool["events"].product["events"].where("energy > 8000")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as at,
        distributed.Client(at),
    ):
        assert events["energy"].to_dask().max().compute() == events["energy"].max()


def test_graphs_travel_as_distributed_sends_them(pool):
    protocol = pytest.importorskip("distributed.protocol")
    lazy = pool["image"].product["image"].to_dask((256, 256))
    frames = protocol.serialize(lazy)
    back = protocol.deserialize(*frames)
    assert sum(memoryview(frame).nbytes for frame in frames[1]) < 20000
    assert np.array_equal(back.compute(), IMAGE, equal_nan=True)
