"""Header cards as parameters of a product or dataset."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Card, Header

__all__ = ["card_parameters", "parameter", "parse_mjd", "parse_time", "plain_value"]

# Cards that say how the bytes of the file are arranged. They say nothing about the product, and
# would be wrong for a changed copy of it.
STRUCTURE = re.compile(
    r"(SIMPLE|XTENSION|BITPIX|NAXIS[0-9]*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|TFIELDS|THEAP|END"
    r"|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|LONGSTRN|CONTINUE|ZHECKSUM|ZDATASUM"
    r"|T(TYPE|FORM|UNIT|DIM|SCAL|ZERO|NULL|DISP|BCOL|COMM|COLU|CLAS)[1-9][0-9]*"
    r"|Z(IMAGE|SIMPLE|TENSION|BITPIX|EXTEND|PCOUNT|GCOUNT|NAXIS[0-9]*|TILE[0-9]+|CMPTYPE"
    r"|NAME[0-9]+|VAL[0-9]+|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|BLOCKED))\Z"
)
# Numbers carry their unit in the comment (section 4.3.2): "[deg] pointing".
_UNIT = re.compile(r"\[([^\[\]|:;,=?!]*)\] ?(.*)", re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d*)?Z?\Z")
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_COMMENTARY = ("COMMENT", "HISTORY")


def parse_time(text: str) -> datetime | None:
    """Read a time in the form of the standard (section 9.1.1), taken as UTC.

    Returns
    -------
    datetime or None
        None where it has another form, or no time of day.
    """
    if not _TIME.match(text):
        return None
    try:
        return datetime.fromisoformat(text.rstrip("Z").rstrip(".")).replace(tzinfo=UTC)
    except ValueError:  # the 61st second of a leap second, a 13th month
        return None


def parse_mjd(number: float) -> datetime | None:
    """Read a modified Julian date of UTC; None outside of the years 1 to 9999."""
    try:
        return _MJD_ZERO + timedelta(days=number)
    except (OverflowError, ValueError):
        return None


def plain_value(value: Any) -> Any:
    """Return a card's value as a document can hold it."""
    if value is None:
        return ""
    if isinstance(value, complex):
        return f"({value.real}, {value.imag})"
    return value


def parameter(name: str, card: Card) -> list[Any]:
    """Make a parameter of a card: the unit is in brackets before the comment of numbers."""
    _, value, comment = card
    unit = ""
    sort = type(value)
    if sort is float or sort is int:
        if comment.startswith("["):
            found = _UNIT.match(comment)
            if found is not None:
                unit, comment = found[1].strip(), found[2].strip()
    elif sort is not str:
        value = plain_value(value)
    if comment:
        return [name, value, unit, comment]
    return [name, value, unit] if unit else [name, value]


@lru_cache(maxsize=4096)
def _is_left_out(keyword: str) -> bool:
    """Return whether a card says nothing about the product itself."""
    return STRUCTURE.match(keyword) is not None or keyword.startswith("key.")


def card_parameters(header: Header) -> list[list[Any]]:
    """Return the cards of a header as parameters under their own keywords.

    COMMENT and HISTORY cards are joined by line feeds, blank keywords count as COMMENT. The
    second card of a keyword becomes ``KEYWORD,2``. Names that HCSS gives in key cards are used.
    """
    cards = header.cards
    keywords = header.keywords
    given = tuple(
        [(card[0][4:], card[1]) for card in cards if card[0].startswith("key.")]
        if "key." in header.text_of_cards
        else ()
    )
    arranged = _arranged(keywords, given)
    listed = [parameter(name, cards[place]) for name, place in arranged.named]
    for keyword, places in arranged.joined:
        lines = [str(cards[place].value) for place in places if cards[place].value]
        if lines:
            found = [keyword, "\n".join(lines)]
            if keyword in arranged.names:  # a name that a key card gives
                listed[arranged.names.index(keyword)] = found
            else:
                listed.append(found)
    return listed


class _Arranged(NamedTuple):
    """Which cards of a header are parameters.

    Attributes
    ----------
    named
        Name and place of each card that is one by itself.
    names
        The names alone.
    joined
        Keywords of commentary, and the places of its lines.
    """

    named: list[tuple[str, int]]
    names: list[str]
    joined: list[tuple[str, list[int]]]


@lru_cache(maxsize=256)
def _arranged(keywords: tuple[str, ...], given: tuple[tuple[str, Any], ...]) -> _Arranged:
    """Arrange the cards of a header; the files of one pipeline have the same keywords."""
    named = dict(given)
    listed: dict[str, int] = {}
    joined: dict[str, list[int]] = {"COMMENT": [], "HISTORY": []}
    for place, keyword in enumerate(keywords):
        if keyword in _COMMENTARY or not keyword:
            joined[keyword or "COMMENT"].append(place)
            continue
        if _is_left_out(keyword):
            continue
        name = keyword
        if named and isinstance(named.get(keyword), str):
            name = str(named[keyword])
        count = 2
        stem = name
        while name in listed:
            name = f"{stem},{count}"
            count += 1
        listed[name] = place
    lines = [(keyword, places) for keyword, places in joined.items() if places]
    return _Arranged(list(listed.items()), list(listed), lines)
