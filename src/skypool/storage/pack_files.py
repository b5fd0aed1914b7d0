"""The packs of a folder: open ones for reading, unsealed ones to go on with."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator

from skypool.errors import StorageError
from skypool.storage.filelayer import FileLayer, Handle
from skypool.storage.interface import PackEnd
from skypool.storage.looking import list_folder, status_of_entry
from skypool.storage.pack_layout import HEADER_SIZE
from skypool.storage.pack_scan import pack_name

__all__ = ["PackFiles", "list_packs", "packs_with_status", "unsealed_packs"]

_MOST_OPEN = 64
_MOST_CANDIDATES = 8


class _OpenPack:
    """A pack open for reading; closed when nobody holds it any more."""

    def __init__(self, files: FileLayer, path: str) -> None:
        self.files = files
        self.handle: Handle = files.open_read(path)

    def __del__(self) -> None:
        # The handle is missing where opening failed.
        handle = getattr(self, "handle", None)
        if handle is not None:
            self.files.close(handle)


class PackFiles:
    """Reads from the packs of a folder, of which the last used stay open.

    Parameters
    ----------
    files
        The file layer.
    folder
        Folder of the packs.
    """

    def __init__(self, files: FileLayer, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._open: OrderedDict[bytes, _OpenPack] = OrderedDict()
        self._lock = threading.Lock()

    def pread(self, pack: bytes, offset: int, length: int) -> bytes:
        """Return bytes of a pack; fewer only at its end.

        Raises
        ------
        FileNotFoundError
            If there is no such pack.
        """
        with self._lock:
            opened = self._open.get(pack)
            if opened is not None:
                self._open.move_to_end(pack)
        if opened is None:
            opened = _OpenPack(self._files, os.path.join(self._folder, f"{pack.hex()}.pack"))
            with self._lock:
                self._open[pack] = opened
                if len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)
        return self._files.pread(opened.handle, offset, length)

    def forget(self, pack: bytes) -> None:
        """Close a pack, to open it anew at its next use."""
        with self._lock:
            self._open.pop(pack, None)

    def clear(self) -> None:
        """Close all packs."""
        with self._lock:
            self._open.clear()

    def after_fork(self) -> None:
        """Replace the lock; open files for reading are as good in a forked child."""
        self._lock = threading.Lock()


def list_packs(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the packs of a folder, in no order; other files are passed over."""
    for entry in list_folder(folder):
        with contextlib.suppress(StorageError):
            pack_name(entry.name)
            yield entry


def packs_with_status(folder: str) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    """Yield the packs of a folder, in no order, and what the system says of each.

    None where there is no such folder; a pack that is reclaimed meanwhile is passed over.

    Raises
    ------
    StorageError
        If one cannot be looked at.
    """
    with contextlib.suppress(FileNotFoundError):
        for entry in list_packs(folder):
            with contextlib.suppress(FileNotFoundError):
                yield entry, status_of_entry(entry)


def unsealed_packs(folder: str, roll_bytes: int) -> list[PackEnd]:
    """Return the packs of a folder that are too small to be sealed, youngest first."""
    found = []
    for entry, state in packs_with_status(folder):
        if HEADER_SIZE <= state.st_size <= roll_bytes:
            found.append((state.st_mtime_ns, pack_name(entry.name)))
    found.sort(reverse=True)
    return [PackEnd(name, 0) for _, name in found[:_MOST_CANDIDATES]]
