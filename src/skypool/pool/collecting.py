"""Garbage collection: giving back the space of what no version reaches.

docs/design/006-garbage-and-rebuild.md tells why each step is safe beside writers, readers
and other collections, and after a crash at any point.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skypool.catalogue.collecting import PackUse, PlacedRow
from skypool.catalogue.interface import ChunkPlace
from skypool.catalogue.reclaiming import Reclaim
from skypool.codec.documents import loads
from skypool.errors import Damaged, Locked
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.reaching import reached
from skypool.pool.repacking import Repacker
from skypool.storage.filelayer import FileLayer, Handle
from skypool.storage.looking import list_folder, status_of
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_layout import HEADER_SIZE
from skypool.storage.pack_scan import PackReader, pack_name, sealed_index

if TYPE_CHECKING:
    from skypool.pool.view import View

__all__ = ["GRACE", "Collector", "GcReport"]

GRACE = 3600.0
_LEFTOVER_AGE = 86400.0
# Rewriting a pack pays where more than this share of it is of no use.
_WASTE = 0.25
_TRIES = 10


@dataclass(slots=True)
class GcReport:
    """What garbage collection found, and gave back.

    Attributes
    ----------
    reclaimable : int
        Bytes that could be given back, as found at the start.
    reclaimed : int
        Bytes that were given back; 0 in a dry run.
    chunks : int
        Chunks in those packs that nothing needs.
    packs : int
        Packs removed or rewritten, or to be.
    leftovers : int
        Temporary files of interrupted work.
    documents : int
        Documents of commits that never happened, in the catalogue.
    busy : int
        Packs left alone because a writer has them.
    young : int
        Packs left alone because they were written to within the grace time.
    damaged : int
        Packs left alone because what is needed of them is damaged.
    """

    reclaimable: int = 0
    reclaimed: int = 0
    chunks: int = 0
    packs: int = 0
    leftovers: int = 0
    documents: int = 0
    busy: int = 0
    young: int = 0
    damaged: int = 0


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
    dry_run
        Only look.
    grace
        Seconds for which a pack is left alone after it was written to.
    on_progress
        Told how far the work is.
    """

    def __init__(
        self, view: View, *, dry_run: bool, grace: float, on_progress: OnProgress | None
    ) -> None:
        self._session = view.session
        self._folder = view.session.folder
        self._files: FileLayer = view.session.folder.files
        self._dry_run = dry_run
        self._grace = grace
        self._on_progress = on_progress
        self._marked = 0
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
            if not self._dry_run:
                with session.committing():
                    marks.forgive()
            self._mark(marks)
            victims = self._choose(marks)
            self.report.documents = marks.find_orphans()
            self._leftovers()
            self.report.packs = len(victims)
            self.report.reclaimable += sum(_waste(victim) for victim in victims)
            self.report.chunks = sum(v.use.dead for v in victims if v.cut is None)
            if not self._dry_run:
                self._give_back(marks, victims)
        return self.report

    # -- looking

    def _mark(self, marks: Reclaim) -> None:
        """Mark all chunks that the documents of versions reach, since the last time."""
        catalogue = self._session.catalogue
        head = catalogue.head()
        if head == self._marked:
            return
        first = self._marked == 0
        total = marks.count_documents(head) if first else 0
        for count, (_, digest) in enumerate(marks.documents(self._marked, head)):
            if first and count % 256 == 0:
                self._tell("marking", count, total)
            marks.add(digest)
            try:
                document = loads(self._session.fetch(digest))
                for digests in reached(document, self._session.fetch):
                    marks.add(digests)
            except Damaged as error:
                raise Damaged(
                    f"what the document {digest.hex()} needs cannot be told: {error.message}",
                    hint="nothing was given back; `skypool verify` lists what is hurt",
                ) from None
        marks.flush()
        self._marked = head

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
        limit = time.time() - self._grace
        for name, (path, held) in sorted(entries.items()):
            state = states[name]
            if state is None:
                continue
            victim = self._victim(path, name, state, uses.get(name, PackUse()))
            if victim is None:
                continue
            if held:
                self.report.busy += 1
            elif state.st_mtime > limit and self._grace > 0:
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
        with PackReader(self._files, path) as reader:
            sealed = sealed_index(reader)
        index = size - sealed[0].offset if sealed is not None else 0
        if size - HEADER_SIZE - index - use.needed > _WASTE * size:
            return _Victim(path, name, size, mtime_ns, use)
        if sealed is None and size > use.end:
            return _Victim(path, name, size, mtime_ns, use, cut=use.end)
        return None

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
        limit = time.time() - _LEFTOVER_AGE
        for folder in (self._folder.path, self._folder.packs):
            found = [entry for entry in list_folder(folder) if entry.name.endswith(".tmp")]
            for entry in found:
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if state.st_mtime > limit or not entry.is_file(follow_symlinks=False):
                        continue
                    self.report.leftovers += 1
                    self.report.reclaimable += state.st_size
                    if not self._dry_run:
                        self._files.unlink(entry.path)
                        self.report.reclaimed += state.st_size

    # -- giving back

    def _give_back(self, marks: Reclaim, victims: list[_Victim]) -> None:
        marks.gather(victim.use.number for victim in victims if victim.cut is None)
        total = sum(victim.size for victim in victims)
        done = 0
        with contextlib.closing(Repacker(self._session)) as repacker:
            for count, victim in enumerate(victims):
                self._tell("giving back", count, len(victims), done, total, victim.path)
                self._take(marks, victim, repacker)
                done += victim.size
        with self._session.committing():
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
                    self._replace(marks, victim, repacker)
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

    def _replace(self, marks: Reclaim, victim: _Victim, repacker: Repacker) -> None:
        """Copy what is needed of a pack, give it its new place, and remove the pack."""
        number = victim.use.number
        marks.condemn(number)
        # Commits up to here knew nothing of it; later ones clear what they reuse.
        self._mark(marks)
        marks.absolve(number)
        moved: dict[PlacedRow, ChunkPlace] = {}
        doubled: dict[PlacedRow, ChunkPlace | PlacedRow] = {}
        wanted = marks.survivors(number)
        written = 0
        for _ in range(_TRIES):
            single = repacker.without_doubles(marks, wanted, doubled)
            try:
                written += repacker.copy(victim.path, single, moved)
            except Damaged:
                self.report.damaged += 1
                marks.forgive()
                return
            missing = marks.replace_pack(number, moved, doubled)
            if missing is None:
                self._files.unlink(victim.path)
                self.report.reclaimed += victim.size - written
                return
            wanted = missing
        raise _Busy

    def _check_epoch(self) -> None:
        if self._session.epoch != self._epoch:
            raise Locked(
                f"the catalogue of {self._folder.path} was rebuilt meanwhile",
                hint="what was given back so far is; run gc again for the rest",
            )

    def _tell(
        self, stage: str, items: int, total: int, done: int = 0, size: int = 0, name: str = ""
    ) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(stage, items, total, done, size, name))


def _waste(victim: _Victim) -> int:
    if victim.cut is not None:
        return victim.size - victim.cut
    # What is needed takes a header in its new pack; that of an index is left out.
    return victim.size - victim.use.needed - (HEADER_SIZE if victim.use.needed else 0)
