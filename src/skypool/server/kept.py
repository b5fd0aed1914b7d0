"""Results that are kept for those who ask again, each made by one thread only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The results asked for last.

    Parameters
    ----------
    most
        What all of them may weigh together.
    weight
        Weight of a result; by default each weighs 1. One that weighs more than half of *most* is
        not kept.
    """

    def __init__(self, most: int, weight: Callable[[Value], int] = lambda value: 1) -> None:
        self._most = most
        self._weight = weight
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._pending: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()
        self.used = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the result of a key; it is made if it is not there, while others wait for it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            waiting = self._pending.get(key)
            if waiting is None:
                mine = self._pending[key] = Future()
        if waiting is not None:
            shared: Value = waiting.result()
            return shared
        try:
            value = make()
        except BaseException as error:
            self._done(key)
            mine.set_exception(error)
            raise
        self._keep(key, value)
        mine.set_result(value)
        return value

    def _done(self, key: Hashable) -> None:
        with self._lock:
            del self._pending[key]

    def _keep(self, key: Hashable, value: Value) -> None:
        weight = self._weight(value)
        with self._lock:
            del self._pending[key]
            if 2 * weight > self._most:
                return
            self._values[key] = value
            self.used += weight
            while self.used > self._most:
                _, gone = self._values.popitem(last=False)
                self.used -= self._weight(gone)
