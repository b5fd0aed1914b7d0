"""`drop` and `get`: content goes where another place has it for sure, and comes back.

What is dropped stays findable: documents, coverage, statistics, names and tags are kept. The log
says where the content was read, whole, just before (docs/format/commits.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import ChunksGone
from skypool.errors import Conflict, StorageError
from skypool.pool.elsewhere import Elsewhere, content_digests, dropped_error, is_stored
from skypool.pool.progress import OnProgress, Progress
from skypool.pool.sync.transfer import STAGE_BYTES

if TYPE_CHECKING:
    from skypool.catalogue.interface import VersionRow
    from skypool.pool.session import Session
    from skypool.pool.view import View
    from skypool.storage.interface import Writer

__all__ = ["DropReport", "GetReport", "drop", "get"]

_TRIES = 5


@dataclass(slots=True)
class DropReport:
    """What was dropped, or would be.

    Attributes
    ----------
    versions, bytes : int
        Versions whose content was dropped, and the size of their products. What `gc` gives back is
        less where versions that stay share it.
    already : int
        Versions that had no content here.
    places : list of str
        Where it can be had.
    commit : int or None
        The commit that says so.
    """

    versions: int = 0
    bytes: int = 0
    already: int = 0
    places: list[str] = field(default_factory=list)
    commit: int | None = None


@dataclass(slots=True)
class GetReport:
    """What came back.

    Attributes
    ----------
    versions, bytes : int
        Versions whose content came back, and the bytes read for it.
    already : int
        Versions that were here.
    bytes_added : int
        Growth of the packs.
    commit : int or None
        The commit that says so.
    """

    versions: int = 0
    bytes: int = 0
    already: int = 0
    bytes_added: int = 0
    commit: int | None = None


def drop(
    view: View,
    numbers: Iterable[int],
    given: Sequence[str],
    message: str = "",
    *,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> DropReport:
    """Drop the content of versions that is, all of it, somewhere else now; see `Pool.drop`."""
    from skypool.pool.elsewhere import place_text

    session, report = view.session, DropReport()
    draft = Draft(session.settings.author, message or "drop content that is elsewhere")
    rows = _rows(view, numbers)
    homeless = []
    known: dict[bytes, dict[str, Any]] = {}
    with Elsewhere(session, given) as elsewhere:
        for count, row in enumerate(rows):
            _tell(on_progress, "looking elsewhere", count, len(rows), row)
            document = session.document(row.document)
            gone = session.catalogue.dropped(row.urn, session.folder.id.hex()) is not None
            if not gone and session.catalogue.sources(row.document):
                gone = not is_stored(session, document)  # it is in files alone
            if gone or not content_digests(document, session):
                report.already += 1
                continue
            if row.document not in known:
                places = elsewhere.places(row.urn, row.document)
                found = (elsewhere.verified(place, document) for place in places)
                known[row.document] = next(filter(None, found), {})
            place = known[row.document]
            if not place:
                homeless.append(f"{row.name or f'track {row.track}'}@{row.version}")
                continue
            draft.drops.append((row.urn, [place]))
            report.versions += 1
            report.bytes += row.size
            if place_text(place) not in report.places:
                report.places.append(place_text(place))
    if homeless:
        raise Conflict(
            f"nothing was dropped: no other place has {homeless[0]}"
            + (f" and {len(homeless) - 1} more" if len(homeless) > 1 else "")
            + " whole now"
            + (f" ({elsewhere.why})" if elsewhere.why else ""),
            candidates=homeless[:20],
            hint="name a pool that has it (--from POOL); `skypool clone` or `copy` makes one",
        )
    if draft.drops and not dry_run:
        report.commit = session.publish(draft, None).commit
    return report


def get(
    view: View,
    numbers: Iterable[int],
    given: Sequence[str],
    message: str = "",
    *,
    on_progress: OnProgress | None = None,
) -> GetReport:
    """Bring dropped content back; see `Pool.bring_back`."""
    session = view.session
    for _ in range(_TRIES):
        writer = session.writer()
        try:
            report = _get(view, writer, numbers, given, message, on_progress)
        except ChunksGone:
            writer.abandon()
            continue
        except BaseException as error:
            session.give_up(writer, error)
            raise
        writer.close()
        report.bytes_added = writer.bytes_written
        return report
    raise StorageError("chunks were reclaimed again and again meanwhile", hint="try again")


def _get(
    view: View,
    writer: Writer,
    numbers: Iterable[int],
    given: Sequence[str],
    message: str,
    on_progress: OnProgress | None,
) -> GetReport:
    session, report = view.session, GetReport()
    draft = Draft(session.settings.author, message or "get dropped content")
    rows = _rows(view, numbers)
    taking = _Taking(session, writer, report)
    with Elsewhere(session, given) as elsewhere:
        for count, row in enumerate(rows):
            _tell(on_progress, "getting", count, len(rows), row, report.bytes)
            places = session.catalogue.dropped(row.urn)
            if places is None:
                report.already += 1
                continue
            wanted = content_digests(session.document(row.document), session)
            for place in elsewhere.places(row.urn, row.document):
                wanted = [digest for digest in wanted if not writer.reuse(digest)]
                if not wanted:
                    break
                wanted = elsewhere.read(place, row.document, wanted, writer, taking.arrived)
            wanted = [digest for digest in wanted if not writer.reuse(digest)]
            if wanted:
                session.stage(writer, ())  # what came need not come again
                raise dropped_error(view, row, places, elsewhere.why or "no place has all of it")
            draft.fetches.append(row.urn)
            report.versions += 1
    if draft.fetches:
        report.commit = session.publish(draft, writer).commit
    return report


class _Taking:
    """Makes what has arrived durable every so often: it need not come again."""

    def __init__(self, session: Session, writer: Writer, report: GetReport) -> None:
        self._session = session
        self._writer = writer
        self._report = report
        self._unstaged = 0

    def arrived(self, size: int) -> None:
        """Take note of bytes that came."""
        self._report.bytes += size
        self._unstaged += size
        if self._unstaged >= STAGE_BYTES:
            self._session.stage(self._writer, ())
            self._unstaged = 0


def _rows(view: View, numbers: Iterable[int]) -> list[VersionRow]:
    """Return versions and all that is below them, each once; those given up are left out."""
    found: dict[int, None] = {}
    for urn in numbers:
        found.setdefault(urn)
        found.update((below, None) for below, _, _ in view.identity.descendants(urn))
    rows = view.identity.numbered_all(sorted(found), view.identity.head())
    return [row for row in rows.values() if not row.purged]


def _tell(
    on_progress: OnProgress | None,
    stage: str,
    done: int,
    total: int,
    row: VersionRow,
    size: int = 0,
) -> None:
    if on_progress is not None:
        on_progress(Progress(stage, done, total, size, 0, row.name or ""))
