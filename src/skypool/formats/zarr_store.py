"""A Zarr store over files that are read through byte sources; needs the package zarr."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer, BufferPrototype

    from skypool.codec.sinks import ByteSource

__all__ = ["FilesStore"]


class FilesStore(Store):
    """Read-only store: each key is a file.

    Parameters
    ----------
    files
        Byte sources by relative path.
    """

    def __init__(self, files: Mapping[str, ByteSource]) -> None:
        super().__init__(read_only=True)
        self._files = files

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilesStore) and other._files is self._files

    __hash__ = None  # type: ignore[assignment]  # as all stores

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return (a part of) a file, None where there is none."""
        if key not in self._files:
            return None
        source = self._files[key]
        start, stop = _range(byte_range, source.size)
        return prototype.buffer.from_bytes(source.pread(start, stop - start))

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of files."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Say whether there is such a file."""
        return key in self._files

    @property
    def supports_writes(self) -> bool:
        """No."""
        return False

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse to write."""
        raise PermissionError("the store is read-only")

    @property
    def supports_deletes(self) -> bool:
        """No."""
        return False

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise PermissionError("the store is read-only")

    @property
    def supports_listing(self) -> bool:
        """Yes."""
        return True

    async def list(self) -> AsyncIterator[str]:
        """Give all keys."""
        for key in self._files:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Give the keys that start with a text."""
        for key in self._files:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Give the names directly below a folder."""
        start = prefix.rstrip("/") + "/" if prefix else ""
        below = {key[len(start) :].split("/")[0] for key in self._files if key.startswith(start)}
        for name in sorted(below):
            yield name


def _range(byte_range: ByteRequest | None, size: int) -> tuple[int, int]:
    if isinstance(byte_range, RangeByteRequest):
        return min(byte_range.start, size), min(byte_range.end, size)
    if isinstance(byte_range, OffsetByteRequest):
        return min(byte_range.offset, size), size
    if isinstance(byte_range, SuffixByteRequest):
        return max(0, size - byte_range.suffix), size
    return 0, size
