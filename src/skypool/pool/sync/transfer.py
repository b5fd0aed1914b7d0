"""Bringing what the documents of versions reach from one pool to another.

What has arrived is made durable and known every so often, ahead of the commit: an
interrupted transfer goes on where it was, because what is known is not sent again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.terms import indexed
from skypool.codec.documents import loads
from skypool.errors import Damaged, SkypoolError
from skypool.pool.copying import PoolChunks, copy_chunks
from skypool.pool.elsewhere import content_digests
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.reaching import content_of, reached
from skypool.pool.sky_tables import kept_regions

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.sync.report import SyncReport
    from skypool.storage.interface import Writer

__all__ = ["STAGE_BYTES", "Counter", "Transfer"]

# What may have to be sent once more after a kill.
STAGE_BYTES = 64 << 20
_DOCUMENTS_AT_ONCE = 1000


class Counter:
    """Tells how far a transfer is.

    Parameters
    ----------
    on_progress
        Who is told.
    stage
        What is being done.
    """

    def __init__(self, on_progress: OnProgress | None, stage: str) -> None:
        self._on_progress = on_progress
        self._stage = stage
        self.versions = 0
        self.total_versions = 0
        self.bytes = 0
        self.total_bytes = 0

    def add(self, versions: int = 0, size: int = 0) -> None:
        """Take note of what has come."""
        self.versions += versions
        self.bytes += size
        if self._on_progress is not None:
            total = self.total_bytes if self.bytes <= self.total_bytes else 0
            self._on_progress(
                Progress(self._stage, self.versions, self.total_versions, self.bytes, total)
            )


class Transfer:
    """Copies products of one pool to another, for one commit or some.

    Parameters
    ----------
    source, target
        The pools.
    writer
        Takes the chunks.
    report
        Takes the figures.
    counter
        Told how far the work is.
    skip_damaged
        Whether products that are damaged in the source come without what is lost.

    Attributes
    ----------
    skipped : set of bytes
        Documents of versions whose content was given up in the source.
    """

    def __init__(
        self,
        source: Session,
        target: Session,
        writer: Writer,
        report: SyncReport,
        counter: Counter,
        *,
        skip_damaged: bool,
    ) -> None:
        self._source = source
        self._target = target
        self._writer = writer
        self._report = report
        self._counter = counter
        self._skip_damaged = skip_damaged
        self._chunks = PoolChunks(source)
        self._unstaged = 0
        self._in_place = bool(source.catalogue.database.query("SELECT 1 FROM sources LIMIT 1"))
        self._given_up = source.catalogue.given_up()
        # Of these the source may have no content: it comes as far as it is there.
        self._absent = source.catalogue.dropped_documents(source.catalogue.head())
        self.skipped: set[bytes] = set()

    def bring(self, versions: Iterable[Mapping[str, Any]]) -> list[IndexedDocument]:
        """Copy what version entries need; return the documents that are not staged yet.

        Raises
        ------
        Damaged
            If the source has lost something of them, and that is not to be skipped.
        """
        rest: list[IndexedDocument] = []
        kept: Mapping[bytes, list[Any]] = {}
        for group in _groups(versions):
            if rest:
                self._target.stage(self._writer, rest, kept=kept)
                self._unstaged = 0
            rest, kept = self._bring_group(group), kept_regions(group.values())
        return rest

    def keep(self) -> None:
        """Keep what has arrived, as far as that is possible, when the transfer is broken off."""
        with contextlib.suppress(SkypoolError):
            self._target.stage(self._writer, ())

    def _bring_group(self, group: Mapping[bytes, Mapping[str, Any]]) -> list[IndexedDocument]:
        found: list[IndexedDocument] = []
        lacking: set[bytes] = set()
        digests = self._needs(group, found, lacking)
        copied = copy_chunks(
            self._chunks, self._writer, self._target.store.threads(), digests, self._arrived
        )
        self._report.chunks += copied.chunks
        self._report.bytes_copied += copied.size
        lacking.update(copied.missing)
        if lacking:
            self._explain(group, lacking)
        return found

    def _needs(
        self,
        group: Mapping[bytes, Mapping[str, Any]],
        found: list[IndexedDocument],
        lacking: set[bytes],
    ) -> Iterator[bytes]:
        """Return all chunks of the documents, and note what the catalogue has to know."""
        for name, version in group.items():
            if name in self._given_up:
                self._report.purged += 1
                self.skipped.add(name)
                found.append(_bare(name, version))
                continue
            if self._source.catalogue.stands_for(name) != name:
                found.append(_bare(name, version))  # the one that took its place comes as well
                continue
            yield name
            try:
                document = loads(self._read(name))
            except Damaged:
                lacking.add(name)
                found.append(_bare(name, version))
                continue
            found.append(indexed(name, document, version["size"]))
            for digests in self._reached(name, document, lacking):
                for at in range(0, len(digests), 32):
                    yield digests[at : at + 32]
            self._counter.add(versions=1)

    def _read(self, digest: bytes) -> bytes:
        """Return a chunk of the source, or of the target where the source has lost it."""
        try:
            return self._source.fetch(digest)
        except Damaged:
            return self._target.fetch(digest)

    def _reached(
        self, name: bytes, document: Mapping[str, Any], lacking: set[bytes]
    ) -> Iterator[bytes]:
        def fetch(digest: bytes) -> bytes:
            try:
                return self._read(digest)
            except Damaged:
                lacking.add(digest)
                return b""

        outside = b""
        if self._in_place and self._source.catalogue.sources(name):
            self._report.in_place += 1
            outside = b"".join(reached(content_of(document), fetch))
        elif name in self._absent:
            outside = b"".join(content_digests(document, self._source))
        if not outside:
            yield from reached(document, fetch)
            return
        names = _cut(outside)
        held = self._source.catalogue.chunks.places_of_many(names)
        left_out = {digest for digest in names if digest not in held}
        for digests in reached(document, fetch):
            yield b"".join(d for d in _cut(digests) if d not in left_out)

    def _arrived(self, size: int) -> None:
        self._counter.add(size=size)
        self._unstaged += size
        if self._unstaged >= STAGE_BYTES:
            self._target.stage(self._writer, ())
            self._unstaged = 0

    # -- what the source has lost

    def _explain(self, group: Mapping[bytes, Mapping[str, Any]], lacking: set[bytes]) -> None:
        """Tell which products lack something that the source should have.

        Raises
        ------
        Damaged
            If there are any, and they are not to be skipped.
        """
        hurt = []
        # Some may have been given up since the transfer began.
        self._given_up = self._source.catalogue.given_up()
        for name, version in group.items():
            if self._lacks(name, lacking):
                if name in self._given_up:
                    self._report.purged += 1
                    self.skipped.add(name)
                else:
                    hurt.append(self._label(version))
        if not hurt:
            return
        if not self._skip_damaged:
            raise Damaged(
                f"{self._source.folder.path} has lost data of {len(hurt)} versions,"
                f" {hurt[0]} among them: nothing of their commit came",
                candidates=hurt[:20],
                hint="heal it first (add the files again, or `skypool verify` tells what is hurt),"
                " or take along what is whole: --skip-damaged",
            )
        self._report.damaged += hurt

    def _lacks(self, name: bytes, lacking: set[bytes]) -> bool:
        if name in lacking:
            return True

        def fetch(digest: bytes) -> bytes:
            return b"" if digest in lacking else self._read(digest)

        document = loads(self._read(name))
        return any(d in lacking for digests in reached(document, fetch) for d in _cut(digests))

    def _label(self, version: Mapping[str, Any]) -> str:
        row = self._source.catalogue.version(version["urn"], self._source.catalogue.head())
        if row is None:
            return f"urn {version['urn']}"
        name = row.name or self._source.catalogue.last_name(row.track, row.commit)
        return f"{name or f'track {row.track}'}@{row.version}"


def _bare(name: bytes, version: Mapping[str, Any]) -> IndexedDocument:
    """Return what the log alone says of a document."""
    kind, type_, size = version["kind"], version["type"], version["size"]
    return IndexedDocument(name, kind, type_, size, None, (), bare=True)


def _groups(
    versions: Iterable[Mapping[str, Any]],
) -> Iterator[dict[bytes, Mapping[str, Any]]]:
    """Group version entries by document, as many as are dealt with at once."""
    group: dict[bytes, Mapping[str, Any]] = {}
    for version in versions:
        group.setdefault(bytes.fromhex(version["document"]), version)
        if len(group) >= _DOCUMENTS_AT_ONCE:
            yield group
            group = {}
    if group:
        yield group


def _cut(digests: bytes) -> Sequence[bytes]:
    return [digests[at : at + 32] for at in range(0, len(digests), 32)]
