"""Rewriting packs: what is needed of one is copied, record by record, into a new one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from skypool.catalogue.chunks import chunk_key
from skypool.catalogue.collecting import PlacedRow
from skypool.catalogue.interface import ChunkPlace
from skypool.errors import Damaged
from skypool.storage.pack_layout import HEADER_SIZE, INDEX
from skypool.storage.pack_scan import Gap, PackReader, Record, decoded, entries_of, scan_pack, walk
from skypool.storage.pack_writer import PackWriter, create_pack
from skypool.storage.store import ChunkStore, Location

if TYPE_CHECKING:
    from skypool.catalogue.reclaiming import Reclaim
    from skypool.pool.session import Session

__all__ = ["Repacker"]


class Repacker:
    """Copies records out of packs, into packs that are rolled like all others.

    Parameters
    ----------
    session
        The open pool.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder = session.folder
        self._files = session.folder.files
        self._target: PackWriter | None = None
        # Reads what is on disk, not what is in memory.
        self._plain = ChunkStore(self._folder.packs, self._folder.id, self._files, cache_bytes=0)

    def close(self) -> None:
        """Give up the pack written to, which others may go on with."""
        try:
            self._end_target()
        finally:
            self._plain.close()

    def without_doubles(
        self,
        marks: Reclaim,
        wanted: Iterable[PlacedRow],
        doubled: dict[PlacedRow, ChunkPlace | PlacedRow],
    ) -> list[PlacedRow]:
        """Set aside the chunks that can be read from another place too.

        Parameters
        ----------
        marks
            The catalogue's rows.
        wanted
            The chunks.
        doubled
            Takes those set aside, with their other place.

        Returns
        -------
        list of PlacedRow
            The others.
        """
        single: dict[int, PlacedRow] = {}
        more = []
        for row in wanted:
            # One that was set aside before has lost its other place meanwhile.
            again = row in doubled
            place = None if again else self._double(marks, row)
            twin = None if again else single.get(row.key)
            if place is not None:
                doubled[row] = place
            elif twin is not None and self._digest_at(row.key, row.place) == self._digest_at(
                row.key, twin.place
            ):
                doubled[row] = twin
            else:
                doubled.pop(row, None)
                more.append(row)
                single.setdefault(row.key, row)
        return more

    def _double(self, marks: Reclaim, row: PlacedRow) -> ChunkPlace | None:
        """Return another place of a chunk, read and found good; None if there is none."""
        others = marks.others(row)
        digest = self._digest_at(row.key, row.place) if others else None
        for place in others:
            found = self._digest_at(row.key, place)
            # Where its own record cannot be read there is nothing to lose: the key decides.
            if found is not None and digest in (None, found):
                with contextlib.suppress(Damaged):
                    self._plain.read(Location(*place), found)
                    return place
        return None

    def _digest_at(self, key: int, place: ChunkPlace) -> bytes | None:
        """Return the whole digest of a chunk, of which the catalogue has only the start."""
        path = os.path.join(self._folder.packs, f"{place.pack.hex()}.pack")
        entries = scan_pack(path, self._files, start=place.offset, check=False, use_index=False)
        with contextlib.suppress(FileNotFoundError):
            for digest, at in entries:
                if at.offset != place.offset:
                    break
                if chunk_key(digest) == key and at.member == place.member:
                    return digest
        return None

    def copy(self, path: str, wanted: list[PlacedRow], moved: dict[PlacedRow, ChunkPlace]) -> int:
        """Copy records as they are into a new pack, durably; return the bytes that took.

        Raises
        ------
        Damaged
            If one of them is not good.
        """
        rows: dict[int, list[PlacedRow]] = {}
        for row in wanted:
            rows.setdefault(row.place.offset, []).append(row)
        if not rows:
            return 0
        grown = 0
        copied: dict[PlacedRow, ChunkPlace] = {}
        with PackReader(self._files, path) as reader:
            for record in _records(reader, rows):
                head = bytes(reader.view(record.offset, HEADER_SIZE))
                names = [
                    (digest, at.member, at.length)
                    for digest, at in entries_of(record, b"", decoded(record))
                ]
                held = {(chunk_key(digest), start) for digest, start, _ in names}
                for row in rows[record.offset]:
                    if (row.key, row.place.member) not in held:
                        raise Damaged(f"{path} has no such chunk at {record.offset}")
                before = self._target.end if self._target is not None else 0
                target = self._open_target()
                offset = target.append(head, bytes(record.payload or b""), names)
                for row in rows.pop(record.offset):
                    copied[row] = row.place._replace(pack=target.name, offset=offset)
                grown += target.end - before
                if self._session.store.is_full(target):
                    before = target.end
                    target.seal()
                    grown += target.end - before
                    self._end_target()
        if rows:
            raise Damaged(f"{path} has no good records at {sorted(rows)[:3]}")
        if self._target is not None:
            self._target.sync()
        moved.update(copied)
        return grown

    def _open_target(self) -> PackWriter:
        if self._target is None:
            # A new one: a pack to go on with may be the next to be rewritten.
            self._target = create_pack(self._files, self._folder.packs, self._folder.id)
        return self._target

    def _end_target(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            try:
                if not target.failed:
                    target.sync()
            finally:
                target.release()


def _records(reader: PackReader, offsets: Iterable[int]) -> Iterator[Record]:
    """Return the good records at some offsets."""
    for offset in sorted(offsets):
        item = next(walk(reader, offset), None)
        if item is None or isinstance(item, Gap) or item.offset != offset:
            continue
        if item.good and item.header.kind != INDEX:
            yield item
