"""Parts of product documents for files that are stored as they are."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np

from skypool.codec.statistics import ENTRY_SIZE, Statistics, statistics_type, tile_statistics
from skypool.formats.parameters import (
    MAX_TEXT,
    flatten,
    known_attributes,
    parameter,
    parse_date,
)

__all__ = [
    "BLOCK_ROWS",
    "ColumnScan",
    "array_dataset",
    "block_group",
    "column_document",
    "composite",
    "flatten",
    "kind_of",
    "known_attributes",
    "native",
    "parameter",
    "parse_date",
    "table_dataset",
    "unique_names",
    "unread",
]

BLOCK_ROWS = 32768
MAX_ENTRIES = 32
# Wider text is given as objects: an array of fixed width would waste memory.
MAX_WIDTH = 256
_CODES = {
    "b1": "L",
    "u1": "B",
    "i1": "B",
    "i2": "I",
    "u2": "I",
    "i4": "J",
    "u4": "J",
    "i8": "K",
    "u8": "K",
    "f2": "E",
    "f4": "E",
    "f8": "D",
    "c8": "C",
    "c16": "M",
}


def native(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return values as users see them: native byte order, text instead of bytes.

    Code points that are none, on which Python fails, become U+FFFD.
    """
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "U" and values.size and values.dtype.itemsize:
        points = np.ascontiguousarray(values).reshape(-1).view(np.uint32)
        if (points > 0x10FFFF).any():
            fixed = np.where(points > 0x10FFFF, np.uint32(0xFFFD), points).astype(np.uint32)
            return fixed.view(values.dtype).reshape(values.shape)
    return values


def unique_names(names: Iterable[str]) -> list[str]:
    """Make names different: the second ``a`` becomes ``a,2``."""
    seen: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate in seen:
            number += 1
            candidate = f"{name},{number}"
        seen.add(candidate)
        result.append(candidate)
    return result


class ColumnScan:
    """Collects statistics and the width of text of one column or array, block by block."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._kind: str | None = None
        self._mixed = False
        self.width = 0

    def add(self, values: np.ndarray[Any, Any]) -> None:
        """Take the next block of values; masked ones count as NaN."""
        if values.dtype.kind in "UO":
            self._measure(values)
            return
        kind = statistics_type(values.dtype)
        if kind is None:
            return
        self._mixed = self._mixed or self._kind not in (None, kind)
        self._kind = kind
        mask = np.ma.getmaskarray(values)
        if not mask.any():
            self._entries.append(tile_statistics(np.asarray(values)))
            return
        entry = bytearray(tile_statistics(np.ma.compressed(values)))
        blanks = int.from_bytes(entry[8:16], "little") + int(mask.sum())
        entry[8:16] = blanks.to_bytes(8, "little")
        self._entries.append(bytes(entry))

    def _measure(self, values: np.ndarray[Any, Any]) -> None:
        for value in np.asarray(values).reshape(-1):
            if isinstance(value, str):
                self.width = max(self.width, len(value))

    def stats(self, group: int = 1) -> dict[str, Any] | None:
        """Return the JSON object of the document; *group* blocks make one entry."""
        if not self._entries or self._mixed or self._kind is None:
            return None
        data = b"".join(
            _merge(self._kind, self._entries[start : start + group])
            for start in range(0, len(self._entries), group)
        )
        return {"type": self._kind, "values": base64.b64encode(data).decode()}


def _merge(kind: str, entries: list[bytes]) -> bytes:
    if len(entries) == 1:
        return entries[0]
    values = base64.b64encode(b"".join(entries)).decode()
    all_of = Statistics.from_json({"type": kind, "values": values}, lambda name: b"")
    limits = np.zeros(2, f"<{kind}")
    if all_of.valued.any():
        limits[:] = all_of.min(), all_of.max()
    merged = all_of.counts.sum(axis=0).astype("<u8").tobytes() + limits.tobytes()
    assert len(merged) == ENTRY_SIZE
    return bytes(merged)


def column_document(
    name: str,
    dtype: str,
    shape: tuple[int, ...] = (),
    unit: str = "",
    description: str = "",
    scan: ColumnScan | None = None,
    group: int = 1,
) -> dict[str, Any]:
    """Describe a column.

    Parameters
    ----------
    name
        As the file gives it.
    dtype
        Of the values: numpy's name, ``str`` for text, ``object`` for arrays of
        various lengths and other things.
    shape
        Of one cell.
    unit, description
        Texts.
    scan
        What was found in the values; without it text has the type ``object``.
    group
        Blocks of rows of one entry of the statistics.
    """
    column: dict[str, Any] = {"name": name}
    count = int(np.prod(shape, dtype=np.int64)) if shape else 1
    if dtype == "str":
        width = max(1, scan.width) if scan is not None else MAX_WIDTH + 1
        dtype = f"U{width}" if width <= MAX_WIDTH else "object"
        column["format"] = f"{count * width}A" if scan is not None else "1PA"
    else:
        code = _CODES.get(np.dtype(dtype).str[1:]) if dtype != "object" else None
        column["format"] = f"{count if count != 1 else ''}{code}" if code else "1PA"
    column["dtype"] = dtype
    if shape:
        column["shape"] = list(shape)
    texts = {"unit": unit, "description": description[:MAX_TEXT]}
    column |= {key: text for key, text in texts.items() if text}
    stats = scan.stats(group) if scan is not None else None
    if stats is not None:
        column["stats"] = stats
    return column


def block_group(rows: int) -> int:
    """Return how many blocks of rows one entry of the statistics covers: at most 32 entries."""
    blocks = -(-rows // BLOCK_ROWS)
    group = 1
    while blocks > group * MAX_ENTRIES:
        group *= 2
    return group


def table_dataset(
    rows: int,
    columns: list[dict[str, Any]],
    data: dict[str, Any],
    meta: list[list[Any]],
    description: str = "",
) -> dict[str, Any]:
    """Make the dataset of a table; ``block`` is the number of rows of an entry of statistics."""
    return {
        "is": "table",
        "meta": meta,
        "description": description[:MAX_TEXT],
        "rows": rows,
        "block": BLOCK_ROWS * block_group(rows),
        "columns": columns,
        "data": data,
    }


def array_dataset(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    data: dict[str, Any],
    meta: list[list[Any]],
    unit: str = "",
    description: str = "",
    scan: ColumnScan | None = None,
) -> dict[str, Any]:
    """Make the dataset of an array; its statistics are one entry for all of it."""
    dataset: dict[str, Any] = {
        "is": "array",
        "meta": meta,
        "description": description[:MAX_TEXT],
        "shape": list(shape),
        "unit": unit,
        "dtype": dtype.name if dtype.kind not in "US" else dtype.str[1:],
        "data": data,
    }
    stats = scan.stats(max(1, len(scan._entries))) if scan is not None else None
    if stats is not None:
        dataset["stats"] = stats
    return dataset


def composite(
    datasets: list[list[Any]], meta: list[list[Any]], description: str = ""
) -> dict[str, Any]:
    """Make a composite dataset."""
    return {"is": "composite", "meta": meta, "description": description, "datasets": datasets}


def unread(reason: str, meta: Iterable[list[Any]] = ()) -> dict[str, Any]:
    """Stand in for a part that is there but is not read: an empty composite that says why."""
    return composite([], list(meta), f"not read: {reason}")


def kind_of(datasets: list[list[Any]]) -> str:
    """Return the kind of a product that has these datasets."""
    found = [dataset for _, dataset in datasets]
    sorts = {dataset["is"] for dataset in found}
    if sorts == {"table"}:
        return "TableProduct"
    if sorts == {"array"} and len(found) == 1:
        return {2: "SimpleImage", 3: "SimpleCube"}.get(len(found[0]["shape"]), "Product")
    return "Product"
