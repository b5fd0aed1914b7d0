"""How many products of a result have which value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from skypool.errors import UsageError
from skypool.query.compare import conversion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skypool.pool.results.values import Values
    from skypool.server.cursors import Cursor, Results

__all__ = ["facet_of", "facets", "histogram", "tag_counts"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLION: Final = 1_000_000
# Different values that are counted at once.
_AT_ONCE: Final = 100_000


def facets(
    results: Results, cursor: Cursor, keys: Sequence[str], limit: int
) -> dict[str, dict[str, Any]]:
    """Count the values of keys, each without the filter on itself."""
    return {key: facet_of(results.without(cursor, key), key, limit) for key in keys}


def facet_of(cursor: Cursor, key: str, limit: int) -> dict[str, Any]:
    """Count the values of a key in a result."""
    return dict(cursor.kept_once(("facet", key, limit), lambda: _facet(cursor, key, limit)))


def _facet(cursor: Cursor, key: str, limit: int) -> dict[str, Any]:
    if key == "tags":
        return _of_tags(cursor, limit)
    if key == "pool":
        return _of_pools(cursor)
    found = cursor.hits.facets(key, limit=limit)[key]
    values = [[value, count] for value, count in found.items() if value is not None]
    return {
        "values": values,
        "missing": found.missing,
        "different": found.different,
        "unit": found.unit or None,
    }


def _of_pools(cursor: Cursor) -> dict[str, Any]:
    values: list[list[Any]] = [
        [label, len(cursor.in_pool(n)[0])] for n, label in enumerate(cursor.labels)
    ]
    values = [each for each in values if each[1]]
    values.sort(key=lambda each: -each[1])
    return {"values": values, "missing": 0, "different": len(values), "unit": None}


def _of_tags(cursor: Cursor, limit: int) -> dict[str, Any]:
    counts, tagged = tag_counts(cursor)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "values": [list(each) for each in order[:limit]],
        "missing": len(cursor.hits) - tagged,
        "different": len(counts),
        "unit": None,
    }


def tag_counts(
    cursor: Cursor, chosen: Mapping[str, NDArray[Any]] | None = None
) -> tuple[dict[str, int], int]:
    """Count tags.

    Parameters
    ----------
    cursor
        A result.
    chosen
        Of which versions, by the labels of pools; by default all of the result.

    Returns
    -------
    counts, tagged
        How many have each tag, and how many have any.
    """
    from skypool.catalogue.tagged import count_tags

    counts: Counter[str] = Counter()
    tagged = 0
    for pool, label in enumerate(cursor.labels):
        numbers = cursor.in_pool(pool)[0] if chosen is None else chosen.get(label)
        if numbers is None:
            continue
        snapshot = cursor.hits.snapshots[pool]
        found, any_tag = count_tags(snapshot.view.session.catalogue.database, snapshot.at, numbers)
        counts.update(found)
        tagged += any_tag
    return counts, tagged


def histogram(results: Results, cursor: Cursor, key: str, bins: int) -> dict[str, Any]:
    """Count numbers or times in bins of equal width, without the filter on the key itself."""
    cursor = results.without(cursor, key)
    return dict(cursor.kept_once(("histogram", key, bins), lambda: _histogram(cursor, key, bins)))


def _histogram(cursor: Cursor, key: str, bins: int) -> dict[str, Any]:
    import numpy as np

    from skypool.pool.results.ordering import by_key

    if key in ("tags", "pool"):
        raise UsageError(f"{key!r} is neither a number nor a time", hint="count its values")
    values = by_key(cursor.hits, key)
    used = values.used()
    moments = _moments(values, used)
    times = moments is not None and bool(np.isfinite(moments).any())
    points, unit = (moments, "") if times else _numbers(values, used)
    assert points is not None
    fine = np.isfinite(points)
    if not fine.any():
        missing = len(cursor.hits)
        return {"edges": [], "counts": [], "missing": missing, "unit": None, "time": False}
    low = float(points.min(where=fine, initial=np.inf))
    high = float(points.max(where=fine, initial=-np.inf))
    made, edges = _binned(values, used, points, bins, _widened(low, high))
    return {
        "edges": [_EPOCH + timedelta(seconds=edge) for edge in edges.tolist()]
        if times
        else edges.tolist(),
        "counts": made.tolist(),
        "missing": len(cursor.hits) - int(made.sum()),
        "unit": unit or None,
        "time": times,
    }


def _binned(
    values: Values,
    used: NDArray[np.int64],
    points: NDArray[np.float64],
    bins: int,
    bounds: tuple[float, float],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how many hits are in each bin, and the edges; a key may have a million values."""
    import numpy as np

    counts = values.counts
    made = np.zeros(bins, np.int64)
    edges = np.histogram_bin_edges(np.zeros(0), bins, bounds)
    for start in range(0, len(used), _AT_ONCE):
        part = points[start : start + _AT_ONCE]
        fine = np.isfinite(part)
        weights = counts[used[start : start + _AT_ONCE]][fine]
        found, _ = np.histogram(part[fine], bins=bins, range=bounds, weights=weights)
        made += found.astype(np.int64)
    return made, edges


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return bounds that are not the same."""
    if high > low:
        return low, high
    half = abs(low) * 1e-6 or 0.5
    return low - half, high + half


def _numbers(values: Values, used: NDArray[np.int64]) -> tuple[NDArray[np.float64], str]:
    """Return the values as numbers of one unit; NaN for what is none."""
    import numpy as np

    from skypool.catalogue.column import Entries

    units = values.units_of(used)
    if isinstance(values.entries, Entries) and len(units) <= 1:
        return values.entries.numbers[used], next(iter(units), "")
    entries = [values.entries[code] for code in used.tolist()]
    counts = values.counts
    by_unit: dict[str, int] = {}
    for code, entry in zip(used.tolist(), entries, strict=True):
        if entry is not None and not isinstance(entry.value, str):
            by_unit[entry.unit] = by_unit.get(entry.unit, 0) + int(counts[code])
    base = min(by_unit, key=lambda unit: (-by_unit[unit], unit)) if by_unit else ""
    found = np.full(len(entries), np.nan)
    for place, entry in enumerate(entries):
        if entry is not None and not isinstance(entry.value, str):
            factor = 1.0 if entry.unit in ("", base) else conversion(entry.unit, base)
            if factor is not None:
                found[place] = float(entry.value) * factor
    return found, base


def _moments(values: Values, used: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return the values as seconds since 1970; None where none of them is a time."""
    import numpy as np

    from skypool.catalogue.column import TIME, Entries

    if values.key == "saved":
        return _numbers(values, used)[0] / _MILLION
    found = np.full(len(used), np.nan)
    if isinstance(values.entries, Entries):
        places = np.flatnonzero(values.entries.marks[used] == TIME)
        if not values.times and not len(places):
            return None
        found[places] = values.entries.moments(used[places]) / _MILLION
        # Those long before or after our days are texts.
        for place in places[np.isnan(found[places])].tolist():
            moment = values.value(int(used[place]))
            if isinstance(moment, datetime):
                found[place] = (moment - _EPOCH).total_seconds()
        return found
    for place, code in enumerate(used.tolist()):
        value = values.value(code)
        if isinstance(value, datetime):
            found[place] = (value - _EPOCH).total_seconds()
    return found
