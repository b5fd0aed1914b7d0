"""What a product document reaches: its chunks, and through which dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from skypool.codec.sinks import Fetch

__all__ = [
    "content_of",
    "datasets_of",
    "droppable",
    "lookup_tables",
    "own_parts",
    "reached",
    "without_content",
]

_WITH_CHUNKS = frozenset({"array", "bytes", "table"})
# What is below these is not skypool's: values of parameters, and what readers noted.
_OPAQUE = frozenset({"item", "meta"})


def reached(value: Any, fetch: Fetch) -> Iterator[bytes]:
    """Return the digests of all chunks that a document, or a part of one, names.

    Parameters
    ----------
    value
        The document.
    fetch
        Gives lists of chunks that are chunks themselves.

    Yields
    ------
    bytes
        Digests one behind the other, 32 bytes each.

    Raises
    ------
    Damaged
        If such a list is not there; its name was given before.
    """
    if isinstance(value, Mapping):
        yield from _own(value, fetch)
        for key, item in value.items():
            if key not in _OPAQUE:
                yield from reached(item, fetch)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from reached(item, fetch)


def _own(obj: Mapping[str, Any], fetch: Fetch) -> Iterator[bytes]:
    chunks = obj.get("chunks") if obj.get("is") in _WITH_CHUNKS else None
    if isinstance(chunks, str):
        yield bytes.fromhex(chunks)
    elif chunks is not None and "list" in chunks:  # else it is content that was not read
        name = bytes.fromhex(chunks["list"])
        yield name
        yield fetch(name)
    elif "type" in obj and isinstance(obj.get("list"), str):  # statistics of many chunks
        yield bytes.fromhex(obj["list"])


def content_of(document: Mapping[str, Any]) -> list[Any]:
    """Return the segments of a document's file: the chunks that a file kept in place holds."""
    file = document.get("file")
    if not file:
        return []
    return [*file["segments"], *(file.get("wrapper") or {}).get("stream", ())]


def own_parts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with lists of chunks in the place of what a file kept in place holds.

    What is reached from it is in the packs, wherever the content is, but for chunks of datasets
    that the file holds as well.
    """
    lists = [
        {"type": "", "list": chunks["list"]}
        for chunks in (segment.get("chunks") for segment in content_of(document))
        if isinstance(chunks, Mapping) and "list" in chunks
    ]
    return {**document, "file": {**document["file"], "segments": lists, "wrapper": None}}


def datasets_of(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Return the path of every dataset, with the parts of the document that it needs."""
    file = document.get("file") or {}
    yield from _datasets(document["datasets"], "", file)


def _datasets(
    listed: list[Any], above: str, file: Mapping[str, Any]
) -> Iterator[tuple[str, list[Any]]]:
    for name, dataset in listed:
        path = f"{above}{name}"
        if dataset["is"] == "composite":
            yield from _datasets(dataset["datasets"], f"{path}/", file)
        else:
            yield path, [dataset, *_of_file(dataset, file)]


def _of_file(dataset: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[Any]:
    """Return the segments of the file that a dataset names by number."""
    segments = file.get("segments", [])
    for data in (dataset["data"], *dataset.get("heap", ())):
        if "segment" in data:
            yield segments[data["segment"]]
        elif data.get("reader") == "fits-compressed":
            yield from (segments[n] for n in file["hdus"][data["item"]]["data"])
        elif "reader" in data:
            yield from segments
    wcs = dataset.get("wcs") or {}
    if "hdu" in wcs:
        yield segments[file["hdus"][wcs["hdu"]]["header"]]


def droppable(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the segments that hold the content of a product: what may be dropped.

    Headers of HDUs, and the tables that distortions of images are kept in, are none, since the
    index of the sky is made from them; chunks that list others, and statistics, are not among
    the chunks of these segments.
    """
    found: list[Mapping[str, Any]] = []
    files = [document.get("file"), *(file for _, file in document.get("tree", ()))]
    for file in files:
        if file is not None:
            kept = {hdu["header"] for hdu in file.get("hdus", ())}
            if file is document.get("file"):
                kept |= {*lookup_tables(document["datasets"])}
            found += [s for n, s in enumerate(file["segments"]) if n not in kept]
            found += (file.get("wrapper") or {}).get("stream", ())
    found += _own_segments(document["datasets"])
    return [segment for segment in found if "chunks" in segment]


def lookup_tables(datasets: Iterable[Any]) -> Iterator[int]:
    """Yield the segments of the tables that distortions of images are kept in."""
    for name, dataset in datasets:
        known = name.partition(",")[0] in ("WCSDVARR", "D2IMARR")
        if known and "segment" in dataset.get("data", ()):
            yield dataset["data"]["segment"]


def _own_segments(datasets: list[Any]) -> Iterator[Mapping[str, Any]]:
    for _, dataset in datasets:
        if dataset["is"] == "composite":
            yield from _own_segments(dataset["datasets"])
        else:
            yield from (data for data in (dataset["data"], *dataset.get("heap", ())))


def without_content(document: Mapping[str, Any], fetch: Fetch) -> Iterator[bytes]:
    """Return the digests of what stays of a document that was dropped, like `reached`."""
    content = {id(segment) for segment in droppable(document)}
    yield from _staying(document, fetch, content)


def _staying(value: Any, fetch: Fetch, content: set[int]) -> Iterator[bytes]:
    if isinstance(value, Mapping):
        if id(value) not in content:
            yield from _own(value, fetch)
        elif not isinstance(value["chunks"], str):
            yield bytes.fromhex(value["chunks"]["list"])
        for key, item in value.items():
            if key not in _OPAQUE:
                yield from _staying(item, fetch, content)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _staying(item, fetch, content)
