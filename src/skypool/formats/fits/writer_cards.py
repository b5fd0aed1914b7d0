"""Header cards as the writer makes them (FITS 4.0, section 4)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime

from skypool.model.metadata import Value
from skypool.model.times import format_utc

__all__ = [
    "ascii_text",
    "comment_of",
    "commentary",
    "fits_cards",
    "header_bytes",
    "hierarch_card",
    "long_hierarch",
    "number_text",
    "plain_value",
    "text_pieces",
]

CARD = 80
BLOCK = 2880
# A number must fit behind the value indicator.
_NUMBER_WIDTH = 70
_HIERARCH_NAME = re.compile(r"[A-Za-z0-9_.+-]+(?: [A-Za-z0-9_.+-]+)*\Z")


def ascii_text(text: str) -> str:
    r"""Return text in the characters that headers allow, others as in Python (``\xe9``).

    Section 3.3.1: a header holds printable ASCII only. A backslash stays as it is
    unless something is escaped, so that plain text is not altered.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode("ascii")


def comment_of(unit: str, description: str) -> str:
    """Return the comment of a card: the unit in brackets (section 4.3.2), and what it means."""
    text = f"[{unit}] {description}".rstrip() if unit else description
    return ascii_text(text.strip())


def plain_value(value: Value) -> bool | int | float | str:
    """Return the value that a card holds for a parameter.

    Times become text of UTC (section 9.1.1). NaN, infinities and integers beyond 70
    digits, which cards cannot hold, become text.
    """
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, str):
        return ascii_text(value).rstrip(" ")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if len(str(value)) > _NUMBER_WIDTH:
        return str(value)
    return value


def number_text(value: object) -> str:
    """Return a number or a truth value as a card has it."""
    if isinstance(value, bool):
        return "T" if value else "F"
    text = repr(value).upper()
    if isinstance(value, float) and "." not in text:
        # 1E+20 has no decimal point, without which some readers take it for an integer.
        text = text.replace("E", ".0E") if "E" in text else f"{text}.0"
    return text


def fits_cards(keyword: str, value: Value, comment: str = "") -> Iterator[str]:
    """Yield the cards of one keyword; long text goes on in CONTINUE cards (section 4.2.1.2).

    Parameters
    ----------
    keyword
        At most 8 characters.
    value
        Of a parameter.
    comment
        ASCII; cut where it does not fit.
    """
    plain = plain_value(value)
    start = f"{keyword:<8}= "
    if not isinstance(plain, str):
        yield _with_comment(f"{start}{number_text(plain):>20}", comment)
        return
    quoted = "'" + f"{plain.replace(chr(39), chr(39) * 2):<8}" + "'"
    if len(quoted) <= CARD - len(start):
        yield _with_comment(f"{start}{quoted:<20}", comment)
        return
    yield from _long_text(start, plain, comment)


def _long_text(start: str, text: str, comment: str) -> Iterator[str]:
    pieces = list(text_pieces(text, CARD - len(start) - 3))  # the quotes and the ampersand
    for place, content in enumerate(pieces):
        head = start if place == 0 else "CONTINUE  "
        if place < len(pieces) - 1:
            yield f"{head}'{content}&'".ljust(CARD)
        else:
            yield _with_comment(f"{head}'{content}'", comment)


def text_pieces(text: str, room: int) -> Iterator[str]:
    """Yield what stands between the quotes of a card and of those that continue it.

    Parameters
    ----------
    text
        Its quotes are doubled.
    room
        Characters on the first card, without quotes and ampersand.
    """
    piece = ""
    for character in text:
        added = "''" if character == "'" else character
        if len(piece) + len(added) > room:
            yield piece
            piece = ""
            room = CARD - len("CONTINUE  ") - 3
        piece += added
    yield piece
    if text.endswith("&"):
        yield ""  # an ampersand at the very end would announce more


def _with_comment(card: str, comment: str) -> str:
    if comment and len(card) < CARD - 3:
        card = f"{card} / {comment}"[:CARD]
    return card.ljust(CARD)


def hierarch_card(name: str, value: Value, comment: str = "") -> str | None:
    """Return the card of a name that is no keyword, by the HIERARCH convention.

    Parameters
    ----------
    name
        Letters, digits, `_`, `.`, `+`, `-`, and single blanks between them.
    value, comment
        As for `fits_cards`.

    Returns
    -------
    str or None
        None where the name cannot be written so, or the card would be too long.
    """
    if not _HIERARCH_NAME.match(name):
        return None
    plain = plain_value(value)
    if isinstance(plain, str):
        text = "'" + f"{plain.replace(chr(39), chr(39) * 2)}" + "'"
    else:
        text = number_text(plain)
    card = f"HIERARCH {name} = {text}"
    return _with_comment(card, comment) if len(card) <= CARD else None


def long_hierarch(name: str, text: str, comment: str) -> Iterator[str]:
    """Yield the cards of a long text under a name that is no keyword; none where it cannot be."""
    start = f"HIERARCH {name} = "
    if _HIERARCH_NAME.match(name) and len(start) <= CARD - 8:
        yield from _long_text(start, text, comment)


def commentary(keyword: str, text: str) -> Iterator[str]:
    """Yield COMMENT or HISTORY cards; each line of the text starts a new one."""
    for line in text.split("\n"):
        clean = ascii_text(line)
        for start in range(0, max(1, len(clean)), CARD - 8):
            yield f"{keyword:<8}{clean[start : start + CARD - 8]}".ljust(CARD)


def header_bytes(cards: list[str]) -> bytes:
    """Return a header with END and fill."""
    text = "".join([*cards, "END".ljust(CARD)])
    return text.encode("ascii") + b" " * (-len(text) % BLOCK)
