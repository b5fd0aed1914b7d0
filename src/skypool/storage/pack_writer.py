"""Appending to packs: creation, takeover, sealing (docs/design/003-packs-and-writers.md)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from skypool.codec.compression import choose
from skypool.codec.digest import digest
from skypool.errors import SkypoolError, StorageError
from skypool.storage.filelayer import FileLayer, Handle
from skypool.storage.looking import status_of
from skypool.storage.pack_layout import (
    HEADER_SIZE,
    INDEX,
    INDEX_ENTRY,
    NOT_A_MEMBER,
    TRAILER_SIZE,
    View,
    aligned,
    make_pack_header,
    make_record_header,
    make_trailer,
    read_pack_header,
)
from skypool.storage.pack_scan import Gap, PackReader, pack_name, scan_pack, sealed_index, walk

__all__ = ["ROLL_BYTES", "PackWriter", "create_pack", "remove_pack", "take_over_pack"]

ROLL_BYTES = 256 << 20
_BUFFERED = 2 << 20  # bytes gathered before they are written
_PADDING = (b"", b"\0" * 7, b"\0" * 6, b"\0" * 5, b"\0" * 4, b"\0" * 3, b"\0" * 2, b"\0")


class PackWriter:
    """The one writer of one pack; holds its lock until `release`.

    Made by `create_pack` and `take_over_pack`. Not safe for threads: whoever has
    it, has it alone.

    Attributes
    ----------
    name : bytes
        Name of the pack.
    path : str
        Where it is.
    end : int
        Offset at which the next record will start.
    created : bool
        This process made the pack, it was not taken over.
    failed : bool
        A write or a sync has failed; the pack takes no more records.
    doubtful : bool
        A sync has failed: what of the pack will be there after a crash is unknown.
    sealed : bool
        The pack is complete and has its index.
    """

    def __init__(
        self, files: FileLayer, handle: Handle, name: bytes, end: int, *, new: bool, durable: int
    ) -> None:
        self._files = files
        self._handle = handle
        self._folder_synced = not new
        self.created = new
        self._parts: list[View] = []
        self._written = end
        # Up to here all is on disk for sure; records of dead writers may follow.
        self._durable = durable
        self._index = bytearray()
        self._index_start = end
        self.name = name
        self.path = handle.path
        self.end = end
        self.failed = False
        self.doubtful = False
        self.sealed = False

    def append(
        self, header: bytes, payload: View, names: Sequence[tuple[bytes, int | None, int]]
    ) -> int:
        """Append a record and return its offset.

        Parameters
        ----------
        header
            Its 64 bytes.
        payload
            As stored.
        names
            Per chunk in it: digest, start in the decoded block (None for a chunk
            that has the record to itself) and length.

        Raises
        ------
        StorageError
            If the bytes cannot be written, or earlier ones could not.
        """
        self._check_usable()
        offset = self.end
        stored = HEADER_SIZE + len(payload)
        for name, member, length in names:
            start = NOT_A_MEMBER if member is None else member
            self._index += INDEX_ENTRY.pack(name, offset, stored, start, length)
        self._parts += (header, payload, _PADDING[stored & 7])
        self.end = aligned(offset + stored)
        if self.end - self._written >= _BUFFERED:
            self.write_out()
        return offset

    def write_out(self) -> None:
        """Hand the records gathered so far to the system."""
        if not self._parts:
            return
        self._check_usable()
        try:
            self._files.write(self._handle, self._written, self._parts)
        except BaseException:
            # A torn record at the end is cut off by whoever takes the pack over.
            self.failed = True
            self._parts.clear()
            with contextlib.suppress(SkypoolError, OSError):
                self._cut_torn_record()
            raise
        self._parts.clear()
        self._written = self.end

    def sync(self) -> None:
        """Make all records durable, and the pack's name if it is new.

        Raises
        ------
        StorageError
            If that fails. The pack is then given up for good: what of it is on disk
            is unknown, and a second sync would say nothing about it.
        """
        self.write_out()
        self._check_usable(sealed=True)
        try:
            if self._durable < self._written:
                self._files.sync(self._handle)
            if not self._folder_synced:
                self._files.sync_folder(os.path.dirname(self.path))
        except BaseException:
            self.failed = self.doubtful = True
            with contextlib.suppress(SkypoolError, OSError):
                self._forget_unsynced()
            raise
        self._folder_synced = True
        self._durable = self._written

    def seal(self) -> None:
        """Write the index and the trailer; the pack takes no more records.

        What earlier writers left in the pack is scanned for the index. Records are made
        durable before the index, and the index before the trailer: whoever finds a
        trailer counts on both, after a power cut too. The trailer is not durable
        before `sync`.
        """
        self._check_usable()
        self.sync()
        raw = bytes(self._earlier_entries() + self._index)
        codec, payload = choose(raw, 1)
        header = make_record_header(INDEX, codec, 1, len(raw), payload, digest(raw))
        offset = self.append(header, payload, ())
        self.sync()
        self._parts.append(make_trailer(offset, len(raw) // INDEX_ENTRY.size))
        self.end += TRAILER_SIZE
        self.write_out()
        self.sealed = True
        self._index.clear()

    def remove(self) -> None:
        """Remove the pack, which no one has been told of, and release it."""
        self._parts.clear()
        try:
            self._files.unlink(self.path)
        finally:
            self.release()

    def release(self) -> None:
        """Give up the lock and close the pack; records not written out are lost."""
        self._parts.clear()
        if self._handle.fd >= 0:
            # By hand, since a forked child may have inherited the open file.
            # Where that fails, closing ends the lock.
            with contextlib.suppress(StorageError):
                self._files.unlock(self._handle)
            self._files.close(self._handle)

    def __del__(self) -> None:
        # Of a pool that nobody closed. Not unlocked by hand: this may be a forked child.
        self._files.close(self._handle)

    def disown(self) -> None:
        """Close the file in a forked child; the lock stays with the parent."""
        self._parts.clear()
        self.failed = True
        self._files.close(self._handle)

    def cut(self, end: int) -> None:
        """Cut off all records from *end*, which no one has been told of.

        Used when a commit is abandoned; see the design note for when that is safe.
        """
        self._parts.clear()
        if self.failed or self.sealed or end > self.end:
            return
        # The index of a sealed pack must not name what is gone.
        entries = INDEX_ENTRY.iter_unpack(bytes(self._index))
        keep = sum(1 for entry in entries if entry[1] < end)
        del self._index[keep * INDEX_ENTRY.size :]
        try:
            if self._written > end:
                self._files.truncate(self._handle, end)
        except BaseException:
            self.failed = True
            raise
        self.end = end
        self._written = min(self._written, end)
        self._durable = min(self._durable, end)

    def _check_usable(self, *, sealed: bool = False) -> None:
        if self.failed or self._handle.fd < 0 or (self.sealed and not sealed):
            raise StorageError(
                f"{self.path} takes no more records", hint="try again; a new pack will be used"
            )

    def _earlier_entries(self) -> bytearray:
        entries = bytearray()
        if self._index_start > HEADER_SIZE:
            # Checked: a rebuild of the catalogue believes the index.
            for name, place in scan_pack(self.path, self._files, use_index=False):
                if place.offset >= self._index_start:
                    break
                member = NOT_A_MEMBER if place.member is None else place.member
                entries += INDEX_ENTRY.pack(name, place.offset, place.stored, member, place.length)
        return entries

    def _cut_torn_record(self) -> None:
        """Leave whole records behind after a failed write, as far as that goes."""
        size = self._files.size(self._handle)
        end = self._written
        with PackReader(self._files, self.path) as reader:
            for item in walk(reader, end, check=False):
                if isinstance(item, Gap) or item.end > size:
                    break
                end = item.end
        self._files.truncate(self._handle, end)

    def _forget_unsynced(self) -> None:
        # What follows would be read from memory, and be gone after a crash. Of a pack taken
        # over without knowing how much of it is durable, nothing can be cut off.
        if self._durable or self.created:
            try:
                self._files.truncate(self._handle, self._durable)
            except StorageError:
                if self._durable:
                    raise
                self._files.unlink(self.path)


def create_pack(files: FileLayer, folder: str, pool: bytes) -> PackWriter:
    """Start a new pack under a name that was never used, and lock it.

    Parameters
    ----------
    files
        The file layer.
    folder
        Folder of the packs.
    pool
        Identifier of the pool, 16 bytes.
    """
    while True:
        name = os.urandom(16)
        try:
            handle = files.create_exclusive(os.path.join(folder, f"{name.hex()}.pack"))
        except FileExistsError:
            continue
        # Another process may look at the pack before it is locked; it finds no header
        # and lets go again, but this try may fail for it.
        try:
            taken = files.lock(handle, exclusive=True, wait=1.0)
            # gc without grace removes an empty pack
            taken = taken and _still_there(handle)
        except BaseException:
            files.close(handle)
            raise
        if not taken:
            files.close(handle)
            continue
        writer = PackWriter(files, handle, name, 0, new=True, durable=0)
        writer._parts.append(make_pack_header(pool, name, time.time_ns()))
        writer.end = writer._index_start = HEADER_SIZE
        return writer


def take_over_pack(
    files: FileLayer, path: str, pool: bytes, committed_end: int | None = None
) -> PackWriter | None:
    """Go on with an unsealed pack whose writer is gone; None if that cannot be.

    The torn tail is cut off. A pack that is damaged before its last good record is
    left as it is: a doubtful place is none to put new data.

    Parameters
    ----------
    files
        The file layer.
    path
        The pack.
    pool
        Identifier of the pool.
    committed_end
        Offset behind the last record that a commit refers to: a good place to start
        the examination. It must have been asked for after the lock was free, or be
        older; None to examine the whole pack.
    """
    try:
        handle = files.open_update(path)
    except (OSError, StorageError):
        return None  # gone meanwhile, or not ours to write
    try:
        writer = _examined(files, handle, pool, committed_end)
    except BaseException:
        files.close(handle)
        raise
    if writer is None:
        files.close(handle)
    return writer


def _examined(
    files: FileLayer, handle: Handle, pool: bytes, committed_end: int | None
) -> PackWriter | None:
    if not files.lock(handle, exclusive=True):
        return None
    if not _still_there(handle):
        return None  # gc removed it between opening and locking
    start = max(HEADER_SIZE, committed_end or 0)
    with PackReader(files, handle.path) as reader:
        name = pack_name(handle.path)
        header = read_pack_header(bytes(reader.view(0, HEADER_SIZE)))
        if header is None or (header.pool, header.name) != (pool, name):
            return None
        if reader.size < start or start % 8 or sealed_index(reader) is not None:
            return None
        end = _good_end(reader, start)
        if end is None:
            return None
        size = reader.size
    if size > end:
        files.truncate(handle, end)
    # The next record starts at a multiple of 8; a missing end of padding is a hole
    # that reads as zeros.
    return PackWriter(files, handle, name, aligned(end), new=False, durable=committed_end or 0)


def remove_pack(files: FileLayer, path: str) -> bool:
    """Remove a pack that nobody writes to; False if a writer holds it, or it is gone.

    Readers that have it open read on.
    """
    try:
        handle = files.open_update(path)
    except FileNotFoundError:
        return False
    try:
        if not files.lock(handle, exclusive=True) or not _still_there(handle):
            return False
        files.unlink(path)
        return True
    finally:
        files.close(handle)


def _still_there(handle: Handle) -> bool:
    here = status_of(handle.path)
    mine = os.fstat(handle.fd)
    return here is not None and os.path.samestat(here, mine)


def _good_end(reader: PackReader, start: int) -> int | None:
    """Return the end of the last good record; None if damage lies before it."""
    end: int = start
    torn = False
    for item in walk(reader, start, check=True):
        if isinstance(item, Gap) or not item.good or item.header.kind == INDEX:
            # An index without trailer is an unfinished seal.
            torn = True
        elif torn:
            return None
        else:
            padding = reader.view(item.end, aligned(item.end) - item.end)
            end = item.end + (0 if any(padding) else len(padding))
    return end
