"""Tables of products as FITS binary tables (FITS 4.0, section 7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skypool.codec.columns import ColumnSpec, encode_column
from skypool.errors import UsageError
from skypool.formats.fits.writer_cards import ascii_text, comment_of
from skypool.formats.fits.writer_keywords import HeaderWriter
from skypool.model.sources import ColumnInfo, Ndarray, TableSource
from skypool.model.tables import Table

__all__ = [
    "MAX_COLUMNS",
    "EncodedTable",
    "check_columns",
    "column_cards",
    "encode_table",
    "escape",
    "unescape",
]

# TFIELDS, FITS 4.0 section 7.3.1.
MAX_COLUMNS = 999
_DESCRIPTORS: dict[str, np.dtype[Any]] = {"P": np.dtype(">i4"), "Q": np.dtype(">i8")}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_LONGEST_NAME = 60


@dataclass(slots=True)
class EncodedTable:
    """A table as the bytes of a FITS binary table.

    Attributes
    ----------
    specs : list of ColumnSpec
        With the names that FITS gets.
    names : list of str
        The names in the product.
    escaped : set of str
        Names in the product of columns whose text is written in ASCII escapes.
    nulls : dict
        Values that mean "none" in columns where FITS has no TNULL, by name.
    rows : numpy.ndarray
        Shape (rows, width), uint8.
    heap : bytes
    """

    specs: list[ColumnSpec]
    names: list[str]
    escaped: set[str]
    nulls: dict[str, float | str]
    rows: Ndarray
    heap: bytes


def check_columns(table: Table) -> None:
    """Refuse a table that FITS cannot hold.

    Raises
    ------
    UsageError
        If it has more than 999 columns.
    """
    count = len(table.colnames)
    if count > MAX_COLUMNS:
        raise UsageError(
            f"FITS tables have at most {MAX_COLUMNS} columns, this one has {count}",
            hint="split it, or join columns into arrays",
        )


def encode_table(table: Table) -> EncodedTable:
    """Turn a table into the bytes of a FITS binary table.

    Raises
    ------
    UsageError
        If it has more than 999 columns.
    """
    check_columns(table)
    source, names = table.source, table.colnames
    made = EncodedTable([], names, set(), {}, np.empty((len(table), 0), np.uint8), b"")
    cells, heaps, base = [made.rows], [], 0
    for name, written in zip(names, _written_names(names), strict=True):
        spec, raw, heap = _encode(made, name, source)
        if heap is not None:
            spec, raw = _moved(spec, raw, base)
            heaps.append(heap)
            base += len(heap)
        made.specs.append(replace(spec, name=written))
        cells.append(raw)
    made.rows = np.concatenate(cells, axis=1)
    made.heap = b"".join(heaps)
    return made


def _encode(
    made: EncodedTable, name: str, source: TableSource
) -> tuple[ColumnSpec, Ndarray, bytes | None]:
    info = source.info(name)
    values = source.read(name, 0, source.nrows)
    if values.dtype.kind in "US" and not _is_printable(values):
        made.escaped.add(name)
        values = escape(values)
    spec, raw, heap = encode_column(name, values, info.unit, info.description)
    if info.null is not None and spec.null is None:
        if spec.code in "BIJK":
            # TNULL is a stored value, without TZERO (section 7.3.2).
            spec = replace(spec, null=int(info.null) - int(spec.zero))
        else:
            made.nulls[name] = _null(info)
    return spec, raw, heap


def _null(info: ColumnInfo) -> float | str:
    return info.null if isinstance(info.null, str) else float(info.null or 0)


def _is_printable(values: Ndarray) -> bool:
    """Say whether all text is of the characters that FITS allows (section 7.3.3.1)."""
    if not values.size or not values.dtype.itemsize:
        return True
    native = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
    codes: Ndarray = native.view("=u4" if values.dtype.kind == "U" else "u1")
    return bool(((codes == 0) | ((codes >= 32) & (codes < 127))).all()) and not _has_inner_nul(
        native
    )


def _has_inner_nul(values: Ndarray) -> bool:
    flat: list[str | bytes] = values.reshape(-1).tolist()
    return any("\0" in cell if isinstance(cell, str) else b"\0" in cell for cell in flat)


def escape(values: Ndarray) -> Ndarray:
    r"""Return text in ASCII, other characters as in Python (``\xe9``), backslashes doubled."""
    cells = [str(cell).encode("unicode_escape").decode("ascii") for cell in values.reshape(-1)]
    return np.array(cells, dtype=str).reshape(values.shape)


def unescape(values: Ndarray) -> Ndarray:
    """Undo `escape`."""
    cells = [str(cell).encode("ascii").decode("unicode_escape") for cell in values.reshape(-1)]
    return np.array(cells, dtype=str).reshape(values.shape)


def _written_names(names: list[str]) -> list[str]:
    """Return names of letters, digits and `_` only, different even in other case.

    Section 7.3.2 asks for both; the product's own names stand in the SKYPOOL table.
    """
    taken: set[str] = set()
    written = []
    for name in names:
        clean = name if _PLAIN_NAME.match(name) else re.sub(r"[^A-Za-z0-9_]", "_", name)
        clean = stem = clean[:_LONGEST_NAME]
        number = 2
        while clean.upper() in taken:
            clean = f"{stem}_{number}"
            number += 1
        taken.add(clean.upper())
        written.append(clean)
    return written


def _moved(spec: ColumnSpec, raw: Ndarray, base: int) -> tuple[ColumnSpec, Ndarray]:
    """Return the descriptors of a column whose heap starts at *base* of the table's."""
    pairs = raw.reshape(-1).view(_DESCRIPTORS[spec.code]).reshape(-1, 2).astype(np.int64)
    # An empty array points at nothing; some programs check even that.
    pairs[:, 1] = np.where(pairs[:, 0] > 0, pairs[:, 1] + base, 0)
    if pairs.size and pairs[:, 1].max() > np.iinfo(np.int32).max:
        spec = replace(spec, format=spec.format.replace("P", "Q", 1))
    dtype = _DESCRIPTORS[spec.code]
    return spec, pairs.astype(dtype).view(np.uint8).reshape(len(raw), spec.width)


def column_cards(writer: HeaderWriter, specs: list[ColumnSpec], units: Mapping[str, Any]) -> None:
    """Write the cards that describe columns."""
    for number, spec in enumerate(specs, 1):
        writer.add(f"TTYPE{number}", spec.name, comment_of("", spec.description))
        writer.add(f"TFORM{number}", spec.format)
        if spec.unit:
            writer.add(f"TUNIT{number}", units.get(spec.name, ascii_text(spec.unit)))
        if spec.dim:
            writer.add(f"TDIM{number}", spec.dim)
        if spec.zero:
            writer.add(f"TZERO{number}", int(spec.zero), "offset for the type of integers")
        if spec.null is not None:
            writer.add(f"TNULL{number}", int(spec.null), "stands for no value")
