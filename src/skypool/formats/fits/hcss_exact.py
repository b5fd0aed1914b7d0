"""What cards in the convention of HCSS cannot say, as notes in COMMENT cards.

HCSS has five types of parameters and no nested quotes: a text that looks like a time, a name of
90 characters, NaN, text outside of ASCII would come back as something else. A header that has
such things gets cards ``COMMENT skypool`` at its end, whose texts together are a JSON object:

| key | content |
|---|---|
| `meta` | list of [keyword, check, parameter]; [keyword] where the card is no parameter |
| `absent` | fixed attributes that the product does not have |
| `order` | names of all parameters, where they are not in the order of the cards |
| `name`, `unit`, `description`, `wcs`, `kind`, `history` | [check, value] |
| `shape` | of an array, where the image has another |
| `columns` | by number: [check, name, unit, description, facts]; facts are `escaped`, `null` |

A check is the CRC-32 of the JSON of what the cards said when they were written. Where somebody
has changed the cards since, they count. All other programs see comments.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.codec.documents import dumps, loads
from skypool.errors import Damaged
from skypool.model.kinds import KIND_PATTERN

if TYPE_CHECKING:
    from skypool.formats.fits.cards import Header

__all__ = ["Exact", "check_of", "exact_cards", "exact_of"]

_MARK = "skypool "
_WIDTH = 80 - len("COMMENT ") - len(_MARK)


class Exact:
    """The notes of one header.

    Parameters
    ----------
    notes
        The JSON object; empty for nearly all files.
    """

    __slots__ = ("notes",)

    def __init__(self, notes: dict[str, Any]) -> None:
        self.notes = notes

    def text(self, key: str, found: Any) -> Any:
        """Return what a note says instead of what the cards say."""
        note = self.notes.get(key)
        return note[1] if note is not None and note[0] == check_of(found) else found

    def meta(self, listed: Sequence[tuple[str, list[Any]]]) -> list[list[Any]]:
        """Return the parameters of a header in their order.

        Parameters
        ----------
        listed
            Keyword and parameter of the cards.
        """
        rows = {row[0]: row for row in self.notes.get("meta", ())}
        if not rows and "order" not in self.notes:
            return [entry for _, entry in listed]
        entries = []
        for keyword, entry in listed:
            row = rows.get(keyword)
            if row is None:
                entries.append(entry)
            elif len(row) == 3:
                same = row[1] == check_of(entry[1:])
                entries.append(row[2] if same else [row[2][0], *entry[1:]])
        place = {name: number for number, name in enumerate(self.notes.get("order", ()))}
        return sorted(entries, key=lambda entry: place.get(entry[0], len(place)))


NOTHING = Exact({})


def exact_of(header: Header) -> Exact:
    """Return the notes of a header."""
    lines = [
        card.value[len(_MARK) :]
        for card in header
        if card.keyword == "COMMENT"
        and isinstance(card.value, str)
        and card.value.startswith(_MARK)
    ]
    if not lines:
        return NOTHING
    try:
        notes = loads("".join(lines).encode("ascii"))
    except (Damaged, ValueError, TypeError, RecursionError):
        return NOTHING
    if not isinstance(notes, dict):
        return NOTHING
    return Exact({key: note for key, note in notes.items() if _is_sound(key, note)})


def _is_sound(key: str, note: Any) -> bool:
    """Say whether a note has the form that it should have; others are passed over."""
    if key in ("name", "unit", "description", "wcs", "kind", "history"):
        if not _is_list(note, int, object):
            return False
        if key == "history":
            return _are_texts(note[1])
        return isinstance(note[1], str) and (
            key != "kind" or KIND_PATTERN.match(note[1]) is not None
        )
    if key in ("absent", "order"):
        return _are_texts(note)
    if key == "meta":
        return isinstance(note, list) and all(_is_row(row) for row in note)
    if key == "columns":
        return isinstance(note, dict) and all(
            number.isdigit() and _is_list(column, int, str, str, str, dict)
            for number, column in note.items()
        )
    return key == "shape" and note == []


def _is_row(row: Any) -> bool:
    if _is_list(row, str):
        return True
    return (
        _is_list(row, str, int, list)
        and _is_list(row[2], str, object, str, str)
        and isinstance(row[2][1], bool | int | float | str | datetime)
    )


def _is_list(found: Any, *types: type) -> bool:
    return (
        isinstance(found, list)
        and len(found) == len(types)
        and all(isinstance(item, kind) for item, kind in zip(found, types, strict=True))
    )


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(text, str) for text in found)


def exact_cards(notes: dict[str, Any]) -> Iterator[str]:
    """Yield the cards of notes; none where there are none."""
    if not notes:
        return
    # Blanks at the end of a card would be lost.
    text = dumps(notes).decode("ascii").replace(" ", "\\u0020")
    for start in range(0, len(text), _WIDTH):
        yield f"COMMENT {_MARK}{text[start : start + _WIDTH]}".ljust(80)


def check_of(found: Any) -> int:
    """Return the check of what cards say."""
    return zlib.crc32(dumps(found))
