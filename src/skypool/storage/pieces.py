"""Encoding of chunks on the way into a pack, ready to be appended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from skypool.codec.buffers import Buffer
from skypool.codec.compression import RAW, SHUFFLE, ZSTD, choose, encode
from skypool.codec.digest import digest
from skypool.storage.pack_layout import BLOCK, CHUNK, SMALL, View, make_block, make_record_header

__all__ = [
    "Chosen",
    "Encoded",
    "Piece",
    "StreamCodec",
    "block_piece",
    "chosen_at_once",
    "encode_pieces",
    "flat",
]

Chosen: TypeAlias = tuple[int, bytes]
"""The codec of a chunk, and what it gives."""

# A gain below this share of the raw size is not worth the time of decoding.
_WORTHWHILE = 0.97
_SAMPLES = 4
_SAMPLE_BYTES = 8 << 10
# A sample that shrinks to less than this share says nothing about the run of chunks:
# it is a blank corner of a map, or the like.
_TELLS_NOTHING = 1 / 200
_RAW_RUN = 8  # raw chunks between two looks at whether compression pays again
_BLOCK_LEVEL = 3  # blocks hold documents: few bytes, read often


@dataclass(slots=True)
class Piece:
    """A record to be.

    Attributes
    ----------
    names : list of (digest, start or None, length)
        The chunks in it.
    raw : bytes
        Decoded payload.
    kind : int
        `CHUNK` or `BLOCK`.
    codec, itemsize : int
        How to encode it.
    payload : bytes or None
        What that gives, where it was made already.
    """

    names: list[tuple[bytes, int | None, int]]
    raw: bytes
    kind: int = CHUNK
    codec: int = RAW
    itemsize: int = 1
    payload: bytes | None = None


@dataclass(slots=True)
class Encoded:
    """A record as it will be in the pack."""

    names: list[tuple[bytes, int | None, int]]
    header: bytes
    payload: View


def flat(raw: Buffer) -> bytes | memoryview:
    """Return the bytes of *raw*, an array of any type included, without a copy."""
    if isinstance(raw, bytes):
        return raw
    view = memoryview(raw)
    if view.nbytes == 0:
        return b""
    if view.ndim == 1 and view.format == "B" and view.contiguous:
        return view
    # Arrays in FITS order have a format that memoryview.cast refuses.
    import numpy as np

    return memoryview(np.frombuffer(raw, np.uint8))


class StreamCodec:
    """Chooses the codec for a run of chunks of one sort from samples of the first.

    The choice is made where the chunks come in, in their order, so that the same
    input gives the same pack; samples keep it cheap.

    Parameters
    ----------
    itemsize
        Bytes of one element.
    """

    def __init__(self, itemsize: int) -> None:
        self.itemsize = itemsize if 1 <= itemsize <= 255 else 1
        self._codec: int | None = None
        self._raw_run = 0

    def pick(self, raw: memoryview, chosen: Chosen | None = None) -> tuple[int, bytes | None]:
        """Return the codec for the next chunk, and what it gives, where that was found out.

        *chosen* is what `chosen_at_once` gave for it, if that was asked before.
        """
        if self._codec == RAW:
            self._raw_run += 1
            if self._raw_run % _RAW_RUN:
                return RAW, None
        elif self._codec is not None:
            return self._codec, None
        samples = self._samples(raw)
        codec, payload = chosen or choose(samples, self.itemsize)
        if len(payload) < len(samples) * _TELLS_NOTHING:
            self._codec = None
            return (SHUFFLE if self.itemsize > 1 else ZSTD), None
        self._codec = codec
        return codec, payload if len(samples) == raw.nbytes else None

    def _samples(self, raw: memoryview) -> bytes:
        size = raw.nbytes
        if size <= _SAMPLES * _SAMPLE_BYTES:
            return bytes(raw)
        length = _SAMPLE_BYTES - _SAMPLE_BYTES % self.itemsize
        parts = []
        for number in range(_SAMPLES):
            start = (size - length) * number // (_SAMPLES - 1)
            start -= start % self.itemsize
            parts.append(raw[start : start + length])
        return b"".join(parts)


def chosen_at_once(raw: bytes, itemsize: int) -> Chosen | None:
    """Return the better codec for a chunk and what it gives, as the first of a run has it.

    None for chunks that share a block, and for long ones: their codec is chosen by samples.
    """
    if SMALL <= len(raw) <= _SAMPLES * _SAMPLE_BYTES:
        return choose(raw, StreamCodec(itemsize).itemsize)
    return None


def block_piece(members: list[tuple[bytes, bytes]]) -> Piece:
    """Return the record that several small chunks share.

    Parameters
    ----------
    members
        Digest and bytes of each.
    """
    raw, starts = make_block(members)
    names: list[tuple[bytes, int | None, int]] = [
        (name, start, len(data)) for (name, data), start in zip(members, starts, strict=True)
    ]
    return Piece(names, raw, kind=BLOCK, codec=ZSTD)


def encode_pieces(pieces: list[Piece]) -> list[Encoded]:
    """Encode records, with their headers and checks."""
    return [_encode_piece(piece) for piece in pieces]


def _encode_piece(piece: Piece) -> Encoded:
    raw, codec, itemsize = piece.raw, piece.codec, piece.itemsize
    level = _BLOCK_LEVEL if piece.kind == BLOCK else 1
    payload = piece.payload or (raw if codec == RAW else encode(raw, codec, itemsize, level))
    if codec != RAW and len(payload) > _WORTHWHILE * len(raw):
        payload, codec = raw, RAW
    name = digest(raw) if piece.kind == BLOCK else piece.names[0][0]
    header = make_record_header(
        piece.kind, codec, itemsize if codec == SHUFFLE else 1, len(raw), payload, name
    )
    return Encoded(piece.names, header, payload)
