"""Names of the axes of arrays, and coordinates along them, as the WCS gives them.

The names are those of docs/howto/arrays.md.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skypool.model.sources import Ndarray
from skypool.model.validate import Problems
from skypool.model.wcs import build_wcs, wcs_text

__all__ = ["Axes", "World", "axes_of"]

# First four letters of CTYPE -> name.
_NAMES = {
    "FREQ": "freq",
    "WAVE": "wave",
    "AWAV": "wave",
    "WAVN": "wavenumber",
    "ENER": "energy",
    "VRAD": "velocity",
    "VOPT": "velocity",
    "VELO": "velocity",
    "FELO": "velocity",
    "ZOPT": "redshift",
    "BETA": "beta",
    "STOK": "stokes",
    "TIME": "time",
    "UTC": "time",
    "TAI": "time",
    "TDB": "time",
    "TT": "time",
}
_CELESTIAL = {"RA--": ("ra", "dec"), "GLON": ("glon", "glat"), "ELON": ("elon", "elat")}
_PLAIN = ("x", "y", "z")


@dataclass(frozen=True)
class World:
    """Celestial coordinates of the pixels of an image, computed where they are looked at.

    Parameters
    ----------
    wcs
        Of the two celestial axes alone.
    shape
        (ny, nx).
    which
        Number of the axis of the WCS.
    """

    wcs: Any
    shape: tuple[int, int]
    which: int
    dtype: Any = np.dtype(np.float64)  # noqa: RUF009 (never changes)

    def token(self) -> object:
        """Return what tells these coordinates from others."""
        return "world", self.wcs.to_header_string(), self.shape, self.which

    def __reduce__(self) -> tuple[Any, ...]:
        # WCS is pickled as a header of 15 digits.
        problems: list[Any] = []
        text = wcs_text(self.wcs, Problems(found=problems))
        return _world, (self.wcs if problems else text, self.shape, self.which)

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        """Return the coordinates of a part, in the unit of the WCS."""
        rows, columns = (np.arange(part.start, part.stop, part.step) for part in index)
        y, x = np.meshgrid(rows, columns, indexing="ij")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            world = self.wcs.all_pix2world(x.reshape(-1), y.reshape(-1), 0)
        found: Ndarray = np.asarray(world[self.which]).reshape(x.shape)
        return found


def _world(wcs: Any, *rest: Any) -> World:
    return World(build_wcs(wcs, (1, 1)) if isinstance(wcs, str) else wcs, *rest)


@dataclass(frozen=True)
class Axes:
    """Names of the axes of an array, in numpy's order, and coordinates along them.

    Attributes
    ----------
    names : tuple of str
    along : dict
        Name of an axis -> (values, unit).
    sky : dict
        Name of a coordinate -> (names of its axes, World, unit).
    attrs : dict
        What else is to be known: frame, rest frequency.
    """

    names: tuple[str, ...]
    along: dict[str, tuple[Ndarray, str]] = field(default_factory=dict)
    sky: dict[str, tuple[tuple[str, str], World, str]] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)


def axes_of(shape: tuple[int, ...], wcs: Any) -> Axes:
    """Return names and coordinates of the axes of an array."""
    if wcs is None or wcs.naxis != len(shape):
        return Axes(_plain_names(len(shape)))
    names = _names(wcs)
    found = Axes(names, attrs=_attrs(wcs))
    for axis in range(wcs.naxis):
        place = wcs.naxis - 1 - axis
        if axis not in (wcs.wcs.lng, wcs.wcs.lat) and wcs.wcs.ctype[axis]:
            values = _separate(wcs, axis, shape[place])
            if values is not None:
                found.along[names[place]] = (values, str(wcs.wcs.cunit[axis]))
    if wcs.wcs.lng >= 0 and wcs.wcs.lat >= 0:
        _add_sky(found, shape, wcs)
    return found


def _plain_names(ndim: int) -> tuple[str, ...]:
    """Return x for the fastest axis, then y, z and axis3, axis4, ..."""
    names = [*_PLAIN, *(f"axis{n}" for n in range(3, ndim))][:ndim]
    return tuple(reversed(names))


def _names(wcs: Any) -> tuple[str, ...]:
    made: list[str] = []
    spare = iter(n for n in ("x", "y", "z") if n not in _sky_names(wcs))
    for axis in range(wcs.naxis):
        kind = wcs.wcs.ctype[axis].upper()
        if axis in (wcs.wcs.lng, wcs.wcs.lat):
            name = _sky_names(wcs)[sorted((wcs.wcs.lng, wcs.wcs.lat)).index(axis)]
        elif kind[:4].rstrip("-") in _NAMES:
            name = _NAMES[kind[:4].rstrip("-")]
        else:
            # Where IRAF has labelled it, its type says nothing.
            kind = wcs.wcs.cname[axis] if kind in ("LINEAR", "LINE-LOG") else kind
            kind = kind or wcs.wcs.ctype[axis]
            word = "".join(c for c in kind.partition("-")[0].lower() if c.isalnum() or c == "_")
            name = word if word.isidentifier() else next(spare, f"axis{axis}")
        made.append(name if name not in made else f"{name}{axis}")
    return tuple(reversed(made))


def _sky_names(wcs: Any) -> tuple[str, ...]:
    return ("x", "y") if wcs.wcs.lng >= 0 and wcs.wcs.lat >= 0 else ()


def _attrs(wcs: Any) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if wcs.wcs.lng >= 0 and wcs.wcs.radesys:
        attrs["frame"] = wcs.wcs.radesys
    for name, value in (("rest_frequency", wcs.wcs.restfrq), ("rest_wavelength", wcs.wcs.restwav)):
        if value:
            attrs[name] = float(value)
    return attrs


def _separate(wcs: Any, axis: int, length: int) -> Ndarray | None:
    """Return the coordinates along an axis that depend on no other, else None."""
    correlated = wcs.axis_correlation_matrix
    if correlated[axis].sum() != 1 or not correlated[axis, axis] or correlated[:, axis].sum() != 1:
        return None
    pixels = np.tile(np.asarray(wcs.wcs.crpix)[:, None] - 1, length)
    pixels[axis] = np.arange(length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: Ndarray = np.asarray(wcs.wcs_pix2world(pixels.T, 0))[:, axis]
    return found if np.isfinite(found).all() else None


def _add_sky(found: Axes, shape: tuple[int, ...], wcs: Any) -> None:
    """Note the celestial coordinates, where they depend on the two axes of the sky alone."""
    both = sorted((wcs.wcs.lng, wcs.wcs.lat))
    others = [n for n in range(wcs.naxis) if n not in both]
    if wcs.axis_correlation_matrix[np.ix_(both, others)].any():
        return
    flat = wcs.celestial
    kind = flat.wcs.ctype[flat.wcs.lng].upper()[:4]
    names = _CELESTIAL.get(kind, ("lon", "lat"))
    first, second = (wcs.naxis - 1 - n for n in both)
    plane = (shape[second], shape[first])
    axes = (found.names[second], found.names[first])
    for which, name in zip((flat.wcs.lng, flat.wcs.lat), names, strict=True):
        world = World(flat, plane, which)
        found.sky[name] = (axes, world, str(flat.wcs.cunit[which]))
