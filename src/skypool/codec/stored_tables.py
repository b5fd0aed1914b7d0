"""Tables as documents describe them, and tables made in memory as documents."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skypool.codec.chunking import Physical, write_bytes, write_table
from skypool.codec.columns import ColumnSpec, counted_column, decode_column
from skypool.codec.columns_encode import encode_column
from skypool.codec.digest import digest
from skypool.codec.documents import dumps
from skypool.codec.reading import read_column, read_segment
from skypool.codec.recipes import RecipeCheck
from skypool.codec.segments import Segment, TableSegment
from skypool.codec.sinks import ChunkSink, Fetch, MemorySource
from skypool.codec.statistics import Statistics
from skypool.errors import UsageError
from skypool.model.sources import ColumnInfo, Placed, TableSource

__all__ = ["StoredTable", "encode_table"]

_DESCRIPTORS: dict[str, np.dtype[Any]] = {"P": np.dtype(">i4"), "Q": np.dtype(">i8")}


class StoredTable(Placed):
    """A `TableSource` over the columns of a table segment.

    Parameters
    ----------
    dataset
        The dataset of a document.
    segment
        Its rows.
    heap
        The data of its variable-length arrays, in file order.
    fetch
        Gives a chunk by its digest.
    stored
        What the pool needs to save it again without reading it.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        segment: TableSegment,
        heap: Sequence[Segment],
        fetch: Fetch,
        stored: object = None,
    ) -> None:
        is_ascii = bool(dataset.get("ascii"))
        self._columns: dict[str, tuple[int, ColumnSpec]] = {}
        for number, column in enumerate(dataset["columns"]):
            self._columns.setdefault(
                column["name"], (number, ColumnSpec.from_json(column, ascii=is_ascii))
            )
        self._dataset = dataset
        self._segment = segment
        self._heap = heap
        self._starts = list(itertools.accumulate((part.size for part in heap), initial=0))
        self._fetch = fetch
        self.stored = stored
        self.nrows: int = dataset["rows"]
        self.block_rows = max(1, segment.block)

    @property
    def colnames(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self._columns)

    def spec(self, name: str) -> ColumnSpec:
        """Return how a column is stored."""
        return self._columns[name][1]

    def info(self, name: str) -> ColumnInfo:
        """Describe a column without reading it."""
        spec = self._columns[name][1]
        return ColumnInfo(
            name,
            spec.dtype,
            spec.shape,
            spec.unit,
            spec.description,
            spec.null_value,
            spec.element,
        )

    def same_rows(self, specs: Sequence[ColumnSpec]) -> bool:
        """Return whether the stored rows are those of a table of these columns, byte for byte."""
        if len(specs) != len(self._segment.columns) or len(specs) != len(self._columns):
            return False
        place = 0
        for (_, mine), spec, (offset, width, _) in zip(
            self._columns.values(), specs, self._segment.columns, strict=True
        ):
            alike = (mine.code, mine.scale, mine.zero) == (spec.code, 1, spec.zero)
            # Logical columns of files may hold more than true and false.
            if not alike or spec.code in "LX" or (offset, width) != (place, spec.width):
                return False
            place += width
        return place == self._segment.width

    def read_bytes(self, offset: int, length: int) -> bytes:
        """Return a range of the stored rows."""
        return read_segment(self._segment, self._fetch, offset, length)

    @property
    def size(self) -> int:
        """Bytes of the rows and of their heap."""
        return self._segment.size + self._starts[-1]

    def read(self, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Return rows *start* to *stop* of a column."""
        number, spec = self._columns[name]
        raw = read_column(self._segment, self._fetch, number, start, stop)
        return decode_column(spec, raw, self._heap_bytes)

    def token(self) -> object:
        """Return what differs between tables of different content: names of chunks and columns."""
        columns = [[spec.to_json(), number] for number, spec in self._columns.values()]
        heap = [segment.to_json() for segment in self._heap]
        return digest(dumps([self._segment.to_json(), heap, columns, self.nrows])).hex()

    def _heap_bytes(self, offset: int, length: int) -> bytes:
        pieces = []
        stop = min(offset + length, self._starts[-1])
        while offset < stop:
            part = bisect.bisect_right(self._starts, offset) - 1
            data = read_segment(
                self._heap[part], self._fetch, offset - self._starts[part], stop - offset
            )
            pieces.append(data)
            offset += len(data)
        return b"".join(pieces)

    def column_statistics(self, name: str) -> Statistics | None:
        """Return the statistics of a column, block by block, if there are any."""
        number, spec = self._columns[name]
        found = self._dataset["columns"][number].get("stats")
        if found is None:
            return None
        known = Statistics.from_json(found, self._fetch)
        if spec.has_null_text:
            # What is missing counts as a value there, which may be one that others have too.
            missing = spec.zero if spec.dtype.kind == "f" else 0
            if ((known.minima <= missing) & (missing <= known.maxima)).any():
                return None
        return known


def encode_table(source: TableSource, sink: ChunkSink) -> dict[str, Any]:
    """Store a table made in memory as one of FITS binary columns.

    Parameters
    ----------
    source
        The table.
    sink
        Takes the chunks.

    Returns
    -------
    dict
        The dataset of a document, without metadata.

    Raises
    ------
    UsageError
        If FITS has no type for the values of a column.
    """
    specs, cells, heap = _encoded(source)
    columns, width = [], 0
    for spec in specs:
        columns.append((width, spec.width, spec.itemsize))
        width += spec.width
    rows = np.concatenate(cells, axis=1) if cells else np.empty((source.nrows, 0), np.uint8)
    segment, stats = write_table(
        MemorySource(np.ascontiguousarray(rows).reshape(-1)),
        0,
        source.nrows,
        width,
        columns,
        sink,
        RecipeCheck(),
        [_physical(spec) for spec in specs],
    )
    obj: dict[str, Any] = {
        "is": "table",
        "rows": source.nrows,
        "columns": [_column(spec, found) for spec, found in zip(specs, stats, strict=True)],
        "data": segment.to_json(),
    }
    if heap:
        written = write_bytes(MemorySource(heap), 0, len(heap), sink, RecipeCheck())
        obj["heap"] = [written.to_json()]
    return obj


def _encoded(
    source: TableSource,
) -> tuple[list[ColumnSpec], list[np.ndarray[Any, Any]], bytes]:
    """Return the columns of a table, their cells, and the heap of those of variable length."""
    specs: list[ColumnSpec] = []
    cells: list[np.ndarray[Any, Any]] = []
    heaps: list[bytes] = []
    base = 0
    for name in source.colnames:
        info = source.info(name)
        values = source.read(name, 0, source.nrows)
        spec, raw, heap = encode_column(name, values, info.unit, info.description)
        if info.null is not None and spec.null is None:
            spec = ColumnSpec.from_json({**spec.to_json(), "null": _stored_null(spec, info.null)})
        if heap is not None:
            raw = _moved(spec, raw, base)
            heaps.append(heap)
            base += len(heap)
        specs.append(spec)
        cells.append(raw)
    return specs, cells, b"".join(heaps)


def _stored_null(spec: ColumnSpec, null: Any) -> Any:
    if spec.dtype.kind in "iu" and not isinstance(null, str):
        return int(null) - int(spec.zero)
    return null


def _column(spec: ColumnSpec, stats: dict[str, Any] | None) -> dict[str, Any]:
    obj = spec.to_json()
    if stats:
        obj["stats"] = stats
    return obj


def _physical(spec: ColumnSpec) -> Physical | None:
    if not spec.has_statistics:
        return None
    return lambda raw: counted_column(spec, raw)


def _moved(spec: ColumnSpec, raw: np.ndarray[Any, Any], base: int) -> np.ndarray[Any, Any]:
    """Return the descriptors of a column whose heap starts at *base* of the table's."""
    if not base:
        return raw
    dtype = _DESCRIPTORS[spec.code]
    pairs = raw.reshape(-1).view(dtype).reshape(-1, 2).astype(np.int64)
    pairs[:, 1] += base
    if pairs.size and pairs[:, 1].max() > (1 << (8 * dtype.itemsize - 1)) - 1:
        raise UsageError(
            f"the arrays of column {spec.name!r} lie behind 2 GiB of others in the table",
            hint="put the longest column of variable length last, or into a table of its own",
        )
    moved: np.ndarray[Any, Any] = pairs.astype(dtype).view(np.uint8).reshape(raw.shape)
    return moved
