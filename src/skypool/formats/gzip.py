"""Files inside a gzip wrapper (RFC 1952), such as the archive's ``.fits.gz``.

The content is stored like any file. The wrapper is described so that the compressed file can be
made again byte for byte: by the parameters with which zlib gives the same stream, or else by the
stream itself (``docs/format/documents.md``, *Recipe of a file*).
"""

from __future__ import annotations

import base64
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from skypool.codec.chunking import write_bytes
from skypool.codec.digest import Hasher
from skypool.codec.reading import RecipeReader
from skypool.codec.recipes import RecipeCheck
from skypool.codec.segments import segment_from_json
from skypool.errors import UsageError
from skypool.formats.parsing import NotUnderstood

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource, ChunkSink, Fetch

__all__ = ["MODES", "Rewrapped", "Unwrapped", "is_gzip", "open_gzip", "rewrap"]

MAGIC = b"\x1f\x8b\x08"
MODES = ("exact", "content")
_STEP = 256 * 1024
# Content up to this size stays in memory while it is read, more goes to a temporary file.
_IN_MEMORY = 32 * 1024 * 1024
# Content that parameters are tried on before they are tried on all of it, and in which pieces.
_PROBE = 128 * 1024
_PROBE_STEP = 16 * 1024
# Longest header and trailer that stand in the document.
_LONGEST = 4096
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT = 2, 4, 8, 16
# What compressors say of their level in the header (RFC 1952, XFL), and what it means.
_FIRST_LEVEL = {2: 9, 4: 1}
# zlib's own default, and the memory level of GNU gzip and pigz.
_MEMORY = (8, 9)


def is_gzip(head: bytes) -> bool:
    """Say whether a file that starts with these bytes is a gzip file."""
    return head.startswith(MAGIC)


class _Spool:
    """A `ByteSource` over bytes that were written one behind the other."""

    def __init__(self) -> None:
        self.size = 0
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        if self._file is None and self.size + len(data) > _IN_MEMORY:
            self._file = tempfile.TemporaryFile(prefix="skypool-")  # noqa: SIM115 (see close)
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)
        self.size += len(data)

    def finish(self) -> None:
        if self._file is not None:
            self._file.flush()

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        if self._file is None:
            return bytes(memoryview(self._memory)[offset : offset + length])
        pieces = []
        while length > 0:
            piece = os.pread(self._file.fileno(), length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(slots=True)
class Unwrapped:
    """A gzip file, opened. Close it, or use it in a ``with`` statement.

    Attributes
    ----------
    source
        The compressed file.
    content
        The bytes inside, all members one behind the other.
    members
        How many gzip members the file has.
    stream
        Offsets of the start and end of the deflate stream of the first member.
    """

    source: ByteSource
    content: ByteSource
    members: int
    stream: tuple[int, int]
    _spool: _Spool = field(repr=False)

    def __enter__(self) -> Unwrapped:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the temporary file back."""
        self._spool.close()

    def wrapper(self, sink: ChunkSink, mode: str = "exact") -> dict[str, Any]:
        """Describe the wrapper, storing the compressed stream where that is needed.

        Parameters
        ----------
        sink
            Takes the stream's chunks.
        mode
            ``exact``: the same compressed bytes come back; ``content``: only the content
            is kept.

        Returns
        -------
        dict
            The recipe's ``wrapper``.
        """
        if mode not in MODES:
            raise UsageError(f"the mode {mode!r} is none of {' and '.join(MODES)}")
        described: dict[str, Any] = {"is": "gzip", "size": self.source.size}
        found = self._parameters() if mode == "exact" else None
        if mode == "content" or found is not None:
            described["hash"] = self._hash()
            return described | (found or {})
        check = RecipeCheck()
        stream = write_bytes(self.source, 0, self.source.size, sink, check)
        return described | {"hash": check.digest().hex(), "stream": [stream.to_json()]}

    def _hash(self) -> str:
        hasher = Hasher()
        for data in _pieces(self.source, 0, self.source.size):
            hasher.update(data)
        return hasher.digest().hex()

    def _parameters(self) -> dict[str, Any] | None:
        """Find the parameters with which zlib gives the stream; None if there are none."""
        start, stop = self.stream
        behind = self.source.size - stop
        if self.members != 1 or start > _LONGEST or behind > _LONGEST:
            return None
        header = self.source.pread(0, start)
        first = _FIRST_LEVEL.get(header[8], 6)
        levels = sorted(range(1, 10), key=lambda level: (level != first, -level))
        tries = [(level, memory) for level in levels for memory in _MEMORY]
        for level, memory in tries:
            if self._gives(level, memory, _PROBE) and self._gives(level, memory, None):
                return {
                    "header": base64.b64encode(header).decode(),
                    "level": level,
                    "memory": memory,
                    "strategy": zlib.Z_DEFAULT_STRATEGY,
                    "trailer": base64.b64encode(self.source.pread(stop, behind)).decode(),
                }
        return None

    def _gives(self, level: int, memory: int, limit: int | None) -> bool:
        """Say whether the content compresses to the stream; with *limit*, only its start."""
        position, stop = self.stream
        length = self.content.size if limit is None else min(limit, self.content.size)
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15, memory)
        for piece in _pieces(self.content, 0, length, _STEP if limit is None else _PROBE_STEP):
            made = deflate.compress(piece)
            if made and self.source.pread(position, len(made)) != made:
                return False
            position += len(made)
        if limit is not None:
            return position <= stop
        made = deflate.flush()
        return position + len(made) == stop and self.source.pread(position, len(made)) == made


def _pieces(source: ByteSource, start: int, stop: int, step: int = _STEP) -> Iterator[bytes]:
    for offset in range(start, stop, step):
        yield source.pread(offset, min(step, stop - offset))


def open_gzip(source: ByteSource) -> Unwrapped:
    """Open a gzip file and decompress it.

    Parameters
    ----------
    source
        The compressed file. Several members are taken as one content; bytes behind
        the last member that are no gzip are allowed, as gzip itself does.

    Raises
    ------
    NotUnderstood
        If it is not gzip, is cut short, or its check sums do not fit.
    """
    spool = _Spool()
    try:
        return _unwrap(source, spool)
    except BaseException:
        spool.close()
        raise


def _unwrap(source: ByteSource, spool: _Spool) -> Unwrapped:
    offset = 0
    members = 0
    stream = (0, 0)
    while True:
        start = offset + _header_length(source, offset)
        stop = _inflate(source, start, spool)
        if members == 0:
            stream = (start, stop)
        members += 1
        offset = stop + 8
        if not is_gzip(source.pread(offset, 3)):
            break
    spool.finish()
    return Unwrapped(source, spool, members, stream, spool)


def _header_length(source: ByteSource, offset: int) -> int:
    """Return the length of a member's header."""
    head = source.pread(offset, _LONGEST)
    if not is_gzip(head):
        raise NotUnderstood("not gzip: no magic number at its start")
    if len(head) < 10:
        raise NotUnderstood("the gzip file is cut short within its header")
    flags = head[3]
    if flags & 0xE0:
        raise NotUnderstood(f"the gzip header has unknown flags (0x{flags:02X})")
    length = 10
    if flags & _FEXTRA:
        length += 2 + int.from_bytes(source.pread(offset + 10, 2), "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            length = _behind_text(source, offset, length)
    if flags & _FHCRC:
        length += 2
    if offset + length > source.size:
        raise NotUnderstood("the gzip file is cut short within its header")
    return length


def _behind_text(source: ByteSource, offset: int, start: int) -> int:
    """Return where a text that ends in a zero byte ends."""
    while True:
        piece = source.pread(offset + start, _LONGEST)
        at = piece.find(b"\0")
        if at >= 0:
            return start + at + 1
        if not piece or start > 1024 * 1024:
            raise NotUnderstood("the gzip file is cut short within its header")
        start += len(piece)


def _inflate(source: ByteSource, start: int, spool: _Spool) -> int:
    """Decompress one member into the spool; return the offset behind its deflate stream."""
    inflate = zlib.decompressobj(-15)
    position, crc, length = start, 0, 0
    while not inflate.eof:
        data = inflate.unconsumed_tail
        if not data:
            data = source.pread(position, _STEP)
            position += len(data)
        if not data:
            raise NotUnderstood(
                f"the gzip file is cut short: its stream has no end at byte {source.size}"
            )
        try:
            # The limit keeps memory small where little input gives much output.
            made = inflate.decompress(data, 16 * _STEP)
        except zlib.error as error:
            raise NotUnderstood(
                f"the gzip stream is damaged near byte {position}: {error}"
            ) from None
        crc = zlib.crc32(made, crc)
        length += len(made)
        spool.write(made)
    stop = position - len(inflate.unused_data)
    trailer = source.pread(stop, 8)
    if len(trailer) < 8:
        raise NotUnderstood("the gzip file is cut short within its last 8 bytes")
    if struct.unpack("<II", trailer) != (crc, length & 0xFFFFFFFF):
        raise NotUnderstood("the check sum or length of the gzip file does not fit its content")
    return stop


class Rewrapped:
    """The bytes of a gzip file, made again; iterate over it once.

    Parameters
    ----------
    content
        The content in pieces, in order; not read where the stream itself is kept.
    wrapper
        The recipe's ``wrapper``.
    fetch
        Gives the chunks of a kept stream.

    Attributes
    ----------
    exact : bool
        After the last piece: the bytes are those of the file that was put in.
    """

    def __init__(self, content: Iterable[bytes], wrapper: Mapping[str, Any], fetch: Fetch) -> None:
        self._content = content
        self._wrapper = wrapper
        self._fetch = fetch
        self.exact = False

    def __iter__(self) -> Iterator[bytes]:
        hasher = Hasher()
        for piece in self._pieces():
            hasher.update(piece)
            yield piece
        self.exact = hasher.digest().hex() == self._wrapper["hash"]

    def _pieces(self) -> Iterator[bytes]:
        wrapper = self._wrapper
        if "stream" in wrapper:
            segments = [segment_from_json(segment) for segment in wrapper["stream"]]
            yield from RecipeReader(segments, self._fetch).blocks()
            return
        header = base64.b64decode(wrapper["header"]) if "header" in wrapper else _PLAIN_HEADER
        yield header
        deflate = zlib.compressobj(
            wrapper.get("level", 6),
            zlib.DEFLATED,
            -15,
            wrapper.get("memory", 8),
            wrapper.get("strategy", zlib.Z_DEFAULT_STRATEGY),
        )
        crc, length = 0, 0
        for piece in self._content:
            crc = zlib.crc32(piece, crc)
            length += len(piece)
            made = deflate.compress(piece)
            if made:
                yield made
        yield deflate.flush()
        if "trailer" in wrapper:
            yield base64.b64decode(wrapper["trailer"])
        else:
            yield struct.pack("<II", crc, length & 0xFFFFFFFF)


# No name, no time, unknown system: the same content always gives the same bytes.
_PLAIN_HEADER = MAGIC + b"\0\0\0\0\0\0\xff"


def rewrap(content: Iterable[bytes], wrapper: Mapping[str, Any], fetch: Fetch) -> Rewrapped:
    """Make a gzip file again.

    Parameters
    ----------
    content
        The content in pieces, in order.
    wrapper
        The recipe's ``wrapper``.
    fetch
        Gives the chunks of a kept stream.

    Returns
    -------
    Rewrapped
        Iterate over it for the bytes, then ask `exact`: zlib of another version may give
        other bytes for the same content.
    """
    return Rewrapped(content, wrapper, fetch)
