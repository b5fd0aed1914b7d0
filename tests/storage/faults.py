"""A file layer that fails when it is told to."""

from __future__ import annotations

from skypool.errors import DiskFull, StorageError
from skypool.storage.filelayer import LocalFiles


class FaultyFiles(LocalFiles):
    """Counts calls, and makes the n-th call of a method fail.

    Attributes
    ----------
    calls : list of str
        Names of the methods called that change something.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fail: dict[str, tuple[int, Exception]] = {}

    def fail(self, method: str, error: Exception | None = None, *, after: int = 0) -> None:
        """Make a method fail once, after so many good calls."""
        self._fail[method] = (after, error or StorageError(f"{method} fails"))

    def _count(self, method: str) -> None:
        self.calls.append(method)
        after, error = self._fail.get(method, (0, None))
        if error is not None:
            if after == 0:
                del self._fail[method]
                raise error
            self._fail[method] = (after - 1, error)

    def create_exclusive(self, path):
        self._count("create_exclusive")
        return super().create_exclusive(path)

    def open_update(self, path):
        self._count("open_update")
        return super().open_update(path)

    def write(self, handle, offset, buffers):
        try:
            self._count("write")
        except DiskFull:
            # Half of the bytes fit.
            data = b"".join(bytes(buffer) for buffer in buffers)
            super().write(handle, offset, [data[: len(data) // 2]])
            raise
        super().write(handle, offset, buffers)

    def truncate(self, handle, size):
        self._count("truncate")
        super().truncate(handle, size)

    def sync(self, handle):
        self._count("sync")
        super().sync(handle)

    def sync_folder(self, path):
        self._count("sync_folder")
        super().sync_folder(path)

    def unlink(self, path):
        self._count("unlink")
        super().unlink(path)
