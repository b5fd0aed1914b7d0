"""Writing a damaged log again: from its good records, other copies of it, and the catalogue.

Every record that is taken must mean what the catalogue says (docs/design/014-rot.md). The
exclusive pool lock keeps committers out; the new epoch tells them afterwards that the place of
the log's end, which they remember, is another one.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from skypool.catalogue.records import record_of
from skypool.codec.documents import dumps_in_parts, in_parts
from skypool.codec.packing import pack
from skypool.errors import Damaged
from skypool.pool.checking_log import difference
from skypool.pool.recovery import noted_position
from skypool.storage.commit_log import START, LogPosition, pack_record, whole_records
from skypool.storage.commit_records import Payload
from skypool.storage.filelayer import FileLayer
from skypool.storage.whole_files import publish, replace_file

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["is_log_damaged", "mend_log", "mend_log_locked"]

_logger = logging.getLogger("skypool")

# Versions of a commit whose record is compressed while it is made.
_LARGE = 2000


def is_log_damaged(session: Session) -> bool:
    """Return whether the log lacks commits that the catalogue knows to have been in it."""
    return session.folder.log.end().number < int(session.catalogue.state("log_number"))


def mend_log(session: Session, others: Iterable[str] = ()) -> list[int]:
    """Write a damaged log again.

    Parameters
    ----------
    session
        The open pool, whose catalogue has all commits.
    others
        Logs of copies of the pool.

    Returns
    -------
    list of int
        Numbers of the commits whose records the log had lost.

    Raises
    ------
    Damaged
        If a record is neither in a log nor in the catalogue; nothing is changed then.
    """
    with session.folder.lock(exclusive=True):
        made = mend_log_locked(session, others)
    session.renew()
    return made


def mend_log_locked(session: Session, others: Iterable[str] = ()) -> list[int]:
    """Write a damaged log again; the exclusive pool lock is held."""
    if not is_log_damaged(session):
        return []
    files, log = session.folder.files, session.folder.log
    old = _content(files, log.path)
    found = [dict(whole_records(old))]
    found += [dict(whole_records(_content(files, path))) for path in others]
    head = session.catalogue.head()
    data, position, made = bytearray(), START, []
    for number in range(1, head + 1):
        payload, own = _payload(session, number, found)
        if not own:
            made.append(number)
        record = pack_record(payload, position)
        data += record
        position = LogPosition.behind(position, record)
    _put(session, old, bytes(data), position)
    _logger.warning("the log %s was written again; it had lost %d commits", log.path, len(made))
    return made


def _payload(
    session: Session, number: int, found: list[dict[int, Payload]]
) -> tuple[bytes | Payload, bool]:
    """Return the record of a commit, and whether the damaged log has it."""
    for place, records in enumerate(found):
        if number in records:
            try:
                if not difference(session, records[number].commit(), number):
                    return records[number], place == 0
            except Damaged:
                continue
    record = record_of(session.catalogue.database, number)
    if record is None:
        raise Damaged(
            f"the record of commit {number} is neither in the log nor in the catalogue",
            hint="name a copy of the pool: skypool verify --repair-from COPY",
        )
    large = len(record.get("versions", ())) >= _LARGE
    return pack(in_parts(record)) if large else dumps_in_parts(record), False


def _put(session: Session, old: bytes, data: bytes, end: LogPosition) -> None:
    folder, catalogue = session.folder, session.catalogue
    publish(folder.files, f"{folder.log.path}.damaged-{uuid.uuid4().hex[:8]}", old)
    # From here on nobody trusts a place in the old log, whichever of the two is there.
    epoch = catalogue.state("epoch") + 1
    catalogue.set_state({**noted_position(START), "epoch": epoch})
    replace_file(folder.files, folder.log.path, data)
    catalogue.set_state(noted_position(end))


def _content(files: FileLayer, path: str) -> bytes:
    if not os.path.exists(path):
        return b""
    handle = files.open_read(path)
    try:
        return files.pread(handle, 0, files.size(handle))
    finally:
        files.close(handle)
