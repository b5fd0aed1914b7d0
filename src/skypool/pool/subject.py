"""What the query language sees of a version in a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from skypool.pool.view import View

__all__ = ["ProductSubject"]


class ProductSubject:
    """A version as the query language asks about it."""

    def __init__(self, view: View, ref: Ref) -> None:
        self._view = view
        self._ref = ref
        self.urn = ref.urn
        self.name = ref.name
        self.version = ref.version
        self.kind = ref.kind
        self.type = ref.type
        self.size = ref.size

    @property
    def path(self) -> str | None:
        """The user's file, for products kept in place."""
        sources = self._view.session.catalogue.sources(self._ref.row.document)
        return sources[0].path if sources else None

    @property
    def saved(self) -> datetime:
        """When the version was committed."""
        return self._ref.saved

    @property
    def author(self) -> str:
        """Who committed it."""
        row = self._view.identity.commit(self._ref.commit)
        return row.author if row is not None else ""

    @property
    def message(self) -> str:
        """What was said at the commit."""
        row = self._view.identity.commit(self._ref.commit)
        return row.message if row is not None else ""

    @property
    def tags(self) -> Sequence[str]:
        """Labels of the version."""
        return self._ref.tags

    @property
    def hash(self) -> str | None:
        """Digest of the file's content."""
        return self._ref.file_hash

    @property
    def meta(self) -> Mapping[str, Any]:
        """The product's own metadata."""
        return self._ref.meta

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its core attributes."""
        return self._ref.attributes

    @cached_property
    def datasets(self) -> Mapping[str, Any]:
        """Lazy datasets; each condition of a query asks for them."""
        return self._ref.product.datasets

    def parents(self) -> Iterable[ProductSubject]:
        """Return the newest visible versions that refer to this one."""
        at = self._view.at
        for ref in self._ref.parents:
            newest = self._view.identity.latest(ref.track, at)
            if newest is not None and newest.urn == ref.number and newest.name is not None:
                yield ProductSubject(self._view, ref)

    def children(self) -> Iterable[tuple[str, ProductSubject | str]]:
        """Return (role, product) of every reference."""
        for role, ref in self._ref.refs.items():
            yield role, ProductSubject(self._view, ref) if isinstance(ref, Ref) else ref.text

    def neighbours(self) -> Iterable[ProductSubject]:
        """Return the newest visible versions whose boxes on the sky have a point in common."""
        from skypool.catalogue.search_sky import neighbours

        view = self._view
        database = view.session.catalogue.database
        for number in neighbours(database, self._ref.row.document, view.at):
            yield ProductSubject(view, view.number(number))
