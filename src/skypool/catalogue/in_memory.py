"""Which catalogues have columns in memory: asked without loading numpy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from skypool.catalogue.database import Database

if TYPE_CHECKING:
    from skypool.catalogue.columns import Columns

__all__ = ["kept_columns", "shared_columns"]

_all: WeakKeyDictionary[Database, Columns] = WeakKeyDictionary()
_lock = threading.Lock()


def kept_columns(database: Database) -> Columns | None:
    """Return the columns of a catalogue, if anybody has asked for some in this process."""
    return _all.get(database)


def shared_columns(database: Database, make: Callable[[Database], Columns]) -> Columns:
    """Return the columns of a catalogue, shared by all who have it open in this process."""
    with _lock:
        found = _all.get(database)
        if found is None:
            found = _all[database] = make(database)
        return found
