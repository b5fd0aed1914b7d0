"""Units: text in documents, `astropy.units` objects for users where astropy reads the text."""

from __future__ import annotations

import re
import sys
import warnings
from functools import lru_cache
from typing import Any, Final

from skypool.errors import UsageError

__all__ = ["ascii_unit", "parse_unit", "unit_text", "unknown_unit"]

# The generic syntax first; the others read spellings that it does not.
_FORMATS = ("generic", "fits", "vounit", "ogip", "cds")

# How files spell units that the standards spell otherwise. Those in `_CAPITALS` hold where the
# whole text is in capital letters: Jy, but not MJy, which might be mJy as well.
_SPELT: Final = {
    "ct": "counts cts cnts",
    "electron": "electrons",
    "photon": "photons",
    "pix": "pixels pixel",
    "beam": "beams",
    "s": "seconds second secs sec",
    "hour": "hours",
    "d": "days",
    "yr": "years",
    "m": "meters meter metres metre",
    "um": "microns",
    "Angstrom": "angstroms angstrom",
    "deg": "degrees degree",
    "rad": "radians",
    "arcsec": "arcsecs arcseconds",
    "K": "kelvins kelvin",
    "Jy": "janskys jansky janskies",
    "mag": "magnitudes magnitude mags",
    "erg": "ergs",
    "W": "watts",
    "V": "volts",
    "DN": "dn",
    "adu": "adus",
}
_WORDS: Final = {word: unit for unit, words in _SPELT.items() for word in words.split()}
# `Jy/beam.km/s` is meant as (Jy/beam) km/s and would be read as Jy/(beam km s).
_DOUBTFUL: Final = re.compile(r"/.*[A-Za-z0-9)]\s*(\.|(?<!\*)\*(?!\*)|\s)\s*[A-Za-z(]")
_CAPITALS: Final = {
    name.upper(): name
    for name in (
        *("Jy", "Hz", "kHz", "GHz", "m", "km", "cm", "um", "nm", "s", "sr", "deg", "rad"),
        *("arcsec", "arcmin", "pix", "beam", "ct", "count", "electron", "photon", "adu", "mag"),
        *("erg", "eV", "keV", "micron", "yr", "d", "day", "min", "hour", "year"),
    )
}


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> Any:
    """Return the `astropy.units` object of a unit's text, else the text itself.

    Parameters
    ----------
    text
        For example `Jy/pixel`; `1` is dimensionless. Spellings such as `JY/BEAM` and
        `counts/second`, which no standard has, mean what they say.

    Returns
    -------
    astropy.units.UnitBase or str or None
        None for the empty text: no unit is known.
    """
    if not text.strip():
        return None
    found = _read(text)
    if found is None:
        respelt = _respelt(text)
        found = None if respelt == text else _read(respelt)
    return text if found is None else found


def _read(text: str) -> Any:
    from astropy import units

    with warnings.catch_warnings():
        # Deprecated or doubtful spellings are read all the same.
        warnings.simplefilter("ignore")
        for style in _FORMATS:
            try:
                return units.Unit(text, format=style)
            except (ValueError, TypeError):
                continue
    return None


def _respelt(text: str) -> str:
    """Return a text with the words of units as astropy spells them."""
    if _DOUBTFUL.search(text):
        return text
    capitals = text.isupper()

    def word(found: re.Match[str]) -> str:
        written = found[0]
        if capitals and written in _CAPITALS:
            return _CAPITALS[written]
        return _WORDS.get(written.lower(), written)

    return re.sub("[A-Za-z]+", word, text)


def unknown_unit(text: str) -> UsageError:
    """Return the error of a unit that astropy does not know, where there is no way without."""
    return UsageError(
        f"astropy does not know the unit {text!r}",
        hint="numpy.asarray() gives the numbers, to_nddata() keeps the text beside them",
    )


def unit_text(unit: object, dimensionless: str = "") -> str:
    """Return the text of a unit given as text, as `astropy.units` object or as None.

    Parameters
    ----------
    unit
        The unit.
    dimensionless
        The text for the unit 1, which differs from having no unit in datasets.

    Raises
    ------
    TypeError
        If it is no unit.
    """
    if unit is None:
        return ""
    if isinstance(unit, str):
        return str(unit)
    units = sys.modules.get("astropy.units")
    if units is None or not isinstance(unit, units.UnitBase | units.function.FunctionUnitBase):
        raise TypeError(f"{unit!r} is no unit; give text or an astropy unit")
    if unit == units.dimensionless_unscaled:
        return dimensionless
    for style in ("fits", "generic"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                text = str(unit.to_string(style))
            except (ValueError, TypeError):
                continue
        if parse_unit(text) == unit:
            return text
    return str(unit)


def ascii_unit(text: str) -> str:
    """Return the text of a unit in printable ASCII, as headers of FITS need it.

    A spelling that astropy knows, such as `Å`, becomes that of FITS; anything else keeps
    its letters in escaped form.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    unit = parse_unit(text)
    if not isinstance(unit, str) and unit is not None:
        written = unit_text(unit, dimensionless="1")
        if written.isascii():
            return written
    return text.strip().encode("unicode_escape").decode("ascii")
