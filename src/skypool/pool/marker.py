"""The marker of a pool, `skypool.json`: which pool it is, and what it is set to.

docs/format/pool.md specifies it. What a program does not know in it is kept when it is written
again.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from skypool.errors import Damaged, UsageError
from skypool.storage.file_errors import explained
from skypool.storage.filelayer import GROUP_FILE
from skypool.storage.looking import status_of
from skypool.storage.whole_files import replace_file

if TYPE_CHECKING:
    from skypool.pool.folder import PoolFolder

__all__ = [
    "FORMAT_VERSION",
    "JOURNALS",
    "MARKER",
    "Journal",
    "PoolSettings",
    "change_settings",
    "checked_settings",
    "read_marker",
]

FORMAT_VERSION = 1
MARKER = "skypool.json"
Journal = Literal["wal", "delete"]
JOURNALS: tuple[Journal, ...] = ("wal", "delete")
_SHARED = "group"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool is set to, for all who use it.

    Attributes
    ----------
    max_size : int or None
        Bytes that packs, log and catalogue together may take.
    shared : bool
        Whether the group of its folder may write, whatever the umask of whoever writes.
    journal : str
        How the catalogue is kept: `wal`, or `delete` for network file systems.
    """

    max_size: int | None = None
    shared: bool = False
    journal: Journal = "wal"

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> PoolSettings:
        """Return what a marker says; what makes no sense counts as not set.

        Parameters
        ----------
        obj
            What `skypool.json` holds.
        """
        size, journal = obj.get("max_size"), obj.get("journal")
        known = isinstance(size, int) and not isinstance(size, bool) and size > 0
        return cls(
            size if known else None,
            obj.get("shared") == _SHARED,
            "delete" if journal == "delete" else "wal",
        )

    def entries(self) -> dict[str, Any]:
        """Return the keys of the marker that say this."""
        found: dict[str, Any] = {"journal": self.journal}
        if self.shared:
            found["shared"] = _SHARED
        if self.max_size is not None:
            found["max_size"] = self.max_size
        return found


def checked_settings(
    max_size: int | str | None = None, shared: bool | str = False, journal: str | None = None
) -> PoolSettings:
    """Return settings as users give them.

    Raises
    ------
    UsageError
        If one of them is none that there is.
    """
    from skypool.model.amounts import read_size

    size = None if max_size is None else read_size(max_size)
    if size is not None and size <= 0:
        raise UsageError(f"a pool cannot be held to {max_size} bytes", hint="such as 500GB")
    if shared not in (True, False, "group", "user"):
        raise UsageError(
            f"a pool is shared with its group, not with {shared!r}", hint="group, or user"
        )
    if journal not in (None, *JOURNALS):
        raise UsageError(f"the journal of a catalogue is wal or delete, not {journal!r}")
    return PoolSettings(size, shared in (True, "group"), "delete" if journal == "delete" else "wal")


def read_marker(path: str) -> dict[str, Any]:
    """Return the marker of the pool in a folder as it is now.

    Raises
    ------
    FileNotFoundError
        If there is none.
    Damaged
        If it is no JSON object.
    """
    marker = os.path.join(path, MARKER)
    with explained("read", marker), open(marker, "rb") as file:
        text = file.read()
    try:
        obj = json.loads(text)
    except (ValueError, RecursionError):
        obj = None
    if not isinstance(obj, dict):
        raise Damaged(
            f"{marker} is not the marker of a pool",
            hint="the rest of the pool may be whole: `skypool reindex` makes the marker anew",
        )
    return obj


def change_settings(folder: PoolFolder, settings: PoolSettings) -> None:
    """Write the settings of a pool; the exclusive pool lock is held."""
    obj = read_marker(folder.path)
    for key in ("max_size", "shared", "journal"):
        obj.pop(key, None)
    obj |= settings.entries()
    text = json.dumps(obj, indent=1) + "\n"
    marker = os.path.join(folder.path, MARKER)
    status = status_of(marker)
    kept = None if status is None else stat.S_IMODE(status.st_mode)
    # Whoever could read it still can.
    replace_file(folder.files, marker, text.encode(), GROUP_FILE if settings.shared else kept)
