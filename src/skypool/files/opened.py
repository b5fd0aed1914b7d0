"""Files of a pool as Python's file objects: read at random, or written as a whole."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["BLOCK", "ReadingFile", "WritingFile"]

#: Bytes that are read ahead at most.
BLOCK: Final = 256 * 1024
_FIRST: Final = 512


class _Raw(io.RawIOBase):
    """Random access as a raw file, which gives less to who jumps about."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._at = 0
        self._behind = 0  # where the last read ended
        self._ahead = _FIRST
        self._largest = BLOCK

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise ValueError(f"no place {base + offset} in a file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = len(view)
        if wanted <= self._largest:
            # The buffer above asks for all that it holds: as much as is likely to be used.
            self._ahead = min(2 * self._ahead, wanted) if self._at == self._behind else _FIRST
            wanted = min(wanted, self._ahead)
        wanted = max(0, min(wanted, self._source.size - self._at))
        fill = getattr(self._source, "read_into", None)
        if fill is not None and wanted > BLOCK:  # the program's own memory: no copy between
            fill(self._at, view[:wanted])
        else:
            data = self._source.pread(self._at, wanted)
            wanted = len(data)
            view[:wanted] = data
        self._at = self._behind = self._at + wanted
        return wanted

    def readall(self) -> bytes:
        data = self._source.pread(self._at, max(0, self._source.size - self._at))
        self._at = self._behind = self._at + len(data)
        return data

    def close(self) -> None:
        if not self.closed:
            close: Callable[[], None] | None = getattr(self._source, "close", None)
            if close is not None:
                close()
        super().close()


class ReadingFile(io.BufferedReader):
    """A file of a pool, open for reading; threads may share it.

    Parameters
    ----------
    source
        Its bytes; closed with it.
    path
        What it is called.
    again
        A function and its arguments that open it again, elsewhere (pickles).
    """

    def __init__(
        self,
        source: ByteSource,
        path: str = "",
        again: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        raw = _Raw(source)
        super().__init__(raw, BLOCK)
        self.path = path
        self.size = source.size
        self._again = again

    @property
    def full_name(self) -> str:
        """What it is called."""
        return self.path

    def __reduce_ex__(self, protocol: Any) -> Any:
        # Not `__reduce__`: from Python 3.13 on, files refuse before that is asked.
        if self._again is None:
            raise TypeError(f"the open file {self.path!r} cannot be pickled")
        return self._again


class WritingFile(io.BufferedWriter):
    """A file that is written to the side, and given to the pool when it is closed.

    An exception in a `with` block, or an object that is forgotten without `close`, gives
    nothing to the pool.

    Parameters
    ----------
    staged
        Where it is written.
    path
        What it is called.
    give
        Takes the path of what was written.
    drop
        Removes what is to the side.
    autocommit
        Whether closing gives it to the pool; else `commit` does.
    """

    def __init__(
        self,
        staged: str,
        path: str,
        give: Callable[[str], object],
        drop: Callable[[], None],
        *,
        autocommit: bool = True,
    ) -> None:
        super().__init__(io.FileIO(staged, "ab"), BLOCK)
        self.path = path
        self.staged = staged
        self._give = give
        self._drop = drop
        self._autocommit = autocommit
        self._done = False

    def close(self) -> None:
        """Write it out and give it to the pool."""
        if self.closed:
            return
        try:
            super().close()
        except BaseException:
            self.discard()
            raise
        if self._autocommit:
            self.commit()

    def commit(self) -> None:
        """Give what was written to the pool."""
        if self._done:
            return
        self._done = True
        try:
            self._give(self.staged)
        finally:
            self._drop()

    def settled(self) -> None:
        """Take note that it was given to the pool together with others."""
        self._done = True
        self._drop()

    def discard(self) -> None:
        """Forget what was written."""
        if not self._done:
            self._done = True
            self._drop()
        if not self.closed:
            super().close()

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if not self.closed:
            self.discard()


def remove_folder(folder: str) -> None:
    """Remove a folder with what is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
