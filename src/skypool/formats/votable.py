"""VOTable (IVOA recommendation 1.5 and the versions before).

TABLEDATA, BINARY and BINARY2 in the file are typed. Tables whose data are FITS or
Parquet, or elsewhere, keep their fields in the document but are not read: nothing
is ever fetched.
"""

from __future__ import annotations

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
    parameter,
    table_dataset,
    unique_names,
    unread,
)
from skypool.formats.verbatim import Description, VerbatimFormat, renamed
from skypool.formats.votable_cells import Cell, cell_type, from_text
from skypool.formats.votable_rows import RowBlocks
from skypool.formats.votable_xml import Entry, Node, RowTaker, TableNode, scan_votable

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource
    from skypool.model.sources import TableSource

__all__ = ["VOTableFormat"]

Values = np.ndarray[Any, Any]
SIZE_LIMIT = 1024**3


class _TableScan:
    """What is found out about a table while the file is read."""

    def __init__(self, node: TableNode) -> None:
        self.node = node
        self.cells = [cell_type(entry) for entry in node.fields]
        self.scans = [ColumnScan() for _ in self.cells]
        self.rows = 0

    def add(self, columns: list[Values]) -> None:
        """Take a block of rows."""
        self.rows += len(columns[0])
        for scan, values in zip(self.scans, columns, strict=True):
            scan.add(values)

    def dataset(self, item: int) -> dict[str, Any]:
        """Make the dataset of the document."""
        group = block_group(self.rows)
        names = unique_names(_name(entry) for entry in self.node.fields)
        columns = [
            _column(name, entry, cell, scan, group)
            for name, entry, cell, scan in zip(
                names, self.node.fields, self.cells, self.scans, strict=True
            )
        ]
        data = {"reader": "votable", "item": item}
        meta = _parameters(self.node)
        return table_dataset(self.rows, columns, data, meta, self.node.description)


def _name(entry: Entry) -> str:
    return entry.attributes.get("name") or entry.attributes.get("ID") or "column"


def _column(name: str, entry: Entry, cell: Cell, scan: ColumnScan, group: int) -> dict[str, Any]:
    dtype, shape = cell.dtype.name, cell.dims
    if cell.variable:
        dtype, shape = "object", ()
    elif cell.is_text:
        dtype = "str"
    column = column_document(
        name, dtype, shape, entry.attributes.get("unit", ""), entry.description, scan, group
    )
    column |= {k: entry.attributes[k] for k in ("ucd", "utype", "xtype") if k in entry.attributes}
    if cell.null is not None:
        column["null"] = cell.null
    if cell.variable and not cell.is_text:
        column["element"] = cell.dtype.name
    return column


def _parameters(node: Node) -> list[list[Any]]:
    """Return the parameters of a node: its attributes, then PARAM, INFO and systems."""
    found = [
        parameter(key, node.attributes[key])
        for key in ("ID", "name", "type", "ucd", "utype")
        if node.tag == "TABLE" and key in node.attributes
    ]
    for entry in node.entries:
        if entry.tag in ("PARAM", "INFO"):
            value = _value(entry)
            unit = entry.attributes.get("unit", "")
            found.append(parameter(_name(entry), value, unit, entry.description))
        else:
            found += [
                parameter(f"{entry.tag}.{key}", value) for key, value in entry.attributes.items()
            ]
    return renamed(entry for entry in found if entry is not None)


def _value(entry: Entry) -> Any:
    """Return a PARAM's value in its type where it is a single number, else the text."""
    text = entry.attributes.get("value", "")
    if entry.tag == "INFO" or "datatype" not in entry.attributes:
        return text
    try:
        cell = cell_type(entry)
        if cell.is_text or cell.dims or cell.variable or cell.dtype.kind == "c" or not text:
            return text
        value = from_text(cell, [text])
    except NotUnderstood:
        return text
    if np.ma.getmaskarray(value).any():
        return text
    return float(text) if cell.datatype == "float" else value[0].item()


class VOTableFormat(VerbatimFormat):
    """The reader ``votable``; the item of a table is its number in the file."""

    name = "votable"

    def matches(self, head: bytes, filename: str, size: int) -> bool:
        """Look for the root element, with any prefix, in any encoding of XML."""
        text = head.replace(b"\0", b"")  # UTF-16
        start = text.find(b"<VOTABLE")
        if start < 0:
            start = text.find(b":VOTABLE")
        before = text[: max(start, 0)]
        stripped = text.lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n")
        return start >= 0 and stripped.startswith(b"<") and b"<html" not in before.lower()

    def describe(self, source: WatchedSource, filename: str) -> Description:
        """Read the whole file once, for its fields, rows and statistics."""
        if source.size > SIZE_LIMIT:
            raise NotUnderstood(f"larger than the {SIZE_LIMIT // 1024**2} MiB that are parsed")
        scans: dict[int, _TableScan] = {}

        def begin(node: TableNode) -> RowTaker:
            scan = scans[id(node)] = _TableScan(node)
            return RowBlocks(scan.cells, node.data, BLOCK_ROWS, scan.add)

        nodes, tables = scan_votable(source, begin)
        names = unique_names(_table_names(tables))
        found = Description()
        for number, (name, table) in enumerate(zip(names, tables, strict=True)):
            if table.problem is not None:
                found.datasets.append([name, unread(table.problem, _parameters(table))])
            else:
                scan = scans.get(id(table)) or _TableScan(table)
                found.datasets.append([name, scan.dataset(number)])
        for node in nodes:
            if node.tag != "TABLE":
                found.meta += _parameters(node)
        described = [node.description for node in nodes if node.description]
        found.fixed["description"] = described[0] if described else ""
        found.meta = renamed(found.meta)
        return found

    def open_table(self, item: Any, dataset: dict[str, Any], file: ByteSource) -> TableSource:
        """Open a table; the file is parsed when a value is first wanted."""
        return ColumnsTable(dataset, lambda: _load(file, item, dataset["columns"]))


def _table_names(tables: list[TableNode]) -> list[str]:
    names = []
    for number, table in enumerate(tables, 1):
        other = "table" if len(tables) == 1 else f"table_{number}"
        names.append(table.attributes.get("name") or table.attributes.get("ID") or other)
    return names


def _load(file: ByteSource, item: int, columns: list[dict[str, Any]]) -> list[Values]:
    """Read all columns of table number *item*."""
    blocks: list[list[Values]] = []

    def begin(node: TableNode) -> RowTaker | None:
        if node.number != item:
            return None
        cells = [cell_type(entry) for entry in node.fields]
        return RowBlocks(cells, node.data, BLOCK_ROWS, blocks.append)

    try:
        scan_votable(file, begin)
    except NotUnderstood as error:
        raise Damaged(f"a VOTable cannot be read any more: {error.reason}") from error
    if not blocks:
        return [empty_column(column) for column in columns]
    return [joined(parts) for parts in zip(*blocks, strict=True)]
