"""Opening a pool whatever happened to it: catalogue and log are brought together.

What can be found, and what is done (docs/design/006-garbage-and-rebuild.md):

- no catalogue, or one that SQLite cannot read: it is rebuilt from packs and log;
- a log that lacks commits, since their process died before it wrote them: it is completed;
- a catalogue that lacks commits of the log: they are replayed;
- a pool that was copied: it is checked, and rebuilt where its parts do not fit.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from skypool.catalogue.database import CatalogueVersion
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.errors import Damaged, PoolNotFound, ReadOnly
from skypool.storage.commit_log import START, LogPosition
from skypool.storage.looking import size_of, status_of
from skypool.storage.pack_layout import aligned
from skypool.storage.pack_scan import pool_of_pack

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = [
    "bring_up_to_date",
    "check_marker",
    "file_identity",
    "log_position",
    "noted_position",
    "open_catalogue",
]

_logger = logging.getLogger("skypool")


def log_position(catalogue: SqliteCatalogue) -> LogPosition:
    """Return the end of the log as the catalogue last noted it."""
    # By one question: another process may note a later position between two.
    found = catalogue.states("log_number", "log_offset", "log_previous")
    if None in found:
        return START
    if [type(value) for value in found] != [int, int, bytes]:
        raise Damaged(
            "the catalogue is damaged: where the log ends is no place",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )
    return LogPosition(*found)


def noted_position(position: LogPosition) -> dict[str, int | bytes]:
    """Return a position in the log as the catalogue notes it."""
    return {
        "log_number": position.number,
        "log_offset": position.offset,
        "log_previous": position.previous,
    }


def file_identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file, None if there is none; it is not opened."""
    found = status_of(path)
    return None if found is None else (found.st_dev, found.st_ino)


def open_catalogue(session: Session) -> SqliteCatalogue:
    """Open the catalogue; where it is lost it is rebuilt first, if the pool can be written to.

    Raises
    ------
    PoolNotFound
        If nothing was ever saved in the pool, and it is open for reading.
    ReadOnly
        If there is none, and the pool is open for reading.
    Damaged
        If it cannot be read, and the pool is open for reading.
    """
    if not session.writable:
        return _open_for_reading(session)
    # Looked at before SQLite opens the file: at the last closing it takes the pages in.
    session.found_wal = bool(_size(session.folder.catalogue + "-wal"))
    problem = _problem(session)
    if problem is None:
        return session.make_catalogue()
    from skypool.pool.rebuilding import make_catalogue, put_in_place

    with session.folder.lock(exclusive=True):
        if _problem(session) is not None:  # else another process was first
            _logger.warning("%s: it is rebuilt from the packs and the log", problem)
            put_in_place(session.folder, make_catalogue(session.folder, session.store, 0))
    return session.make_catalogue()


def _open_for_reading(session: Session) -> SqliteCatalogue:
    path = session.folder.catalogue
    new = not _size(session.folder.log.path)
    try:
        if status_of(path) is not None:
            return session.make_catalogue()
    except CatalogueVersion:
        if not new:
            raise
    if new:  # whoever makes the pool is not done with it, or died
        raise PoolNotFound(f"the pool {session.folder.path} is empty: nothing was saved in it yet")
    raise ReadOnly(
        f"the pool {session.folder.path} has no catalogue, and it is open for reading",
        hint="`skypool reindex`, by someone who may write there, makes one",
    )


def _problem(session: Session) -> str | None:
    """Return why the catalogue cannot be used, None where it can be or where the pool is new."""
    path = session.folder.catalogue
    if status_of(path) is None:
        new = not _size(session.folder.log.path)
        return None if new else f"the catalogue {path} is missing"
    try:
        catalogue = session.make_catalogue()
        try:
            catalogue.head()
            log_position(catalogue)
            for key in ("epoch", "head_time", "next_urn", "next_track", "file"):
                catalogue.state(key)
        finally:
            catalogue.close()
    except (CatalogueVersion, Damaged) as error:
        return error.message
    return None


def check_marker(session: Session) -> None:
    """Refuse to write where the marker is that of another pool than the packs.

    Raises
    ------
    Damaged
        If it is: new packs would carry the wrong identifier too.
    """
    folder = session.folder
    for name, _ in session.catalogue.chunks.last_packs(1):
        owner = pool_of_pack(os.path.join(folder.packs, f"{name.hex()}.pack"), folder.files)
        if owner is not None and owner != folder.id:
            raise Damaged(
                f"the marker of {folder.path} does not fit its packs: it says that this is the"
                f" pool {folder.id.hex()}, they are of {owner.hex()}",
                hint="`skypool reindex` makes the marker anew from the packs",
            )


def bring_up_to_date(session: Session) -> None:
    """Complete the log from the catalogue, or the catalogue from the log.

    A process that died between its transaction and its acknowledgement leaves a log
    that lacks records; a catalogue that was lost or copied too early lacks commits.
    """
    end = _end_of_log(session)
    head = session.catalogue.head()  # asked for last: the log is never ahead of a good one
    if not session.writable:
        if end.number > head:
            _logger.warning(
                "the catalogue of %s lacks the commits %d to %d of the log: the pool is shown as of"
                " commit %d until someone opens it for writing",
                session.folder.path,
                head + 1,
                end.number,
                head,
            )
        return
    if _is_copy(session):
        _check_copy(session, behind=end.number > head)
    elif end.number > head:
        _replay(session)
    elif head > end.number:
        try:
            with session.committing():
                session.complete_log()
        except Damaged as error:  # all can be read; commits are refused
            _logger.warning("%s", error.message)


def _end_of_log(session: Session) -> LogPosition:
    log = session.folder.log
    position = log_position(session.catalogue)
    return log.end(START if position.offset > _size(log.path) else position)


def _replay(session: Session) -> None:
    """Take in the commits of the log that the catalogue lacks."""
    from skypool.pool.rebuilding import fill

    with session.folder.lock(exclusive=True):
        if _end_of_log(session).number > session.catalogue.head():
            # Places may change: whoever has looked at the old ones notices by the epoch.
            session.catalogue.set_state({"epoch": session.catalogue.state("epoch") + 1})
            fill(session.catalogue, session.folder, session.store)
    session.renew()


def _is_copy(session: Session) -> bool:
    """Return whether the catalogue is not in the file in which it was made (rule 18)."""
    noted = session.catalogue.state("file", None)
    here = _place(session)
    if noted is None:
        # A catalogue that was copied before SQLite had written to it is an empty file.
        if not session.catalogue.head() and _size(session.folder.log.path):
            return True
        session.catalogue.set_state({"file": here})
        return False
    return bool(noted != here)


def _place(session: Session) -> str:
    return str(file_identity(session.folder.catalogue))


def _check_copy(session: Session, *, behind: bool) -> None:
    """Check a pool that was copied, maybe while it was in use; rebuild it if it does not fit."""
    from skypool.pool.incomplete import drop_incomplete
    from skypool.pool.rebuilding import rebuild_from_log

    with session.folder.lock(exclusive=True):
        if _is_copy(session):
            _mend_damaged_log(session)
            problem = "the log is newer" if behind else _misfit(session)
            if problem:
                _logger.warning(
                    "%s was copied while it was in use (%s): its catalogue is rebuilt",
                    session.folder.path,
                    problem,
                )
                drop_incomplete(session.folder, session.store)
                rebuild_from_log(session)
            session.catalogue.set_state({"file": _place(session)})
    session.renew()
    with session.committing():
        session.complete_log()


def _mend_damaged_log(session: Session) -> None:
    """Write a damaged log again from the catalogue, rather than give up what it has lost.

    A log that is as long as the catalogue noted is no older copy of it.
    """
    from skypool.pool.mending_log import is_log_damaged, mend_log_locked

    long = _size(session.folder.log.path) >= session.catalogue.state("log_offset")
    if long and is_log_damaged(session):
        try:
            mend_log_locked(session)
        except Damaged as error:
            _logger.warning("%s", error.message)


def _misfit(session: Session) -> str:
    """Return what does not fit in a copied pool; empty if it is whole."""
    from skypool.catalogue.collecting import Marks
    from skypool.pool.checking_catalogue import check_rows
    from skypool.pool.checking_log import check_log

    # A part of the database that belongs to another state of it than the rest: after a second
    # run of rsync, it may even be left from the first.
    if session.found_wal:
        return "it had pages in a -wal file"
    problems: list[str] = []
    with Marks(session.catalogue.database) as marks:
        for name, end in marks.ends().items():
            path = os.path.join(session.folder.packs, f"{name.hex()}.pack")
            if aligned(_size(path)) < end:
                problems.append(f"{name.hex()}.pack is older")
        problems += marks.integrity(quick=False)
    check_log(session, lambda kind, what, where: problems.append(f"{where}: {what}"))
    check_rows(session, lambda kind, what, where: problems.append(f"{where}: {what}"))
    return problems[0] if problems else ""


def _size(path: str) -> int:
    return size_of(path) or 0
