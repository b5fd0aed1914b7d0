"""Cubes of spectral-cube: three axes out of any order, one Stokes parameter, beams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.bridges.spectra import spectral_axis
from skypool.model.nddata import companions, plain_meta
from skypool.model.optional import package
from skypool.model.tables import Table

if TYPE_CHECKING:
    from skypool.model.product import Product

__all__ = ["build_cube", "cube_of"]

# The numbers of FITS 4.0, table 29.
_STOKES: Final = dict(
    zip(
        [*range(1, 5), *range(-1, -9, -1)],
        ["I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX"],
        strict=True,
    )
)
_BEAM: Final = ("BMAJ", "BMIN", "BPA")


def cube_of(product: Product, name: str = "", stokes: str = "") -> Any:
    """Return a dataset of a product as `spectral_cube.SpectralCube`, what is masked left out."""
    if not name:
        name = next(
            (
                key
                for key, part in product.datasets.items()
                if isinstance(part, Array)
                and part.ndim in (3, 4)
                and spectral_axis(part.wcs) is not None
            ),
            "",
        )
    if not name:
        raise UsageError("the product has no cube with a spectral and two celestial axes")
    found = companions(product.datasets, name)
    beams = product.datasets.get("BEAMS")
    return build_cube(
        product[name],
        found.get("mask"),
        stokes=stokes,
        beams=beams if isinstance(beams, Table) else None,
    )


def build_cube(
    array: Array, mask: Any = None, *, stokes: str = "", beams: Table | None = None
) -> Any:
    """Return a cube as `spectral_cube.DaskSpectralCube`, which reads what is computed.

    Parameters
    ----------
    array
        With one spectral and two celestial axes, in any order, and at most one besides, of
        Stokes parameters or of length 1.
    mask
        True where values are to be left out; those that are not finite always are.
    stokes
        Which of several Stokes parameters: `I`, `Q`, `RR`, ...
    beams
        A table of a beam for each channel, as CASA and AIPS write it.
    """
    cubes = package("spectral_cube", extra="spectra")
    data: Any = array.to_dask()
    wcs: Any = array.wcs
    hidden = None if mask is None else np.asarray(mask)
    kinds = [] if wcs is None else [axis["coordinate_type"] for axis in wcs.get_axis_types()]
    plane = 0
    if array.ndim == len(kinds) == 4 and kinds.count("celestial") == 2 and "spectral" in kinds:
        axis = _other(kinds)
        plane = _plane(wcs, axis, array.shape[3 - axis], stokes)
        chosen: Any = (*(3 - axis) * (slice(None),), plane)
        data = data[chosen]
        hidden = None if hidden is None else hidden[chosen]
        wcs = wcs.dropaxis(axis)
        kinds.pop(axis)
    if sorted(map(str, kinds)) != ["celestial", "celestial", "spectral"] or data.ndim != 3:
        raise UsageError(
            f"a cube has two celestial axes and a spectral one; this array of shape {array.shape} "
            f"has {', '.join(map(str, kinds)) or 'no world coordinates'}"
        )
    order = [kinds.index("spectral"), wcs.wcs.lat, wcs.wcs.lng]
    turned = [2 - axis for axis in order]
    data = data.transpose(turned)
    wcs = wcs.sub([axis + 1 for axis in reversed(order)])
    seen = cubes.LazyMask(np.isfinite, data=data, wcs=wcs)
    if hidden is not None:
        seen = seen & cubes.BooleanArrayMask(~hidden.transpose(turned), wcs)
    meta = plain_meta(array.meta)
    if array.unit_text:
        meta["BUNIT"] = str(array.unit)
    several = None if beams is None else _beams(beams, plane, len(data))
    if several is not None:
        kind: Any = cubes.DaskVaryingResolutionSpectralCube
        return kind(data, wcs=wcs, mask=seen, meta=meta, beams=several)
    return cubes.DaskSpectralCube(data, wcs=wcs, mask=seen, meta=meta, beam=_beam(meta, array))


def _beam(meta: dict[str, Any], array: Array) -> Any:
    """Return the beam that metadata tell as FITS does, in degrees, or AIPS in HISTORY."""
    major, minor, angle = (meta.get(key) for key in _BEAM)
    angle = 0.0 if angle is None else angle
    beams = package("radio_beam", extra="spectra").Beam
    if all(isinstance(value, int | float) for value in (major, minor, angle)) and major:
        from astropy.units import deg

        return beams(major * deg, minor * deg, angle * deg)
    source = array.wcs_source
    cards = (source() if callable(source) else source) or ""
    if "CLEAN BMAJ" not in cards:
        return None
    from astropy.io.fits import Header

    return beams.from_fits_history(Header.fromstring(cards))


def _beams(table: Table, plane: int, channels: int) -> Any:
    """Return the beams of the channels of a plane; None where the table has not one for each."""
    if not {*_BEAM, "CHAN"} <= set(table.colnames):
        return None
    rows = np.arange(len(table))
    if "POL" in table.colnames:
        rows = rows[np.asarray(table["POL"]) == plane]
    rows = rows[np.argsort(np.asarray(table["CHAN"])[rows], kind="stable")]
    if len(rows) != channels:
        return None
    from astropy import units

    usual = (units.arcsec, units.arcsec, units.deg)
    values = [
        np.array(table[name])[rows] * (table[name].unit or unit)
        for name, unit in zip(_BEAM, usual, strict=True)
    ]
    return package("radio_beam", extra="spectra").Beams(*values)


def _plane(wcs: Any, axis: int, length: int, stokes: str) -> int:
    """Return which plane of the fourth axis has a Stokes parameter.

    Raises
    ------
    UsageError
        If there are several and none is chosen, or there is no such one.
    """
    first, step, at = (float(part[axis]) for part in (wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix))
    known = [_STOKES.get(round(first + (n + 1 - at) * step), "?") for n in range(length)]
    if not wcs.wcs.ctype[axis].startswith("STOKES"):
        known = ["?"] * length
    if length == 1 and not stokes:
        return 0
    if stokes and stokes.upper() in known:
        return known.index(stokes.upper())
    if set(known) == {"?"}:
        raise UsageError(
            f"the fourth axis has {length} planes, and is no axis of Stokes parameters"
        )
    raise UsageError(
        f"the cube has the Stokes parameters {', '.join(known)}"
        + (f", not {stokes}" if stokes else ""),
        hint=f"choose one: to_spectral_cube(stokes={known[0]!r})",
    )


def _other(kinds: list[Any]) -> int:
    return next((n for n, kind in enumerate(kinds) if kind not in ("celestial", "spectral")), 0)
