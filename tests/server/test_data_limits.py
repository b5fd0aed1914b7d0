"""Descriptions of images: limits of a bounded sample, statistics, exact pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval

import skypool as sp
from skypool.errors import NotFound
from skypool.server.data_images import describe, pixel
from skypool.server.data_limits import sample, zscale

from .seen import Spy, shown_of, sky_header


def test_limits_of_a_small_image_are_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = rng.normal(5, 2, (400, 500))
    data[rng.random(data.shape) < 0.3] = np.nan
    data[3, 4], data[5, 6] = np.inf, -np.inf
    found = describe(shown_of(tmp_path, data, unit="Jy"))
    finite = data[np.isfinite(data)]
    for name, share in [("99.5", 0.25), ("99", 0.5), ("90", 5.0)]:
        expected = np.percentile(finite, [share, 100 - share])
        np.testing.assert_allclose(found["limits"][name], expected, rtol=1e-12)
    assert found["limits"]["minmax"] == [finite.min(), finite.max()]
    assert (found["minimum"], found["maximum"], found["exact"]) == (-np.inf, np.inf, True)
    assert found["unit"] == "Jy"
    np.testing.assert_allclose(found["quantiles"], np.quantile(finite, np.linspace(0, 1, 257)))


def test_a_large_image_is_sampled(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    data = rng.normal(100, 5, (4096, 4096)).astype(np.float32)
    data[:, :2048] = np.nan
    data[4000, 4001] = 1e6
    shown = shown_of(tmp_path, data, wcs=sky_header(4096, 4096))
    spy = Spy(shown.array)
    found = describe(shown)
    assert 0 < spy.bytes < 8e6
    # The extremes come from the statistics; the rest of tiles spread over those with values.
    assert found["maximum"] == 1e6
    assert found["minimum"] == np.nanmin(data)
    known = np.nanpercentile(data, [0.25, 99.75])
    np.testing.assert_allclose(found["limits"]["99.5"], known, atol=0.3)
    low, high = ZScaleInterval().get_limits(data[np.isfinite(data)])
    np.testing.assert_allclose(found["limits"]["zscale"], [low, high], atol=6)


def test_gradients_are_sampled_from_end_to_end(tmp_path: Path) -> None:
    data = np.add.outer(np.arange(3000.0), np.arange(3000.0)).astype(np.float32)
    found = describe(shown_of(tmp_path, data))
    known = np.percentile(data, [1, 99])
    np.testing.assert_allclose(found["limits"]["98"], known, atol=400)


@pytest.mark.parametrize("seed", range(5))
def test_zscale_is_that_of_iraf(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(np.concatenate([rng.normal(10, 1, 900), rng.exponential(50, 100)]))
    found = zscale(values)
    expected = ZScaleInterval().get_limits(values)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert zscale(np.array([3.0])) == (3.0, 3.0)
    assert zscale(np.full(50, 2.0)) == (2.0, 2.0)


def test_images_without_values(tmp_path: Path) -> None:
    found = describe(shown_of(tmp_path, np.full((5, 5), np.nan)))
    assert found["limits"] == {"minmax": [0.0, 1.0]}
    assert np.isnan(found["minimum"])
    assert found["quantiles"] == []


def test_constant_and_huge_values(tmp_path: Path) -> None:
    assert describe(shown_of(tmp_path / "a", np.full((5, 5), 7)))["limits"]["99"] == [7, 7]
    data = np.array([[-1.7e308, 0.0], [1.0, 1.7e308]])
    found = describe(shown_of(tmp_path / "b", data))
    assert found["limits"]["minmax"] == [-1.7e308, 1.7e308]
    assert np.isfinite(found["quantiles"]).all()


def test_complex_values_are_shown_as_magnitudes(tmp_path: Path) -> None:
    data = (np.arange(12.0) * (3 + 4j)).reshape(3, 4).astype(np.complex64)
    shown = shown_of(tmp_path, data)
    found = describe(shown)
    assert found["complex"]
    assert found["maximum"] == 55.0
    assert pixel(shown, 0, 1, 0)["text"] == "3.0+4.0i"
    assert pixel(shown, 0, 1, 0)["magnitude"] == 5.0


def test_sources_without_tiles_are_read_in_steps() -> None:
    data = np.arange(3000 * 1000, dtype=np.float64).reshape(3000, 1000)
    found = sample(sp.Array(data), 10**6)
    assert 0 < found.values.nbytes <= 10**6 + 8000
    assert not found.whole
    assert abs(np.median(found.values) - np.median(data)) < 0.02 * data.size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.1), "0.1"), (np.float64(0.1) + 0.2, "0.30000000000000004"),
        (np.int64(2**62 + 1), "4611686018427387905"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.float32("nan"), "NaN"), (np.float64("-inf"), "-Infinity"), (np.bool_(True), "true"),
    ],
)  # fmt: skip
def test_pixels_are_exact(value: np.generic, text: str, tmp_path: Path) -> None:
    data = np.zeros((3, 5, 4), value.dtype)
    data[1, 2, 3] = value
    found = pixel(shown_of(tmp_path, data), 1, 3, 2)
    assert found["text"] == text
    with pytest.raises(NotFound, match="4 × 5"):
        pixel(shown_of(tmp_path / "b", data), 1, 4, 2)


def test_a_pixel_reads_one_tile(tmp_path: Path) -> None:
    data = np.arange(2048 * 2048, dtype=np.float32).reshape(2048, 2048)
    shown = shown_of(tmp_path, data)
    spy = Spy(shown.array)
    assert pixel(shown, 0, 1000, 1500)["value"] == data[1500, 1000]
    assert len(spy.chunks) == 1
