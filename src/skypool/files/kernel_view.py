"""What the kernel believes of the files of a mount, and may keep of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Final, NamedTuple

from skypool.files.operations import Attributes

__all__ = ["KernelView", "Opening"]

_TOLD: Final = 200_000
_PAGES: Final = 100_000
# So long after its last read a file counts as being read.
_READING: Final = 60.0


class Opening(NamedTuple):
    """How a file is opened.

    Attributes
    ----------
    keep : bool
        With the pages that the kernel has of it.
    direct : bool
        Past all pages.
    other : bool
        The path was opened as something else before: the kernel may think that it ends where
        that did.
    """

    keep: bool
    direct: bool = False
    other: bool = False


class _Pages:
    """What the pages that the kernel keeps of a path are of, and who reads through them."""

    def __init__(self, content: Hashable, attributes: Attributes) -> None:
        self.content = content
        self.attributes = attributes
        self.users = 0
        self.read = 0.0


class KernelView:
    """What was told to the kernel about paths, and what it has pages of.

    To the kernel a path is one file: its size, and the pages read of it, are shared by all that
    have it open. A version never changes, so its pages are good for whoever opens it next. Where
    a path has another version by now than one that is still open, the new one is read past the
    pages: neither sees bytes of the other.

    Parameters
    ----------
    fixed
        Whether nothing is written through this mount.
    """

    def __init__(self, *, fixed: bool) -> None:
        self._fixed = fixed
        self._told: dict[bytes, Attributes] = {}
        self._pages: dict[bytes, _Pages] = {}
        self._users: dict[int, _Pages] = {}
        self._lock = threading.Lock()

    def told(self, path: bytes, found: Attributes) -> Attributes:
        """Note what the kernel is told of a path, and return it.

        The kernel reads no further than the size that it knows. While a longer version is being
        read its size stays; the reader would find the end of the newer one else.
        """
        if len(self._told) > _TOLD:
            self._told.clear()
        pages = self._pages.get(path) if self._pages else None
        if (
            pages is not None
            and self._fixed
            and pages.users
            and pages.attributes[1] > found[1]
            and time.monotonic() - pages.read < _READING
        ):
            found = pages.attributes
        self._told[path] = found
        return found

    def has_changed(self, path: bytes, found: Attributes) -> bool:
        """Say whether the kernel was told something else of a path."""
        return self._told.get(path, found) != found

    def opened(
        self, path: bytes, number: int, content: Hashable | None, found: Attributes
    ) -> Opening:
        """Take note that a path was opened.

        Parameters
        ----------
        path
            Its path.
        number
            The open file.
        content
            What it is; None if that may change.
        found
            Its attributes.
        """
        with self._lock:
            pages = self._pages.get(path)
            same = pages is not None and content is not None and pages.content == content
            if pages is not None and pages.users and content is not None and not same:
                return Opening(keep=False, direct=True, other=True)
            other = pages is not None and content is not None and not same
            if pages is None or not same:
                if len(self._pages) > _PAGES:
                    self._pages = {key: each for key, each in self._pages.items() if each.users}
                pages = self._pages[path] = _Pages(content, found)
            pages.users += 1
            pages.read = time.monotonic()
            self._users[number] = pages
            return Opening(keep=same, other=other)

    def was_read(self, number: int) -> None:
        """Take note that somebody reads an open file."""
        pages = self._users.get(number)
        if pages is not None:
            pages.read = time.monotonic()

    def released(self, number: int) -> None:
        """Take note that a file was closed."""
        with self._lock:
            pages = self._users.pop(number, None)
            if pages is not None:
                pages.users -= 1

    def changed(self, path: bytes) -> None:
        """Take note that a path is written or removed: its pages are of no version."""
        with self._lock:
            self._drop(path)

    def renamed(self, *paths: bytes) -> None:
        """Take note that paths are renamed, with all that is below them."""
        with self._lock:
            below = tuple(b"%b/" % path for path in paths)
            for path in [each for each in self._pages if each in paths or each.startswith(below)]:
                self._drop(path)

    def _drop(self, path: bytes) -> None:
        pages = self._pages.pop(path, None)
        if pages is not None:
            pages.content = None
