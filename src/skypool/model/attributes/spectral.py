"""The range of wavelengths of a spectral axis, from its linear description."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from skypool.model.attributes.shapes import Place
from skypool.model.attributes.units import convert

__all__ = ["column_range", "spectral_range"]

_LIGHT: Final = 299792458.0
_LARGEST: Final = 1e300
# Type of the axis (FITS 4.0, table 25) -> unit where none is given.
_TYPES: Final = {
    "FREQ": "Hz", "WAVE": "m", "AWAV": "m", "ENER": "J", "WAVN": "1/m", "LAMB": "m",
    "VRAD": "m/s", "VELO": "m/s", "VOPT": "m/s", "FELO": "m/s",
}  # fmt: skip
_SPEEDS: Final = {"m/s": 1.0, "km/s": 1e3, "m s-1": 1.0, "km s-1": 1e3, "": 1.0}


def spectral_range(
    metas: Sequence[Sequence[Sequence[Any]]],
    axes: Mapping[str, Mapping[str, Place]],
    lengths: Sequence[int],
    rest: Place | None,
    wanted: str,
) -> float | None:
    """Return a wavelength of the spectral axis, metres.

    Parameters
    ----------
    metas
        Metadata.
    axes
        Where they describe each axis.
    lengths
        Of the array, slowest axis first.
    rest
        Where the rest frequency stands.
    wanted
        `min`, `mid` or `max`.
    """

    def number(place: Place | None) -> float | None:
        value = None if place is None else metas[place.part][place.item][1]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) <= _LARGEST else None

    for axis, places in axes.items():
        kind = str(metas[places["ctype"].part][places["ctype"].item][1]).strip().upper()[:4]
        if kind not in _TYPES or int(axis) > len(lengths):
            continue
        value, pixel = number(places["crval"]), number(places["crpix"])
        step = number(places.get("cdelt") or places.get(f"cd{axis}_"))
        if value is None or pixel is None or step is None or "-LOG" in kind:
            continue
        cunit = places.get("cunit")
        unit = "" if cunit is None else str(metas[cunit.part][cunit.item][1]).strip()
        length = lengths[-int(axis)]
        ends = [value + (edge - pixel) * step for edge in (0.5, length + 0.5)]
        found = [_wavelength(kind, end, unit or _TYPES[kind], number(rest)) for end in ends]
        if found[0] is None or found[1] is None:
            continue
        low, high = min(found), max(found)  # type: ignore[type-var]
        if wanted == "mid":
            return (low + high) / 2  # type: ignore[operator]
        return low if wanted == "min" else high
    return None


def column_range(columns: Sequence[Mapping[str, Any]], wanted: str) -> float | None:
    """Return a wavelength of columns of wavelengths or frequencies, from their statistics.

    Parameters
    ----------
    columns
        As the document describes them; those without a unit do not count.
    wanted
        `min`, `mid` or `max`; metres.
    """
    ends: list[float] = []
    for column in columns:
        limits = _limits(column.get("stats"))
        unit = column.get("unit", "")
        found = [convert(limit, unit, "m") for limit in limits] if unit else []
        ends += [end for end in found if end is not None and end > 0]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if low == high:
        return None  # where an array in another column begins, as files of IUE have it
    return (low + high) / 2 if wanted == "mid" else low if wanted == "min" else high


def _limits(stats: Any) -> list[float]:
    """Return minimum and maximum of statistics (docs/format/documents.md), none where unknown."""
    if not isinstance(stats, Mapping):
        return []
    encoded = stats.get("values", stats.get("total", ""))
    kind = {"f8": "d", "i8": "q", "u8": "Q"}.get(stats.get("type", ""))
    if not encoded or kind is None:
        return []
    entry = struct.Struct(f"<4Q2{kind}")
    data = base64.b64decode(encoded)
    found = []
    for finite, _, above, below, low, high in entry.iter_unpack(data[: len(data) // 48 * 48]):
        if finite and not above and not below:
            found += [float(low), float(high)]
    return [min(found), max(found)] if found else []


def _wavelength(kind: str, value: float, unit: str, rest: float | None) -> float | None:
    if _TYPES[kind] != "m/s":
        found = convert(value, unit, "m")
        return found if found is not None and found > 0 else None
    scale = _SPEEDS.get(unit)
    if scale is None or not rest or rest <= 0:
        return None
    speed = value * scale / _LIGHT
    if kind == "VRAD":
        frequency = rest * (1 - speed)
        return _LIGHT / frequency if frequency > 0 else None
    return _LIGHT / rest * (1 + speed) if speed > -1 else None
