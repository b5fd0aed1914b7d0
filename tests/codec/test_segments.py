"""Segments give back every byte, in any range, touching only the chunks needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec.chunking import tile_shape, write_array, write_bytes, write_table
from skypool.codec.digest import digest
from skypool.codec.reading import RecipeReader, read_array, read_column, read_segment
from skypool.codec.recipes import RecipeCheck
from skypool.codec.segments import segment_from_json
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.codec.statistics import Statistics
from skypool.errors import RecipeMismatch

SHAPES = st.lists(st.integers(0, 9), min_size=0, max_size=4).map(tuple)
DTYPES = st.sampled_from([">f4", ">f8", ">i2", "|u1", ">i8"])


def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skypool.codec.chunking.TILE_ELEMENTS", 8)
    monkeypatch.setattr("skypool.codec.chunking.CUBE_BYTES", 48)
    monkeypatch.setattr("skypool.codec.chunking.ROW_ELEMENTS", 3)
    monkeypatch.setattr("skypool.codec.chunking.SMALL_TABLE", 40)
    monkeypatch.setattr("skypool.codec.chunking.TABLE_ROWS", 4)


@pytest.mark.parametrize("slab", [64 * 1024**2, 1])
@given(shape=SHAPES, dtype=DTYPES, data=st.data())
def test_array_gives_back_bytes_and_parts(slab, shape, dtype, data):
    with pytest.MonkeyPatch.context() as patch:
        small_tiles(patch)
        patch.setattr("skypool.codec.chunking.SLAB_BYTES", slab)
        rng = np.random.default_rng(len(shape))
        array = rng.integers(0, 200, shape).astype(dtype)
        raw = b"abc" + array.tobytes()
        sink, check = MemorySink(), RecipeCheck()
        head = write_bytes(MemorySource(raw), 0, 3, sink, check)
        segment, stats = write_array(
            MemorySource(raw), 3, dtype, shape, sink, check, physical=lambda tile: tile
        )
    assert check.digest() == digest(raw)
    segment = segment_from_json(segment.to_json())
    assert read_segment(segment, sink.fetch) == array.tobytes()
    start = data.draw(st.integers(0, array.nbytes))
    length = data.draw(st.integers(0, array.nbytes + 5))
    assert read_segment(segment, sink.fetch, start, length) == array.tobytes()[start:][:length]
    index = tuple(
        slice(
            data.draw(st.integers(0, n)), data.draw(st.integers(0, n)), data.draw(st.integers(1, 4))
        )
        for n in shape
    )
    part = read_array(segment, sink.fetch, index)
    np.testing.assert_array_equal(part, array[index])
    assert part.shape == array[index].shape
    assert not part.flags.writeable
    reader = RecipeReader([head, segment], sink.fetch)
    assert b"".join(reader.blocks(16)) == raw
    assert reader.pread(start, length) == raw[start : start + length]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skypool.codec.reading._LARGE", 1)
        assert reader.pread(start, length) == raw[start : start + length]
        assert b"".join(reader.blocks(16)) == raw
    memory = bytearray(raw[start : start + length])
    memory[:] = bytes(len(memory))
    reader.read_into(start, memoryview(memory))
    assert memory == raw[start : start + length]
    cuts = reader.cuts(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 200)))
    assert cuts[0] == 0 and cuts[-1] == len(raw) and cuts == sorted(set(cuts))
    if array.size:
        found = Statistics.from_json(stats, sink.fetch)
        assert found.min() == array.min()
        assert found.max() == array.max()
        assert found.total == array.size


@given(
    rows=st.integers(0, 20),
    cuts=st.lists(st.integers(0, 6), max_size=5),
    gap=st.integers(0, 4),
    data=st.data(),
)
def test_table_gives_back_bytes_and_columns(rows, cuts, gap, data):
    columns, offset = [], gap
    for width in cuts:
        columns.append((offset, width, 1))
        offset += width + gap
    width = offset
    raw = np.random.default_rng(rows).integers(0, 256, rows * width, np.uint8).tobytes()
    with pytest.MonkeyPatch.context() as patch:
        small_tiles(patch)
        sink, check = MemorySink(), RecipeCheck()
        segment, stats = write_table(
            MemorySource(raw), 0, rows, width, columns, sink, check,
            [lambda cells: cells] * len(columns),
        )  # fmt: skip
    assert check.digest() == digest(raw)
    segment = segment_from_json(segment.to_json())
    assert read_segment(segment, sink.fetch) == raw
    start = data.draw(st.integers(0, len(raw)))
    length = data.draw(st.integers(0, len(raw)))
    assert read_segment(segment, sink.fetch, start, length) == raw[start : start + length]
    memory = bytearray(len(raw[start : start + length]))
    reader = RecipeReader([segment], sink.fetch)
    reader.read_into(start, memoryview(memory))
    assert memory == raw[start : start + length] == reader.pread(start, length)
    table = np.frombuffer(raw, np.uint8).reshape(rows, width)
    low, high = sorted((data.draw(st.integers(0, rows)), data.draw(st.integers(0, rows))))
    for number, (place, size, _) in enumerate(columns):
        found = read_column(segment, sink.fetch, number, low, high)
        np.testing.assert_array_equal(found, table[low:high, place : place + size])
        if rows and size:
            entries = Statistics.from_json(stats[number], sink.fetch)
            assert entries.max() == table[:, place : place + size].max()


def test_overlapping_columns_are_refused():
    sink, check = MemorySink(), RecipeCheck()
    with pytest.raises(RecipeMismatch):
        write_table(MemorySource(bytes(40)), 0, 4, 10, [(0, 4, 1), (3, 4, 1)], sink, check)


def test_a_source_that_ends_early_is_an_error():
    with pytest.raises(RecipeMismatch, match="ended"):
        write_array(MemorySource(bytes(10)), 0, ">f4", (4,), MemorySink(), RecipeCheck())


def test_a_wrong_reconstruction_is_noticed():
    check = RecipeCheck()
    check.feed(b"abc", b"abc")
    check.feed(b"def", b"deg")
    with pytest.raises(RecipeMismatch, match="byte 3"):
        check.digest()


@pytest.mark.parametrize(
    ("shape", "itemsize", "tile"),
    [
        ((4096, 4096), 4, (256, 256)),
        ((1000, 1000, 1000), 4, (64, 64, 64)),
        ((1, 1, 2000, 2000), 4, (1, 1, 512, 512)),
        ((10, 100000), 4, (10, 4096)),
        ((100000,), 8, (32768,)),
        ((), 4, ()),
        ((0, 5), 4, (0, 5)),
    ],
)
def test_tile_shapes(shape, itemsize, tile):
    assert tile_shape(shape, itemsize) == tile


def test_a_part_touches_only_its_tiles():
    array = np.arange(1024 * 1024, dtype=">f4").reshape(1024, 1024)
    sink, check = MemorySink(), RecipeCheck()
    segment, _ = write_array(MemorySource(array.tobytes()), 0, ">f4", array.shape, sink, check)
    fetched = []

    def fetch(name):
        fetched.append(name)
        return sink.fetch(name)

    part = read_array(segment, fetch, (slice(300, 332), slice(500, 532)))
    np.testing.assert_array_equal(part, array[300:332, 500:532])
    assert len(fetched) == 2


@given(
    st.lists(
        st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf]), min_size=1, max_size=30
    )
)
def test_statistics_of_floats(values):
    array = np.array(values, ">f4")
    found = Statistics.of([array])
    assert found.nan == np.isnan(array).sum()
    assert found.finite == np.isfinite(array).sum()
    if np.isnan(array).all():
        assert found.min() is None
    else:
        assert found.min() == np.nanmin(array)
        assert found.max() == np.nanmax(array)
