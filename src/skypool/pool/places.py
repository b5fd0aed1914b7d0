"""Places on the sky as programs give them: coordinates, tables, pairs of degrees, texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.query.sky import radius_of
from skypool.query.values import convert_bound, parse_position
from skypool.sky.vectors import Vector, vector

if TYPE_CHECKING:
    import numpy as np
    from astropy.coordinates import SkyCoord
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["angle_of", "coordinates_of", "directions_of"]

_HINT = (
    "give a SkyCoord, a table with columns ra and dec (degrees), or pairs of degrees (ICRS), "
    "as in [(201.4, -43.0), (83.6, 22.0)]"
)


def directions_of(near: Any) -> list[tuple[int, Vector]]:
    """Return number and direction of each place; rows without a position are left out.

    Raises
    ------
    UsageError
        If these are no places.
    """
    found = _degrees(near)
    if found is None:
        raise UsageError(f"a {type(near).__name__} holds no places on the sky", hint=_HINT)
    pairs = zip(*(axis.tolist() for axis in found), strict=True)
    return [
        (number, vector(ra, dec))
        for number, (ra, dec) in enumerate(pairs)
        if math.isfinite(ra) and -90.0 <= dec <= 90.0
    ]


def coordinates_of(table: Any, called: str) -> SkyCoord:
    """Return the positions of the rows of a table, ICRS; rows without one are left out.

    Parameters
    ----------
    table
        With columns of positions, known by their names or UCDs.
    called
        What an error calls it.

    Raises
    ------
    UsageError
        If it has no such columns.
    """
    import numpy as np
    from astropy.coordinates import SkyCoord

    found = _degrees(table)
    if found is None:
        raise UsageError(
            f"{called} has no columns of positions",
            hint="call them ra and dec (degrees, ICRS), or leave a single column of values",
        )
    ra, dec = found
    there = np.isfinite(ra) & (np.abs(dec) <= 90.0)
    return SkyCoord(ra[there], dec[there], unit="deg")


def angle_of(radius: Any) -> float:
    """Return a radius in radians: degrees, a quantity, or its text.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        found = radius_of(convert_bound(radius))
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise UsageError(f"{radius!r} is no radius", hint="give degrees, a Quantity, or '5 arcsec'")
    return found


def _degrees(near: Any) -> tuple[Numbers, Numbers] | None:
    """Return right ascensions and declinations."""
    import numpy as np

    if hasattr(near, "icrs"):
        place = near.icrs
        return _plain(place.ra.deg), _plain(place.dec.deg)
    if isinstance(near, str):
        found = parse_position(near)
        return None if found is None else (np.array([found.ra]), np.array([found.dec]))
    if hasattr(near, "colnames"):
        return _of_table(near)
    try:
        pairs = np.asarray(near, dtype=float)
    except (TypeError, ValueError):
        return None
    pairs = pairs.reshape(1, -1) if pairs.ndim == 1 and len(pairs) else pairs
    if pairs.size == 0:
        return np.zeros(0), np.zeros(0)
    return (pairs[:, 0], pairs[:, 1]) if pairs.ndim == 2 and pairs.shape[1] == 2 else None


def _of_table(table: Any) -> tuple[Numbers, Numbers] | None:
    from skypool.sky.columns import position_columns

    names = list(table.colnames)
    columns = {name: table[name] for name in names}
    for column in columns.values():
        if hasattr(column, "icrs"):
            return _degrees(column)
    chosen = position_columns(names, {name: _ucd(column) for name, column in columns.items()})
    if chosen is None:
        return None
    lon, lat, frame = chosen
    return _turned(columns[lon], columns[lat], frame)


def _ucd(column: Any) -> str:
    meta = getattr(column, "meta", None)
    found = meta.get("ucd", "") if isinstance(meta, Mapping) else ""
    return str(getattr(found, "value", found))


def _turned(lon: Any, lat: Any, frame: str) -> tuple[Numbers, Numbers]:
    """Return ICRS degrees of columns of a frame; texts of right ascension are in hours."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    text = _values(lon).dtype.kind in "UOS"
    given = [_unit(lon, u.hourangle if text else u.deg), _unit(lat, u.deg)]
    place = SkyCoord(_values(lon), _values(lat), unit=given, frame=frame).icrs
    return _plain(place.ra.deg), _plain(place.dec.deg)


def _values(column: Any) -> Any:
    import numpy as np

    found = np.ma.getdata(getattr(column, "value", column))
    if found.dtype.kind in "UOS":
        return found.astype(str)
    found = found.astype(float)
    return np.where(np.ma.getmaskarray(column), np.nan, found) if np.ma.isMA(column) else found


def _unit(column: Any, default: Any) -> Any:
    unit = getattr(column, "unit", None)
    return default if unit is None or not str(unit) else unit


def _plain(values: Any) -> Numbers:
    import numpy as np

    found: Numbers = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    return np.atleast_1d(found).ravel()
