"""Products made in memory as standard FITS files.

The primary HDU holds the metadata; every dataset is an extension, in order: images with
unit and world coordinates, binary tables, and for composites an empty image. What FITS
cannot hold exactly (names, types, nesting) stands in the table `SKYPOOL` at the end, by
which `convention` makes an equal product of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from skypool.codec.scaling import stored
from skypool.formats.fits.writer_cards import ascii_text, commentary, header_bytes
from skypool.formats.fits.writer_convention import Rows
from skypool.formats.fits.writer_keywords import HeaderWriter
from skypool.formats.fits.writer_tables import (
    EncodedTable,
    check_columns,
    column_cards,
    encode_table,
)
from skypool.formats.fits.writer_wcs import written_wcs
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset, Datasets
from skypool.model.metadata import MetaData
from skypool.model.tables import Table
from skypool.model.units import ascii_unit

if TYPE_CHECKING:
    from skypool.model.product import Product

__all__ = [
    "BITPIX",
    "ProductWriter",
    "array_pieces",
    "extension_cards",
    "mandatory_cards",
    "product_bytes",
    "write_product",
]

BLOCK = 2880
# Bytes of an array that are read at once.
_SLAB = 32 * 1024**2
BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64, "c8": -32, "c16": -64}
_LONGEST_NAME = 60


def product_bytes(product: Product) -> bytes:
    """Return a product as the bytes of a standard FITS file."""
    out = BytesIO()
    write_product(product, out)
    return out.getvalue()


def write_product(product: Product, out: BinaryIO | Callable[[bytes], Any]) -> int:
    """Write a product as a standard FITS file.

    Arrays are read and written in pieces; tables one at a time.

    Parameters
    ----------
    product
        The product.
    out
        A file open for writing bytes, or a function that takes them.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    UsageError
        If a table has more columns than FITS allows.
    """
    return ProductWriter(product, out if callable(out) else out.write).write()


class ProductWriter:
    """Puts the header and data units of a product one behind the other.

    Parameters
    ----------
    product
        The product.
    write
        Takes the bytes, in order.
    """

    def __init__(self, product: Product, write: Callable[[bytes], Any]) -> None:
        self._product = product
        self._write = write
        self._rows = Rows()
        self._hdu = 0
        self._written = 0
        self._names: dict[str, int] = {}

    def write(self) -> int:
        """Write the file and return its size."""
        product = self._product
        # All tables are checked before the first byte is written.
        self._check(product.datasets)
        self._primary()
        self._datasets(product.datasets, 0, ())
        if product.refs:
            self._references()
        self._table(self._rows.table(), self._header("SKYPOOL", 0, "BINTABLE"), {}, {})
        return self._written

    def _check(self, datasets: Datasets) -> None:
        for dataset in datasets.values():
            if isinstance(dataset, Composite):
                self._check(dataset)
            elif isinstance(dataset, Table):
                check_columns(dataset)

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._written += len(data)

    def _fill(self, size: int) -> None:
        self._put(b"\0" * (-size % BLOCK))
        self._hdu += 1

    def _primary(self) -> None:
        product = self._product
        header = HeaderWriter()
        last = 1 + _count(product.datasets) + bool(product.refs)
        header.add("SKYPOOL", last, "HDU of the exact names, types and values")
        header.add("TIMESYS", "UTC", "all times are UTC")
        header.add("SKYKIND", product.kind, "kind of product")
        self._rows.add(0, 0, "product", product.kind, {"version": 1})
        self._parameters(header, 0, product.meta)
        for text in product.own_history:
            header.cards += commentary("HISTORY", text)
            self._rows.add(0, 0, "history", "", text)
        self._rows.own(0, 0, header.own)
        first = mandatory_cards("SIMPLE  =                    T", 8, ())
        extend = "EXTEND  =                    T".ljust(80)
        self._put(header_bytes(header.finished([*first, extend])))
        self._hdu += 1

    def _parameters(self, header: HeaderWriter, item: int, meta: MetaData) -> None:
        for name, found in meta.items():
            what = "parameter" if header.parameter(name, found) else "shared"
            self._rows.add(item, self._hdu, what, name, found.value, found.unit, found.description)

    def _datasets(self, datasets: Datasets, parent: int, path: tuple[str, ...]) -> None:
        for name, dataset in datasets.items():
            item = self._rows.next_item()
            if isinstance(dataset, Composite):
                self._composite(item, parent, (*path, name), dataset)
                self._datasets(dataset, item, (*path, name))
            elif isinstance(dataset, Array):
                self._array(item, parent, (*path, name), dataset)
            else:
                self._table_dataset(item, parent, (*path, name), dataset)

    def _header(self, name: str, depth: int, extension: str) -> HeaderWriter:
        """Start a header with the name of an extension, which is never given twice."""
        header = HeaderWriter()
        clean = ascii_text(name).strip()[:_LONGEST_NAME].strip() or extension
        header.add("EXTNAME", clean)
        number = self._names[clean.upper()] = self._names.get(clean.upper(), 0) + 1
        if number > 1:
            header.add("EXTVER", number)
        if depth > 1:
            header.add("EXTLEVEL", depth)
        return header

    def _dataset_header(
        self, item: int, parent: int, path: tuple[str, ...], dataset: Dataset, what: str
    ) -> HeaderWriter:
        extension = "BINTABLE" if what == "table" else "IMAGE"
        header = self._header("/".join(path), len(path), extension)
        facts: dict[str, Any] = {"parent": parent}
        if isinstance(dataset, Array):
            facts |= {"dtype": dataset.dtype.name, "shape": list(dataset.shape)}
            header_text = dataset.wcs_header
            if _wcs(dataset) != header_text:
                facts["wcs"] = header_text
        unit = dataset.unit_text if isinstance(dataset, Array) else ""
        self._rows.add(item, self._hdu, what, path[-1], facts, unit, dataset.description)
        if dataset.description:
            header.add("DESC", dataset.description)
        return header

    def _composite(self, item: int, parent: int, path: tuple[str, ...], dataset: Composite) -> None:
        header = self._dataset_header(item, parent, path, dataset, "composite")
        self._finish(header, item, dataset.meta, extension_cards("IMAGE", 8, ()))
        self._hdu += 1

    def _finish(self, header: HeaderWriter, item: int, meta: MetaData, first: list[str]) -> None:
        self._parameters(header, item, meta)
        self._rows.own(item, self._hdu, header.own)
        self._put(header_bytes(header.finished(first)))

    def _array(self, item: int, parent: int, path: tuple[str, ...], dataset: Array) -> None:
        header = self._dataset_header(item, parent, path, dataset, "array")
        sample, zero = stored(np.zeros(0, dataset.dtype))
        shape = dataset.shape or (1,)
        is_complex = dataset.dtype.kind == "c"
        if is_complex:
            shape = (*shape, 2)
        if zero:
            header.add("BSCALE", 1)
            header.add("BZERO", zero, "offset for the type of integers")
        if dataset.unit_text:
            header.add("BUNIT", ascii_unit(dataset.unit_text))
        cards = _wcs(dataset)
        for start in range(0, len(cards), 80):
            header.add_raw(cards[start : start + 80])
        bitpix = BITPIX[f"{sample.dtype.kind}{sample.dtype.itemsize}"]
        self._finish(header, item, dataset.meta, extension_cards("IMAGE", bitpix, shape))
        self._fill(self._put_array(dataset))

    def _put_array(self, dataset: Array) -> int:
        size = 0
        for piece in array_pieces(dataset):
            self._put(piece)
            size += len(piece)
        return size

    def _table_dataset(self, item: int, parent: int, path: tuple[str, ...], dataset: Table) -> None:
        header = self._dataset_header(item, parent, path, dataset, "table")
        encoded = self._encoded(dataset)
        units = {}
        for spec, name in zip(encoded.specs, encoded.names, strict=True):
            facts: dict[str, Any] = {}
            if name in encoded.escaped:
                facts["escaped"] = True
            if name in encoded.nulls:
                facts["null"] = encoded.nulls[name]
            self._rows.add(item, self._hdu, "column", name, facts, spec.unit, spec.description)
            units[spec.name] = ascii_unit(spec.unit)
        self._table(encoded, header, units, {"item": item, "meta": dataset.meta})

    def _encoded(self, table: Table) -> EncodedTable:
        return encode_table(table)

    def _put_rows(self, encoded: EncodedTable) -> None:
        self._put(np.ascontiguousarray(encoded.rows).tobytes())

    def _table(
        self,
        encoded: EncodedTable,
        header: HeaderWriter,
        units: dict[str, str],
        parameters: dict[str, Any],
    ) -> None:
        rows, width = encoded.rows.shape
        column_cards(header, encoded.specs, units)
        first = extension_cards("BINTABLE", 8, (rows, width), len(encoded.heap), len(encoded.specs))
        if parameters:
            self._finish(header, parameters["item"], parameters["meta"], first)
        else:
            self._put(header_bytes(header.finished(first)))
        self._put_rows(encoded)
        self._put(encoded.heap)
        self._fill(encoded.rows.size + len(encoded.heap))

    def _references(self) -> None:
        roles, urns = [], []
        for role, ref in self._product.refs.items():
            # A product that is not saved yet has no URN.
            urn = str(getattr(ref, "urn", ""))
            self._rows.add(0, self._hdu, "reference", role, urn)
            roles.append(ascii_text(role))
            urns.append(ascii_text(urn))
        encoded = encode_table(Table({"role": np.array(roles), "urn": np.array(urns)}))
        self._table(encoded, self._header("REFERENCES", 0, "BINTABLE"), {}, {})


def _wcs(dataset: Array) -> str:
    return written_wcs(dataset.wcs_header, dataset.ndim, dataset.dtype.kind == "c")


def _count(datasets: Datasets) -> int:
    return sum(
        1 + (_count(dataset) if isinstance(dataset, Composite) else 0)
        for dataset in datasets.values()
    )


def mandatory_cards(first: str, bitpix: int, shape: tuple[int, ...]) -> list[str]:
    """Return the first cards of a header: SIMPLE or XTENSION, BITPIX and the axes."""
    cards = [first, f"BITPIX  = {bitpix:>20}", f"NAXIS   = {len(shape):>20}"]
    cards += [f"{f'NAXIS{axis}':<8}= {n:>20}" for axis, n in enumerate(reversed(shape), 1)]
    return [card.ljust(80) for card in cards]


def extension_cards(
    name: str, bitpix: int, shape: tuple[int, ...], heap: int = 0, columns: int | None = None
) -> list[str]:
    """Return the mandatory cards of an extension (sections 7.1.1 and 7.3.1)."""
    cards = mandatory_cards(f"XTENSION= '{name:<8}'", bitpix, shape)
    cards += [f"PCOUNT  = {heap:>20}".ljust(80), f"GCOUNT  = {1:>20}".ljust(80)]
    if columns is not None:
        cards.append(f"TFIELDS = {columns:>20}".ljust(80))
    return cards


def array_pieces(dataset: Array) -> Iterator[bytes]:
    """Yield the stored bytes of an array in C order."""
    for index in _slabs(dataset.shape, dataset.tile, dataset.dtype.itemsize):
        yield stored(np.asarray(dataset.source.read(index)))[0].tobytes()


def _slabs(
    shape: tuple[int, ...], tile: tuple[int, ...], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Yield parts that follow each other in C order, of whole tiles where memory allows."""
    if not shape:
        yield ()
        return
    if 0 in shape:
        return
    inner = int(np.prod(shape[1:], dtype=np.int64)) * itemsize
    rest = tuple(slice(0, length, 1) for length in shape[1:])
    if inner <= _SLAB:
        rows = max(1, _SLAB // inner // tile[0]) * tile[0]
        rows = rows if rows * inner <= _SLAB else max(1, _SLAB // inner)
        for start in range(0, shape[0], rows):
            yield (slice(start, min(start + rows, shape[0]), 1), *rest)
        return
    for place in range(shape[0]):
        for index in _slabs(shape[1:], tile[1:], itemsize):
            yield (slice(place, place + 1, 1), *index)
