"""Values in memory are cut into the same tiles as the same values in a file."""

import numpy as np
import pytest

from skypool.codec.chunking import write_array
from skypool.codec.recipes import RecipeCheck
from skypool.codec.scaling import physical, stored
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.codec.values import write_values

TYPES = [
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip
SHAPES = [(), (0,), (5,), (70_000,), (3, 0), (300, 517), (1, 900), (40, 70, 130), (2, 3, 4, 5)]


def made(dtype, shape):
    rng = np.random.default_rng(len(shape) + sum(shape))
    values = np.array(rng.integers(0, 250, shape)).astype(dtype)
    if values.dtype.kind == "f" and values.size > 4:
        flat = values.reshape(-1)
        flat[[0, 2, -1]] = np.nan, np.inf, -0.0
    return values


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPES)
def test_same_tiles_and_statistics_as_from_a_file(dtype, shape):
    values = made(dtype, shape)
    raw, zero = stored(values)
    ours, theirs = MemorySink(), MemorySink()

    def as_seen(tile):
        return physical(tile, values.dtype, zero)

    expected, expected_stats = write_array(
        MemorySource(raw.tobytes()),
        0,
        raw.dtype.str,
        shape,
        theirs,
        RecipeCheck(),
        None if values.dtype.kind == "c" else as_seen,
    )
    segment, stats, found_zero = write_values(values, ours)
    assert segment.to_json() == expected.to_json()
    assert (stats, found_zero) == (expected_stats, zero)
    assert ours.chunks == theirs.chunks


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::2, 5:],
        lambda image: image.T,
        lambda image: image.astype(">f4"),
        lambda image: image[::-1],
    ],
    ids=["strided", "transposed", "big-endian", "reversed"],
)
def test_any_layout_in_memory_gives_the_same_chunks(view):
    values = view(np.random.default_rng(3).normal(0, 1, (400, 600)).astype("f4"))
    ours, theirs = MemorySink(), MemorySink()
    plain = np.array(values, dtype="f4", order="C")
    segment, stats, _ = write_values(values, ours)
    expected, expected_stats, _ = write_values(plain, theirs)
    assert (segment.to_json(), stats) == (expected.to_json(), expected_stats)
    assert ours.chunks == theirs.chunks
