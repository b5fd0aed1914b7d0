"""Numbers of bytes and of things, as people read them."""

from __future__ import annotations

import math

__all__ = ["count_text", "size_text"]


def size_text(count: float) -> str:
    """Write a number of bytes for people.

    Parameters
    ----------
    count
        Bytes.

    Returns
    -------
    str
        Such as ``126 MB``; three digits, powers of 1000.
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if abs(value) < 999.5 or unit == "PB":
            break
        value /= 1000
    if unit == "B":
        return f"{int(value)} B"
    return f"{value:.{max(0, 2 - int(math.log10(max(abs(value), 1))))}f} {unit}"


def count_text(count: int, one: str, many: str = "") -> str:
    """Write a number of things.

    Parameters
    ----------
    count
        How many.
    one, many
        Word for one and for several (without `many`: one + s).

    Returns
    -------
    str
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
