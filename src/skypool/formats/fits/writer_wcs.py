"""World coordinates as the cards of an image extension (FITS 4.0, section 8)."""

from __future__ import annotations

import re

from skypool.formats.fits.writer_cards import fits_cards

__all__ = ["written_wcs"]

_ONE = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER)(\d+)([A-Z]?)\Z")
_TWO = re.compile(r"(PC|CD)(\d+)_(\d+)([A-Z]?)\Z")
_PARAMETER = re.compile(r"(PV|PS)(\d+)(_\d+[A-Z]?)\Z")
# What the standard takes for granted where it is left out (table 22), but fitsverify misses.
_DEFAULTS: tuple[tuple[str, str | float], ...] = (
    *(("CTYPE", ""), ("CRPIX", 0.0), ("CRVAL", 0.0)),
    ("CDELT", 1.0),
)


def written_wcs(header: str, ndim: int, is_complex: bool) -> str:
    """Return the cards of world coordinates that an extension gets.

    Parameters
    ----------
    header
        80-character cards of the array; empty where it has none.
    ndim
        Number of axes of the array.
    is_complex
        Whether real and imaginary part become an axis of the image, the first one, of the
        type `COMPLEX` (table 26); the axes of the array then follow it. SIP terms, which
        belong to the axes 1 and 2, are left out.
    """
    if not header:
        return ""
    cards = [header[start : start + 80] for start in range(0, len(header), 80)]
    axes = _axes(cards, ndim)
    if is_complex:
        axes += 1
        first = [*fits_cards("CTYPE1", "COMPLEX", "real and imaginary part")]
        first += [card for key in ("CRPIX1", "CRVAL1", "CDELT1") for card in fits_cards(key, 1.0)]
        moved = ((_moved(card[:8].rstrip()), card) for card in cards)
        cards = first + [f"{key:<8}{card[8:]}" for key, card in moved if 0 < len(key) <= 8]
    there = {card[:8].rstrip() for card in cards}
    matrix = {keyword for keyword in there if _TWO.match(keyword)}
    made = [card for card in cards if not card.startswith("WCSAXES =")]
    # Section 8.2: WCSAXES comes before all others.
    made.insert(0, *fits_cards("WCSAXES", axes))
    for axis in range(1, axes + 1):
        for stem, value in _DEFAULTS:
            by_matrix = stem == "CDELT" and any(key.startswith("CD") for key in matrix)
            if f"{stem}{axis}" not in there and not by_matrix:
                made += fits_cards(f"{stem}{axis}", value)
    return "".join(made)


def _axes(cards: list[str], ndim: int) -> int:
    """Return the number of world axes, as WCSAXES and the indices of the cards have it."""
    axes = max(1, ndim)
    for card in cards:
        number = card[10:30].strip()
        if card.startswith("WCSAXES =") and number.isdigit():
            axes = max(axes, int(number))
        found = _ONE.match(card[:8].rstrip()) or _PARAMETER.match(card[:8].rstrip())
        if found:
            axes = max(axes, int(found[2]))
    return axes


def _moved(keyword: str) -> str:
    """Return a keyword with the numbers of its axes raised by one; empty to leave it out."""
    if keyword.startswith(("WCSAXES", "A_", "B_", "AP_", "BP_", "D2IM", "DP", "DQ", "CPDIS")):
        return ""
    found = _ONE.match(keyword)
    if found:
        return f"{found[1]}{int(found[2]) + 1}{found[3]}"
    found = _TWO.match(keyword)
    if found:
        return f"{found[1]}{int(found[2]) + 1}_{int(found[3]) + 1}{found[4]}"
    found = _PARAMETER.match(keyword)
    return f"{found[1]}{int(found[2]) + 1}{found[3]}" if found else keyword
