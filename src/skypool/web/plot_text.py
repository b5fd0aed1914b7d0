"""Labels of figures."""

from __future__ import annotations

from typing import Any, Final

from skypool.model.html import clipped

__all__ = ["label", "plain", "plane_text", "sky_label", "spectral_axis", "spectral_label"]

_SKY: Final = {
    "pos.eq.ra": "Right ascension",
    "pos.eq.dec": "Declination",
    "pos.galactic.lon": "Galactic longitude",
    "pos.galactic.lat": "Galactic latitude",
    "pos.ecliptic.lon": "Ecliptic longitude",
    "pos.ecliptic.lat": "Ecliptic latitude",
}
_AXES: Final = {
    "FREQ": "Frequency",
    "ENER": "Energy",
    "WAVN": "Wave number",
    "WAVE": "Wavelength",
    "AWAV": "Wavelength in air",
    "VRAD": "Velocity (radio)",
    "VOPT": "Velocity (optical)",
    "VELO": "Velocity",
    "ZOPT": "Redshift",
    "TIME": "Time",
    "STOK": "Stokes",
}


def plain(text: object) -> str:
    """Return a text of anybody as one line in which a dollar begins no formula."""
    return clipped(text, 120).replace("\\", "\\\\").replace("$", r"\$")


def label(name: str, unit: str) -> str:
    """Return the label of an axis: what it is, and its unit."""
    return plain(f"{name} [{unit}]" if name and unit else name or unit)


def sky_label(kind: str | None, frame: str) -> str:
    """Return the label of a celestial axis; empty for any other."""
    name = _SKY.get(kind or "", "")
    return f"{name} ({frame})" if name and frame and str(kind).startswith("pos.eq") else name


def spectral_axis(wcs: Any) -> int | None:
    """Return the first axis of coordinates that is not on the sky, counted from 0."""
    if wcs is None:
        return None
    celestial = {wcs.wcs.lng, wcs.wcs.lat}
    return next((axis for axis in range(wcs.naxis) if axis not in celestial), None)


def spectral_label(wcs: Any, axis: int) -> str:
    """Return the label of such an axis."""
    kind = str(wcs.wcs.ctype[axis])[:4].rstrip("-").upper()
    name = wcs.wcs.cname[axis] or _AXES.get(kind, kind.lower() or "coordinate")
    return label(name, str(wcs.wcs.cunit[axis]))


def plane_text(wcs: Any, place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return which plane of a cube is shown: its number, and where it is on its axis."""
    text = f"plane {', '.join(map(str, place))}"
    axis = spectral_axis(wcs)
    if axis is None or wcs.naxis != len(shape):
        return text
    middle = [length / 2 for length in shape[:-3:-1]]
    values = wcs.pixel_to_world_values(*middle, *place[::-1])
    return f"{text}: {float(values[axis]):.6g} {wcs.wcs.cunit[axis]}".rstrip()
