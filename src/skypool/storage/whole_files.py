"""Small files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os

from skypool.codec.buffers import Buffer
from skypool.errors import StorageError
from skypool.storage.file_errors import explained
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


def replace_file(files: FileLayer, path: str, data: Buffer, mode: int | None = None) -> None:
    """Write a file, over another if there is one, whole or not at all, durably.

    With *mode* it has these permissions from the first moment on.
    """
    temporary = _write_temporary(files, path, data, mode)
    try:
        files.replace(temporary, path)
    except StorageError:
        with contextlib.suppress(StorageError):
            files.unlink(temporary)
        raise


def _write_temporary(files: FileLayer, path: str, data: Buffer, mode: int | None = None) -> str:
    temporary = f"{path}.{os.urandom(8).hex()}.tmp"
    handle = files.create_exclusive(temporary)
    try:
        if mode is not None:
            with explained("set the permissions of", temporary):
                os.chmod(temporary, mode)
        files.write(handle, 0, [data])
        files.sync(handle)
    except BaseException:
        with contextlib.suppress(StorageError):
            files.unlink(temporary)
        raise
    finally:
        files.close(handle)
    return temporary
