"""Which chunks of a commit need not be stored, as they are there already."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from skypool.storage.interface import Known

__all__ = ["ReusingWriter"]


class ReusingWriter:
    """What writers of every chunk store know of the chunks that came, or need not come.

    Safe for threads.

    Attributes
    ----------
    reused : set of bytes
        Digests that *known* affirmed.
    duplicates : int
        Chunks that came more than once.
    bytes_written : int
        Bytes by which the store has grown.
    """

    def __init__(self, known: Known | None) -> None:
        self._known = known
        self._lock = threading.RLock()
        self._seen: set[bytes] = set()
        self.reused: set[bytes] = set()
        self.duplicates = 0
        self.bytes_written = 0

    def reuse(self, name: bytes) -> bool:
        """Return whether a chunk came before or the catalogue has it: it need not come."""
        return self.reuse_all([name])

    def reuse_all(self, names: Sequence[bytes]) -> bool:
        """Return whether all of some chunks came or the catalogue has them; then they count."""
        with self._lock:
            self._check_open()
            asked = set(names) - self._seen
            if not asked:
                return True
            if self._known is None or not asked <= set(self._known(list(asked))):
                return False
            self.reused |= asked
            self._seen |= asked
            return True

    def indexed(self, digests: Iterable[bytes]) -> None:
        """Let go of the names of chunks that are flushed: the catalogue knows them from now on."""
        with self._lock:
            self._seen.difference_update(digests)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Take these as not stored: the next `put` of them writes them.

        For a commit that finds chunks gone which it meant to reuse.
        """
        with self._lock:
            gone = self.reused.intersection(digests)
            self.reused -= gone
            self._seen -= gone

    def _check_open(self) -> None:
        raise NotImplementedError
