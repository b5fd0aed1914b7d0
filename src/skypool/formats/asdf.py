"""ASDF, the Advanced Scientific Data Format.

The tree is read as plain YAML, so that a document does not depend on which packages
with converters are installed. Typed are ndarrays, quantities, structured arrays and
astropy tables, wherever they are in the tree; scalars become parameters. World
coordinate systems (gwcs) and transforms stay in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.asdf_blocks import (
    Block,
    BlockArray,
    find_blocks,
    numpy_dtype,
    read_tree,
    shape_of,
)
from skypool.formats.asdf_tree import Found, TreeWalk, fixed_of, is_array
from skypool.formats.parsing import NotUnderstood, WatchedSource
from skypool.formats.sources import FunctionArray, FunctionTable
from skypool.formats.typed import (
    BLOCK_ROWS,
    ColumnScan,
    array_dataset,
    block_group,
    column_document,
    flatten,
    native,
    table_dataset,
    unique_names,
    unread,
)
from skypool.formats.verbatim import Description, VerbatimFormat
from skypool.formats.yaml_tree import Tagged, load_yaml, simplified

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["AsdfFormat"]

Values = np.ndarray[Any, Any]
MAX_DATASETS = 1000
# Larger arrays get no statistics: they would have to be read to add the file.
SCAN_LIMIT = 1024**3


@dataclass(frozen=True, slots=True)
class _Geometry:
    """Where the values of an ndarray are.

    Attributes
    ----------
    item
        For the document: place in a block, or path of an inline array in the tree.
    inline
        The values of an inline array.
    """

    item: dict[str, Any]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    inline: Values | None

    def read(self, source: ByteSource, index: tuple[slice, ...]) -> Values:
        """Return a part of the values."""
        if self.inline is not None:
            return self.inline[index]
        return BlockArray(self.item, self.dtype, self.shape).read(source, index)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return BlockArray(_NOWHERE, self.dtype, self.shape).nbytes


_NOWHERE: dict[str, Any] = {"at": 0, "used": 0, "size": 0, "codec": ""}


def _geometry(node: Tagged, path: list[str], blocks: list[Block]) -> _Geometry:
    """Read an ndarray of the tree.

    Raises
    ------
    NotUnderstood
        If its values are not in this file, or it is not well-formed.
    """
    described = node.value if isinstance(node.value, dict) else {"data": node.value}
    if "data" in described and "source" not in described:
        return _inline(described, path)
    number = described.get("source")
    if not isinstance(number, int):
        raise NotUnderstood("the values are in another file")
    if not -len(blocks) <= number < len(blocks):
        raise NotUnderstood(f"the values are in block {number}, which is not there")
    block = blocks[number]
    dtype = numpy_dtype(described.get("datatype"), str(described.get("byteorder", "big")))
    shape = described.get("shape", [])
    if isinstance(shape, list) and shape[:1] == ["*"]:
        row = BlockArray(_NOWHERE, dtype, shape_of(shape[1:])).nbytes
        shape = [block.size // row if row else 0, *shape[1:]]
    item: dict[str, Any] = {
        "at": block.offset,
        "used": block.used,
        "size": block.size,
        "codec": block.codec,
        "dtype": _dtype_json(dtype),
    }
    if described.get("offset"):
        item["offset"] = int(described["offset"])
    if described.get("strides") is not None:
        item["strides"] = [int(stride) for stride in described["strides"]]
    geometry = _Geometry(item, dtype, shape_of(shape), None)
    BlockArray(item, dtype, geometry.shape).check()
    return geometry


def _inline(described: Mapping[str, Any], path: list[str]) -> _Geometry:
    data, masked = _plain(described["data"]), described.get("datatype")
    try:
        if masked is not None:
            dtype = numpy_dtype(masked, str(described.get("byteorder", "big")))
            rows = [tuple(row) for row in data] if dtype.names else data
            values = np.array(rows, dtype.newbyteorder("="))
        else:
            values = np.array(data)
    except (ValueError, TypeError, OverflowError) as error:
        raise NotUnderstood(f"an inline array: {str(error)[:200]}") from None
    if values.dtype.kind not in "biufcUV":
        raise NotUnderstood("an inline array of other things than numbers and texts")
    return _Geometry({"path": path}, values.dtype, values.shape, values)


def _plain(data: Any) -> Any:
    """Return inline data with tagged scalars, such as complex numbers, as values."""
    if isinstance(data, list):
        return [_plain(item) for item in data]
    if isinstance(data, Tagged) and isinstance(data.value, str):
        try:
            return complex(data.value.replace("i", "j").replace("I", "j"))
        except ValueError:
            return data.value
    return data


def _dtype_json(dtype: np.dtype[Any]) -> Any:
    if dtype.names is None:
        return dtype.str
    assert dtype.fields is not None
    return [
        [name, _dtype_json(dtype.fields[name][0].base), list(dtype.fields[name][0].shape)]
        for name in dtype.names
    ]


def _dtype_from(obj: Any) -> np.dtype[Any]:
    if isinstance(obj, str):
        return np.dtype(obj)
    return np.dtype([(name, _dtype_from(base), tuple(shape)) for name, base, shape in obj])


def _shown_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"U{dtype.itemsize}") if dtype.kind == "S" else dtype.newbyteorder("=")


class AsdfFormat(VerbatimFormat):
    """The reader ``asdf``; items say where the values are."""

    name = "asdf"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Look at the first bytes."""
        return head.startswith(b"#ASDF ")

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Read the tree, and the arrays for their statistics."""
        text, end = read_tree(source)
        tree = load_yaml(text)
        blocks = find_blocks(source, end)
        walk = TreeWalk()
        rest = walk.visit(tree, [])
        rest = rest if isinstance(rest, dict) else {}
        history = rest.get("history")
        if isinstance(history, dict):
            rest["history"] = history.get("entries", [])
        found = Description(meta=flatten(rest, simplify=simplified))
        names = unique_names(".".join(part.path) or "data" for part in walk.found)
        for name, part in list(zip(names, walk.found, strict=True))[:MAX_DATASETS]:
            found.datasets.append([name, _dataset(source, part, blocks)])
        found.fixed = fixed_of(found.meta)
        return found

    def open_array(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> ArraySource:
        """Open an array; a part of it reads only its rows where it is not compressed."""
        geometry = _open(item, tuple(dataset["shape"]), file)
        return FunctionArray(dataset, lambda index: _read(geometry, file, index))

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open a table."""
        if isinstance(item, dict):  # a structured array
            geometry = _open(item, (dataset["rows"],), file)
            names = geometry.dtype.names or ()
            return FunctionTable(
                dataset, lambda n, a, b: native(_read(geometry, file, (slice(a, b),))[names[n]])
            )
        shapes = [(dataset["rows"], *column.get("shape", ())) for column in dataset["columns"]]
        columns = [_open(part, shape, file) for part, shape in zip(item, shapes, strict=True)]
        return FunctionTable(
            dataset,
            lambda n, a, b: _read(
                columns[n], file, (slice(a, b), *[slice(None)] * (len(columns[n].shape) - 1))
            ),
        )


def _open(item: Mapping[str, Any], shape: tuple[int, ...], file: ByteSource) -> _Geometry:
    if "path" not in item:
        return _Geometry(dict(item), _dtype_from(item["dtype"]), shape, None)
    try:
        node = load_yaml(read_tree(file)[0])
        for part in item["path"]:
            inner = node.value if isinstance(node, Tagged) else node
            node = inner[int(part)] if isinstance(inner, list) else inner[part]
        if not is_array(node):
            node = node.value["value"]
        return _inline(node.value if isinstance(node.value, dict) else {"data": node.value}, [])
    except (NotUnderstood, LookupError, AttributeError, TypeError, ValueError) as error:
        raise Damaged(f"an ASDF file has no array at {item['path']} any more") from error


def _read(geometry: _Geometry, file: ByteSource, index: tuple[slice, ...]) -> Values:
    try:
        values = geometry.read(file, index)
    except NotUnderstood as error:
        raise Damaged(f"an ASDF file cannot be read any more: {error.reason}") from error
    return values if values.dtype.names else native(values)


def _dataset(source: WatchedSource, found: Found, blocks: list[Block]) -> dict[str, Any]:
    try:
        if not is_array(found.node):
            return _table(source, found, blocks)
        geometry = _geometry(found.node, found.path, blocks)
        if geometry.dtype.names:
            return _structured_table(source, geometry)
        scan = ColumnScan()
        for part in _slabs(source, geometry):
            scan.add(native(part))
    except NotUnderstood as error:
        return unread(error.reason)
    data = {"reader": "asdf", "item": geometry.item}
    dtype = _shown_dtype(geometry.dtype)
    return array_dataset(geometry.shape, dtype, data, [], found.unit, scan=scan)


def _slabs(source: ByteSource, geometry: _Geometry) -> Iterator[Values]:
    """Give the values in pieces of bounded size, none where there are too many."""
    if geometry.nbytes > SCAN_LIMIT:
        return
    if not geometry.shape:
        yield geometry.read(source, ())
        return
    length = geometry.shape[0]
    step = max(1, length * 16 * 1024**2 // max(1, geometry.nbytes))
    other = [slice(None)] * (len(geometry.shape) - 1)
    compressed = "path" in geometry.item or geometry.item["codec"] or "strides" in geometry.item
    if compressed:
        step = max(1, length)  # it is decompressed as a whole anyway
    for start in range(0, length, step):
        yield geometry.read(source, (slice(start, min(length, start + step)), *other))


def _structured_table(source: ByteSource, geometry: _Geometry) -> dict[str, Any]:
    dtype, names = geometry.dtype, geometry.dtype.names
    assert dtype.fields is not None and names is not None
    if len(geometry.shape) != 1:
        raise NotUnderstood("a structured array of several axes")
    columns = []
    for name in names:
        scan = ColumnScan()
        for start in range(0, geometry.shape[0], BLOCK_ROWS):
            if geometry.nbytes <= SCAN_LIMIT:
                rows = slice(start, min(geometry.shape[0], start + BLOCK_ROWS))
                scan.add(native(geometry.read(source, (rows,))[name]))
        field_type = dtype.fields[name][0]
        columns.append(_column(name, field_type.base, field_type.shape, scan, geometry.shape[0]))
    data = {"reader": "asdf", "item": geometry.item}
    return table_dataset(geometry.shape[0], columns, data, [])


def _column(
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    scan: ColumnScan,
    rows: int,
    unit: str = "",
    description: str = "",
) -> dict[str, Any]:
    if dtype.names or dtype.kind not in "biufcSU":
        raise NotUnderstood(f"column {name!r} has the type {dtype}")
    shown = _shown_dtype(dtype)
    kind = "str" if shown.kind == "U" else shown.name
    if kind == "str":
        scan.width = shown.itemsize // 4
    group = block_group(rows)
    return column_document(name, kind, shape, unit, description, scan, group)


def _table(source: ByteSource, found: Found, blocks: list[Block]) -> dict[str, Any]:
    """Make the table of a node that is an astropy table: a list of columns."""
    inner = found.node.value if isinstance(found.node.value, dict) else {}
    listed = inner.get("columns")
    if not isinstance(listed, list) or not listed:
        raise NotUnderstood("a table without columns")
    columns, items, lengths = [], [], set()
    for number, entry in enumerate(listed):
        path = [*found.path, "columns", str(number)]
        column, geometry = _table_column(source, entry, path, blocks)
        columns.append(column)
        items.append(geometry.item)
        lengths.add(geometry.shape[0])
    if len(lengths) != 1:
        raise NotUnderstood("a table with columns of different lengths")
    meta = flatten(inner.get("meta", {}), simplify=simplified)
    return table_dataset(lengths.pop(), columns, {"reader": "asdf", "item": items}, meta)


def _table_column(
    source: ByteSource, entry: Any, path: list[str], blocks: list[Block]
) -> tuple[dict[str, Any], _Geometry]:
    described = _described(entry)
    node, unit = described.get("data"), described.get("unit", "")
    quantity = simplified(node)
    if quantity is not None:
        node, unit = quantity
    if not isinstance(node, Tagged) or not is_array(node):
        raise NotUnderstood("a table with a column that is not an array")
    geometry = _geometry(node, [*path, *described.get("path", [])], blocks)
    if not geometry.shape:
        raise NotUnderstood("a table with a column that is a single value")
    rows, scan = geometry.shape[0], ColumnScan()
    for start in range(0, rows if geometry.nbytes <= SCAN_LIMIT else 0, BLOCK_ROWS):
        rest = (slice(None),) * (len(geometry.shape) - 1)
        scan.add(native(geometry.read(source, (slice(start, start + BLOCK_ROWS), *rest))))
    name = str(described.get("name", f"column_{path[-1]}"))
    text = unit if isinstance(unit, str) else str((simplified(unit) or ("", ""))[0])
    about = str(described.get("description") or "")
    column = _column(name, geometry.dtype, geometry.shape[1:], scan, rows, text, about)
    return column, geometry


def _described(entry: Any) -> dict[str, Any]:
    """Return name, data, unit of an entry of a table's columns, and the path to its data."""
    inner = entry.value if isinstance(entry, Tagged) else entry
    if not isinstance(inner, dict):
        return {}
    if "data" in inner:
        return {**inner, "path": ["data"]}
    return {"data": entry, **{key: inner[key] for key in ("name", "description") if key in inner}}
