"""Merging: what was done in another pool since the logs went apart is made one commit here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skypool.catalogue.coverages import coverage_in, kept_coverage
from skypool.catalogue.interface import HeadMoved
from skypool.catalogue.times import time_of
from skypool.codec.documents import dumps, format_time
from skypool.errors import Conflict, QuotaExceeded
from skypool.model.amounts import count_text
from skypool.pool.elsewhere import is_stored
from skypool.pool.sync.changes import Changes
from skypool.pool.sync.needing import needed_bytes
from skypool.pool.sync.report import Resolved, TrackMerge
from skypool.pool.sync.sides import Side
from skypool.pool.sync.transfer import Counter, Transfer
from skypool.pool.sync.versions import Incoming

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.sync.pulling import SyncOptions
    from skypool.pool.sync.relation import Relation
    from skypool.pool.sync.report import SyncReport

__all__ = ["Merge", "bring", "merge"]


def merge(
    source: Session, target: Session, found: Relation, report: SyncReport, options: SyncOptions
) -> None:
    """Take in what the source has and the target lacks, as a commit of the target.

    Raises
    ------
    Conflict
        If the pools have nothing in common, and that was not asked for.
    HeadMoved
        If somebody else made a commit in the target meanwhile.
    ChunksGone
        If chunks in the target were reclaimed meanwhile.
    """
    ours = Side(target, found.base, found.ours)
    theirs = Side(source, found.base, found.theirs)
    if not (found.base.number or options.unrelated or _met(ours, theirs)):
        raise Conflict(
            f"{source.folder.path} and {target.folder.path} have no commit in common:"
            " neither is a clone of the other",
            hint="to take in all that the other one has all the same: --unrelated",
        )
    merged = Merge(ours, theirs)
    records = merged.records(target.settings.author)
    if not records:
        report.how = "same" if _has_all(theirs, ours) else "ahead"
        return
    bring(merged, records, report, options)
    merged.tell(report)


def _met(ours: Side, theirs: Side) -> bool:
    """Return whether pools without a common beginning were merged before."""
    return bool(ours.merged & theirs.digests or theirs.merged & ours.digests)


def _has_all(side: Side, other: Side) -> bool:
    return all(side.urn(entry.key) is not None for entry in other.entries)


def bring(
    merged: Merge, records: list[dict[str, Any]], report: SyncReport, options: SyncOptions
) -> None:
    """Copy what the records of a merge need, and make them durable."""
    source, target = merged.theirs.session, merged.ours.session
    if target.quota.limit is not None:
        target.quota.require(needed_bytes(source, target, merged.incoming.versions))
    writer = target.writer()
    counter = Counter(options.progress, options.doing)
    counter.total_versions = len(merged.incoming.versions)
    transfer = Transfer(source, target, writer, report, counter, skip_damaged=options.skip_damaged)
    try:
        documents = transfer.bring([*merged.incoming.versions, *merged.completed()])
        if not transfer.skipped <= merged.given_up():
            report.purged = 0
            raise HeadMoved(f"versions of {source.folder.path} were purged meanwhile")
        commits = [(record, dumps(record)) for record in records]
        target.adopt(merged.ours.head, commits, writer, documents)
    except BaseException as error:
        if not isinstance(error, QuotaExceeded):
            transfer.keep()
        target.give_up(writer, error)
        raise
    writer.close()
    report.how = "merged"
    report.commit = records[-1]["commit"]
    report.bytes_added += writer.bytes_written


class Merge:
    """One merge, planned for the pools as they were looked at.

    Parameters
    ----------
    ours, theirs
        What both did.
    """

    # The key of the record that says what it is.
    said = "merged"

    def __init__(self, ours: Side, theirs: Side) -> None:
        self.ours = ours
        self.theirs = theirs
        self.incoming = Incoming(ours, theirs)
        self.incoming.plan()
        self.changes = Changes(self.incoming)
        self.changes.plan()

    def records(self, author: str) -> list[dict[str, Any]]:
        """Return the records of the commits that it takes; none where nothing changes."""
        # What is new and removed at once is removed in a second commit: within one, a
        # name would stand against its removal.
        late = {
            track: change
            for track, change in self.changes.hidden.items()
            if change[0] and track in self.incoming.made
        }
        hidden = {t: change for t, change in self.changes.hidden.items() if t not in late}
        first = self._lists(hidden, self.changes.names, self.changes.tags)
        first |= {"versions": self.incoming.versions, "sources": self._sources()}
        first["completed"] = self.completed()
        first["purged"] = self._purged()
        first["dropped"] = self._dropped()
        same = self.incoming.same
        if not same and not any(first.values()):
            return []
        message = self.message()
        records = [self._record(self.ours.head, author, message, first, same)]
        if late:
            records.append(self._record(self.ours.head + 1, author, message, self._lists(late)))
        self._stamp(records)
        return records

    def message(self) -> str:
        """Return what the history says of it."""
        count = len(self.incoming.versions)
        what = "merge" if self.said == "merged" else "copy from"
        return f"{what} {self.theirs.session.folder.name}: {count_text(count, 'version')}"

    def _lists(
        self,
        hidden: Mapping[int, tuple[bool, int | None]],
        names: Mapping[int, tuple[str, int | None]] | None = None,
        tags: Mapping[tuple[str, int], tuple[bool, int | None]] | None = None,
    ) -> dict[str, Any]:
        """Return lists of changes, and beside them the clocks of those that were taken."""
        names, tags = names or {}, tags or {}
        return {
            "names": [[track, name] for track, (name, _) in names.items()],
            "hidden": [[track, gone] for track, (gone, _) in hidden.items()],
            "tags": [[tag, urn, on] for (tag, urn), (on, _) in tags.items()],
            "_names": [clock for _, clock in names.values()],
            "_hidden": [clock for _, clock in hidden.values()],
            "_tags": [clock for _, clock in tags.values()],
        }

    def _record(
        self,
        parent: int,
        author: str,
        message: str,
        lists: Mapping[str, Any],
        same: list[list[Any]] | None = None,
    ) -> dict[str, Any]:
        folder = self.theirs.session.folder
        merged: dict[str, Any] = {
            "pool": folder.id.hex(),
            "name": folder.name,
            "commit": self.theirs.end.number,
            "digest": self.theirs.end.previous.hex(),
        }
        merged |= {key[1:]: value for key, value in lists.items() if key[0] == "_" and value}
        if same:
            merged["same"] = same
        plain = {key: value for key, value in lists.items() if key[0] != "_" and value}
        return {
            "commit": parent + 1,
            "parent": parent,
            "author": author,
            "message": message,
            self.said: merged,
            **plain,
        }

    def _stamp(self, records: list[dict[str, Any]]) -> None:
        state = self.ours.session.catalogue.state
        now = max(time.time_ns() // 1000, state("head_time", 0) + 1)
        clock = max(state("head_clock", 0), self.theirs.clock) + 1
        for count, record in enumerate(records):
            record["time"] = format_time(time_of(now + count))
            if clock + count > now + count:
                record["clock"] = clock + count

    def _sources(self) -> list[Mapping[str, Any]]:
        """Return the files in place of what comes, and new places of what both have."""
        coming = {each["document"] for each in (*self.incoming.versions, *self.completed())}
        catalogue = self.ours.session.catalogue
        found = []
        for source in (*self.theirs.sources, *self._outside(coming)):
            name = bytes.fromhex(source["document"])
            known = {(s.path, s.size, s.mtime_ns, s.inode) for s in catalogue.sources(name)}
            this = (source["path"], source["size"], source["mtime_ns"], source["inode"])
            # Of what both have, only a product that is in place here has use for another file.
            if this not in known and (known or source["document"] in coming):
                found.append(source)
        return found

    def _outside(self, documents: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        """Yield where files of documents are there now: they may have been moved before."""
        catalogue = self.theirs.session.catalogue
        said = {(source["document"], source["path"]) for source in self.theirs.sources}
        for name in documents:
            for row in catalogue.sources(bytes.fromhex(name)):
                if (name, row.path) not in said:
                    figures = {"size": row.size, "mtime_ns": row.mtime_ns, "inode": row.inode}
                    yield {"document": name, "path": row.path, **figures}

    def completed(self) -> list[Mapping[str, Any]]:
        """Return what was completed there and is here as headers alone."""
        catalogue = self.ours.session.catalogue
        return [
            each
            for each in self.theirs.completed
            if catalogue.keeps(bytes.fromhex(each["of"]))
            and catalogue.stands_for(bytes.fromhex(each["of"])).hex() == each["of"]
        ]

    def given_up(self) -> set[bytes]:
        """Return the documents of the versions that come without content."""
        purged = set(self._purged())
        return {
            bytes.fromhex(version["document"])
            for version in self.incoming.versions
            if version["urn"] in purged
        }

    def _purged(self) -> list[int]:
        """Return the versions that come without content."""
        coming = {version["urn"] for version in self.incoming.versions}
        urns = (self.incoming.urn(number) for number in sorted(self.theirs.purged))
        return [urn for urn in urns if urn is not None and urn in coming]

    def _dropped(self) -> list[dict[str, Any]]:
        """Return the versions that come without content, since it was dropped there."""
        theirs, ours = self.theirs.session, self.ours.session
        absent = theirs.catalogue.dropped_documents(theirs.catalogue.head())
        back = {self.incoming.urn(entry.urn): entry.urn for entry in self.theirs.entries}
        found = []
        for version in self.incoming.versions if absent else ():
            name = bytes.fromhex(version["document"])
            if name not in absent or ours.catalogue.keeps(name):
                continue
            if is_stored(theirs, theirs.document(name)):
                continue
            places = theirs.catalogue.dropped(back.get(version["urn"], 0)) or []
            pool = ours.folder.id.hex()
            kept = kept_coverage(name, coverage_in(theirs.catalogue.database, name))
            found.append({"version": version["urn"], "pool": pool, "from": places, **kept})
        return found

    # -- the report

    def tell(self, report: SyncReport) -> None:
        """Say what was done."""
        report.commits += self.theirs.commits
        report.versions += len(
            [v for v in self.incoming.versions if not v["origin"]["made"].get("again")]
        )
        report.unchanged += len(self.incoming.same)
        report.resolved += self.changes.resolved
        report.renamed += self.changes.renamed
        report.restored += self.changes.restored
        report.tracks += self._tracks()
        for number in sorted(self.theirs.purged - self.ours.purged):
            urn = self.incoming.urn(number)
            if urn is not None and urn < self.incoming.first:
                self._tell_purged(urn, report)

    def _tell_purged(self, urn: int, report: SyncReport) -> None:
        row = self.ours.session.catalogue.version(urn, self.ours.head)
        if row is not None:
            name = f"{self.ours.last_name(row.track)}@{row.version}"
            report.resolved.append(Resolved("purged", name, "kept", "purged", "kept"))

    def _tracks(self) -> list[TrackMerge]:
        """Return the products of which both sides have versions that the other had not."""
        came: dict[int, list[int]] = {}
        current: dict[int, int] = {}
        for version in self.incoming.versions:
            current[version["track"]] = version["version"]
            if not version["origin"]["made"].get("again"):
                came.setdefault(version["track"], []).append(version["version"])
        found = []
        for track, numbers in came.items():
            own = [e for e in self.ours.by_track.get(track, ()) if self.theirs.urn(e.key) is None]
            if own:
                found.append(
                    TrackMerge(
                        self.ours.session.catalogue.last_name(track, self.ours.head + 1),
                        int(own[-1].raw["version"]),
                        tuple(numbers),
                        current[track],
                    )
                )
        return found
