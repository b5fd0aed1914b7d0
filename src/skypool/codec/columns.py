"""Columns of FITS tables: from bytes to values (FITS 4.0, sections 7.2 and 7.3).

Values are those that ``astropy.io.fits`` gives, in native byte order. Where the two differ:

- text that is not ASCII is text here too (UTF-8, else Latin-1), bytes in astropy;
- blanks and zero bytes at the end of text are not part of it;
- one byte with TZERO -128 is a signed byte (table 19 of the standard), a float in astropy;
- TSCAL and TZERO of a complex column keep the imaginary part;
- a variable-length array of characters is a text, and one of bits is an array of bits.

TNULL is not applied, as in astropy: `ColumnSpec.null_value` tells the value, `null_mask` the
places. Whole numbers of ASCII tables, where TNULL is a text, have a value there that no other
field can have.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np

from skypool.codec.columns_encode import encode_column
from skypool.codec.columns_scaling import scaled
from skypool.codec.columns_spec import STORED, ColumnSpec
from skypool.errors import Damaged

__all__ = [
    "ColumnSpec",
    "Heap",
    "Values",
    "counted_column",
    "decode_column",
    "encode_column",
    "null_mask",
]

Values: TypeAlias = np.ndarray[Any, Any]
# Gives bytes of the heap by offset and length.
Heap: TypeAlias = Callable[[int, int], bytes]

# Heap pieces of a block of rows are read in one go up to this many bytes, and where not
# much in between belongs to other rows or columns.
_HEAP_SPAN = 64 * 1024 * 1024


def decode_column(spec: ColumnSpec, raw: Values, heap: Heap | None = None) -> Values:
    """Turn the stored bytes of a column into values.

    Parameters
    ----------
    spec
        The column.
    raw
        Shape (rows, width), uint8.
    heap
        Gives bytes of the heap; needed for variable-length columns.

    Returns
    -------
    ndarray
        Shape (rows, *spec.shape), native byte order. Variable-length columns give an
        `object` array with an array (or text) in each cell.

    Raises
    ------
    Damaged
        If the bytes cannot be read as the format says.
    """
    rows = len(raw)
    if spec.ascii:
        values = _decode_ascii(spec, raw)
        return _without_null(spec, raw, values) if spec.has_null_text else values
    if spec.variable:
        return _decode_variable(spec, raw, heap)
    code, shape = spec.code, (rows, *spec.shape)
    if code == "A":
        count = prod(spec.shape)
        text = raw[:, : count * spec.characters].reshape(rows * count, spec.characters)
        return _text(text).astype(spec.dtype, copy=False).reshape(shape)
    if code == "L":
        return np.equal(raw[:, : prod(spec.shape)], ord("T")).reshape(shape)
    if code == "X":
        bits = np.unpackbits(raw, axis=1, count=spec.repeat) if spec.repeat else raw[:, :0]
        return bits.astype(bool).reshape(shape)
    stored = np.ascontiguousarray(raw).view(STORED[code]) if spec.width else None
    if stored is None:
        return np.empty(shape, spec.dtype)
    return scaled(stored[:, : prod(spec.shape)], spec.scale, spec.zero).reshape(shape)


def counted_column(spec: ColumnSpec, raw: Values) -> Values:
    """Return values as statistics count them (docs/format/documents.md, *Statistics*).

    Whole numbers of ASCII tables are 0 there where they are missing.
    """
    return _decode_ascii(spec, raw) if spec.ascii else decode_column(spec, raw)


def null_mask(spec: ColumnSpec, raw: Values) -> Values | None:
    """Say which cells hold no value: TNULL, and in ASCII tables blanks.

    Parameters
    ----------
    spec
        The column.
    raw
        Shape (rows, width), uint8.

    Returns
    -------
    ndarray or None
        Shape (rows, *spec.shape), bool; None where the column has no such value.
    """
    if spec.ascii:
        cells = _stripped(raw)
        mask: Values = cells == _null_text(spec)
        if spec.code != "A":
            mask |= cells == b""
        return mask
    if spec.null is None or spec.variable or spec.code not in "BIJK" or not spec.width:
        return None
    stored = np.ascontiguousarray(raw).view(STORED[spec.code])[:, : prod(spec.shape)]
    places: Values = np.equal(stored, spec.null).reshape(len(raw), *spec.shape)
    return places


def _text(raw: Values) -> Values:
    """Turn characters, shape (n, width), into text of shape (n,)."""
    rows, width = raw.shape
    if not width:
        return np.zeros(rows, "U1")
    cells = np.ascontiguousarray(raw).view(f"S{width}").reshape(rows)
    if rows and raw.max() > 127:
        return np.array([_decoded(cell) for cell in cells.tolist()], f"U{width}")
    # Widening the bytes is ten times faster than decoding each cell.
    wide = np.ascontiguousarray(raw).astype("=u4").view(f"=U{width}").reshape(rows)
    return np.strings.rstrip(wide, " \0")


def _decoded(cell: bytes) -> str:
    try:
        text = cell.decode("utf-8")
    except UnicodeDecodeError:
        text = cell.decode("latin-1")
    return text.rstrip(" \0")


def _stripped(raw: Values) -> Values:
    rows, width = raw.shape
    return np.strings.strip(np.ascontiguousarray(raw).view(f"S{width}").reshape(rows))


def _null_text(spec: ColumnSpec) -> bytes:
    text = "None" if spec.null is None else str(spec.null).strip()
    return text.encode("latin-1", "replace")[: spec.width]


def _decode_ascii(spec: ColumnSpec, raw: Values) -> Values:
    """Read numbers written as text; what is null or blank is NaN, 0 for whole numbers."""
    if spec.code == "A":
        return _text(raw)
    cells = np.strings.replace(np.strings.replace(_stripped(raw), b"D", b"E"), b"d", b"e")
    missing = null_mask(spec, raw)
    assert missing is not None
    whole = spec.code in "IJ"
    filled = np.where(missing, np.array(b"0" if whole else b"nan", f"S{max(3, spec.width)}"), cells)
    try:
        numbers: Values = filled.astype("i8" if whole else "f8")
    except (ValueError, OverflowError) as error:
        raise Damaged(f"column {spec.name!r} of an ASCII table: {error}") from None
    if (spec.scale, spec.zero) != (1, 0):
        return scaled(numbers, spec.scale, spec.zero)
    return numbers.astype(spec.dtype)


def _without_null(spec: ColumnSpec, raw: Values, values: Values) -> Values:
    """Return whole numbers with what stands for none in place of TNULL; a blank field is 0."""
    stand_in = np.nan if spec.null_value is None else spec.null_value
    found: Values = np.where(_stripped(raw) == _null_text(spec), stand_in, values)
    return found.astype(values.dtype, copy=False)


def _decode_variable(spec: ColumnSpec, raw: Values, heap: Heap | None) -> Values:
    """Read the arrays that the descriptors of a column point at (section 7.3.5)."""
    values = np.empty(len(raw), object)
    if not len(raw) or not spec.width:
        values[:] = [_cell(spec, b"", 0) for _ in values]
        return values
    pairs = np.ascontiguousarray(raw).view(STORED[spec.code]).astype("i8")
    counts, offsets = pairs[:, 0], pairs[:, 1]
    if counts.min() < 0 or (offsets[counts > 0] < 0).any():
        raise Damaged(f"column {spec.name!r}: a descriptor of variable length is negative")
    element = spec.variable
    size = np.dtype(STORED[element]).itemsize
    lengths = -(-counts // 8) if element == "X" else counts * size
    if heap is None:
        raise Damaged(f"column {spec.name!r} has variable length, the table has no heap")
    pieces = _heap_pieces(offsets, lengths, heap)
    for row, (piece, length, count) in enumerate(
        zip(pieces, lengths.tolist(), counts.tolist(), strict=True)
    ):
        if len(piece) != length:
            raise Damaged(f"column {spec.name!r}: an array ends behind the end of the heap")
        values[row] = _cell(spec, piece, count)
    return values


def _heap_pieces(offsets: Values, lengths: Values, heap: Heap) -> list[bytes]:
    """Read the bytes of all rows, in one go where they are close together."""
    filled = lengths > 0
    if not filled.any():
        return [b""] * len(lengths)
    low = int(offsets[filled].min())
    span = int((offsets + lengths)[filled].max()) - low
    total = int(lengths.sum())
    if span <= _HEAP_SPAN and span <= 8 * total + 65536:
        data = heap(low, span)
        return [
            data[start - low : start - low + length] if length else b""
            for start, length in zip(offsets.tolist(), lengths.tolist(), strict=True)
        ]
    return [
        heap(start, length) if length else b""
        for start, length in zip(offsets.tolist(), lengths.tolist(), strict=True)
    ]


def _cell(spec: ColumnSpec, data: bytes, count: int) -> Values | str:
    element = spec.variable
    if element == "A":
        return _decoded(data)
    raw: Values = np.frombuffer(data, np.uint8)
    if element == "L":
        # Up to version 7.2 astropy wrote 1 for true in arrays of variable length.
        return np.equal(raw, ord("T")) | np.equal(raw, 1)
    if element == "X":
        return np.unpackbits(raw, count=count).astype(bool) if count else raw.astype(bool)
    values: Values = scaled(raw.view(STORED[element]), spec.scale, spec.zero)
    dims = spec.dims
    if len(dims) > 1 and values.size:
        # The slowest axis of TDIM gives way to the length that the row has.
        shape = (1, -1) if dims[0] == 1 else (-1, *dims[1:])
        if dims[0] == 1 or values.size % prod(dims[1:]) == 0:
            return values.reshape(shape)
    return values
