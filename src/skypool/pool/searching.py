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
        """Search; return `Hits`, or raise `QueryError` if the query cannot be understood.

        Parameters
        ----------
        query
            Text in the query language (docs/reference/query.md), or a function of a product (lazy).
        kind, where
            Only products of this kind, sub-kinds included; text that the catalogue answers
            before a function is called.
        order_by
            Attributes and keys (`"-saved, name"`), or a list of them; minus is for descending.
            What lacks a key comes last. By default, and where they agree, by name.
        limit, columns
            At most so many; keys that `to_table` of the hits shows.
        all_versions, all_names
            Search old versions too; find identical content under each of its names, and not
            once under the first in the order.
        saved
            Name of a saved search; other options given here come before its own. Where it was
            saved as of a commit or time, it is asked so.
        progress, workers
            For a function: told how far the work is, and stops it by returning False; how many
            processes, or threads where it cannot be sent to processes.
        near, radius
            Places on the sky: a `SkyCoord`, a table, or pairs of degrees. Found are products
            with a value at one of them, or whose position is within the radius (degrees,
            `Quantity` or text) of one; `Hits.near` says which.
        values, **bound
            What `$names` in the query stand for.
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
