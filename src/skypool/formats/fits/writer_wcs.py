"""World coordinates of complex arrays, whose real and imaginary parts are an axis of their own."""

from __future__ import annotations

import re

from skypool.formats.fits.writer_cards import fits_cards
from skypool.model.arrays import Array

__all__ = ["complex_wcs"]

_ONE = re.compile(r"(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER)(\d+)([A-Z]?)\Z")
_TWO = re.compile(r"(PC|CD)(\d+)_(\d+)([A-Z]?)\Z")
_PARAMETER = re.compile(r"(PV|PS)(\d+)(_\d+[A-Z]?)\Z")


def complex_wcs(dataset: Array) -> str:
    """Return the cards for an image whose first axis holds real and imaginary part.

    FITS 4.0, section 8.2 and table 26: such an axis has the type `COMPLEX`. The axes of
    the array follow it. SIP terms, which belong to the axes 1 and 2, are left out; the
    exact cards stand in the table `SKYPOOL`.
    """
    header = dataset.wcs_header
    cards = [header[start : start + 80] for start in range(0, len(header), 80)]
    axes = 1 + dataset.ndim
    for card in cards:
        if card.startswith("WCSAXES ="):
            axes = max(axes, 1 + int(card[10:30]))
    made = list(fits_cards("WCSAXES", axes))
    made += fits_cards("CTYPE1", "COMPLEX", "real and imaginary part")
    for keyword in ("CRPIX1", "CRVAL1", "CDELT1"):
        made += fits_cards(keyword, 1.0)
    for card in cards:
        keyword = _moved(card[:8].rstrip())
        if keyword and len(keyword) <= 8:
            made.append(f"{keyword:<8}{card[8:]}")
    return "".join(made)


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
