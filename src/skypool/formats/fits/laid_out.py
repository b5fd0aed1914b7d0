"""Any bytes of the FITS file of a product, without making the file.

Headers and small tables are made at once; where pixels and the rows of large tables begin is
computed, and they are read when somebody asks for their bytes. The bytes are those that
`writer.write_product` writes: it is the same writer that puts the parts together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from skypool.codec.columns import encode_column
from skypool.codec.reading import boxes, read_range
from skypool.codec.scaling import stored
from skypool.codec.stored import StoredArray
from skypool.codec.stored_tables import StoredTable
from skypool.formats.fits.writer import ProductWriter
from skypool.formats.fits.writer_tables import EncodedTable, encode_table
from skypool.model.arrays import Array
from skypool.model.sources import Ndarray
from skypool.model.tables import Table

if TYPE_CHECKING:
    from skypool.codec.segments import ArraySegment
    from skypool.model.product import Product

__all__ = ["LaidOut", "TooLarge", "lay_out"]

# Tables up to this size are made at once, whatever their columns.
_SMALL = 256 * 1024
# Larger ones whose columns tell only by all their values how wide they are.
_LARGEST = 16 * 1024**2


class TooLarge(ValueError):
    """The layout of a file depends on more data than are held in memory for it."""


class _Part(Protocol):
    @property
    def size(self) -> int: ...

    def pread(self, offset: int, length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Literal:
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def pread(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


class _Pixels:
    """The values of an array, in FITS byte order."""

    def __init__(self, array: Array) -> None:
        self._array = array
        sample = stored(np.empty(0, array.dtype))[0]
        self._itemsize = sample.dtype.itemsize
        self.size: int = self._itemsize * int(np.prod(array.shape, dtype=np.int64))
        self._segment: ArraySegment | None = None
        if isinstance(array.source, StoredArray):
            self._segment = array.source.big_endian()

    def pread(self, offset: int, length: int) -> bytes:
        array, source = self._array, self._array.source
        stop = min(self.size, offset + length)
        if self._segment is not None and isinstance(source, StoredArray):
            return source.read_bytes(self._segment, offset, stop - offset)
        if not array.shape:
            return stored(np.asarray(source.read(())))[0].tobytes()[offset:stop]
        pieces = []
        for box, first in boxes(array.shape, self._itemsize, offset, stop):
            data = stored(np.asarray(source.read(box)))[0].tobytes()
            pieces.append(data[max(0, offset - first) : stop - first])
        return b"".join(pieces)


@dataclass(slots=True)
class _Later(EncodedTable):
    """A table whose rows are encoded when they are asked for."""

    source: StoredTable


class _Rows:
    """The rows of a table whose columns all have a fixed width."""

    def __init__(self, encoded: _Later) -> None:
        self._encoded = encoded
        self._width = encoded.rows.shape[1]
        self.size: int = encoded.rows.size
        self._same = encoded.source.same_rows(encoded.specs)

    def pread(self, offset: int, length: int) -> bytes:
        stop = min(self.size, offset + length)
        source, names = self._encoded.source, self._encoded.names
        if self._same:
            return source.read_bytes(offset, stop - offset)
        first, last = offset // self._width, -(-stop // self._width)
        cells = [encode_column(name, source.read(name, first, last))[1] for name in names]
        start = first * self._width
        return np.concatenate(cells, axis=1).tobytes()[offset - start : stop - start]


class _Layout(ProductWriter):
    """A writer that keeps parts instead of bytes."""

    def __init__(self, product: Product) -> None:
        super().__init__(product, lambda data: None)
        self.parts: list[_Part] = []
        self._literal = bytearray()

    def _put(self, data: bytes) -> None:
        self._literal += data
        self._written += len(data)

    def _later(self, part: _Part) -> None:
        self.end()
        self.parts.append(part)
        self._written += part.size

    def end(self) -> None:
        """Make a part of the bytes so far."""
        if self._literal:
            self.parts.append(_Literal(bytes(self._literal)))
            self._literal.clear()

    def _put_array(self, dataset: Array) -> int:
        part = _Pixels(dataset)
        self._later(part)
        return part.size

    def _encoded(self, table: Table) -> EncodedTable:
        source = table.source
        if not isinstance(source, StoredTable) or source.size <= _SMALL:
            return encode_table(table)
        if all(_has_fixed_width(source, name) for name in table.colnames):
            made = encode_table(table[:0])
            # As many rows as there will be, of bytes that take no memory.
            rows: Ndarray = np.broadcast_to(np.uint8(0), (len(table), made.rows.shape[1]))
            return _Later(made.specs, made.names, made.escaped, made.nulls, rows, b"", source)
        if source.size > _LARGEST:
            raise TooLarge(f"a table of {source.size} bytes with texts or lists")
        return encode_table(table)

    def _put_rows(self, encoded: EncodedTable) -> None:
        if isinstance(encoded, _Later):
            self._later(_Rows(encoded))
        else:
            super()._put_rows(encoded)


def _has_fixed_width(source: StoredTable, name: str) -> bool:
    info = source.info(name)
    return info.element is None and info.dtype.kind in "biufc"


class LaidOut:
    """The bytes of the FITS file of a product.

    Parameters
    ----------
    parts
        What the file is made of, in order.

    Attributes
    ----------
    size : int
        Bytes of the file.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        self._starts = list(itertools.accumulate((part.size for part in parts), initial=0))
        self.size = self._starts[-1]

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        return read_range(self._starts, self._part, offset, length)

    def _part(self, number: int, offset: int, length: int) -> bytes:
        return self._parts[number].pread(offset, length)


def lay_out(product: Product) -> LaidOut:
    """Return random access to what `write_product` would write of a product.

    Raises
    ------
    TooLarge
        If a table is so large, and of such columns, that the file is better made as a whole.
    UsageError
        If a table has more columns than FITS allows.
    """
    layout = _Layout(product)
    layout.write()
    layout.end()
    return LaidOut(layout.parts)
