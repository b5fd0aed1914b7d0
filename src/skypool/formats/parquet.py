"""Parquet tables, through pyarrow: a column is read from its own pages alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.astropy_header import table_header
from skypool.formats.isolated import describe_isolated
from skypool.formats.parsing import (
    NotUnderstood,
    SourceFile,
    WatchedSource,
    optional_import,
    require,
    understanding,
)
from skypool.formats.sources import FunctionTable
from skypool.formats.typed import (
    BLOCK_ROWS,
    ColumnScan,
    block_group,
    column_document,
    parameter,
    table_dataset,
)
from skypool.formats.verbatim import Description, VerbatimFormat

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.model.sources import TableSource

__all__ = ["ParquetFormat"]

Values = np.ndarray[Any, Any]
# Larger files get no statistics: they would have to be decoded to be added.
SCAN_LIMIT = 1024**3
# Keys of the file's own metadata that hold other programs' bookkeeping.
_INTERNAL = {"ARROW:schema", "pandas", "table_meta_yaml"}
_ASTROPY = "table_meta_yaml"


def _arrow() -> Any:
    def load() -> Any:
        import pyarrow as pa
        import pyarrow.parquet

        return pa

    return optional_import(load, "parquet")


def _open(source: ByteSource) -> Any:
    pa = _arrow()
    return pa.parquet.ParquetFile(pa.PythonFile(SourceFile(source), mode="r"), pre_buffer=False)


class ParquetFormat(VerbatimFormat):
    """The reader ``parquet``; the item is None, a file has one table."""

    name = "parquet"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Look at the first bytes."""
        return head.startswith(b"PAR1")

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Read the footer, and the columns for their statistics."""
        require("pyarrow", "parquet")
        return describe_isolated("parquet", source, filename)

    def describe_here(self, source: WatchedSource, filename: str) -> Description:
        """Do so in this process, which damaged files may end."""
        pa = _arrow()
        with understanding(source, "Parquet", (pa.ArrowException,)):
            return _describe(source, _open(source))

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open the table; a read decodes the row groups that it needs of one column."""
        return FunctionTable(dataset, _Reader(dataset, file).read)


def _describe(source: WatchedSource, file: Any) -> Description:
    schema, rows = file.schema_arrow, file.metadata.num_rows
    if len(set(schema.names)) != len(schema.names):
        raise NotUnderstood("two columns with the same name")
    scanned = source.size <= SCAN_LIMIT
    texts = {
        _text(key): _text(value) for key, value in (schema.metadata or {}).items() if key != b""
    }
    extra, more = table_header(texts.get(_ASTROPY, ""))
    columns = []
    for field in schema:
        scan = ColumnScan() if scanned else None
        kind, shape, element = _kind(field.type)
        if scan is not None:
            found = 0
            for batch in file.iter_batches(BLOCK_ROWS, columns=[field.name], use_threads=False):
                found += batch.num_rows
                scan.add(_values(batch.column(field.name), field.type))
            if found != rows:
                raise NotUnderstood(f"column {field.name!r} has {found} rows, not {rows}")
        about = {_text(k): _text(v) for k, v in (field.metadata or {}).items()}
        about |= extra.get(field.name, {})
        unit, description = about.get("unit", ""), about.get("description", "")
        document = column_document(
            field.name, kind, shape, unit, description, scan, block_group(rows)
        )
        if element:
            document["element"] = element
        columns.append(document)
    meta = [
        parameter(key, value)
        for key, value in texts.items()
        if key not in _INTERNAL and not key.startswith("table::len::")
    ]
    listed = [entry for entry in meta if entry is not None] + more
    data = {"reader": "parquet", "item": None}
    return Description([["table", table_dataset(rows, columns, data, [])]], listed)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _kind(arrow: Any) -> tuple[str, tuple[int, ...], str]:
    """Return type of the values, shape of a cell, and type in cells of various length."""
    pa = _arrow()
    types = pa.types
    if types.is_dictionary(arrow):
        return _kind(arrow.value_type)
    if types.is_boolean(arrow) or types.is_integer(arrow) or types.is_floating(arrow):
        return np.dtype(arrow.to_pandas_dtype()).name, (), ""
    if types.is_decimal(arrow):
        return "float64", (), ""
    if types.is_temporal(arrow):
        return _time_kind(arrow), (), ""
    if types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow):
        return "str", (), ""
    if types.is_fixed_size_list(arrow):
        kind, shape, element = _kind(arrow.value_type)
        if not element and kind not in ("str", "object"):
            return kind, (arrow.list_size, *shape), ""
    if types.is_list(arrow) or types.is_large_list(arrow):
        kind, shape, element = _kind(arrow.value_type)
        if not shape and not element and kind not in ("str", "object"):
            return "object", (), kind
    return "object", (), ""


def _time_kind(arrow: Any) -> str:
    types = _arrow().types
    if types.is_timestamp(arrow):
        return f"datetime64[{arrow.unit}]"
    if types.is_duration(arrow):
        return f"timedelta64[{arrow.unit}]"
    if types.is_date(arrow):
        return "datetime64[D]" if types.is_date32(arrow) else "datetime64[ms]"
    return "str" if types.is_time(arrow) else "object"


def _values(array: Any, arrow: Any) -> Values:
    """Convert an array or chunked array of pyarrow; missing values are NaN or masked."""
    pa = _arrow()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if isinstance(array, pa.ChunkedArray):  # more than fits into one array
        raise NotUnderstood("a block of rows that pyarrow cannot join")
    if pa.types.is_dictionary(arrow):
        array, arrow = array.dictionary_decode(), arrow.value_type
    kind, shape, element = _kind(arrow)
    if shape:
        return _fixed_lists(array, arrow, shape)
    if element:
        return _lists(array, arrow)
    if pa.types.is_time(arrow):
        array = array.cast(pa.string())
    if kind in ("str", "object"):
        items = array.to_pylist()
        result = np.empty(len(items), object)
        for number, value in enumerate(items):
            result[number] = "" if value is None and kind == "str" else value
        return result
    return _scalars(array, np.dtype(kind))


def _scalars(array: Any, dtype: np.dtype[Any]) -> Values:
    pa = _arrow()
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit))  # the same instants, in UTC
    if not missing.any():
        values: Values = array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
        return values
    if dtype.kind in "Mm":  # the type has its own "not a time"
        times: Values = array.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
        return times
    if dtype.kind == "f":
        return np.array([np.nan if v is None else v for v in array.to_pylist()], dtype)
    filled = np.array([0 if v is None else v for v in array.to_pylist()], dtype)
    masked: Values = np.ma.MaskedArray(filled, missing)
    return masked


def _lists(array: Any, arrow: Any) -> Values:
    result = np.empty(len(array), object)
    for number, cell in enumerate(array):
        values = cell.values
        result[number] = (
            np.empty(0, _kind(arrow.value_type)[0])
            if values is None
            else _values(values, arrow.value_type)
        )
    return result


def _fixed_lists(array: Any, arrow: Any, shape: tuple[int, ...]) -> Values:
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    if not missing.any():
        return _values(array.flatten(), arrow.value_type).reshape(-1, *shape)
    dtype = np.dtype(_kind(arrow)[0])
    filled = np.zeros((len(array), *shape), dtype)
    filled[~missing] = _values(array.flatten(), arrow.value_type).reshape(-1, *shape)
    if dtype.kind in "fc":
        filled[missing] = np.nan
        return filled
    masked: Values = np.ma.MaskedArray(filled, np.zeros(filled.shape, bool))
    masked[missing] = np.ma.masked
    return masked


class _Reader:
    """Reads parts of columns; the file is opened when a value is first wanted."""

    def __init__(self, dataset: Mapping[str, Any], source: ByteSource) -> None:
        self._names = [column["name"] for column in dataset["columns"]]
        self._dtypes = [np.dtype(column["dtype"]) for column in dataset["columns"]]
        self._source = WatchedSource(source)
        self._file: Any = None
        self._lock = threading.Lock()

    def read(self, number: int, start: int, stop: int) -> Values:
        pa = _arrow()
        try:
            with self._lock, understanding(self._source, "Parquet", (pa.ArrowException,)):
                return self._column(number, start, stop)
        except NotUnderstood as error:
            raise Damaged(f"a Parquet file cannot be read any more: {error.reason}") from error

    def _column(self, number: int, start: int, stop: int) -> Values:
        if self._file is None:
            self._file = _open(self._source)
        name = self._names[number]
        groups, before, first = [], 0, None
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if before < stop and before + rows > start:
                groups.append(group)
                first = before if first is None else first
            before += rows
        if not groups or first is None:
            shape = _kind(self._file.schema_arrow.field(name).type)[1]
            return np.empty((0, *shape), self._dtypes[number])
        table = self._file.read_row_groups(groups, columns=[name], use_threads=False)
        part = table.column(name).slice(start - first, stop - start)
        return _values(part, table.schema.field(name).type)
