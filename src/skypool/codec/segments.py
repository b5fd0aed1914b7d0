"""Segments: the runs of bytes of which a file's recipe consists.

See docs/format/documents.md, *Segments*. Writing is in `chunking`, reading in `reading`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from skypool.codec.digest import DIGEST_SIZE
from skypool.codec.sinks import ChunkSink, Fetch
from skypool.errors import Damaged

__all__ = [
    "ArraySegment",
    "Bytes",
    "ChunkList",
    "Fill",
    "Inline",
    "Segment",
    "TableSegment",
    "segment_from_json",
]

LIST_LIMIT = 32
INLINE_LIMIT = 1024


class ChunkList:
    """The digests of the chunks of one segment, read when they are first needed.

    Parameters
    ----------
    digests
        The digests one behind the other; or None, then *name* and *count* say which
        chunk holds them.

    Attributes
    ----------
    deferred : bytes
        What the names of chunks begin with that were not read, and have no digest; else empty.
    """

    __slots__ = ("_data", "count", "deferred", "name")

    def __init__(self, digests: bytes | None, name: bytes | None = None, count: int = 0) -> None:
        self._data = digests
        self.name = name
        self.count = count if digests is None else len(digests) // DIGEST_SIZE
        self.deferred = b""

    @classmethod
    def not_read(cls, deferred: bytes, count: int) -> ChunkList:
        """Make the list of chunks that were not read; *deferred* has 24 bytes."""
        chunks = cls(None, None, count)
        chunks.deferred = deferred
        return chunks

    @classmethod
    def write(cls, digests: Sequence[bytes], sink: ChunkSink) -> ChunkList:
        """Make a list; a long one becomes a chunk of its own."""
        data = b"".join(digests)
        if len(digests) <= LIST_LIMIT:
            return cls(data)
        chunks = cls(data)
        chunks.name = sink.put(data, 1)
        return chunks

    @classmethod
    def from_json(cls, obj: str | Mapping[str, Any]) -> ChunkList:
        """Read the `LIST` of a document."""
        if isinstance(obj, str):
            return cls(bytes.fromhex(obj))
        if "deferred" in obj:
            return cls.not_read(bytes.fromhex(obj["deferred"]), obj["count"])
        return cls(None, bytes.fromhex(obj["list"]), obj["count"])

    def to_json(self) -> str | dict[str, Any]:
        """Return the `LIST` of a document."""
        if self.name is not None:
            return {"list": self.name.hex(), "count": self.count}
        if self.deferred:
            return {"deferred": self.deferred.hex(), "count": self.count}
        assert self._data is not None
        return self._data.hex()

    def digest(self, number: int, fetch: Fetch) -> bytes:
        """Return the digest of one chunk."""
        if self.deferred:
            return self._name(number)
        start = number * DIGEST_SIZE
        return self._all(fetch)[start : start + DIGEST_SIZE]

    def digests(self, fetch: Fetch) -> Iterator[bytes]:
        """Return the digests of all chunks in order."""
        if self.deferred:
            return (self._name(number) for number in range(self.count))
        data = self._all(fetch)
        return (data[i : i + DIGEST_SIZE] for i in range(0, len(data), DIGEST_SIZE))

    def _name(self, number: int) -> bytes:
        return self.deferred + number.to_bytes(DIGEST_SIZE - len(self.deferred), "big")

    def _all(self, fetch: Fetch) -> bytes:
        if self._data is None:
            assert self.name is not None
            data = fetch(self.name)
            if len(data) != self.count * DIGEST_SIZE:
                raise Damaged("a list of chunks has the wrong length")
            self._data = data
        return self._data


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes that stand in the document itself."""

    data: bytes

    @property
    def size(self) -> int:
        """Bytes of the file that the segment stands for."""
        return len(self.data)

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in a document."""
        return {"is": "inline", "base64": base64.b64encode(self.data).decode()}


@dataclass(frozen=True, slots=True)
class Fill:
    """One byte, many times: padding."""

    size: int
    byte: int

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in a document."""
        return {"is": "fill", "size": self.size, "byte": self.byte}


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes without a structure, cut every *block* bytes."""

    size: int
    block: int
    chunks: ChunkList

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in a document."""
        return {
            "is": "bytes",
            "size": self.size,
            "block": self.block,
            "chunks": self.chunks.to_json(),
        }


@dataclass(frozen=True)
class ArraySegment:
    """An array in C order, cut into tiles.

    Attributes
    ----------
    dtype : str
        Type of the stored values, such as `>f4`.
    shape, tile : tuple of int
        Slowest axis first.
    """

    dtype: str
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    chunks: ChunkList

    @cached_property
    def itemsize(self) -> int:
        """Bytes of one value."""
        return int(self.dtype[2:])

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """Number of tiles along each axis."""
        return tuple(-(-n // t) if t else 0 for n, t in zip(self.shape, self.tile, strict=True))

    @cached_property
    def size(self) -> int:
        """Bytes of the file that the segment stands for."""
        return math.prod(self.shape) * self.itemsize

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in a document."""
        return {
            "is": "array",
            "dtype": self.dtype,
            "shape": list(self.shape),
            "tile": list(self.tile),
            "chunks": self.chunks.to_json(),
        }


@dataclass(frozen=True)
class TableSegment:
    """Rows of equal width, cut into columns and blocks of rows.

    Attributes
    ----------
    columns : tuple of (offset, width, itemsize)
        The parts of a row; gaps between columns are at the end of the list.
    block : int
        Rows of one chunk.
    packed : bool
        One chunk holds all columns of a block, one behind the other.
    """

    rows: int
    width: int
    columns: tuple[tuple[int, int, int], ...]
    block: int
    packed: bool
    chunks: ChunkList

    @property
    def size(self) -> int:
        """Bytes of the file that the segment stands for."""
        return self.rows * self.width

    @cached_property
    def blocks(self) -> int:
        """Number of blocks of rows."""
        return -(-self.rows // self.block) if self.rows else 0

    @cached_property
    def chunk_rank(self) -> tuple[int, ...]:
        """Place of each column among those that have chunks; -1 for those of width 0."""
        ranks, rank = [], 0
        for _, width, _ in self.columns:
            ranks.append(rank if width else -1)
            rank += 1 if width else 0
        return tuple(ranks)

    def to_json(self) -> dict[str, Any]:
        """Return the segment as it stands in a document."""
        obj = {
            "is": "table",
            "rows": self.rows,
            "width": self.width,
            "columns": [list(column) for column in self.columns],
            "block": self.block,
            "chunks": self.chunks.to_json(),
        }
        if self.packed:
            obj["packed"] = True
        return obj


Segment: TypeAlias = Inline | Fill | Bytes | ArraySegment | TableSegment


def segment_from_json(obj: Mapping[str, Any]) -> Segment:
    """Read a segment of a document.

    Raises
    ------
    Damaged
        If it is of an unknown sort.
    """
    match obj["is"]:
        case "inline":
            return Inline(base64.b64decode(obj["base64"]))
        case "fill":
            return Fill(obj["size"], obj["byte"])
        case "bytes":
            return Bytes(obj["size"], obj["block"], ChunkList.from_json(obj["chunks"]))
        case "array":
            chunks = ChunkList.from_json(obj["chunks"])
            return ArraySegment(obj["dtype"], tuple(obj["shape"]), tuple(obj["tile"]), chunks)
        case "table":
            return TableSegment(
                obj["rows"],
                obj["width"],
                tuple((a, b, c) for a, b, c in obj["columns"]),
                obj["block"],
                obj.get("packed", False),
                ChunkList.from_json(obj["chunks"]),
            )
    raise Damaged(f"a document has a segment of the unknown sort {obj['is']!r}")
