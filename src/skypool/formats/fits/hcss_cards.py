"""Header cards as HCSS makes them: long texts and comments, units, key cards."""

from __future__ import annotations

from collections.abc import Iterator

from skypool.formats.fits.writer_cards import ascii_text, number_text, plain_value, text_pieces
from skypool.model.metadata import Parameter, Value

__all__ = ["banner", "card", "continued", "key_card", "parameter_cards", "text_card"]

CARD = 80
_ROOM = CARD - len("COMMENT ") - 1
# Where HCSS cuts the comment of a first card.
_CUT = 78
_KEY = "HIERARCH  key."


def banner(text: str) -> str:
    """Return a card that only people read."""
    return f"{'':10}{f' {text} ':-^58}".ljust(CARD)


def card(keyword: str, value: Value, comment: str = "") -> list[str]:
    """Return the cards of a keyword that is no parameter."""
    plain = plain_value(value)
    if isinstance(plain, str):
        return text_card(keyword, plain, comment)
    return _commented(f"{keyword:<8}= {number_text(plain):>20}", comment)


def parameter_cards(keyword: str, parameter: Parameter) -> list[str]:
    """Return the cards of a parameter; the unit of a number stands before its description."""
    value = plain_value(parameter.value)
    comment = parameter.description
    if isinstance(value, int | float) and not isinstance(value, bool):
        comment = f"[{parameter.unit}] {comment}".rstrip()
    return card(keyword, value, ascii_text(comment))


def key_card(keyword: str, name: str, taken: set[str]) -> str:
    """Return the card that gives the name of the parameter under a keyword.

    Parameters
    ----------
    keyword
        Of the parameter.
    name
        Shortened, and without quotes, where the card could not hold it.
    taken
        Names that other key cards of the header have; gets this one.
    """
    room = CARD - len(_KEY) - len(keyword) - 3
    clean = ascii_text(name).replace("'", '"').strip() or "unnamed"
    short, number = clean[:room].strip(), 2
    while short in taken:
        end = f"_{number}"
        short, number = clean[: room - len(end)] + end, number + 1
    taken.add(short)
    return f"{_KEY}{keyword}='{short}'".ljust(CARD)


def text_card(keyword: str, text: str, comment: str) -> list[str]:
    """Return the cards of a text: CONTINUE for long ones, COMMENT for what comments go on with."""
    start = f"{keyword:<8}= "
    quoted = text.replace("'", "''")
    line = f"{start}'{quoted:<8}'"
    if len(line) <= CARD and len(f"{line:<30}{_comment(comment)}") <= CARD:
        return [f"{line:<30}{_comment(comment)}".ljust(CARD)]
    pieces = list(text_pieces(text, CARD - len(start) - 3))
    lines = []
    for place, piece in enumerate(pieces):
        head = "CONTINUE  " if place else start
        if place < len(pieces) - 1:
            lines.append(f"{head}'{piece}&'".ljust(CARD))
        elif len(f"{head}'{piece}'{_comment(comment)}") <= CARD:
            lines.append(f"{head}'{piece}'{_comment(comment)}".ljust(CARD))
        else:
            # An empty continuation only carries the comment.
            lines.append(f"{head}'{piece}&'".ljust(CARD))
            lines += _commented("CONTINUE  ''", comment)
    return lines


def _comment(text: str) -> str:
    return f" / {text}" if text else ""


def _commented(line: str, comment: str) -> list[str]:
    if len(line + _comment(comment)) <= CARD:
        return [(line + _comment(comment)).ljust(CARD)]
    room = max(0, _CUT - len(line) - len(" / ") - 1)
    if line.startswith("CONTINUE"):
        room = 0  # as HCSS does it
    return [f"{line} / {comment[:room]}&".ljust(CARD), *continued(comment[room:])]


def continued(text: str) -> Iterator[str]:
    """Yield the COMMENT cards that a comment goes on in; a leading blank becomes a tilde."""
    for start in range(0, len(text), _ROOM):
        piece = text[start : start + _ROOM]
        if piece.startswith(" "):
            piece = "~" + piece[1:]
        more = "&" if start + _ROOM < len(text) else ""
        yield f"COMMENT {piece}{more}".ljust(CARD)
