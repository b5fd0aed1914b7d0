"""Arrays and tables of HCSS: what the classes say that the units of FITS do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skypool.codec.columns import decode_column
from skypool.codec.statistics import Statistics
from skypool.codec.stored_tables import encode_table
from skypool.errors import Damaged, UsageError
from skypool.formats.fits.fields import binary_table
from skypool.formats.fits.hcss_exact import check_of
from skypool.formats.fits.writer_tables import unescape
from skypool.formats.typed import unique_names
from skypool.model.tables import Table
from skypool.model.wcs import wcs_cards

if TYPE_CHECKING:
    from skypool.codec.buffers import Buffer
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.formats.fits.hcss_exact import Exact
    from skypool.formats.fits.layout import Hdu
    from skypool.formats.fits.units import Part

__all__ = ["Files", "array", "table", "unescaped", "wcs_of"]

Document: TypeAlias = dict[str, Any]
_COMPLEX = {"float32": ("complex64", ">c8"), "float64": ("complex128", ">c16")}


@dataclass(frozen=True, slots=True)
class Files:
    """What the datasets of a file need beside its headers.

    Attributes
    ----------
    source
        The bytes of the file.
    sink
        Takes chunks.
    segments
        Of the recipe.
    """

    source: ByteSource
    sink: ChunkSink
    segments: Sequence[Document]


def array(part: Part, exact: Exact, files: Files) -> Document:
    """Return the array of an image unit: its unit, and truth values and complex numbers as such."""
    header = part.hdu.header
    made: Document = dict(part.dataset or {})
    made["unit"] = exact.text("unit", header.text("QTTY____") or made["unit"])
    sort = header.text("DATA____").rpartition(".")[2]
    if sort.startswith("Bool") and made["dtype"] == "uint8" and _is_boolean(made):
        made["dtype"] = "bool"
        if "stats" in made:
            made["stats"] = {**made["stats"], "type": "i8"}
    stored = "segment" in made.get("data", ())
    pairs = made["dtype"] in _COMPLEX and made["shape"][-1:] == [2]
    if stored and pairs and sort.startswith("Complex"):
        _make_complex(made, files)
    shape = exact.notes.get("shape")
    if stored and shape == [] and made["shape"] == [1]:
        made["data"] = {**_segment(made, files), "shape": [], "tile": []}
        made["shape"] = []
    if "wcs" in exact.notes:
        text = exact.text("wcs", wcs_of(part.hdu, files.source))
        made.pop("wcs", None)
        if text:
            made["wcs"] = {"header": text}
    return made


def wcs_of(hdu: Hdu, source: ByteSource) -> str:
    """Return the cards of world coordinates in the header of a unit."""
    return wcs_cards(source.pread(hdu.start, hdu.data - hdu.start).decode("ascii"))


def _is_boolean(made: Document) -> bool:
    """Say whether all values are 0 or 1, by the statistics."""
    stats = made.get("stats")
    if stats is None:
        return True
    values = stats["total"] if "list" in stats else stats["values"]
    found = Statistics.from_json({"type": "u8", "values": values}, lambda name: b"")
    return not found.valued.any() or (found.min() >= 0 and found.max() <= 1)


def _segment(made: Document, files: Files) -> Document:
    data = made["data"]
    return dict(files.segments[data["segment"]] if "segment" in data else data)


def _make_complex(made: Document, files: Files) -> None:
    """Turn an array whose last axis is real and imaginary part into one of complex numbers."""
    made["dtype"], stored = _COMPLEX[made["dtype"]]
    segment = _segment(made, files)
    made["shape"] = made["shape"][:-1]
    made["data"] = {
        **segment,
        "dtype": stored,
        "shape": segment["shape"][:-1],
        "tile": segment["tile"][:-1],
    }
    made.pop("stats", None)


def table(part: Part, exact: Exact, files: Files) -> Document:
    """Return the table of a unit; text in escapes as it was."""
    made: Document = dict(part.dataset or {})
    notes = exact.notes.get("columns", {})
    if not notes:
        return made
    columns = [dict(column) for column in made["columns"]]
    escaped = set()
    for number, column in enumerate(columns):
        note = notes.get(str(number))
        if note is None:
            continue
        check, name, unit, description, facts = note
        said = [column["name"], column.get("unit", ""), column.get("description", "")]
        if check == check_of(said):
            for key, text in (("name", name), ("unit", unit), ("description", description)):
                column.pop(key, None)
                if text or key == "name":
                    column[key] = text
        if isinstance(facts.get("null"), int | float | str):
            column["null"] = facts["null"]
        if facts.get("escaped") is True:
            escaped.add(number)
    names = unique_names(column["name"] for column in columns)
    made["columns"] = [column | {"name": name} for column, name in zip(columns, names, strict=True)]
    if not escaped:
        return made
    try:
        return unescaped(dict(made), part.hdu, files.source, files.sink, escaped)
    except (Damaged, UsageError, ValueError):
        return made  # somebody changed the text: it is no escapes any more


class _Added:
    """Puts runs of chunks as single ones: what is added to a file, and is not in its bytes.

    Parameters
    ----------
    sink
        Of the file, which may stay where it is.
    itemsize
        Bytes of an element of the run.
    """

    def __init__(self, sink: ChunkSink, itemsize: int = 1) -> None:
        self._sink = sink
        self._itemsize = itemsize

    def stream(self, itemsize: int = 1) -> _Added:
        """Start a run of chunks."""
        return _Added(self._sink, itemsize)

    def put(self, raw: Buffer, itemsize: int = 0) -> bytes:
        """Store a chunk."""
        return self._sink.put(raw, itemsize or self._itemsize)


def unescaped(
    made: Document, hdu: Hdu, source: ByteSource, sink: ChunkSink, escaped: set[int]
) -> Document:
    """Return a table whose text FITS cannot hold, stored anew.

    Parameters
    ----------
    made
        The table, its columns with their own names.
    hdu, source
        Where it is.
    sink
        Takes the chunks.
    escaped
        Numbers of the columns whose text is in escapes.
    """
    shape = binary_table(hdu)
    data = source.pread(hdu.data, hdu.size)
    raw = np.frombuffer(data, np.uint8, shape.rows * shape.width)
    cells = raw.reshape(shape.rows, shape.width)
    values: dict[str, Any] = {}
    for number, (spec, (offset, width, _)) in enumerate(
        zip(shape.specs, shape.places, strict=True)
    ):
        found = decode_column(
            spec,
            cells[:, offset : offset + width],
            lambda start, length: data[shape.heap + start : shape.heap + start + length],
        )
        name = made["columns"][number]["name"]
        values[name] = unescape(found) if number in escaped else found
    stored = encode_table(Table(values).source, _Added(sink))
    for column, described in zip(stored["columns"], made["columns"], strict=True):
        for key in ("unit", "description", "null"):
            if key in described:
                column[key] = described[key]
    for key in ("data", "columns", "heap"):
        made.pop(key, None)
        if key in stored:
            made[key] = stored[key]
    return made
