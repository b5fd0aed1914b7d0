"""How far an interrupted verification got, so that the next one can go on.

Verification changes nothing in a pool: this is kept in the user's cache. A pack counts as
verified only while its file is the same and as it was: size, time, inode.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from skypool.pool.damage_notes import cache_file

if TYPE_CHECKING:
    from skypool.pool.session import Session
    from skypool.storage.pack_verify import PackReport

__all__ = ["Verified"]

_SAVE_SECONDS = 5.0
# What was seen longer ago says nothing about today.
_OLDEST_SECONDS = 7 * 86400.0


class Verified:
    """Packs that an interrupted verification found sound.

    Parameters
    ----------
    session
        The open pool.
    quick
        Whether this verification is a quick one; what a full one found serves both.
    resume
        Whether to go on with what was done before.
    """

    def __init__(self, session: Session, *, quick: bool, resume: bool) -> None:
        self._path = cache_file(session, "verify")
        self._quick = quick
        self._saved = time.monotonic()
        self._packs: dict[str, dict[str, Any]] = {}
        if resume:
            self._load()

    def _load(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
            with open(self._path, encoding="ascii") as file:
                found = json.load(file)
            for name, entry in found["packs"].items():
                young = abs(time.time() - float(entry["at"])) < _OLDEST_SECONDS
                if young and (self._quick or not entry["quick"]):
                    self._packs[name] = entry

    def sound(self, name: bytes, state: os.stat_result, committed: int) -> tuple[int, int] | None:
        """Return records and reclaimable bytes of a pack that need not be read again."""
        entry = self._packs.get(name.hex())
        if entry is None or entry.get("as") != _figures(state, committed):
            return None
        return int(entry["records"]), int(entry["reclaimable"])

    def note(self, name: bytes, state: os.stat_result, committed: int, found: PackReport) -> None:
        """Note a pack that was read; one with problems is to be read again."""
        self._packs.pop(name.hex(), None)
        if not found.problems:
            self._packs[name.hex()] = {
                "as": _figures(state, committed),
                "at": time.time(),
                "quick": self._quick,
                "records": found.records,
                "reclaimable": found.reclaimable,
            }
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Keep what was done; without a cache the next verification starts anew."""
        self._saved = time.monotonic()
        temporary = f"{self._path}.{os.getpid()}.tmp"
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with open(temporary, "w", encoding="ascii") as file:
                json.dump({"packs": self._packs}, file)
            os.replace(temporary, self._path)

    def finish(self) -> None:
        """Forget it: the verification came to its end."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _figures(state: os.stat_result, committed: int) -> list[int]:
    return [state.st_size, state.st_mtime_ns, state.st_ino, state.st_dev, committed]
