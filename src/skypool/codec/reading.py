"""Reading segments: bytes of any range, parts of arrays, columns of tables.

Only the chunks that a question touches are fetched.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from skypool.codec.segments import ArraySegment, Bytes, Fill, Inline, Segment, TableSegment
from skypool.codec.sinks import Fetch
from skypool.errors import Damaged

__all__ = ["RecipeReader", "boxes", "read_array", "read_column", "read_range", "read_segment"]

GetTile = Callable[[int], bytes]
# Ranges of this size are worth being put together in memory of their own.
_LARGE = 1 << 20


def read_array(
    segment: ArraySegment,
    fetch: Fetch,
    index: Sequence[slice],
    out: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a part of an array as stored (FITS byte order, nothing scaled).

    Parameters
    ----------
    segment
        The array.
    fetch
        Gives a chunk by its digest.
    index
        One slice per axis, with a positive step.
    out
        Where the values go, converted to its type.

    Returns
    -------
    ndarray
        *out*; without it read-only, and a view of a chunk where one chunk holds it all.
    """
    return gather(segment, lambda n: fetch(segment.chunks.digest(n, fetch)), index, out)


def gather(
    segment: ArraySegment,
    get_tile: GetTile,
    index: Sequence[slice],
    out: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, np.dtype[Any]]:
    """Put a part of an array together from its tiles, given by their numbers.

    Where *out* is given, there.
    """
    ranges = [range(*s.indices(n)) for s, n in zip(index, segment.shape, strict=True)]
    shape = tuple(len(r) for r in ranges)
    dtype = np.dtype(segment.dtype)
    if 0 in shape:
        return _read_only(np.empty(shape, dtype)) if out is None else out
    given = out is not None
    parts = [_tiles_of(r, t) for r, t in zip(ranges, segment.tile, strict=True)]
    if out is None and not all(len(part) == 1 for part in parts):
        out = np.empty(shape, dtype)
    for combination in itertools.product(*parts):
        number = 0
        for (tile, _, _), count in zip(combination, segment.grid, strict=True):
            number = number * count + tile
        data = _tile(segment, dtype, [tile for tile, _, _ in combination], get_tile(number))
        # The ellipsis keeps an array of no axes an array.
        inside: tuple[Any, ...] = (*(inner for _, inner, _ in combination), ...)
        piece = data[inside]
        if out is None:
            return _read_only(piece)
        outside: tuple[Any, ...] = (*(outer for _, _, outer in combination), ...)
        target = out[outside]
        if not target.flags.c_contiguous:
            # Converted while it is whole: row by row numpy takes three times as long.
            piece = piece.astype(out.dtype, copy=False)
        target[...] = piece
    assert out is not None
    return out if given else _read_only(out)


def _read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


def _tile(
    segment: ArraySegment, dtype: np.dtype[Any], place: Sequence[int], data: bytes
) -> np.ndarray[Any, Any]:
    shape = tuple(
        min(t, n - p * t) for p, t, n in zip(place, segment.tile, segment.shape, strict=True)
    )
    try:
        return np.frombuffer(data, dtype).reshape(shape)
    except ValueError:
        raise Damaged("a tile does not have the size that its array gives it") from None


def _tiles_of(wanted: range, tile: int) -> list[tuple[int, slice, slice]]:
    """Return (tile, slice in the tile, slice in the result) for one axis."""
    parts = []
    for number in range(wanted[0] // tile, wanted[-1] // tile + 1):
        low, high = number * tile, (number + 1) * tile
        first = max(0, -(-(low - wanted.start) // wanted.step))
        last = min(len(wanted), -(-(high - wanted.start) // wanted.step))
        if first < last:
            start = wanted[first] - low
            stop = wanted[last - 1] - low + 1
            parts.append((number, slice(start, stop, wanted.step), slice(first, last)))
    return parts


def read_column(
    segment: TableSegment, fetch: Fetch, column: int, start: int, stop: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes of one column of some rows.

    Returns
    -------
    ndarray, shape (stop - start, width), uint8
        Read-only.
    """
    width = segment.columns[column][1]
    start, stop, _ = slice(start, stop).indices(segment.rows)
    stop = max(start, stop)
    if not width or start == stop:
        return np.empty((stop - start, width), np.uint8)
    pieces = []
    for block in range(start // segment.block, (stop - 1) // segment.block + 1):
        first = block * segment.block
        data = column_block(segment, fetch, column, block)
        pieces.append(data[max(0, start - first) : stop - first])
    return _read_only(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))


def column_block(
    segment: TableSegment, fetch: Fetch, column: int, block: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes of one column in one block of rows, shape (rows, width)."""
    rows = min(segment.block, segment.rows - block * segment.block)
    width = segment.columns[column][1]
    if segment.packed:
        data = fetch(segment.chunks.digest(block, fetch))
        start = rows * sum(w for _, w, _ in segment.columns[:column])
        part = np.frombuffer(data, np.uint8)[start : start + rows * width]
    else:
        number = segment.chunk_rank[column] * segment.blocks + block
        part = np.frombuffer(fetch(segment.chunks.digest(number, fetch)), np.uint8)
    if part.size != rows * width:
        raise Damaged("a chunk of a column does not have the size that its table gives it")
    return part.reshape(rows, width)


def read_segment(
    segment: Segment, fetch: Fetch, offset: int = 0, length: int | None = None
) -> bytes:
    """Return a range of the bytes that a segment stands for."""
    stop = segment.size if length is None else min(segment.size, offset + length)
    if offset >= stop:
        return b""
    if isinstance(segment, Inline):
        return segment.data[offset:stop]
    if isinstance(segment, Fill):
        return bytes([segment.byte]) * (stop - offset)
    if isinstance(segment, Bytes):
        return _read_bytes(segment, fetch, offset, stop)
    if isinstance(segment, TableSegment):
        return _read_rows(segment, fetch, offset, stop)
    return _read_elements(segment, fetch, offset, stop)


def _read_bytes(segment: Bytes, fetch: Fetch, start: int, stop: int) -> bytes:
    pieces = []
    for number in range(start // segment.block, (stop - 1) // segment.block + 1):
        first = number * segment.block
        data = fetch(segment.chunks.digest(number, fetch))
        if len(data) != min(segment.block, segment.size - first):
            raise Damaged("a chunk does not have the size that its segment gives it")
        pieces.append(data[max(0, start - first) : stop - first])
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _read_rows(segment: TableSegment, fetch: Fetch, start: int, stop: int) -> bytes:
    pieces = []
    width = segment.width
    for block in range(start // width // segment.block, (stop - 1) // width // segment.block + 1):
        first = block * segment.block
        low = max(start, first * width)
        high = min(stop, min(first + segment.block, segment.rows) * width)
        row, last = low // width, -(-high // width)
        rows = np.empty((last - row, width), np.uint8)
        for number, (place, size, _) in enumerate(segment.columns):
            if size:
                data = column_block(segment, fetch, number, block)
                rows[:, place : place + size] = data[row - first : last - first]
        pieces.append(rows.tobytes()[low - row * width : high - row * width])
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _read_elements(segment: ArraySegment, fetch: Fetch, start: int, stop: int) -> bytes:
    """Read a range of an array's bytes as runs of whole hyperplanes of tiles."""
    if not segment.shape:
        return fetch(segment.chunks.digest(0, fetch))[start:stop]
    pieces = []
    for box, first in boxes(segment.shape, segment.itemsize, start, stop):
        data = read_array(segment, fetch, box).tobytes()
        pieces.append(data[max(0, start - first) : stop - first])
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def boxes(
    shape: Sequence[int], itemsize: int, start: int, stop: int
) -> Iterator[tuple[tuple[slice, ...], int]]:
    """Cut a range of an array's bytes into boxes that are contiguous in the file.

    A box has fixed indices on leading axes, a range on one axis and everything behind; it
    is as large as the range allows. Yields the box and the byte at which it starts.
    """
    strides = [itemsize] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    position = start
    while position < stop:
        remaining = stop - position
        place = [(position // stride) % n for stride, n in zip(strides, shape, strict=True)]
        axis = len(shape) - 1
        # Go outwards while the position is at the start of a plane that fits as a whole.
        while axis > 0 and position % strides[axis - 1] == 0 and remaining >= strides[axis - 1]:
            axis -= 1
        count = max(1, remaining // strides[axis])
        if axis == len(shape) - 1:
            count = -(-(remaining + position % itemsize) // itemsize)
        count = min(count, shape[axis] - place[axis])
        box = (
            *(slice(p, p + 1, 1) for p in place[:axis]),
            slice(place[axis], place[axis] + count, 1),
            *(slice(0, n, 1) for n in shape[axis + 1 :]),
        )
        first = position - position % strides[axis]
        yield box, first
        position = first + count * strides[axis]


def read_range(
    starts: Sequence[int], read: Callable[[int, int, int], bytes], offset: int, length: int
) -> bytes:
    """Read a range of what several parts make, one behind the other.

    Parameters
    ----------
    starts
        Where each part begins, and where the last one ends; the first begins at 0.
    read
        Gives bytes of one part: its number, the offset in it and the length.
    offset, length
        The range; cut at the end of the last part.
    """
    pieces = [
        read(number, low, high - low)
        for number, low, high in _touched(starts, offset, min(starts[-1], offset + length))
    ]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _touched(starts: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Return the parts of a range by number, each with the part of its bytes that is in it."""
    number = bisect.bisect_right(starts, start) - 1
    while start < stop:
        first, end = starts[number], min(stop, starts[number + 1])
        if start < end:
            yield number, start - first, end - first
            start = end
        number += 1


def read_into(segment: Segment, fetch: Fetch, offset: int, out: memoryview) -> None:
    """Fill memory with the bytes of a segment from *offset*, which has so many."""
    if isinstance(segment, ArraySegment) and segment.shape:
        _fill_elements(segment, fetch, offset, out)
    elif isinstance(segment, Bytes):
        stop = offset + len(out)
        for number in range(offset // segment.block, (stop - 1) // segment.block + 1):
            low = max(offset, number * segment.block)
            high = min(stop, (number + 1) * segment.block)
            out[low - offset : high - offset] = _read_bytes(segment, fetch, low, high)
    else:
        out[:] = read_segment(segment, fetch, offset, len(out))


def _fill_elements(segment: ArraySegment, fetch: Fetch, start: int, out: memoryview) -> None:
    dtype = np.dtype(segment.dtype)
    for box, first in boxes(segment.shape, segment.itemsize, start, start + len(out)):
        shape = tuple(part.stop - part.start for part in box)
        low, high = first - start, first - start + math.prod(shape) * segment.itemsize
        if low >= 0 and high <= len(out):
            place = np.frombuffer(out[low:high], dtype).reshape(shape)
            gather(segment, lambda n: fetch(segment.chunks.digest(n, fetch)), box, place)
        else:  # it begins or ends within a value
            data = read_array(segment, fetch, box).tobytes()
            out[max(0, low) : high] = data[max(0, -low) : len(out) - low]


def digests_of(segment: Segment, fetch: Fetch, start: int, stop: int) -> list[bytes]:
    """Return the chunks that a range of bytes of a segment needs, as far as that is simple."""
    if isinstance(segment, Bytes):
        numbers = range(start // segment.block, (stop - 1) // segment.block + 1)
    elif isinstance(segment, ArraySegment) and segment.shape and segment.size:
        row = segment.size // segment.shape[0] * segment.tile[0]
        slab = math.prod(segment.grid[1:])
        numbers = range(start // row * slab, ((stop - 1) // row + 1) * slab)
    else:
        return []
    return [segment.chunks.digest(number, fetch) for number in numbers]


class RecipeReader:
    """A `ByteSource` over the segments of a recipe.

    Parameters
    ----------
    segments
        The segments in file order.
    fetch
        Gives a chunk by its digest.
    expect
        Takes the chunks that will be fetched next, to find out where they are all at once.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        fetch: Fetch,
        expect: Callable[[Sequence[bytes]], object] | None = None,
    ) -> None:
        self._segments = segments
        self._fetch = fetch
        self._expect = expect
        self._starts = list(itertools.accumulate((s.size for s in segments), initial=0))
        self.size = self._starts[-1]

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        length = min(length, self.size - offset)
        if length < _LARGE:
            return read_range(self._starts, self._part, offset, length)
        memory = np.empty(length, np.uint8)
        self.read_into(offset, memory.data)
        return memory.tobytes()

    def _part(self, number: int, offset: int, length: int) -> bytes:
        return read_segment(self._segments[number], self._fetch, offset, length)

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill memory with bytes from *offset*; the file has so many."""
        done = 0
        for number, low, high in _touched(self._starts, offset, offset + len(out)):
            segment = self._segments[number]
            if self._expect is not None:
                self._expect(digests_of(segment, self._fetch, low, high))
            read_into(segment, self._fetch, low, out[done : done + high - low])
            done += high - low

    def cuts(self, size: int, most: int) -> list[int]:
        """Return where to cut the file into pieces that share no chunk, if that can be.

        Each has *size* bytes at least, but the last; above *most* they share chunks rather.
        The first number is 0, the last one the size of the file.
        """
        found = [0]
        for segment, first in zip(self._segments, self._starts, strict=False):
            step = _step(segment, size)
            step = step if step <= most else size
            for at in range(first, first + segment.size, step):
                if at - found[-1] >= size:
                    found.append(at)
        if found[-1] < self.size:
            found.append(self.size)
        return found

    def blocks(self, size: int = 8 * 1024**2) -> Iterator[bytes]:
        """Return all bytes in order, in pieces of about *size* that hardly share chunks."""
        for segment, first in zip(self._segments, self._starts, strict=False):
            step = _step(segment, size)
            for offset in range(0, segment.size, step):
                yield self.pread(first + offset, min(step, segment.size - offset))


def _step(segment: Segment, size: int) -> int:
    """Return the bytes after which a segment is best cut for reading in order."""
    if isinstance(segment, ArraySegment) and segment.shape:
        row = segment.size // segment.shape[0] * segment.tile[0] if segment.size else 1
        # Tiles of a cube that is too large for whole slabs are fetched again for each
        # run of planes; the cache of the pool makes up for most of it.
        return row * max(1, size // row) if row <= 8 * size else max(size, row // segment.tile[0])
    if isinstance(segment, TableSegment):
        row = max(1, segment.width * segment.block)
        return row * max(1, size // row)
    return max(1, size)
