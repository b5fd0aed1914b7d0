"""How it stands with the user's own files that hold content of a pool.

Looking at size and time is quick; only reading all of a file proves that it is as it was.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from skypool.catalogue.kept_files import KeptFile, KeptFiles
from skypool.codec.deferring import is_deferred
from skypool.codec.digest import Hasher
from skypool.errors import SourceChanged, SourceMissing, StorageError
from skypool.pool.moved_files import MovedFiles
from skypool.pool.progress import Progress
from skypool.pool.reaching import content_of, reached
from skypool.storage.inplace import FileSource, FileState

if TYPE_CHECKING:
    from skypool.catalogue.draft import SourceRow
    from skypool.pool.progress import OnProgress
    from skypool.pool.ref import Ref
    from skypool.pool.session import Session
    from skypool.pool.view import View
    from skypool.storage.filelayer import FileLayer

__all__ = [
    "SourceStatus",
    "State",
    "StatusReport",
    "check_source",
    "file_digest",
    "good_sources",
    "is_replaced",
    "is_stored",
    "status",
]

State: TypeAlias = Literal["fine", "moved", "changed", "missing", "unreadable", "replaced"]

_READ: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How it stands with one file that holds content of a pool.

    Attributes
    ----------
    path : str
        Where the pool looks for it.
    state : str
        `fine`; `moved`: not there, but a file of its size and time is at `found`; `changed`;
        `missing`; `unreadable`; `replaced`: the path holds a newer version, and what it held
        before is gone.
    size : int
        Bytes that it had.
    reason : str
        What is wrong; empty where it is fine.
    found : str
        Where it may be now, if it was moved.
    products : tuple of str
        The versions that need it, `name@version`; none where it is fine.
    lost : bool
        Whether nothing else has the content: reading these versions fails.
    newest : bool
        Whether one of them is the newest of a product in view.
    """

    path: str
    state: State
    size: int
    reason: str = ""
    found: str = ""
    products: tuple[str, ...] = ()
    lost: bool = False
    newest: bool = False


@dataclass(slots=True)
class StatusReport:
    """How it stands with the files that hold content of a pool.

    Attributes
    ----------
    counts : dict of str to int
        How many files are in each state.
    sources : list of SourceStatus
        Those that are not fine, in the order of their paths; all where that was asked for.
    bytes : int
        Bytes of the files that were read; 0 where only sizes and times were looked at.
    unproven : int
        Files that a full check could not prove, because only their headers were ever read.
    """

    counts: dict[State, int] = field(default_factory=dict)
    sources: list[SourceStatus] = field(default_factory=list)
    bytes: int = 0
    unproven: int = 0

    @property
    def ok(self) -> bool:
        """Whether the newest versions of all products in view can be read."""
        return not any(source.lost and source.newest for source in self.sources)


def file_digest(source: FileSource) -> bytes:
    """Return the BLAKE3-256 of a file.

    Raises
    ------
    SourceChanged
        If it changes meanwhile.
    """
    hasher = Hasher()
    for offset in range(0, source.size, _READ):
        hasher.update(source.pread(offset, _READ))
    source.check()
    return hasher.digest()


def check_source(
    row: SourceRow, wanted: str | None = None, files: FileLayer | None = None
) -> tuple[State, str]:
    """Look whether a file outside the pool is as it was.

    Parameters
    ----------
    row
        The file, as the pool knows it.
    wanted
        Its BLAKE3-256 in hexadecimal: all of it is read. None looks at size and time alone.
    files
        The file layer; the local one if None.

    Returns
    -------
    state : str
        `fine`, `changed`, `missing` or `unreadable`.
    reason : str
        Empty where it is fine.
    """
    try:
        with FileSource(row.path, FileState(row.size, row.mtime_ns), files) as source:
            if wanted is not None and file_digest(source).hex() != wanted:
                return "changed", "not as it was, though its size and time are"
    except SourceMissing:
        return "missing", "gone"
    except SourceChanged:
        return "changed", _difference(row, wanted, files)
    except StorageError as error:
        return "unreadable", error.message
    return "fine", ""


def _difference(row: SourceRow, wanted: str | None, files: FileLayer | None) -> str:
    """Say what is other about a file of another size or time."""
    with contextlib.suppress(StorageError), FileSource(row.path, None, files) as source:
        if source.size != row.size:
            return f"it has {source.size:,} bytes now, and had {row.size:,}"
        if wanted is None:
            return "its time is another one; --full compares its content"
        if file_digest(source).hex() == wanted:
            return "its time is another one, its content is the same: add it again"
        return "its time is another one, and its content too"
    return "it is changing just now"


def is_replaced(kept: KeptFiles, row: SourceRow) -> bool:
    """Tell whether a file that changed was added again: it holds, or held, something newer.

    What is newer may have been copied into the pool since, and the file be gone.
    """
    others = kept.others_at(row.path, row.document)
    return any(check_source(other)[0] == "fine" for other in others) or kept.added_again(row)


def good_sources(session: Session, document: bytes, *, full: bool = True) -> list[SourceRow]:
    """Return the user's files that have the whole content of a document now.

    Parameters
    ----------
    session
        The open pool.
    document
        Digest of the document.
    full
        Read each file and compare its digest, so that it is proven; a file of which only the
        headers were ever read is never proven. Else size and time must be as they were.
    """
    rows = session.catalogue.sources(document)
    wanted = file_hash(session, document) if rows and full else None
    if full and wanted is None:
        return []
    return [row for row in rows if check_source(row, wanted, session.folder.files)[0] == "fine"]


def file_hash(session: Session, document: bytes) -> str | None:
    """Return the digest of the file of a document, with its wrapper; None if it is not known."""
    file = session.document(document).get("file") or {}
    found: str | None = (file.get("wrapper") or file).get("hash")
    return found


def is_stored(session: Session, document: bytes) -> bool:
    """Tell whether the pool has all content of a document itself."""
    found = session.document(document)
    content = content_of(found)
    if is_deferred(found):
        return False
    for digests in reached(content, session.fetch):
        names = [digests[at : at + 32] for at in range(0, len(digests), 32)]
        if set(names) - set(session.catalogue.chunks.places_of_many(names)):
            return False
    return True


def status(
    view: View,
    refs: Iterable[Ref] | None = None,
    *,
    full: bool = False,
    every: bool = False,
    on_progress: OnProgress | None = None,
) -> StatusReport:
    """Tell how it stands with the files that hold content of a pool.

    Parameters
    ----------
    view
        The pool.
    refs
        Only files of these versions and of all below them; None for those of all versions.
    full
        Read the files and compare digests.
    every
        List those that are fine too.
    on_progress
        Told how far the work is.
    """
    return _Looking(view, full, on_progress).run(refs, every)


class _Looking:
    """Looks at files one by one."""

    def __init__(self, view: View, full: bool, on_progress: OnProgress | None) -> None:
        self._session = view.session
        self._kept = KeptFiles(view.session.catalogue.database)
        self._full = full
        self._on_progress = on_progress
        self._report = StatusReport()
        self._moves = MovedFiles(self._kept)

    def run(self, refs: Iterable[Ref] | None, every: bool) -> StatusReport:
        """Look at all that is asked for."""
        if refs is None:
            found, total = self._kept.all(), self._kept.count()
        else:
            numbers = sorted({n for ref in refs for n in self._kept.numbers(ref.number)})
            found, total = self._kept.of(numbers), 0
        counts: Counter[State] = Counter()
        for place, kept in enumerate(found):
            if self._on_progress is not None and place % 64 == 0:
                self._on_progress(
                    Progress("looking", place, total, self._report.bytes, 0, kept.row.path)
                )
            one = self._look(kept)
            counts[one.state] += 1
            if every or one.state != "fine":
                self._report.sources.append(one)
        self._report.counts = dict(counts)
        self._report.sources.sort(key=lambda each: each.path)
        return self._report

    def _look(self, kept: KeptFile) -> SourceStatus:
        row = kept.row
        state, reason, found = *self._state(row), ""
        if state == "fine":
            return SourceStatus(row.path, state, row.size)
        if state == "missing":
            found = self._moves.find(row) or ""
            if found:
                state, reason = "moved", f"a file of its size and time is {found}"
        elif state == "changed" and is_replaced(self._kept, row):
            state, reason = "replaced", "the path holds a newer version; the old content is gone"
        holders = self._kept.holders(kept.number)
        others = [other for other in self._session.catalogue.sources(row.document) if other != row]
        good = next((other.path for other in others if check_source(other)[0] == "fine"), "")
        reason += f"; {good} has the same content" if good else ""
        return SourceStatus(
            row.path,
            state,
            row.size,
            reason,
            found,
            tuple(f"{name}@{version}" for name, version, _ in holders),
            not good and not is_stored(self._session, row.document),
            any(newest for _, _, newest in holders),
        )

    def _state(self, row: SourceRow) -> tuple[State, str]:
        wanted = file_hash(self._session, row.document) if self._full else None
        found = check_source(row, wanted, self._session.folder.files)
        if wanted is not None and found[0] == "fine":
            self._report.bytes += row.size
        self._report.unproven += self._full and wanted is None and found[0] == "fine"
        return found
