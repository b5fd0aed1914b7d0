"""Cutting bytes, arrays and tables into chunks.

Every function reads its part of the file in pieces of bounded size, puts the chunks
into the sink, and puts the pieces together again from the chunks to feed the check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from skypool.codec.buffers import Buffer
from skypool.codec.deferring import deferral_of
from skypool.codec.reading import gather
from skypool.codec.recipes import RecipeCheck
from skypool.codec.segments import (
    INLINE_LIMIT,
    ArraySegment,
    Bytes,
    ChunkList,
    Fill,
    Inline,
    TableSegment,
)
from skypool.codec.sinks import ByteSource, ChunkSink
from skypool.codec.statistics import encode_statistics, statistics_type, tile_statistics
from skypool.errors import RecipeMismatch

__all__ = ["Physical", "tile_shape", "write_array", "write_bytes", "write_table"]

# Turns stored values into those that the user sees, for the statistics; None where there are none.
Physical: TypeAlias = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]

BLOCK = 1024**2
TILE_ELEMENTS = 256 * 256
ROW_ELEMENTS = 32768
CUBE_BYTES = 1024**2
TABLE_ROWS = 32768
SMALL_TABLE = 256 * 1024
SLAB_BYTES = 64 * 1024**2
COLUMN_CHUNK_BYTES = 8 * 1024**2
FILL_LIMIT = 64 * 1024


def tile_shape(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return the shape of the tiles of an array.

    Images are cut into 256 x 256 tiles (longer ones where an axis is shorter), spectra
    every 32,768 values, cubes and beyond into blocks of nearly equal sides of 1 MiB.
    """
    return _tile_shape(tuple(shape), itemsize)


@lru_cache(maxsize=1024)
def _tile_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    if len(shape) <= 1:
        return tuple(min(n, ROW_ELEMENTS) for n in shape)
    budget = TILE_ELEMENTS if len(shape) == 2 else max(1, CUBE_BYTES // itemsize)
    tile = [1] * len(shape)
    growing = [axis for axis in reversed(range(len(shape))) if shape[axis] > 1]
    while growing:
        axis = min(growing, key=lambda a: tile[a])
        if math.prod(tile) * 2 > budget:
            break
        tile[axis] *= 2
        if tile[axis] >= shape[axis]:
            growing.remove(axis)
    return tuple(min(t, n) for t, n in zip(tile, shape, strict=True))


def _read(source: ByteSource, offset: int, length: int) -> bytes:
    data = source.pread(offset, length)
    if len(data) != length:
        raise RecipeMismatch(f"the file ended at byte {offset + len(data)} while it was read")
    return data


def write_bytes(
    source: ByteSource,
    offset: int,
    length: int,
    sink: ChunkSink,
    check: RecipeCheck,
    *,
    now: bool = False,
) -> Inline | Fill | Bytes:
    """Store bytes without a structure.

    Parameters
    ----------
    source, offset, length
        Where they are.
    sink, check
        Where chunks and bytes go to.
    now
        Read them even if the sink defers content.

    Returns
    -------
    Segment
        `Inline` for up to 1 KiB, `Fill` for one repeated byte (padding), else `Bytes`.
    """
    deferral = None if now else deferral_of(sink)
    if deferral is not None and length:
        check.skip(length)
        return Bytes(length, BLOCK, deferral.chunks(-(-length // BLOCK)))
    if length <= FILL_LIMIT:
        data = _read(source, offset, length)
        if length > 8 and data == (fill := data[:1] * length):
            check.feed(data, fill)
            return Fill(length, fill[0])
        if length <= INLINE_LIMIT:
            check.feed(data, data)
            return Inline(data)
    stream = sink.stream(1)
    digests = []
    for start in range(0, length, BLOCK):
        data = _read(source, offset + start, min(BLOCK, length - start))
        digests.append(stream.put(data))
        check.feed(data, data)
    return Bytes(length, BLOCK, ChunkList.write(digests, sink))


def write_array(
    source: ByteSource,
    offset: int,
    dtype: str,
    shape: Sequence[int],
    sink: ChunkSink,
    check: RecipeCheck | None,
    physical: Physical | None = None,
) -> tuple[ArraySegment, dict[str, Any] | None]:
    """Store an array as tiles.

    Parameters
    ----------
    source, offset
        Where its first byte is.
    dtype
        Of the stored values, such as `>f4`.
    shape
        Slowest axis first.
    sink
        Where the chunks go to.
    check
        Compares what was cut with the file; None for values in memory, which are no file.
    physical
        Turns a tile of stored values into the values that the user sees; without it
        there are no statistics.

    Returns
    -------
    segment : ArraySegment
    stats : dict or None
        The `stats` of the dataset.
    """
    shape = tuple(shape)
    kind = np.dtype(dtype)
    tile = tile_shape(shape, kind.itemsize)
    segment = ArraySegment(dtype, shape, tile, ChunkList(b""))
    deferral = deferral_of(sink)
    if deferral is not None and check is not None:
        check.skip(segment.size)
        chunks = deferral.chunks(math.prod(segment.grid))
        return ArraySegment(dtype, shape, tile, chunks), None
    if tile == shape and segment.size:
        return _write_tile(source, offset, segment, kind, sink, check, physical)
    writer = _TileWriter(segment, kind, sink, physical)
    if segment.size:
        leading = tile[0] if shape else 1
        slab = segment.size // shape[0] * leading if shape else segment.size
        if len(shape) <= 2 or slab <= SLAB_BYTES:
            _write_slabs(source, offset, segment, writer, check, slab)
        else:
            _write_bands(source, offset, segment, writer, check)
    chunks = ChunkList.write(writer.digests, sink)
    stats = None
    if writer.entries and writer.kind:
        stats = encode_statistics(writer.kind, writer.entries, sink)
    return ArraySegment(dtype, shape, tile, chunks), stats


def _write_tile(
    source: ByteSource,
    offset: int,
    segment: ArraySegment,
    dtype: np.dtype[Any],
    sink: ChunkSink,
    check: RecipeCheck | None,
    physical: Physical | None,
) -> tuple[ArraySegment, dict[str, Any] | None]:
    """Store an array that is a single tile: its bytes are those of the file."""
    data = _read(source, offset, segment.size)
    chunks = ChunkList(sink.stream(dtype.itemsize).put(data))
    if check is not None:
        check.feed(data, data)
    stats = None
    if physical is not None:
        values = physical(np.frombuffer(data, dtype).reshape(segment.shape))
        kind = statistics_type(values.dtype)
        if kind:
            stats = encode_statistics(kind, [tile_statistics(values)], sink)
    return ArraySegment(segment.dtype, segment.shape, segment.tile, chunks), stats


class _TileWriter:
    """Cuts regions of an array into tiles, in the order of the tiles."""

    def __init__(
        self,
        segment: ArraySegment,
        dtype: np.dtype[Any],
        sink: ChunkSink,
        physical: Physical | None,
    ) -> None:
        self.segment = segment
        self.dtype = dtype
        self.stream = sink.stream(dtype.itemsize)
        self.physical = physical
        self.digests: list[bytes] = []
        self.entries: list[bytes] = []
        self.kind: str | None = None

    def put(self, region: np.ndarray[Any, Any]) -> list[bytes]:
        """Store a region whose lower corner lies on a tile's; return its tiles."""
        tile = self.segment.tile
        grid = [-(-n // t) for n, t in zip(region.shape, tile, strict=True)]
        tiles: list[bytes] = []
        for place in np.ndindex(*grid):
            box: tuple[Any, ...] = (
                *(slice(p * t, (p + 1) * t) for p, t in zip(place, tile, strict=True)),
                ...,
            )
            part = region[box]
            raw = part.tobytes()
            tiles.append(raw)
            self.digests.append(self.stream.put(raw))
            if self.physical is not None:
                values = self.physical(np.frombuffer(raw, self.dtype).reshape(part.shape))
                self.kind = statistics_type(values.dtype)
                if self.kind:
                    self.entries.append(tile_statistics(values))
        return tiles

    def rebuilt(self, region: np.ndarray[Any, Any], tiles: list[bytes]) -> Buffer:
        """Return the bytes of a region put together again from its tiles."""
        if len(tiles) == 1:
            return tiles[0]
        part_of = ArraySegment(self.segment.dtype, region.shape, self.segment.tile, ChunkList(b""))
        array = gather(part_of, tiles.__getitem__, [slice(None)] * region.ndim)
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _write_slabs(
    source: ByteSource,
    offset: int,
    segment: ArraySegment,
    writer: _TileWriter,
    check: RecipeCheck | None,
    slab: int,
) -> None:
    """Cut an array in file order: whole slabs of the first axis fit in memory."""
    for start in range(0, segment.size, slab):
        data = _read(source, offset + start, min(slab, segment.size - start))
        region = np.frombuffer(data, writer.dtype).reshape((-1, *segment.shape[1:]))
        region = region if segment.shape else region.reshape(())
        tiles = writer.put(region)
        if check is not None:
            check.feed(data, writer.rebuilt(region, tiles))


def _write_bands(
    source: ByteSource,
    offset: int,
    segment: ArraySegment,
    writer: _TileWriter,
    check: RecipeCheck | None,
) -> None:
    """Cut a large cube in bands: a tile's size on all axes but the last, which is whole.

    The bands are not in file order, so the file is hashed in a second pass.
    """
    shape, tile = segment.shape, segment.tile
    strides = [segment.itemsize] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    for place in np.ndindex(*segment.grid[:-1]):
        low = [p * t for p, t in zip(place, tile[:-1], strict=True)]
        size = [min(t, n - a) for t, n, a in zip(tile[:-1], shape[:-1], low, strict=True)]
        run = size[-1] * strides[-2]
        band = np.empty((*size, shape[-1]), writer.dtype)
        for inner in np.ndindex(*size[:-1]):
            position = sum((a + i) * s for a, i, s in zip(low, (*inner, 0), strides, strict=False))
            data = np.frombuffer(_read(source, offset + position, run), writer.dtype)
            band[inner] = data.reshape(size[-1], shape[-1])
        tiles = writer.put(band)
        if check is not None:
            check.compare(band.reshape(-1).view(np.uint8), writer.rebuilt(band, tiles))
    if check is not None:
        check.pass_over(source, segment.size)


def write_table(
    source: ByteSource,
    offset: int,
    rows: int,
    width: int,
    columns: Sequence[tuple[int, int, int]],
    sink: ChunkSink,
    check: RecipeCheck,
    physical: Sequence[Physical | None] | None = None,
    *,
    now: bool = False,
) -> tuple[TableSegment, list[dict[str, Any] | None]]:
    """Store the rows of a table column by column.

    Parameters
    ----------
    source, offset
        Where its first byte is.
    rows, width
        Number of rows, and bytes of each.
    columns
        (offset in the row, width, element size) of each column; none may overlap.
    sink, check
        Where chunks and bytes go to.
    physical
        Per column: turns stored bytes, shape (rows, width) uint8, into the values that the user
        sees; None for columns without statistics.

    Returns
    -------
    segment : TableSegment
        Gaps of the rows are further columns at its end.
    stats : list of (dict or None)
        The `stats` of each column that was given.
    """
    parts = (*columns, *_gaps(columns, width))
    packed = rows * width <= SMALL_TABLE
    block = rows if packed else _block_rows(width, max((w for _, w, _ in parts), default=1))
    deferral = None if now else deferral_of(sink)
    if deferral is not None:
        check.skip(rows * width)
        blocks = -(-rows // block) if rows and width else 0
        lists = 1 if packed else sum(1 for _, size, _ in parts if size)
        chunks = deferral.chunks(blocks * lists)
        segment = TableSegment(rows, width, parts, max(1, block), packed, chunks)
        return segment, [None] * len(columns)
    writer = _ColumnWriter(parts, physical or [None] * len(columns), sink, packed=packed)
    for start in range(0, rows if width else 0, max(1, block)):
        data = _read(source, offset + start * width, min(block, rows - start) * width)
        rebuilt = writer.put(np.frombuffer(data, np.uint8).reshape(-1, width))
        check.feed(data, rebuilt.reshape(-1))
    chunks = ChunkList.write([name for column in writer.digests for name in column], sink)
    found = [
        encode_statistics(kind, entries, sink) if kind and entries else None
        for kind, entries in zip(writer.kinds, writer.entries, strict=True)
    ]
    return TableSegment(rows, width, parts, max(1, block), packed, chunks), found


class _ColumnWriter:
    """Cuts blocks of rows into columns.

    `entries` and `kinds` are those of the statistics of the columns that have a name.
    """

    def __init__(
        self,
        parts: Sequence[tuple[int, int, int]],
        physical: Sequence[Physical | None],
        sink: ChunkSink,
        *,
        packed: bool,
    ) -> None:
        self._parts = parts
        self._physical = physical
        self._packed = packed
        sizes = [1] if packed else [itemsize for _, _, itemsize in parts]
        self._streams = [sink.stream(itemsize) for itemsize in sizes]
        self.digests: list[list[bytes]] = [[] for _ in sizes]
        self.entries: list[list[bytes]] = [[] for _ in physical]
        self.kinds: list[str | None] = [None for _ in physical]

    def put(self, table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Store a block, shape (rows, width); return it put together again."""
        rebuilt = np.empty_like(table)
        cells = [np.ascontiguousarray(table[:, at : at + width]) for at, width, _ in self._parts]
        for (at, width, _), part in zip(self._parts, cells, strict=True):
            rebuilt[:, at : at + width] = part
        if self._packed:
            data = b"".join(part.tobytes() for part in cells)
            self.digests[0].append(self._streams[0].put(data))
        else:
            for digests, stream, part in zip(self.digests, self._streams, cells, strict=True):
                if part.size:
                    digests.append(stream.put(part))
        self._note(cells)
        return rebuilt

    def _note(self, cells: Sequence[np.ndarray[Any, Any]]) -> None:
        """Keep the statistics of a block."""
        for number, function in enumerate(self._physical):
            if function is None or not cells[number].size:
                continue
            values = function(cells[number])
            self.kinds[number] = statistics_type(values.dtype)
            if self.kinds[number]:
                self.entries[number].append(tile_statistics(values))


def _block_rows(width: int, widest: int) -> int:
    """Return the rows of a block: fewer than 32,768 only where the rows are very wide."""
    block = TABLE_ROWS
    while block > 1 and (block * width > SLAB_BYTES or block * widest > COLUMN_CHUNK_BYTES):
        block //= 2
    return block


def _gaps(columns: Sequence[tuple[int, int, int]], width: int) -> list[tuple[int, int, int]]:
    """Return the parts of a row that no column covers."""
    gaps, position = [], 0
    for offset, size, _ in sorted(columns):
        if not size:
            continue
        if offset < position or offset + size > width:
            raise RecipeMismatch("the columns of a table overlap or leave its rows")
        if offset > position:
            gaps.append((position, offset - position, 1))
        position = offset + size
    if position < width:
        gaps.append((position, width - position, 1))
    return gaps
