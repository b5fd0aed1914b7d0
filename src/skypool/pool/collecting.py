"""Garbage collection: giving back the space of what no version reaches.

docs/design/006-garbage-and-rebuild.md tells why each step is safe beside writers, readers
and other collections, and after a crash at any point.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from skypool.catalogue.collecting import PackUse, PlacedRow
from skypool.catalogue.draft import Draft, Purge
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.reclaiming import Range, Reclaim
from skypool.catalogue.times import time_of
from skypool.codec.documents import loads
from skypool.errors import Damaged, DiskFull, Locked
from skypool.pool.gc_report import GcOptions, GcReport
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.repacking import Repacker
from skypool.pool.room import at_once, free_bytes
from skypool.storage.filelayer import FileLayer, Handle
from skypool.storage.looking import list_folder, status_of
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_layout import HEADER_SIZE, TRAILER_SIZE, Trailer, read_trailer
from skypool.storage.pack_scan import PackReader, pack_name

if TYPE_CHECKING:
    from skypool.catalogue.purging import RemovedVersions
    from skypool.pool.view import View

__all__ = ["Collector"]

_LEFTOVER_AGE = 86400.0
_TRIES = 10
_PURGED_AT_ONCE = 5000
_SPARE = 64 << 20
_clock = time.monotonic


@dataclass(frozen=True, slots=True)
class _Victim:
    """A pack that is worth the work, as it was when it was chosen."""

    path: str
    name: bytes
    size: int
    mtime_ns: int
    use: PackUse
    # Bytes to keep at the start of a pack of which only the end is cut; else None.
    cut: int | None = None


class _Busy(Exception):
    """A pack has changed, or a writer has it: it is left for another time."""


class Collector:
    """One collection.

    Parameters
    ----------
    view
        The pool.
    options
        How to.
    on_progress
        Told how far the work is.
    """

    def __init__(
        self, view: View, options: GcOptions, on_progress: OnProgress | None = None
    ) -> None:
        self._session = view.session
        self._folder = view.session.folder
        self._files: FileLayer = view.session.folder.files
        self._options = options
        self._now = time.time() if options.now is None else options.now
        # What was removed up to then, us since 1970, is given up.
        keep = options.removed_after
        self._limit = round((self._now - keep) * 1e6) if math.isfinite(keep) else -1
        self._end = _clock() + options.max_seconds
        self._on_progress = on_progress
        self._marked = 0
        self._place = (0, 0, 0, 0)
        self._epoch = view.session.epoch
        self.report = GcReport()

    def run(self) -> GcReport:
        """Look, and give back what nothing needs.

        Raises
        ------
        Damaged
            If a document cannot be read: what it needs is not known, so nothing is taken.
        """
        session = self._session
        session.store.let_go()
        with Reclaim(session.catalogue.database) as marks:
            marks.at_once = self._at_once
            removed = marks.removed(self._limit)
            self._note_removed(removed)
            marks.check(all_tables=removed.due.versions > 0)
            if not self._options.dry_run:
                with session.committing():
                    marks.forgive()
                self._purge(marks, removed)
            self._mark(marks)
            victims = self._choose(marks)
            self.report.documents = marks.find_orphans()
            self._leftovers()
            self.report.packs = len(victims)
            self.report.reclaimable += sum(_waste(victim) for victim in victims)
            self.report.chunks = sum(v.use.dead for v in victims if v.cut is None)
            if not self._options.dry_run:
                self._give_back(marks, victims)
        return self.report

    def _at_once(self, usual: int) -> int:
        return at_once(self._folder.path, usual)

    # -- what was removed long ago

    def _note_removed(self, removed: RemovedVersions) -> None:
        report = self.report
        report.purged, report.purged_bytes, _ = removed.due
        report.waiting, report.waiting_bytes, first = removed.waiting
        if report.waiting and math.isfinite(self._options.removed_after):
            report.due = time_of(first) + timedelta(seconds=self._options.removed_after)

    def _purge(self, marks: Reclaim, removed: RemovedVersions) -> None:
        """Give up what was removed long ago, in commits of bounded size."""
        session, report, total = self._session, self.report, removed.due.versions
        # What is protected by now is not counted.
        report.purged = report.purged_bytes = 0
        done = 0
        for batch in removed.batches(self._at_once(_PURGED_AT_ONCE)):
            self._tell("giving up removed versions", done, total)
            draft = Draft(session.settings.author, "gc: give up what was removed")
            draft.purge = Purge(batch, self._limit)
            commit = session.publish(draft, None).commit
            if commit is not None:
                given, size = marks.purged_by(commit)
                report.purged += given
                report.purged_bytes += size
            done += len(batch)
        # What a commit protected meanwhile stays, like all that is not given up now.
        removed.clear()

    # -- looking

    def _mark(self, marks: Reclaim) -> bool:
        """Mark all chunks that the documents of versions reach; False if no commit is new."""
        catalogue = self._session.catalogue
        head = catalogue.head()
        if head == self._marked:
            return False
        first = self._marked == 0
        dropped = self._session.dropped_here(head)
        total = marks.count_documents(head) if first else 0
        for count, (_, digest) in enumerate(marks.documents(self._marked, head)):
            if first and count % 256 == 0:
                self._tell("marking", count, total)
            marks.add(digest)
            try:
                document = loads(self._session.fetch(digest))
                for digests in self._session.needs(digest, document, dropped):
                    marks.add(digests)
            except Damaged as error:
                raise Damaged(
                    f"what the document {digest.hex()} needs cannot be told: {error.message}",
                    hint="nothing was given back; `skypool verify` lists what is hurt",
                ) from None
        marks.flush()
        self._marked = head
        return True

    def _choose(self, marks: Reclaim) -> list[_Victim]:
        entries = {}
        for entry in list_packs(self._folder.packs):
            with contextlib.suppress(FileNotFoundError):
                # Whoever holds a pack may have staged what is in it; that is asked first,
                # since a pack let go afterwards has its rows.
                entries[pack_name(entry.path)] = (entry.path, self._is_held(entry.path))
        numbers = marks.packs()
        marks.lose(number for name, number in numbers.items() if name not in entries)
        # None: another gc was faster.
        states = {name: status_of(path) for name, (path, _) in entries.items()}
        uses = marks.use()
        victims = []
        limit = self._now - self._options.grace
        for name, (path, held) in sorted(entries.items()):
            state = states[name]
            if state is None:
                continue
            victim = self._victim(path, name, state, uses.get(name, PackUse()))
            if victim is None:
                continue
            if held:
                self.report.busy += 1
            elif state.st_mtime > limit and self._options.grace > 0:
                self.report.young += 1
            else:
                victims.append(victim)
        return victims

    def _victim(
        self, path: str, name: bytes, state: os.stat_result, use: PackUse
    ) -> _Victim | None:
        size, mtime_ns = state.st_size, state.st_mtime_ns
        if use.needed == 0:
            return _Victim(path, name, size, mtime_ns, use)
        sealed = self._trailer(path)
        index = size - sealed.offset if sealed is not None else 0
        idle = size - HEADER_SIZE - index - use.needed
        if idle > self._options.waste * size:
            return _Victim(path, name, size, mtime_ns, use)
        if sealed is None and size > use.end:
            return _Victim(path, name, size, mtime_ns, use, cut=use.end)
        self.report.spread += max(0, idle)
        return None

    def _trailer(self, path: str) -> Trailer | None:
        """Return the trailer of a sealed pack, None of another; the index is not read."""
        with PackReader(self._files, path, TRAILER_SIZE) as reader:
            if reader.size < HEADER_SIZE + TRAILER_SIZE:
                return None
            return read_trailer(bytes(reader.view(reader.size - TRAILER_SIZE, TRAILER_SIZE)))

    def _is_held(self, path: str) -> bool:
        handle = self._files.open_read(path)
        try:
            if not self._files.lock(handle, exclusive=True):
                return True
            self._files.unlock(handle)
            return False
        finally:
            self._files.close(handle)

    def _leftovers(self) -> None:
        """Remove, or only count, the temporary files of interrupted work."""
        limit = self._now - _LEFTOVER_AGE
        for folder in (self._folder.path, self._folder.packs):
            found = [entry for entry in list_folder(folder) if entry.name.endswith(".tmp")]
            for entry in found:
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if state.st_mtime > limit or not entry.is_file(follow_symlinks=False):
                        continue
                    self.report.leftovers += 1
                    self.report.reclaimable += state.st_size
                    if not self._options.dry_run:
                        self._files.unlink(entry.path)
                        self.report.reclaimed += state.st_size

    # -- giving back

    def _give_back(self, marks: Reclaim, victims: list[_Victim]) -> None:
        marks.gather(victim.use.number for victim in victims if victim.cut is None)
        total = sum(victim.size for victim in victims)
        done = 0
        # What gives back most for the least copying first: the time may be up, or the user.
        victims.sort(key=_cost)
        with contextlib.closing(Repacker(self._session)) as repacker:
            for count, victim in enumerate(victims):
                if _clock() > self._end:
                    self.report.stopped = True
                    return
                self._place = (count, len(victims), done, total)
                try:
                    self._take(marks, victim, repacker)
                except DiskFull:
                    if not self.report.reclaimed:
                        raise
                    self.report.stopped = True  # what needs no copying came first
                    return
                done += victim.size
        with self._session.committing():
            self._check_epoch()  # a rebuild gives documents other numbers
            marks.forget_lost_documents()
        marks.sweep()
        self._tell("giving back", len(victims), len(victims), total, total)

    def _take(self, marks: Reclaim, victim: _Victim, repacker: Repacker) -> None:
        """Deal with one pack; it is left as it is where something is in the way."""
        try:
            # Without the pool lock a rebuild could see the pack in the midst of this.
            with self._session.committing(), self._held(victim) as handle:
                self._check_epoch()
                if victim.cut is not None:
                    self._files.truncate(handle, victim.cut)
                    self._files.sync(handle)
                    self.report.reclaimed += victim.size - victim.cut
                else:
                    # Where the copies have no room beside the pack, it shrinks as they are made.
                    tight = free_bytes(self._folder.path) < victim.use.needed + _SPARE
                    self._replace(marks, victim, repacker, handle if tight else None)
        except (_Busy, FileNotFoundError):
            self.report.busy += 1

    @contextlib.contextmanager
    def _held(self, victim: _Victim) -> Iterator[Handle]:
        """Hold a pack's lock while it is exactly as it was when its rows were read."""
        handle = self._files.open_update(victim.path)
        try:
            if not self._files.lock(handle, exclusive=True):
                raise _Busy
            state = status_of(victim.path)
            if state is None or (state.st_size, state.st_mtime_ns) != (
                victim.size,
                victim.mtime_ns,
            ):
                raise _Busy
            yield handle
        finally:
            self._files.close(handle)

    def _replace(
        self, marks: Reclaim, victim: _Victim, repacker: Repacker, shrink: Handle | None
    ) -> None:
        """Copy what is needed of a pack, give it its new place, and remove the pack.

        What is done of it stays done if this is interrupted. With *shrink*, the pack itself, it is
        dealt with from its end, and cut there as soon as what was behind is elsewhere.
        """
        number = victim.use.number
        for part in marks.ranges(number):
            self._step(victim, part.start // 2)
            marks.condemn(part)
        if self._mark(marks):
            # Commits up to here knew nothing of it; later ones clear what they reuse.
            for part in marks.ranges(number):
                marks.absolve(part)
        written = 0
        parts = marks.ranges(number)
        if shrink is not None:
            room = max(1, free_bytes(self._folder.path) // 4)
            parts = reversed(list(marks.ranges(number, room)))
        for part in parts:
            self._step(victim, (victim.size + part.start) // 2)
            grown = self._replace_part(marks, victim.path, part, repacker)
            if grown is None:
                self.report.damaged += 1
                marks.forgive()
                return
            written += grown
            if shrink is not None:
                marks.shorten(number, part.start)
                self._files.truncate(shrink, part.start)
                self._files.sync(shrink)
        if number:
            marks.forget_pack(number)
        self._files.unlink(victim.path)
        self.report.reclaimed += victim.size - written

    def _replace_part(
        self, marks: Reclaim, path: str, part: Range, repacker: Repacker
    ) -> int | None:
        """Deal with a part of a pack; return the bytes written, None if it is damaged."""
        moved: dict[PlacedRow, ChunkPlace] = {}
        doubled: dict[PlacedRow, ChunkPlace | PlacedRow] = {}
        found = marks.survivors(part)
        wanted = repacker.without_doubles(marks, (row for row in found if found[row]), doubled)
        wanted += [row for row in found if not found[row]]
        written = 0
        for _ in range(_TRIES):
            try:
                written += repacker.copy(path, wanted, moved)
            except Damaged:
                return None
            missing = marks.replace(part, moved, doubled)
            if missing is None:
                return written
            wanted = repacker.without_doubles(marks, missing, doubled)
        raise _Busy

    def _check_epoch(self) -> None:
        if self._session.epoch != self._epoch:
            raise Locked(
                f"the catalogue of {self._folder.path} was rebuilt meanwhile",
                hint="what was given back so far is; run gc again for the rest",
            )

    def _step(self, victim: _Victim, done: int) -> None:
        """Tell how far the work on a pack is."""
        count, packs, before, total = self._place
        self._tell("giving back", count, packs, before + done, total, victim.path)

    def _tell(
        self, stage: str, items: int, total: int, done: int = 0, size: int = 0, name: str = ""
    ) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(stage, items, total, done, size, name))


def _cost(victim: _Victim) -> float:
    """Return how much has to be copied for each byte that is given back."""
    return 0.0 if victim.cut is not None else victim.use.needed / max(1, _waste(victim))


def _waste(victim: _Victim) -> int:
    if victim.cut is not None:
        return victim.size - victim.cut
    # What is needed takes a header in its new pack; that of an index is left out.
    return victim.size - victim.use.needed - (HEADER_SIZE if victim.use.needed else 0)
