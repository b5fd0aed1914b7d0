"""World coordinates under the names of HCSS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.hipe.bean import Bean

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Wcs"]


def _axis(name: str, field: str, place: int) -> Any:
    def get(self: Wcs) -> Any:
        values = getattr(self._wcs.wcs, field)
        found = values[place] if place < len(values) else None
        return found if found is None or isinstance(found, str) else _plain(found)

    def put(self: Wcs, value: Any) -> None:
        values = list(getattr(self._wcs.wcs, field))
        if place >= len(values):
            raise UsageError(f"there is no axis {place + 1}; there are {len(values)}")
        values[place] = value
        setattr(self._wcs.wcs, field, values)
        self._tell()

    return property(get, put, doc=f"The keyword `{name.upper()}`.")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


class Wcs(Bean):
    """World coordinates of an image; rows and columns are counted from 0.

    Parameters
    ----------
    wcs
        `astropy.wcs.WCS`, which is copied; by default of two axes, with nothing set.
    **keys
        `crpix1`, `crval1`, `cdelt1`, `ctype1`, `cunit1`, ..., `crota2`, `equinox`.
    """

    _owner: Any = None

    def __init__(self, wcs: WCS | None = None, **keys: Any) -> None:
        from astropy import wcs as astropy_wcs

        axes = 3 if any(key[-1:] == "3" for key in keys) else 2
        self._wcs = astropy_wcs.WCS(naxis=axes) if wcs is None else wcs.deepcopy()
        for key, value in keys.items():
            setattr(self, key, value)

    @classmethod
    def of(cls, wcs: WCS, owner: Any) -> Wcs:
        """Return the world coordinates of an image; what is set changes those of the image."""
        made = cls(wcs)
        made._owner = owner
        return made

    def _tell(self) -> None:
        if self._owner is not None:
            self._owner.wcs = self

    @property
    def astropy(self) -> WCS:
        """A copy of it, as `astropy.wcs.WCS`."""
        return self._wcs.deepcopy()

    @property
    def crota2(self) -> float:
        """Rotation in degrees."""
        from math import atan2, degrees

        matrix = self._wcs.pixel_scale_matrix
        sign = -1 if self.cdelt2 < 0 else 1
        return degrees(atan2(-sign * matrix[0, 1], sign * matrix[1, 1]))

    @crota2.setter
    def crota2(self, angle: float) -> None:
        from math import cos, radians, sin

        cosine, sine = cos(radians(angle)), sin(radians(angle))
        ratio = self.cdelt2 / self.cdelt1
        self._wcs.wcs.pc = [[cosine, -sine * ratio], [sine / ratio, cosine]]
        self._tell()

    @property
    def equinox(self) -> float:
        """The equinox in years."""
        return float(self._wcs.wcs.equinox)

    @equinox.setter
    def equinox(self, year: float) -> None:
        self._wcs.wcs.equinox = float(year)
        self._tell()

    def getWorldCoordinates(self, row: float, column: float) -> list[float]:
        """Return right ascension and declination of a pixel, in degrees, ICRS."""
        place = self._wcs.celestial.pixel_to_world(column, row).icrs
        return [float(place.ra.deg), float(place.dec.deg)]

    def getPixelCoordinates(self, ra: float, dec: float) -> list[float]:
        """Return row and column of a place in degrees, ICRS."""
        from astropy.coordinates import SkyCoord

        place = SkyCoord(float(ra), float(dec), unit="deg")
        column, row = self._wcs.celestial.world_to_pixel(place)
        return [float(row), float(column)]

    def __repr__(self) -> str:
        keys = ("ctype1", "crval1", "crpix1", "cdelt1", "ctype2", "crval2", "crpix2", "cdelt2")
        return f"Wcs({', '.join(f'{key}={getattr(self, key)!r}' for key in keys)})"


for _number in range(3):
    for _field in ("crpix", "crval", "cdelt", "ctype", "cunit"):
        _name = f"{_field}{_number + 1}"
        setattr(Wcs, _name, _axis(_name, _field, _number))
