"""Which rows of the catalogue this process has checked already.

A check sum is worked out in Python: for a million hits that is most of the time of a search.
A row whose check sum is the one that it was checked with is believed, if there are many; whoever
loads it to look at it checks it again.
"""

from __future__ import annotations

import threading
from array import array
from weakref import WeakKeyDictionary

from skypool.catalogue.database import Database

__all__ = ["Believed", "KnownRows", "known_rows"]

# Numbers are kept by pages: few questions meet all versions.
_BITS, _PLACE = 12, 4095
# So many rows of each question are checked whatever is known.
_ALWAYS = 512


class KnownRows:
    """Check sums with which rows of versions were found to be right, by number."""

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}

    def holds(self, number: int, token: int) -> int:
        """Return 1 if the rows of a version were checked with this sum, else 0."""
        page = self._pages.get(number >> _BITS) if type(number) is int else None
        return int(page is not None and page[number & _PLACE] == token)

    def note(self, number: int, token: int) -> None:
        """Remember that the rows of a version are right."""
        page = self._pages.get(number >> _BITS)
        if page is None:
            page = self._pages.setdefault(number >> _BITS, array("q", [-1]) * (_PLACE + 1))
        page[number & _PLACE] = token


class Believed:
    """What one question believes: all but its first rows.

    Attributes
    ----------
    rows : KnownRows
        What is known.
    checked : set of int
        Versions whose rows this question has to check.
    """

    def __init__(self, rows: KnownRows) -> None:
        self.rows = rows
        self.checked: set[int] = set()

    def holds(self, number: int, token: int) -> int:
        """Return 1 if the rows of a version need not be checked, else 0."""
        if len(self.checked) < _ALWAYS:
            self.checked.add(number)
            return 0
        return self.rows.holds(number, token)


_all: WeakKeyDictionary[Database, KnownRows] = WeakKeyDictionary()
_all_lock = threading.Lock()


def known_rows(database: Database) -> KnownRows:
    """Return what is known of a catalogue, shared by all who have it open in this process."""
    with _all_lock:
        found = _all.get(database)
        if found is None:
            found = _all[database] = KnownRows()
        return found
