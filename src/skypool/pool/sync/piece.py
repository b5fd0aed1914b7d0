"""Copying a piece of a pool into another one: some versions, with all that they refer to.

It is a merge of which only these versions are seen, so their identities are those that a merge
gives them: whatever is copied again, or comes by a merge later, is known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skypool.catalogue.interface import ChunksGone, HeadMoved
from skypool.catalogue.times import time_of
from skypool.codec.documents import format_time
from skypool.errors import StorageError, UsageError
from skypool.pool.sync.merging import Merge, bring
from skypool.pool.sync.relation import relation
from skypool.pool.sync.report import SyncReport
from skypool.pool.sync.sides import Side, Value
from skypool.pool.sync.versions import raw_entry

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.sync.pulling import SyncOptions
    from skypool.storage.commit_log import LogPosition

__all__ = ["bring_piece"]

_TRIES = 20


def bring_piece(
    source: Session, target: Session, wanted: Collection[int], options: SyncOptions, message: str
) -> SyncReport:
    """Bring versions, and all below them, to another pool that lacks them.

    Parameters
    ----------
    source, target
        The pools; only the target is changed.
    wanted
        Numbers of the versions.
    options
        How.
    message
        Of the commit.

    Raises
    ------
    UsageError
        If both are the same pool.
    Damaged
        If the source has lost data, and they are not to be skipped.
    """
    if source.folder.key == target.folder.key:
        raise UsageError(
            f"{source.folder.path} cannot be copied to itself", hint="name another pool"
        )
    report = SyncReport(source.folder.path, target.folder.path)
    for _ in range(_TRIES):
        try:
            with target.committing():
                target.complete_log()
            found = relation(target, source)
            ours = Side(target, found.base, found.ours)
            theirs = _Piece(source, found.base, found.theirs, _with_children(source, wanted))
            merged = _Copy(ours, theirs, message)
            records = merged.records(target.settings.author)
            report.commit = found.ours.number
            if records:
                bring(merged, records, report, options)
                merged.tell(report)
                report.how = "copied"
            return report
        except (ChunksGone, HeadMoved):
            continue  # a writer or gc in the target came in between
    raise StorageError(
        f"{target.folder.path} changed again and again while copying", hint="try again"
    )


def _with_children(source: Session, wanted: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for urn in wanted:
        if urn not in found:
            found.add(urn)
            found.update(below for below, _, _ in source.catalogue.descendants(urn))
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """The commit of a version."""

    digest: str
    clock: int
    entry: Mapping[str, Any]


class _Piece(Side):
    """Some versions of a pool, with the names and tags that they have."""

    def __init__(
        self, session: Session, base: LogPosition, end: LogPosition, wanted: Collection[int]
    ) -> None:
        self._wanted = sorted(wanted)
        super().__init__(session, base, end)

    def _read(self) -> None:
        catalogue, head = self.session.catalogue, self.head
        rows = catalogue.numbered_all(self._wanted, head)
        numbers = {row.commit for row in rows.values()}
        made = self._commits(numbers)
        for urn in self._wanted:
            row = rows[urn]
            if row.name is not None:
                self.asked.add(row.track)
            if row.commit <= self.base.number:
                continue  # both have it
            raw = raw_entry(self, urn)
            raw |= {"urn": urn, "track": row.track, "version": row.version}
            commit = made[row.commit]
            self._version(commit.entry, commit.digest, commit.clock, raw)
            if row.purged:
                self.purged.add(urn)
            if row.name is not None:
                self.names[row.track] = Value(row.name, (commit.clock, repr(row.name)))
            for source in catalogue.sources(row.document):
                self.sources.append(
                    {
                        "document": source.document.hex(),
                        "path": source.path,
                        "size": source.size,
                        "mtime_ns": source.mtime_ns,
                        "inode": source.inode,
                    }
                )
        for urn, tags in catalogue.tags_of(self._wanted, head).items():
            clock = made[rows[urn].commit].clock if rows[urn].commit in made else 0
            for tag in tags:
                self.tags[tag, urn] = Value(True, (clock, repr(True)))
        # What is smaller is from before the logs went apart.
        ((first, track),) = catalogue.database.query(
            "SELECT min(urn), min(CASE WHEN version = 0 THEN track END) FROM versions"
            " WHERE since > ?",
            (self.base.number,),
        )
        if first is not None:
            self.first_urn = first
        if track is not None:
            self.first_track = track

    def _commits(self, numbers: Collection[int]) -> dict[int, _Made]:
        catalogue = self.session.catalogue
        digests = enumerate(self.session.folder.log.digests(self.end), 1)
        found = {number: digest.hex() for number, digest in digests if number in numbers}
        clocks = self._clocks(numbers)
        made = {}
        for number, digest in found.items():
            commit = catalogue.commit(number)
            assert commit is not None
            clock = clocks.get(number, commit.time_us)
            entry = {
                "time": format_time(time_of(commit.time_us)),
                "author": commit.author,
                "message": commit.message,
            }
            made[number] = _Made(digest, clock, entry)
        return made

    def _clocks(self, numbers: Collection[int]) -> dict[int, int]:
        """Return the clocks of commits that were ahead of their times."""
        if not self.session.catalogue.state("head_clock", 0):
            return {}
        found = {}
        for record in self.session.folder.log.records():
            if record.end.number in numbers:
                commit = record.commit()
                if "clock" in commit:
                    found[record.end.number] = commit["clock"]
        return found


class _Copy(Merge):
    """A merge of some versions: its commit does not say that all of a pool was merged."""

    said = "copied"

    def __init__(self, ours: Side, theirs: Side, message: str) -> None:
        super().__init__(ours, theirs)
        self._message = message

    def message(self) -> str:
        """Return what the history says of it."""
        return self._message or super().message()
