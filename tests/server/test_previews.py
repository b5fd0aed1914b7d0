"""Small pictures: their values against numpy's, and what is read for them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import UsageError
from skypool.model.arrays import MemoryArray
from skypool.server.previews import (
    BUDGET,
    COLOUR_MAPS,
    STRETCHES,
    colour_map,
    colours,
    limits,
    preview,
    stretched,
)


def block_means(image, step):
    """The same the slow way."""
    rows = range(0, image.shape[0], step)
    columns = range(0, image.shape[1], step)
    found = np.full((len(rows), len(columns)), np.nan)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            block = image[y : y + step, x : x + step].astype(float)
            block = block[np.isfinite(block)]
            if block.size:
                found[i, j] = block.mean()
    return found


class Spy:
    """An array source that says what was read."""

    def __init__(self, data, tile=None, statistics=None):
        self._inner = MemoryArray(data)
        self.shape, self.dtype = data.shape, data.dtype
        self.statistics = statistics
        self.stored = None
        if tile is not None:
            self.tile = tile
        self.reads = []

    def read(self, index):
        self.reads.append(index)
        return self._inner.read(index)

    @property
    def bytes_read(self):
        return (
            sum(
                math.prod(len(range(*s.indices(n))) for s, n in zip(index, self.shape, strict=True))
                for index in self.reads
            )
            * np.dtype(self.dtype).itemsize
        )

    @property
    def tiles_read(self):
        found = []
        for index in self.reads:
            assert all(s.step == 1 for s in index)
            ranges = [
                range(s.start // t, -(-s.stop // t)) for s, t in zip(index, self.tile, strict=True)
            ]
            found += [
                tuple(place)
                for place in np.stack(np.meshgrid(*ranges), -1).reshape(-1, len(ranges)).tolist()
            ]
        return found


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    tile=st.one_of(st.none(), st.tuples(st.integers(1, 20), st.integers(1, 20))),
    dtype=st.sampled_from(["f4", "f8", "i2", "u1", "?"]),
    seed=st.integers(0, 1000),
)
def test_every_value_is_the_mean_of_a_block(height, width, size, tile, dtype, seed):
    rng = np.random.default_rng(seed)
    image = (rng.normal(0, 50, (height, width))).astype(dtype)
    if image.dtype.kind == "f":
        image[rng.random(image.shape) < 0.2] = np.nan
        image[rng.random(image.shape) < 0.05] = np.inf
        image[: height // 3] = np.nan
    source = Spy(image, tile)
    found = preview(sp.Array(source), size)
    step = found.step[0]
    assert found.step == (step, step)
    assert found.values.shape == (-(-height // step), -(-width // step))
    assert found.values.shape[0] <= size[0] and found.values.shape[1] <= size[1]
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, block_means(image, step), rtol=1e-5, atol=1e-4)
    assert found.read == 1
    assert found.finite == pytest.approx(np.isfinite(found.values).mean())


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    share=st.integers(1, 40),
)
def test_rows_within_the_budget_leave_no_block_empty(height, width, size, share):
    image = np.arange(height * width, dtype=np.float32).reshape(height, width)
    source = Spy(image)
    found = preview(sp.Array(source), size, budget=max(1, image.nbytes // share))
    assert np.isfinite(found.values).all()
    assert found.read == pytest.approx(source.bytes_read / image.nbytes)
    step = found.step[0]
    low = block_means(-np.maximum.reduceat(-image, range(0, height, step), axis=0), 1)
    assert found.values.shape == (low.shape[0], -(-width // step))
    # Each value is a mean of pixels of its own block.
    for (i, j), value in np.ndenumerate(found.values):
        block = image[i * step : (i + 1) * step, j * step : (j + 1) * step]
        assert block.min() <= value <= block.max()


def test_a_large_array_of_rows_keeps_to_the_budget():
    image = np.zeros((6000, 5000), np.float32)
    source = Spy(image)
    found = preview(sp.Array(source), (256, 256), budget=8 * 1024**2)
    assert source.bytes_read <= 8 * 1024**2
    assert found.values.shape == (250, 209)


def test_stored_tiles_are_read_once_and_whole():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(1000, 700)).astype("f4")
    source = Spy(image, (256, 256))
    found = preview(sp.Array(source), (64, 64))
    assert sorted(source.tiles_read) == [(y, x) for y in range(4) for x in range(3)]
    np.testing.assert_allclose(found.values, block_means(image, 16), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("budget", [16, 40, 63])
def test_tiles_beyond_the_budget_are_read_on_a_lattice(budget):
    image = np.add.outer(np.arange(800.0), np.arange(800.0))
    image[300:340, 300:340] = 1e6
    source = Spy(image, (100, 100))
    found = preview(sp.Array(source), (200, 200), budget=budget * 100 * 100 * 8)
    read = source.tiles_read
    assert len(set(read)) == len(read) <= budget
    assert found.values.size == len(read)
    assert 0 < found.read < 1
    assert np.isfinite(found.values).all()
    for row, column in read:
        cell = row * 100 // found.step[0], column * 100 // found.step[1]
        mean = image[row * 100 : row * 100 + 100, column * 100 : column * 100 + 100].mean()
        assert found.values[cell] == pytest.approx(mean, rel=1e-6)


class Known:
    def __init__(self, counts):
        self.counts = np.array(counts)
        self.minima = self.maxima = np.zeros(len(counts))


def test_tiles_without_values_are_not_read():
    image = np.full((40, 40), np.nan, np.float32)
    image[10:20, 20:30] = 5
    counts = [[100 if n == 6 else 0, 0 if n == 6 else 100, 0, 0] for n in range(16)]
    source = Spy(image, (10, 10), Known(counts))
    found = preview(sp.Array(source), (8, 8), budget=2 * 400)
    assert source.tiles_read == [(1, 2)]
    assert found.read == 1
    np.testing.assert_array_equal(np.isfinite(found.values).nonzero()[0], [2, 2, 3, 3])


def test_what_is_read_of_a_pool(tmp_path):
    rng = np.random.default_rng(2)
    image = rng.normal(size=(2048, 2048)).astype("f4")
    image[:512] = np.nan
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(datasets={"image": image}), name="a")
    with sp.Pool(tmp_path / "pool") as pool:
        array = pool["a"].product["image"]
        fetched = []
        inner = array.source._fetch
        array.source._fetch = lambda digest: fetched.append(len(inner(digest))) or inner(digest)
        exact = preview(array)
        tiles = [size for size in fetched if size == 256 * 256 * 4]
        assert len(tiles) == 48  # 64, less the 16 that have no values
        np.testing.assert_allclose(exact.values, block_means(image, 8), rtol=1e-4, atol=1e-5)
        assert exact.finite == 0.75
        fetched.clear()
        coarse = preview(array, budget=2 * 1024**2)
        assert sum(fetched) <= 2 * 1024**2 + 64 * 1024  # and the list of the tiles
        assert coarse.read < 0.2
        assert coarse.values.size >= 4


def test_planes_of_cubes():
    cube = np.arange(5 * 4 * 6.0).reshape(5, 4, 6)
    for tile in (None, (2, 2, 2)):
        array = sp.Array(Spy(cube, tile))
        np.testing.assert_array_equal(preview(array).values, cube[2])
        np.testing.assert_array_equal(preview(array, plane=4).values, cube[4])
        assert preview(array, plane=(0,)).plane == (0,)
    for wrong in (5, -1, (1, 1)):
        with pytest.raises(UsageError, match="no plane"):
            preview(cube, plane=wrong)
    with pytest.raises(UsageError, match="no plane"):
        preview(cube[0], plane=0)


def test_other_shapes_and_types():
    assert preview(np.arange(1000.0), (1, 100)).values.shape == (1, 100)
    assert preview(np.zeros((0, 5))).values.shape == (0, 0)
    assert preview(np.zeros((3, 0, 5))).values.shape == (0, 0)
    np.testing.assert_array_equal(preview(np.array([[3 + 4j]])).values, [[5]])
    for strange in (np.array(3.0), np.array([["a"]])):
        with pytest.raises(UsageError, match="no picture"):
            preview(strange)


def test_values_that_overflow_single_precision():
    image = np.full((64, 64), 3e38, np.float32)
    np.testing.assert_allclose(preview(image, (8, 8)).values, 3e38, rtol=1e-6)


def test_limits():
    assert limits(np.array([np.nan, np.inf])) == (0, 1)
    low, high = limits(np.append(np.arange(1001.0), np.nan))
    assert (low, high) == (5, 995)
    assert preview(np.full((3, 3), 7.0)).low == 7


# -- colours


@pytest.mark.parametrize("name", list(STRETCHES))
def test_stretches_grow_from_0_to_1(name):
    values = np.array([-5, 0, 1, 2, 3, 10, 50, 99, 100, 200, np.inf, -np.inf, np.nan])
    found = stretched(values, 0, 100, name)
    assert found.dtype == np.float32
    assert np.isnan(found[-1]) and np.isfinite(found[:-1]).all()
    assert found[0] == found[1] == found[-2] == 0
    assert found[8] == found[9] == found[-3] == 1
    assert (np.diff(found[1:9]) > 0).all()


def test_stretches_of_odd_limits():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(stretched([1.0, np.nan], 1, 1), [0.5, np.nan])
        assert stretched([0.0], -1.7e308, 1.7e308, "linear") == 0.5
        assert stretched(np.full(3, np.nan), 0, 1, "histogram").shape == (3,)
        assert stretched([2.0, 2.0], 0, 4, "histogram").tolist() == [0.5, 0.5]
    with pytest.raises(UsageError, match="no stretch 'cubic'"):
        stretched([1.0], 0, 1, "cubic")


def test_a_histogram_gives_each_colour_equally_often():
    values = np.random.default_rng(3).lognormal(size=10_000)
    counts, _ = np.histogram(stretched(values, values.min(), values.max(), "histogram"), 10, (0, 1))
    assert counts.min() >= 990


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps(name):
    table = colour_map(name)
    assert table.shape == (256, 3) and table.dtype == np.uint8
    assert len(np.unique(table, axis=0)) > 200
    np.testing.assert_array_equal(colour_map(f"{name}_r"), table[::-1])
    # No jumps, which would draw edges where there are none.
    assert np.abs(np.diff(table.astype(int), axis=0)).max() <= 7


@pytest.mark.parametrize("name", ["viridis", "inferno", "cividis", "coolwarm"])
def test_colour_maps_are_those_of_that_name(name):
    colormaps = pytest.importorskip("matplotlib").colormaps
    wanted = colormaps[name](np.arange(256))[:, :3] * 255
    assert np.abs(colour_map(name) - wanted).max() < 12


def test_colours():
    found = colours(np.array([[0, 1], [np.nan, 2]], np.float32))
    np.testing.assert_array_equal(
        found, [[[0, 0, 0, 255], [255, 255, 255, 255]], [[0, 0, 0, 0], [255, 255, 255, 255]]]
    )
    with pytest.raises(UsageError, match="no colour map 'jet'"):
        colours([0.5], "jet")
    picture = preview(np.arange(16.0).reshape(4, 4)).rgba("linear", "gray")
    assert picture.shape == (4, 4, 4) and picture[0, 0, 0] < picture[3, 3, 0]
    assert BUDGET == 4096 * 4096 * 4
