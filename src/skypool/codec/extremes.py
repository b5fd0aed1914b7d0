"""The extremes of whole arrays and columns, from the statistics in documents."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Extremes", "extremes", "finite_values"]

_LAYOUTS = {
    kind: struct.Struct(f"<4Q2{letter}") for kind, letter in (("f8", "d"), ("i8", "q"), ("u8", "Q"))
}


class Extremes(NamedTuple):
    """What statistics say of all values together.

    Attributes
    ----------
    values : int
        How many are not NaN.
    minimum, maximum : int, float or None
        Over these; None where there are none.
    """

    values: int
    minimum: int | float | None
    maximum: int | float | None


def finite_values(stats: Mapping[str, Any]) -> int | None:
    """Return how many finite values statistics count; None if that is not in the document."""
    text = stats.get("values")
    if not text:
        return None
    entries = _LAYOUTS[stats["type"]].iter_unpack(base64.b64decode(text))
    return sum(int(entry[0]) for entry in entries)


def extremes(stats: Mapping[str, Any] | None) -> Extremes | None:
    """Return the extremes that the `stats` of an array or column give; no chunk is read.

    Returns
    -------
    Extremes or None
        None where there are no statistics, or their total is not in the document.
    """
    if stats is None:
        return None
    text = stats.get("values") or stats.get("total")
    if not text:
        return None
    layout = _LAYOUTS[stats["type"]]
    count = 0
    low: int | float | None = None
    high: int | float | None = None
    for finite, _, above, below, least, most in layout.iter_unpack(base64.b64decode(text)):
        valued = finite + above + below
        if valued:
            count += valued
            low = least if low is None else min(low, least)
            high = most if high is None else max(high, most)
    return Extremes(count, low, high)
