"""Statistics of chunks (docs/format/documents.md, *Statistics*).

They belong to (array, chunk), not to a chunk: the same bytes read as another type
mean other numbers. Minima and maxima are exact in the type of the values.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from skypool.codec.sinks import ChunkSink, Fetch

__all__ = ["ENTRY_SIZE", "Statistics", "encode_statistics", "statistics_type", "tile_statistics"]

ENTRY_SIZE = 48
_FINITE = struct.Struct("<4Q2d")
_LIST_LIMIT = 32


def statistics_type(dtype: np.dtype[Any]) -> str | None:
    """Return the type in which minima of values of *dtype* are kept, None where there are none."""
    kind = dtype.kind
    if kind == "f":
        return "f8"
    if kind == "u":
        return "u8"
    if kind in "ib":
        return "i8"
    return None


def tile_statistics(values: np.ndarray[Any, Any]) -> bytes:
    """Return the entry of one chunk.

    Parameters
    ----------
    values
        Physical values, any shape, of a real type.

    Returns
    -------
    bytes
        48 bytes: counts of finite, NaN, +inf and -inf; minimum, maximum.
    """
    kind = statistics_type(values.dtype)
    if kind == "f8" and values.size:
        with np.errstate(invalid="ignore"):
            low = float(np.minimum.reduce(values, axis=None))
            high = float(np.maximum.reduce(values, axis=None))
        if math.isfinite(low) and math.isfinite(high):  # else NaN and infinities show in either
            return _FINITE.pack(values.size, 0, 0, 0, low, high)
    counts = np.zeros(4, "<u8")
    limits = np.zeros(2, f"<{kind}")
    if values.size:
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        if kind != "f8":
            counts[0] = values.size
            limits[:] = native.min(), native.max()
        else:
            _float_entry(native, counts, limits)
    return counts.tobytes() + limits.tobytes()


def _float_entry(
    values: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], limits: np.ndarray[Any, Any]
) -> None:
    nan = np.isnan(values)
    counts[1] = np.count_nonzero(nan)
    counts[2] = np.count_nonzero(values == np.inf)
    counts[3] = np.count_nonzero(values == -np.inf)
    counts[0] = values.size - int(counts[1:].sum())
    if counts[1] < values.size:
        limits[:] = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)


def encode_statistics(kind: str, entries: list[bytes], sink: ChunkSink) -> dict[str, Any]:
    """Return the JSON object that holds the entries of all chunks in order."""
    data = b"".join(entries)
    if len(entries) <= _LIST_LIMIT:
        return {"type": kind, "values": base64.b64encode(data).decode()}
    total = base64.b64encode(_total(kind, data)).decode()
    return {"type": kind, "list": sink.put(data, 8).hex(), "total": total}


def _total(kind: str, data: bytes) -> bytes:
    """Return the entry of all chunks together."""
    table = np.frombuffer(data, dtype=_entry_type(kind))
    counts = table["counts"].sum(axis=0, dtype="<u8")
    limits = np.zeros(2, f"<{kind}")
    valued = table["counts"][:, [0, 2, 3]].sum(axis=1) > 0
    if valued.any():
        limits[:] = table["min"][valued].min(), table["max"][valued].max()
    return bytes(counts.tobytes() + limits.tobytes())


@lru_cache(maxsize=8)
def _entry_type(kind: str) -> np.dtype[Any]:
    return np.dtype([("counts", "<u8", 4), ("min", f"<{kind}"), ("max", f"<{kind}")])


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of an array or column, chunk by chunk.

    Attributes
    ----------
    counts : ndarray, shape (n, 4), uint64
        Finite, NaN, +inf, -inf values in each chunk.
    minima, maxima : ndarray, shape (n,)
        Over the values that are not NaN; meaningless where there are none.
    """

    counts: np.ndarray[Any, Any]
    minima: np.ndarray[Any, Any]
    maxima: np.ndarray[Any, Any]

    @classmethod
    def from_json(cls, obj: Mapping[str, Any], fetch: Fetch) -> Statistics:
        """Read the JSON object of a document."""
        data = (
            base64.b64decode(obj["values"])
            if "values" in obj
            else fetch(bytes.fromhex(obj["list"]))
        )
        table = np.frombuffer(data, dtype=_entry_type(obj["type"]))
        return cls(table["counts"], table["min"], table["max"])

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray[Any, Any]]) -> Statistics:
        """Make the statistics of arrays in memory, one entry each."""
        parts = list(arrays)
        data = b"".join(tile_statistics(part) for part in parts)
        table = np.frombuffer(data, dtype=_entry_type(statistics_type(parts[0].dtype) or "f8"))
        return cls(table["counts"], table["min"], table["max"])

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def valued(self) -> np.ndarray[Any, Any]:
        """Which chunks hold a value that is not NaN; shape (n,)."""
        filled: np.ndarray[Any, Any] = self.counts[:, [0, 2, 3]].sum(axis=1) > 0
        return filled

    @property
    def total(self) -> int:
        """Number of values, NaN included."""
        return int(self.counts.sum())

    @property
    def finite(self) -> int:
        """Number of finite values."""
        return int(self.counts[:, 0].sum())

    @property
    def nan(self) -> int:
        """Number of NaN values."""
        return int(self.counts[:, 1].sum())

    def min(self) -> Any:
        """Return the smallest value that is not NaN, None where there is none."""
        valued = self.valued
        return self.minima[valued].min() if valued.any() else None

    def max(self) -> Any:
        """Return the largest value that is not NaN, None where there is none."""
        valued = self.valued
        return self.maxima[valued].max() if valued.any() else None
