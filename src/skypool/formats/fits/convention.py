"""Reading the table `SKYPOOL` of files that skypool wrote (see `writer_convention`).

The table gives back what FITS cannot say: names, types, nesting, units and text exactly
as they were. Where somebody has changed, added or removed header cards since, the cards
count: they are compared with those that the writer makes of the table's values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skypool.codec.columns import decode_column
from skypool.codec.documents import loads
from skypool.codec.stored_tables import encode_table
from skypool.errors import Damaged, UsageError
from skypool.formats.fits.cards import Header
from skypool.formats.fits.convention_meta import Listed, merged_meta
from skypool.formats.fits.fields import binary_table
from skypool.formats.fits.hcss_datasets import unescaped
from skypool.formats.fits.writer_cards import ascii_text, comment_of
from skypool.formats.fits.writer_convention import TEXT_COLUMNS
from skypool.formats.fits.writer_wcs import written_wcs
from skypool.model.metadata import Parameter
from skypool.model.tables import Table
from skypool.model.units import ascii_unit
from skypool.model.wcs import wcs_cards

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.formats.fits.layout import Hdu

__all__ = ["apply"]

Document: TypeAlias = dict[str, Any]
_DATASETS = frozenset(("array", "table", "composite"))
# A complex array has the bytes of one of reals that has an axis more.
_COMPLEX = {"complex64": ">c8", "complex128": ">c16"}


@dataclass(frozen=True, slots=True)
class _Row:
    item: int
    hdu: int
    what: str
    name: str
    value: Any
    unit: str
    description: str


def apply(
    document: Document,
    hdus: Sequence[Hdu],
    parts: Mapping[int, Document],
    source: ByteSource,
    sink: ChunkSink,
    listed: Listed,
) -> bool:
    """Make the document of a FITS file that of the product that was written.

    A file without the table, or one whose HDUs no longer fit it, is left as it is.

    Parameters
    ----------
    document
        Of the file, as any FITS file gives it, with its recipe; changed in place.
    hdus
        The units of the file.
    parts
        The dataset of the document for each HDU that has one.
    source
        The bytes of the file.
    sink
        Takes the chunks of tables whose text FITS cannot hold.
    listed
        Gives the parameters that a reader takes from the cards of a header.

    Returns
    -------
    bool
        Whether the table was there and was used.
    """
    number = hdus[0].header.integer("SKYPOOL") if hdus else None
    if number is None or not 0 < number < len(hdus):
        return False
    if hdus[number].kind != "table" or hdus[number].header.text("EXTNAME") != "SKYPOOL":
        return False
    try:
        rows = _rows(hdus[number], source)
        made = _Reader(document, hdus, parts, source, sink, listed, rows).read()
    except (Damaged, UsageError, ValueError, TypeError, LookupError, AttributeError):
        # Whatever the table holds, the file itself was read: nothing of it is lost.
        return False
    if made is None:
        return False
    document.pop("history", None)
    document.update(made)
    return True


def _rows(hdu: Hdu, source: ByteSource) -> list[_Row]:
    shape = binary_table(hdu)
    data = source.pread(hdu.data, hdu.size)
    raw = np.frombuffer(data, np.uint8, shape.rows * shape.width).reshape(shape.rows, shape.width)
    columns: dict[str, Any] = {}
    for spec, (offset, width, _) in zip(shape.specs, shape.places, strict=True):
        columns[spec.name] = decode_column(
            spec,
            raw[:, offset : offset + width],
            lambda start, length: data[shape.heap + start : shape.heap + start + length],
        )
    texts = [columns[name] for name in TEXT_COLUMNS]
    return [
        _Row(int(item), int(hdu_number), str(what), *(_loaded(text) for text in rest))
        for item, hdu_number, what, *rest in zip(
            columns["ITEM"], columns["HDU"], *texts, strict=True
        )
    ]


def _loaded(text: str) -> Any:
    return loads(str(text).encode("ascii")) if text else ""


class _Reader:
    def __init__(
        self,
        document: Document,
        hdus: Sequence[Hdu],
        parts: Mapping[int, Document],
        source: ByteSource,
        sink: ChunkSink,
        listed: Listed,
        rows: list[_Row],
    ) -> None:
        self._segments = document["file"]["segments"]
        self._hdus = hdus
        self._parts = parts
        self._source = source
        self._sink = sink
        self._listed = listed
        self._rows = rows

    def read(self) -> Document | None:
        """Return what the document gets; None where the file no longer fits the table."""
        first = self._rows[0]
        if first.what != "product" or first.value.get("version") != 1:
            return None
        items: dict[int, Document] = {}
        inside: dict[int, list[list[Any]]] = {0: []}
        for row in self._rows:
            if row.what not in _DATASETS:
                continue
            dataset = self._dataset(row)
            if dataset is None:
                return None
            items[row.item] = dataset
            inside[row.value["parent"]].append([row.name, dataset])
            if row.what == "composite":
                inside[row.item] = dataset["datasets"] = []
        meta, history = self._meta(0, 0)
        made: Document = {"kind": first.name, "meta": meta, "datasets": inside[0]}
        if history:
            made["history"] = history
        return made

    def _of(self, item: int, what: str) -> list[_Row]:
        return [row for row in self._rows if row.item == item and row.what == what]

    def _meta(self, item: int, hdu: int) -> tuple[list[list[Any]], list[str]]:
        written = [
            (row.name, Parameter(row.value, row.unit, row.description), row.what == "shared")
            for row in self._rows
            if row.item == item and row.what in ("parameter", "shared")
        ]
        history = [str(row.value) for row in self._of(item, "history")]
        own = [str(keyword) for row in self._of(item, "own") for keyword in row.value]
        header: Header = self._hdus[hdu].header
        return merged_meta(written, history, own, header, self._listed)

    def _dataset(self, row: _Row) -> Document | None:
        if not 0 < row.hdu < len(self._hdus):
            return None
        hdu = self._hdus[row.hdu]
        part = self._parts.get(row.hdu, {})
        kinds = ("image", "empty") if row.what != "table" else ("table",)
        if hdu.kind not in kinds:
            return None
        if row.what == "composite":
            made: Document | None = {"is": "composite", "datasets": []}
        elif row.what == "array":
            made = self._array(row, hdu, part)
        else:
            made = self._table(row, hdu, part)
        if made is None:
            return None
        meta, _ = self._meta(row.item, row.hdu)
        made.pop("meta", None)
        made.pop("description", None)
        if meta:
            made["meta"] = meta
        description = row.description and self._description(row, hdu)
        if description:
            made["description"] = description
        return made

    def _description(self, row: _Row, hdu: Hdu) -> str:
        found = hdu.header.text("DESC")
        expected = ascii_text(row.description).strip()
        return row.description if found == expected else found

    def _array(self, row: _Row, hdu: Hdu, part: Document) -> Document | None:
        shape, dtype = tuple(row.value["shape"]), str(row.value["dtype"])
        is_complex = dtype in _COMPLEX
        stored_shape = (*(shape or (1,)), 2) if is_complex else shape or (1,)
        if hdu.shape != stored_shape or (part.get("is") != "array" and 0 not in shape):
            return None
        made: Document = dict(part) if part else {"is": "array", "dtype": _dtype_of(hdu)}
        made["shape"] = list(shape)
        segment = self._segment(made.get("data"), hdu)
        if is_complex:
            segment = {
                **segment,
                "dtype": _COMPLEX[dtype],
                "shape": segment["shape"][:-1],
                "tile": segment["tile"][:-1],
            }
            made.pop("stats", None)
            made["dtype"] = dtype
        elif dtype == "bool" and made["dtype"] == "uint8":
            made["dtype"] = "bool"
        if not shape:
            segment = {**segment, "shape": [], "tile": []}
        if is_complex or not shape or not part:
            made["data"] = segment
        made.pop("wcs", None)
        now = wcs_cards(self._source.pread(hdu.start, hdu.data - hdu.start).decode("ascii"))
        if now:
            made["wcs"] = {"hdu": hdu.index}
        if "wcs" in row.value and now == written_wcs(row.value["wcs"], len(shape), is_complex):
            made["wcs"] = {"header": row.value["wcs"]}
        return self._with_unit(made, row)

    def _segment(self, data: Any, hdu: Hdu) -> Document:
        """Return the segment that holds an array, one without chunks where it is empty."""
        if isinstance(data, Mapping) and "segment" in data:
            return dict(self._segments[data["segment"]])
        if isinstance(data, Mapping):
            return dict(data)
        shape = list(hdu.shape)
        kind = np.dtype(_dtype_of(hdu)).newbyteorder(">").str
        return {"is": "array", "dtype": kind, "shape": shape, "tile": shape, "chunks": ""}

    @staticmethod
    def _with_unit(made: Document, row: _Row) -> Document:
        if made.get("unit", "") == ascii_unit(row.unit) and row.unit:
            made["unit"] = row.unit
        return made

    def _table(self, row: _Row, hdu: Hdu, part: Document) -> Document | None:
        columns = self._of(row.item, "column")
        if not part and not columns:
            # A table without columns has no values to read.
            return encode_table(Table({}).source, self._sink)
        if part.get("is") != "table" or len(part["columns"]) != len(columns):
            return None
        made: Document = dict(part)
        made["columns"] = [
            self._column(column, dict(found))
            for column, found in zip(columns, part["columns"], strict=True)
        ]
        escaped = {number for number, row in enumerate(columns) if row.value.get("escaped")}
        if escaped:
            return unescaped(made, hdu, self._source, self._sink, escaped)
        return made

    @staticmethod
    def _column(row: _Row, found: Document) -> Document:
        found["name"] = row.name
        if row.unit and found.get("unit", "") == ascii_unit(row.unit):
            found["unit"] = row.unit
        expected = comment_of("", row.description)
        if row.description and expected.startswith(found.get("description", "")):
            found["description"] = row.description
        if "null" in row.value:
            found["null"] = row.value["null"]
        return found


def _dtype_of(hdu: Hdu) -> str:
    kinds = {8: "uint8", 16: "int16", 32: "int32", 64: "int64", -32: "float32", -64: "float64"}
    name = kinds[hdu.bitpix]
    zero = hdu.header.number("BZERO")
    if zero == -128 and name == "uint8":
        return "int8"
    return f"u{name}" if zero and name.startswith("int") else name
