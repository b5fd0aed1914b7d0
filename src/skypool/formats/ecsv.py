"""ECSV, the enhanced comma-separated values of astropy (APE 6).

The header is YAML, the rows are text. A file is read in blocks of rows, never as a
whole, until its values are wanted.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.parsing import NotUnderstood, WatchedSource
from skypool.formats.sources import ColumnsTable, empty_column, joined
from skypool.formats.typed import (
    BLOCK_ROWS,
    ColumnScan,
    block_group,
    column_document,
    flatten,
    table_dataset,
    unique_names,
)
from skypool.formats.verbatim import Description, VerbatimFormat
from skypool.formats.yaml_tree import Tagged, load_yaml, mapping, simplified

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.model.sources import TableSource

__all__ = ["EcsvFormat"]

Values = np.ndarray[Any, Any]
_STEP = 1024**2
MAX_HEADER = 64 * 1024**2
_MAGIC = re.compile(rb"\s*#\s*%ECSV\s+\d+\.\d+")
_NUMBERS = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
}
# Extended precision differs between machines: its documents could not be read elsewhere.
_NARROWED = {"float128": "float64", "complex256": "complex128"}
_TRUTH = {"True": True, "False": False, "1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the header.

    Attributes
    ----------
    sort
        ``scalar``, ``text``, ``json``, ``array`` (of `shape`) or ``variable``.
    dtype
        Of the elements, numpy's name; ``str`` for text.
    """

    name: str
    sort: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    description: str
    extra: dict[str, str]


def _column(entry: Any) -> _Column:
    if not isinstance(entry, dict) or "name" not in entry:
        raise NotUnderstood("a column of the header without a name")
    name, datatype = str(entry["name"]), str(entry.get("datatype", "string"))
    unit = entry.get("unit")
    if isinstance(unit, Tagged):
        unit = (simplified(unit) or ("", ""))[0]
    subtype, _, bracket = str(entry.get("subtype") or "").partition("[")
    sort, dtype = "scalar", _dtype(datatype)
    shape: tuple[int, ...] = ()
    if dtype == "str":
        sort = "text"
        if subtype == "json":
            sort, dtype = ("json", "object")
        elif bracket:
            sort, dtype, shape = _array(name, subtype, "[" + bracket)
    meta = mapping(entry.get("meta"))
    return _Column(
        name,
        sort,
        dtype,
        shape,
        "" if unit is None else str(unit),
        str(entry.get("description") or ""),
        {key: str(meta[key]) for key in ("ucd", "utype") if key in meta},
    )


def _dtype(name: str) -> str:
    name = _NARROWED.get(name, name)
    return name if name in _NUMBERS else "str"


def _array(name: str, subtype: str, bracket: str) -> tuple[str, str, tuple[int, ...]]:
    try:
        shape = json.loads(bracket)
    except ValueError:
        shape = None
    if not isinstance(shape, list) or not all(
        axis is None or (isinstance(axis, int) and 0 <= axis < 2**31) for axis in shape
    ):
        raise NotUnderstood(f"column {name!r} has the shape {bracket[:100]!r}")
    if None in shape:
        return "variable", _dtype(subtype), ()
    return "array", _dtype(subtype), tuple(shape)


@dataclass(frozen=True, slots=True)
class _Header:
    columns: list[_Column]
    meta: Any
    delimiter: str


def _lines(source: ByteSource) -> Iterator[str]:
    """Give the lines of a file with their ends."""
    rest = b""
    for offset in range(0, source.size, _STEP):
        block = rest + source.pread(offset, _STEP)
        *whole, rest = block.splitlines(keepends=True)
        if rest.endswith(b"\n"):
            whole, rest = [*whole, rest], b""
        if len(rest) > MAX_HEADER:
            raise NotUnderstood("a line of more than 64 MiB")
        for line in whole:
            yield _decoded(line)
    if rest:
        yield _decoded(rest)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise NotUnderstood("text that is not UTF-8") from None


def _open(source: ByteSource) -> tuple[_Header, Iterator[list[str]]]:
    """Read the header, and give the rows that follow it."""
    lines = _lines(source)
    header: list[str] = []
    length = 0
    first = ""
    for line in lines:
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            first = line
            break
        if stripped.startswith("#"):
            header.append(line.strip("\r\n").lstrip()[1:].removeprefix(" "))
            length += len(line)
            if length > MAX_HEADER:
                raise NotUnderstood("a header of more than 64 MiB")
    found = _header(header)
    rows = csv.reader(
        _with_first(first, lines), delimiter=found.delimiter, skipinitialspace=True, strict=True
    )
    try:
        names = next(rows, [])
    except csv.Error as error:
        raise NotUnderstood(f"column names that cannot be read: {error}") from None
    if [name.strip() for name in names] != [column.name.strip() for column in found.columns]:
        raise NotUnderstood("column names that differ from those of the header")
    return found, rows


def _with_first(first: str, lines: Iterator[str]) -> Iterator[str]:
    if first:
        yield first.strip() + "\n"
    for line in lines:
        stripped = line.strip(" \r\n")
        if stripped and not stripped.startswith("#"):
            yield stripped + "\n"


def _header(lines: list[str]) -> _Header:
    tree = load_yaml("\n".join(line for line in lines if not line.startswith("%ECSV")))
    if not isinstance(tree, dict) or not isinstance(tree.get("datatype"), list):
        raise NotUnderstood("a header without the list of its columns")
    delimiter = tree.get("delimiter", " ")
    if delimiter not in (" ", ","):
        raise NotUnderstood(f"the delimiter {str(delimiter)[:20]!r}")
    return _Header([_column(entry) for entry in tree["datatype"]], tree.get("meta"), delimiter)


def _blocks(
    columns: list[_Column], rows: Iterator[list[str]], give: Callable[[list[Values]], None]
) -> None:
    """Read all rows and hand on their values block by block."""
    block: list[list[str]] = []
    try:
        for row in rows:
            if len(row) == len(columns) + 1 and not row[-1]:
                row.pop()  # a blank at the end of the line
            if len(row) != len(columns):
                raise NotUnderstood(f"a row of {len(row)} values under {len(columns)} columns")
            block.append(row)
            if len(block) == BLOCK_ROWS:
                give(_values(columns, block))
                block = []
    except csv.Error as error:
        raise NotUnderstood(f"rows that cannot be read: {error}") from None
    if block and columns:
        give(_values(columns, block))


def _values(columns: list[_Column], rows: list[list[str]]) -> list[Values]:
    result = []
    for column, texts in zip(columns, zip(*rows, strict=True), strict=True):
        try:
            result.append(_CONVERTERS[column.sort](column, texts))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NotUnderstood(f"column {column.name!r}: {str(error)[:200]}") from None
    return result


def _objects(items: list[Any]) -> Values:
    array = np.empty(len(items), object)
    for number, item in enumerate(items):
        array[number] = item
    return array


def _text(column: _Column, texts: tuple[str, ...]) -> Values:
    return _objects(list(texts))


def _scalar(column: _Column, texts: tuple[str, ...]) -> Values:
    dtype = np.dtype(column.dtype)
    mask = np.array([not text for text in texts], bool)
    with np.errstate(over="ignore"):
        if dtype.kind == "f":
            return np.array([float(text or "nan") for text in texts]).astype(dtype)
        if dtype.kind == "c":
            return np.array([complex(text or "nan") for text in texts]).astype(dtype)
    if dtype.kind == "b":
        if any(text and text not in _TRUTH for text in texts):
            raise ValueError("a text that is not a truth value")
        values = np.array([_TRUTH.get(text, False) for text in texts], bool)
    else:
        values = np.array([int(text or 0) for text in texts], dtype)
    return masked(values, mask) if mask.any() else values


def masked(values: Values, mask: Values) -> Values:
    """Mark values as missing: NaN where the type has it, else a masked array."""
    if values.dtype.kind in "fc":
        return np.where(mask, values.dtype.type(np.nan), values)
    made: Values = np.ma.MaskedArray(values, mask)
    return made


def _json(column: _Column, texts: tuple[str, ...]) -> Values:
    return _objects([json.loads(text) if text else None for text in texts])


def _cell(column: _Column, text: str, shape: tuple[int, ...] | None) -> Values:
    """Read the JSON of a cell that is an array; null is a missing value."""
    dtype = np.dtype(object if column.dtype == "str" else column.dtype)
    if not text:
        if shape is None:
            return np.empty(0, dtype)
        return masked(np.zeros(shape, dtype), np.ones(shape, bool))
    raw = np.array(json.loads(text), dtype=object)
    if shape is not None and raw.shape != shape:
        raise ValueError(f"a cell of shape {raw.shape}, not {shape}")
    missing = np.array([value is None for value in raw.flat], bool).reshape(raw.shape)
    if not missing.any():
        return raw.astype(dtype)
    filled = np.where(missing, "" if column.dtype == "str" else 0, raw)
    return masked(filled.astype(dtype), missing)


def _array_cells(column: _Column, texts: tuple[str, ...]) -> Values:
    cells = [_cell(column, text, column.shape) for text in texts]
    if any(isinstance(cell, np.ma.MaskedArray) for cell in cells):
        stacked: Values = np.ma.stack(cells)
        return stacked
    return np.stack(cells)


def _variable(column: _Column, texts: tuple[str, ...]) -> Values:
    return _objects([_cell(column, text, None) for text in texts])


_CONVERTERS: dict[str, Callable[[_Column, tuple[str, ...]], Values]] = {
    "text": _text,
    "scalar": _scalar,
    "json": _json,
    "array": _array_cells,
    "variable": _variable,
}


class EcsvFormat(VerbatimFormat):
    """The reader ``ecsv``; the item is None, a file has one table."""

    name = "ecsv"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Look for ``# %ECSV`` in the first line."""
        return _MAGIC.match(head.removeprefix(b"\xef\xbb\xbf")) is not None

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Read the whole file once, for its rows and statistics."""
        header, rows = _open(source)
        scans = [ColumnScan() for _ in header.columns]
        count = 0

        def give(block: list[Values]) -> None:
            nonlocal count
            count += len(block[0])
            for scan, values in zip(scans, block, strict=True):
                scan.add(values)

        _blocks(header.columns, rows, give)
        columns = _documents(header.columns, scans, block_group(count))
        meta = {k: v for k, v in mapping(header.meta).items() if k != "__serialized_columns__"}
        data = {"reader": "ecsv", "item": None}
        table = table_dataset(count, columns, data, [])
        return Description([["table", table]], flatten(meta, simplify=simplified))

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open the table; the rows are read when a value is first wanted."""
        return ColumnsTable(dataset, lambda: _load(file, dataset["columns"]))


def _documents(columns: list[_Column], scans: list[ColumnScan], group: int) -> list[dict[str, Any]]:
    names = unique_names(column.name for column in columns)
    made = []
    for name, column, scan in zip(names, columns, scans, strict=True):
        dtype = "object" if column.sort in ("json", "variable") else column.dtype
        document = column_document(
            name, dtype, column.shape, column.unit, column.description, scan, group
        )
        if column.sort == "variable" and column.dtype != "str":
            document["element"] = column.dtype
        made.append(document | column.extra)
    return made


def _load(file: ByteSource, columns: list[dict[str, Any]]) -> list[Values]:
    blocks: list[list[Values]] = []
    try:
        header, rows = _open(file)
        _blocks(header.columns, rows, blocks.append)
    except NotUnderstood as error:
        raise Damaged(f"an ECSV file cannot be read any more: {error.reason}") from error
    if not blocks:
        return [empty_column(column) for column in columns]
    return [joined(parts) for parts in zip(*blocks, strict=True)]
