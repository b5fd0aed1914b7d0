"""Values of the header cards that world coordinates are made of."""

from __future__ import annotations

import re

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
        card = header[start : start + 80]
        if card[8:10] != "= ":
            continue
        keyword = card[:8].rstrip()
        if keyword in values:
            repeated.add(keyword)
            continue
        number = _NUMBER.fullmatch(card, 10)
        if number is not None:
            values[keyword] = float(number[1].replace("d", "e").replace("D", "E"))
            continue
        text = _TEXT.match(card, 10)
        if text is not None:
            values[keyword] = text[1].replace("''", "'").rstrip()
    return values, repeated
