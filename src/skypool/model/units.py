"""Units: text in documents, `astropy.units` objects for users where astropy reads the text."""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from typing import Any

__all__ = ["ascii_unit", "parse_unit", "unit_text"]

# The generic syntax first; the others read spellings that it does not.
_FORMATS = ("generic", "fits", "vounit", "ogip", "cds")


@lru_cache(maxsize=1024)
def parse_unit(text: str) -> Any:
    """Return the `astropy.units` object of a unit's text, else the text itself.

    Parameters
    ----------
    text
        For example `Jy/pixel`; `1` is dimensionless.

    Returns
    -------
    astropy.units.UnitBase or str or None
        None for the empty text: no unit is known.
    """
    if not text.strip():
        return None
    from astropy import units

    with warnings.catch_warnings():
        # Deprecated or doubtful spellings are read all the same.
        warnings.simplefilter("ignore")
        for style in _FORMATS:
            try:
                return units.Unit(text, format=style)
            except (ValueError, TypeError):
                continue
    return text


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
