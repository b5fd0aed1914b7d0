"""astropy's NDData and CCDData, made from datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.intake import UNCERTAINTIES, companion_name
from skypool.model.metadata import MetaData
from skypool.model.units import unknown_unit

if TYPE_CHECKING:
    from skypool.model.composite import Datasets

__all__ = ["build", "build_ccd", "plain_meta"]


def plain_meta(meta: MetaData) -> dict[str, Any]:
    """Return metadata as a plain dictionary of values; times as text of FITS."""
    from datetime import datetime

    from skypool.model.times import format_utc

    return {
        name: format_utc(found.value) if isinstance(found.value, datetime) else found.value
        for name, found in meta.items()
    }


def build(array: Array, mask: Any = None, uncertainty: Any = None, *, lazy: bool = False) -> Any:
    """Return an `NDData`; a lazy one is an `NDDataRef`, whose slices read their part."""
    from astropy.nddata import NDData, NDDataRef

    return (NDDataRef if lazy else NDData)(
        array if lazy else np.array(array),
        unit=_known_unit(array),
        wcs=array.wcs,
        meta=plain_meta(array.meta),
        mask=mask,
        uncertainty=uncertainty,
    )


def build_ccd(array: Array, mask: Any = None, uncertainty: Any = None) -> Any:
    """Return a `CCDData`.

    Raises
    ------
    UsageError
        If the array has no unit.
    """
    from astropy.nddata import CCDData

    unit = _known_unit(array)
    if unit is None:
        raise UsageError(
            "the array has no unit, without which there is no CCDData",
            hint="use to_nddata(), or give the dataset a unit",
        )
    return CCDData(
        np.array(array),
        unit=unit,
        wcs=array.wcs,
        meta=plain_meta(array.meta),
        mask=mask,
        uncertainty=uncertainty,
    )


def _known_unit(array: Array) -> Any:
    """Return the unit; one that astropy does not know as it has such units in tables."""
    if isinstance(array.unit, str):
        from astropy.units import Unit

        return Unit(array.unit, parse_strict="silent")
    return array.unit


def companions(datasets: Datasets, name: str, *, lazy: bool = False) -> dict[str, Any]:
    """Return mask and uncertainty that belong to an array of a product."""
    from astropy import nddata

    found: dict[str, Any] = {}
    mask = datasets.get(companion_name(name, "mask"))
    if isinstance(mask, Array) and mask.dtype == bool:
        found["mask"] = mask if lazy else np.array(mask)
    for kind, what in UNCERTAINTIES.items():
        part = datasets.get(companion_name(name, what))
        if isinstance(part, Array):
            if isinstance(part.unit, str) and kind != "StdDevUncertainty":
                raise unknown_unit(part.unit)  # astropy compares it with that of the data
            values = part if lazy else np.array(part)
            unit = None if isinstance(part.unit, str) else part.unit
            found["uncertainty"] = getattr(nddata, kind)(values, unit=unit, copy=False)
            break
    return found
