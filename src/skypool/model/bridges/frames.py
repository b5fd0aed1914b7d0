"""Tables as data frames of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model.nddata import plain_meta
from skypool.model.optional import package

if TYPE_CHECKING:
    from skypool.model.sources import Ndarray
    from skypool.model.tables import Table

__all__ = ["build_frame"]

_NULLABLE = {"i": "Int", "u": "UInt"}


def build_frame(table: Table) -> Any:
    """Return a data frame; units, descriptions and metadata are its `attrs`."""
    pandas = package("pandas", extra="pandas")
    columns = {name: _series(table[name][:], pandas) for name in table.colnames}
    frame = pandas.DataFrame(columns, index=pandas.RangeIndex(len(table)))
    units = {name: table[name].unit_text for name in table.colnames}
    texts = {name: table[name].description for name in table.colnames}
    attrs = {
        "meta": plain_meta(table.meta),
        "units": {name: unit for name, unit in units.items() if unit},
        "descriptions": {name: text for name, text in texts.items() if text},
    }
    frame.attrs = {key: found for key, found in attrs.items() if found}
    return frame


def _series(values: Ndarray, pandas: Any) -> Any:
    kind = values.dtype.kind
    if values.ndim > 1:  # pandas has no axes: a cell is an array
        cells = np.empty(len(values), object)
        cells[:] = list(values)
        return pandas.Series(cells)
    missing = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.asarray(values)
    if kind == "U":
        texts = [_encodable(text) for text in plain.tolist()]
        if missing is not None:
            texts = [None if hole else text for text, hole in zip(texts, missing, strict=True)]
        return pandas.Series(texts, dtype="str")
    if missing is None:
        return pandas.Series(plain)
    if kind in _NULLABLE or kind == "b":
        name = "boolean" if kind == "b" else f"{_NULLABLE[kind]}{8 * plain.dtype.itemsize}"
        array = pandas.arrays.BooleanArray if kind == "b" else pandas.arrays.IntegerArray
        return pandas.Series(array(plain.copy(), missing.copy()), dtype=name)
    return pandas.Series(np.ma.MaskedArray(plain, missing).filled(_nothing(kind)))


def _nothing(kind: str) -> Any:
    return {"f": np.nan, "c": np.nan, "S": b""}.get(kind)


def _encodable(text: Any) -> Any:
    """Write out what no text of pandas holds: halves of characters, such as odd file names have."""
    if not isinstance(text, str) or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()
