"""Bytes of packs: headers, blocks, indexes and trailers (docs/format/packs.md).

Pure functions: nothing here opens a file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias, cast

import google_crc32c

from skypool.errors import Damaged

__all__ = [
    "ALIGNMENT",
    "BLOCK",
    "BLOCK_LIMIT",
    "CHUNK",
    "CHUNK_LIMIT",
    "HEADER_SIZE",
    "INDEX",
    "INDEX_ENTRY",
    "NOT_A_MEMBER",
    "SMALL",
    "TRAILER_SIZE",
    "Location",
    "PackHeader",
    "RecordHeader",
    "Trailer",
    "View",
    "aligned",
    "block_members",
    "crc32c",
    "index_entries",
    "make_block",
    "make_pack_header",
    "make_record_header",
    "make_trailer",
    "read_pack_header",
    "read_record_header",
    "read_trailer",
]

# What the functions here take apart.
View: TypeAlias = bytes | bytearray | memoryview

ALIGNMENT = 8
HEADER_SIZE = 64  # of a pack and of a record
TRAILER_SIZE = 32

CHUNK, BLOCK, INDEX = 1, 2, 3

SMALL = 4096  # chunks below this share blocks
BLOCK_LIMIT = 1 << 20
CHUNK_LIMIT = 64 << 20
NOT_A_MEMBER = 0xFFFFFFFF

_PACK_MAGIC = b"SKYPACK\n"
_RECORD_MAGIC = b"\x8bSKR"
_TRAILER_MAGIC = b"SKYPKEND"
_VERSION = 1
_WORTH_WRAPPING = 1024

_PACK = struct.Struct("<8sI16s16sQQ")  # and the CRC
_RECORD = struct.Struct("<4sBBBBQQ32sI")  # and the CRC
_TRAILER = struct.Struct("<8sQQ4x")  # and the CRC
_CRC = struct.Struct("<I")
_COUNT = struct.Struct("<I")
_MEMBER = struct.Struct("<32sI")
INDEX_ENTRY = struct.Struct("<32sQIII")


class Location(NamedTuple):
    """Where the bytes of a chunk are.

    Attributes
    ----------
    pack : bytes
        Name of the pack, 16 bytes.
    offset : int
        Of the record in the pack.
    stored : int
        Bytes of the record: its payload as stored, and 64; the padding not counted.
    member : int or None
        Where the chunk starts in the decoded payload of a block; None for a chunk
        that has a record of its own.
    length : int
        Bytes of the chunk, raw.
    """

    pack: bytes
    offset: int
    stored: int
    member: int | None
    length: int

    @property
    def end(self) -> int:
        """Offset behind the record and its padding."""
        return aligned(self.offset + self.stored)


class PackHeader(NamedTuple):
    """Header of a pack: identifier of the pool, name, creation time in ns."""

    pool: bytes
    name: bytes
    created: int


class RecordHeader(NamedTuple):
    """Header of a record."""

    kind: int
    codec: int
    itemsize: int
    raw: int
    stored: int
    digest: bytes
    crc: int


class Trailer(NamedTuple):
    """Trailer of a sealed pack: where its index record starts, and its entries."""

    offset: int
    entries: int


def crc32c(data: View) -> int:
    """Return the CRC-32C (Castagnoli) of *data*."""
    # The extension takes bytes and arrays, but no memoryview.
    if not isinstance(data, bytes):
        if len(data) >= _WORTH_WRAPPING:
            import numpy as np

            return int(google_crc32c.value(np.frombuffer(data, np.uint8)))
        data = bytes(data)
    return cast(int, google_crc32c.value(data))


def aligned(offset: int) -> int:
    """Return the next multiple of 8."""
    return (offset + 7) & ~7


def make_pack_header(pool: bytes, name: bytes, created: int) -> bytes:
    """Return the 64 bytes that a pack starts with."""
    head = _PACK.pack(_PACK_MAGIC, _VERSION, pool, name, created, 0)
    return head + _CRC.pack(crc32c(head))


def read_pack_header(data: bytes) -> PackHeader | None:
    """Return the header of a pack; None if it is not one."""
    if len(data) < HEADER_SIZE:
        return None
    magic, version, pool, name, created, zero = _PACK.unpack_from(data)
    if magic != _PACK_MAGIC or version != _VERSION or zero:
        return None
    if _CRC.unpack_from(data, 60)[0] != crc32c(data[:60]):
        return None
    return PackHeader(pool, name, created)


def make_record_header(
    kind: int, codec: int, itemsize: int, raw: int, payload: View, digest: bytes
) -> bytes:
    """Return the 64 bytes in front of a record's payload.

    Parameters
    ----------
    kind
        `CHUNK`, `BLOCK` or `INDEX`.
    codec, itemsize
        How the payload is coded.
    raw
        Bytes of the payload once decoded.
    payload
        The bytes as stored.
    digest
        Of the decoded payload.
    """
    stored = memoryview(payload).nbytes
    head = _RECORD.pack(
        _RECORD_MAGIC, kind, codec, itemsize, 0, raw, stored, digest, crc32c(payload)
    )
    return head + _CRC.pack(crc32c(head))


def read_record_header(data: View, offset: int = 0) -> RecordHeader | None:
    """Return the header of the record at *offset* of *data*; None if there is none."""
    if len(data) - offset < HEADER_SIZE:
        return None
    magic, kind, codec, itemsize, zero, raw, stored, digest, crc = _RECORD.unpack_from(data, offset)
    if magic != _RECORD_MAGIC or zero or not CHUNK <= kind <= INDEX or not itemsize:
        return None
    if _CRC.unpack_from(data, offset + 60)[0] != crc32c(bytes(data[offset : offset + 60])):
        return None
    return RecordHeader(kind, codec, itemsize, raw, stored, digest, crc)


def make_block(members: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, list[int]]:
    """Return the decoded payload of a block, and where each member starts in it.

    Parameters
    ----------
    members
        Digest and bytes of each.
    """
    start = _COUNT.size + _MEMBER.size * len(members)
    parts = [_COUNT.pack(len(members))]
    starts = []
    for name, data in members:
        parts.append(_MEMBER.pack(name, len(data)))
        starts.append(start)
        start += len(data)
    parts.extend(data for _, data in members)
    return b"".join(parts), starts


def block_members(payload: View) -> list[tuple[bytes, int, int]]:
    """Return digest, start and length of each member of a decoded block.

    Raises
    ------
    Damaged
        If the lengths do not fit the block.
    """
    size = len(payload)
    if size < _COUNT.size:
        raise Damaged("a block of small chunks is too short")
    (count,) = _COUNT.unpack_from(payload)
    start = _COUNT.size + _MEMBER.size * count
    if start > size:
        raise Damaged("a block of small chunks is shorter than its table")
    members = []
    table = memoryview(payload)[_COUNT.size : start]
    for name, length in _MEMBER.iter_unpack(table):
        members.append((name, start, length))
        start += length
    if start != size:
        raise Damaged("the members of a block do not fill it")
    return members


def index_entries(pack: bytes, payload: View) -> Iterator[tuple[bytes, Location]]:
    """Yield digest and location of each entry of a decoded index."""
    for name, offset, stored, member, length in INDEX_ENTRY.iter_unpack(payload):
        start = None if member == NOT_A_MEMBER else member
        yield name, Location(pack, offset, stored, start, length)


def make_trailer(offset: int, count: int) -> bytes:
    """Return the last 32 bytes of a sealed pack."""
    head = _TRAILER.pack(_TRAILER_MAGIC, offset, count)
    return head + _CRC.pack(crc32c(head))


def read_trailer(data: bytes) -> Trailer | None:
    """Return the trailer; None if the 32 bytes are not one."""
    if len(data) != TRAILER_SIZE or data[:8] != _TRAILER_MAGIC:
        return None
    _, offset, count = _TRAILER.unpack_from(data)
    return Trailer(offset, count) if make_trailer(offset, count) == data else None
