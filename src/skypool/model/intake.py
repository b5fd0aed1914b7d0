"""Datasets made of what users give to a product."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skypool.errors import InvalidProduct
from skypool.model import convert
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset
from skypool.model.names import missing_name
from skypool.model.sources import TableSource
from skypool.model.tables import Table
from skypool.model.validate import Problems

__all__ = ["companion_name", "datasets_of", "merged"]

# Class of an uncertainty in astropy -> name of the dataset that keeps it.
UNCERTAINTIES = {
    "StdDevUncertainty": "error",
    "VarianceUncertainty": "variance",
    "InverseVariance": "ivar",
    "UnknownUncertainty": "uncertainty",
}


def companion_name(name: str, what: str) -> str:
    """Return the name of a dataset that belongs to another one, such as its mask.

    That of `image` is `mask`; of any other, `<name>_mask`.
    """
    return what if name == "image" else f"{name}_{what}"


def datasets_of(given: Mapping[str, Any], problems: Problems) -> dict[str, Dataset]:
    """Return datasets for what was given, and note what cannot be kept."""
    made: dict[str, Dataset] = {}
    for name, value in given.items():
        if not _is_name(name):
            problems.add(f"the name of a dataset is text, not {name!r}", "name")
            continue
        try:
            parts = list(_datasets(name, value))
        except InvalidProduct as error:
            problems.at(name).take(error)
            continue
        except (TypeError, ValueError) as error:
            problems.at(name).add(f"a {type(value).__name__} is no dataset ({error})", "value")
            continue
        for part, dataset in parts:
            if part != name and (part in given or part in made):
                problems.at(name).add(
                    f"it brings a dataset {part!r}, but there is one of that name", "conflict"
                )
            else:
                made[part] = dataset
    return made


def merged(old: Mapping[str, Dataset], changes: Mapping[str, Any]) -> dict[str, Dataset]:
    """Return datasets with changes; None removes, `composite/name` goes into a composite.

    Raises
    ------
    InvalidProduct
        With everything that cannot be kept.
    MissingName
        If a dataset that should be removed is not there.
    """
    values = dict(old)
    problems = Problems()
    for name, value in changes.items():
        head, _, tail = str(name).partition("/")
        inner = values.get(head)
        if name not in values and tail and isinstance(inner, Composite):
            try:
                values[head] = inner.replace({tail: value})
            except InvalidProduct as error:
                problems.at(head).take(error)
        elif value is not None:
            # An NDData renews its mask and error with it.
            values.update(datasets_of({name: value}, problems))
        elif values.pop(name, None) is None:
            raise missing_name("dataset", old, name)
    problems.raise_all()
    return values


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _datasets(name: str, value: Any) -> Iterator[tuple[str, Dataset]]:
    if type(value) is np.ndarray and not value.dtype.names:  # what most are
        yield name, Array(value)
    elif isinstance(value, Array | Table | Composite):
        yield name, value
    elif convert.is_nddata(value):
        yield from _from_nddata(name, value)
    elif isinstance(value, np.ma.MaskedArray) and not value.dtype.names:
        yield name, Array(value.data)
        if np.ma.getmaskarray(value).any():
            yield companion_name(name, "mask"), Array(np.ma.getmaskarray(value))
    elif _is_masked_quantity(value):
        yield name, Array(value.unmasked)
        yield companion_name(name, "mask"), Array(value.mask)
    elif _is_table(value):
        yield name, Table(value)
    elif isinstance(value, Mapping):
        yield name, Composite(value)
    else:
        yield name, Array(value)


def _is_masked_quantity(value: Any) -> bool:
    module = sys.modules.get("astropy.utils.masked")
    return module is not None and isinstance(value, module.Masked)


def _is_table(value: Any) -> bool:
    # Asking for the protocol takes longer than making a small array.
    if isinstance(value, np.ndarray):
        return bool(value.dtype.names)
    for module, name in (("astropy.table", "Table"), ("pandas", "DataFrame")):
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(value, getattr(loaded, name)):
            return True
    return isinstance(value, TableSource)


def _from_nddata(name: str, data: Any) -> Iterator[tuple[str, Dataset]]:
    meta = convert.foreign_meta(data.meta)
    yield name, Array(np.asarray(data.data), data.unit, data.wcs, meta)
    if data.mask is not None:
        mask = np.broadcast_to(np.asarray(data.mask, dtype=bool), np.shape(data.data))
        yield companion_name(name, "mask"), Array(mask)
    uncertainty = data.uncertainty
    if uncertainty is not None:
        what = UNCERTAINTIES.get(type(uncertainty).__name__, "uncertainty")
        yield companion_name(name, what), Array(uncertainty.array, uncertainty.unit)
    if getattr(data, "psf", None) is not None:
        yield companion_name(name, "psf"), Array(data.psf)
