"""The cards of FITS headers, exactly as they are stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from skypool.codec.reading import read_segment
from skypool.codec.segments import segment_from_json
from skypool.formats.fits.cards import CARD, parse_header

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["cards_of", "header_units"]

_NUMBER: Final = re.compile(r"= *([^'/ ][^/]*?) *(?:/.*)?$")


def header_units(ref: Ref) -> list[dict[str, Any]]:
    """Return the header of every HDU; nothing for products that are no FITS files."""
    file = ref.document.get("file") or {}
    fetch = ref.view.fetch_for(ref)
    units = []
    for index, hdu in enumerate(file.get("hdus", ())):
        raw = read_segment(segment_from_json(file["segments"][hdu["header"]]), fetch)
        cards = cards_of(raw)
        names = {card[0]: card[1] for card in reversed(cards)}
        name = str(names.get("EXTNAME") or ("Primary" if index == 0 else ""))
        units.append({"index": index, "name": name, "type": hdu["type"], "cards": cards})
    return units


def cards_of(raw: bytes) -> list[list[str]]:
    """Return keyword, value as it is written, comment, and the whole text of each card up to END.

    The text of a card has its 80 characters; lines that continue it follow, each a line.
    """
    text = raw.decode("latin-1")
    lines = [text[at : at + CARD] for at in range(0, len(text) - CARD + 1, CARD)]
    runs: list[list[str]] = []
    for line in lines:
        if line.rstrip() == "END":
            break
        if runs and line.startswith("CONTINUE"):
            runs[-1].append(line)
        else:
            runs.append([line])
    return [_card(run) for run in runs]


def _card(run: list[str]) -> list[str]:
    whole = "\n".join(run)
    found = parse_header("".join(run).encode()).cards if whole.isascii() else []
    if len(found) != 1:  # not understood, or a stray continuation
        return [run[0][:8].strip(), run[0][8:].strip(), "", whole]
    card = found[0]
    number = _NUMBER.match(run[0], run[0].find("=")) if "=" in run[0] else None
    written = number.group(1) if number else ""
    value = card.value if isinstance(card.value, str) else written
    return [card.keyword, value, card.comment, whole]
