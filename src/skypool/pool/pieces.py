"""The part of a pool that gives pieces of it to others, and keeps working sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skypool.errors import NameConflict, NotFound, QueryError, UsageError
from skypool.pool.named import locate
from skypool.pool.ref import Ref
from skypool.pool.space import Space

if TYPE_CHECKING:
    from skypool.pool.dropping import DropReport, GetReport
    from skypool.pool.progress import OnProgress
    from skypool.pool.sync.report import SyncReport

__all__ = ["Pieces"]

_RANGE = re.compile(r"(\d+)(?:\.\.(\d*))?\Z")


class Pieces(Space):
    """The part of a pool that gives pieces of it to others; see `Pool`."""

    def copy(
        self,
        what: Any,
        to: Any,
        *,
        versions: str | int | slice = "latest",
        message: str = "",
        skip_damaged: bool = False,
        progress: OnProgress | None = None,
    ) -> SyncReport:
        """Copy products to another pool, with all that they refer to, names, tags and provenance.

        Versions are known there as what they are here: copying again, or merging the pools
        later, brings nothing twice; what was removed there is in view again. What was
        interrupted goes on where it was.

        Parameters
        ----------
        what
            Products, or the first parts of names, or a query; one or several, or hits.
        to
            The other pool, or its name or path; made where there is none.
        versions
            `latest` (or the version that is named), `all`, or a range such as `2..5`; of what
            they refer to, the versions that are referred to come.
        message
            Of the commit there.
        skip_damaged
            Take along what is whole of products that are damaged here.
        progress
            Told how far the work is.

        Raises
        ------
        NotFound
            If nothing is found, or there is no such version.
        QuotaExceeded
            If the other pool may not take that much: nothing is copied.
        Damaged
            If data are lost here, and are not to be skipped.
        """
        from skypool.pool.pool import Pool
        from skypool.pool.sync.piece import bring_piece
        from skypool.pool.sync.pulling import SyncOptions
        from skypool.pool.unmaking import taken_back_where_refused

        refs, _ = self._found(what)
        wanted = _numbers(refs, versions)
        if not wanted:
            raise NotFound("there is nothing to copy", hint="name products, or search for them")
        options = SyncOptions(False, skip_damaged, progress, "copying")
        source = self.view.session
        if isinstance(to, Space):
            return bring_piece(source, to._changing().session, wanted, options, message)
        place = locate(to, self._settings)
        with (
            taken_back_where_refused(place, self._files),
            Pool(place, settings=self._settings, files=self._files) as other,
        ):
            return bring_piece(source, other._changing().session, wanted, options, message)

    def drop(
        self,
        refs: Any,
        *,
        from_: Any = (),
        versions: str | int | slice = "latest",
        message: str = "",
        dry_run: bool = False,
        progress: OnProgress | None = None,
    ) -> DropReport:
        """Drop content that is elsewhere, and keep all that searches need; `bring_back` undoes it.

        Names, metadata, coverage, statistics and digests stay. It is done only if another place
        has all of the content now, which is read and checked: a pool, a file in place, or the file
        or address that a product came from. The history says where it is. `gc` takes the bytes,
        but for those that other versions share. Reading raises `Dropped`.

        Parameters
        ----------
        refs
            Products, or the first parts of names, with all that they refer to.
        from_
            A pool, or several, that are asked first; those that this one is kept in step with are
            known.
        versions
            See `copy`.
        message
            Of the commit.
        dry_run
            Only look.
        progress
            Told how far the work is.

        Raises
        ------
        NotFound
            If there is no such version.
        Conflict
            If no other place has all of it: nothing is dropped.
        """
        from skypool.pool.dropping import drop

        found = _numbers(self._several(refs), versions)
        given = _names(from_)
        if dry_run:
            return drop(self.view, found, given, message, dry_run=True, on_progress=progress)
        return self._freeing(lambda view: drop(view, found, given, message, on_progress=progress))

    def bring_back(
        self,
        refs: Any,
        *,
        from_: Any = (),
        versions: str | int | slice = "latest",
        message: str = "",
        progress: OnProgress | None = None,
    ) -> GetReport:
        """Bring the content of products back that was dropped; each piece is checked.

        What was interrupted goes on where it was.

        Parameters
        ----------
        refs
            Products, or the first parts of names, with all that they refer to.
        from_
            A pool, or several, that are asked before the places that the history knows.
        versions
            See `copy`.
        message
            Of the commit.
        progress
            Told how far the work is.

        Raises
        ------
        Dropped
            If none of the places has all of it now; what came is kept.
        """
        from skypool.pool.dropping import get

        found = _numbers(self._several(refs), versions)
        return get(self._changing(), found, _names(from_), message, on_progress=progress)

    def collect(self, name: str, what: Any, *, message: str = "") -> Ref:
        """Keep a working set under a name: a context that refers to what was found.

        Nothing is copied. Collecting again makes a new version if something else is found, and
        nothing if not.

        Parameters
        ----------
        name
            Its name.
        what
            A query, which is kept with it, or products, or hits.
        message
            What the history says of it.

        Returns
        -------
        Ref
            The context.
        """
        from skypool.model.metadata import Parameter
        from skypool.model.product import Product

        refs, query = self._found(what)
        members: dict[str, Ref] = {}
        for ref in refs:
            if ref.name == name:
                continue  # of itself, when it was collected before
            role = ref.name if ref.name not in members else f"{ref.name}@{ref.version}"
            members.setdefault(role, ref)
        meta = {"query": Parameter(query, "", "what was searched for")} if query else {}
        old: Ref | None = self.get(f"name:{name}")
        if old is not None and old.type != "Collection":
            raise NameConflict(
                f"{name} is a {old.kind}, not a working set", hint="choose another name"
            )
        if old is not None and old.kind == "MapContext":
            same = {role: ref for role, ref in old.refs.items() if isinstance(ref, Ref)}
            asked = old.meta["query"].value if "query" in old.meta else ""
            if asked == query and list(same.items()) == list(members.items()):
                return old
        product = Product(kind="MapContext", type="Collection", meta=meta, refs=members)
        return self.save(product, name, message=message or f"collect {name}")  # type: ignore[attr-defined,no-any-return]

    def _found(self, what: Any) -> tuple[list[Ref], str]:
        """Return products that are named or searched for, and the query if it is one."""
        if isinstance(what, str):
            try:
                return self._below(what), ""
            except NotFound as error:
                try:
                    hits = list(self.find(what))
                except QueryError:
                    if re.search(r"[=<>(]", what):
                        raise
                    raise error from None
                if not hits:
                    raise NotFound(
                        f"nothing is called {what[:200]!r}, and nothing is found by it as a query",
                        hint="`skypool find` says why a query finds nothing",
                    ) from None
                return hits, what
        if isinstance(what, os.PathLike) and not isinstance(what, Ref):
            raise UsageError(f"{what!r} is a path, not a product")
        if isinstance(what, Iterable) and not isinstance(what, Ref):
            query = getattr(what, "query", "")
            found = [ref for item in what for ref in self._found(item)[0]]
            return found, query if isinstance(query, str) else ""
        return [self._ref(what)], ""


def _names(pools: Any) -> list[str]:
    """Return names or paths of pools that are given as such, or open; one or several."""
    many = isinstance(pools, Iterable) and not isinstance(pools, str | os.PathLike | Space)
    return [
        pool.path if isinstance(pool, Space) else os.fspath(pool)
        for pool in (pools if many else [pools])
    ]


def _numbers(refs: Iterable[Ref], versions: str | int | slice) -> list[int]:
    """Return the numbers of versions; products that have none of those are an error."""
    refs = list(refs)
    found = [old.number for ref in refs for old in _versions(ref, versions)]
    if refs and not found:
        raise NotFound(
            f"there are no versions {versions} of what was asked for",
            hint="`skypool history NAME` lists the versions of a product",
        )
    return found


def _versions(ref: Ref, versions: str | int | slice) -> list[Ref]:
    """Return the versions of a track that are asked for, those given up left out."""
    if versions == "latest":
        return [] if ref.purged else [ref]
    if isinstance(versions, int):
        versions = str(versions)
    if versions == "all":
        low, high = 0, None
    elif isinstance(versions, slice):
        low, high = versions.start or 0, None if versions.stop is None else versions.stop - 1
    else:
        match = _RANGE.match(versions)
        if match is None:
            raise UsageError(
                f"{versions!r} are no versions", hint="all, latest, one such as 3, or 2..5, or 2.."
            )
        low = int(match[1])
        high = low if match[2] is None else int(match[2]) if match[2] else None
    return [
        old
        for old in ref.versions
        if old.version >= low and (high is None or old.version <= high) and not old.purged
    ]
