"""Tiles: pixels at level 0, means of blocks above, of arrays of every sort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import NotFound, UsageError
from skypool.server import data_tiles
from skypool.server.block_means import BlockMeans, means_of
from skypool.server.data_sources import Shown, ShownData
from skypool.server.data_tiles import Scaling, levels, scaling_of, tile

from .seen import Spy, shown_of


def means(plane: Any, step: int) -> Any:
    """Return the means of the finite pixels of blocks, the plain way."""
    height, width = plane.shape
    found = np.full((-(-height // step), -(-width // step)), np.nan)
    for row, column in np.ndindex(found.shape):
        block = plane[row * step : (row + 1) * step, column * step : (column + 1) * step]
        block = (np.abs(block) if block.dtype.kind == "c" else block).astype(float)
        finite = block[np.isfinite(block)]
        if finite.size:
            found[row, column] = finite.mean()
    return found


def whole(shown: Shown, plane: int, level: int) -> Any:
    """Put a level together from its tiles."""
    height, width = levels(*shown.size)[level]["shape"]
    found = np.full((height, width), -1, np.float32)
    for row in range(-(-height // 256)):
        for column in range(-(-width // 256)):
            part = tile(shown, plane, level, row, column)
            top, left = row * 256, column * 256
            found[top : top + part.shape[0], left : left + part.shape[1]] = part
    return found


def check(shown: Shown, data: Any) -> None:
    planes = data.reshape(-1, *(1, *data.shape)[-2:])
    for plane in {0, len(planes) // 2, len(planes) - 1}:
        known = planes[plane]
        pixels = np.abs(known) if known.dtype.kind == "c" else known
        np.testing.assert_array_equal(whole(shown, plane, 0), pixels.astype(np.float32))
        for each in levels(*shown.size)[1:]:
            found = whole(shown, plane, each["level"])
            assert list(found.shape) == each["shape"]
            expected = means(known, each["step"])
            scale = float(np.nanmax(np.abs(expected), initial=1e-30))
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6 * scale)


SHAPES = [(700, 530), (1, 3000), (3000, 1), (300, 257), (4, 300, 260), (2, 3, 40, 270), (600,)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_levels_are_means_of_blocks(shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = rng.normal(10, 3, shape).astype(np.float32)
    data[rng.random(shape) < 0.1] = np.nan
    data[..., : shape[-1] // 3] = np.nan
    data.flat[5] = np.inf
    check(shown_of(tmp_path, data), data)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "u8", "f8", "c8", "?", ">f4", ">i2"])
def test_values_of_every_type(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    data = (rng.random((300, 300)) * 100).astype(dtype)
    if data.dtype.kind == "c":
        data = data * (1 + 2j)
    check(shown_of(tmp_path, data), data)


def test_scaled_integers_of_a_file_with_blanks(tmp_path: Path) -> None:
    raw = np.arange(300 * 300, dtype=np.int16).reshape(300, 300) % 1000
    raw[10:20] = -999
    hdu = fits.PrimaryHDU(raw)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 100.0, -999
    hdu.header["BUNIT"] = "Jy"
    path = tmp_path / "scaled.fits"
    # astropy would scale what it writes: the cards come to the bytes as they are.
    header = "".join(str(card) for card in hdu.header.cards) + "END".ljust(80)
    data = raw.astype(">i2").tobytes()
    blocks = [-(-len(part) // 2880) * 2880 for part in (header, data)]
    path.write_bytes(header.ljust(blocks[0]).encode() + data.ljust(blocks[1], b"\0"))
    with fits.open(path) as hdus:
        expected = np.array(hdus[0].data)
    assert np.isnan(expected[15, 0])
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(str(path))
        shown = ShownData(lambda: [pool]).array(ref.hash, next(iter(ref.product.datasets)))
        np.testing.assert_array_equal(whole(shown, 0, 0), expected.astype(np.float32))
        np.testing.assert_allclose(whole(shown, 0, 1), means(expected, 2), rtol=2e-6)


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_2"])
def test_compressed_images(compression: str, tmp_path: Path) -> None:
    data = np.random.default_rng(3).integers(0, 500, (400, 300)).astype(np.int16)
    path = tmp_path / "c.fits"
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type=compression)]
    fits.HDUList(hdus).writeto(path)
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.add(str(path))
        names = list(ref.product.datasets)
        check(ShownData(lambda: [pool]).array(ref.hash, names[-1]), data)


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), blank=st.floats(0, 1),
    seed=st.integers(0, 1000), tile_edge=st.sampled_from([1, 3, 7, 16, 64]),
    step=st.sampled_from([2, 4, 8, 32]),
)  # fmt: skip
def test_any_tiling_gives_the_means(
    height: int, width: int, blank: float, seed: int, tile_edge: int, step: int
) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(height, width)).astype(np.float32)
    data[rng.random(data.shape) < blank] = np.nan
    source = sp.Array(data).source

    class Tiled:
        shape, dtype, statistics, stored = data.shape, data.dtype, None, None
        tile = (tile_edge, tile_edge)
        read = staticmethod(source.read)

    window = data_tiles.Window(0, height, 0, width)
    plane = data_tiles._Plane(Tiled(), (), window)
    found = data_tiles._reduced(plane, step)
    np.testing.assert_allclose(found, means(data, step), rtol=1e-5, atol=1e-6)


def test_a_corner_of_a_large_image_reads_few_tiles(tmp_path: Path) -> None:
    data = np.arange(4096 * 4096, dtype=np.float32).reshape(4096, 4096)
    shown = shown_of(tmp_path, data)
    spy = Spy(shown.array)
    assert shown.array[2000:2032, 3000:3032].tolist() == data[2000:2032, 3000:3032].tolist()
    assert len(spy.chunks) == 1
    spy.reset()
    np.testing.assert_array_equal(tile(shown, 0, 0, 3, 5), data[768:1024, 1280:1536])
    assert len(spy.chunks) == 1
    spy.reset()
    tile(shown, 0, 2, 1, 1)
    assert len(spy.chunks) == 16
    spy.reset()
    tile(shown, 0, 4, 0, 0)
    assert spy.bytes <= 65 * 2**20


def test_what_is_too_large_gets_coarser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_tiles, "BUDGET", 2**20)
    y, x = np.mgrid[:2048, :2048].astype(np.float32)
    shown = shown_of(tmp_path, x + 3 * y)
    spy = Spy(shown.array)
    found = tile(shown, 0, 3, 0, 0)
    assert spy.bytes <= 2**20 + 64 * 32
    assert found.shape == (256, 256)
    assert np.isfinite(found).all()
    # One value stands for a cell of 1024 x 1024 pixels, of which a tile was read.
    exact = means(x + 3 * y, 8)
    assert np.abs(found - exact).max() < 4 * 1024
    assert found[0, 0] < found[200, 200]


def test_planes_of_cubes_read_the_blocks_they_are_in(tmp_path: Path) -> None:
    data = np.random.default_rng(4).normal(size=(200, 200, 200)).astype(np.float32)
    shown = shown_of(tmp_path, data)
    spy = Spy(shown.array)
    np.testing.assert_array_equal(tile(shown, 130, 0, 0, 0), data[130])
    edges = shown.array.tile
    assert len(spy.chunks) == -(-200 // edges[1]) * -(-200 // edges[2])


def test_places_that_are_not_there(tmp_path: Path) -> None:
    shown = shown_of(tmp_path, np.zeros((3, 300, 300), np.float32))
    with pytest.raises(NotFound, match="levels are 0 to 1"):
        tile(shown, 0, 2, 0, 0)
    with pytest.raises(NotFound, match="2 rows of 2"):
        tile(shown, 0, 0, 2, 0)
    with pytest.raises(UsageError, match="planes are 0 to 2"):
        tile(shown, 3, 0, 0, 0)


def test_levels() -> None:
    assert levels(1, 1) == [{"level": 0, "step": 1, "shape": [1, 1]}]
    assert [each["shape"] for each in levels(4096, 1000)] == [
        [4096, 1000], [2048, 500], [1024, 250], [512, 125], [256, 63]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high"), [(55000.0, 55000.001), (-1e300, 1e300), (1e200, 1e200), (0.0, 1.0), (-5, 7e5)]
)
def test_values_that_single_precision_cannot_tell_apart(
    low: float, high: float, tmp_path: Path
) -> None:
    data = np.linspace(0, 1, 100 * 100).reshape(100, 100)
    data = low * (1 - data) + high * data if high > low else np.full(data.shape, low)
    scaling = scaling_of(data.dtype, low, high)
    found = tile(shown_of(tmp_path, data), 0, 0, 0, 0, scaling)
    assert np.isfinite(found).all()
    back = scaling.offset + scaling.scale * found.astype(float)
    width = max(high / 2 - low / 2, abs(low) * 1e-12)
    np.testing.assert_allclose(back / width, data / width, atol=3e-4)


def test_most_values_need_no_scaling() -> None:
    assert scaling_of(np.dtype("f4"), 1e6, 1e6 + 1) == Scaling()
    assert scaling_of(np.dtype("i2"), 30000, 30001) == Scaling()
    assert scaling_of(np.dtype("f8"), 0.0, 1e5) == Scaling()
    assert scaling_of(np.dtype("f8"), float("nan"), float("nan")) == Scaling()


@pytest.mark.parametrize("step", [1, 2, 4, 16, 64])
@pytest.mark.parametrize("shape", [(64, 128), (64, 97), (1, 64)])
@pytest.mark.parametrize("blank", ["nothing", "some", "a block", "everything", "too large"])
def test_small_images_in_whole_blocks_have_the_same_means(
    step: int, shape: tuple[int, int], blank: str
) -> None:
    values = np.random.default_rng(step).normal(1e4, 10, shape).astype(np.float32)
    if blank == "some":
        values[:: step + 1, ::3] = np.nan
        values[0, -1] = np.inf
    elif blank == "a block":
        values[:step, :step] = np.nan
    elif blank == "everything":
        values[:] = -np.inf
    elif blank == "too large":
        values[:, ::2] = 3e38  # the sum of two is beyond single precision
    expected = BlockMeans(shape, (step, step))
    expected.add_rows(values, 0, 0)
    found = means_of(values, step)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.values(), rtol=1e-6)
    np.testing.assert_allclose(found, means(values, step), rtol=1e-6)
