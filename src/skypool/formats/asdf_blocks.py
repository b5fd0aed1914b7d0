"""The binary side of ASDF: where the tree ends, the blocks behind it, arrays in blocks.

ASDF Standard 1.6, *Low-level file layout*.
"""

from __future__ import annotations

import bz2
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.formats.parsing import NotUnderstood

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["Block", "BlockArray", "find_blocks", "numpy_dtype", "read_tree"]

Values = np.ndarray[Any, Any]
_MAGIC = b"\xd3BLK"
_HEADER = struct.Struct(">I4sQQQ16s")
_STEP = 1024**2
_STREAMED = 1
MAX_TREE = 64 * 1024**2
MAX_PADDING = 16 * 1024**2
MAX_BLOCKS = 100_000
MAX_BYTES = 2 * 1024**3
_CODECS = {b"\0\0\0\0": "", b"zlib": "zlib", b"bzp2": "bzp2"}
_SCALARS = {
    "bool8": "b1",
    "int8": "i1",
    "int16": "i2",
    "int32": "i4",
    "int64": "i8",
    "uint8": "u1",
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
    "complex64": "c8",
    "complex128": "c16",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a file.

    Attributes
    ----------
    offset, used
        Place and length of its bytes.
    size
        Length once decompressed.
    codec
        Empty, ``zlib`` or ``bzp2``; another text where it cannot be read.
    """

    offset: int
    used: int
    size: int
    codec: str


def read_tree(source: ByteSource) -> tuple[bytes, int]:
    """Return the YAML text of a file, and where it ends.

    Raises
    ------
    NotUnderstood
        If it is longer than 64 MiB.
    """
    text = b""
    while len(text) <= MAX_TREE:
        start = max(0, len(text) - 8)
        text += source.pread(len(text), _STEP)
        end = _tree_end(text, start)
        if end is not None:
            return text[:end], end
        if len(text) >= source.size:
            return text, len(text)
    raise NotUnderstood("a tree of more than 64 MiB")


def _tree_end(text: bytes, start: int) -> int | None:
    ends = []
    for mark, length in ((b"\n...\n", 5), (b"\n...\r\n", 6), (_MAGIC, 0)):
        at = text.find(mark, start)
        if at >= 0:
            ends.append(at + length)
    return min(ends) if ends else None


def find_blocks(source: ByteSource, position: int) -> list[Block]:
    """List the blocks behind the tree.

    Raises
    ------
    NotUnderstood
        If a block does not fit into the file.
    """
    gap = source.pread(position, MAX_PADDING)
    at = gap.find(_MAGIC)
    if at < 0:
        return []
    position += at
    blocks: list[Block] = []
    while len(blocks) < MAX_BLOCKS:
        head = source.pread(position, 6 + _HEADER.size)
        if not head.startswith(_MAGIC):
            return blocks  # the index of blocks, or the end
        if len(head) < 6 + _HEADER.size:
            raise NotUnderstood(f"block {len(blocks)} is cut short")
        (length,) = struct.unpack_from(">H", head, 4)
        flags, codec, allocated, used, size, _ = _HEADER.unpack_from(head, 6)
        start = position + 6 + length
        if flags & _STREAMED:
            used = size = allocated = source.size - start
        if length < _HEADER.size or used > allocated or start + used > source.size:
            raise NotUnderstood(f"block {len(blocks)} does not fit into the file")
        blocks.append(Block(start, used, size, _CODECS.get(codec, repr(codec))))
        position = start + allocated
    raise NotUnderstood(f"more than {MAX_BLOCKS} blocks")


def numpy_dtype(datatype: Any, byteorder: str) -> np.dtype[Any]:
    """Return the type of an ndarray's ``datatype``.

    Raises
    ------
    NotUnderstood
        If it is none.
    """
    order = "<" if byteorder == "little" else ">"
    if isinstance(datatype, str) and datatype in _SCALARS:
        return np.dtype(order + _SCALARS[datatype])
    if isinstance(datatype, list) and len(datatype) == 2 and isinstance(datatype[1], int):
        code = {"ascii": "S", "ucs4": "U"}.get(str(datatype[0]))
        if code and 0 < datatype[1] < 2**20:
            return np.dtype(f"{order if code == 'U' else ''}{code}{datatype[1]}")
    if isinstance(datatype, list) and datatype:
        return _structured(datatype, byteorder)
    raise NotUnderstood(f"the datatype {str(datatype)[:100]}")


def _structured(fields: list[Any], byteorder: str) -> np.dtype[Any]:
    described: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    for number, entry in enumerate(fields):
        if not isinstance(entry, dict):
            entry = {"datatype": entry}
        shape = entry.get("shape", [])
        dtype = numpy_dtype(entry.get("datatype"), str(entry.get("byteorder", byteorder)))
        described.append((str(entry.get("name", f"f{number}")), dtype, shape_of(shape)))
    try:
        return np.dtype(described)
    except (ValueError, TypeError) as error:
        raise NotUnderstood(f"a structured datatype: {error}") from None


def shape_of(shape: Any) -> tuple[int, ...]:
    """Check a shape.

    Raises
    ------
    NotUnderstood
        If it is none.
    """
    if not isinstance(shape, list | tuple) or not all(
        type(axis) is int and 0 <= axis < 2**48 for axis in shape
    ):
        raise NotUnderstood(f"the shape {str(shape)[:100]}")
    if len(shape) > 32:
        raise NotUnderstood(f"{len(shape)} axes")
    return tuple(shape)


class BlockArray:
    """An array in a block; reads only what is asked for where the block is not compressed.

    Parameters
    ----------
    item
        ``at``, ``used``, ``size``, ``codec`` of the block; ``offset`` in it, ``strides``
        where the array is not in C order.
    dtype
        Of the stored values.
    shape
        Slowest axis first.
    """

    def __init__(self, item: Mapping[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]):
        self._block = Block(item["at"], item["used"], item["size"], item["codec"])
        self._offset: int = item.get("offset", 0)
        self._strides: list[int] | None = item.get("strides")
        self._dtype = dtype
        self._shape = shape

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self._shape) * self._dtype.itemsize

    def check(self) -> None:
        """Check that the array lies within its block.

        Raises
        ------
        NotUnderstood
            If not, or if the block cannot be read.
        """
        block = self._block
        if block.codec not in ("", "zlib", "bzp2"):
            raise NotUnderstood(f"a block with the compression {block.codec}")
        length = block.used if not block.codec else block.size
        if self._strides is None:
            low, high = 0, self.nbytes
        else:
            spans = [(n - 1) * s for n, s in zip(self._shape, self._strides, strict=True)]
            low = sum(span for span in spans if span < 0)
            high = sum(span for span in spans if span > 0) + self._dtype.itemsize
        if self.nbytes and (self._offset + low < 0 or self._offset + high > length):
            raise NotUnderstood("an array that does not fit into its block")
        if (block.codec or self._strides is not None) and length > MAX_BYTES:
            raise NotUnderstood("a compressed or strided array of more than 2 GiB")

    def read(self, source: ByteSource, index: tuple[slice, ...]) -> Values:
        """Return a part of the stored values.

        Raises
        ------
        NotUnderstood
            If the block does not give them.
        """
        self.check()
        if self._block.codec or self._strides is not None or not self._shape:
            return self._whole(source)[index]
        start, stop, step = index[0].indices(self._shape[0])
        row = self.nbytes // self._shape[0] if self._shape[0] else 0
        rows = max(0, stop - start)
        data = source.pread(self._block.offset + self._offset + start * row, rows * row)
        if len(data) != rows * row:
            raise NotUnderstood("a block that is cut short")
        values = np.frombuffer(data, self._dtype).reshape(rows, *self._shape[1:])
        return values[(slice(None, None, step), *index[1:])]

    def _whole(self, source: ByteSource) -> Values:
        data = source.pread(self._block.offset, self._block.used)
        if self._block.codec:
            data = _decompress(data, self._block)
        try:
            return np.ndarray(self._shape, self._dtype, data, self._offset, self._strides)
        except (ValueError, TypeError) as error:
            raise NotUnderstood(f"an array that does not fit into its block: {error}") from None


def _decompress(data: bytes, block: Block) -> bytes:
    """Decompress a block, never to more than it says."""
    try:
        if block.codec == "zlib":
            result = zlib.decompressobj().decompress(data, block.size or 1)
        else:
            result = bz2.BZ2Decompressor().decompress(data, block.size)
    except (zlib.error, OSError, ValueError, EOFError) as error:
        raise NotUnderstood(f"a compressed block: {error}") from None
    if len(result) != block.size:
        raise NotUnderstood("a compressed block of another length than it says")
    return result
