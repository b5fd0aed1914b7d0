"""Results that are kept: each is made once, however many ask, and few are kept."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.glances import first_versions
from skypool.catalogue.in_memory import kept_columns
from skypool.errors import NotFound, UsageError
from skypool.pool.finding import find_in_pools
from skypool.pool.results.hits import Hits
from skypool.pool.results.snapshot import Snapshot
from skypool.server.events import Commits
from skypool.server.kept import Kept
from skypool.server.pools import split_ref
from skypool.server.search import Asking
from skypool.server.warming import is_large

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skypool.pool.pool import Pool
    from skypool.server.context import Context

__all__ = ["FIRST", "Cursor", "CursorGone", "Results"]

FIRST: Final = 100
"""Rows that come with a result."""

_KEPT: Final = 12
# Answers that are kept of each.
_ANSWERS: Final = 200
_ROWS_KEPT: Final = 3_000_000


class CursorGone(NotFound):
    """The result is not kept any more."""

    code = "cursor_gone"
    status = 410


class Cursor:
    """What a search found.

    Parameters
    ----------
    key
        A hash of the search and the commits.
    asking
        The search.
    labels
        Of the pools of `hits.snapshots`.
    commits
        Of each pool that was asked the commit as of which it answered.
    first, total
        The first hits, or all of them; and how many there are.
    make
        Finds all; None where *first* are all.

    Attributes
    ----------
    took : float
        Seconds.
    """

    def __init__(
        self,
        key: str,
        asking: Asking,
        labels: list[str],
        commits: dict[str, int],
        first: Hits,
        total: int,
        make: Callable[[], Hits] | None = None,
    ) -> None:
        self.id = key
        self.asking = asking
        self.labels = labels
        self.commits = commits
        self.first = first
        self.total = total
        self.took = 0.0
        self._make = make
        self._hits = first if make is None else None
        self._making = threading.Lock()
        self._kept: Kept[Any] = Kept(_ANSWERS)

    @property
    def hits(self) -> Hits:
        """All that were found; whoever asks first waits until they are."""
        with self._making:
            if self._hits is None:
                assert self._make is not None
                self._hits = self.first = self._make()
                self._make = None
                self.total = len(self._hits)
            return self._hits

    def part(self, start: int, count: int) -> Hits:
        """Return some of the hits; nothing is waited for if they are among the first."""
        first = self.first
        if start + count > len(first) and len(first) < self.total:
            first = self.hits
        return first[start : start + count]

    def texts(self, hits: Hits) -> list[str]:
        """Return the `ref` of each of some hits."""
        pools = hits.pools or [0] * len(hits)
        return [
            f"{self.labels[pool]}/{number}"
            for pool, number in zip(pools, hits.numbers, strict=True)
        ]

    def ref_text(self, place: int) -> str:
        """Return the `ref` of the version at a place."""
        pools = self.hits.pools
        return f"{self.labels[0 if pools is None else pools[place]]}/{self.hits.numbers[place]}"

    def in_pool(self, pool: int) -> tuple[NDArray[np.int32], NDArray[np.int64] | slice]:
        """Return the numbers of the hits in one of the pools, and their places."""
        import numpy as np

        numbers = self.hits.as_array()
        if self.hits.pools is None:
            return numbers, slice(None)
        places = np.flatnonzero(np.array(self.hits.pools) == pool)
        return numbers[places], places

    def place_of(self, text: str) -> int | None:
        """Return where the version of a `ref` stands; None if it does not."""
        import numpy as np

        label, number = split_ref(text)
        if label not in self.labels:
            return None
        mine = self.hits.as_array() == number
        if self.hits.pools is not None:
            mine &= np.array(self.hits.pools) == self.labels.index(label)
        found = np.flatnonzero(mine)
        return int(found[0]) if len(found) else None

    def kept_once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return something that was made of this result before, or make it while others wait."""
        return self._kept.get(key, make)


class Results:
    """The results that are kept, the longest unused given up first.

    Parameters
    ----------
    context
        What the routes share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Future[Cursor]] = OrderedDict()

    def ask(self, asking: Asking) -> Cursor:
        """Return the result of a search as of now; it is made where it is not kept."""
        pools = self._context.pools.chosen(asking.sent.get("pools"))
        asked, commits = self._as_of(pools, asking.sent.get("at"))
        names = {label: [pool.path, commits[label]] for label, pool in pools.items()}
        text = json.dumps([asking.to_json(), names])
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        with self._lock:
            future = self._found.get(key)
            if future is not None:
                self._found.move_to_end(key)
            else:
                mine = self._found[key] = Future()
        if future is not None:
            return future.result()
        try:
            cursor = _answered(key, asking, asked, commits)
        except BaseException as error:
            with self._lock:
                self._found.pop(key, None)
            mine.set_exception(error)
            raise
        mine.set_result(cursor)
        self._tidy()
        return cursor

    def _as_of(
        self, pools: Mapping[str, Pool], at: int | str | None
    ) -> tuple[dict[str, Pool], dict[str, int]]:
        """Return the pools that hold anything, as of a commit, and the commits of all."""
        asked: dict[str, Pool] = {}
        commits: dict[str, int] = {}
        for label, pool in pools.items():
            head = pool.view.at if pool.exists else 0
            if not head:  # a pool that was made, and holds nothing yet
                commits[label] = 0
                continue
            pinned = pool.at(head if at in (None, "") else at)
            asked[label] = pinned
            commits[label] = pinned.view.at
            if at in (None, ""):
                self._context.part(Commits).seen(label, commits[label])
        return asked, commits

    def get(self, key: str) -> Cursor:
        """Return a result that is kept.

        Raises
        ------
        CursorGone
            If it is not, or no longer.
        """
        with self._lock:
            future = self._found.get(key)
            if future is not None:
                self._found.move_to_end(key)
        if future is None:
            raise CursorGone("this result is not kept any more", hint="post the search again")
        return future.result()

    def without(self, cursor: Cursor, key: str) -> Cursor:
        """Return the result without the filter on a key, as of the same commits."""
        if not cursor.asking.filters_on(key):
            return cursor
        asking = cursor.asking.without(key)
        if len(set(cursor.commits.values())) == 1 and "at" not in asking.sent:
            asking = Asking.of({**asking.sent, "at": next(iter(cursor.commits.values()))})
        return self.ask(asking)

    def _tidy(self) -> None:
        with self._lock:
            while len(self._found) > 1 and (len(self._found) > _KEPT or self._rows() > _ROWS_KEPT):
                oldest = next(iter(self._found))
                if not self._found[oldest].done():
                    return
                del self._found[oldest]

    def _rows(self) -> int:
        done = [each for each in self._found.values() if each.done() and not each.exception()]
        return sum(each.result().total for each in done)

    def selected(self, selection: Mapping[str, Any]) -> dict[str, list[int]]:
        """Return the numbers of selected versions, by the labels of their pools.

        Parameters
        ----------
        selection
            ``{"refs": [...]}``, or ``{"cursor", "all": true, "except": [...]}``.
        """
        if not selection.get("all"):
            chosen: dict[str, list[int]] = {}
            for text in dict.fromkeys(selection.get("refs") or ()):
                label, number = split_ref(text)
                chosen.setdefault(label, []).append(number)
            return chosen
        if "cursor" not in selection:
            raise UsageError("a selection of all needs the cursor")
        return all_but(self.get(selection["cursor"]), selection.get("except") or ())


def all_but(cursor: Cursor, refs: Sequence[str]) -> dict[str, list[int]]:
    """Return the numbers of all versions of a result but some, by the labels of their pools."""
    return {label: numbers.tolist() for label, numbers in arrays_but(cursor, refs).items()}


def arrays_but(cursor: Cursor, refs: Sequence[str]) -> dict[str, NDArray[np.int32]]:
    """Return what `all_but` does, as arrays."""
    import numpy as np

    left: dict[str, set[int]] = {}
    for text in refs:
        label, number = split_ref(text)
        left.setdefault(label, set()).add(number)
    found = {}
    for pool, label in enumerate(cursor.labels):
        numbers, _ = cursor.in_pool(pool)
        if label in left:
            numbers = numbers[~np.isin(numbers, list(left[label]))]
        if len(numbers):
            found[label] = numbers
    return found


def _answered(
    key: str, asking: Asking, pools: Mapping[str, Pool], commits: dict[str, int]
) -> Cursor:
    began = time.perf_counter()
    query, labels = asking.query, list(pools)

    def everything() -> Hits:
        return find_in_pools(query, pools=pools.values(), **asking.options())

    found = _first_of_all(asking, pools)
    if found is None:
        hits = everything()
        cursor = Cursor(key, asking, labels, commits, hits, len(hits))
    else:
        cursor = Cursor(key, asking, labels, commits, *found, everything)
    cursor.took = time.perf_counter() - began
    return cursor


def _first_of_all(asking: Asking, pools: Mapping[str, Pool]) -> tuple[Hits, int] | None:
    """Return the first of everything in a large pool that nothing is in memory of, and how many.

    None for other searches, and where only a search tells.
    """
    options = asking.options()
    plain = not (asking.query or options["kind"] or options["order_by"] or options["all_versions"])
    if not plain or len(pools) != 1:
        return None
    view = next(iter(pools.values())).view
    database = view.session.catalogue.database
    columns = kept_columns(database)
    if (columns is not None and columns.has_visible) or not is_large(database):
        return None
    found = first_versions(database, view.at, FIRST)
    if found is None:
        return None
    numbers, count = found
    return Hits((Snapshot(view, view.at),), numbers), count
