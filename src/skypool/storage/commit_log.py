"""The commit log: which commits happened, in order (docs/format/commits.md).

The log is a prefix of what the catalogue holds; whoever commits appends, under the log's
lock, all records that it lacks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from skypool.codec.digest import digest
from skypool.errors import Damaged, StorageError
from skypool.storage.commit_records import (
    HEADER_SIZE,
    START,
    LogPosition,
    LogRecord,
    has_record,
    pack_record,
    previous_digest,
    record_at,
    stored_length,
    whole_records,
)
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

_WINDOW = 1 << 20


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
                end = offset + HEADER_SIZE + stored_length(header)
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
                if number:
                    yield previous_digest(header)
                offset += HEADER_SIZE + stored_length(header)
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

        def rest(length: int) -> bytes:
            start = at.offset + HEADER_SIZE
            return self._files.pread(handle, start, length) if start + length <= size else b""

        return record_at(at, header, rest)
