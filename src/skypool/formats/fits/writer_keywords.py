"""Which header keyword a parameter gets.

A legal keyword is used as it is, some names of HCSS have a keyword of the standard,
everything else becomes a HIERARCH card. Keywords that the standard reserves are used
only where the parameter is of the type that it asks for; others would make the file
invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from skypool.formats.fits.cards import parse_header
from skypool.formats.fits.writer_cards import (
    ascii_text,
    comment_of,
    commentary,
    fits_cards,
    hierarch_card,
    long_hierarch,
    plain_value,
)
from skypool.model.metadata import Parameter, Value
from skypool.model.wcs import is_wcs_keyword

__all__ = ["KEYWORDS", "HeaderWriter"]

# Names of HCSS with a keyword of their own (its FITS dictionary).
KEYWORDS = {
    "type": "TYPE",
    "creator": "CREATOR",
    "creationDate": "DATE",
    "description": "DESC",
    "instrument": "INSTRUME",
    "modelName": "MODELNAM",
    "startDate": "DATE-OBS",
    "endDate": "DATE-END",
    "formatVersion": "FORMATV",
    "obsid": "OBS_ID",
    "odNumber": "ODNUMBER",
    "object": "OBJECT",
    "observer": "OBSERVER",
    "telescope": "TELESCOP",
    "proposal": "PROPOSAL",
    "origin": "ORIGIN",
    "equinox": "EQUINOX",
    "ra": "RA",
    "dec": "DEC",
    "raNominal": "RA_NOM",
    "decNominal": "DEC_NOM",
    "posAngle": "POSANGLE",
    "aot": "AOT",
    "aorLabel": "AOR",
    "cusMode": "CUSMODE",
    "instMode": "INSTMODE",
    "obsMode": "OBS_MODE",
    "pointingMode": "POINTMOD",
    "missionConfig": "MISSIONC",
    "level": "LEVEL",
    "wavelength": "WAVELNTH",
    "naifId": "NAIFID",
}
_LEGAL = re.compile(r"[A-Z0-9_-]{1,8}\Z")
# Structure, world coordinates, and what the standard or cfitsio give a meaning: never
# used for parameters (FITS 4.0, tables C.1 and C.2).
_RESERVED = re.compile(
    r"(SIMPLE|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLOCKED|XTENSION|TFIELDS|THEAP|END"
    r"|CONTINUE|HIERARCH|LONGSTRN|EXTNAME|EXTVER|EXTLEVEL|INHERIT|CHECKSUM|DATASUM|BSCALE|BZERO"
    r"|BUNIT|BLANK|DATAMIN|DATAMAX|EPOCH|RADECSYS|RADESYS[A-Z]?|WCSAXES[A-Z]?|WCSNAME[A-Z]?"
    r"|(PTYPE|PSCAL|PZERO|TTYPE|TFORM|TUNIT|TNULL|TSCAL|TZERO|TDISP|TBCOL|TDIM|TDMIN|TDMAX"
    r"|TLMIN|TLMAX|TCTYP|TCUNI|TCRPX|TCRVL|TCDLT|TCROT|TCOMM|TPC|TCD|TC|TP|TV|TS|WCS|TWCS"
    r"|ZNAXIS|ZTILE|ZNAME|ZVAL|ZCTYP|ZFORM)\w*\d+\w*|Z(IMAGE|TABLE|BITPIX|CMPTYPE|MASKCMP|SIMPLE"
    r"|TENSION|EXTEND|BLOCKED|PCOUNT|GCOUNT|HECKSUM|DATASUM|QUANTIZ|DITHER0|BLANK|SCALE|ZERO|THEAP"
    r"|NAXIS|TILELEN)"
    r"|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER|CZPHS|CPERI|PS|PV|PC|CD|CPDIS|CQDIS"
    r"|DP|DQ|A_|B_|AP_|BP_)\d[\w]*|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)"
    r"|LONPOLE[A-Z]?|LATPOLE[A-Z]?|EQUINOX[A-Z]|SPECSYS[A-Z]?|SSYSOBS[A-Z]?|SSYSSRC[A-Z]?"
    r"|VELOSYS[A-Z]?|ZSOURCE[A-Z]?|VELANGL[A-Z]?|OBSGEO.*|RESTFR.*|RESTWAV[A-Z]?|VELREF"
    r"|MJDREF[IF]?|JDREF[IF]?|DATEREF|TIMEUNIT|TREFPOS|TREFDIR|PLEPHEM|TIMEOFFS"
    r"|SKYPOOL|SKYKIND|SKY\d+)\Z"
)
# Reserved keywords whose meaning is that of any parameter of the name, by type of value.
_TEXTS = frozenset(
    ("ORIGIN", "TELESCOP", "INSTRUME", "OBSERVER", "OBJECT", "AUTHOR", "REFERENC", "CREATOR")
)
_NUMBERS = frozenset(("EQUINOX", "EXPTIME", "TELAPSE", "TSTART", "TSTOP", "XPOSURE"))
_COMMENTARY = frozenset(("COMMENT", "HISTORY"))


def _fits(keyword: str, value: Value) -> bool:
    """Say whether a keyword may hold a value."""
    if not _LEGAL.match(keyword) or keyword in _COMMENTARY or _RESERVED.match(keyword):
        return False
    if keyword.startswith("DATE"):
        return isinstance(value, datetime)
    if keyword.startswith(("MJD", "JD")) or keyword in _NUMBERS:
        return isinstance(plain_value(value), int | float) and not isinstance(value, bool)
    if keyword in _TEXTS:
        return isinstance(plain_value(value), str)
    return keyword != "TIMESYS"


class HeaderWriter:
    """The cards of one header, each keyword at most once.

    Parameters
    ----------
    used
        Keywords that are taken already.

    Attributes
    ----------
    cards : list of str
        In order.
    own : list of str
        Keywords that hold no parameter.
    """

    def __init__(self, used: Iterable[str] = ()) -> None:
        self.cards: list[str] = []
        self.own: list[str] = []
        self._used: set[str] = set(used)
        self._own_values: dict[str, object] = {}
        self._fallbacks = 0

    def add(self, keyword: str, value: Value, comment: str = "") -> None:
        """Write a card of the writer's own."""
        self._used.add(keyword)
        self.own.append(keyword)
        self._own_values[keyword] = plain_value(value)
        self.cards += fits_cards(keyword, value, ascii_text(comment))

    def add_raw(self, card: str) -> None:
        """Write a card that is ready, such as one of world coordinates."""
        keyword = card[:8].rstrip()
        if keyword not in self._used:
            self._used.add(keyword)
            self.own.append(keyword)
            self._own_values[keyword] = parse_header(card.encode("ascii")).get(keyword)
            self.cards.append(card.ljust(80))

    def parameter(self, name: str, parameter: Parameter) -> bool:
        """Write the card of a parameter.

        Returns
        -------
        bool
            False where a card of the writer's own says the same already.
        """
        value = parameter.value
        own = self._own_values.get(name)
        if own is not None and type(own) is type(plain_value(value)) and own == plain_value(value):
            return False
        self._card(name, parameter)
        return True

    def _card(self, name: str, parameter: Parameter) -> None:
        value = parameter.value
        comment = comment_of(parameter.unit, parameter.description)
        if name in _COMMENTARY and isinstance(value, str):
            self.cards += commentary(name, value)
            return
        for keyword in dict.fromkeys((KEYWORDS.get(name, name), name.upper())):
            if keyword not in self._used and self._may(keyword, value):
                self._used.add(keyword)
                self.cards += fits_cards(keyword, value, comment)
                return
        # astropy takes a HIERARCH card for the keyword itself, so that "bzero" would scale data.
        # HCSS uses "key." in cards of its own.
        short = _LEGAL.match(name.upper()) or name.upper().startswith("KEY.")
        long = f"META {name}" if short else name
        if long.upper() not in self._used:
            written = list(self._hierarch(long, value, comment))
            if written:
                self._used.add(long.upper())
                self.cards += written
                return
        self._fallbacks += 1
        self.cards += fits_cards(f"SKY{self._fallbacks}", value, comment or ascii_text(name))

    def _may(self, keyword: str, value: Value) -> bool:
        # An EQUINOX of somebody's own would change the world coordinates of an image.
        taken = "CTYPE1" in self._used and is_wcs_keyword(keyword)
        return not taken and _fits(keyword, value)

    def _hierarch(self, name: str, value: Value, comment: str) -> Iterator[str]:
        card = hierarch_card(name, value, comment)
        if card is not None:
            yield card
        elif isinstance(plain_value(value), str):
            yield from long_hierarch(name, str(plain_value(value)), comment)

    def finished(self, first: list[str]) -> list[str]:
        """Return all cards behind the mandatory ones.

        Parameters
        ----------
        first
            Mandatory cards, which open the header.
        """
        long = any(card.startswith("CONTINUE") for card in self.cards)
        # Not asked for by the standard, but fitsverify warns where it is missing.
        extra = list(fits_cards("LONGSTRN", "OGIP 1.0", "long text goes on in CONTINUE"))
        return [*first, *(extra if long else []), *self.cards]
