"""Byte sources as files, for packages that read files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["SourceFile"]


class SourceFile(io.RawIOBase):
    """A `ByteSource` as a readable, seekable binary file."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be positioned."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}
        position = base[whence] + offset
        if position < 0:
            raise ValueError("a position before the start of the file")
        self._position = position
        return position

    def readinto(self, buffer: object) -> int:
        """Fill a buffer; returns how many bytes there were."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._source.pread(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
