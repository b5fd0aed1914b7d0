"""Conversion of numbers to the unit of a core attribute: a table, since astropy takes long."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["convert"]

_LIGHT: Final = 299792458.0  # m/s
_PLANCK: Final = 4.135667696e-15  # eV s

# What divided by a quantity is a wavelength.
_INVERSE: Final = {"frequency": _LIGHT, "energy": _LIGHT * _PLANCK, "wavenumber": 1.0}

# Unit -> quantity, and how many of its base unit (m, Hz, eV, 1/m, s, deg) one is.
_UNITS: Final[dict[str, tuple[str, float]]] = {}


def _add(quantity: str, **units: float) -> None:
    _UNITS.update({unit: (quantity, factor) for unit, factor in units.items()})


_add("length", m=1.0, cm=1e-2, mm=1e-3, um=1e-6, micron=1e-6, microns=1e-6, micrometer=1e-6)
_add("length", micrometers=1e-6, nm=1e-9, nanometer=1e-9, pm=1e-12, km=1e3)
_add("length", Angstrom=1e-10, Angstroms=1e-10, angstrom=1e-10, angstroms=1e-10, AA=1e-10)
_add("length", A=1e-10, Ang=1e-10, ANG=1e-10, meter=1.0, metre=1.0)
_add("frequency", Hz=1.0, kHz=1e3, MHz=1e6, GHz=1e9, THz=1e12)
_add("energy", eV=1.0, keV=1e3, MeV=1e6, GeV=1e9, TeV=1e12)
_add("time", s=1.0, sec=1.0, secs=1.0, second=1.0, seconds=1.0, ms=1e-3, us=1e-6, ns=1e-9)
_add("time", min=60.0, minutes=60.0, h=3600.0, hr=3600.0, hour=3600.0, hours=3600.0)
_add("time", d=86400.0, day=86400.0, days=86400.0, yr=31557600.0, a=31557600.0)
_add("angle", deg=1.0, degree=1.0, degrees=1.0, arcmin=1 / 60, arcsec=1 / 3600)
_add("angle", rad=math.degrees(1.0), hourangle=15.0)
_add("energy", J=6.241509074e18, erg=6.241509074e11)
# identifiers would be normalised
_UNITS.update(
    {"\u00b5m": ("length", 1e-6), "\u03bcm": ("length", 1e-6), "\u00c5": ("length", 1e-10)}
)
_UNITS["1/m"] = ("wavenumber", 1.0)
_UNITS["cm-1"] = ("wavenumber", 100.0)
_UNITS["1/cm"] = ("wavenumber", 100.0)
_FOLDED: Final = {unit.casefold(): entry for unit, entry in reversed(_UNITS.items())}


def convert(value: float, unit: str, wanted: str) -> float | None:
    """Convert a number; lengths are wavelengths, so frequencies and energies are, too.

    Parameters
    ----------
    value
        The number.
    unit
        Its unit, as written.
    wanted
        The base unit that is asked for; empty for numbers without one.

    Returns
    -------
    float or None
        None where the units do not go together or one is not known.
    """
    if unit == wanted:
        return value
    unit = unit.strip(" []().")
    known = _UNITS.get(unit) or _FOLDED.get(unit.casefold().replace(" ", ""))
    target = _UNITS.get(wanted)
    if known is None or target is None:
        return None
    quantity, factor = known
    if quantity == target[0]:
        return _scaled(value, factor / target[1])
    if target[0] != "length" or value <= 0.0:
        return None
    scaled = _scaled(value, factor)
    if scaled <= 0.0 or quantity not in _INVERSE:
        return None
    return _INVERSE[quantity] / scaled


def _scaled(value: float, factor: float) -> float:
    """Multiply; small factors by division, so that 85 um are 8.5e-05 m to the last digit."""
    if factor >= 1.0:
        return value * factor
    divisor = 1.0 / factor
    whole = round(divisor)
    return value / (whole if abs(divisor - whole) < 1e-9 * divisor else divisor)
