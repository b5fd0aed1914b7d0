"""The commit log: which commits happened, in order (docs/format/commits.md).

The log is a prefix of what the catalogue holds; whoever commits appends, under the log's
lock, all records that it lacks.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import google_crc32c

from skypool.codec.compression import RAW, ZSTD, decode, encode
from skypool.codec.digest import digest
from skypool.codec.packing import packed_parts
from skypool.errors import Damaged, StorageError
from skypool.storage.filelayer import FileLayer, Handle, locked
from skypool.storage.looking import size_of

__all__ = [
    "START",
    "CommitLog",
    "LogPosition",
    "LogRecord",
    "has_record",
    "pack_record",
    "whole_records",
]

MAGIC = b"\x8bSKC"
_HEADER = struct.Struct("<4sB3xQQQ32sI")
_CRC = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
_COMPRESS_FROM = 512
_WINDOW = 1 << 20


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


class LogRecord(NamedTuple):
    """One record: its payload, the position behind it, and all its bytes."""

    payload: bytes
    end: LogPosition
    data: bytes


def pack_record(payload: bytes, before: LogPosition) -> bytes:
    """Return the bytes of the record behind a position.

    Parameters
    ----------
    payload
        The payload; or that as `pack` compresses it; or the whole record as another pool with the
        same beginning has it, whose bytes must stay as they are (another zstd may write others).
    before
        Where the log ends.

    Raises
    ------
    Damaged
        If a whole record does not follow that position.
    """
    if payload.startswith(MAGIC):
        _, _, number, _, _, previous, _ = _HEADER.unpack_from(payload)
        if (number, previous) != (before.number + 1, before.previous):
            raise Damaged(f"a record of commit {number} does not follow commit {before.number}")
        return payload
    packed = packed_parts(payload)
    if packed is not None:
        codec, (length, stored) = ZSTD, packed
    else:
        codec, length = ZSTD if len(payload) >= _COMPRESS_FROM else RAW, len(payload)
        stored = encode(payload, codec)
    header = _HEADER.pack(
        MAGIC,
        codec,
        before.number + 1,
        length,
        len(stored),
        before.previous,
        google_crc32c.value(stored),
    )
    return header + _CRC.pack(google_crc32c.value(header)) + stored


def whole_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return number and payload of all whole records in some bytes of a log, chained or not."""
    at = data.find(MAGIC)
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
                    yield number, decode(payload, codec, 1, length)
                    step = HEADER_SIZE + stored
        at = data.find(MAGIC, at + step)


def has_record(data: bytes) -> bool:
    """Return whether a whole record starts somewhere in bytes behind the end of a log."""
    return next(whole_records(data), None) is not None


def _same(mine: bytes, others: bytes) -> int:
    """Return how many bytes at the start of two texts are the same."""
    low, high = 0, min(len(mine), len(others))
    while low < high:
        middle = (low + high + 1) // 2
        if mine[:middle] == others[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class CommitLog:
    """The file `commits.log`.

    Parameters
    ----------
    path
        The file.
    files
        The file layer.
    """

    def __init__(self, path: str, files: FileLayer) -> None:
        self.path = path
        self._files = files

    def create(self) -> None:
        """Make the empty log where there is none."""
        try:
            handle = self._files.create_exclusive(self.path)
        except FileExistsError:
            return
        self._files.close(handle)

    def records(self, after: LogPosition = START) -> Iterator[LogRecord]:
        """Return the records behind a position, up to the first that is not valid."""
        try:
            handle = self._files.open_read(self.path)
        except FileNotFoundError:
            return
        try:
            yield from self._scan(handle, after)
        finally:
            self._files.close(handle)

    def end(self, after: LogPosition = START) -> LogPosition:
        """Return the end of the valid part of the log, looking from a known position."""
        position = after
        for record in self.records(after):
            position = record.end
        return position

    def end_before(self, limit: int) -> LogPosition:
        """Return the end of the last record that ends at or before an offset.

        Only headers are looked at: the log is known to be good up to there.
        """
        handle = self._files.open_read(self.path)
        try:
            number = offset = start = 0
            while True:
                header = self._files.pread(handle, offset, HEADER_SIZE)
                if len(header) < HEADER_SIZE or offset + HEADER_SIZE > limit:
                    break
                end = offset + HEADER_SIZE + _HEADER.unpack_from(header)[4]
                if end > limit:
                    break
                number, start, offset = number + 1, offset, end
            if not number:
                return START
            last = self._files.pread(handle, start, offset - start)
            return LogPosition(number, offset, digest(last))
        finally:
            self._files.close(handle)

    def digests(self, until: LogPosition) -> Iterator[bytes]:
        """Return the digests of the records up to a position, in order; only headers are read."""
        if not until.number:
            return
        handle = self._files.open_read(self.path)
        try:
            offset = 0
            for number in range(until.number):
                header = self._files.pread(handle, offset, HEADER_SIZE)
                _, _, _, _, stored, previous, _ = _HEADER.unpack_from(header)
                if number:
                    yield previous
                offset += HEADER_SIZE + stored
            yield until.previous
        finally:
            self._files.close(handle)

    def common(self, other: CommitLog) -> int:
        """Return how many bytes at the start of two logs are the same."""
        done = 0
        handles = [self._files.open_read(self.path), other._files.open_read(other.path)]
        try:
            while True:
                mine = self._files.pread(handles[0], done, _WINDOW)
                others = other._files.pread(handles[1], done, _WINDOW)
                if mine != others or not mine:
                    return done + _same(mine, others)
                done += len(mine)
        finally:
            self._files.close(handles[0])
            other._files.close(handles[1])

    def check(self, position: LogPosition) -> None:
        """Check that the log still reaches to a position.

        Raises
        ------
        Damaged
            If not: a record written there would stand behind a hole that nobody reads across.
        """
        size = size_of(self.path)
        if size is None or size < position.offset:
            what = "is missing" if size is None else "has lost records"
            raise Damaged(
                f"the log {self.path} {what}: it has to reach to commit {position.number}",
                hint="put it back from a copy of the pool; until then it can be read only",
            )

    def append(self, payloads: Iterable[tuple[int, bytes]], after: LogPosition) -> LogPosition:
        """Append the records that the log lacks, and make them durable.

        Parameters
        ----------
        payloads
            Number and record of commits, in order; those that the log has are passed over.
        after
            A position known to be valid, from which the end is looked for.

        Returns
        -------
        LogPosition
            The end of the log.

        Raises
        ------
        Damaged
            If a commit between the log's last and the first given is missing.
        """
        self.check(after)
        with locked(self._files, self.path, exclusive=True, writing=True) as handle:
            position = after
            for record in self._scan(handle, after):
                position = record.end
            buffers = []
            start = position.offset
            for number, payload in payloads:
                if number <= position.number:
                    continue
                if number != position.number + 1:
                    raise Damaged(
                        f"the log {self.path} ends with commit {position.number}, and commit "
                        f"{number} was to follow",
                        hint="`skypool verify` tells what is damaged",
                    )
                data = pack_record(payload, position)
                buffers.append(data)
                position = LogPosition(number, position.offset + len(data), digest(data))
            if buffers and self._files.size(handle) > start:
                self._files.truncate(handle, start)  # the torn tail of a dead writer
            # What others have appended since is written once more, as it is: their sync may
            # have failed, and a sync tells nothing of bytes that the system takes for clean.
            doubtful = self._files.pread(handle, after.offset, start - after.offset)
            self._write(handle, start, doubtful, buffers)
            return position

    def _write(self, handle: Handle, start: int, doubtful: bytes, buffers: list[bytes]) -> None:
        """Write records and make the log durable up to its end.

        It is made durable even where nothing is written: the writer of the last records may
        have died before it could. After a failure what was written is cut off: the next commit
        has less to repeat, and a crash leaves no more than it must.
        """
        try:
            self._files.write(handle, start - len(doubtful), [doubtful, *buffers])
            self._files.sync(handle)
        except BaseException:
            with contextlib.suppress(StorageError):
                self._files.truncate(handle, start)
            raise

    def _scan(self, handle: Handle, after: LogPosition) -> Iterator[LogRecord]:
        size = self._files.size(handle)
        position = after
        while position.offset + HEADER_SIZE <= size:
            record = self._read(handle, position, size)
            if record is None:
                return
            position = record.end
            yield record

    def _read(self, handle: Handle, at: LogPosition, size: int) -> LogRecord | None:
        header = self._files.pread(handle, at.offset, HEADER_SIZE)
        if len(header) < HEADER_SIZE:
            return None
        magic, codec, number, length, stored, previous, crc = _HEADER.unpack_from(header)
        fits = (
            magic == MAGIC
            and _CRC.unpack_from(header, _HEADER.size)[0]
            == google_crc32c.value(header[: _HEADER.size])
            and number == at.number + 1
            and previous == at.previous
            and at.offset + HEADER_SIZE + stored <= size
        )
        if not fits:
            return None
        payload = self._files.pread(handle, at.offset + HEADER_SIZE, stored)
        if google_crc32c.value(payload) != crc:
            return None
        try:
            raw = decode(payload, codec, 1, length)
        except Damaged:
            return None
        end = LogPosition(number, at.offset + HEADER_SIZE + stored, digest(header + payload))
        return LogRecord(raw, end, header + payload)
