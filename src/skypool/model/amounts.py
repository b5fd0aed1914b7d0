"""Numbers of bytes and of things, as people read them."""

from __future__ import annotations

import math
import re

from skypool.errors import UsageError

__all__ = ["count_text", "read_size", "size_text"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?\Z", re.IGNORECASE)


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


def read_size(text: int | str) -> int:
    """Read a number of bytes as people write it.

    Parameters
    ----------
    text
        Such as ``500GB``, ``1.5 TB``, ``64MiB``, ``20000``.

    Raises
    ------
    UsageError
        If it is none.
    """
    if isinstance(text, int):
        return text
    found = _SIZE.match(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no size", hint="such as 500GB, 1.5TB, 64MiB or 20000")
    number, prefix, binary = found.groups()
    base: int = 1024 if binary else 1000
    return round(float(number) * float(base ** " kmgtp".index(prefix.lower() or " ")))
