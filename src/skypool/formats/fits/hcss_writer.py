"""Products as FITS files in the convention of HCSS, the Herschel software.

Any product can be written. What the convention cannot say (a name of 90 characters, NaN, text
outside of ASCII) is written as near as it can be, and noted in comments (`hcss_exact`), so that
reading the file gives an equal product. References become the dataset `context` with the table
`bridges`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from skypool.codec.scaling import stored
from skypool.errors import UsageError
from skypool.formats.fits.hcss import has_image_wcs, history_lines
from skypool.formats.fits.hcss_cards import banner
from skypool.formats.fits.hcss_exact import check_of
from skypool.formats.fits.hcss_header import HcssHeader
from skypool.formats.fits.hcss_names import DATASET_CLASSES, HISTORY_CLASS, class_of_kind
from skypool.formats.fits.hcss_tables import column_cards, encoded_table
from skypool.formats.fits.writer import BITPIX, array_pieces, extension_cards, mandatory_cards
from skypool.formats.fits.writer_cards import commentary
from skypool.formats.fits.writer_tables import check_columns
from skypool.formats.fits.writer_wcs import written_wcs
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset
from skypool.model.kinds import is_kind, kind_of_class
from skypool.model.tables import Table

if TYPE_CHECKING:
    from skypool.model.product import Product

__all__ = ["hcss_bytes", "write_hcss"]

BLOCK = 2880
_NUMERIC = {
    "b1": "Bool",
    "i1": "Byte",
    "u1": "Byte",
    "i2": "Short",
    "u2": "Int",
    "i4": "Int",
    "u4": "Long",
    "i8": "Long",
    "u8": "Long",
    "f4": "Float",
    "f8": "Double",
    "c8": "Complex",
    "c16": "Complex",
}
_HISTORY = ("HistoryTasks", "HistoryParameters", "HistoryScript")


def hcss_bytes(product: Product) -> bytes:
    """Return a product as the bytes of a FITS file in the convention of HCSS.

    Parameters
    ----------
    product
        What is written.
    """
    out = BytesIO()
    write_hcss(product, out)
    return out.getvalue()


def write_hcss(product: Product, out: BinaryIO | Callable[[bytes], Any]) -> int:
    """Write a product as a FITS file in the convention of HCSS.

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
        If FITS cannot hold one of the datasets: the message says which and why. Nothing is
        written then, unless only the values of a table show it.
    """
    return _Writer(product, out if callable(out) else out.write).write()


class _Writer:
    def __init__(self, product: Product, write: Callable[[bytes], Any]) -> None:
        self._product = product
        self._write = write
        self._written = 0
        self._classes = _known_classes(product)
        self._has_wcs = False

    def write(self) -> int:
        tops = _with_bridges(self._product)
        _check(tops, "")
        queue, children = _breadth_first(tops)
        self._primary(children[0])
        image = tops.get("image")
        for number, (name, path, dataset) in enumerate(queue, 1):
            if isinstance(dataset, Array):
                top = number <= len(tops)
                self._array(name, path, dataset, top and self._lends_wcs(image, dataset))
            elif isinstance(dataset, Table):
                self._table(name, path, dataset)
            else:
                self._composite(name, path, dataset, children[number])
        return self._written

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._written += len(data)

    def _fill(self, size: int) -> None:
        self._put(b"\0" * (-size % BLOCK))

    def _primary(self, children: list[int]) -> None:
        product = self._product
        simple = "SIMPLE  =                    T / HCSS FITS, written by skypool"
        header = HcssHeader(
            [
                *mandatory_cards(simple, 32, ()),
                "EXTEND  =                    T / May contain datasets".ljust(80),
            ]
        )
        header.add("TIMESYS", "UTC", "All dates are in UTC time")
        header.long_strings()
        header.cards.append(banner("Herschel FITS Data Generator"))
        header.add("HCSS____", 5, "HCSS Fits Product Version")
        class_name = self._classes.get("", class_of_kind(product.kind))
        description = (
            str(product.meta["description"].value) if "description" in product.meta else ""
        )
        header.structure(class_name, description)
        header.notes.clear()  # the description of a product is a parameter
        header.note("kind", kind_of_class(header.parsed().text("CLASS___")), product.kind)
        header.parameters(product.meta, None)
        header.children(children)
        for text in product.own_history:
            header.cards += commentary("HISTORY", text)
        header.note("history", history_lines(header.parsed()), list(product.own_history))
        header.note_meta(product.meta, product=True)
        self._has_wcs = has_image_wcs(header.parsed())
        self._put(header.finished())

    def _start(self, first: list[str], name: str, path: str, dataset: Dataset) -> HcssHeader:
        header = HcssHeader(first)
        header.long_strings()
        class_name = self._classes.get(path) or _dataset_class(name, dataset)
        header.structure(class_name, dataset.description, name)
        return header

    def _composite(self, name: str, path: str, dataset: Composite, children: list[int]) -> None:
        header = self._start(extension_cards("IMAGE", 32, ()), name, path, dataset)
        header.parameters(dataset.meta, None)
        header.children(children)
        header.note_meta(dataset.meta, product=False)
        self._put(header.finished())

    def _array(self, name: str, path: str, dataset: Array, lent: bool) -> None:
        sample, zero = stored(np.zeros(0, dataset.dtype))
        shape = dataset.shape or (1,)
        if dataset.dtype.kind == "c":
            shape = (*shape, 2)
        bitpix = BITPIX[f"{sample.dtype.kind}{sample.dtype.itemsize}"]
        header = self._start(extension_cards("IMAGE", bitpix, shape), name, path, dataset)
        code = f"{dataset.dtype.kind}{dataset.dtype.itemsize}"
        numeric = f"herschel.ia.numeric.{_NUMERIC[code]}{max(1, dataset.ndim)}d"
        header.add("DATA____", numeric, "java Data")
        if zero:
            header.add("BSCALE", 1)
            header.add("BZERO", zero, "offset for the type of integers")
        header.unit(dataset.unit_text)
        if not dataset.shape:
            header.notes["shape"] = []
        wcs = dataset.wcs_header
        is_complex = dataset.dtype.kind == "c"
        # Real and imaginary part are an axis of the image, which the others follow.
        header.parameters(dataset.meta, written_wcs(wcs, dataset.ndim, True) if is_complex else wcs)
        header.note_meta(dataset.meta, product=False)
        header.note_wcs(wcs)
        if not wcs and lent:
            header.notes["wcs"] = [check_of(""), ""]
        self._put(header.finished())
        size = 0
        for piece in array_pieces(dataset):
            self._put(piece)
            size += len(piece)
        self._fill(size)

    def _lends_wcs(self, image: Dataset | None, dataset: Array) -> bool:
        """Say whether a reader would give an array the world coordinates of the image."""
        kind = self._product.kind
        if not (is_kind(kind, "SimpleImage") or is_kind(kind, "SimpleCube")):
            return False
        if not isinstance(image, Array) or image.shape != dataset.shape:
            return False
        return bool(image.wcs_header) or (image is dataset and self._has_wcs)

    def _table(self, name: str, path: str, dataset: Table) -> None:
        try:
            encoded = encoded_table(dataset)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", hint=error.hint) from None
        rows, width = encoded.rows.shape
        first = extension_cards("BINTABLE", 8, (rows, width), len(encoded.heap), len(encoded.specs))
        header = self._start(first, name, path, dataset)
        header.parameters(dataset.meta, None)
        header.cards.append(banner("Herschel Column Information"))
        columns = column_cards(header, encoded)
        header.note_meta(dataset.meta, product=False)
        if columns:
            header.notes["columns"] = columns
        self._put(header.finished())
        self._put(np.ascontiguousarray(encoded.rows).tobytes())
        self._put(encoded.heap)
        self._fill(encoded.rows.size + len(encoded.heap))


def _breadth_first(
    tops: Mapping[str, Dataset],
) -> tuple[list[tuple[str, str, Dataset]], list[list[int]]]:
    """Return all units (name, path, dataset) in HCSS's order, and the children of each.

    All children of a composite come before all grandchildren; unit 0 is the product.
    """
    queue: list[tuple[str, str, Dataset]] = [(name, name, item) for name, item in tops.items()]
    children = [list(range(1, len(queue) + 1))]
    place = 0
    while place < len(queue):
        _, path, dataset = queue[place]
        place += 1
        first = len(queue) + 1
        if isinstance(dataset, Composite):
            queue += [(name, f"{path}/{name}", item) for name, item in dataset.items()]
        children.append(list(range(first, len(queue) + 1)))
    return queue, children


def _check(datasets: Mapping[str, Dataset], path: str) -> None:
    """Refuse what cannot be written, before anything is."""
    for name, dataset in datasets.items():
        place = f"{path}{name}"
        if isinstance(dataset, Composite):
            _check(dataset, f"{place}/")
        elif isinstance(dataset, Table):
            try:
                check_columns(dataset)
            except UsageError as error:
                raise UsageError(f"{place}: {error.message}", hint=error.hint) from None
        elif f"{dataset.dtype.kind}{dataset.dtype.itemsize}" not in _NUMERIC:
            raise UsageError(
                f"{place}: an array of the type {dataset.dtype} cannot be written as FITS image",
                hint="give text as a column of a table, numbers as float64",
            )


def _with_bridges(product: Product) -> dict[str, Dataset]:
    """Return the datasets, with the references as HCSS writes them."""
    datasets = dict(product.datasets.items())
    if not product.refs:
        return datasets
    urns = np.array([_urn(ref) for ref in product.refs.values()], str)
    columns: dict[str, Any] = {"name": np.array(list(product.refs), str), "urn": urns}
    if is_kind(product.kind, "ListContext"):
        del columns["name"]
    datasets["context"] = Composite({"bridges": Table(columns)}, description="references")
    return datasets


def _urn(ref: Any) -> str:
    """Return the URN of a reference, relative to its pool as HCSS has it."""
    text = getattr(ref, "text", None)  # one that could not be resolved
    if isinstance(text, str):
        return text
    urn = str(getattr(ref, "urn", "") or "")
    found = re.fullmatch(r"urn:[^:]*:([^:]+):(\d+)", urn)
    return f"urn::{class_of_kind(found[1])}:{found[2]}" if found else urn


def _dataset_class(name: str, dataset: Dataset) -> str:
    if isinstance(dataset, Composite) and name == "History" and set(dataset) & set(_HISTORY):
        return HISTORY_CLASS
    return DATASET_CLASSES[_sort(dataset)]


def _known_classes(product: Product) -> dict[str, str]:
    """Return the classes that the file of a product names, by the path of the dataset."""
    document = getattr(product.origin, "document", None) or {}
    hdus = document.get("file", {}).get("hdus") or [{}]
    found: dict[str, str] = {}
    name = hdus[0].get("class", "")
    if name and kind_of_class(name) == product.kind:
        found[""] = name
    _collect(product.datasets, dict(document.get("datasets", ())), "", found)
    return found


def _collect(
    datasets: Mapping[str, Dataset], listed: Mapping[str, Any], path: str, found: dict[str, str]
) -> None:
    for name, dataset in datasets.items():
        known = listed.get(name, {})
        if known.get("is") != _sort(dataset):
            continue
        if "class" in known:
            found[f"{path}{name}"] = known["class"]
        if isinstance(dataset, Composite):
            _collect(dataset, dict(known["datasets"]), f"{path}{name}/", found)


def _sort(dataset: Dataset) -> str:
    if isinstance(dataset, Composite):
        return "composite"
    return "table" if isinstance(dataset, Table) else "array"
