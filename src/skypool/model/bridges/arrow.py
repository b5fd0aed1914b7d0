"""Tables as Arrow's: block by block, without copying where Arrow's layout is numpy's.

Numbers without missing values keep their memory. Truth values (bits in Arrow) and texts are
copied; cells that are arrays become lists of fixed size; missing values become null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model.optional import package
from skypool.model.reductions import blocks
from skypool.model.sources import ColumnInfo, Ndarray
from skypool.model.tables import masked

if TYPE_CHECKING:
    from skypool.model.tables import Table

__all__ = ["build_arrow", "stream"]

# Blocks of a pool are small for Arrow, which likes some 100,000 rows at once.
_ROWS = 131072


def build_arrow(table: Table) -> Any:
    """Return a `pyarrow.Table` in chunks of the blocks that were read."""
    arrow = package("pyarrow", extra="parquet")
    known = schema(table, arrow)
    return arrow.Table.from_batches(batches(table, known, arrow), known)


def stream(table: Table, wanted: Any = None) -> Any:
    """Return the capsule of Arrow's C stream, from which others read block by block."""
    arrow = package("pyarrow", extra="parquet")
    known = schema(table, arrow)
    reader = arrow.RecordBatchReader.from_batches(known, batches(table, known, arrow))
    return reader.__arrow_c_stream__(wanted)


def schema(table: Table, arrow: Any) -> Any:
    """Return names and types, with unit, description and UCD as metadata of the fields."""
    fields = []
    for name in table.colnames:
        info = table.source.info(name)
        about = {"unit": info.unit, "description": info.description, "ucd": info.ucd}
        notes = {key: text for key, text in about.items() if text}
        depth = 1 if info.element is None else _depth(table, name)
        fields.append(arrow.field(name, _type(info, arrow, depth), metadata=notes or None))
    return arrow.schema(fields)


def batches(table: Table, known: Any, arrow: Any) -> Iterator[Any]:
    """Yield the rows in some record batches of a schema."""
    rows = max(1, _ROWS // table.source.block_rows) * table.source.block_rows
    for start, stop in blocks(0, len(table), rows):
        columns = []
        for field in known:
            info = table.source.info(field.name)
            values = masked(table.source.read(field.name, start, stop), info)
            columns.append(_array(values, info, field.type, arrow))
        yield arrow.RecordBatch.from_arrays(columns, schema=known)


def _depth(table: Table, name: str) -> int:
    """Return how many axes the cells of a column have; all of them have as many."""
    return max((np.ndim(cell) for cell in table.source.read(name, 0, 1)), default=1)


def _type(info: ColumnInfo, arrow: Any, depth: int = 1) -> Any:
    if info.element is not None:
        made = _scalar(info.element, arrow)
        for _ in range(depth):
            made = arrow.list_(made)
        return made
    made = _scalar(info.dtype, arrow)
    for length in reversed(info.shape):
        made = arrow.list_(made, length)
    return made


def _scalar(dtype: np.dtype[Any], arrow: Any) -> Any:
    if dtype.kind == "c":  # real and imaginary part
        part = arrow.float32() if dtype.itemsize == 8 else arrow.float64()
        return arrow.list_(part, 2)
    if dtype.kind in "UO":
        return arrow.large_string()
    if dtype.kind == "S":
        return arrow.large_binary()
    return arrow.from_numpy_dtype(dtype)


def _array(values: Ndarray, info: ColumnInfo, type_: Any, arrow: Any) -> Any:
    if info.element is not None and not arrow.types.is_list(type_):
        return arrow.array(list(values), type_)  # texts of any length
    if info.element is not None:
        cells: list[Any] = [np.ascontiguousarray(cell) for cell in values]
        if info.element.kind == "c":
            cells = [
                cell.view(cell.real.dtype).reshape((*cell.shape, 2)).tolist() for cell in cells
            ]
        elif any(cell.ndim > 1 for cell in cells):
            cells = [cell.tolist() for cell in cells]
        return arrow.array(cells, type_)
    missing = None
    if isinstance(values, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(values)
        values = values.data
    if values.dtype.kind == "c":
        parts = np.ascontiguousarray(values)
        values = parts.view(parts.real.dtype).reshape((*values.shape, 2))
        missing = None if missing is None else np.repeat(missing[..., None], 2, axis=-1)
    return _nested(values, missing, arrow, type_)


def _nested(values: Ndarray, missing: Ndarray | None, arrow: Any, type_: Any) -> Any:
    """Return lists of fixed size around a line of values."""
    if values.ndim > 1:
        length = values.shape[1]
        rest = (-1, *values.shape[2:])
        inner = _nested(
            values.reshape(rest) if values.size else values.reshape((0, *values.shape[2:])),
            None if missing is None else missing.reshape(rest),
            arrow,
            type_.value_type,
        )
        if not length or not len(values):
            return arrow.array([[]] * len(values), type_)
        return arrow.FixedSizeListArray.from_arrays(inner, type=type_)
    if values.dtype.kind in "UO":
        listed = [None if v is None else str(v) for v in values.tolist()]
        if missing is not None:
            listed = [None if hole else v for v, hole in zip(listed, missing, strict=True)]
        return arrow.array(listed, type_)
    return arrow.array(np.ascontiguousarray(values), type_, mask=missing)
