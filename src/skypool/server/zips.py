"""Zip files that are made while they are sent: nothing but one product waits on the disk."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from skypool.pool.exporting import Exporter, file_name, is_folder

if TYPE_CHECKING:
    from skypool.pool.ref import Ref

__all__ = ["top_name", "zip_stream"]

_PIECE: Final = 1 << 20
# The first time that a zip file can hold, and zip knows no zone.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


class _Pipe(io.RawIOBase):
    """Takes what `zipfile` writes, until it is fetched."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def zip_stream(
    refs: Iterable[Ref], done: Callable[[Ref, int], object] | None = None
) -> Iterator[bytes]:
    """Yield a zip file with the files of products, contexts as folders.

    Parameters
    ----------
    refs
        The products.
    done
        Called after each, with its bytes; what it raises ends the file in its midst.
    """
    pipe = _Pipe()
    names: set[str] = set()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as made:
        for ref in refs:
            size = 0
            folder = tempfile.mkdtemp(prefix="skypool-zip-")
            try:
                for path, inside in _files(ref, folder, names):
                    for piece in _member(made, path, inside, pipe):
                        size += len(piece)
                        yield piece
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            if done is not None:
                done(ref, size)
    yield pipe.take()


def _member(made: zipfile.ZipFile, path: str, inside: str, pipe: _Pipe) -> Iterator[bytes]:
    info = zipfile.ZipInfo(inside, _TIME)
    info.external_attr = 0o644 << 16
    info.file_size = os.path.getsize(path)
    with open(path, "rb") as source, made.open(info, "w", force_zip64=True) as target:
        while piece := source.read(_PIECE):
            target.write(piece)
            yield pipe.take()
    yield pipe.take()


def _files(ref: Ref, folder: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """Export a product; return its files with their places in the zip file."""
    top = _free(top_name(ref), names)
    target = os.path.join(folder, "all")
    report = Exporter().export(ref, target)
    own = is_folder(ref)
    for path in report.files:
        relative = os.path.relpath(path, target)
        if own:
            yield path, f"{top}/{relative}"
        else:
            first, slash, rest = relative.partition(os.sep)
            yield path, f"{top}{slash}{rest}" if first else relative


def top_name(ref: Ref) -> str:
    """Return the name of the file or folder that a product becomes."""
    if not is_folder(ref):
        return file_name(ref)
    return ref.name.rpartition("/")[2] or f"{ref.kind}-{ref.number}"


def _free(name: str, names: set[str]) -> str:
    """Return a name that was not given yet, and note it."""
    stem, dot, end = name.partition(".")
    made, more = name, 2
    while made in names:
        made, more = f"{stem}-{more}{dot}{end}", more + 1
    names.add(made)
    return made
