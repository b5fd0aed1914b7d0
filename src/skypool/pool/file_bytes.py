"""Any bytes of the file that a product becomes, without writing the file.

What is read here is, byte for byte, what `Pool.export` writes, and only the chunks that a range
touches are decoded. Two sorts of files cannot be had so, and are written into the cache of
`Ref.path` when their bytes are first asked for: gzip files that are made by compressing their
content again, and products made in memory with large tables of texts.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from skypool.codec.reading import RecipeReader
from skypool.codec.segments import segment_from_json
from skypool.codec.sinks import MemorySource
from skypool.errors import NotFound, StorageError, UsageError
from skypool.pool.exporting import copy_file, is_folder, safe_name, write_whole
from skypool.pool.paths import cached_path, made_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from skypool.codec.sinks import ByteSource
    from skypool.pool.ref import Ref

__all__ = ["RandomAccess", "file_bytes", "file_size", "plain_bytes"]

_TRIES = 3


class RandomAccess(Protocol):
    """The bytes of a file; safe for threads. Close it, or use it in a `with` statement."""

    @property
    def size(self) -> int:
        """Bytes of the file; where `size_is_known` is false, asking makes the file."""
        ...

    @property
    def size_is_known(self) -> bool:
        """Whether the size can be told without making the file."""
        ...

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        ...

    def close(self) -> None:
        """Give back what is open."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class _Closing:
    """What is common to all: use in a `with` statement."""

    def close(self) -> None:
        """Give back what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Direct(_Closing):
    """Bytes that are read from chunks."""

    size_is_known = True

    def __init__(self, source: ByteSource) -> None:
        self.size = source.size
        self.pread = source.pread


def plain_bytes(data: bytes) -> RandomAccess:
    """Return random access to bytes that are in memory."""
    return _Direct(MemorySource(data))


class _FromChunks(_Direct):
    """Bytes that can be written into memory that is there, in pieces that share no chunk."""

    def __init__(self, reader: RecipeReader) -> None:
        super().__init__(reader)
        self.read_into = reader.read_into
        self.cuts = reader.cuts


class _Made(_Closing):
    """Bytes of a file that is written into the cache when they are asked for."""

    def __init__(self, make: Callable[[], str], size: int | None) -> None:
        self._make = make
        self._size = size
        self._fd = -1
        self._lock = threading.Lock()

    @property
    def size_is_known(self) -> bool:
        """Whether the size can be told without making the file."""
        return self._size is not None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        if self._size is None:
            self._open()
        assert self._size is not None
        return self._size

    def pread(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; fewer only at the end."""
        fd = self._open()
        pieces = []
        while length > 0:
            piece = os.pread(fd, min(length, 1 << 30), offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _open(self) -> int:
        with self._lock:
            if self._fd < 0:
                self._fd = self._opened()
                # That of the catalogue is of the file that was added, which zlib here may
                # compress to another length.
                self._size = os.fstat(self._fd).st_size
            return self._fd

    def _opened(self) -> int:
        for _ in range(_TRIES):
            path = self._make()
            try:
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # taken from the cache meanwhile
                continue
            except OSError as error:
                raise StorageError(f"cannot read {path}: {error.strerror}") from None
        raise StorageError(
            f"{path} is taken from the cache as soon as it is made",
            hint="raise SKYPOOL_CACHE_BYTES, or use another SKYPOOL_CACHE",
        )

    def close(self) -> None:
        """Give back what is open."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def file_bytes(ref: Ref, member: str = "") -> RandomAccess:
    """Return random access to the file that `Pool.export` would write of a product.

    Parameters
    ----------
    ref
        The product.
    member
        The path of a file in a product that is a folder itself (Zarr, CASA).

    Raises
    ------
    UsageError
        If export makes a folder of it.
    NotFound
        If there is no such member.
    """
    document = ref.document
    if "tree" in document or member:
        return _of_recipe(ref, _member(ref, member), lambda: _member_path(ref, member))
    if is_folder(ref):
        raise UsageError(
            f"{ref.name}@{ref.version} is a folder: it has no bytes of its own",
            hint="its files are the products that it refers to",
        )
    if "file" in document:
        return _of_recipe(ref, document["file"], lambda: cached_path(ref))
    from skypool.formats.fits.laid_out import TooLarge, lay_out

    try:
        return _Direct(lay_out(ref.product))
    except TooLarge:
        return _Made(lambda: cached_path(ref), None)


def file_size(ref: Ref, member: str = "") -> int | None:
    """Return the bytes of a product's file; None where only making it would tell.

    Of files that were added it costs no more than the document; of products made in memory
    the headers of their file are made.
    """
    document = ref.document
    if "tree" in document or member or "file" in document:
        file = _member(ref, member) if "tree" in document or member else document["file"]
        return _recipe_size(file)
    with file_bytes(ref) as found:
        return found.size if found.size_is_known else None


def _recipe_size(file: Mapping[str, Any]) -> int | None:
    wrapper = file.get("wrapper")
    if wrapper is None:
        return int(file["size"])
    # Only the content was kept: the file that is made has another length than that one had.
    return int(wrapper["size"]) if "stream" in wrapper or "level" in wrapper else None


def _of_recipe(ref: Ref, file: Mapping[str, Any], make: Callable[[], str]) -> RandomAccess:
    wrapper = file.get("wrapper")
    if wrapper is None or "stream" in wrapper:
        segments = file["segments"] if wrapper is None else wrapper["stream"]
        parts = [segment_from_json(part) for part in segments]
        catalogue = ref.view.session.catalogue
        expect = None if catalogue.sources(ref.row.document) else catalogue.chunks.expect
        return _FromChunks(RecipeReader(parts, ref.view.fetch_for(ref), expect))
    return _Made(make, _recipe_size(file))


def _member(ref: Ref, member: str) -> Mapping[str, Any]:
    for relative, file in ref.document.get("tree", ()):
        if relative == member and file is not None:
            found: Mapping[str, Any] = file
            return found
    raise NotFound(f"there is no file {member!r} in {ref.name}@{ref.version}")


def _member_path(ref: Ref, member: str) -> str:
    fetch = ref.view.fetch_for(ref)
    file = _member(ref, member)
    place = os.path.join("tree", *(safe_name(part) for part in member.split("/") if part))

    def make(path: str) -> None:
        write_whole(path, lambda out: copy_file(file, fetch, out))

    return made_path(ref, place, make)
