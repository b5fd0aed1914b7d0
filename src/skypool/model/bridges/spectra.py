"""Spectra of specutils."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.composite import Composite
from skypool.model.iraf import dispersion
from skypool.model.nddata import companions, plain_meta
from skypool.model.optional import package
from skypool.model.tables import Column, Table
from skypool.model.units import unknown_unit

if TYPE_CHECKING:
    from skypool.model.product import Product

__all__ = ["spectra_of", "spectral_axis", "spectrum_of", "spectrum_of_array"]

# Names of columns, the surest first; then what their UCDs start with.
_AXES: Final = (
    *("wave", "wavelength", "lambda", "freq", "frequency", "wavenumber", "energy", "velocity"),
    *("spectral_axis", "wl", "wn", "lam"),
)
_FLUXES: Final = (
    *("flux", "flux_density", "fluxdensity", "intensity", "signal", "spectrum", "brightness"),
    *("counts", "rate", "power"),
)
_AXIS_UCDS: Final = ("em.wl", "em.freq", "em.wavenumber", "em.energy", "spect.dopplerveloc")
_FLUX_UCDS: Final = ("phot.flux", "phot.count", "phot.radiance", "spect.intensity")
_COMPANIONS: Final = ("mask", "error", "variance", "ivar", "uncertainty")
_ERRORS: Final = {
    "StdDevUncertainty": ("error", "err", "stddev", "sigma", "{}_error", "{}_err", "e_{}"),
    "VarianceUncertainty": ("variance", "var", "{}_variance"),
    "InverseVariance": ("ivar", "{}_ivar"),
}


def spectrum_of(product: Product, name: str = "") -> Any:
    """Return a dataset of a product as `specutils.Spectrum`, with its mask and uncertainty."""
    if name:
        return _one(product, name, product[name])
    found = list(_candidates(product.datasets))
    if not found:
        raise UsageError(
            "the product has no spectrum: no array of one axis in wavelength, frequency, "
            "energy or velocity, and no table with such a column and a flux",
            hint="name the dataset of a cube: product.to_spectrum('image')",
        )
    return _one(product, *found[0])


def spectra_of(product: Product) -> Any:
    """Return all spectra of a product as `specutils.SpectrumList`; of tables also row by row."""
    lists = package("specutils", extra="spectra")
    made = []
    for path, dataset in _candidates(product.datasets):
        if isinstance(dataset, Table) and dataset[_columns(dataset)["axis"]].ndim > 1:
            made += [spectrum_of_table(dataset, row) for row in range(len(dataset))]
        else:
            made.append(_one(product, path, dataset))
    return lists.SpectrumList(made)


def _one(product: Product, path: str, dataset: Any) -> Any:
    if isinstance(dataset, Table):
        return spectrum_of_table(dataset)
    if not isinstance(dataset, Array):
        raise UsageError(f"{path!r} is no array and no table")
    place, _, last = path.rpartition("/")
    beside = product[place] if place else product.datasets
    return spectrum_of_array(dataset, **companions(beside, last))


def _candidates(datasets: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and dataset of what is a spectrum and nothing else."""
    for name, part in datasets.items():
        if isinstance(part, Composite):
            yield from _candidates(part, f"{before}{name}/")
        elif isinstance(part, Table):
            names = _columns(part)
            if len(names) >= 2 and _runs(part[names["axis"]]):
                yield f"{before}{name}", part
        elif (
            part.ndim == 1
            and not name.lower().endswith(_COMPANIONS)
            and (spectral_axis(part.wcs) is not None or _by_iraf(part) is not None)
        ):
            yield f"{before}{name}", part


def spectral_axis(wcs: Any) -> int | None:
    """Return the only axis of a WCS that is a spectral one, if there is one."""
    if wcs is None:
        return None
    kinds = [axis["coordinate_type"] for axis in wcs.get_axis_types()]
    return kinds.index("spectral") if kinds.count("spectral") == 1 else None


def _by_iraf(array: Array) -> Any:
    """Return the last axis of an array where IRAF tells it, which says nothing of air or vacuum."""
    from astropy.units import Quantity

    found = dispersion(array.wcs, array.shape[-1]) if array.ndim else None
    return None if found is None else Quantity(found[1], found[2])


def spectrum_of_array(array: Array, mask: Any = None, uncertainty: Any = None) -> Any:
    """Return a spectrum or a cube as `specutils.Spectrum`.

    Raises
    ------
    UsageError
        If its world coordinates have no spectral axis, or astropy does not know its unit.
    """
    spectra = package("specutils", extra="spectra")
    wcs = array.wcs
    along = _by_iraf(array)
    if along is not None:
        axis = {"spectral_axis": along}
    elif wcs is None or wcs.naxis != array.ndim or spectral_axis(wcs) is None:
        raise UsageError(
            "the array has no axis in wavelength, frequency, energy or velocity",
            hint="give it world coordinates: skypool.Array(data, unit, wcs)",
        )
    else:
        axis = {"wcs": wcs}
    return spectra.Spectrum(
        flux=_quantity(np.array(array), array),
        mask=mask,
        uncertainty=uncertainty,
        meta=plain_meta(array.meta),
        **axis,
    )


def spectrum_of_table(table: Table, row: int | None = None) -> Any:
    """Return the columns of a table as `specutils.Spectrum`; those of a row's cells, if given."""
    from astropy import nddata

    spectra = package("specutils", extra="spectra")
    names = _columns(table)
    if len(names) < 2:
        raise UsageError(
            f"of the columns {', '.join(table.colnames)} none is the spectral axis, or no flux",
            hint="columns are found by name (wavelength, frequency, ...; flux, ...) or UCD",
        )
    if table[names["axis"]].ndim > 1 and row is None:
        raise UsageError("every row of the table holds a spectrum", hint="use product.to_spectra()")
    axis, flux = (_cells(table[names[key]], row) for key in ("axis", "flux"))
    if getattr(axis, "unit", None) is None:
        raise UsageError(f"the column {names['axis']!r} has no unit")
    if row is None and not _runs(table[names["axis"]]):
        raise UsageError(
            f"the rows are no spectrum: {names['axis']!r} neither rises nor falls all along",
            hint="sort them, and leave out those without a value, with table.to_astropy()",
        )
    uncertainty = None
    for kind, patterns in _ERRORS.items():
        error = _named(table, [pattern.format(names["flux"].lower()) for pattern in patterns])
        if error is not None and uncertainty is None:
            values = _cells(table[error], row)
            uncertainty = getattr(nddata, kind)(np.ma.getdata(values))
    missing = np.ma.getmaskarray(table[names["flux"]][slice(None) if row is None else row])
    mask = missing if missing.any() else None
    flagged = _named(table, ["mask"])
    if flagged is not None and table[flagged].dtype == bool:
        mask = missing | np.asarray(table[flagged][slice(None) if row is None else row])
    return spectra.Spectrum(
        flux=flux,
        spectral_axis=axis,
        mask=mask,
        uncertainty=uncertainty,
        meta=plain_meta(table.meta),
    )


def _runs(column: Column) -> bool:
    """Say whether a column rises or falls from row to row, as along the axis of a spectrum.

    That of a catalogue, where each row is another source, does not.
    """
    if column.ndim > 1 or column.dtype.kind not in "iuf":
        return column.ndim > 1
    steps = np.diff(np.ma.filled(np.ma.asarray(column[:], np.float64), np.nan))
    return bool((steps > 0).all() or (steps < 0).all())


def _cells(column: Column, row: int | None) -> Any:
    values = np.array(np.ma.getdata(column[:] if row is None else column[row]))
    return _quantity(values, column) if column.unit is not None else values


def _quantity(values: Any, dataset: Array | Column) -> Any:
    from astropy.units import Quantity

    if isinstance(dataset.unit, str):
        raise unknown_unit(dataset.unit)
    return Quantity(values, dataset.unit, subok=True)


def _columns(table: Table) -> dict[str, str]:
    """Return the columns of the spectral axis and of the flux, as far as there are any."""
    found = {
        "axis": _named(table, _AXES) or _with_ucd(table, _AXIS_UCDS),
        "flux": _named(table, _FLUXES) or _with_ucd(table, _FLUX_UCDS),
    }
    return {role: name for role, name in found.items() if name is not None}


def _named(table: Table, names: Any) -> str | None:
    known = {name.lower(): name for name in table.colnames}
    return next((known[name] for name in names if name in known), None)


def _with_ucd(table: Table, starts: tuple[str, ...]) -> str | None:
    for name in table.colnames:
        if table.source.info(name).ucd.lower().startswith(starts):
            return name
    return None
