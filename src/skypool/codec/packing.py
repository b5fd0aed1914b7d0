"""Long texts and long lists of rows, compressed while they are made: there may be a million."""

from __future__ import annotations

import marshal
import struct
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from skypool.codec.compression import LEVEL, RAW, ZSTD, decode, encode
from skypool.errors import Damaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["PackedRows", "pack", "packed_parts", "unpacked"]

# No text of JSON, and no record of a log, begins like this.
_MAGIC: Final = b"\x8bSKZ"
_HEADER: Final = struct.Struct("<4sQ")
_PART: Final = 1000
_STEP: Final = 1 << 18


def pack(parts: Iterable[bytes]) -> bytes:
    """Return a text compressed, with its length before it; it is never in memory as a whole."""
    compressor = zstd.ZstdCompressor(level=LEVEL)
    length = 0
    found = [b""]
    for part in parts:
        length += len(part)
        found.append(compressor.compress(part))
    found.append(compressor.flush())
    found[0] = _HEADER.pack(_MAGIC, length)
    return b"".join(found)


def packed_parts(data: bytes) -> tuple[int, bytes] | None:
    """Return length and compressed bytes of what `pack` made; None for anything else."""
    if data[: len(_MAGIC)] != _MAGIC:
        return None
    _, length = _HEADER.unpack_from(data)
    return length, bytes(data[_HEADER.size :])


def unpacked(payload: bytes, codec: int, raw_length: int) -> Iterator[bytes]:
    """Yield what `codec.compression.decode` gives, in parts.

    Parameters
    ----------
    payload
        As it is stored.
    codec
        `RAW` or `ZSTD`.
    raw_length
        Bytes that it has to give.

    Raises
    ------
    Damaged
        If the payload is not of that codec or does not give as many; some may have come then.
    """
    if codec not in (RAW, ZSTD):
        raise Damaged(f"a record has the unknown codec {codec}")
    steps = (payload[start : start + _STEP] for start in range(0, len(payload), _STEP))
    length = 0
    for part in steps if codec == RAW else _decompressed(steps):
        length += len(part)
        if length > raw_length:
            raise Damaged(f"a record has more than {raw_length} bytes")
        yield part
    if length < raw_length:
        raise Damaged(f"a record has {length} bytes instead of {raw_length}")


def _decompressed(steps: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zstd.ZstdDecompressor()
    try:
        for step in steps:
            rest = step
            while not decompressor.eof:
                part = decompressor.decompress(rest, 4 * _STEP)
                rest = b""
                if part:
                    yield part
                elif decompressor.needs_input:
                    break
    except (zstd.ZstdError, EOFError) as error:
        raise Damaged(f"a record cannot be decompressed ({error})") from None
    if not decompressor.eof:
        raise Damaged("the compressed bytes of a record end too early")


class PackedRows:
    """Rows of texts, bytes and whole numbers that are asked for in their order.

    A thousand together are compressed: a row with a path and a digest takes about 60 bytes, and as
    objects 400.

    Parameters
    ----------
    rows
        The first ones.
    """

    def __init__(self, rows: Iterable[tuple[Any, ...]] = ()) -> None:
        self._parts: list[tuple[bytes, int]] = []
        self._last: list[tuple[Any, ...]] = []
        self.extend(rows)

    def append(self, row: tuple[Any, ...]) -> None:
        """Add a row."""
        self.extend((row,))

    def extend(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows."""
        rest = iter(rows)
        while some := list(islice(rest, _PART - len(self._last))):
            self._last += some
            if len(self._last) < _PART:
                return
            # Version 2 looks for no objects that occur twice: zstd finds what they have in common.
            raw = marshal.dumps(self._last, 2)
            self._parts.append((encode(raw, ZSTD), len(raw)))
            self._last = []

    def __len__(self) -> int:
        return _PART * len(self._parts) + len(self._last)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self.since(0)

    def since(self, start: int) -> Iterator[tuple[Any, ...]]:
        """Return the rows from one on."""
        skipped = min(start // _PART, len(self._parts))
        found = chain(map(_unpacked, self._parts[skipped:]), [self._last])
        return islice(chain.from_iterable(found), start - skipped * _PART, None)


def _unpacked(part: tuple[bytes, int]) -> list[tuple[Any, ...]]:
    data, length = part
    # What this process has written itself.
    rows: list[tuple[Any, ...]] = marshal.loads(decode(data, ZSTD, 1, length))  # noqa: S302
    return rows
