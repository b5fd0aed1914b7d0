"""Where the pixels of an array are: on the sky, and along its other axes."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.model.wcs import has_wcs

if TYPE_CHECKING:
    from skypool.model.arrays import Array

__all__ = ["World", "sexagesimal"]

_MOST_VALUES: Final = 65536
_CARD: Final = re.compile(r"([A-Z0-9_-]{1,8}) *= *(?:'((?:[^']|'')*)'|([^/ ]+))")
_NAMES: Final = {
    "RA": "right ascension", "DEC": "declination", "GLON": "galactic longitude",
    "GLAT": "galactic latitude", "FREQ": "frequency", "WAVE": "wavelength",
    "AWAV": "wavelength in air", "VRAD": "radio velocity", "VOPT": "optical velocity",
    "VELO": "velocity", "FELO": "velocity", "ENER": "energy", "WAVN": "wavenumber",
    "ZOPT": "redshift", "BETA": "beta", "STOKES": "Stokes parameter", "TIME": "time", "UTC": "time",
    "LAMBDA": "wavelength", "WAVELENGTH": "wavelength",
}  # fmt: skip


def sexagesimal(ra: float, dec: float, digits: int = 2) -> str:
    """Return a position as `hh:mm:ss.sss ±dd:mm:ss.ss`.

    Parameters
    ----------
    ra, dec
        Degrees.
    digits
        Decimals of the arc seconds; right ascension has one more.
    """
    east = _three_parts(ra % 360 / 15, digits + 1, 24)
    north = _three_parts(abs(dec), digits, None)
    # What is rounded to zero has no sign.
    sign = "-" if dec < 0 and any(c in "123456789" for c in north) else "+"
    return f"{east} {sign}{north}"


def _three_parts(value: float, digits: int, turn: int | None) -> str:
    scale = 10**digits
    total = round(value * 3600 * scale)
    seconds, fraction = divmod(total, scale)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    if turn:
        whole %= turn
    decimals = f".{fraction:0{digits}d}" if digits else ""
    return f"{whole:02d}:{minutes:02d}:{seconds:02d}{decimals}"


def _cards(header: str) -> dict[str, str]:
    """Return the values of header cards as text."""
    found = {}
    for start in range(0, len(header), 80):
        match = _CARD.match(header[start : start + 80])
        if match is not None:
            text = match[2].replace("''", "'") if match[2] is not None else match[3]
            found[match[1]] = text.strip()
    return found


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0


def _frame_name(cards: dict[str, str], axes: list[dict[str, str]]) -> str:
    kinds = {axis["type"].upper() for axis in axes}
    if "RA" in kinds:
        old = cards.get("EQUINOX") or cards.get("EPOCH", "")
        frame = cards.get("RADESYS") or cards.get("RADECSYS", "")
        try:
            year = float(old) if old else None
        except ValueError:
            year = None
        return frame or ("ICRS" if year is None else "FK4" if year < 1984 else "FK5")
    if "GLON" in kinds:
        return "galactic"
    return "ecliptic" if "ELON" in kinds else ""


class World:
    """The world coordinates of an array, made once.

    Parameters
    ----------
    array
        Whose.
    planes_at
        Gives (name, unit, values) of the leading axis where a table has them.
    """

    def __init__(self, array: Array, planes_at: Callable[[], Any] | None = None) -> None:
        self._array = array
        self._planes_at = planes_at
        # The library below astropy keeps its work in the object.
        self._lock = threading.RLock()

    @cached_property
    def _wcs(self) -> Any:
        with self._lock:
            return self._array.wcs if self._array.may_have_wcs else None

    @cached_property
    def _units(self) -> list[tuple[str, float]]:
        """Unit of each axis as the header has it, and what astropy's values are divided by."""
        from astropy.io.fits import Header
        from astropy.units import Unit

        header = Header.fromstring(self._array.wcs_header)
        found = []
        for axis, own in enumerate(self._wcs.wcs.cunit):
            wanted = str(header.get(f"CUNIT{axis + 1}", "")).strip()
            factor = 1.0
            if wanted and str(own) != wanted:
                try:
                    factor = float(Unit(wanted).to(own))
                except (ValueError, TypeError):
                    wanted = str(own)
            found.append((wanted or str(own), factor))
        return found

    @cached_property
    def _frame(self) -> Any:
        """The celestial frame as astropy has it; None where there is none on the sky."""
        wcs = self._wcs
        if wcs is None or wcs.wcs.lng < 0 or wcs.wcs.lat < 0:
            return None
        from astropy.wcs.utils import wcs_to_celestial_frame

        try:
            return wcs_to_celestial_frame(wcs)
        except ValueError:  # axes of the Sun or of planets
            return None

    def describe(self) -> dict[str, Any] | None:
        """Return header cards, frame and axes, first the fastest; None without coordinates.

        They are read from the cards: loading astropy takes longer than showing an image.
        """
        header = self._array.wcs_header if self._array.may_have_wcs else ""
        if not has_wcs(header):
            return None
        cards = _cards(header)
        axes: list[dict[str, str]] = []
        for axis in range(1, max(self._array.ndim, _whole(cards.get("WCSAXES", ""))) + 1):
            kind = cards.get(f"CTYPE{axis}", "").split("-", 1)[0].strip()
            name = cards.get(f"CNAME{axis}", "") or _NAMES.get(kind.upper(), kind)
            axes.append({"name": name, "unit": cards.get(f"CUNIT{axis}", ""), "type": kind})
        return {"text": header, "frame": _frame_name(cards, axes), "axes": axes}

    def _axis_name(self, axis: int) -> str:
        wcs = self._wcs.wcs
        kind = str(wcs.ctype[axis]).split("-", 1)[0].strip()
        return str(wcs.cname[axis]).strip() or _NAMES.get(kind.upper(), kind)

    def _pixels(self, x: Any, y: Any, place: tuple[Any, ...]) -> Any:
        """Return (n, axes of the coordinates) pixels counted from 0."""
        parts = [x, y, *reversed(place)][: self._wcs.naxis]
        parts += [0.0] * (self._wcs.naxis - len(parts))
        return np.stack(np.broadcast_arrays(*(np.asarray(p, float) for p in parts)), axis=-1)

    def _values(self, x: Any, y: Any, place: tuple[Any, ...]) -> Any:
        pixels = np.atleast_2d(self._pixels(x, y, place))
        try:
            return self._wcs.all_pix2world(pixels, 0)
        except (ValueError, RuntimeError):  # pixels that the projection does not reach
            return np.full(pixels.shape, np.nan)

    def at(self, x: float, y: float, place: tuple[int, ...] = ()) -> dict[str, Any] | None:
        """Return where a pixel is; None without coordinates.

        Parameters
        ----------
        x, y
            Counted from 0 at the centre of the first pixel.
        place
            On the leading axes.

        Returns
        -------
        dict
            `text` (sexagesimal, ICRS), `degrees`, `ra` and `dec` (degrees, ICRS; None where
            the pixel is not on the sky), `native` (in the frame of the image, where that is
            another), `other` (the other axes: name, value, unit).
        """
        with self._lock:
            if self._wcs is None:
                other = self._from_table(place)
                return {"text": "", "ra": None, "dec": None, "other": [other]} if other else None
            (values,) = self._values(x, y, place)
            found: dict[str, Any] = {"text": "", "ra": None, "dec": None, "degrees": ""}
            sky = (self._wcs.wcs.lng, self._wcs.wcs.lat) if self._frame is not None else ()
            if sky and np.isfinite(values[list(sky)]).all():
                found.update(self._on_sky(*(float(values[axis]) for axis in sky)))
            found["other"] = [
                self._along(axis, float(values[axis]))
                for axis in range(self._wcs.naxis)
                if axis not in sky
            ]
            table = self._from_table(place)
            if table:
                found["other"] = [table]
            return found

    def _along(self, axis: int, value: float) -> dict[str, Any]:
        unit, factor = self._units[axis]
        return {"name": self._axis_name(axis), "value": value / factor, "unit": unit}

    def _from_table(self, place: tuple[int, ...]) -> dict[str, Any] | None:
        known = self._table_axis
        if known is None or len(place) != 1:
            return None
        name, unit, values = known
        return {"name": name, "value": float(values[place[0]]), "unit": unit}

    def _on_sky(self, lon: float, lat: float) -> dict[str, Any]:
        from astropy.coordinates import SkyCoord

        there = SkyCoord(lon, lat, unit="deg", frame=self._frame)
        icrs = there.icrs
        ra, dec = float(icrs.ra.deg), float(icrs.dec.deg)
        found = {
            "text": sexagesimal(ra, dec),
            "degrees": f"{ra:.7f} {dec:+.7f}",
            "ra": ra,
            "dec": dec,
        }
        if self._frame.name == "galactic":
            found["native"] = f"galactic {lon % 360:.6f} {lat:+.6f}"
        elif self._frame.name != "icrs":
            equinox = getattr(self._frame, "equinox", None)
            year = f" {equinox.value}" if equinox is not None else ""
            found["native"] = f"{self._frame.name.upper()}{year} {sexagesimal(lon, lat)}"
        return found

    @cached_property
    def _table_axis(self) -> Any:
        """Name, unit and values of the planes where a table has them, and the header not."""
        if self._planes_at is None or len(self._array.shape) != 3:
            return None
        wcs = self._wcs
        if wcs is not None and wcs.naxis > 2 and wcs.wcs.spec == 2:
            return None
        return self._planes_at()

    def along(self, axis: int, places: Any) -> tuple[str, str, Any] | None:
        """Return name, unit and values of an axis of the array.

        Parameters
        ----------
        axis
            Counted from the slowest, 0.
        places
            Pixels along it; the others are at the middle of the array.

        Returns
        -------
        (name, unit, values) or None
            None where it has no coordinates of its own.
        """
        with self._lock:
            if axis == 0 and self._table_axis is not None:
                name, unit, values = self._table_axis
                return name, unit, np.asarray(values, float)[np.asarray(places, int)]
            own = self._array.ndim - 1 - axis
            if self._wcs is None or own >= self._wcs.naxis:
                return None
            middle: list[Any] = [(length - 1) / 2 for length in self._array.shape]
            middle[axis] = np.asarray(places, float)
            reverse = middle[::-1]
            x, y = reverse[0], reverse[1] if len(reverse) > 1 else 0.0
            values = self._values(x, y, tuple(middle[:-2]))[:, own]
            unit, factor = self._units[own]
            return self._axis_name(own), unit, values / factor

    def plane_axes(self) -> list[dict[str, Any]]:
        """Return name, unit, length and values of each leading axis, slowest first."""
        found = []
        for axis, length in enumerate(self._array.shape[:-2]):
            entry: dict[str, Any] = {"name": "plane", "unit": "", "length": length}
            known = self.along(axis, np.arange(length)) if length <= _MOST_VALUES else None
            if known is not None:
                entry.update(name=known[0], unit=known[1], values=np.asarray(known[2]).tolist())
            found.append(entry)
        return found

    def compass(self) -> dict[str, Any] | None:
        """Return where north and east are at the middle of the image.

        Returns
        -------
        dict or None
            `north` and `east`: unit vectors (x, y) in pixels; `scale`: seconds of arc of a
            pixel. None where the image is not on the sky, or the middle is a pole.
        """
        from skypool.sky.celestial import geometry

        array = self._array
        if not array.may_have_wcs or array.ndim < 2:
            return None
        with self._lock:
            found = geometry(array.wcs_header, array.shape, lambda: self._wcs)
        if found is None or (found.x_axis, found.y_axis) != (array.ndim - 1, array.ndim - 2):
            return None
        middle = np.array([[(found.width - 1) / 2, (found.height - 1) / 2]])
        with self._lock:
            here, right, up = found.celestial.directions(middle + np.eye(3, 2, -1))
        if not np.isfinite([here, right, up]).all():
            return None
        east = np.array([-here[1], here[0], 0.0])
        if np.linalg.norm(east) < 1e-9:
            return None
        east /= np.linalg.norm(east)
        north = np.cross(here, east)
        # Columns: how a step along x and along y moves on the tangent plane.
        matrix = np.array([[d @ east, d @ north] for d in (right - here, up - here)]).T
        area = abs(float(np.linalg.det(matrix)))
        if not area > 0:
            return None
        inverse = np.linalg.inv(matrix)
        vectors = [inverse @ np.array(v) for v in ((0.0, 1.0), (1.0, 0.0))]
        n, e = (vector / np.linalg.norm(vector) for vector in vectors)
        return {
            "north": [float(n[0]), float(n[1])],
            "east": [float(e[0]), float(e[1])],
            "scale": math.degrees(math.sqrt(area)) * 3600,
        }
