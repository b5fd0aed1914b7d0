"""Where the writer of a commit gets what it writes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from skypool.storage.pack_writer import PackWriter

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["PackSource"]


class PackSource(Protocol):
    """Where a writer gets packs, and threads."""

    def take_pack(self) -> PackWriter:
        """Return a locked pack that takes records."""
        ...

    def give_back(self, pack: PackWriter) -> None:
        """Take a pack back after the commit: to use on, or to let go if full or failed."""
        ...

    def is_full(self, pack: PackWriter) -> bool:
        """Return whether a pack has reached the size at which it is sealed."""
        ...

    def threads(self) -> Executor:
        """Return the pool of threads that encodes."""
        ...
