"""Reading files through the formats, and back, for the tests of this folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skypool.codec.documents import dumps, loads
from skypool.codec.reading import RecipeReader
from skypool.codec.segments import segment_from_json
from skypool.codec.sinks import MemorySink, MemorySource
from skypool.formats.base import Imported
from skypool.formats.gzip import rewrap
from skypool.formats.registry import read_file, reader


def manifest(folder: Path, *formats: str) -> list[Path]:
    """Paths of the real files of some formats."""
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        wanted = {f"format={name}" for name in formats}
        return [
            folder / "files" / row["path"]
            for row in rows
            if row["special"].split(";")[0].strip() in wanted
        ]


def imported(data: bytes, name: str, gzip_mode: str = "exact") -> tuple[Imported, MemorySink]:
    """Read a file; its document goes through JSON once, as in a pool."""
    sink = MemorySink()
    found = read_file(MemorySource(data), sink, name, gzip_mode)
    found.document = loads(dumps(found.document))
    return found, sink


def content(recipe: dict[str, Any], sink: MemorySink) -> RecipeReader:
    """The bytes of a recipe, inside its wrapper."""
    return RecipeReader([segment_from_json(part) for part in recipe["segments"]], sink.fetch)


def rebuilt(recipe: dict[str, Any], sink: MemorySink) -> bytes:
    """The file that was put in."""
    source = content(recipe, sink)
    data = source.pread(0, source.size)
    if "wrapper" not in recipe:
        return data
    return b"".join(rewrap([data], recipe["wrapper"], sink.fetch))


def leaves(datasets: list[list[Any]], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All datasets, those in composites with their path; those that are not read left out."""
    for name, dataset in datasets:
        if dataset["is"] == "composite":
            yield from leaves(dataset["datasets"], f"{before}{name}/")
        else:
            yield before + name, dataset


def array(dataset: dict[str, Any], files: Any) -> np.ndarray[Any, Any]:
    """All values of an array."""
    data = dataset["data"]
    source = reader(data["reader"]).open_array(data["item"], dataset, files)
    return source.read(tuple(slice(0, n, 1) for n in source.shape))


def table(dataset: dict[str, Any], files: Any) -> Any:
    """The table source of a dataset."""
    data = dataset["data"]
    return reader(data["reader"]).open_table(data["item"], dataset, files)


def same(ours: Any, theirs: Any) -> bool:
    """Whether two columns say the same: masked floating-point values are NaN with us."""
    ours, theirs = np.ma.asanyarray(ours), np.ma.asanyarray(theirs)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype.kind in "fc":
        return np.array_equal(ours.data, np.ma.filled(theirs, np.nan), equal_nan=True)
    if ours.dtype.kind == "O" or theirs.dtype.kind == "O":
        return all(
            _same_cell(a, b) for a, b in zip(ours.data.ravel(), theirs.data.ravel(), strict=True)
        )
    blank: Any = "" if ours.dtype.kind in "US" else 0
    return np.array_equal(np.ma.filled(ours, blank), np.ma.filled(theirs, blank))


def _same_cell(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, str):
        return ours == (theirs.decode() if isinstance(theirs, bytes) else theirs)
    if isinstance(ours, np.ndarray):
        return ours.size == np.size(theirs) and (ours.size == 0 or same(ours, theirs))
    return ours == theirs or (ours is None and theirs in (None, ""))


def meta(document: dict[str, Any]) -> dict[str, Any]:
    """The values of a document's parameters."""
    return {entry[0]: entry[1] for entry in document["meta"]}
