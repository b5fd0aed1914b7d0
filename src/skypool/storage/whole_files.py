"""Small files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os

from skypool.codec.buffers import Buffer
from skypool.errors import StorageError
from skypool.storage.filelayer import FileLayer

__all__ = ["publish", "replace_file"]


def publish(files: FileLayer, path: str, data: Buffer) -> bool:
    """Write a new file that is there whole or not at all, durably.

    Returns
    -------
    bool
        False if there was a file of that name already; it is left as it is.
    """
    temporary = _write_temporary(files, path, data)
    try:
        files.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        files.unlink(temporary)
    return True


def replace_file(files: FileLayer, path: str, data: Buffer) -> None:
    """Write a file, over another if there is one, whole or not at all, durably."""
    temporary = _write_temporary(files, path, data)
    files.replace(temporary, path)


def _write_temporary(files: FileLayer, path: str, data: Buffer) -> str:
    temporary = f"{path}.{os.urandom(8).hex()}.tmp"
    handle = files.create_exclusive(temporary)
    try:
        files.write(handle, 0, [data])
        files.sync(handle)
    except BaseException:
        with contextlib.suppress(StorageError):
            files.unlink(temporary)
        raise
    finally:
        files.close(handle)
    return temporary
