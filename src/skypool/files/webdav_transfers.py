"""Files that WebDAV sends, and those that arrive."""

from __future__ import annotations

from skypool.files.operations import Operations
from skypool.files.writing import WriteOperations

__all__ = ["Arriving", "OpenFile"]


class OpenFile:
    """Random access to an open file."""

    def __init__(self, files: Operations, path: str) -> None:
        self._files = files
        self.size = files.attributes(path)[1]
        self._number = files.open(path)

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        return self._files.read(self._number, offset, length)

    def close(self) -> None:
        """Close it."""
        self._files.release(self._number)


class Arriving:
    """A file that is being written, piece by piece."""

    def __init__(self, files: WriteOperations, path: str) -> None:
        self._files = files
        self._number = files.create(path)
        self._at = 0

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self._at += self._files.write(self._number, data, self._at)

    def close(self) -> None:
        """Close it."""
        self._files.release(self._number)
