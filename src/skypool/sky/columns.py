"""Which columns of a table hold positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["NAMES", "UCDS", "position_columns"]

NAMES: Final = (
    ("ra", "dec", "icrs"),
    ("ra_icrs", "dec_icrs", "icrs"),
    ("ra_icrs", "de_icrs", "icrs"),
    ("raj2000", "dej2000", "fk5"),
    ("_raj2000", "_dej2000", "fk5"),
    ("_ra", "_de", "icrs"),
    ("_ra", "_dec", "icrs"),
    ("ra_deg", "dec_deg", "icrs"),
    ("radeg", "dedeg", "icrs"),
    ("radeg", "decdeg", "icrs"),
    ("s_ra", "s_dec", "icrs"),
    ("ra_targ", "dec_targ", "icrs"),
    ("alpha_j2000", "delta_j2000", "fk5"),
    ("alphawin_j2000", "deltawin_j2000", "fk5"),
    ("right_ascension", "declination", "icrs"),
    ("sky_centroid.ra", "sky_centroid.dec", "icrs"),
    ("glon", "glat", "galactic"),
    ("l", "b", "galactic"),
)
"""Names of longitude and latitude, whatever their case, best first, and their frame."""
UCDS: Final = (
    ("pos.eq.ra", "pos.eq.dec", "icrs"),
    ("pos_eq_ra", "pos_eq_dec", "icrs"),
    ("pos.galactic.lon", "pos.galactic.lat", "galactic"),
)
"""The same of UCDs; those with `meta.main` come first."""


def position_columns(
    names: Iterable[str], ucds: Mapping[str, str] | None = None
) -> tuple[str, str, str] | None:
    """Return the columns of longitude and latitude, and their frame; None if there are none.

    Parameters
    ----------
    names
        All columns.
    ucds
        The UCD of those that have one.
    """
    columns = list(names)
    for lon, lat, frame in UCDS:
        for suffix in (";meta.main", "_main", ""):
            found = [_with_ucd(ucds or {}, columns, ucd + suffix) for ucd in (lon, lat)]
            if found[0] is not None and found[1] is not None:
                return found[0], found[1], frame
    folded: dict[str, str] = {}
    for name in columns:
        folded.setdefault(name.casefold(), name)
    for lon, lat, frame in NAMES:
        if lon in folded and lat in folded:
            return folded[lon], folded[lat], frame
    return None


def _with_ucd(ucds: Mapping[str, str], columns: list[str], wanted: str) -> str | None:
    for name in columns:
        if ucds.get(name, "").strip().casefold() == wanted:
            return name
    return None
