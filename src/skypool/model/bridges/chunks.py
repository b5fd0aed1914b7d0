"""Parts in which other packages compute: whole tiles, some MiB each."""

from __future__ import annotations

import math

__all__ = ["grouped"]

_LEAST = 16 * 1024**2
_MOST = 128 * 1024**2
# A graph of many more parts takes longer to plan than to compute.
_PARTS = 4096


def grouped(shape: tuple[int, ...], tile: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the shape of a part: a multiple of the tile on every axis, or the whole axis.

    Parts are of 16 MiB, and larger, up to 128 MiB, where there would be more than 4096 of them.
    """
    room = min(_MOST, max(_LEAST, math.prod(shape) * itemsize // _PARTS)) // max(1, itemsize)
    part = [max(1, min(t, n)) for t, n in zip(tile, shape, strict=True)]
    while True:
        left = [-(-n // p) for p, n in zip(part, shape, strict=True)]
        # The axis with most parts grows; the last one first, along which values lie side by side.
        axes = sorted(
            (n for n, count in enumerate(left) if count > 1), key=lambda n: (-left[n], -n)
        )
        for axis in axes:
            longer = min(2 * part[axis], shape[axis])
            if math.prod(part) // part[axis] * longer <= room:
                part[axis] = longer
                break
        else:
            return tuple(part)
