"""What a search found: a cursor over versions, in a fixed order."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from skypool.catalogue.interface import NUMBERS
from skypool.errors import UsageError
from skypool.pool.ref import Ref
from skypool.pool.results.snapshot import Snapshot

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table
    from numpy.typing import NDArray
    from pandas import DataFrame

    from skypool.pool.results.facets import Facet

__all__ = ["Failure", "Hits"]

_BLOCK = 64
_BLOCKS_KEPT = 4
_ITERATED = 256


class Failure(NamedTuple):
    """A product for which the function of a search failed.

    Attributes
    ----------
    ref : Ref
        The product.
    error : str
        Name of the exception.
    message : str
        What it said.
    """

    ref: Ref
    error: str
    message: str


class Hits(Sequence[Ref]):
    """What a search found: a sequence of refs in a fixed order, loaded where they are looked at.

    It holds the numbers of the versions and the commit as of which they were found; later
    commits change neither. No transaction stays open.

    Parameters
    ----------
    snapshots
        The pools, as they were.
    numbers
        Numbers of the versions.
    pools
        For each the place of its pool in *snapshots*; None where there is one pool.
    columns
        Keys that tables show beside the usual columns.
    errors
        Products for which a function failed.
    old
        Whether old versions were searched too.
    cancelled
        Whether the search was stopped before its end.
    near
        For each product the numbers, from 0, of the places or rows that it was found by; None
        for a search without `near=`.
    """

    def __init__(
        self,
        snapshots: Sequence[Snapshot] = (),
        numbers: Iterable[int] = (),
        pools: Iterable[int] | None = None,
        *,
        columns: Sequence[str] = (),
        errors: Sequence[Failure] = (),
        old: bool = False,
        cancelled: bool = False,
        near: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        self.snapshots = tuple(snapshots)
        self.numbers: array[int] = (
            numbers if isinstance(numbers, array) else array(NUMBERS, numbers)
        )
        if pools is None:
            self.pools: array[int] | None = None
        else:
            self.pools = pools if isinstance(pools, array) else array("H", pools)
        self.columns = tuple(columns)
        self.errors = tuple(errors)
        self.old = old
        self.cancelled = cancelled
        self.near = None if near is None else tuple(near)
        self._blocks: dict[int, list[Ref]] = {}
        self._array: NDArray[np.int32] | None = None

    def with_numbers(
        self,
        numbers: Iterable[int],
        pools: Iterable[int] | None,
        near: Sequence[tuple[int, ...]] | None = None,
    ) -> Hits:
        """Return other versions of the same pools, as of the same commits.

        Parameters
        ----------
        numbers
            Numbers of versions.
        pools
            For each the place of its pool; None where there is one pool.
        near
            For each the places or rows that it was found by.
        """
        return Hits(
            self.snapshots,
            numbers,
            pools,
            columns=self.columns,
            errors=self.errors,
            old=self.old,
            cancelled=self.cancelled,
            near=near,
        )

    def taken(self, places: Iterable[int]) -> Hits:
        """Return the hits at some places.

        Parameters
        ----------
        places
            Places in this result, from 0.
        """
        from skypool.pool.results.deciding import taken

        places = list(places)
        numbers = taken(self.numbers, places)
        pools = self.pools
        chosen = None if pools is None else array("H", [pools[place] for place in places])
        near = None if self.near is None else [self.near[place] for place in places]
        return self.with_numbers(numbers, chosen, near)

    def as_array(self) -> NDArray[np.int32]:
        """Return the numbers of the versions as an array, the same one each time."""
        if self._array is None:
            import numpy as np

            # The same memory: numbers are not changed.
            self._array = (
                np.frombuffer(self.numbers, np.int32) if self.numbers else np.zeros(0, np.int32)
            )
        return self._array

    # -- a sequence

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Ref: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Ref | Hits:
        """Return a ref, or some of them as hits."""
        if isinstance(index, slice):
            pools = None if self.pools is None else self.pools[index]
            near = None if self.near is None else self.near[index]
            return self.with_numbers(self.numbers[index], pools, near)
        place = range(len(self))[index]
        return self._block(place // _BLOCK)[place % _BLOCK]

    def __iter__(self) -> Iterator[Ref]:
        for start in range(0, len(self), _ITERATED):
            yield from self._refs(start, start + _ITERATED)

    def _block(self, number: int) -> list[Ref]:
        found = self._blocks.get(number)
        if found is None:
            found = self._refs(number * _BLOCK, (number + 1) * _BLOCK)
            kept = list(self._blocks.items())[1 - _BLOCKS_KEPT :]
            self._blocks = {**dict(kept), number: found}
        return found

    def _refs(self, start: int, end: int) -> list[Ref]:
        numbers = self.numbers[start:end]
        if self.pools is None:
            return self.snapshots[0].refs(numbers) if numbers else []
        pools = self.pools[start:end]
        refs: list[Ref | None] = [None] * len(numbers)
        for pool in set(pools):
            places = [place for place, other in enumerate(pools) if other == pool]
            found = self.snapshots[pool].refs([numbers[place] for place in places])
            for place, ref in zip(places, found, strict=True):
                refs[place] = ref
        return [ref for ref in refs if ref is not None]

    def __contains__(self, ref: object) -> bool:
        return isinstance(ref, Ref) and _identity(ref) in set(self.keys())

    def keys(self) -> Iterator[tuple[bytes, int]]:
        """Yield what tells the versions apart: the key of the pool and the number."""
        names = [snapshot.key[0] for snapshot in self.snapshots]
        if self.pools is None:
            return ((names[0], number) for number in self.numbers)
        return ((names[pool], n) for pool, n in zip(self.pools, self.numbers, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hits):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self.keys(), other.keys(), strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(self.keys()))

    # -- together with others

    def where(
        self,
        query: str | Callable[..., Any],
        *,
        values: Mapping[str, Any] | None = None,
        **bound: Any,
    ) -> Hits:
        """Return those for which a further query holds, in the same order, as of the same commit.

        Parameters
        ----------
        query
            Text, or a function of a product.
        values, **bound
            What `$names` in the query stand for.
        """
        from skypool.pool.results.refining import refined

        return refined(self, query, {**(values or {}), **bound})

    find = where

    def __or__(self, other: Hits) -> Hits:
        """Return all of both: these, then those of the other that are not among them."""
        self._check_same(other)
        if not self.snapshots:
            return other
        mine = set(self.keys())
        new = [place for place, key in enumerate(other.keys()) if key not in mine]
        more = other.taken(new)
        near = None if self.near is None or more.near is None else self.near + more.near
        if self.pools is None or more.pools is None:
            return self.with_numbers(self.numbers + more.numbers, None, near)
        return self.with_numbers(self.numbers + more.numbers, self.pools + more.pools, near)

    def __and__(self, other: Hits) -> Hits:
        """Return those that are among the others too."""
        self._check_same(other)
        theirs = set(other.keys())
        return self.taken(place for place, key in enumerate(self.keys()) if key in theirs)

    def __sub__(self, other: Hits) -> Hits:
        """Return those that are not among the others."""
        self._check_same(other)
        theirs = set(other.keys())
        return self.taken(place for place, key in enumerate(self.keys()) if key not in theirs)

    def _check_same(self, other: object) -> None:
        if not isinstance(other, Hits):
            raise TypeError(f"hits go together with hits, not with a {type(other).__name__}")
        if not self.snapshots or not other.snapshots:
            return
        mine = [snapshot.key for snapshot in self.snapshots]
        theirs = [snapshot.key for snapshot in other.snapshots]
        if [key for key, _ in mine] != [key for key, _ in theirs]:
            raise UsageError(
                "these hits are of different pools",
                hint="search them together: skypool.find(query, pools=[a, b])",
            )
        if mine != theirs:
            commits = " and ".join(", ".join(str(at) for _, at in keys) for keys in (mine, theirs))
            raise UsageError(
                f"these hits are of different commits ({commits})",
                hint="search again, or search pool.at(commit) twice",
            )

    # -- as tables and counts

    def to_table(self, *keys: str) -> Table:
        """Return an `astropy.table.Table` with a row for each product.

        Parameters
        ----------
        *keys
            Keys and attributes to add as columns, by default those of the search; what a
            product lacks is masked.
        """
        from skypool.pool.results.tables import to_table

        return to_table(self, keys or self.columns)

    def to_pandas(self, *keys: str) -> DataFrame:
        """Return a `pandas.DataFrame` with a row for each product; see `to_table`.

        Raises
        ------
        MissingDependency
            If pandas is not installed.
        """
        from skypool.pool.results.tables import to_pandas

        return to_pandas(self, keys or self.columns)

    def facets(self, *keys: str, limit: int | None = None) -> dict[str, Facet]:
        """Count the values of keys.

        Parameters
        ----------
        *keys
            Metadata keys and attributes; `tags` counts each tag.
        limit
            At most so many values of each, the most frequent.

        Returns
        -------
        dict
            For each key a `Facet`: how many hits have which value, the most frequent first;
            None stands for those that have none, and comes last.
        """
        from skypool.pool.results.facets import facets

        return facets(self, keys, limit)

    def __repr__(self) -> str:
        lines = [f"<Hits: {len(self)} product{'s' if len(self) != 1 else ''}>"]
        lines += [f"  {ref.name}@{ref.version}  {ref.kind} {ref.type}" for ref in self[:10]]
        if len(self) > 10:
            lines.append(f"  ... and {len(self) - 10} more")
        if self.errors:
            lines.append(f"  the function failed for {len(self.errors)}; see .errors")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from skypool.pool.display import hits_html

        return hits_html(self)


def _identity(ref: Ref) -> tuple[bytes, int]:
    return ref.view.session.folder.key, ref.number
