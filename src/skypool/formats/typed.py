"""Parts of product documents for files that are stored as they are."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from skypool.codec.statistics import ENTRY_SIZE, Statistics, statistics_type, tile_statistics

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
MAX_TEXT = 65536
MAX_PARAMETERS = 10000
MAX_DEPTH = 32
_SIMPLE = (str, int, float, bool, type(None))
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
# Keys that say the same as a fixed attribute, in lower case; the first found counts.
_SYNONYMS = {
    "type": ("type",),
    "creator": ("creator", "author", "provider", "publisher", "origin"),
    "creationDate": ("creationdate", "date", "creation_date", "created"),
    "description": ("description", "title"),
    "instrument": ("instrument", "instrume", "instrument_name"),
    "modelName": ("modelname",),
    "startDate": ("startdate", "date-obs", "date_obs", "date-beg", "date_beg"),
    "endDate": ("enddate", "date-end", "date_end"),
    "formatVersion": ("formatversion",),
}
_DATES = {"creationDate", "startDate", "endDate"}


def parameter(name: str, value: Any, unit: str = "", description: str = "") -> list[Any] | None:
    """Make a parameter of a document, None where the value is not a single one.

    Parameters
    ----------
    name
        As the file gives it.
    value
        Text, number, truth value, time or date; numpy scalars, too. Times without
        a zone are taken as UTC.
    unit, description
        Texts.
    """
    plain = _plain(value)
    if plain is None:
        return None
    listed: list[Any] = [name, plain]
    if unit or description:
        listed.append(unit)
    if description:
        listed.append(description[:MAX_TEXT])
    return listed


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        if isinstance(value, np.datetime64):
            # Values outside the years of datetime come back as numbers.
            value = value.astype("datetime64[us]").item()
        else:
            value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return str(value[:MAX_TEXT])
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return None


def flatten(
    tree: Any,
    prefix: str = "",
    simplify: Callable[[Any], tuple[Any, str] | None] = lambda value: None,
) -> list[list[Any]]:
    """Make parameters of nested mappings and lists: ``a.b.0`` names an entry.

    Lists of numbers and texts become one text in JSON. *simplify* gives value and unit
    of things that are a value although they look like a tree. At most 10,000 entries are
    looked at and 32 levels, so that a tree with shared parts cannot explode.
    """
    walk = _Walk(simplify)
    walk.visit(tree, prefix, 0)
    return walk.found


class _Walk:
    """Goes through a tree and collects its parameters."""

    def __init__(self, simplify: Callable[[Any], tuple[Any, str] | None]) -> None:
        self.found: list[list[Any]] = []
        self._simplify = simplify
        self._budget = MAX_PARAMETERS

    def visit(self, tree: Any, name: str, depth: int) -> None:
        self._budget -= 1
        if self._budget < 0 or depth > MAX_DEPTH:
            return
        simple = self._simplify(tree)
        value, unit = simple if simple is not None else (tree, "")
        value = getattr(value, "value", value)  # what is left of tagged values
        if isinstance(value, Mapping):
            for key, item in value.items():
                place = f"{name}.{str(key)[:1024]}" if name else str(key)[:1024]
                self.visit(item, place, depth + 1)
        elif isinstance(value, list | tuple):
            self._visit_list(value, name, depth, unit)
        else:
            made = parameter(name, value, unit)
            if made is not None:
                self.found.append(made)

    def _visit_list(self, items: Sequence[Any], name: str, depth: int, unit: str) -> None:
        if len(items) <= 64 and all(isinstance(item, _SIMPLE) for item in items):
            made = parameter(name, json.dumps(list(items), ensure_ascii=False), unit)
            assert made is not None
            self.found.append(made)
            return
        for number, item in enumerate(items):
            if self._budget < 0:
                return
            self.visit(item, f"{name}.{number}" if name else str(number), depth + 1)


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


def parse_date(value: Any) -> datetime | None:
    """Read a time or date; None where it is none. Times without a zone are UTC."""
    plain = _plain(value)
    if isinstance(plain, datetime):
        return plain
    if isinstance(plain, str) and re.match(r"\d{4}-\d\d-\d\d", plain.strip()):
        try:
            return _plain(datetime.fromisoformat(plain.strip()))  # type: ignore[no-any-return]
        except (ValueError, OverflowError):
            return None
    return None


def known_attributes(parameters: Iterable[list[Any]]) -> dict[str, Any]:
    """Find the fixed attributes of a product among the parameters of a file."""
    lower: dict[str, Any] = {}
    for entry in parameters:
        lower.setdefault(str(entry[0]).lower(), entry[1])
    fixed: dict[str, Any] = {}
    for name, keys in _SYNONYMS.items():
        for key in keys:
            value = lower.get(key)
            if name in _DATES:
                value = parse_date(value)
            elif not isinstance(value, str) or not value.strip():
                continue
            if value is not None:
                fixed[name] = value
                break
    return fixed


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
