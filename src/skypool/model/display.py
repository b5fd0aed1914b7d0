"""How products and their parts are shown in notebooks; no values of datasets are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.model.composite import Composite, Datasets
from skypool.model.html import Page, shares, size_text
from skypool.model.metadata import MetaData, Parameter

if TYPE_CHECKING:
    from skypool.model.arrays import Array
    from skypool.model.product import Product
    from skypool.model.references import Refs
    from skypool.model.tables import Table

__all__ = [
    "array_html",
    "completions",
    "dataset_keys",
    "dataset_rows",
    "datasets_html",
    "meta_html",
    "parameter_rows",
    "parameter_text",
    "product_html",
    "ref_rows",
    "refs_html",
    "table_html",
]

Row = tuple[str, str, str]

_COMPLETED = 1000


def completions(names: Iterable[str]) -> list[str]:
    """Return names for the tab key: not more than anybody looks through."""
    return list(itertools.islice(names, _COMPLETED))


def dataset_keys(datasets: Mapping[str, Any]) -> list[str]:
    """Return the names of datasets for the tab key, with the ways into composites."""
    return completions(name for name, _, _ in dataset_rows(datasets))


def parameter_text(parameter: Parameter | None) -> str:
    """Return value, unit and description of a parameter."""
    if parameter is None:
        return "-"
    value = parameter.value
    shown = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(parameter)
    return f"{shown} — {parameter.description}" if parameter.description else shown


def parameter_rows(meta: MetaData) -> Iterator[Row]:
    """Yield names and values of metadata."""
    return ((name, parameter_text(meta[name]), "") for name in meta)


def _shape(shape: Iterable[int]) -> str:
    return " × ".join(f"{n}" for n in shape)


def dataset_text(dataset: Any) -> str:
    """Return what a dataset is, in a few words."""
    if isinstance(dataset, Composite):
        return f"composite: {', '.join(itertools.islice(dataset, 8))}"
    if hasattr(dataset, "colnames"):
        names = dataset.colnames
        more = f", ... ({len(names)})" if len(names) > 8 else ""
        return f"table, {len(dataset):,} rows: {', '.join(names[:8])}{more}"
    parts = [_shape(dataset.shape) or "one value", dataset.dtype.name, dataset.unit_text]
    if dataset.may_have_wcs and dataset.ndim > 1:
        parts.append("with WCS")
    return " ".join(part for part in parts if part)


def dataset_rows(datasets: Mapping[str, Any], before: str = "") -> Iterator[Row]:
    """Yield names and descriptions of datasets, those in composites below them."""
    for name, dataset in datasets.items():
        yield f"{before}{name}", dataset_text(dataset), ""
        if isinstance(dataset, Composite):
            yield from dataset_rows(dataset, f"{before}{name}/")


def _count(datasets: Mapping[str, Any]) -> int:
    # Far beyond what is shown nobody needs the number.
    return sum(1 for _ in itertools.islice(dataset_rows(datasets), 100_000))


def ref_rows(refs: Mapping[str, Any]) -> Iterator[Row]:
    """Yield roles of references, and what they point at."""
    return ((role, _ref_text(ref), "") for role, ref in refs.items())


def _ref_text(ref: Any) -> str:
    name, kind = getattr(ref, "name", None), getattr(ref, "kind", None)
    if name is not None and kind is not None:
        return f"{name}@{ref.version}, {kind}"
    return f"{kind}, not saved yet" if kind is not None else f"{ref.urn}, not in this pool"


def product_html(product: Product) -> str:
    """Return a product as HTML: datasets, references, metadata."""
    page = Page(product.kind, product.type, product.description)
    datasets = _count(product.datasets)
    wanted = [datasets, len(product.refs), len(product.meta)]
    # Each section has four elements beside its entries.
    room = page.room - 2 * sum(map(bool, wanted))
    most = shares(wanted, room)
    rows = dataset_rows(product.datasets)
    page.entries("Datasets", rows, datasets, "product.datasets", most[0])
    page.entries("References", ref_rows(product.refs), wanted[1], "product.refs", most[1])
    page.entries("Metadata", parameter_rows(product.meta), wanted[2], "product.meta", most[2])
    return page.html()


def meta_html(meta: MetaData) -> str:
    """Return metadata as HTML."""
    page = Page("MetaData", f"{len(meta):,} parameters")
    hint = 'meta["name"], or print(meta) for all'
    page.entries("Parameters", parameter_rows(meta), len(meta), hint)
    return page.html()


def refs_html(refs: Refs) -> str:
    """Return references as HTML."""
    page = Page("Refs", f"{len(refs):,} references")
    page.entries("References", ref_rows(refs), len(refs), "list(refs) for all roles")
    return page.html()


def datasets_html(datasets: Datasets) -> str:
    """Return datasets, or a composite, as HTML."""
    meta = datasets.meta if isinstance(datasets, Composite) else MetaData()
    page = Page(type(datasets).__name__, getattr(datasets, "description", ""))
    number = _count(datasets)
    most = shares([number, len(meta)], page.room - 4)
    page.entries("Datasets", dataset_rows(datasets), number, "list(...) for all names", most[0])
    page.entries("Metadata", parameter_rows(meta), len(meta), ".meta", most[1])
    return page.html()


def array_html(array: Array) -> str:
    """Return an array as HTML; no value of it."""
    shape = _shape(array.shape) or "one value"
    size = size_text(array.nbytes)
    page = Page("Array", shape, array.dtype.name, array.unit_text, size, array.description)
    page.note("array[...] and numpy.asarray(array) read its values")
    page.entries("Metadata", parameter_rows(array.meta), len(array.meta), "array.meta")
    return page.html()


def table_html(table: Table) -> str:
    """Return a table as HTML: its columns, no row."""
    names = table.colnames
    page = Page("Table", f"{len(table):,} rows", f"{len(names):,} columns", table.description)

    def rows() -> Iterator[Row]:
        for name in names:
            column = table[name]
            shape = f" × {_shape(column.shape[1:])}" if column.ndim > 1 else ""
            parts = [f"{column.dtype}{shape}", column.unit_text]
            text = " ".join(part for part in parts if part)
            yield name, f"{text} — {column.description}" if column.description else text, ""

    most = shares([len(names), len(table.meta)], page.room - 4)
    page.entries("Columns", rows(), len(names), "table.colnames", most[0])
    page.entries("Metadata", parameter_rows(table.meta), len(table.meta), "table.meta", most[1])
    return page.html()
