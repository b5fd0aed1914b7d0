"""Giving memory back to the system: a server runs for days, and its largest requests are rare."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any, Final

__all__ = ["give_back", "steady_memory"]

# Parameters of glibc's mallopt.
_TRIM, _MAP, _ARENAS = -1, -3, -8
# Larger arrays go back when they are freed. Those of images are smaller, and stay: to get every
# one of them anew from the system took as long as to decode them.
_LARGE: Final = 2 * 2**20
_SPARE: Final = 16 * 2**20


@functools.cache
def _library() -> Any:
    """Return the C library where it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found = ctypes.CDLL(None)
    except OSError:
        return None
    return found if hasattr(found, "mallopt") and hasattr(found, "malloc_trim") else None


def steady_memory() -> None:
    """Have large arrays given back to the system when they are freed.

    By default glibc takes ever larger ones from its heap once some were freed, and the heap of a
    server never shrinks.
    """
    library = _library()
    if library is not None:
        for parameter, value in ((_MAP, _LARGE), (_TRIM, _SPARE), (_ARENAS, 1)):
            library.mallopt(parameter, value)


def give_back() -> None:
    """Give back what is free between things that are in use."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)
