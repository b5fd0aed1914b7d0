"""The searchable values of a product document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from skypool.catalogue.attributes import attributes_of, read_attributes, visible
from skypool.catalogue.coverages import may_be_on_sky
from skypool.catalogue.extremes import extreme_values
from skypool.catalogue.interface import IndexedDocument, Listed, Term
from skypool.catalogue.schema import TEXT_LIMIT
from skypool.codec.documents import format_time

if TYPE_CHECKING:
    from skypool.catalogue.database import Database

__all__ = ["NOT_COMPARABLE", "indexed", "searchable", "terms_of", "terms_of_attributes"]

# What stands for a value that SQL cannot compare: NaN.
NOT_COMPARABLE = b""


def indexed(
    digest: bytes,
    document: Mapping[str, Any],
    size: int,
    coverage: bytes | None = None,
    columns: Listed | None = None,
) -> IndexedDocument:
    """Return what the catalogue keeps of a product document.

    Parameters
    ----------
    digest
        Of the document.
    document
        As in docs/format/documents.md.
    size
        Bytes of the product.
    coverage
        On the sky, where it is known already.
    columns
        The metadata of the product as they are kept, instead of the list in the document.
    """
    file = document.get("file")
    found = next((p[1] for p in document["meta"] if p[0] == "type"), "")
    metas = list(_metas(document))
    if columns is not None:
        metas[0] = 0, columns
    return IndexedDocument(
        digest=digest,
        kind=document["kind"],
        type=str(found),
        size=size,
        file_hash=bytes.fromhex(file["hash"]) if file and "hash" in file else None,
        metas=metas,
        on_sky=coverage is None and may_be_on_sky(document),
        coverage=coverage or b"",
        attributes=attributes_of(document),
    )


def terms_of(document: Mapping[str, Any]) -> Iterator[Term]:
    """Return the values of all keys of a product and of its datasets."""
    for place, listed in _metas(document):
        for parameter in listed:
            unit = parameter[2] if len(parameter) > 2 else ""
            yield Term(parameter[0], searchable(parameter[1]), unit, place)


def terms_of_attributes(
    database: Database, digest: bytes, document: Mapping[str, Any]
) -> Iterator[Term]:
    """Return the core attributes that a bare name finds, as the wide table has them."""
    found = read_attributes(database, digest)
    values = {name: parameter.value for name, parameter in found.items()}
    for key, value, unit in visible(document["meta"], values):
        yield Term(key, searchable(value), unit, 0)


def _metas(document: Mapping[str, Any]) -> Iterator[tuple[int, Listed]]:
    """Return the metadata of a product and of its datasets, and the extremes of these."""
    yield 0, document["meta"]
    if document["datasets"]:
        yield 0, extreme_values(document)
    for place, dataset in enumerate(_all_datasets(document["datasets"]), 1):
        meta = dataset.get("meta")
        if isinstance(meta, list):
            yield place, meta


def _all_datasets(datasets: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for _, dataset in datasets:
        yield dataset
        if dataset["is"] == "composite":
            yield from _all_datasets(dataset["datasets"])


def searchable(value: Any) -> Any:
    """Return a value as SQL compares it: times as text, long text cut, NaN as a blob."""
    if isinstance(value, float):
        return NOT_COMPARABLE if math.isnan(value) else value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value[:TEXT_LIMIT]
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value
