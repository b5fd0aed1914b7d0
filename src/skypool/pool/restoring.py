"""Making the marker of a pool anew: its packs say which pool they are of."""

from __future__ import annotations

import json
import os
import stat
import uuid
from datetime import UTC, datetime
from typing import Any

from skypool.codec.documents import format_time, parse_time
from skypool.errors import Damaged, PoolNotFound
from skypool.pool.folder import PoolFolder, fitting_journal
from skypool.pool.marker import FORMAT_VERSION, MARKER, PoolSettings
from skypool.storage.commit_log import CommitLog
from skypool.storage.filelayer import FileLayer
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_layout import HEADER_SIZE, PackHeader, read_pack_header
from skypool.storage.pack_scan import PackReader
from skypool.storage.whole_files import publish, replace_file

__all__ = ["restore_marker"]


def restore_marker(path: str, files: FileLayer) -> bool:
    """Make the marker of a pool anew if it is missing, unreadable, or that of another pool.

    Parameters
    ----------
    path
        The pool's folder.
    files
        The file layer.

    Returns
    -------
    bool
        False where the marker is right.

    Raises
    ------
    PoolNotFound
        If the folder has no packs: nothing says that it was a pool.
    Damaged
        If its packs are of several pools.
    """
    if not os.path.isdir(os.path.join(path, "packs")):
        raise PoolNotFound(f"there is no pool at {path}")
    headers = _headers(path, files)
    owners = {header.pool for header in headers}
    try:
        found = PoolFolder.open(path, files)
    except (PoolNotFound, Damaged):
        pass
    else:
        if not owners or found.id in owners:
            return False
    if len(owners) != 1:
        what = "are of several pools" if owners else "do not say which pool they are of"
        raise Damaged(
            f"the marker of {path} cannot be made anew: its packs {what}",
            hint=f"put {MARKER} back from a copy of the pool",
        )
    marker = os.path.join(path, MARKER)
    if os.path.exists(marker):
        with open(marker, "rb") as file:
            publish(files, f"{marker}.damaged-{uuid.uuid4().hex[:8]}", file.read())
    obj: dict[str, Any] = {
        "format": "skypool",
        "version": FORMAT_VERSION,
        "features": [],
        "id": owners.pop().hex(),
        "created": format_time(_created(path, files, headers)),
    }
    # How much it may take is not known any more.
    shared = bool(os.stat(path).st_mode & stat.S_IWGRP and os.stat(path).st_mode & stat.S_ISGID)
    obj |= PoolSettings(shared=shared, journal=fitting_journal(path)).entries()
    replace_file(files, marker, (json.dumps(obj, indent=1) + "\n").encode())
    return True


def _headers(path: str, files: FileLayer) -> list[PackHeader]:
    found = []
    for entry in list_packs(os.path.join(path, "packs")):
        with PackReader(files, entry.path, HEADER_SIZE) as reader:
            header = read_pack_header(bytes(reader.view(0, HEADER_SIZE)))
        if header is not None:
            found.append(header)
    return found


def _created(path: str, files: FileLayer, headers: list[PackHeader]) -> datetime:
    """Return when the pool was made, as nearly as that can be told."""
    times = [datetime.fromtimestamp(header.created / 1e9, UTC) for header in headers]
    for record in CommitLog(os.path.join(path, "commits.log"), files).records():
        times.append(parse_time(record.commit()["time"]))
        break
    return min(times)
