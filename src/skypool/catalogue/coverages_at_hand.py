"""Coverage of documents that are not in any pack yet, from what is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from skypool.catalogue.coverages import NUMBERS, coverage_of_datasets, on_sky
from skypool.codec.deferring import is_deferred
from skypool.codec.extremes import finite_values
from skypool.errors import Damaged, NotFound, StorageError, UsageError

__all__ = ["coverage_at_once", "coverage_from_headers"]


def coverage_at_once(
    document: Mapping[str, Any], datasets: Mapping[str, Any] | None = None
) -> bytes | None:
    """Return the coverage of a product that was made in memory, before it is in any pack.

    Parameters
    ----------
    document
        Its document.
    datasets
        What it was made from, so that pixels need not be unpacked again.

    Returns
    -------
    bytes or None
        None where chunks have to be read for it: `coverage_of_document` does.
    """
    if "file" in document or _any_table(document["datasets"]):
        return None
    if len(document["datasets"]) == 1:
        found = _plain_image(*document["datasets"][0])
        if found is not None:
            return found
    made = datasets if datasets is not None else {}

    def pixels(name: str, _: Any) -> Any:
        import numpy as np

        if name not in made or len(getattr(made[name], "shape", ())) != 2:
            raise _ChunkNeeded
        return np.asarray(made[name])

    try:
        return coverage_of_datasets(document, _refuse, _refuse, pixels)
    except _ChunkNeeded:
        return None


def coverage_from_headers(document: Mapping[str, Any], headers: Mapping[int, str]) -> bytes | None:
    """Return the coverage of a product that is read from a file, before it is in any pack.

    Parameters
    ----------
    document
        Its document.
    headers
        The headers that its datasets name, as text.

    Returns
    -------
    bytes or None
        None where chunks have to be read for it: `coverage_of_document` does.
    """
    from skypool.model.wcs import needs_tables, wcs_cards

    deferred = is_deferred(document)
    if _any_table(document["datasets"]):
        return None
    texts = {number: wcs_cards(text) for number, text in headers.items()}
    if any(map(needs_tables, texts.values())):
        return None
    datasets = list(on_sky(_with_headers(document["datasets"], texts)))
    if len(datasets) == 1:
        found = _plain_image(*datasets[0], read=not deferred)
        if found is not None:
            return found
    listed = {**document, "datasets": datasets}
    try:
        return coverage_of_datasets(
            listed, _refuse, _refuse, None if deferred else _refuse, rows=not deferred
        )
    except _ChunkNeeded:
        return None
    except (Damaged, NotFound, StorageError, UsageError):
        return b""


def _with_headers(datasets: Iterable[Any], texts: Mapping[int, str]) -> Iterator[list[Any]]:
    """Yield the arrays, with the headers themselves where they name them."""
    for name, dataset in datasets:
        if dataset["is"] == "composite":
            yield [name, {**dataset, "datasets": list(_with_headers(dataset["datasets"], texts))}]
        elif dataset["is"] == "array":
            number = dataset.get("wcs", {}).get("hdu")
            yield [
                name,
                dataset if number is None else {**dataset, "wcs": {"header": texts[number]}},
            ]


def _plain_image(name: str, dataset: Mapping[str, Any], *, read: bool = True) -> bytes | None:
    """Return the coverage of a gnomonic image alone: by far the most common; None for others.

    *read* says whether its pixels are, so that it is known which have values.
    """
    from skypool.sky.coverage import AllSky, State, TangentPart, encode
    from skypool.sky.roles import WEIGHTS
    from skypool.sky.tangent import tangent

    header = (dataset.get("wcs") or {}).get("header")
    shape, stats = dataset.get("shape", ()), dataset.get("stats")
    image = dataset["is"] == "array" and len(shape) == 2 and 0 not in shape
    if not image or not header or name.partition(",")[0].strip().casefold() in WEIGHTS:
        return None
    finite = finite_values(stats) if stats is not None else -1
    found = tangent(header) if NUMBERS.fullmatch(dataset["dtype"]) else None
    if found is None or finite is None:
        return None
    if read and finite not in (0, shape[0] * shape[1]):
        return None  # which pixels have values is looked at
    state = State.MIXED if not read else State.FULL if finite else State.EMPTY
    part = TangentPart(found, shape[1], shape[0], state)
    return encode([AllSky(state) if part.outline is None else part])


class _ChunkNeeded(Exception):
    """More than the document is needed."""


def _refuse(*_: Any) -> Any:
    raise _ChunkNeeded


def _any_table(datasets: Iterable[Any]) -> bool:
    return any(
        dataset["is"] == "table"
        or (dataset["is"] == "composite" and _any_table(dataset["datasets"]))
        for _, dataset in datasets
    )
