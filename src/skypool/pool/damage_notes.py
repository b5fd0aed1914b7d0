"""Damage that was found, remembered until somebody can write to the pool.

Readers and `verify` change nothing in a pool. What they find damaged they note in a file of the
user's cache; whoever next writes to the pool marks the records in the catalogue, and from then
on the chunks there count as absent: adding the same data again heals them (storage rule 17).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from skypool.storage.pack_files import packs_with_status
from skypool.storage.pack_scan import pack_name

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["Range", "cache_file", "missing_packs", "note", "take_notes"]

# Name of a pack, start and end of damaged bytes.
Range = tuple[bytes, int, int]
_ALL = 2**62


def cache_file(session: Session, folder: str) -> str:
    """Return the file of the user's cache that is about one pool."""
    key = hashlib.sha256(session.folder.key).hexdigest()[:32]
    return os.path.join(os.fspath(session.settings.cache), folder, f"{key}.json")


def note(session: Session, ranges: Iterable[Range]) -> None:
    """Remember damage; where there is no cache it is forgotten with the process."""
    path = cache_file(session, "damage")
    fresh = set(ranges) - session.noted
    if not fresh:
        return
    session.noted |= fresh
    lines = "".join(json.dumps([pack.hex(), start, end]) + "\n" for pack, start, end in fresh)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # One write at the end of the file: several processes may note at once.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, lines.encode())
        finally:
            os.close(handle)


def take_notes(session: Session) -> None:
    """Mark in the catalogue what was noted, and what of the packs is not there."""
    path = cache_file(session, "damage")
    ranges = set(session.noted)
    found = False
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        found = True
        for line in file:
            with contextlib.suppress(ValueError, TypeError):
                pack, start, end = json.loads(line)
                ranges.add((bytes.fromhex(pack), int(start), int(end)))
    if ranges:
        session.catalogue.mark_bad(sorted(ranges))
        session.noted.clear()
    if found:
        with contextlib.suppress(OSError):
            os.unlink(path)


def missing_packs(session: Session) -> list[Range]:
    """Return what the catalogue has in packs that are not there, or are shorter."""
    sizes = {
        pack_name(entry.path): status.st_size
        for entry, status in packs_with_status(session.folder.packs)
    }
    return [
        (name, sizes.get(name, 0), _ALL)
        for name, end in session.catalogue.chunks.last_packs(-1)
        if sizes.get(name, 0) < end
    ]
