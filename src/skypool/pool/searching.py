"""Searching a pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skypool.errors import UsageError
from skypool.model.product import Product
from skypool.pool.history import commit_number
from skypool.pool.opened import Opened
from skypool.pool.view import View

if TYPE_CHECKING:
    from skypool.pool.progress import Progress
    from skypool.pool.results.hits import Hits

__all__ = ["Searching"]


class Searching(Opened):
    """The part of a pool that searches; see `Pool`."""

    def find(
        self,
        query: str | Callable[[Product], Any] = "",
        *,
        kind: str | None = None,
        where: str = "",
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        columns: Sequence[str] = (),
        all_versions: bool = False,
        all_names: bool = False,
        saved: str | None = None,
        progress: Callable[[Progress], object] | None = None,
        workers: int | None = None,
        near: Any = None,
        radius: Any = None,
        values: Mapping[str, Any] | None = None,
        **bound: Any,
    ) -> Hits:
        """Find products by metadata, place on the sky, pixels, rows, or a function.

        Parameters
        ----------
        query
            Text in the query language (docs/reference/query.md), or a function of a product (lazy).
        kind
            Only products of this kind, sub-kinds included.
        where
            Beside a function: a query that is answered first, so that it is called less often.
        order_by
            Attributes and keys (`"-saved, name"`), or a list of them; minus is for descending.
            What lacks a key comes last. By default, and where they agree, by name.
        limit
            At most so many.
        columns
            Keys and attributes that the hits show, and have in `to_table`.
        all_versions
            Search old versions too.
        all_names
            Find identical content under each of its names, and not once under the first.
        saved
            Name of a saved search; other options given here come before its own. Where it was
            saved as of a commit or time, it is asked so.
        progress
            For a function: told how far the work is; it stops it by returning False.
        workers
            For a function: how many processes, or threads where it cannot be sent to these.
        near
            Places on the sky: a `SkyCoord`, a table, or pairs of degrees (ICRS). Found are
            products with a value at one of them; `Hits.near` says which.
        radius
            With *near*: instead, products whose position is that near to one of the places;
            degrees, a `Quantity`, or text such as `"5 arcmin"`.
        values, **bound
            What `$names` in the query stand for.

        Returns
        -------
        Hits
            A fixed list of refs, as of the last commit.

        Raises
        ------
        QueryError
            If the query cannot be understood; it says where.

        Examples
        --------
        >>> hits = pool.find("instrument == 'SPIRE' and max(image) > '1 Jy/beam'")
        >>> pool.find("covers($m83)", m83=SkyCoord(204.2538, -29.8657, unit="deg"))
        >>> pool.find(lambda product: product["image"].max() > 1, kind="SimpleImage")
        """
        options = {
            "kind": kind,
            "order_by": order_by,
            "limit": limit,
            "columns": tuple(columns),
            "all_versions": all_versions,
            "all_names": all_names,
        }
        others = {"progress": progress, "workers": workers, "near": near, "radius": radius}
        bound = {**(values or {}), **bound}
        return self._find(saved, query, where, {**options, **others, "values": bound})

    def _find(self, saved: str | None, query: Any, where: str, options: dict[str, Any]) -> Hits:
        from skypool.pool.finding import Search, find

        when = None
        if saved is not None:
            from skypool.pool.results.saved import search_named

            if query or where:
                raise UsageError("a saved search has its query", hint="use .where() on its hits")
            kept = search_named(self, saved)
            query = kept.query
            own = dict(kept.options)
            own.pop("pools", None)  # this pool alone is asked
            when = own.pop("at", None)
            options = {**options, **own, **{k: v for k, v in options.items() if v}}
        search = Search(query=query, where=where, **options)
        if not self.exists:
            from skypool.pool.results.hits import Hits

            search.check()
            return Hits()
        view = self.view
        if when is not None and self._commit is None:
            view = View(view.session, commit_number(view.identity, when))
        return find([view], search)
