"""Records of the commit log (docs/format/commits.md): their bytes, and what they say.

That of a commit of a million versions takes 83 MB, its text half a gigabyte, and that as objects
of Python several: a long one is in memory as it is stored, and read in parts.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import google_crc32c

from skypool.codec.compression import RAW, ZSTD, decode, encode
from skypool.codec.digest import Hasher, digest
from skypool.codec.documents import loads
from skypool.codec.long_records import long_record
from skypool.codec.packing import packed_parts, unpacked
from skypool.errors import Damaged

__all__ = [
    "HEADER_SIZE",
    "START",
    "LogPosition",
    "LogRecord",
    "Payload",
    "has_record",
    "pack_record",
    "previous_digest",
    "record_at",
    "stored_length",
    "whole_records",
]

_MAGIC: Final = b"\x8bSKC"
_HEADER: Final = struct.Struct("<4sB3xQQQ32sI")
_CRC: Final = struct.Struct("<I")
HEADER_SIZE: Final = _HEADER.size + _CRC.size
_COMPRESS_FROM: Final = 512
# Longer texts are read in parts.
_LONG: Final = 2 << 20


class LogPosition(NamedTuple):
    """The end of a valid part of the log.

    Attributes
    ----------
    number : int
        Of the last commit before it.
    offset : int
        In the file.
    previous : bytes
        Digest of the last record.
    """

    number: int
    offset: int
    previous: bytes

    @classmethod
    def behind(cls, before: LogPosition, record: bytes) -> LogPosition:
        """Return the position behind a record that starts at a position."""
        return cls(before.number + 1, before.offset + len(record), digest(record))


START = LogPosition(0, 0, bytes(32))


class Payload:
    """What a record says, as it is stored.

    Parameters
    ----------
    codec
        `RAW` or `ZSTD`.
    length
        Bytes of its text.
    stored
        As it is in the log.

    Raises
    ------
    Damaged
        If it does not give such a text.
    """

    __slots__ = ("_text", "codec", "length", "stored")

    def __init__(self, codec: int, length: int, stored: bytes) -> None:
        self.codec = codec
        self.length = length
        self.stored = stored
        self._text: bytes | None = None
        if length <= _LONG:
            self._text = decode(stored, codec, 1, length)
        else:
            for _ in self._parts():
                pass

    @property
    def text(self) -> bytes:
        """All of the text."""
        return b"".join(self._parts()) if self._text is None else self._text

    def commit(self) -> dict[str, Any]:
        """Return what it says; long lists of a long one are `codec.documents.Listed`.

        Raises
        ------
        Damaged
            If it is no record.
        """
        if self._text is None:
            return long_record(self._parts)
        found: dict[str, Any] = loads(self._text)
        return found

    def _parts(self) -> Iterator[bytes]:
        return unpacked(self.stored, self.codec, self.length)


class LogRecord(NamedTuple):
    """One record of a log: what it says, the position behind it, and its header."""

    said: Payload
    end: LogPosition
    header: bytes

    @property
    def payload(self) -> bytes:
        """The text of what it says."""
        return self.said.text

    @property
    def data(self) -> bytes:
        """All its bytes."""
        return self.header + self.said.stored

    def commit(self) -> dict[str, Any]:
        """Return what it says; see `Payload.commit`."""
        return self.said.commit()


def stored_length(header: bytes) -> int:
    """Return how long the payload behind a header is."""
    found: int = _HEADER.unpack_from(header)[4]
    return found


def previous_digest(header: bytes) -> bytes:
    """Return the digest of the record before that of a header."""
    found: bytes = _HEADER.unpack_from(header)[5]
    return found


def pack_record(payload: bytes | Payload, before: LogPosition) -> bytes:
    """Return the bytes of the record behind a position.

    Parameters
    ----------
    payload
        The text of what it says; or that as `pack` compresses it, or as another record has it; or
        the whole record as another pool with the same beginning has it, whose bytes must stay as
        they are (another zstd may write others).
    before
        Where the log ends.

    Raises
    ------
    Damaged
        If a whole record does not follow that position.
    """
    if isinstance(payload, Payload):
        return _packed(before, payload.codec, payload.length, payload.stored)
    if payload.startswith(_MAGIC):
        _, _, number, _, _, previous, _ = _HEADER.unpack_from(payload)
        if (number, previous) != (before.number + 1, before.previous):
            raise Damaged(f"a record of commit {number} does not follow commit {before.number}")
        return payload
    packed = packed_parts(payload)
    if packed is not None:
        return _packed(before, ZSTD, *packed)
    codec = ZSTD if len(payload) >= _COMPRESS_FROM else RAW
    return _packed(before, codec, len(payload), encode(payload, codec))


def _packed(before: LogPosition, codec: int, length: int, stored: bytes) -> bytes:
    number, crc = before.number + 1, google_crc32c.value(stored)
    header = _HEADER.pack(_MAGIC, codec, number, length, len(stored), before.previous, crc)
    return header + _CRC.pack(google_crc32c.value(header)) + stored


def record_at(before: LogPosition, header: bytes, rest: Callable[[int], bytes]) -> LogRecord | None:
    """Return the record behind a position; None if there is no valid one.

    Parameters
    ----------
    before
        The position.
    header
        What is there, as long as a header at most.
    rest
        Gives so many bytes behind the header, or fewer where there are no more.
    """
    if len(header) < HEADER_SIZE:
        return None
    magic, codec, number, length, stored, previous, crc = _HEADER.unpack_from(header)
    fits = (
        magic == _MAGIC
        and _CRC.unpack_from(header, _HEADER.size)[0] == google_crc32c.value(header[: _HEADER.size])
        and (number, previous) == (before.number + 1, before.previous)
    )
    payload = rest(stored) if fits else b""
    if not fits or len(payload) < stored or google_crc32c.value(payload) != crc:
        return None
    try:
        said = Payload(codec, length, payload)
    except Damaged:
        return None
    hasher = Hasher()
    hasher.update(header)
    hasher.update(payload)
    end = LogPosition(number, before.offset + HEADER_SIZE + stored, hasher.digest())
    return LogRecord(said, end, header)


def whole_records(data: bytes) -> Iterator[tuple[int, Payload]]:
    """Return number and payload of all whole records in some bytes of a log, chained or not."""
    at = data.find(_MAGIC)
    while at >= 0:
        head = data[at : at + HEADER_SIZE]
        step = 1
        if len(head) == HEADER_SIZE:
            _, codec, number, length, stored, _, crc = _HEADER.unpack_from(head)
            fits = _CRC.unpack_from(head, _HEADER.size)[0] == google_crc32c.value(
                head[: _HEADER.size]
            )
            payload = data[at + HEADER_SIZE : at + HEADER_SIZE + stored] if fits else b""
            if fits and len(payload) == stored and google_crc32c.value(payload) == crc:
                with contextlib.suppress(Damaged):
                    yield number, Payload(codec, length, payload)
                    step = HEADER_SIZE + stored
        at = data.find(_MAGIC, at + step)


def has_record(data: bytes) -> bool:
    """Return whether a whole record starts somewhere in bytes behind the end of a log."""
    return next(whole_records(data), None) is not None
