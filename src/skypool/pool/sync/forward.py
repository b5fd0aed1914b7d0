"""Following: the commits that a pool lacks are added as they are, record by record.

Each step leaves the target with the first commits of the source, so whatever stops it, the
target is whole, and the next try goes on behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from skypool.errors import QuotaExceeded
from skypool.pool.sync.needing import needed_bytes
from skypool.pool.sync.transfer import Counter, Transfer
from skypool.storage.pack_files import packs_with_status

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.pool.sync.relation import Relation
    from skypool.pool.sync.report import SyncReport
    from skypool.storage.commit_log import LogPosition

__all__ = ["follow"]

_VERSIONS_AT_ONCE = 2000
_COMMITS_AT_ONCE = 2000

_Commit = tuple[Mapping[str, Any], bytes]


def follow(
    source: Session,
    target: Session,
    found: Relation,
    report: SyncReport,
    counter: Counter,
    *,
    skip_damaged: bool,
) -> None:
    """Add the source's commits behind those of the target.

    Raises
    ------
    HeadMoved
        If somebody else made a commit in the target: what was added so far stays.
    ChunksGone
        If chunks in the target were reclaimed meanwhile.
    """
    counter.total_versions = _count(source, found)
    if not found.ours.number:
        counter.total_bytes = sum(
            status.st_size for _, status in packs_with_status(source.folder.packs)
        )
    if target.quota.limit is not None:
        coming = (
            version
            for commits in _batches(source, found.ours, found.theirs.number)
            for commit, _ in commits
            for version in commit.get("versions", ())
        )
        target.quota.require(needed_bytes(source, target, coming))
    for commits in _batches(source, found.ours, found.theirs.number):
        _add(source, target, commits, report, counter, skip_damaged=skip_damaged)


def _count(source: Session, found: Relation) -> int:
    ((count,),) = source.catalogue.database.query(
        "SELECT count(*) FROM versions WHERE since > ? AND since <= ?",
        (found.ours.number, found.theirs.number),
    )
    return int(count)


def _batches(source: Session, after: LogPosition, last: int) -> Iterator[list[_Commit]]:
    batch: list[_Commit] = []
    versions = 0
    for record in source.folder.log.records(after):
        if record.end.number > last:
            break
        commit = record.commit()
        batch.append((commit, record.data))
        versions += len(commit.get("versions", ()))
        if versions >= _VERSIONS_AT_ONCE or len(batch) >= _COMMITS_AT_ONCE:
            yield batch
            batch, versions = [], 0
    if batch:
        yield batch


def _entries(commits: list[_Commit], key: str) -> Iterator[Mapping[str, Any]]:
    return (entry for commit, _ in commits for entry in commit.get(key, ()))


def _absorbed(source: Session, commits: list[_Commit]) -> Iterator[Mapping[str, Any]]:
    """Yield the documents of which a file outside the pool is no source any more, as entries.

    Their content is in the packs of the source since.
    """
    for name in {name for commit, _ in commits for name, _ in commit.get("gone", ())}:
        found = source.catalogue.document_size(bytes.fromhex(name))
        if found is not None:
            yield {"document": name, **dict(zip(("kind", "type", "size"), found, strict=True))}


def _add(
    source: Session,
    target: Session,
    commits: list[_Commit],
    report: SyncReport,
    counter: Counter,
    *,
    skip_damaged: bool,
) -> None:
    """Copy what some commits need, then make them durable."""
    writer = target.writer()
    transfer = Transfer(source, target, writer, report, counter, skip_damaged=skip_damaged)
    try:
        documents = transfer.bring(
            chain(
                _entries(commits, "versions"),
                _entries(commits, "completed"),
                _absorbed(source, commits),
                _come_back(source, commits),
            )
        )
        target.adopt(commits[0][0]["commit"] - 1, commits, writer, documents)
    except BaseException as error:
        if not isinstance(error, QuotaExceeded):
            transfer.keep()
        target.give_up(writer, error)
        raise
    writer.close()
    report.how = "forward"
    report.commits += len(commits)
    report.versions += sum(len(commit.get("versions", ())) for commit, _ in commits)
    report.commit = commits[-1][0]["commit"]
    report.bytes_added += writer.bytes_written


def _come_back(source: Session, commits: list[_Commit]) -> Iterator[Mapping[str, Any]]:
    """Return the versions whose content is in the source again: it may be lacking here."""
    catalogue = source.catalogue
    numbers = [urn for commit, _ in commits for urn, _ in commit.get("fetched", ())]
    for row in catalogue.numbered_all(numbers, catalogue.head()).values():
        yield {
            "urn": row.urn,
            "document": row.document.hex(),
            "kind": row.kind,
            "type": row.type,
            "size": row.size,
        }
