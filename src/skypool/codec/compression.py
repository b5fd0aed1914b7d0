"""Codecs of stored chunks (docs/format/packs.md, *Record header*).

A chunk's name does not depend on its codec. The byte shuffle groups the bytes of
equal weight of all elements; zstd then finds the slowly varying ones.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from skypool.codec.buffers import Buffer
from skypool.codec.direct import decompressed
from skypool.codec.scratch import scratch
from skypool.errors import Damaged

if TYPE_CHECKING:
    import numpy as np

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["RAW", "SHUFFLE", "ZSTD", "choose", "decode", "encode"]

RAW = 0
ZSTD = 1
SHUFFLE = 2

LEVEL = 1
# A gain below this share of the raw size is not worth the time of decoding.
WORTHWHILE = 0.97
# Smaller chunks are decompressed as fast by the module of Python; there are no larger ones.
_DIRECT = range(16 << 10, 64 << 20)

_local = threading.local()


def _compress(data: Buffer, level: int) -> bytes:
    # A compressor keeps tables of hundreds of kilobytes: one per thread and level is reused.
    compressors = getattr(_local, "compressors", None)
    if compressors is None:
        compressors = _local.compressors = {}
    compressor = compressors.get(level)
    if compressor is None:
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: level,
            zstd.CompressionParameter.content_size_flag: 1,
        }
        compressor = compressors[level] = zstd.ZstdCompressor(options=options)
    return bytes(compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME))


def shuffle(raw: Buffer, itemsize: int) -> bytes | np.ndarray:
    """Return the bytes of *raw* grouped by their place in the element."""
    import numpy as np  # here, so that listing a pool starts without it

    data = np.frombuffer(raw, dtype=np.uint8)
    whole = data.size - data.size % itemsize
    if itemsize == 1 or whole == 0:
        return data
    out = np.empty(data.size, np.uint8)
    out[:whole].reshape(itemsize, -1)[:] = data[:whole].reshape(-1, itemsize).T
    out[whole:] = data[whole:]
    return out


def unshuffle(data: Buffer, itemsize: int) -> bytes:
    """Undo `shuffle`."""
    import numpy as np

    array = np.frombuffer(data, dtype=np.uint8)
    whole = array.size - array.size % itemsize
    if itemsize == 1 or whole == 0:
        return array.tobytes()
    planes = array[:whole].reshape(itemsize, -1)
    out = scratch("elements", whole)
    if itemsize in (2, 4):
        _merge(planes, out)
    else:
        # Plane by plane: three times faster than transposing as a whole.
        elements = out.reshape(-1, itemsize)
        for number in range(itemsize):
            elements[:, number] = planes[number]
    return out.tobytes() + array[whole:].tobytes() if whole < array.size else out.tobytes()


def _merge(planes: np.ndarray, out: np.ndarray) -> None:
    """Merge planes of bytes, the lowest first, into words.

    Arithmetic with whole planes is vectorized; writing every second byte is not.
    """
    import numpy as np

    bits = 8 * planes.itemsize
    target = out if len(planes) == 2 else scratch("words", out.size)
    words = target.view(f"<u{2 * planes.itemsize}").reshape(len(planes) // 2, -1)
    np.copyto(words, planes[1::2])
    np.left_shift(words, bits, out=words)
    np.bitwise_or(words, planes[::2], out=words)
    if len(words) > 1:
        _merge(words, out)


def encode(raw: Buffer, codec: int, itemsize: int = 1, level: int = LEVEL) -> bytes:
    """Return the payload that stores *raw*.

    Parameters
    ----------
    raw
        The chunk.
    codec
        `RAW`, `ZSTD` or `SHUFFLE`.
    itemsize
        Bytes of one element, for the shuffle.
    level
        Compression level of zstd.
    """
    if codec == RAW:
        return bytes(raw)
    return _compress(shuffle(raw, itemsize) if codec == SHUFFLE else raw, level)


def decode(payload: Buffer, codec: int, itemsize: int, raw_length: int) -> bytes:
    """Return the chunk that a payload stores.

    Raises
    ------
    Damaged
        If the payload is not of that codec or does not give *raw_length* bytes.
    """
    if codec == RAW:
        raw = bytes(payload)
    elif codec in (ZSTD, SHUFFLE):
        found = _decompress(payload, raw_length)
        raw = unshuffle(found, itemsize) if codec == SHUFFLE else bytes(found)
    else:
        raise Damaged(f"a chunk has the unknown codec {codec}")
    if len(raw) != raw_length:
        raise Damaged(f"a chunk has {len(raw)} bytes instead of {raw_length}")
    return raw


def _decompress(payload: Buffer, raw_length: int) -> Buffer:
    if raw_length in _DIRECT:
        direct = decompressed(payload, raw_length)
        if direct is not None:
            return direct
    decompressor = zstd.ZstdDecompressor()
    try:
        # One byte more than expected is enough to notice a frame that is too long,
        # and a damaged frame cannot fill the memory.
        raw: bytes = decompressor.decompress(payload, raw_length + 1)
    except (zstd.ZstdError, EOFError) as error:
        raise Damaged(f"a chunk cannot be decompressed ({error})") from None
    if not decompressor.eof:
        if len(raw) > raw_length:
            raise Damaged(f"a chunk has more than {raw_length} bytes")
        # A frame whose end lies behind the last byte of content.
        try:
            raw += decompressor.decompress(b"", 1)
        except (zstd.ZstdError, EOFError) as error:
            raise Damaged(f"a chunk cannot be decompressed ({error})") from None
        if not decompressor.eof:
            raise Damaged("the compressed bytes of a chunk end too early")
    return raw


def choose(raw: Buffer, itemsize: int, level: int = LEVEL) -> tuple[int, bytes]:
    """Return the better codec for *raw*, and its payload.

    Coverage maps and other data with few values are smaller without the shuffle,
    noisy data with it, so both are tried.
    """
    plain = _compress(raw, level)
    best, codec = plain, ZSTD
    if itemsize > 1:
        shuffled = _compress(shuffle(raw, itemsize), level)
        if len(shuffled) < len(plain):
            best, codec = shuffled, SHUFFLE
    if len(best) > WORTHWHILE * memoryview(raw).nbytes:
        return RAW, bytes(raw)
    return codec, best
