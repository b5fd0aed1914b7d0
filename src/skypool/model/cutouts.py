"""The pixels around a position."""

from __future__ import annotations

from typing import Any

import numpy as np

from skypool.errors import UsageError

__all__ = ["cut"]


def cut(
    shape: tuple[int, ...], wcs: Any, position: Any, size: Any
) -> tuple[tuple[slice, ...], Any]:
    """Return which part of an array to read, and its world coordinates.

    Parameters
    ----------
    shape
        Of the array, slowest axis first.
    wcs
        Its world coordinates, or None.
    position
        `SkyCoord`, or (x, y) in pixels counted from 0.
    size
        Integer or `Quantity`, or (ny, nx) of them.

    Raises
    ------
    astropy.nddata.NoOverlapError
        If the array does not reach there.
    UsageError
        If the position or the size cannot be brought to pixels.
    """
    from astropy.nddata.utils import overlap_slices

    if len(shape) < 2:
        raise UsageError(f"a cutout needs an image, not an array of shape {shape}")
    axis_x, axis_y = _image_axes(len(shape), wcs)
    x, y = _pixel(position, wcs)
    ny, nx = _pair(size)
    lengths = (_pixels(ny, wcs, 1), _pixels(nx, wcs, 0))
    image = (shape[axis_y], shape[axis_x])
    (rows, columns), _ = overlap_slices(image, lengths, (y, x), mode="trim")
    place = [slice(0, length, 1) for length in shape]
    place[axis_y] = slice(rows.start, rows.stop, 1)
    place[axis_x] = slice(columns.start, columns.stop, 1)
    if wcs is None or wcs.naxis != len(shape):
        return tuple(place), _shifted(wcs, rows.start, columns.start, image)
    return tuple(place), wcs.slice([slice(part.start, part.stop) for part in place])


def _image_axes(ndim: int, wcs: Any) -> tuple[int, int]:
    """Return numpy's axes of x and y: the celestial ones, else the last two."""
    if wcs is not None and wcs.naxis == ndim and wcs.wcs.lng >= 0 and wcs.wcs.lat >= 0:
        first, second = sorted((wcs.wcs.lng, wcs.wcs.lat))
        return ndim - 1 - first, ndim - 1 - second
    return ndim - 1, ndim - 2


def _shifted(wcs: Any, y: int, x: int, image: tuple[int, int]) -> Any:
    if wcs is None:
        return None
    copy = wcs.deepcopy()
    copy.wcs.crpix = np.asarray(copy.wcs.crpix) - np.array([x, y] + [0] * (wcs.naxis - 2))
    if copy.sip is not None:
        return wcs.slice((slice(y, image[0]), slice(x, image[1])))
    return copy


def _pixel(position: Any, wcs: Any) -> tuple[float, float]:
    if isinstance(position, tuple | list | np.ndarray):
        x, y = position
        return float(x), float(y)
    if wcs is None or not wcs.has_celestial:
        raise UsageError(
            "the array has no celestial coordinates to find the position",
            hint="give the position as (x, y) in pixels",
        )
    from astropy.wcs.utils import skycoord_to_pixel

    x, y = skycoord_to_pixel(position, wcs.celestial, mode="all")
    if not (np.isfinite(x) and np.isfinite(y)):
        from astropy.nddata import NoOverlapError

        raise NoOverlapError("the position is not on the projection of the array")
    return float(x), float(y)


def _pair(size: Any) -> tuple[Any, Any]:
    if not isinstance(size, tuple | list) and np.ndim(getattr(size, "value", size)) == 0:
        return size, size
    ny, nx = size
    return ny, nx


def _pixels(length: Any, wcs: Any, axis: int) -> int:
    from astropy import units

    if not isinstance(length, units.Quantity):
        return max(1, round(float(length)))
    if length.unit == units.pixel:
        return max(1, round(float(length.value)))
    if wcs is None or not wcs.has_celestial:
        raise UsageError("a size as angle needs celestial coordinates; give it in pixels")
    from astropy.wcs.utils import proj_plane_pixel_scales

    scale = abs(float(proj_plane_pixel_scales(wcs.celestial)[axis]))
    return max(1, round(float(length.to_value(units.deg)) / scale))
