"""Storing one header and data unit: its segments, and the dataset that describes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skypool.codec.chunking import write_array, write_bytes, write_table
from skypool.codec.columns import ColumnSpec, counted_column
from skypool.codec.recipes import RecipeCheck
from skypool.codec.scaling import physical, physical_dtype
from skypool.errors import Damaged
from skypool.formats.fits.fields import TableShape, ascii_table, binary_table, random_groups

if TYPE_CHECKING:
    from skypool.codec.segments import Segment
    from skypool.codec.sinks import ByteSource, ChunkSink
    from skypool.formats.fits.cards import Header
    from skypool.formats.fits.layout import Hdu, Layout

__all__ = ["Part", "Recipe"]

Values = np.ndarray[Any, Any]
Physical = Callable[[Values], Values]

_STORED = {8: "|u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_CELESTIAL = re.compile(r"(?:CTYPE|CRVAL|CDELT|CD)[1-9]")


@dataclass(slots=True)
class Part:
    """One unit and its dataset.

    Attributes
    ----------
    hdu
        The unit.
    dataset
        An array or table, without metadata; None where there are no values.
    reason
        Why the data are kept as bytes, where they are.
    """

    hdu: Hdu
    dataset: dict[str, Any] | None = None
    reason: str = ""


@dataclass(slots=True)
class Recipe:
    """The recipe of a file while it is written.

    Attributes
    ----------
    source, sink
        Where the bytes come from, and where the chunks go to.
    notes
        What is odd, but does no harm.
    """

    source: ByteSource
    sink: ChunkSink
    notes: list[str]
    check: RecipeCheck = field(default_factory=RecipeCheck)
    segments: list[dict[str, Any]] = field(default_factory=list)
    units: list[dict[str, Any]] = field(default_factory=list)

    def store(self, layout: Layout) -> list[Part]:
        """Store all units of a file and what is behind them."""
        parts = [self._unit(hdu) for hdu in layout.hdus]
        if layout.tail:
            self._bytes(layout.hdus[-1].end, layout.tail)
        return parts

    def to_json(self) -> dict[str, Any]:
        """Return the recipe.

        Raises
        ------
        RecipeMismatch
            If the segments do not give the file back.
        """
        recipe: dict[str, Any] = {
            "format": "fits",
            "size": self.source.size,
            **({"hash": self.check.digest().hex()} if self.check.is_whole else {}),
            "segments": self.segments,
            "hdus": self.units,
        }
        if self.notes:
            recipe["notes"] = self.notes
        return recipe

    def _add(self, segment: Segment) -> int:
        self.segments.append(segment.to_json())
        return len(self.segments) - 1

    def _bytes(self, offset: int, length: int, *, now: bool = False) -> int:
        return self._add(write_bytes(self.source, offset, length, self.sink, self.check, now=now))

    def _unit(self, hdu: Hdu) -> Part:
        header = self._bytes(hdu.start, hdu.data - hdu.start, now=True)
        first = len(self.segments)
        part = Part(hdu)
        if hdu.kind == "image":
            self._image(hdu, part)
        elif hdu.kind in _TABLES:
            self._table(hdu, part)
        elif hdu.kind == "other":
            self._unknown(hdu, part)
        self._rest(hdu)
        self.units.append(
            {
                "header": header,
                "data": list(range(first, len(self.segments))),
                "type": "bytes" if part.reason else hdu.kind,
            }
        )
        if hdu.end > hdu.data + hdu.size:
            self._bytes(hdu.data + hdu.size, hdu.end - hdu.data - hdu.size)
        if part.reason:
            self.notes.append(f"HDU {hdu.index}: kept as bytes: {part.reason}")
        return part

    def _rest(self, hdu: Hdu) -> None:
        """Store the bytes of the data unit that no segment holds yet."""
        done = self.check.position - hdu.data
        if done < hdu.size:
            self._bytes(hdu.data + done, hdu.size - done)

    def _image(self, hdu: Hdu, part: Part) -> None:
        stored = _STORED[hdu.bitpix]
        dataset, function = _array(hdu.header, stored, hdu.shape, hdu.index)
        segment, stats = write_array(
            self.source, hdu.data, stored, hdu.shape, self.sink, self.check, function
        )
        dataset["data"] = {"segment": self._add(segment)}
        if stats is not None:
            dataset["stats"] = stats
        part.dataset = dataset

    def _unknown(self, hdu: Hdu, part: Part) -> None:
        """Give the data of an extension of an unknown type as an array of bytes."""
        name = hdu.header.text("XTENSION")
        self.notes.append(f"HDU {hdu.index}: the extension type {name!r} is not known")
        if hdu.size:
            shape = (hdu.size,)
            segment, _ = write_array(self.source, hdu.data, "|u1", shape, self.sink, self.check)
            part.dataset = {
                "is": "array",
                "shape": [hdu.size],
                "unit": "",
                "dtype": "uint8",
                "data": {"segment": self._add(segment)},
            }

    def _table(self, hdu: Hdu, part: Part) -> None:
        try:
            shape = _TABLES[hdu.kind](hdu)
        except Damaged as error:
            part.reason = error.message
            return
        readers = [_Statistics.of(spec) for spec in shape.specs]
        segment, stats = write_table(
            self.source,
            hdu.data,
            shape.rows,
            shape.width,
            shape.places,
            self.sink,
            self.check,
            readers if hdu.kind != "compressed" else None,
            now=hdu.kind == "ascii",  # what its columns are depends on their content
        )
        number = self._add(segment)
        rows = shape.rows * shape.width
        if shape.heap > rows:
            self._bytes(hdu.data + rows, shape.heap - rows)
        heap = None
        if hdu.size > shape.heap:
            heap = self._bytes(hdu.data + shape.heap, hdu.size - shape.heap)
        if hdu.kind == "compressed":
            part.dataset = _compressed(hdu)
            if part.dataset is None:
                part.reason = "its header does not say what image is compressed in it"
            return
        columns = []
        for spec, reader, found in zip(shape.specs, readers, stats, strict=True):
            if reader is not None and reader.failed:
                # Text that is no number where the format promises one: shown as it stands.
                self.notes.append(f"HDU {hdu.index}: {reader.failed}; given as text")
                spec = ColumnSpec(
                    spec.name, f"A{spec.width}", spec.unit, spec.description, ascii=True
                )
                found = None
            columns.append(spec.to_json() | ({"stats": found} if found else {}))
        part.dataset = {
            "is": "table",
            "rows": shape.rows,
            "columns": columns,
            "data": {"segment": number},
        }
        if hdu.kind == "ascii":
            part.dataset["ascii"] = True
        if heap is not None and any(spec.variable for spec in shape.specs):
            part.dataset["heap"] = [{"segment": heap}]


class _Statistics:
    """Values of a column for its statistics; stops at the first that cannot be read."""

    def __init__(self, spec: ColumnSpec) -> None:
        self._spec = spec
        self.failed = ""

    @classmethod
    def of(cls, spec: ColumnSpec) -> _Statistics | None:
        return cls(spec) if spec.has_statistics else None

    def __call__(self, raw: Values) -> Values:
        if not self.failed:
            try:
                return counted_column(self._spec, raw)
            except Damaged as error:
                self.failed = error.message
        return np.empty(0, object)


def _array(
    header: Header, stored: str, shape: tuple[int, ...], index: int
) -> tuple[dict[str, Any], Physical | None]:
    """Describe an image; give what turns its stored values into those that the user sees."""
    scale = header.number("BSCALE")
    zero = header.number("BZERO")
    scale = 1 if scale is None else scale
    zero = 0 if zero is None else zero
    seen = _seen(stored, zero, scale, header.integer("BLANK"))
    dataset: dict[str, Any] = {
        "is": "array",
        "shape": list(shape),
        "unit": header.text("BUNIT"),
        "dtype": seen.name,
    }
    given = (("zero", zero, 0), ("scale", scale, 1), ("blank", seen.blank, None))
    dataset |= {key: value for key, value, default in given if value != default}
    if _any_celestial(header.keywords):
        dataset["wcs"] = {"hdu": index}
    if seen.as_stored:
        return dataset, _as_it_is
    return dataset, lambda raw: physical(raw, seen.dtype, zero, scale, seen.blank)


class _Seen(NamedTuple):
    """How the values of an image are seen: type, its name, BLANK if it counts, if as stored."""

    dtype: np.dtype[Any]
    name: str
    blank: int | None
    as_stored: bool


@lru_cache(maxsize=256, typed=True)
def _seen(stored: str, zero: float, scale: float, blank: int | None) -> _Seen:
    kind = np.dtype(stored)
    if kind.kind not in "iu":
        blank = None
    dtype = physical_dtype(stored, zero, scale, blank)
    if dtype.kind != "f" or not blank:
        # Unsigned integers have no NaN; and astropy takes a BLANK of 0 for none.
        blank = None
    plain = zero == 0 and scale == 1 and blank is None
    return _Seen(dtype, dtype.name, blank, plain and dtype == kind.newbyteorder("="))


@lru_cache(maxsize=1024)
def _any_celestial(keywords: tuple[str, ...]) -> bool:
    return any(map(_CELESTIAL.match, keywords))


def _as_it_is(raw: Values) -> Values:
    return raw


def _compressed(hdu: Hdu) -> dict[str, Any] | None:
    """Describe a tile-compressed image (section 10.1): what it is once uncompressed."""
    header = hdu.header
    bitpix = header.integer("ZBITPIX")
    naxis = header.integer("ZNAXIS")
    if bitpix not in _STORED or naxis is None or not 0 < naxis <= 999:
        return None
    axes = [header.integer(f"ZNAXIS{n}") for n in range(naxis, 0, -1)]
    shape = tuple(length for length in axes if length is not None and length >= 0)
    if len(shape) != naxis or not prod(shape):
        return None
    dataset, _ = _array(header, _STORED[bitpix], shape, hdu.index)
    for key in ("zero", "scale", "blank"):
        dataset.pop(key, None)
    dataset["data"] = {"reader": "fits-compressed", "item": hdu.index}
    return dataset


_TABLES: dict[str, Callable[[Hdu], TableShape]] = {
    "table": binary_table,
    "compressed": binary_table,
    "ascii": ascii_table,
    "groups": random_groups,
}
