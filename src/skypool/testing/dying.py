"""A file layer that dies, for crashes inside a process."""

from __future__ import annotations

from typing import Any

from skypool.storage.filelayer import LocalFiles

__all__ = ["Died", "DyingFiles"]

_CHANGES = frozenset(
    {"create_exclusive", "write", "truncate", "sync", "sync_folder", "link", "replace", "unlink"}
)


class Died(BaseException):
    """The process would be gone here; nothing may catch it and go on."""


class DyingFiles(LocalFiles):
    """A file layer that does some changes and then dies, again at every one that follows.

    Parameters
    ----------
    changes
        How many it does before.
    """

    def __init__(self, changes: int) -> None:
        super().__init__()
        self._left = changes

    def __getattribute__(self, name: str) -> Any:
        """Return a method; one that changes files counts."""
        found = super().__getattribute__(name)
        if name in _CHANGES:
            if self._left <= 0:
                raise Died
            self._left -= 1
        return found
