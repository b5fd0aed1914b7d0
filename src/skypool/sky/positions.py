"""The position that metadata give: where a product without coverage is said to be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from skypool.sky.frames import ROTATIONS, frame_of
from skypool.sky.vectors import Vector, dot, vector

__all__ = ["RULES", "position_of"]

RULES: Final = (
    ("ra", "dec", "RA"),
    ("ra_targ", "dec_targ", "RA"),
    ("targ_ra", "targ_dec", "RA"),
    ("ra_nom", "dec_nom", "RA"),
    ("ranominal", "decnominal", "RA"),
    ("ra_pnt", "dec_pnt", "RA"),
    ("ra_obj", "dec_obj", "RA"),
    ("s_ra", "s_dec", "ICRS"),
    ("objctra", "objctdec", "RA"),
    ("obj_ra", "obj_dec", "RA"),
    ("plug_ra", "plug_dec", "RA"),
    ("telra", "teldec", "RA"),
    ("tel_ra", "tel_dec", "RA"),
    ("raj2000", "dej2000", "FK5"),
    ("glon", "glat", "GLON"),
    ("l_targ", "b_targ", "GLON"),
)
"""Keys of longitude and latitude, whatever their case, best first, and what they count in.

`RA` is the frame that RADESYS and EQUINOX beside them say (FITS 4.0, section 8.3).
"""
_FRAME: Final = ("radesys", "radecsys", "equinox")
_KEYS: Final = frozenset({key for rule in RULES for key in rule[:2]} | set(_FRAME))
_SEXAGESIMAL: Final = re.compile(
    r"\s*([+-]?)(\d{1,3})[\s:hd°]+(\d{1,2})[\s:m']+(\d{1,2}(?:\.\d*)?)\s*[s\"]?\s*"
)
# Degrees of the units that angles come in.
_UNITS: Final = {"rad": 180.0 / math.pi, "h": 15.0, "hourangle": 15.0, "hour": 15.0, "hr": 15.0,
                 "arcmin": 1 / 60.0, "arcsec": 1 / 3600.0}  # fmt: skip

_Found = Mapping[str, tuple[Any, str]]


def position_of(metas: Iterable[Sequence[Sequence[Any]]]) -> Vector | None:
    """Return the direction that metadata give, None where they give none.

    Parameters
    ----------
    metas
        Key, value and unit of each parameter, the last only where there is one: those of the
        product, then those of its datasets. The first of them that gives a position counts.
    """
    for meta in metas:
        places = _places(tuple([entry[0] for entry in meta]))
        if len(places) < 2:
            continue
        found = {
            key: (meta[place][1], meta[place][2] if len(meta[place]) > 2 else "")
            for key, place in places.items()
        }
        for lon, lat, frame in RULES:
            if lon in found and lat in found:
                direction = _direction(found, lon, lat, frame)
                if direction is not None:
                    return direction
    return None


@lru_cache(maxsize=1024)
def _places(keys: tuple[str, ...]) -> dict[str, int]:
    """Return where the first of each key stands that has to do with positions.

    Products of one pipeline have the same keys.
    """
    found: dict[str, int] = {}
    for place, key in enumerate(keys):
        folded = key.casefold()
        if folded in _KEYS:
            found.setdefault(folded, place)
    return found


def _direction(found: _Found, lon: str, lat: str, frame: str) -> Vector | None:
    first = _angle(*found[lon], hours=frame != "GLON")
    second = _angle(*found[lat], hours=False)
    if first is None or second is None or not (-360 <= first <= 360 and -90 <= second <= 90):
        return None
    native = vector(first, second)
    if frame in ("ICRS", "FK5"):
        name: str | None = frame.lower()
        radesys, equinox = "", None
    else:
        radesys = str(found.get("radesys", found.get("radecsys", ("", "")))[0]).strip()
        given = found.get("equinox", (None, ""))[0]
        equinox = None if given is None else _angle(given, "", hours=False)
        name = frame_of(frame, radesys, equinox)
    if name is not None:
        rows = ROTATIONS[name]
        return dot(rows[0], native), dot(rows[1], native), dot(rows[2], native)
    return _by_astropy(first, second, radesys.upper(), equinox)


def _by_astropy(lon: float, lat: float, radesys: str, equinox: float | None) -> Vector | None:
    """Return a direction of the frames of old equinoxes; None for those that move."""
    if radesys not in ("", "FK4", "FK4-NO-E", "FK5"):
        return None
    if equinox is not None and not 1700.0 <= equinox <= 2100.0:
        return None
    from astropy.coordinates import FK4, FK5, FK4NoETerms, SkyCoord
    from astropy.time import Time

    old = radesys != "FK5"
    year = Time(1950.0 if equinox is None else equinox, format="byear" if old else "jyear")
    frame = {"FK5": FK5, "FK4-NO-E": FK4NoETerms}.get(radesys, FK4)(equinox=year)
    place = SkyCoord(lon, lat, unit="deg", frame=frame).icrs
    return vector(float(place.ra.deg), float(place.dec.deg))


def _angle(value: Any, unit: str, *, hours: bool) -> float | None:
    """Return degrees of a number, or of a text; sexagesimal longitudes are in hours."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        parts = _SEXAGESIMAL.fullmatch(value)
        if parts is not None:
            size = int(parts[2]) + int(parts[3]) / 60.0 + float(parts[4]) / 3600.0
            if hours and "d" not in value and "°" not in value:
                size *= 15.0
            return -size if parts[1] == "-" else size
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or not abs(value) < 1e9:
        return None
    return float(value) * _UNITS.get(unit.strip(), 1.0)
