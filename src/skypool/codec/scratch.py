"""Memory that a thread uses again and again, for what is needed only a moment."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["scratch"]

_LEAST, _MOST = 256 << 10, 2 << 20
_local = threading.local()


def scratch(purpose: str, size: int) -> np.ndarray:
    """Return bytes that belong to this thread until it asks for the same purpose again.

    The system clears what is taken anew, and that for every chunk takes as long as decoding it.
    """
    import numpy as np  # here, so that listing a pool starts without it

    if size > _MOST:
        return np.empty(size, np.uint8)
    kept: dict[str, np.ndarray] = _local.__dict__
    found = kept.get(purpose)
    if found is None or found.size < size:
        found = kept[purpose] = np.empty(max(size, _LEAST), np.uint8)
    return found[:size]
