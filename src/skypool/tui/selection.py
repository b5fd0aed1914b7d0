"""What is selected of a result: some of it, or all of it with exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["Selection"]


class Selection:
    """Places in a result.

    All that match, less some, takes no more room than the exceptions do, however many match.
    """

    def __init__(self) -> None:
        self._inverse = False
        self._places: set[int] = set()

    def clear(self) -> None:
        """Select nothing."""
        self._inverse = False
        self._places = set()

    def all(self) -> None:
        """Select everything."""
        self._inverse = True
        self._places = set()

    def toggle(self, place: int) -> None:
        """Select one, or take it out again."""
        self._places ^= {place}

    def extend(self, places: Iterable[int]) -> None:
        """Select some more."""
        if self._inverse:
            self._places -= set(places)
        else:
            self._places |= set(places)

    def __contains__(self, place: int) -> bool:
        return (place in self._places) != self._inverse

    def count(self, total: int) -> int:
        """Return how many are selected of so many."""
        inside = len(self._places)
        return total - inside if self._inverse else inside

    def hits(self, hits: Hits) -> Hits:
        """Return what is selected, in the order of the result."""
        if not self._inverse:
            return hits.taken(sorted(self._places))
        if not self._places:
            return hits
        return hits.taken(place for place in range(len(hits)) if place not in self._places)

    def refs(self, hits: Hits) -> Iterator[Ref]:
        """Yield what is selected."""
        return iter(self.hits(hits))
