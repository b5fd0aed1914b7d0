"""Results of a search: a sequence of refs in a stable order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from skypool.model.kinds import is_kind
from skypool.pool.ref import Ref

if TYPE_CHECKING:
    from astropy.table import Table

    from skypool.pool.view import View

__all__ = ["Hits", "ProductSubject"]

_COLUMNS = ("name", "version", "kind", "type")


class Hits(Sequence[Ref]):
    """What a search found: refs in the order of their names.

    Parameters
    ----------
    refs
        The refs.
    near
        For each, the numbers of the places that it was found by.
    """

    def __init__(self, refs: Iterable[Ref], near: Iterable[tuple[int, ...]] | None = None) -> None:
        self._refs = tuple(refs)
        self._near = None if near is None else tuple(near)

    @property
    def near(self) -> tuple[tuple[int, ...], ...] | None:
        """For each product the numbers, from 0, of the places or rows it was found by.

        None for a search without `near=`.
        """
        return self._near

    def __len__(self) -> int:
        return len(self._refs)

    @overload
    def __getitem__(self, index: int) -> Ref: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Ref | Hits:
        """Return a ref, or some of them as hits."""
        if isinstance(index, slice):
            return Hits(self._refs[index], None if self._near is None else self._near[index])
        return self._refs[index]

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._refs)

    def __eq__(self, other: object) -> bool:
        return self._refs == other._refs if isinstance(other, Hits) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._refs)

    def to_table(self, *keys: str) -> Table:
        """Return an `astropy.table.Table` with a row for each product.

        Parameters
        ----------
        *keys
            Metadata keys to add as columns; what a product lacks is masked.
        """
        from astropy.table import MaskedColumn, Table

        columns: dict[str, Any] = {
            name: [getattr(ref, name) for ref in self._refs] for name in _COLUMNS
        }
        columns["urn"] = [ref.urn for ref in self._refs]
        columns["tags"] = [", ".join(ref.tags) for ref in self._refs]
        table = Table(columns)
        for key in keys:
            values = [ref.meta[key].value if key in ref.meta else None for ref in self._refs]
            known = [value for value in values if value is not None]
            if any(isinstance(value, str | datetime) for value in known):
                values = [None if value is None else str(value) for value in values]
            fill: Any = "" if any(isinstance(value, str) for value in values) else 0
            table[key] = MaskedColumn(
                [fill if value is None else value for value in values],
                mask=[value is None for value in values],
            )
        return table

    def __repr__(self) -> str:
        lines = [f"<Hits: {len(self)} product{'s' if len(self) != 1 else ''}>"]
        lines += [f"  {ref.name}@{ref.version}  {ref.kind} {ref.type}" for ref in self._refs[:10]]
        if len(self) > 10:
            lines.append(f"  ... and {len(self) - 10} more")
        return "\n".join(lines)


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

    @property
    def datasets(self) -> Mapping[str, Any]:
        """Lazy datasets."""
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


def of_kind(refs: Iterable[Ref], kind: str | None) -> Iterator[Ref]:
    """Return the refs of a kind and its sub-kinds."""
    return (ref for ref in refs if kind is None or is_kind(ref.kind, kind))
