"""Cutting values in memory into tiles.

Each tile is brought into the byte order of FITS by itself, while it is in the processor's
cache: a copy of the whole array in that order costs more than hashing it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from skypool.codec.chunking import tile_shape
from skypool.codec.scaling import stored
from skypool.codec.segments import ArraySegment, ChunkList
from skypool.codec.sinks import ChunkSink
from skypool.codec.statistics import encode_statistics, statistics_type, tile_statistics

__all__ = ["write_values"]


@lru_cache(maxsize=256)
def _form(dtype: np.dtype[Any]) -> tuple[str, int, int]:
    """Return the type, its size and the zero with which values of a type are stored."""
    sample, zero = stored(np.zeros(0, dtype))
    return sample.dtype.str, sample.dtype.itemsize, zero


def write_values(
    values: np.ndarray[Any, Any], sink: ChunkSink
) -> tuple[ArraySegment, dict[str, Any] | None, int]:
    """Store an array in memory as tiles, the same ones as `write_array` makes of its bytes.

    Parameters
    ----------
    values
        Booleans, integers, floats or complex numbers, any shape.
    sink
        Where the chunks go to.

    Returns
    -------
    segment : ArraySegment
    stats : dict or None
        The `stats` of the dataset; None for complex numbers and where there are no values.
    zero : int
        What was taken off the values for storage.
    """
    dtype, itemsize, zero = _form(values.dtype)
    tile = tile_shape(values.shape, itemsize)
    kind = statistics_type(values.dtype)
    stream = sink.stream(itemsize)
    digests: list[bytes] = []
    entries: list[bytes] = []
    if values.size and tile == values.shape:
        digests.append(stream.put(stored(values)[0].tobytes()))
        if kind:
            entries.append(tile_statistics(values))
    elif values.size:
        for place in np.ndindex(*(-(-n // t) for n, t in zip(values.shape, tile, strict=True))):
            box: tuple[Any, ...] = (
                *(slice(p * t, (p + 1) * t) for p, t in zip(place, tile, strict=True)),
                ...,
            )
            part = values[box]
            digests.append(stream.put(stored(part)[0].reshape(-1).view(np.uint8)))
            if kind:
                entries.append(tile_statistics(part))
    chunks = ChunkList.write(digests, sink)
    stats = encode_statistics(kind, entries, sink) if kind and entries else None
    return ArraySegment(dtype, values.shape, tile, chunks), stats, zero
