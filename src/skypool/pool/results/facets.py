"""How many hits have which value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.catalogue.tagged import count_tags
from skypool.errors import UsageError
from skypool.pool.results.ordering import by_key

if TYPE_CHECKING:
    from skypool.pool.results.hits import Hits
    from skypool.pool.results.values import Values

__all__ = ["Facet", "facets"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Facet(dict[Any, int]):
    """How many hits have each value of one key.

    The most frequent value comes first, equally frequent ones in the order of the values,
    numbers before texts. None stands for the hits that have none (NaN too), and comes last. Where
    a key has values in several units, a value is a text with its unit.

    Attributes
    ----------
    unit : str
        The unit of all values; empty where there is none, or are several.
    different : int
        How many different values there are, those beyond the limit included.
    """

    unit: str = ""
    different: int = 0

    @property
    def missing(self) -> int:
        """How many hits have no value."""
        return self.get(None, 0)

    def histogram(self, bins: int = 10) -> tuple[list[Any], list[int]]:
        """Count the numbers, or the times, in bins of equal width.

        Parameters
        ----------
        bins
            How many.

        Returns
        -------
        edges, counts
            One edge more than counts; times are edges as times.

        Raises
        ------
        UsageError
            If there is nothing but texts, or not all values are in this facet.
        """
        if self.different > len(self) - (None in self):
            raise UsageError("a histogram needs all values", hint="count them without a limit")
        times = {_seconds(v): n for v, n in self.items() if isinstance(v, datetime)}
        numbers = {
            float(value): count
            for value, count in self.items()
            if isinstance(value, int | float) and np.isfinite(float(value))
        }
        points = times or numbers
        if not points:
            raise UsageError("there are no numbers and no times to make a histogram of")
        counts, edges = np.histogram(list(points), bins=bins, weights=list(points.values()))
        made: list[Any] = edges.tolist()
        if times:
            made = [_EPOCH + timedelta(seconds=edge) for edge in made]
        return made, [round(count) for count in counts.tolist()]


def _seconds(moment: datetime) -> float:
    return (moment - _EPOCH).total_seconds()


def facets(hits: Hits, keys: Sequence[str], limit: int | None) -> dict[str, Facet]:
    """Count the values of keys; see `Hits.facets`."""
    if limit is not None and limit < 0:
        raise UsageError(f"a limit is not negative: {limit}")
    return {
        key: _of_tags(hits, limit) if key == "tags" else _counted(by_key(hits, key), limit)
        for key in keys
    }


def _counted(values: Values, limit: int | None) -> Facet:
    counts = values.counts
    found = values.used()
    facet = Facet()
    facet.different = len(found)
    units = values.units_of(found)
    facet.unit = units.pop() if len(units) == 1 else ""
    for code in _first(values, found, counts, limit):
        value = values.value(code)
        if units:
            unit = values.entries[code].unit  # type: ignore[union-attr]
            value = f"{value} {unit}".rstrip()
        facet[value] = facet.get(value, 0) + int(counts[code])
    if counts[0]:
        facet[None] = int(counts[0])
    return facet


def _first(values: Values, codes: Any, counts: Any, limit: int | None) -> list[int]:
    """Return codes, the most frequent first, then in the order of their values."""
    from skypool.pool.results.values import Values

    if limit is not None and len(codes) > limit:
        if limit == 0:
            return []
        # Only those as frequent as the last one that is wanted need an order.
        least = np.partition(counts[codes], len(codes) - limit)[len(codes) - limit]
        codes = codes[counts[codes] >= least]
    ranks = Values(values.key, codes.astype(np.int32), values.entries).ranks()
    order = np.lexsort((codes, ranks, -counts[codes]))
    return [int(code) for code in codes[order][:limit]]


def _of_tags(hits: Hits, limit: int | None) -> Facet:
    counts: Counter[str] = Counter()
    without = len(hits)
    numbers = hits.as_array()
    for pool, snapshot in enumerate(hits.snapshots):
        here = numbers if hits.pools is None else numbers[np.asarray(hits.pools) == pool]
        found, tagged = count_tags(snapshot.view.session.catalogue.database, snapshot.at, here)
        counts.update(found)
        without -= tagged
    facet = Facet(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])
    facet.different = len(counts)
    if without:
        facet[None] = without
    return facet
