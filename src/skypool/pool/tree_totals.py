"""Sizes of trees of a draft in which no version is in two contexts, as `add` makes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skypool.catalogue.draft import DraftVersion
    from skypool.pool.session import Session

__all__ = ["TreeTotals"]


class TreeTotals:
    """Sizes of trees of which each product counts once.

    What is kept grows with the contexts, not with the files in them.

    Parameters
    ----------
    session
        The open pool.
    versions
        Of the draft.
    """

    def __init__(self, session: Session, versions: Sequence[DraftVersion]) -> None:
        self._session = session
        self._versions = versions
        # Of contexts of the draft: the size of what is new, and what the pool has below.
        self._contexts: dict[int, tuple[int, dict[int, int]]] = {}

    def note(self, target: int, size: int, children: Iterable[int]) -> int:
        """Take in a version of the draft and return the size of all of it."""
        new = size
        there: dict[int, int] = {}
        for child in children:
            if child > 0:
                there.update(self._content(child))
            elif child in self._contexts:
                below, shared = self._contexts[child]
                new += below
                there.update(shared)
            else:
                new += self._versions[-1 - child].total
        if there or new != size:
            self._contexts[target] = (new, there)
        return new + sum(there.values()) if there else new

    def _content(self, urn: int) -> dict[int, int]:
        """Return the sizes of a version of the pool and of all below it."""
        catalogue = self._session.catalogue
        content = {number: size for number, _, size in catalogue.descendants(urn)}
        row = catalogue.version(urn, catalogue.head())
        content[urn] = row.size if row is not None else 0
        return content
