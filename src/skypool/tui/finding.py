"""What the browser asks of pools: results, numbers, words to complete; nothing here draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.errors import SkypoolError
from skypool.model.attributes.names import CORE_NAMES
from skypool.tui.columns import ALWAYS, HitRows, defaults_for, used
from skypool.tui.question import Question
from skypool.tui.widgets.facet_list import FEW, KEYS, MANY

if TYPE_CHECKING:
    from skypool.pool.pool import Pool
    from skypool.pool.ref import Ref
    from skypool.pool.results.hits import Hits

__all__ = ["Found", "Pools", "facets_of", "find", "unsortable"]

_UNSORTED: Final = frozenset({"tags", "total_size", "track", "pool"})


class Found(NamedTuple):
    """The answer to a question.

    Attributes
    ----------
    question : Question
    hits : Hits
    usual : tuple of str
        Columns where the user chose none.
    sort : str
        What sort of result it is, for remembering columns.
    rows : HitRows
        With the columns to show.
    """

    question: Question
    hits: Hits
    usual: tuple[str, ...]
    sort: str
    rows: HitRows


class Pools:
    """The open pools.

    Parameters
    ----------
    pools
        By what the user calls them.
    """

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self.named = dict(pools)
        self._by_key = {pool.view.session.folder.key: pool for pool in pools.values()}
        self._known: tuple[tuple[int, ...], dict[str, str], dict[str, int]] | None = None
        self._values: dict[tuple[str, tuple[int, ...]], list[tuple[Any, int]]] = {}

    @property
    def all(self) -> list[Pool]:
        """The pools in order."""
        return list(self.named.values())

    def of(self, ref: Ref) -> Pool:
        """Return the pool of a ref."""
        return self._by_key[ref.view.session.folder.key]

    def heads(self) -> tuple[int, ...]:
        """Return the newest commit of each."""
        return tuple(pool.view.identity.head() for pool in self.all)

    def total(self) -> int:
        """Return how many products they have."""
        return sum(len(pool) for pool in self.all)

    def new_since(self, seen: Sequence[int]) -> int:
        """Return how many versions, names and tags others changed since some commits."""
        count = 0
        for pool, commit in zip(self.all, seen, strict=True):
            identity = pool.view.identity
            for number in range(commit + 1, identity.head() + 1):
                row = identity.commit(number)
                if row is not None:
                    count += row.changes.get("versions", 0) or 1
        return count

    def keys(self) -> dict[str, str]:
        """Return the keys that queries can name, each with a word about it."""
        return self._read_known()[1]

    def columns(self) -> dict[str, str]:
        """Return the keys that columns can show."""
        return {**dict.fromkeys(ALWAYS, "of every product"), **self.keys()}

    def tags(self) -> dict[str, int]:
        """Return all tags, with the number of versions that carry each."""
        return self._read_known()[2]

    def _read_known(self) -> tuple[tuple[int, ...], dict[str, str], dict[str, int]]:
        """Return keys and tags; they are read once for each commit, as they are asked for often."""
        heads = self.heads()
        if self._known is None or self._known[0] != heads:
            keys = dict.fromkeys(CORE_NAMES, "core attribute")
            tags: dict[str, int] = {}
            for pool in self.all:
                for key in pool.view.session.catalogue.keys():  # noqa: SIM118 (no mapping)
                    keys.setdefault(key, "metadata")
                for tag, count in pool.tags.items():
                    tags[tag] = tags.get(tag, 0) + count
            self._known = heads, keys, tags
        return self._known

    def known_values(self, key: str) -> list[tuple[Any, int]] | None:
        """Return the values of a key, if they were counted already."""
        return self._values.get((key, self.heads()))

    def count_values(self, key: str) -> None:
        """Count the values of a key in all products."""
        heads = self.heads()
        try:
            hits = Question(all_names=True).ask(self.all)
            facet = hits.facets(key, limit=200)[key]
            values = [(value, count) for value, count in facet.items() if value is not None]
        except SkypoolError:  # a key without values that could be counted completes to nothing
            values = []
        self._values[key, heads] = values


def find(pools: Pools, question: Question, chosen: Mapping[str, Sequence[str]]) -> Found:
    """Return the answer to a question.

    Parameters
    ----------
    pools
        The pools.
    question
        What is asked.
    chosen
        Columns that the user chose, by the sort of the result.
    """
    hits = question.ask(pools.all)
    kinds = hits.facets("kind")["kind"] if len(hits) else {}
    sort = next(iter(kinds), "") if len(kinds) == 1 else "several"
    usual: tuple[str, ...] = defaults_for(kinds)
    if len(pools.named) > 1:
        usual = ("pool", *usual)
    rows = HitRows(hits, usual)
    usual = used(rows, usual)
    keys = tuple(chosen.get(sort, ())) or usual
    return Found(question, hits, usual, sort, HitRows(hits, keys))


def facets_of(pools: Pools, found: Found, wide: set[str]) -> dict[str, Any]:
    """Count the values of a result; those of a key without what was chosen of it."""
    question = found.question
    counted: dict[str, Any] = {}
    for key in KEYS:
        hits = found.hits
        if key in question.filters:
            hits = question.without(key).ask(pools.all)
        counted |= hits.facets(key, limit=MANY if key in wide else FEW)
    for key in question.filters:
        if key not in counted:
            counted |= question.without(key).ask(pools.all).facets(key, limit=FEW)
    return counted


def unsortable(key: str) -> bool:
    """Tell whether results cannot be sorted by a column."""
    return key in _UNSORTED
