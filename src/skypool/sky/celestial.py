"""The celestial axes of an array: which they are, and how pixels and directions correspond."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from skypool.sky.frames import ROTATIONS, frame_of
from skypool.sky.tangent import Tangent, tangent

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Celestial", "Geometry", "geometry"]

Points: TypeAlias = "NDArray[np.float64]"


class Celestial(Protocol):
    """Pixels of a two-dimensional image and directions.

    Pixels count from 0 at the centre of the first one, x along the faster axis of the two.
    """

    def pixels(self, directions: Points) -> Points:
        """Return (n, 2) x and y of (n, 3) ICRS unit vectors; NaN where there are none."""
        ...

    def directions(self, pixels: Points) -> Points:
        """Return (n, 3) ICRS unit vectors of (n, 2) x and y; NaN where there are none."""
        ...


@dataclass(frozen=True, slots=True)
class Geometry:
    """An array on the sky.

    Attributes
    ----------
    celestial : Celestial
    width, height : int
        Pixels along x and y.
    x_axis, y_axis : int
        Which axes of the array (counted from the slowest, 0) x and y are.
    """

    celestial: Celestial
    width: int
    height: int
    x_axis: int
    y_axis: int

    def pixel_of(self, direction: tuple[float, float, float]) -> tuple[int, int] | None:
        """Return the column and row that hold a direction, None outside the image."""
        ((x, y),) = self.celestial.pixels(np.array([direction]))
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        column, row = math.floor(x + 0.5), math.floor(y + 0.5)
        if 0 <= column < self.width and 0 <= row < self.height:
            return column, row
        return None


def geometry(header: str, shape: tuple[int, ...], wcs: Callable[[], Any]) -> Geometry | None:
    """Return where an array is on the sky.

    Parameters
    ----------
    header
        80-character cards.
    shape
        Of the array, slowest axis first.
    wcs
        Gives its `astropy.wcs.WCS` or None; only called where the header is not enough.

    Returns
    -------
    Geometry or None
        None for an array without celestial axes, or with axes of length 0.
    """
    if len(shape) < 2 or 0 in shape:
        return None
    if len(shape) == 2:
        plain = tangent(header)
        if plain is not None:
            return Geometry(_TangentImage(plain), shape[1], shape[0], 1, 0)
    found = wcs()
    if found is None or not found.has_celestial:
        return None
    lon, lat = found.wcs.lng, found.wcs.lat
    x_axis, y_axis = (len(shape) - 1 - axis for axis in sorted((lon, lat)))
    if y_axis < 0:
        return None
    try:
        image = _WcsImage.of(found)
    except (ValueError, TypeError, ArithmeticError):
        return None  # what astropy cannot place on the sky is nowhere
    return Geometry(image, shape[x_axis], shape[y_axis], x_axis, y_axis)


@dataclass(frozen=True, slots=True)
class _TangentImage:
    tangent: Tangent

    def pixels(self, directions: Points) -> Points:
        homogeneous = directions @ np.array(self.tangent.rows).T
        w = homogeneous[:, 2:]
        ahead = w > 1e-9
        return np.where(ahead, homogeneous[:, :2] / np.where(ahead, w, 1.0), np.nan)

    def directions(self, pixels: Points) -> Points:
        return np.array([self.tangent.direction(float(x), float(y)) for x, y in pixels])


class _WcsImage:
    """The celestial part of a `WCS`."""

    def __init__(self, wcs: Any) -> None:
        self._wcs = wcs
        self._period = _period(wcs)
        equinox = float(wcs.wcs.equinox)
        name = frame_of(
            str(wcs.wcs.lngtyp).strip(),
            str(wcs.wcs.radesys),
            None if math.isnan(equinox) else equinox,
        )
        self._rotation = None if name is None else np.array(ROTATIONS[name])
        self._frame: Any = None
        if name is None:
            from astropy.wcs.utils import wcs_to_celestial_frame

            self._frame = wcs_to_celestial_frame(wcs)  # ValueError for those of other planets

    @property
    def wiggle(self) -> float:
        """How far distortions from tables can move a pixel, radians: no samples show that."""
        tables = (self._wcs.cpdis1, self._wcs.cpdis2, self._wcs.det2im1, self._wcs.det2im2)
        moved = sum(float(np.abs(table.data).max()) for table in tables if table is not None)
        if moved == 0.0:
            return 0.0
        return math.radians(moved * float(np.abs(self._wcs.pixel_scale_matrix).sum()))

    @classmethod
    def of(cls, wcs: Any) -> _WcsImage:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cls(wcs.celestial)

    def directions(self, pixels: Points) -> Points:
        x, y = np.ascontiguousarray(pixels[:, 0]), np.ascontiguousarray(pixels[:, 1])
        if self._longitude == 0:
            lon, lat = self._wcs.all_pix2world(x, y, 0)
        else:
            lat, lon = self._wcs.all_pix2world(x, y, 0)
        lon, lat = np.radians(lon), np.radians(lat)
        scale = np.cos(lat)
        native = np.stack([scale * np.cos(lon), scale * np.sin(lon), np.sin(lat)], axis=1)
        return native @ self._rotation.T if self._rotation is not None else self._to_icrs(native)

    def pixels(self, directions: Points) -> Points:
        if self._rotation is not None:
            native = directions @ self._rotation
        else:
            native = self._from_icrs(directions)
        lon = np.degrees(np.arctan2(native[:, 1], native[:, 0])) % 360.0
        lat = np.degrees(np.arctan2(native[:, 2], np.hypot(native[:, 0], native[:, 1])))
        world = (lon, lat) if self._longitude == 0 else (lat, lon)
        return self._round(np.stack(self._to_pixels(*world), axis=1))

    @property
    def _longitude(self) -> int:
        return int(self._wcs.wcs.lng)

    def _to_pixels(self, first: Points, second: Points) -> list[Points]:
        from astropy.wcs import NoConvergence

        try:
            return list(self._wcs.all_world2pix(first, second, 0, quiet=False))
        except NoConvergence as error:
            # Directions far outside, where the distortion's polynomials have no meaning.
            found = np.array(error.best_solution, dtype=float)
            for bad in (error.divergent, error.slow_conv):
                if bad is not None:
                    found[bad] = np.nan
            return [found[:, 0], found[:, 1]]

    def _round(self, pixels: Points) -> Points:
        """Choose, among the pixels that a full turn of longitude apart are, those in the image."""
        shape = self._wcs.pixel_shape
        if self._period is None or shape is None:
            return pixels
        best = pixels
        for turn in (-1, 1):
            other = pixels + turn * self._period
            inside = np.all((other >= -0.5) & (other < np.array(shape) - 0.5), axis=1)
            best = np.where(inside[:, None], other, best)
        return best

    def _to_icrs(self, native: Points) -> Points:
        return self._changed(native, self._frame, "icrs")

    def _from_icrs(self, directions: Points) -> Points:
        return self._changed(directions, "icrs", self._frame)

    @staticmethod
    def _changed(vectors: Points, source: Any, target: Any) -> Points:
        from astropy.coordinates import CartesianRepresentation, SkyCoord

        given = SkyCoord(CartesianRepresentation(vectors.T), frame=source)
        found = given.transform_to(target).cartesian.xyz.value.T
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=float)


# Cylindrical projections, where longitude is linear in x (Calabretta & Greisen 2002, 5.2).
_CYLINDRICAL = ("CYP", "CEA", "CAR", "MER")


def _period(wcs: Any) -> Points | None:
    """Return how many pixels a full turn of longitude is, where that moves along a line."""
    if str(wcs.wcs.ctype[0])[5:8] not in _CYLINDRICAL or wcs.sip is not None:
        return None
    matrix = wcs.pixel_scale_matrix
    turn = np.array([360.0, 0.0] if wcs.wcs.lng == 0 else [0.0, 360.0])
    try:
        return np.asarray(np.linalg.solve(matrix, turn), dtype=float)
    except np.linalg.LinAlgError:
        return None
