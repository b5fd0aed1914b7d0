"""Values of the header cards that world coordinates are made of."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["card_values"]

_NUMBER = re.compile(r" *([+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?) *(?:/.*)?")
_TEXT = re.compile(r" *'((?:[^']|'')*)'")


def card_values(header: str) -> tuple[dict[str, float | str], set[str]]:
    """Return numbers and texts by keyword, and the keywords that stand there several times.

    Parameters
    ----------
    header
        80-character cards one behind the other (FITS 4.0 section 4). Cards without a value, and
        values of other types, are left out; of repeated ones the first is returned.
    """
    values: dict[str, float | str] = {}
    repeated: set[str] = set()
    for start in range(0, len(header), 80):
        read = _card(header[start : start + 80])
        if read is None:
            continue
        keyword, value = read
        if keyword in values:
            repeated.add(keyword)
        elif value is not None:
            values[keyword] = value
    return values, repeated


@lru_cache(maxsize=4096)
def _card(card: str) -> tuple[str, float | str | None] | None:
    """Return keyword and value of a card; images of one survey have most of them in common."""
    if card[8:10] != "= ":
        return None
    keyword = card[:8].rstrip()
    number = _NUMBER.fullmatch(card, 10)
    if number is not None:
        return keyword, float(number[1].replace("d", "e").replace("D", "E"))
    text = _TEXT.match(card, 10)
    return keyword, None if text is None else text[1].replace("''", "'").rstrip()
