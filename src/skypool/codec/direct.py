"""Decompressing a whole chunk at once, into memory that is there already.

Python's modules for zstd give what they decompress in growing pieces, and prepare a decoder and
a window for every chunk: for chunks of 256 KiB that takes as long as the work itself. The library
that they are made with is asked instead, where its functions can be found.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from skypool.codec.buffers import Buffer
from skypool.codec.scratch import scratch

if TYPE_CHECKING:
    import numpy as np

__all__ = ["decompressed", "ready"]

_MODULE = "_zstd" if sys.version_info >= (3, 14) else "backports.zstd._zstd"
_local = threading.local()


class _Library(NamedTuple):
    make: Any
    free: Any
    decompress: Any


class _Decoder:
    """A decoder of the library, which one thread keeps."""

    def __init__(self, library: _Library) -> None:
        self.library = library
        self.context = library.make()

    def __del__(self) -> None:
        self.library.free(self.context)


@functools.cache
def _library() -> _Library | None:
    """Return the functions; None where they are not to be found."""
    import ctypes

    try:
        path = importlib.import_module(_MODULE).__file__
        found = ctypes.CDLL(path or "")
        make, free, work = (
            getattr(found, f"ZSTD_{name}") for name in ("createDCtx", "freeDCtx", "decompressDCtx")
        )
    except (ImportError, OSError, AttributeError):
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    make.restype, make.argtypes = pointer, []
    free.restype, free.argtypes = size, [pointer]
    work.restype, work.argtypes = size, [pointer, pointer, size, pointer, size]
    return _Library(make, free, work)


def ready() -> bool:
    """Look for the library ahead of its first use; tell whether it is there."""
    return _library() is not None


def decompressed(payload: Buffer, length: int) -> np.ndarray | None:
    """Return what a payload holds; it lasts until this thread decompresses the next one.

    Parameters
    ----------
    payload
        A frame of zstd.
    length
        How many bytes it has to give.

    Returns
    -------
    ndarray or None
        None where the library is not there, or the payload is not of that kind: the module of
        Python says what is wrong with it.
    """
    import numpy as np

    library = _library()
    if library is None:
        return None
    decoder = getattr(_local, "decoder", None)
    if decoder is None:
        decoder = _local.decoder = _Decoder(library)
    if not decoder.context:
        return None
    source, out = np.frombuffer(payload, np.uint8), scratch("decompressed", length)
    done = library.decompress(
        decoder.context, out.ctypes.data, out.size, source.ctypes.data, source.size
    )
    return out if done == length else None
