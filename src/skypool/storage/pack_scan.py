"""Reading packs from end to end (docs/format/packs.md, *Scanning, and torn tails*)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from skypool.codec.compression import decode
from skypool.codec.digest import digest
from skypool.errors import Damaged, StorageError
from skypool.storage.filelayer import FileLayer, LocalFiles
from skypool.storage.pack_layout import (
    BLOCK,
    BLOCK_LIMIT,
    CHUNK,
    CHUNK_LIMIT,
    HEADER_SIZE,
    INDEX,
    TRAILER_SIZE,
    Location,
    RecordHeader,
    Trailer,
    View,
    aligned,
    block_members,
    crc32c,
    index_entries,
    read_pack_header,
    read_record_header,
    read_trailer,
)

__all__ = [
    "Gap",
    "PackReader",
    "Record",
    "decoded",
    "entries_of",
    "pack_name",
    "pool_of_pack",
    "scan_pack",
    "sealed_index",
    "walk",
]

_WINDOW = 4 << 20
_SMALL_WINDOW = 16 << 10
_MAGIC = b"\x8bSKR"


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose header is good.

    Attributes
    ----------
    offset : int
        In the pack.
    header : RecordHeader
        Its header.
    payload : bytes-like or None
        As stored; None for a chunk where the walk does not look at payloads.
    good : bool
        Whether the payload has the CRC of the header (true where nobody looked).
    """

    offset: int
    header: RecordHeader
    payload: View | None
    good: bool

    @property
    def end(self) -> int:
        """Offset behind the payload; the padding follows."""
        return self.offset + HEADER_SIZE + self.header.stored


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes between records that are not one: damage, or a torn tail."""

    offset: int
    end: int


class PackReader:
    """Windows on the bytes of a pack.

    Parameters
    ----------
    files
        The file layer.
    path
        The pack.
    window
        Bytes read at once.
    """

    def __init__(self, files: FileLayer, path: str, window: int = _WINDOW) -> None:
        self._files = files
        self._window = window
        self._start = 0
        self._data = b""
        self.path = path
        self._handle = files.open_read(path)
        try:
            self.size = files.size(self._handle)
        except BaseException:
            files.close(self._handle)
            raise

    def __enter__(self) -> PackReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._files.close(self._handle)

    def view(self, offset: int, length: int) -> memoryview:
        """Return bytes of the pack; fewer only at its end."""
        length = max(0, min(length, self.size - offset))
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._data):
            wanted = min(max(length, self._window), self.size - offset)
            self._data = self._files.pread(self._handle, offset, max(0, wanted))
            self._start, begin = offset, 0
        return memoryview(self._data)[begin : begin + length]


def pack_name(path: str) -> bytes:
    """Return the name that a pack's file name gives.

    Raises
    ------
    StorageError
        If the file name is not that of a pack.
    """
    stem, suffix = os.path.splitext(os.path.basename(path))
    with contextlib.suppress(ValueError):
        name = bytes.fromhex(stem)
        if suffix == ".pack" and len(name) == 16 and stem == name.hex():
            return name
    raise StorageError(f"{path} is not the name of a pack", hint="packs are <32 hex digits>.pack")


def pool_of_pack(path: str, files: FileLayer) -> bytes | None:
    """Return the identifier of the pool that a pack says it is of; None if it cannot be read."""
    try:
        with PackReader(files, path, HEADER_SIZE) as reader:
            header = read_pack_header(bytes(reader.view(0, HEADER_SIZE)))
    except FileNotFoundError:
        return None
    return None if header is None else header.pool


def walk(
    reader: PackReader, start: int = HEADER_SIZE, *, check: bool = True
) -> Iterator[Record | Gap]:
    """Yield what a pack holds from *start*, in order, records and gaps between them.

    Parameters
    ----------
    reader
        The pack.
    start
        Offset of a record.
    check
        Whether the payloads of all records are read and their CRCs checked; else only
        those of blocks.
    """
    offset = start
    while offset < reader.size:
        record = _record_at(reader, offset, check=check)
        if record is None:
            found = _next_record(reader, offset + 8)
            yield Gap(offset, found)
            offset = found
        else:
            yield record
            offset = aligned(record.end)


def _record_at(reader: PackReader, offset: int, *, check: bool) -> Record | None:
    header = read_record_header(reader.view(offset, HEADER_SIZE))
    if header is None or offset + HEADER_SIZE + header.stored > reader.size:
        return None
    if not check and header.kind != BLOCK:
        return Record(offset, header, None, good=True)
    payload = reader.view(offset + HEADER_SIZE, header.stored)
    good = len(payload) == header.stored and crc32c(payload) == header.crc
    return Record(offset, header, payload, good)


def _next_record(reader: PackReader, offset: int) -> int:
    """Return the offset of the next record header, or the end of the pack."""
    while offset < reader.size:
        window = bytes(reader.view(offset, _WINDOW))
        place = window.find(_MAGIC)
        while place >= 0:
            # Only a header whose CRC fits counts; the magic bytes alone occur by chance.
            at = offset + place
            if at % 8 == 0 and _record_at(reader, at, check=False) is not None:
                return at
            place = window.find(_MAGIC, place + 1)
        # The magic bytes may lie across two windows; records start at multiples of 8.
        offset += max(8, (len(window) - 4) & ~7) if len(window) > 8 else 8
    return reader.size


def decoded(record: Record) -> bytes:
    """Return the decoded payload of a record that was read, checked against its digest.

    Raises
    ------
    Damaged
        If it does not decode, or is not what its digest names.
    """
    header = record.header
    limit = BLOCK_LIMIT if header.kind == BLOCK else CHUNK_LIMIT
    if header.kind != INDEX and header.raw > limit:
        raise Damaged(f"a record claims {header.raw} bytes, more than the format allows")
    raw = decode(record.payload or b"", header.codec, header.itemsize, header.raw)
    if digest(raw) != header.digest:
        raise Damaged("the bytes of a record do not have its digest")
    return raw


def entries_of(record: Record, pack: bytes, raw: bytes) -> Iterator[tuple[bytes, Location]]:
    """Yield digest and location of what a record holds.

    Parameters
    ----------
    record
        A chunk or a block.
    pack
        Name of the pack.
    raw
        Decoded payload of a block; not looked at for a chunk.
    """
    header = record.header
    stored = HEADER_SIZE + header.stored
    if header.kind == CHUNK:
        yield header.digest, Location(pack, record.offset, stored, None, header.raw)
    elif header.kind == BLOCK:
        for name, start, length in block_members(raw):
            yield name, Location(pack, record.offset, stored, start, length)


def sealed_index(reader: PackReader) -> tuple[Trailer, bytes | None] | None:
    """Return trailer and decoded index of a sealed pack; None if it is not sealed.

    The index is None where it is damaged.
    """
    if reader.size < HEADER_SIZE + TRAILER_SIZE:
        return None
    trailer = read_trailer(bytes(reader.view(reader.size - TRAILER_SIZE, TRAILER_SIZE)))
    if trailer is None:
        return None
    if trailer.offset % 8 or not HEADER_SIZE <= trailer.offset < reader.size:
        return trailer, None
    record = _record_at(reader, trailer.offset, check=True)
    if record is None or record.header.kind != INDEX or not record.good:
        return trailer, None
    if aligned(record.end) != reader.size - TRAILER_SIZE:
        return trailer, None
    try:
        index = decoded(record)
    except Damaged:
        return trailer, None
    return trailer, index if len(index) == trailer.entries * 52 else None


def scan_pack(
    path: str,
    files: FileLayer | None = None,
    *,
    start: int = HEADER_SIZE,
    check: bool = True,
    use_index: bool = True,
    damaged: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[bytes, Location]]:
    """Yield digest and location of every chunk in a pack, in the order of the file.

    A sealed pack is read by its index. Else every record is looked at; behind
    damage the scan goes on at the next good record.

    Parameters
    ----------
    path
        The pack.
    files
        The file layer; the local one if None.
    start
        Offset of a record; what is before it is left out.
    check
        Whether payloads are read and their CRCs checked, where there is no index.
        Without, a record whose payload a crash tore is reported like a good one.
    use_index
        False to look at the records of sealed packs too.
    damaged
        Called with start and end of every range that is not a good record, the
        torn tail included.
    """
    name = pack_name(path)
    report = _ignore if damaged is None else damaged
    window = _WINDOW if check else _SMALL_WINDOW
    with PackReader(LocalFiles() if files is None else files, path, window) as reader:
        sealed = sealed_index(reader)
        if use_index and sealed is not None and sealed[1] is not None:
            for entry in index_entries(name, sealed[1]):
                if entry[1].offset >= start:
                    yield entry
            return
        if start == HEADER_SIZE and read_pack_header(bytes(reader.view(0, HEADER_SIZE))) is None:
            report(0, min(HEADER_SIZE, reader.size))
        if sealed is not None:
            reader.size -= TRAILER_SIZE
        for item in walk(reader, start, check=check):
            if isinstance(item, Gap):
                report(item.offset, item.end)
            elif not item.good:
                report(item.offset, min(aligned(item.end), reader.size))
            elif item.header.kind != INDEX:
                try:
                    raw = decoded(item) if item.header.kind == BLOCK else b""
                    entries = list(entries_of(item, name, raw))
                except Damaged:
                    report(item.offset, aligned(item.end))
                    continue
                yield from entries


def _ignore(start: int, end: int) -> None:
    """Take no notice."""
