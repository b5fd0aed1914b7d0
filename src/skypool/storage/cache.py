"""Decoded chunks in memory, up to a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["ByteCache"]


class ByteCache:
    """Keeps what was used last; safe for threads.

    Parameters
    ----------
    budget
        Bytes that the values may take together; 0 keeps nothing.

    Attributes
    ----------
    used : int
        Bytes of the values held.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._values: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.used = 0

    def limit(self, budget: int) -> None:
        """Keep no more than so many bytes from now on."""
        with self._lock:
            self._budget = budget
            self._shrink()

    def get(self, key: Hashable) -> bytes | None:
        """Return the value of *key*, or None."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep a value, unless it would push out half of all others."""
        if 2 * len(value) > self._budget:
            return
        with self._lock:
            old = self._values.pop(key, None)
            self.used += len(value) - (len(old) if old is not None else 0)
            self._values[key] = value
            self._shrink()

    def _shrink(self) -> None:
        while self.used > self._budget:
            _, gone = self._values.popitem(last=False)
            self.used -= len(gone)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.used = 0

    def after_fork(self) -> None:
        """Replace the lock, which another thread may have held at the fork."""
        self._lock = threading.Lock()
