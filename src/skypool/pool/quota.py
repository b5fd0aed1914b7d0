"""How much a pool may take: asked before anything is written.

What makes a pool grow asks first: a transfer, whose size is known, as a whole; files and products,
whose size depends on what the pool has already and on how well they compress, are put in for
trial where they might not fit. While a commit is written every record asks once more, since
others write too; what a refused commit has written is cut off again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from skypool.errors import Damaged, QuotaExceeded
from skypool.model.amounts import size_text
from skypool.pool.marker import MARKER, PoolSettings, read_marker
from skypool.storage.looking import size_of, status_of_entry
from skypool.storage.pack_files import list_packs
from skypool.storage.pack_writer import ROLL_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skypool.pool.folder import PoolFolder

__all__ = ["Quota", "bytes_below"]

# Between two looks at what others have written, a commit writes at most this much.
_LOOK_BYTES = 32 << 20


class Quota:
    """What a pool may take, and what it takes.

    Parameters
    ----------
    folder
        The pool's.
    """

    def __init__(self, folder: PoolFolder) -> None:
        self._folder = folder
        self._marker: tuple[int, int, int] | None = None
        self._limit: int | None = folder.settings.max_size
        # Sizes of packs that are full: they never change, and their names never come again.
        self._full: dict[str, int] = {}

    @property
    def limit(self) -> int | None:
        """What the pool may take, None where that is not limited; as it is set now."""
        marker = os.path.join(self._folder.path, MARKER)
        with contextlib.suppress(OSError, Damaged):
            found = os.stat(marker)
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            if state != self._marker:
                self._limit = PoolSettings.of(read_marker(self._folder.path)).max_size
                self._marker = state
        return self._limit

    def used(self) -> int:
        """Return what packs, log and catalogue take."""
        total = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in list_packs(self._folder.packs):
                size = self._full.get(entry.name)
                if size is None:
                    with contextlib.suppress(FileNotFoundError):
                        size = status_of_entry(entry).st_size
                        if size > ROLL_BYTES:
                            self._full[entry.name] = size
                total += size or 0
        return total + sum(
            size_of(path) or 0 for path in (self._folder.log.path, self._folder.catalogue)
        )

    def room(self) -> int | None:
        """Return what it may still take, None where that is not limited."""
        limit = self.limit
        return None if limit is None else limit - self.used()

    def too_much(self) -> str:
        """Return what to say where the pool takes more than it may; empty where it does not."""
        limit, used = self.limit, self.used()
        if limit is None or used <= limit:
            return ""
        return (
            f"{self._folder.path} may take {size_text(limit)} and takes {size_text(used)} already:"
            " nothing can be added until `purge`, `forget` or `drop`, and then `gc`, free space"
        )

    def require(self, needed: int, *, least: bool = False) -> None:
        """Make sure that there is room.

        Parameters
        ----------
        needed
            Bytes.
        least
            Whether more may be needed.

        Raises
        ------
        QuotaExceeded
            If there is not.
        """
        limit = self.limit
        if limit is None or not needed:
            return
        used = self.used()
        if used + needed > limit:
            raise QuotaExceeded(
                f"{self._folder.path} may take {size_text(limit)}: it takes {size_text(used)}, and"
                f" this needs {'at least ' if least else ''}{size_text(needed)} more",
                hint="nothing was stored; `skypool du` shows what takes room, `purge`, `drop` and"
                " `gc` give it back, `skypool config max_size SIZE` allows more",
            )

    def guard(self) -> Guard | None:
        """Return what the writer of a commit asks; None where nothing is limited."""
        return None if self.limit is None else Guard(self)


class Guard:
    """Asked by the writer of one commit before it appends records."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._room = quota.room()
        self._looked_at = 0

    def __call__(self, written: int, more: int) -> None:
        """Make sure that there is room for more than has been written.

        Raises
        ------
        QuotaExceeded
            If there is not.
        """
        total = written + more
        if written - self._looked_at > _LOOK_BYTES:
            # Others have written meanwhile; of what this one has, nearly all is on disk.
            room = self._quota.room()
            self._room = None if room is None else room + written
            self._looked_at = written
        if self._room is not None and total > self._room:
            self._quota.require(more + max(0, -self._room), least=True)
            self._quota.require(total, least=True)


def bytes_below(paths: Iterable[object]) -> int:
    """Return what files, and all files in folders, are together; what cannot be seen is none."""
    total = 0
    for path in paths:
        if not isinstance(path, str):
            continue
        with contextlib.suppress(OSError):
            total += os.path.getsize(path) if os.path.isfile(path) else 0
        for folder, _, names in os.walk(path):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
    return total
