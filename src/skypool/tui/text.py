"""Text of values for a grid of characters."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from skypool.model.amounts import count_text, size_text

__all__ = ["cell", "clean", "count_text", "fitted", "percent", "size_text", "with_unit"]

_DIGITS: Final = 12
# Those of the page, too: the least value, what it is divided by, the unit then.
_HANDY: Final[dict[str, tuple[tuple[float, float, str], ...]]] = {
    "Hz": ((1e9, 1e9, "GHz"), (1e6, 1e6, "MHz")),
    "m": ((1e-2, 1, "m"), (1e-7, 1e-6, "um"), (0, 1e-9, "nm")),
    "m/s": ((1e4, 1e3, "km/s"),),
    "m s-1": ((1e4, 1e3, "km/s"),),
    "m / s": ((1e4, 1e3, "km/s"),),
}
# Control characters, and those that hide or reverse what follows, would let a name in a file
# write over the screen.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Return a text that takes one line and nothing but its own cells."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)


def cell(value: Any) -> str:
    """Return the text of a value; empty only for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = repr(value)
        return short if len(short) <= _DIGITS or not math.isfinite(value) else f"{value:.9g}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return clean(str(value))


@lru_cache(maxsize=16_384)
def fitted(text: str, width: int, right: bool = False, middle: bool = False) -> str:
    """Return a text of exactly so many cells; what is too long loses its end, or its middle.

    Parameters
    ----------
    text
        A clean one.
    width
        Cells.
    right
        Whether short ones stand at the right.
    middle
        Whether long ones lose their middle, as names of files do.
    """
    length = len(text) if text.isascii() else cell_len(text)
    if length <= width:
        blank = " " * (width - length)
        return blank + text if right else text + blank
    if width < 1:
        return ""
    if not middle or width < 8 or not text.isascii():
        return set_cell_size(text, width - 1) + "…"
    tail = width // 3
    return text[: width - 1 - tail] + "…" + text[-tail:]


def percent(share: float) -> str:
    """Return a share of one as per cent; neither 0 nor 100 unless it is."""
    shown = round(100 * share)
    if 0 < share < 1:
        shown = min(99, max(1, shown))
    return f"{shown} %"


def with_unit(value: float, unit: str) -> str:
    """Return a value in the unit in which it is read best, in seven digits.

    Parameters
    ----------
    value
        In that unit.
    unit
        As the header has it.
    """
    for least, factor, better in _HANDY.get(unit, ()):
        if abs(value) >= least:
            return f"{value / factor:.7g} {better}"
    return f"{value:.7g} {unit}".rstrip()
