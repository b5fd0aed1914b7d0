"""CASA tables: measurement sets and images, as folders that are one product.

The tables' descriptions are read through casa-formats-io, which wants real files:
they are copied to a temporary folder while it reads. The pixels of images are read
from the tiles by this module, so that a part of an image reads its tiles only, and
opening one needs no package.

Not typed: columns whose cells differ in shape (DATA and FLAG of a measurement set
with several setups) and those of storage managers that the package does not know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import Damaged
from skypool.formats.base import Imported
from skypool.formats.casa_images import TiledArray, describe_image
from skypool.formats.casa_tables import CasaTable, open_casa
from skypool.formats.folders import read_folder
from skypool.formats.parsing import NotUnderstood
from skypool.formats.sources import ColumnsTable, FunctionArray, empty_column
from skypool.formats.typed import (
    BLOCK_ROWS,
    ColumnScan,
    block_group,
    column_document,
    flatten,
    table_dataset,
    unread,
)
from skypool.formats.verbatim import Description

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.model.sources import ArraySource, TableSource

__all__ = ["MAGIC", "CasaFormat"]

Values = np.ndarray[Any, Any]
MAGIC = b"\xbe\xbe\xbe\xbe"
# Day 0 of the modified Julian dates, which CASA counts in seconds.
_MJD = datetime(1858, 11, 17, tzinfo=UTC)


class CasaFormat:
    """The reader ``casa``.

    The item of a table is the path of its folder below the product's (empty for the
    product's own); that of an image says where its tiles are.
    """

    name = "casa"

    def matches(self, folder: Path) -> bool:
        """Look for a table description that starts as CASA's do."""
        path = folder / "table.dat"
        try:
            if path.is_symlink():
                return False
            with path.open("rb") as file:
                return file.read(4) == MAGIC
        except OSError:
            return False

    def read(
        self, folder: Path, open_source: Callable[[str], ByteSource], sink: ChunkSink
    ) -> Imported:
        """Store all files and describe the tables and images."""
        return read_folder(folder, open_source, sink, "CASA", _describe)

    def open_array(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> ArraySource:
        """Open an image or mask; a read touches the tiles that it needs."""
        source = files[item["file"]]
        return FunctionArray(dataset, lambda index: TiledArray(item).read(source, index))

    def open_table(
        self, item: Any, dataset: dict[str, Any], files: Mapping[str, ByteSource]
    ) -> TableSource:
        """Open a table; it is read when a value is first wanted."""
        return ColumnsTable(dataset, _Loader(str(item), dataset["columns"], files).load)


def _describe(files: Mapping[str, ByteSource]) -> Description:
    with open_casa(files, "") as main:
        image = describe_image(main, files)
        if image is not None:
            return image
        found = Description(meta=flatten(main.keywords))
        if "MS_VERSION" in main.keywords:
            found.kind = "Product"
        found.datasets.append(["MAIN", _table(main, "")])
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        if name == "table.dat" and folder:
            found.datasets.append([folder.replace("/", "."), _subtable(files, folder, found)])
    return found


def _subtable(files: Mapping[str, ByteSource], folder: str, found: Description) -> dict[str, Any]:
    try:
        with open_casa(files, folder) as table:
            if folder == "OBSERVATION":
                found.fixed |= _observation(table)
            return _table(table, folder)
    except NotUnderstood as error:
        return unread(error.reason)


def _table(table: CasaTable, item: str) -> dict[str, Any]:
    """Make the dataset of a table."""
    columns, left_out, rows = [], [], None
    for described in table.columns:
        try:
            values = table.column(described.name)
        except NotUnderstood:
            left_out.append(described.name)
            continue
        if rows is not None and len(values) != rows:
            left_out.append(described.name)
            continue
        rows = len(values)
        scan = ColumnScan()
        for start in range(0, rows, BLOCK_ROWS):
            scan.add(values[start : start + BLOCK_ROWS])
        columns.append(
            column_document(
                described.name,
                "str" if values.dtype.kind == "U" else values.dtype.name,
                values.shape[1:],
                described.unit,
                described.comment,
                scan,
                block_group(rows),
            )
        )
    about = f"columns that are not read: {', '.join(left_out)}" if left_out else ""
    data = {"reader": "casa", "item": item}
    return table_dataset(rows or 0, columns, data, flatten(table.keywords), about)


def _observation(table: CasaTable) -> dict[str, Any]:
    """Read telescope, observer and times of a measurement set."""
    fixed: dict[str, Any] = {}
    for name, column in (("instrument", "TELESCOPE_NAME"), ("creator", "OBSERVER")):
        try:
            values = table.column(column)
        except NotUnderstood:
            continue
        if len(values):
            fixed[name] = str(values[0])
    try:
        times = np.asarray(table.column("TIME_RANGE"), float)
        if times.size:
            fixed["startDate"] = _MJD + timedelta(seconds=float(times.min()))
            fixed["endDate"] = _MJD + timedelta(seconds=float(times.max()))
    except (NotUnderstood, ValueError, OverflowError):
        fixed.pop("startDate", None)  # no times, or none that a calendar holds
    return fixed


class _Loader:
    """Reads all columns of a table of the document."""

    def __init__(
        self, item: str, columns: list[dict[str, Any]], files: Mapping[str, ByteSource]
    ) -> None:
        self._item = item
        self._columns = columns
        self._files = files
        self._lock = threading.Lock()

    def load(self) -> list[Values]:
        try:
            with self._lock, open_casa(self._files, self._item) as table:
                loaded = [table.column(column["name"]) for column in self._columns]
        except NotUnderstood as error:
            raise Damaged(f"a CASA table cannot be read any more: {error.reason}") from error
        return [
            values if len(values) else empty_column(column)
            for column, values in zip(self._columns, loaded, strict=True)
        ]
