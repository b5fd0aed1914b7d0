"""What users hand in, brought into the types that datasets keep."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skypool.errors import InvalidProduct
from skypool.model.metadata import MetaData
from skypool.model.sources import Ndarray, is_array_source
from skypool.model.units import unit_text
from skypool.model.validate import Problems

__all__ = ["ArrayParts", "array_parts", "checked_meta", "checked_unit", "clean_array"]

# Element types that FITS can hold exactly, in native byte order.
ALLOWED = frozenset(
    np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float32", "float64", "complex64", "complex128"),
    )
)


@dataclass(slots=True)
class ArrayParts:
    """What an array of somebody else holds.

    Attributes
    ----------
    values : numpy.ndarray or None
        None where there is a source, which is kept as it is.
    unit, wcs, meta : object
        As found, None where there is none.
    source : object
        Where the values come from, if they are not in memory.
    """

    values: Ndarray | None
    unit: Any = None
    wcs: Any = None
    meta: Mapping[str, Any] | None = None
    source: Any = None


def is_nddata(data: object) -> bool:
    """Say whether this is astropy's `NDData` or built on it, such as `CCDData`."""
    module = sys.modules.get("astropy.nddata")
    return module is not None and isinstance(data, module.NDDataBase)


def array_parts(data: Any, problems: Problems, *, copy: bool = True) -> ArrayParts:
    """Take an array apart into plain values, unit, world coordinates and metadata.

    Parameters
    ----------
    data
        As `skypool.Array` takes it.
    problems
        Takes what cannot be kept.
    copy
        Whether values that others could change are copied.
    """
    if type(data) is np.ndarray:  # what most are
        return ArrayParts(clean_array(data, problems, copy=copy))
    if hasattr(data, "wcs_header"):  # another Array of ours
        header = data.wcs_header or None
        return ArrayParts(None, data.unit_text, header, data.meta, data.source)
    if isinstance(data, np.ndarray | list | tuple | int | float | complex | np.generic):
        if isinstance(data, np.ma.MaskedArray):
            _refuse_mask(np.ma.getmaskarray(data), "mask", problems)
        return ArrayParts(clean_array(np.asarray(data), problems, copy=copy), _own_unit(data))
    if is_nddata(data):
        if data.mask is not None:
            _refuse_mask(np.asarray(data.mask), "mask", problems)
        if data.uncertainty is not None:
            _refuse_mask(np.ones(1, bool), "uncertainty", problems)
        values = clean_array(np.asarray(data.data), problems, copy=copy)
        return ArrayParts(values, data.unit, data.wcs, foreign_meta(data.meta))
    if is_array_source(data):
        return ArrayParts(None, source=data)
    return ArrayParts(clean_array(np.asarray(data), problems, copy=copy), _own_unit(data))


def _own_unit(data: Any) -> Any:
    unit = getattr(data, "unit", None)
    return unit if unit is None or isinstance(unit, str) or hasattr(unit, "to_string") else None


def _refuse_mask(mask: Ndarray, what: str, problems: Problems) -> None:
    if mask.any():
        problems.add(
            f"an Array has no {what}; give the data to Product(datasets={{name: data}}), "
            f"which keeps the {what} as a dataset beside it",
            "mask",
        )


def clean_array(values: Ndarray, problems: Problems, *, copy: bool = True) -> Ndarray:
    """Return values of an allowed type, native, in C order and read-only.

    Parameters
    ----------
    values
        Any array.
    problems
        Takes the type where it cannot be kept.
    copy
        False to share memory where that is possible.
    """
    native = values.dtype.newbyteorder("=")
    if native not in ALLOWED:
        problems.add(_dtype_advice(values.dtype), "dtype")
        return np.zeros(values.shape, np.uint8)
    if copy and not _nobody_writes(values):
        made = np.array(values, dtype=native, order="C", copy=True, subok=False)
    else:
        made = np.asarray(values, dtype=native, order="C").view(np.ndarray)
    made.flags.writeable = False
    return made


def _nobody_writes(values: Ndarray) -> bool:
    """Say whether the memory is numpy's own and locked all the way down."""
    base: Any = values
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return base is None or isinstance(base, bytes)


def _dtype_advice(dtype: np.dtype[Any]) -> str:
    advice = "convert it to a numeric type, such as data.astype('float64')"
    if dtype.kind == "f":
        target = "float32" if dtype.itemsize < 4 else "float64"
        advice = f"convert it with data.astype('{target}')"
    elif dtype.kind == "c":
        advice = "convert it with data.astype('complex128')"
    elif dtype.names:
        advice = "records are a table: use skypool.Table(data)"
    elif dtype.kind in "USTO":
        advice = "text goes into a column of a table, other objects into numeric arrays"
    elif dtype.kind in "Mm":
        advice = "convert times to text or to days since an epoch"
    return f"values of type {dtype} cannot be kept; {advice}"


def checked_unit(unit: Any, problems: Problems) -> str:
    """Return the text of a dataset's unit, or note that it is none."""
    try:
        return unit_text(unit, dimensionless="1")
    except TypeError as error:
        problems.at("unit").add(str(error), "unit")
        return ""


def checked_meta(meta: Any, problems: Problems) -> MetaData:
    """Return the metadata of a dataset, or note what cannot be kept."""
    if isinstance(meta, MetaData):
        return meta
    try:
        return MetaData(meta)
    except InvalidProduct as error:
        problems.at("meta").take(error)
    except (TypeError, ValueError) as error:
        problems.at("meta").add(f"metadata are a mapping of names to values ({error})", "value")
    return MetaData()


def foreign_meta(meta: Any) -> Mapping[str, Any]:
    """Return metadata of astropy objects in the types that parameters keep.

    Cards of a `Header` give their comment as description; COMMENT, HISTORY and lists
    of text become one text with a line for each; None and undefined cards become
    empty texts.
    """
    if hasattr(meta, "cards"):
        return _header_meta(meta)
    return {str(name): _plain(value) for name, value in (meta or {}).items()}


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value


def _header_meta(header: Any) -> Mapping[str, Any]:
    from skypool.model.metadata import Parameter

    found: dict[str, Any] = {}
    for card in header.cards:
        key, value = card.keyword, card.value
        if not key or type(value).__name__ == "Undefined":
            value = ""
        if key in found and key in ("", "COMMENT", "HISTORY"):
            found[key] = f"{found[key]}\n{value}"
        elif key in ("COMMENT", "HISTORY"):
            found[key] = str(value)
        elif key:
            found[key] = Parameter(value, "", card.comment)
    return found
