"""World coordinates as FITS header cards, and back."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from skypool.model.iraf import in_standard_words
from skypool.model.validate import Problems

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["build_wcs", "has_wcs", "is_wcs_keyword", "needs_tables", "wcs_cards", "wcs_text"]

# Header cards without which there are no world coordinates (FITS 4.0 section 8.2),
# and those of the old convention (CROTA, CD).
_SIGN = re.compile(
    r"(?:.{80})*?(?:(?:CTYPE|CRVAL|CRPIX|CDELT|CROTA)\d+[A-Z]? *=|(?:CD|PC)\d+_\d+[A-Z]? *=)",
    re.DOTALL,
)
# All cards that say something about world coordinates: the standard's (section 8), SIP,
# distortions of the axes, and what astropy writes besides.
_CARDS = re.compile(
    r"(?:WCSAXES|WCSNAME|RADESYS|EQUINOX|LONPOLE|LATPOLE|SPECSYS|SSYSOBS|SSYSSRC|VELOSYS|ZSOURCE"
    r"|VELANGL|RESTFRQ|RESTWAV|MJD-OBS|MJD-AVG|MJD-BEG|MJD-END|DATE-OBS|DATE-AVG|DATE-BEG|DATE-END)"
    r"[A-Z]?|RADECSYS|EPOCH|RESTFREQ|VELREF|OBSGEO-[XYZLBH]|OBSORBIT|TIMESYS|TREFPOS|TREFDIR"
    r"|PLEPHEM|TIMEUNIT|DATEREF|MJDREF[IF]?|JDREF[IF]?|TIMEOFFS|TIMSYER|TIMRDER|TIMEDEL|TIMEPIXR"
    r"|TSTART|TSTOP|TELAPSE|XPOSURE|JEPOCH|BEPOCH"
    r"|(?:CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER|CZPHS|CPERI)\d+[A-Z]?"
    r"|(?:PC|CD|PV|PS)\d+_\d+[A-Z]?|(?:A|B|AP|BP)_(?:ORDER|DMAX|\d+_\d+)"
    r"|(?:CPDIS|CQDIS|DP|DQ|CPERR|CQERR|DVERR)\d*[A-Z]?(?:\..*)?"
    r"|D2IM\w+|AXISCORR|AMD[XY]\d+|PPO\d+|PLT(?:RAH|RAM|RAS|DECSN|DECD|DECM|DECS|SCALE)"
    r"|CNPIX\d|[XY]PIXELSZ"
)
# Distortions of pixels and of a detector, and coordinates, that stand in tables of the file.
_TABLES = re.compile(
    r"(?:.{80})*?"
    r"(?:(?:CPDIS|CQDIS)\d+ *= *'LOOKUP|D2IMDIS\d *=|AXISCORR *=|CTYPE\d+ *= *'....-TAB)",
    re.DOTALL,
)
# The card without which IRAF says nothing of its own.
_IRAF = "WAT1_001="
_SIP = re.compile(r"(A|B|AP|BP)_(\d+)_(\d+) *=")
# Bits of astropy.wcs.WCS.to_header: everything that wcslib can write, 17 digits, SIP.
_SIP_BIT = 0x80000


def has_wcs(header: str) -> bool:
    """Say whether 80-character cards hold world coordinates."""
    return _SIGN.match(header) is not None


def wcs_cards(header: str) -> str:
    """Return those of 80-character cards that say something about world coordinates.

    What IRAF says of spectra in keywords of its own is put into the words of the standard.
    """
    if not has_wcs(header):
        return ""
    starts = tuple([header[start : start + 10] for start in range(0, len(header), 80)])
    found = "".join([header[start : start + 80].ljust(80) for start in _wcs_starts(starts)])
    return in_standard_words(header, found) if _IRAF in header else found


@lru_cache(maxsize=256)
def _wcs_starts(beginnings: tuple[str, ...]) -> list[int]:
    """Return where cards are that say something about world coordinates, by how all begin.

    The headers of one pipeline have the same keywords.
    """
    return [
        80 * place
        for place, start in enumerate(beginnings)
        if start[8:] == "= " and is_wcs_keyword(start[:8].rstrip())
    ]


def is_wcs_keyword(keyword: str) -> bool:
    """Say whether a header keyword says something about world coordinates."""
    return _CARDS.fullmatch(keyword) is not None


def needs_tables(header: str) -> bool:
    """Say whether 80-character cards speak of coordinates in other parts of the file."""
    return _TABLES.match(header) is not None


def build_wcs(
    header: str, shape: tuple[int, ...], open_file: Callable[[], Any] | None = None
) -> WCS | None:
    """Return the world coordinates that a header gives.

    Parameters
    ----------
    header
        80-character cards one behind the other.
    shape
        Of the array that they belong to, slowest axis first.
    open_file
        Opens the file that the header is from, for distortions from tables in other parts of it.

    Returns
    -------
    astropy.wcs.WCS or None
        None where the header has none, or such as need more than there is.
    """
    if not has_wcs(header):
        return None
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        # Old spellings of units and dates are repaired with a warning each.
        warnings.simplefilter("ignore")
        try:
            if open_file is not None and needs_tables(header):
                wcs = _with_tables(header, open_file)
            else:
                wcs = WCS(Header.fromstring(header))
        except (ValueError, AssertionError, KeyError, IndexError, MemoryError):
            return None  # tables that do not fit the header are a MemoryError to astropy
    if wcs.naxis == len(shape):
        wcs.pixel_shape = shape[::-1]
    return wcs


def _with_tables(header: str, open_file: Callable[[], Any]) -> WCS:
    """Return world coordinates that need other parts of their file."""
    from astropy.io import fits
    from astropy.wcs import WCS

    with open_file() as file, fits.open(file, mode="readonly", memmap=False) as hdus:
        return WCS(fits.Header.fromstring(header), hdus)


def wcs_text(wcs: Any, problems: Problems) -> str:
    """Return the header cards of world coordinates, exact to the last digit.

    Parameters
    ----------
    wcs
        `astropy.wcs.WCS`, a `Header`, or text of 80-character cards.
    problems
        Takes what cannot be kept.
    """
    if hasattr(wcs, "tostring") and hasattr(wcs, "cards"):
        wcs = str(wcs.tostring(sep="", endcard=False, padding=False))
    if isinstance(wcs, str):
        return wcs_cards(wcs) if _IRAF in wcs else wcs
    low = wcs if hasattr(wcs, "to_header") else getattr(wcs, "low_level_wcs", None)
    if low is None or not hasattr(low, "to_header"):
        problems.add(
            f"world coordinates of type {type(wcs).__name__} cannot be written as FITS "
            "header; give an astropy.wcs.WCS",
            "wcs",
        )
        return ""
    if low.cpdis1 or low.cpdis2 or low.det2im1 or low.det2im2 or low.wcs.wtb or low.wcs.tab:
        problems.add(
            "world coordinates with distortions from tables cannot be written as header; "
            "give wcs.sub(...) or a fit with SIP terms (astropy.wcs.utils.fit_wcs_from_points)",
            "wcs",
        )
        return ""
    return _exact_header(low)


def _exact_header(wcs: Any) -> str:
    from astropy.wcs import WCSHDO_P17, WCSHDO_all

    copy = wcs.deepcopy()  # to_header converts its units to SI in place
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = copy.to_header(relax=WCSHDO_all | WCSHDO_P17 | _SIP_BIT)
    text = str(header.tostring(sep="", endcard=False, padding=False))
    if copy.sip is None:
        return text
    cards = (text[start : start + 80] for start in range(0, len(text), 80))
    return "".join(_exact_sip(card, copy.sip) for card in cards)


def _exact_sip(card: str, sip: Any) -> str:
    """Return a card with all digits of a SIP term, of which astropy writes 15."""
    found = _SIP.match(card)
    if found is None:
        return card
    terms = getattr(sip, found[1].lower())
    value = repr(float(terms[int(found[2]), int(found[3])])).upper()
    return f"{card[:8]}= {value:>20} / SIP distortion coefficient".ljust(80)
