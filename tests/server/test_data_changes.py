"""Differences of images: exact, and without reading what is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.errors import UsageError
from skypool.server.data_changes import Difference, changed
from skypool.server.data_sources import Shown, ShownData
from skypool.server.data_tiles import tile

from .seen import Spy
from .test_data_tiles import means


def versions(folder: Path, first: Any, second: Any) -> tuple[Shown, Shown]:
    """Save two versions of an image, and return them as they are read back."""
    with sp.Pool(folder / "pool") as pool:
        for data in (first, second):
            pool.save(sp.Product(datasets={"image": sp.Array(data)}), name="a")
    pool = sp.Pool(folder / "pool", "r")
    data = ShownData(lambda: [pool])
    a, b = (data.array(ref.hash, "image") for ref in pool["a"].versions)
    return a, b


def test_a_patch(tmp_path: Path) -> None:
    first = np.random.default_rng(1).normal(size=(2048, 2048)).astype(np.float32)
    first[5, 5] = np.nan
    second = first.copy()
    second[1000:1064, 1000:1064] += 2
    second[40, 300] = np.nan
    a, b = versions(tmp_path, first, second)
    spies = Spy(a.array), Spy(b.array)
    found = changed(a, b)
    assert found["pixels"] == 64 * 64 + 1
    assert found["boxes"] == [[300, 40, 301, 41], [1000, 1000, 1064, 1064]]
    assert found["maximum"] == pytest.approx(2, rel=1e-6)
    assert (found["tiles"], found["tiles_read"], found["complete"]) == (64, 5, True)
    assert [len(spy.chunks) for spy in spies] == [5, 5]
    difference = Difference(a.array, b.array)
    for spy in spies:
        spy.reset()
    part = tile(a, 0, 1, 1, 1, source=difference)
    exact = first.astype(float) - second
    expected = means(exact[512:1024, 512:1024], 2)
    np.testing.assert_allclose(part, expected, rtol=1e-6, atol=1e-12)
    assert [len(spy.chunks) for spy in spies] == [1, 1]
    # Tiles that may hold NaN are read once, of one side.
    for spy in spies:
        spy.reset()
    np.testing.assert_array_equal(tile(a, 0, 0, 0, 0, source=difference), exact[:256, :256])
    assert [len(spy.chunks) for spy in spies] == [1, 0]


@given(st.integers(0, 1000))
def test_any_difference_is_that_of_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, rng.integers(1, 4)))
    first = rng.integers(0, 4, shape).astype(np.float64)
    first[rng.random(shape) < 0.2] = np.nan
    second = np.where(rng.random(shape) < 0.1, rng.integers(0, 4, shape), first)
    a, b = Shown(sp.Array(first)), Shown(sp.Array(second))
    index = tuple(
        slice(int(start), int(rng.integers(start, n + 1)), int(rng.integers(1, 4)))
        for n, start in ((n, rng.integers(0, n)) for n in shape)
    )
    difference = Difference(a.array, b.array)
    np.testing.assert_array_equal(difference.read(index), (first - second)[index])
    found = changed(a, b)
    unequal = (first != second) & ~(np.isnan(first) & np.isnan(second))
    assert found["pixels"] == np.count_nonzero(unequal)
    planes = unequal.reshape(-1, *(1, *shape)[-2:])
    assert found["planes"] == {str(n): int(p.sum()) for n, p in enumerate(planes) if p.any()}
    covered = np.zeros(planes[0].shape, bool)
    for x0, y0, x1, y1 in found["boxes"]:
        assert planes[0][y0:y1, x0:x1].any()
        covered[y0:y1, x0:x1] = True
    assert not (planes[0] & ~covered).any()


def test_parts_across_tiles_of_a_cube(tmp_path: Path) -> None:
    first = np.random.default_rng(2).integers(0, 100, (100, 100, 100)).astype(np.int16)
    second = first.copy()
    second[70, 10, 20] += 1
    a, b = versions(tmp_path, first, second)
    difference = Difference(a.array, b.array)
    index = (slice(60, 80, 3), slice(0, 100, 1), slice(5, 95, 2))
    np.testing.assert_array_equal(difference.read(index), (first.astype(int) - second)[index])
    found = changed(a, b, 70)
    assert (found["planes"], found["boxes"]) == ({"70": 1}, [[20, 10, 21, 11]])
    assert changed(a, b, 0)["boxes"] == []


def test_other_types_are_compared_by_value(tmp_path: Path) -> None:
    first = np.arange(12, dtype=np.int32).reshape(3, 4)
    second = first.astype(np.float64)
    second[2, 2] = 0.5
    found = changed(*versions(tmp_path, first, second))
    assert (found["pixels"], found["maximum"], found["tiles_read"]) == (1, 9.5, 1)


def test_other_shapes(tmp_path: Path) -> None:
    a, b = versions(tmp_path, np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(UsageError, match="4 × 3 and 3 × 4"):
        changed(a, b)


def test_many_changes_become_few_boxes(tmp_path: Path) -> None:
    first = np.zeros((4096, 4096), np.uint8)
    second = first.copy()
    second[100::256, 100::256] = 1
    found = changed(*versions(tmp_path, first, second))
    assert found["pixels"] == 256
    assert 1 <= len(found["boxes"]) <= 100
