"""Products made in memory as documents and chunks.

Datasets that came unchanged from the same pool are taken over by the names of their
chunks: neither read nor hashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from skypool.codec.chunking import Physical, write_array
from skypool.codec.parameters import encode_meta
from skypool.codec.reading import boxes
from skypool.codec.scaling import physical, stored
from skypool.codec.segments import ArraySegment
from skypool.codec.sinks import ChunkSink
from skypool.codec.stored import Token
from skypool.codec.values import write_values
from skypool.model.arrays import Array
from skypool.model.composite import Composite, Dataset
from skypool.model.metadata import MetaData
from skypool.model.product import Product
from skypool.model.sources import ArraySource

__all__ = ["encode_product"]

# Larger arrays that are not in memory are read in pieces.
_AT_ONCE = 32 * 1024**2


def encode_product(
    product: Product, sink: ChunkSink, pool: bytes, taken: set[bytes] | None = None
) -> tuple[dict[str, Any], int]:
    """Store the datasets of a product and describe it.

    Parameters
    ----------
    product
        The product; its references are not part of the document.
    sink
        Takes the chunks.
    pool
        Identifier of the pool that the sink belongs to.
    taken
        Takes the digests of the documents of which datasets were taken over: neither read
        nor written again.

    Returns
    -------
    document : dict
        As in docs/format/documents.md.
    size : int
        Bytes of the datasets.
    """
    encoder = _Encoder(sink, pool, set() if taken is None else taken)
    document: dict[str, Any] = {
        "skypool": 1,
        "kind": product.kind,
        "meta": encode_meta(product.meta),
        "datasets": [[name, encoder.dataset(item)] for name, item in product.datasets.items()],
    }
    if product.own_history:
        document["history"] = list(product.own_history)
    return document, encoder.size


class _Encoder:
    def __init__(self, sink: ChunkSink, pool: bytes, taken: set[bytes]) -> None:
        self._sink = sink
        self._taken = taken
        self._pool = pool
        self.size = 0

    def dataset(self, item: Dataset) -> dict[str, Any]:
        if isinstance(item, Composite):
            obj: dict[str, Any] = {
                "is": "composite",
                "datasets": [[name, self.dataset(part)] for name, part in item.items()],
            }
        elif isinstance(item, Array):
            obj = self._array(item)
        else:
            obj = self._table(item)
        self._common(obj, item.meta, item.description)
        return obj

    @staticmethod
    def _common(obj: dict[str, Any], meta: MetaData, description: str) -> None:
        for key in ("meta", "description"):
            obj.pop(key, None)
        if meta:
            obj["meta"] = encode_meta(meta)
        if description:
            obj["description"] = description

    def _token(self, source: Any) -> Token | None:
        token = source.stored
        if not isinstance(token, Token) or token.pool != self._pool:
            return None
        self._taken.add(token.document)
        return token

    def _array(self, item: Array) -> dict[str, Any]:
        token = self._token(item.source)
        if token is not None:
            obj = dict(token.dataset)
            self.size += _size_of(obj)
        else:
            obj = self._values(item.source)
        for key in ("unit", "wcs"):
            obj.pop(key, None)
        if item.unit_text:
            obj["unit"] = item.unit_text
        header = item.wcs_header
        if header:
            obj["wcs"] = {"header": header}
        return obj

    def _values(self, source: ArraySource) -> dict[str, Any]:
        shape, dtype = tuple(source.shape), np.dtype(source.dtype)
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes <= _AT_ONCE:
            whole = source.read(tuple(slice(0, n, 1) for n in shape))
            segment, stats, zero = write_values(np.asarray(whole, dtype), self._sink)
        else:
            segment, stats, zero = self._in_pieces(source, shape, dtype)
        self.size += segment.size
        obj: dict[str, Any] = {
            "is": "array",
            "shape": list(shape),
            "dtype": _name(dtype),
            "data": segment.to_json(),
        }
        if zero:
            obj["zero"] = zero
        if stats:
            obj["stats"] = stats
        return obj

    def _in_pieces(
        self, source: ArraySource, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> tuple[ArraySegment, dict[str, Any] | None, int]:
        sample, zero = stored(np.zeros(0, dtype))

        def values(raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return physical(raw, dtype, zero)

        data = _Bytes(source, shape, dtype)
        function: Physical | None = None if dtype.kind == "c" else values
        return (
            *write_array(data, 0, sample.dtype.str, shape, self._sink, None, function),
            zero,
        )

    def _table(self, item: Any) -> dict[str, Any]:
        from skypool.codec.stored_tables import encode_table

        token = self._token(item.source)
        obj = dict(token.dataset) if token is not None else encode_table(item.source, self._sink)
        self.size += _size_of(obj)
        return obj


@lru_cache(maxsize=64)
def _name(dtype: np.dtype[Any]) -> str:
    return dtype.name


def _size_of(obj: Mapping[str, Any]) -> int:
    """Return the bytes of a dataset's segments."""
    return sum(_segment_size(part) for part in _segments(obj))


def _segments(obj: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield obj["data"]
    yield from obj.get("heap", ())


def _segment_size(obj: Mapping[str, Any]) -> int:
    from skypool.codec.segments import segment_from_json

    return segment_from_json(obj).size


class _Bytes:
    """The stored bytes of a large array that is read in pieces, as a `ByteSource`."""

    def __init__(self, source: ArraySource, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._source = source
        self._shape = shape
        self._itemsize = dtype.itemsize
        self.size = math.prod(shape) * dtype.itemsize

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        stop = min(self.size, offset + length)
        pieces = []
        for box, first in boxes(self._shape, self._itemsize, offset, stop):
            data = stored(self._source.read(box))[0].tobytes()
            pieces.append(data[max(0, offset - first) : stop - first])
        return b"".join(pieces)
