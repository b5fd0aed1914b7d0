"""An open pool: packs, catalogue and log together, and the one way to commit.

The order of a commit (storage rule 1): chunks durable in packs; one transaction of the
catalogue gives numbers and keeps the record; the log gets, durably, every record that
it lacks; only then the commit is acknowledged.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from skypool.catalogue.draft import Draft, Published, SourceRow
from skypool.catalogue.interface import ChunkPlace, ChunksGone, IndexedDocument
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.codec.documents import loads
from skypool.codec.sinks import Fetch
from skypool.config import Settings
from skypool.errors import Damaged, Locked, QuotaExceeded, ReadOnly, SkypoolError, StorageError
from skypool.pool.damage_notes import note, take_notes
from skypool.pool.folder import PoolFolder
from skypool.pool.quota import Quota
from skypool.pool.reaching import reached, without_content
from skypool.pool.recovery import (
    bring_up_to_date,
    check_marker,
    file_identity,
    log_position,
    noted_position,
    open_catalogue,
)
from skypool.pool.room import make_reserve
from skypool.pool.sky_tables import keep_regions, regions_of, with_coverage
from skypool.storage.commit_log import LogPosition
from skypool.storage.interface import PackEnd, Writer
from skypool.storage.store import ChunkStore, Location

__all__ = ["Session"]

_DOCUMENTS_KEPT = 512
# Commits larger than this index their content beforehand, in short transactions.
_STAGE_DOCUMENTS = 2000
_STAGE_CHUNKS = 20000
_PACKS_TRIED = 8


class Session:
    """What an open pool needs at run time; shared by all its views.

    Parameters
    ----------
    folder
        The pool's folder.
    settings
        Settings from outside.
    writable
        Whether commits can be made.
    """

    def __init__(self, folder: PoolFolder, settings: Settings, *, writable: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.writable = writable
        self.store = ChunkStore(
            folder.packs,
            folder.id,
            folder.files,
            writable=writable,
            cache_bytes=settings.memory_bytes,
            relocate=self._place,
        )
        self.quota = Quota(folder)
        self._has_written = False
        self._bad: set[bytes] = set()
        # Damaged ranges of packs that nobody has marked in the catalogue yet.
        self.noted: set[tuple[bytes, int, int]] = set()
        # The epoch in which each commit in progress began.
        self._begun: WeakKeyDictionary[Writer, Any] = WeakKeyDictionary()
        self._documents: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._publishing = threading.RLock()
        # Whether the catalogue had a `-wal` file with pages when it was opened.
        self.found_wal = False
        self.catalogue: SqliteCatalogue = open_catalogue(self)
        self.store.candidates = self._unfinished_packs
        try:
            self._file = file_identity(folder.catalogue)
            self.epoch = self.catalogue.state("epoch")
            self._log_end = log_position(self.catalogue)
            bring_up_to_date(self)
            if writable:
                check_marker(self)
        except BaseException:
            self.close()
            raise

    def make_catalogue(self) -> SqliteCatalogue:
        """Return a new connection to the catalogue."""
        return SqliteCatalogue(
            self.folder.catalogue,
            writable=self.writable,
            confirm=self._confirm,
            how=self.folder.keeping,
        )

    def catalogue_lacks(self, what: str) -> Damaged:
        """Return the error for something that has to be in the catalogue and is not."""
        return Damaged(
            f"the catalogue {self.folder.catalogue} is damaged: {what} is not in it",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )

    def renew(self) -> None:
        """Take notice that the catalogue was rebuilt or completed."""
        self._log_end = log_position(self.catalogue)
        self.epoch = self.catalogue.state("epoch")
        self._bad.clear()

    # -- chunks

    def fetch(self, digest: bytes) -> bytes:
        """Return a chunk, checked against its digest.

        Raises
        ------
        Damaged
            If it is not there, or not what it was.
        """
        # What is in memory was checked when it was read: no question to the catalogue.
        cached = self.store.cached(digest)
        if cached is not None:
            return cached
        problem: Damaged | None = None
        places = self.catalogue.chunks.expected(digest) or self.catalogue.places(digest)
        for place in places:
            try:
                return self.store.read(Location(*place), digest)
            except Damaged as error:
                problem = error
        self._bad.add(digest)
        if places:
            note(self, [(at.pack, at.offset, at.offset + at.stored) for at in places])
        if problem is not None:
            raise problem
        raise Damaged(
            f"the chunk {digest.hex()} is not in any pack of {self.folder.path}",
            hint="adding the file again, or a copy of the pool, heals it",
        )

    def fetch_for(self, document: bytes) -> Fetch:
        """Return what gives the chunks of a document, from the pool or from a user's file."""
        sources = self.catalogue.sources(document)
        if not sources:
            return self.fetch
        from skypool.pool.inplace import InPlaceChunks

        return InPlaceChunks(self, self.document(document), sources).fetch

    def _place(self, digest: bytes) -> Location | None:
        places = self.catalogue.places(digest)
        return Location(*places[0]) if places else None

    def _unfinished_packs(self) -> Iterator[PackEnd]:
        """Return packs that a writer may go on with, without looking through all of them."""
        for name, end in self.catalogue.chunks.last_packs(_PACKS_TRIED):
            # Records start at multiples of 8.
            yield PackEnd(name, -(-end // 8) * 8)

    def _confirm(self, place: ChunkPlace, digest: bytes) -> bool:
        # A chunk once found bad counts as absent, so that adding it again heals (rule 17).
        return digest not in self._bad and self.store.holds(Location(*place), digest)

    def writer(self, *, limited: bool = True, trial: bool = False) -> Writer:
        """Start to take chunks for a commit.

        Parameters
        ----------
        limited
            Whether the pool's quota holds.
        trial
            Whether nothing is stored: only how much it would take is found out.
        """
        if not self.writable:
            raise ReadOnly(
                f"the pool {self.folder.path} is open for reading",
                hint='open it with mode="a" to change it',
            )
        take_notes(self)
        guard = self.quota.guard() if limited and not trial else None
        writer = self.store.writer(self.catalogue.known, guard, trial=trial)
        self._has_written = True
        self._begun[writer] = self.epoch
        return writer

    def dropped_here(self, at: int | None = None) -> frozenset[bytes]:
        """Return the documents whose content this pool has dropped, and no version needs."""
        return self.catalogue.dropped_documents(
            self.catalogue.head() if at is None else at, self.folder.id.hex()
        )

    def needs(
        self, digest: bytes, document: Mapping[str, Any], dropped: Container[bytes]
    ) -> Iterator[bytes]:
        """Return what a document needs in this pool, as `reached` gives it."""
        if digest in dropped:
            return without_content(document, self.fetch)
        return reached(document, self.fetch)

    def is_whole(self, document: bytes) -> bool:
        """Return whether nothing that a document needs is noted as damaged or gone."""
        if not self.catalogue.state("has_bad"):
            return True
        try:
            parts = [document, *reached(loads(self.fetch(document)), self.fetch)]
        except Damaged:
            return False
        return all(
            self.catalogue.chunks.are_good([part[at : at + 32] for at in range(0, len(part), 32)])
            for part in parts
        )

    def document(self, digest: bytes) -> dict[str, Any]:
        """Return a product document; it is shared and must not be changed."""
        with self._lock:
            found = self._documents.get(digest)
            if found is not None:
                self._documents.move_to_end(digest)
                return found
        made: dict[str, Any] = loads(self.fetch(digest))
        with self._lock:
            self._documents[digest] = made
            if len(self._documents) > _DOCUMENTS_KEPT:
                self._documents.popitem(last=False)
        return made

    # -- commits

    def stage(
        self,
        writer: Writer,
        documents: Sequence[IndexedDocument],
        sources: Sequence[SourceRow] = (),
        kept: Mapping[bytes, list[Any]] | None = None,
    ) -> None:
        """Make what was written so far durable and index it, ahead of the commit.

        *sources* are the files that hold the content of documents kept in place; *kept* what is
        known of their tables: see `kept_regions`.
        """
        if writer.trial:
            writer.flush()
            return
        with self.folder.lock(exclusive=False):
            self._check_epoch(writer)
            placed = writer.flush()
            found = self._with_coverage(documents, placed, sources, kept)
            self.catalogue.stage(_places(placed), found)
        writer.indexed(placed)

    def publish(
        self, draft: Draft, writer: Writer | None, documents: Sequence[IndexedDocument] = ()
    ) -> Published:
        """Commit a draft durably.

        Parameters
        ----------
        draft
            What is committed.
        writer
            Its chunks; None where it has none.
        documents
            Documents that are not staged yet.

        Raises
        ------
        ChunksGone
            If chunks that were to be reused are gone: all must be written again.
        """
        with self._publishing, self.folder.lock(exclusive=False):
            self._check_epoch(writer)
            self.folder.log.check(self._log_end)
            flushed = writer.flush() if writer is not None else {}
            placed = _places(flushed)
            documents = self._with_coverage(documents, flushed, draft.sources)
            if draft.sources or draft.completed:
                keep_regions(self.catalogue.database, draft, documents)
            large = len(draft.versions) > _STAGE_DOCUMENTS  # more of it was staged already
            if large or len(documents) > _STAGE_DOCUMENTS or len(placed) > _STAGE_CHUNKS:
                self.catalogue.stage(placed, documents)
                placed, documents = [], ()
            draft.pool = self.folder.id.hex()
            published = self.catalogue.publish(
                draft,
                placed,
                documents,
                writer.reused if writer is not None else (),
                noted_position(self._log_end),
            )
            if published.commit is not None:
                self._acknowledge(published.commit)
                if large:  # else whoever opens the pool next reads all of the record again
                    with contextlib.suppress(SkypoolError):
                        self.catalogue.set_state(noted_position(self._log_end))
        return published

    def give_up(self, writer: Writer, error: BaseException | None = None) -> None:
        """End a commit without result; what was refused for want of room is cut off again."""
        if not isinstance(error, QuotaExceeded):
            writer.abandon()
            return
        try:
            with self.folder.lock(exclusive=False):
                self._check_epoch(writer)
                writer.abandon(reclaim=True)
        except (SkypoolError, ChunksGone):
            writer.abandon()

    def _acknowledge(self, commit: int) -> None:
        """Complete the log, without which nobody is told that a commit is made."""
        try:
            self.complete_log()
        except StorageError as error:
            # The catalogue has it durably: whoever opens the pool next, or commits, goes on.
            kept = f"commit {commit} is in the catalogue, and is completed by the next change"
            raise type(error)(error.message, hint=f"{error.hint}; {kept}") from error

    def adopt(
        self,
        head: int,
        commits: Sequence[tuple[Mapping[str, Any], bytes]],
        writer: Writer,
        documents: Sequence[IndexedDocument],
    ) -> None:
        """Make commits durable whose records are made already, those of another pool.

        Parameters
        ----------
        head
            The last commit, on which they count.
        commits
            See `Catalogue.adopt`.
        writer
            Their chunks.
        documents
            Documents that are not staged yet.

        Raises
        ------
        ChunksGone
            If chunks that were to be reused are gone: all must be written again.
        HeadMoved
            If there is another commit now.
        """
        with self._publishing, self.folder.lock(exclusive=False):
            self._check_epoch(writer)
            self.folder.log.check(self._log_end)
            placed = writer.flush()
            self.catalogue.adopt(
                head,
                commits,
                _places(placed),
                self._with_coverage(
                    documents, placed, kept=regions_of(documents, [commit for commit, _ in commits])
                ),
                writer.reused,
                noted_position(self._log_end),
            )
            self.complete_log()

    def log_end(self) -> LogPosition:
        """Return the end of the log as it is now."""
        return self.folder.log.end(self._log_end)

    def _with_coverage(
        self,
        documents: Sequence[IndexedDocument],
        placed: Mapping[bytes, Location],
        sources: Iterable[SourceRow] = (),
        kept: Mapping[bytes, list[Any]] | None = None,
    ) -> Sequence[IndexedDocument]:
        """Work out what new documents cover on the sky, from chunks that are just written."""
        files: dict[bytes, list[SourceRow]] = {each.digest: [] for each in documents}
        for row in sources if files else ():
            if row.document in files:
                files[row.document].append(row)

        def fetch(name: bytes) -> bytes:
            place = placed.get(name)
            return self.fetch(name) if place is None else self.store.read(place, name)

        def fetch_of(document: bytes) -> Fetch:
            if not files.get(document):
                return fetch
            from skypool.pool.inplace import InPlaceChunks

            known = InPlaceChunks(self, loads(fetch(document)), files[document])
            return lambda name: fetch(name) if name in placed else known.fetch(name)

        return with_coverage(documents, self.catalogue.document_size, fetch_of, kept)

    def complete_log(self) -> None:
        """Append to the log, durably, every record of the catalogue that it lacks."""
        records = self.catalogue.unlogged(self._log_end.number)
        self._log_end = self.folder.log.append(records, self._log_end)

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Hold the shared pool lock: the catalogue is the pool's, and nobody rebuilds it."""
        with self.folder.lock(exclusive=False):
            self._check_epoch()
            yield

    def _check_epoch(self, writer: Writer | None = None) -> None:
        """Notice that the catalogue was rebuilt since it was opened (storage rule 2).

        Raises
        ------
        Locked
            If it is another file now; what is open here belongs to nobody any more.
        ChunksGone
            If it was rebuilt since *writer* began: what that staged is forgotten.
        """
        if file_identity(self.folder.catalogue) != self._file:
            raise Locked(
                f"the catalogue of {self.folder.path} was replaced meanwhile",
                hint="open the pool again",
            )
        if self.catalogue.state("epoch") != self.epoch:
            self.renew()
        if writer is not None and self._begun.get(writer) != self.epoch:
            raise ChunksGone(writer.reused)

    def close(self) -> None:
        """Give back everything."""
        if self._has_written:
            self._has_written = False
            make_reserve(self.folder.files, self.folder.path, self.quota.used())
        self.catalogue.close()
        self.store.close()


def _places(placed: Mapping[bytes, Location]) -> list[tuple[bytes, ChunkPlace]]:
    return [(digest, ChunkPlace._make(at)) for digest, at in placed.items()]
