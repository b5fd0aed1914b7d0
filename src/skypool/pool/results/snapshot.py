"""A pool as it was when a search was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from skypool.catalogue.interface import VersionRow
from skypool.pool.ref import Ref
from skypool.pool.view import View

if TYPE_CHECKING:
    from skypool.catalogue.columns import Columns

__all__ = ["Snapshot"]


class Snapshot:
    """A pool as of the commit for which a search was answered.

    Parameters
    ----------
    view
        What the refs that are given out belong to.
    at
        The commit.
    rows
        Versions that are known already, by number.
    """

    def __init__(self, view: View, at: int, rows: Mapping[int, VersionRow] | None = None) -> None:
        self.view = view
        self.at = at
        self._rows = rows or {}

    @property
    def pinned(self) -> View:
        """The pool as of that commit."""
        return View(self.view.session, self.at)

    @property
    def key(self) -> tuple[bytes, int]:
        """What two snapshots share that answer the same."""
        return self.view.session.folder.key, self.at

    @property
    def columns(self) -> Columns:
        """The columns of the pool's catalogue."""
        from skypool.catalogue.columns import columns_of

        return columns_of(self.view.session.catalogue.database)

    def refs(self, numbers: Sequence[int]) -> list[Ref]:
        """Return the refs of versions, in the same order."""
        rows = self._rows
        missing = [number for number in numbers if number not in rows]
        if missing:
            rows = {**rows, **self.view.identity.numbered_all(missing, self.at)}
        for number in missing:
            if number not in rows:
                raise self.view.session.catalogue_lacks(f"the version {number}")
        return [Ref(self.view, rows[number]) for number in numbers]

    def tags(self, numbers: Sequence[int]) -> list[list[str]]:
        """Return the tags of versions, in the same order."""
        found = self.view.identity.tags_of(numbers, self.at)
        return [found.get(number, []) for number in numbers]
