"""Checking the commit log: its bytes, its chain, and that the catalogue agrees with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from skypool.codec.digest import digest
from skypool.errors import Damaged
from skypool.storage.commit_log import START, LogPosition, pack_record
from skypool.storage.file_errors import explained

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["check_log", "difference"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOG = "commits.log"
# What a version has in the log and in the catalogue.
_SAME = ("urn", "track", "version", "document", "kind", "type", "total")

Report = Callable[[str, str, str], Any]


def check_log(session: Session, report: Report) -> int:
    """Check every record of the log and compare it with the catalogue.

    Parameters
    ----------
    session
        The open pool.
    report
        Told kind, what and where of every problem.

    Returns
    -------
    int
        Records checked.
    """
    catalogue = session.catalogue
    # What the catalogue knows to be durable, asked for before the log is read.
    sure = catalogue.state("log_number")
    end = START
    for record in session.folder.log.records():
        end = record.end
        try:
            commit = record.commit()
        except Damaged as error:
            report("log", error.message, f"{_LOG}, commit {end.number}")
            continue
        try:
            wrong = difference(session, commit, end.number)
        except Damaged as error:
            report("catalogue", error.message, f"commit {end.number}")
            continue
        if wrong:
            report("catalogue", f"differs from the log: {wrong}", f"commit {end.number}")
    head = catalogue.head()
    if end.number < sure:
        what = f"damaged: the commits {end.number + 1} to {head} are not there any more"
        report("log", what, f"{_LOG} at {end.offset}")
    elif end.number < head and not _is_torn(session, end):
        report("log", "the last records are damaged", f"{_LOG} at {end.offset}")
    elif end.number > head:
        what = f"lacks the commits {head + 1} to {end.number} of the log; open it for writing"
        report("catalogue", what, "catalogue.sqlite")
    return end.number


def _is_torn(session: Session, end: LogPosition) -> bool:
    """Return whether what is behind the last record is what an append that died leaves.

    The catalogue has the records that are to follow; nobody was told of those commits.
    """
    if session.folder.log.end(end).number > end.number:
        return True  # it has just grown: commits are being made
    pending = session.catalogue.unlogged(end.number)
    if not pending or pending[0][0] != end.number + 1:
        return False
    path = session.folder.log.path
    expected = b""
    position = end
    for number, payload in pending:
        data = pack_record(payload, position)
        position = LogPosition(number, position.offset + len(data), digest(data))
        expected += data
    with explained("read", path), open(path, "rb") as file:
        file.seek(end.offset)
        rest = file.read(len(expected) + 1)
    torn = rest.rstrip(b"\0")
    return len(rest) < len(expected) + 1 and expected.startswith(torn)


def difference(session: Session, commit: Mapping[str, Any], number: int) -> str:
    """Return in what the catalogue differs from a record of the log; empty if in nothing."""
    row = session.catalogue.commit(number)
    if row is None:
        # It may be too new for the catalogue, which is told of in one piece.
        return "" if number > session.catalogue.head() else "the commit is not there"
    if commit["commit"] != number or commit["parent"] != number - 1:
        return "its number"
    time_us = (datetime.fromisoformat(commit["time"]) - _EPOCH) // timedelta(microseconds=1)
    if (row.time_us, row.author, row.message) != (time_us, commit["author"], commit["message"]):
        return "time, author or message"
    if not _same_versions(session, commit, number):
        return "its versions"
    for version in commit.get("versions", ()):
        refs = [
            [ref.role, ref.child if ref.external is None else {"external": ref.external}]
            for ref in session.catalogue.refs(version["urn"])
        ]
        if refs != version["refs"]:
            return f"the references of version {version['urn']}"
    return _difference_of_names(session, commit, number)


def _same_versions(session: Session, commit: Mapping[str, Any], number: int) -> bool:
    amended = session.catalogue.state("amended")
    same = True
    # All rows are looked at: one that is damaged is told as that.
    rows = session.catalogue.changes_in_parts(number)
    for version, row in zip_longest(commit.get("versions", ()), rows):
        if not same or version is None or row is None:
            same = False
            continue
        logged = tuple(version[key] for key in _SAME)
        head = (row.urn, row.track, row.version, row.document.hex())
        found: tuple[Any, ...] = (*head, row.kind, row.type, row.total)
        same = logged == found or (
            amended > 0 and _completed(session, logged) == _completed(session, found)
        )
    return same


def _completed(session: Session, version: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a version with the document that took the place of its, and no kind and type."""
    document = session.catalogue.stands_for(bytes.fromhex(version[3]))
    return (*version[:3], document, version[6])


def _difference_of_names(session: Session, commit: Mapping[str, Any], number: int) -> str:
    """Return whether names or tags are not as a record of the log says."""
    catalogue = session.catalogue
    for track, name in _last_names(commit.get("names", ())):
        if name is not None and not catalogue.was_named(track, name, number):
            return f"the name {name!r}"
    for track, removed in commit.get("hidden", ()):
        if not removed and not catalogue.was_shown(track, number):
            return f"that the track {track} is in view again"
    for tag, urn, wanted in commit.get("tags", ()):
        if not catalogue.was_tagged(tag, urn, number, begun=wanted):
            return f"the tag {tag!r}"
    for urn in commit.get("purged", ()):
        row = catalogue.version(urn, catalogue.head())
        if row is None or not row.purged:
            return f"that the content of version {urn} was given up"
    return ""


def _last_names(names: Collection[Any]) -> Iterable[tuple[int, str | None]]:
    """Return the last name that a record gives to each track."""
    before = 0
    for track, _ in names:
        if track <= before:
            return dict(names).items()
        before = track
    return ((track, name) for track, name in names)
