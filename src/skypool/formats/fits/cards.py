"""The cards of a FITS header: 80 characters each (FITS 4.0, section 4).

Reading is made for many small files: one compiled pattern a card, no astropy.
A card that cannot be understood is kept with its text, never fatal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias, TypeVar

__all__ = ["CARD", "Card", "Header", "Value", "parse_header"]

CARD = 80
Value: TypeAlias = bool | int | float | complex | str | None
T = TypeVar("T")

# Sections 4.2.1 to 4.2.6: a string, an integer, a real number (D exponents and lower-case ones
# included, which astropy reads too), a logical, a complex number, or nothing (undefined).
_VALUE = re.compile(
    r" *+(?:'([^']*+(?:''[^']*+)*+)'"
    r"|([+-]?[0-9]++)(?![.0-9EeDd])"
    r"|([+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[EeDd][+-]?[0-9]++)?+)"
    r"|([TF])(?= |/|$)"
    r"|\(([^()/']*+)\)"
    r")?+ *+(?:/ *+(.*+))?+$"
)
# Not allowed by the standard, but Java and IDL write them.
_NOT_FINITE = {"NaN": math.nan, "NAN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NUMBER = re.compile(r"([+-]?) *((?:[0-9]+\.?[0-9]*|\.[0-9]+) *(?:[EeDd] *[+-]? *[0-9]+)?)")
# The key cards of HCSS are not standard HIERARCH cards: no blanks round the equals sign, and
# a lower-case "key." that must not be folded to upper case.
_MAP = re.compile(r"HIERARCH *key\.([^=]+?) *= *'([^']+)'")
_HIERARCH = re.compile(r"HIERARCH +([^=']+?) *=(.*)$")

_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
# Cards that were read, by their text: the files of one pipeline have most of them in common.
_known: dict[str, Card] = {}
# Cards with a number in its usual place, by the text round it: that field, and the last such card.
_numbered: dict[str, tuple[str, Card]] = {}
_MOST_KNOWN = 16384
# The columns of numbers in fixed format (sections 4.2.3 and 4.2.4).
_FIELD, _BEHIND = 10, 30


class Card(NamedTuple):
    """One card, with its continuation lines.

    Attributes
    ----------
    keyword
        In upper case; without the word HIERARCH; ``key.NAME`` for the key cards of
        HCSS; empty for blank keywords.
    value
        None where the value is undefined. The text of commentary cards, of cards
        without value indicator and of values that cannot be understood.
    comment
        Without surrounding blanks.
    """

    keyword: str
    value: Value
    comment: str


# Three times as fast as `Card(...)`.
_made = tuple.__new__


class Header:
    """The cards of one header unit, in order.

    Attributes
    ----------
    cards : list[Card]
        All but END.
    bad : list[str]
        Cards that could not be understood, as text.
    keywords : tuple of str
        Of the cards.
    text_of_cards : str
        All of it, 80 characters for each card.
    """

    __slots__ = ("_first", "bad", "cards", "keywords", "text_of_cards")

    def __init__(self, cards: list[Card], bad: list[str], text: str = "") -> None:
        self.cards = cards
        self.bad = bad
        self.text_of_cards = text
        # The first card of a keyword counts, as in astropy and CFITSIO.
        self.keywords = tuple([card[0] for card in cards])
        self._first = dict(zip(reversed(self.keywords), reversed(cards), strict=True))

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._first

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards)

    def card(self, keyword: str) -> Card | None:
        """Return the first card of a keyword."""
        return self._first.get(keyword)

    def get(self, keyword: str) -> Value:
        """Return the value of a keyword; None where it is missing or undefined."""
        card = self._first.get(keyword)
        return None if card is None else card[1]

    def integer(self, keyword: str) -> int | None:
        """Return a value if it is an integer."""
        value = self.get(keyword)
        return value if type(value) is int else None

    def number(self, keyword: str) -> int | float | None:
        """Return a value if it is a real number."""
        value = self.get(keyword)
        return value if type(value) is int or type(value) is float else None

    def text(self, keyword: str) -> str:
        """Return a value if it is text, else an empty text."""
        card = self._first.get(keyword)
        if card is None:
            return ""
        value = card[1]
        return value.strip() if isinstance(value, str) else ""


def parse_header(raw: bytes) -> Header:
    """Parse the cards of one header.

    Parameters
    ----------
    raw
        The bytes before the END card: printable ASCII (section 3.3.1; the caller
        checks), a multiple of 80.

    Returns
    -------
    Header
    """
    text = raw.decode("ascii")
    bad: list[str] = []
    unusual = False
    lines = [text[start : start + CARD] for start in range(0, len(text) - len(text) % CARD, CARD)]
    found = list(map(_known.get, lines))
    cards: list[Card] = []
    for line, card in zip(lines, found, strict=True):
        if card is None:
            card = _numeric(line) or _plain(line)
            if card is None:
                card = _unusual(line, bad)
                unusual = True
        cards.append(card)
    if unusual:
        cards = [card if card[0].isupper() else _upper(card) for card in cards]
    if "&" in text:
        cards = _join(cards, "key." in text or "HCSS____" in text)
    return Header(cards, bad, text)


def _numeric(line: str) -> Card | None:
    """Read a card that differs from one that was read before in nothing but a plain number."""
    around = line[:_FIELD] + line[_BEHIND:]
    before = _numbered.get(around)
    if before is None:
        return None
    field = line[_FIELD:_BEHIND]
    if field == before[0]:
        return before[1]
    # Python takes both for a part of a number: `_`, and tabs and line ends for blanks.
    if "_" in field or not field.isprintable():
        return None
    try:
        value = float(field) if "." in field else int(field)
    except ValueError:
        return None
    card = _made(Card, (before[1][0], value, before[1][2]))
    _numbered[around] = field, card
    return card


def _plain(line: str) -> Card | None:
    """Read a plain card, and keep it for others like it; None for another one."""
    if line[8:10] != "= ":
        return None
    found = _VALUE.match(line, _FIELD)
    keyword = line[:8].rstrip()
    if found is None or keyword in _COMMENTARY:
        return None
    string, integer, real, logical, pair, comment = found.groups()
    value: Value
    if string is not None:
        value = string.rstrip()
        if "'" in value:
            value = value.replace("''", "'")
    elif integer is not None:
        value = int(integer)
    elif real is not None:
        value = _real(real)
    elif logical is not None:
        value = logical == "T"
    else:
        value = None if pair is None else _complex(pair)
    card = Card(keyword, value, comment.rstrip() if comment else "")
    if not keyword.isupper():
        card = _upper(card)
    number = integer or real
    if number and _stands_alone(line, number):
        _keep(_numbered, line[:_FIELD] + line[_BEHIND:], (line[_FIELD:_BEHIND], card))
    else:
        _keep(_known, line, card)
    return card


def _stands_alone(line: str, number: str) -> bool:
    """Return whether a number has its columns for itself, and a comment begins behind them."""
    return line[_FIELD:_BEHIND].strip() == number and line[_BEHIND:].lstrip()[:1] in ("", "/")


def _keep(kept: dict[str, T], text: str, card: T) -> None:
    if len(kept) >= _MOST_KNOWN:
        kept.clear()
    kept[text] = card


def _upper(card: Card) -> Card:
    """Fold a keyword: upper case by the standard, lower-case ones are read all the same."""
    upper = card.keyword.upper()
    return (
        card
        if upper == card.keyword or card.keyword.startswith("key.")
        else card._replace(keyword=upper)
    )


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float(text.replace("D", "E").replace("d", "e"))


def _complex(text: str) -> Value:
    parts = text.split(",")
    try:
        return complex(_real(parts[0]), _real(parts[1]))
    except (ValueError, IndexError):
        return f"({text})"


def _unusual(card: str, bad: list[str]) -> Card:
    """Read a card that is not a plain ``KEYWORD = value / comment``."""
    keyword = card[:8].rstrip()
    if keyword.upper() in _COMMENTARY:
        return Card(keyword, card[8:].rstrip(), "")
    if keyword == "CONTINUE":
        found = _VALUE.match(card, 8)
        if found is None:
            bad.append(card.rstrip())
            return Card("CONTINUE", card[8:].strip(), "")
        return Card("CONTINUE", _text(found), _comment(found))
    if card.startswith("HIERARCH"):
        mapped = _MAP.match(card)
        if mapped is not None:
            return Card("key." + mapped[1], mapped[2], "")
        named = _HIERARCH.match(card)
        if named is not None:
            return _valued(named[1].upper(), named[2], bad)
    at = card.find("= ", 0, 10)
    if at > 0:
        # Either a value that cannot be understood, or a value indicator before column 9.
        return _valued(card[: min(at, 8)].strip(), card[at + 2 :], bad)
    # Section 4.1.2.2: without value indicator the rest of the card is commentary.
    if not keyword.replace("-", "").replace("_", "").isalnum():
        bad.append(card.rstrip())
    return Card(keyword, card[8:].rstrip(), "")


def _text(found: re.Match[str]) -> str | None:
    string = found[1]
    return None if string is None else string.rstrip().replace("''", "'")


def _comment(found: re.Match[str]) -> str:
    comment = found[6]
    return comment.rstrip() if comment else ""


def _valued(keyword: str, field: str, bad: list[str]) -> Card:
    """Read the value field of an unusual card; what is not a value is kept as text."""
    found = _VALUE.match(field)
    if found is not None:
        value: Value = _text(found)
        if found[2]:
            value = int(found[2])
        elif found[3]:
            value = _real(found[3])
        elif found[4]:
            value = found[4] == "T"
        elif found[5] is not None:
            value = _complex(found[5])
        return Card(keyword, value, _comment(found))
    text, _, comment = field.partition("/")
    text = text.strip()
    number = _NUMBER.fullmatch(text)
    if number is not None:
        # Blanks inside a number, as FITS 1 allowed and astropy reads.
        digits = number[1] + number[2].replace(" ", "")
        return Card(
            keyword,
            int(digits) if digits.lstrip("+-").isdigit() else _real(digits),
            comment.strip(),
        )
    bad.append(f"{keyword}={field.rstrip()}")
    return Card(keyword, _NOT_FINITE.get(text, text), comment.strip())


def _join(cards: list[Card], hcss: bool) -> list[Card]:
    """Put long strings together (section 4.2.1.2), and long comments of HCSS.

    HCSS ends a long comment in ``&`` and goes on in the COMMENT cards right behind; an empty
    continuation of the string may serve the comment alone.
    """
    joined: list[Card] = []
    at = 0
    while at < len(cards):
        card = cards[at]
        at += 1
        value, comment = card.value, card.comment
        if isinstance(value, str) and card.keyword not in _COMMENTARY:
            while value.endswith("&") and at < len(cards) and cards[at].keyword == "CONTINUE":
                more = cards[at]
                value = value[:-1] + (more.value if isinstance(more.value, str) else "")
                comment = _append(comment, more.comment)
                at += 1
        if hcss:
            while comment.endswith("&") and at < len(cards) and cards[at].keyword == "COMMENT":
                more_text = str(cards[at].value)
                # A blank at the start of a line is written as a tilde.
                if more_text.startswith("~"):
                    more_text = " " + more_text[1:]
                comment = comment[:-1] + more_text
                at += 1
        joined.append(Card(card.keyword, value, comment))
    return joined


def _append(comment: str, more: str) -> str:
    if not more:
        return comment
    if comment.endswith("&"):
        return comment[:-1] + more
    return f"{comment} {more}" if comment else more
