"""World coordinates of spectra as IRAF writes them, put into the words of the FITS standard.

The convention is that of F. Valdes, "The IRAF/NOAO Spectral World Coordinate Systems" (1993,
``noao/onedspec/doc/sys/specwcs``): attributes such as ``wtype=linear label=Wavelength
units=angstroms`` stand in keywords ``WATi_001``, ``WATi_002``, ..., pieces of 68 characters of
one text for axis i, ``WAT0_nnn`` for the whole. ``DC-FLAG = 1`` says that the axis is the decimal
logarithm. The system ``multispec`` has a dispersion function for each row, ``specN = "aperture
beam type w1 dw nw z low high ..."``, counted in physical pixels (``LTVi``, ``LTMi_i``).

Linear and log-linear dispersion is taken over, of several spectra where it is the same for all:
a header of FITS has one for each axis. Other functions (Chebyshev, Legendre, splines, tables)
and rows that differ stay in pixels, and the axis says so. IRAF does not tell wavelengths in air
from those in vacuum, and so the standard's types WAVE and AWAV are not used: name and unit of
the axis are told.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

__all__ = ["dispersion", "in_standard_words"]

_PIECE: Final = re.compile(r"WAT(\d)_(\d{3})= *'((?:[^']|'')*)'")
_WORD: Final = re.compile(r"""(\w+) *= *("[^"]*"|'[^']*'|\S+)""")
_VALUE: Final = re.compile(r"([A-Z0-9_-]{1,8}) *= *(?:'((?:[^']|'')*)'|([^/ ]+))")
_LENGTH: Final = 68
_OWN_TYPES: Final = ("", "LINEAR", "MULTISPE", "MULTISPEC")
# What IRAF calls units (help units), in the singular, and what FITS calls them.
_UNITS: Final = {
    "angstrom": "Angstrom", "a": "Angstrom", "nanometer": "nm", "nm": "nm", "millimicron": "nm",
    "micron": "um", "micrometer": "um", "um": "um", "millimeter": "mm", "mm": "mm",
    "centimeter": "cm", "cm": "cm", "meter": "m", "m": "m", "hertz": "Hz", "hz": "Hz",
    "kilohertz": "kHz", "khz": "kHz", "megahertz": "MHz", "mhz": "MHz", "gigahertz": "GHz",
    "ghz": "GHz", "m/s": "m/s", "km/s": "km/s", "ev": "eV", "kev": "keV", "mev": "MeV",
    "electronvolt": "eV",
}  # fmt: skip
_LABELS: Final = ("wavelength", "lambda", "frequency", "wavenumber", "energy", "velocity")
_LARGEST: Final = 300.0

Cards = dict[str, str]


def dispersion(wcs: Any, length: int) -> tuple[str, Any, str] | None:
    """Return name, values and unit along the first axis where it is the dispersion of IRAF.

    Parameters
    ----------
    wcs
        `astropy.wcs.WCS` of cards in standard words; None where there is none.
    length
        Of the first axis of FITS, the last of an array.
    """
    if wcs is None or str(wcs.wcs.ctype[0]).upper() not in ("LINEAR", "LINE-LOG"):
        return None
    name, unit = str(wcs.wcs.cname[0]).strip().lower(), str(wcs.wcs.cunit[0])
    if name not in _LABELS or not unit or unit == "pixel":
        return None
    import numpy as np

    pixels = np.zeros((length, wcs.naxis))
    pixels[:, 0] = np.arange(length)
    return name, wcs.wcs_pix2world(pixels, 0)[:, 0], unit


def in_standard_words(header: str, cards: str) -> str:
    """Return cards of world coordinates with what IRAF says of them in its own keywords.

    Parameters
    ----------
    header
        All 80-character cards.
    cards
        Those of them that the standard knows.
    """
    told = _attributes(header)
    values = _values(header)
    new: Cards = {}
    for axis in sorted(set(told) - {0}):
        if values.get(f"CTYPE{axis}", "").upper() in _OWN_TYPES and axis <= 9:
            new |= _labels(axis, told[axis], values)
    kind = values.get("CTYPE1", "").upper()
    if told.get(0, {}).get("system") == "multispec" and not kind.startswith("MULTISPE"):
        return cards  # these are in standard words already
    if kind in ("", "LINEAR") and values.get("DC-FLAG") == "1" and 1 in told:
        new |= _linear(values, _number(values, "CRVAL1"), _step(values), 1.0, log=True)
    elif kind.startswith("MULTISPE"):
        new |= _multispec(told, values)
    if not new:
        return cards
    kept = [cards[at : at + 80] for at in range(0, len(cards), 80)]
    gone = {*new, *(("CDELT1", "CD1_1") if "CRVAL1" in new else ())}
    return "".join(
        [card for card in kept if card[:8].rstrip() not in gone]
        + [f"{key:<8}= {value:>20}"[:80].ljust(80) for key, value in new.items() if value]
    )


def _attributes(header: str) -> dict[int, dict[str, str]]:
    """Return the attributes of each axis; 0 is the whole."""
    pieces: dict[int, dict[int, str]] = {}
    for at in range(0, len(header), 80):
        found = _PIECE.match(header[at : at + 80])
        if found is not None:
            text = found[3].replace("''", "'")
            pieces.setdefault(int(found[1]), {})[int(found[2])] = text.ljust(_LENGTH)
    return {
        axis: {
            word[1].lower(): word[2].strip("\"'").strip()
            for word in _WORD.finditer("".join(parts[number] for number in sorted(parts)))
        }
        for axis, parts in pieces.items()
    }


def _values(header: str) -> Cards:
    """Return the values of cards as text, the first of each keyword."""
    found: Cards = {}
    for at in range(0, len(header), 80):
        match = _VALUE.match(header[at : at + 80])
        if match is not None:
            text = match[2].replace("''", "'") if match[2] is not None else match[3]
            found.setdefault(match[1], text.strip())
    return found


def _labels(axis: int, told: dict[str, str], values: Cards) -> Cards:
    found: Cards = {}
    label, unit = told.get("label", ""), told.get("units", "").lower()
    if label and not values.get(f"CNAME{axis}"):
        found[f"CNAME{axis}"] = _text(label[:60])
    known = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
    # Programs of telescopes count in pixels before the wavelengths are found: IRAF's unit holds.
    if known and values.get(f"CUNIT{axis}", "") in ("", "pixel", "pixels"):
        found[f"CUNIT{axis}"] = _text(known)
    return found


def _multispec(told: dict[int, dict[str, str]], values: Cards) -> Cards:
    """Return the dispersion of rows that have the same, linear or log-linear; else pixels."""
    rows = [row.split() for word, row in told.get(2, {}).items() if re.fullmatch(r"spec\d+", word)]
    pixels = {"CNAME1": _text("pixel"), "CUNIT1": "", "CTYPE1": _text("LINEAR")}
    try:
        functions = {(int(row[2]), float(row[3]), float(row[4]), float(row[6])) for row in rows}
    except (ValueError, IndexError):
        return pixels
    if len(functions) != 1:
        return pixels
    ((kind, first, step, shift),) = functions
    if kind not in (0, 1) or not shift > -1:
        return pixels
    scale, start = _number(values, "LTM1_1", 1.0), _number(values, "LTV1", 0.0)
    if not scale or start is None:
        return pixels
    # The first physical pixel has the coordinate w1, and this is where it is in the array.
    found = _linear(values, first, step / scale, 1 + shift, log=kind == 1)
    if not found:
        return pixels
    return {"CTYPE1": _text("LINEAR"), **found, "CRPIX1": _digits(scale + start)}


def _linear(
    values: Cards, first: float | None, step: float | None, divisor: float, *, log: bool
) -> Cards:
    """Return the cards of a linear axis, or of one whose decimal logarithm is linear."""
    if first is None or step is None or not all(map(math.isfinite, (first, step, divisor))):
        return {}
    kind = {}
    if log:
        if abs(first) > _LARGEST:
            return {}
        first = 10.0**first
        step *= math.log(10) * first
        kind = {"CTYPE1": _text("LINE-LOG")}
    matrix = any(re.fullmatch(r"CD\d+_\d+", key) for key in values)
    return kind | {
        "CRVAL1": _digits(first / divisor),
        "CD1_1" if matrix else "CDELT1": _digits(step / divisor),
    }


def _step(values: Cards) -> float | None:
    return _number(values, "CD1_1") if "CD1_1" in values else _number(values, "CDELT1")


def _number(values: Cards, key: str, without: float | None = None) -> float | None:
    try:
        return float(values[key].upper().replace("D", "E"))
    except KeyError:
        return without
    except ValueError:
        return None


def _digits(value: float) -> str:
    return repr(float(value)).upper()


def _text(text: str) -> str:
    return f"'{text.replace(chr(39), chr(39) * 2):<8}'".ljust(20)
