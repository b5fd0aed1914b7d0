"""Lines to plot: spectra and columns, thinned so that no extreme is lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import NotFound, UsageError

if TYPE_CHECKING:
    from skypool.model.arrays import Array
    from skypool.model.tables import Column, Table
    from skypool.server.data_sources import Shown

__all__ = ["binned", "histogram", "plot", "spectrum"]

_MOST_READ: Final = 64 * 1024**2


def binned(values: Any, count: int) -> tuple[Any, Any, Any, Any]:
    """Thin values to bins of neighbours.

    Parameters
    ----------
    values
        Of one axis.
    count
        Largest number of bins.

    Returns
    -------
    edges, mean, low, high : ndarray
        Edges of the bins as numbers of values, one more than bins; mean of the finite values,
        smallest and largest of those that are not NaN; NaN where there are none.
    """
    numbers = np.asarray(values, np.float64)
    bins = max(1, min(count, numbers.size))
    edges = np.linspace(0, numbers.size, bins + 1).astype(np.intp)
    starts = edges[:-1]
    finite = np.isfinite(numbers)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sums = np.add.reduceat(np.where(finite, numbers, 0.0), starts)
        mean = sums / np.add.reduceat(finite, starts, dtype=np.intp)
        low, high = np.fmin.reduceat(numbers, starts), np.fmax.reduceat(numbers, starts)
    return edges, mean, low, high


def spectrum(
    shown: Shown,
    *,
    x: int = 0,
    y: int = 0,
    plane: int = 0,
    count: int = 4000,
    start: int = 0,
    stop: int | None = None,
) -> dict[str, Any]:
    """Return the values of a cube at a pixel, or of an array of one axis.

    Of a cube, only the stored blocks on that line are read.

    Parameters
    ----------
    shown
        The array.
    x, y
        Pixel of a cube.
    plane
        Where on the other axes, if the array has more than three; the line goes along the
        longest of the leading axes.
    count
        Most points; more values are thinned to bins with their extremes.
    start, stop
        Part of the line.

    Returns
    -------
    dict
        `x` and `y`, each with `name`, `unit` and `values`; `y` with `low` and `high` where
        values were thinned; `total`: values on the line; `start`, `stop`.
    """
    array = shown.array
    axis, index = _line(shown, x, y, plane)
    length = array.shape[axis]
    start, stop, _ = slice(start, stop).indices(length)
    size = max(0, stop - start)
    if array.ndim == 1 and size * array.dtype.itemsize > _MOST_READ:
        edges, y_part = _from_statistics(array, start, stop, count)
    else:
        index[axis] = slice(start, start + size, 1)
        edges, y_part = _thinned(array.source.read(tuple(index)).reshape(-1), count)
    middle = start + (edges[:-1] + edges[1:] - 1) / 2
    along = shown.world.along(axis, middle)
    name, unit, places = along or ("index", "", middle)
    return {
        "x": {"name": name, "unit": unit, "values": np.asarray(places).tolist()},
        "y": {"name": "value", "unit": array.unit_text, **y_part},
        "total": length,
        "start": start,
        "stop": start + size,
    }


def _line(shown: Shown, x: int, y: int, plane: int) -> tuple[int, list[slice]]:
    array = shown.array
    if array.ndim == 1:
        return 0, [slice(0, array.shape[0], 1)]
    height, width = shown.size
    if not (0 <= x < width and 0 <= y < height):
        raise NotFound(f"there is no pixel ({x}, {y}) in planes of {width} × {height}")
    if array.ndim == 2:
        raise UsageError("an image has no spectrum at a pixel", hint="cubes have")
    axis = max(range(array.ndim - 2), key=lambda number: array.shape[number])
    place = (*shown.place(plane), y, x)
    return axis, [slice(p, p + 1, 1) for p in place]


def _thinned(values: Any, count: int) -> tuple[Any, dict[str, Any]]:
    values = np.abs(values) if values.dtype.kind == "c" else values
    if isinstance(values, np.ma.MaskedArray):
        values = _floats(values)
    if values.size <= count:
        return np.arange(values.size + 1), {"values": _shortest(values)}
    edges, mean, low, high = binned(values, count)
    return edges, {"values": mean.tolist(), "low": low.tolist(), "high": high.tolist()}


def _shortest(values: Any) -> list[Any]:
    """Return numbers of Python; those of single precision with the digits that they have."""
    if values.dtype.kind == "f" and values.itemsize < 8:
        return [float(str(value)) for value in values]
    found: list[Any] = values.tolist()
    return found


def _from_statistics(array: Array, start: int, stop: int, count: int) -> tuple[Any, dict[str, Any]]:
    """Return the extremes of whole tiles, which are known without reading them."""
    known = array.source.statistics
    if known is None:
        step = -(-(stop - start) * array.dtype.itemsize // _MOST_READ)
        edges, part = _thinned(array.source.read((slice(start, stop, step),)), count)
        return np.minimum(edges * step, stop - start), part
    edge = array.tile[0]
    first, last = start // edge, -(-stop // edge)
    counts = np.asarray(known.counts)[first:last]
    filled = counts[:, [0, 2, 3]].sum(axis=1) > 0
    low = np.where(filled, np.asarray(known.minima[first:last], float), np.nan)
    high = np.where(filled, np.asarray(known.maxima[first:last], float), np.nan)
    ends, _, lows, _ = binned(low, count)
    _, _, _, highs = binned(high, count)
    edges = np.clip(np.minimum((ends + first) * edge, array.shape[0]) - start, 0, stop - start)
    middles = lows / 2 + highs / 2
    return edges, {"values": middles.tolist(), "low": lows.tolist(), "high": highs.tolist()}


# -- tables


def plot(table: Table, x: str, y: str, count: int) -> dict[str, Any]:
    """Return two columns to plot; only these are read.

    Where the first one grows from row to row, it is a line, thinned to bins with their extremes;
    else it is points, of which one is kept in each cell of a fine grid.

    Parameters
    ----------
    table
        The table.
    x, y
        Names of columns; an empty *x* stands for the number of the row.
    count
        Most bins or points.

    Raises
    ------
    UsageError
        If a column has no plain numbers.
    """
    columns = [table[name] for name in (x, y) if name]
    for column in columns:
        _check(column)
    values = [_floats(column[:]) for column in columns]
    across = values[0] if x else np.arange(len(table), dtype=float)
    up = values[-1]
    steps = np.diff(across)
    line = bool(across.size and np.isfinite(across).all())
    line = line and bool((steps > 0).all() or (steps < 0).all())
    found: dict[str, Any] = {"mode": "line" if line else "points", "total": len(table)}
    first = {"name": x or "row", "unit": columns[0].unit_text if x else ""}
    second = {"name": columns[-1].name, "unit": columns[-1].unit_text}
    if across.size <= count:
        rest = {"values": up.tolist()}
    elif line:
        edges, mean, low, high = binned(up, count)
        across = np.add.reduceat(across, edges[:-1]) / np.diff(edges)
        rest = {"values": mean.tolist(), "low": low.tolist(), "high": high.tolist()}
    else:
        keep = _one_in_each_cell(across, up, count)
        across, rest = across[keep], {"values": up[keep].tolist(), "rows": keep.tolist()}
    return found | {"x": first | {"values": across.tolist()}, "y": second | rest}


def _check(column: Column) -> None:
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise UsageError(
            f"the column {column.name!r} cannot be plotted: it has {_sort(column)}",
            hint="columns with one number in each row can",
        )


def _sort(column: Column) -> str:
    if column.ndim != 1 or column.dtype.kind == "O":
        return "arrays in its cells"
    return "complex numbers" if column.dtype.kind == "c" else "no numbers"


def _floats(values: Any) -> Any:
    numbers = np.array(np.ma.getdata(values), np.float64)
    numbers[np.ma.getmaskarray(values)] = np.nan
    return numbers


def _one_in_each_cell(x: Any, y: Any, count: int) -> Any:
    """Return numbers of points, no more than *count*, with the outermost ones among them."""
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if known.size <= count:
        return known
    ends = [known[f(v[known])] for v in (x, y) for f in (np.argmin, np.argmax)]
    side = max(2, math.isqrt(4 * count))
    while True:
        cells = _cells(x[known], side) * side + _cells(y[known], side)
        _, first = np.unique(cells, return_index=True)
        if first.size <= max(1, count - 4) or side <= 2:
            return np.unique(np.concatenate([known[first], ends]))
        side = max(2, int(side * 0.7))


def _cells(values: Any, side: int) -> Any:
    low, high = values.min(), values.max()
    if not high > low:
        return np.zeros(values.size, np.intp)
    share = (values / 2 - low / 2) / (high / 2 - low / 2)
    return np.minimum((share * side).astype(np.intp), side - 1)


def histogram(table: Table, name: str, bins: int) -> dict[str, Any]:
    """Return how the values of a column are spread; only it is read.

    Returns
    -------
    dict
        `edges`, `counts`, `missing`: values that are not there or not finite; `unit`.
    """
    column = table[name]
    _check(column)
    values = _floats(column[:])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"edges": [], "counts": [], "missing": values.size, "unit": column.unit_text}
    low, high = float(finite.min()), float(finite.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite(high - low):
        finite, low, high = finite / 2, low / 2, high / 2
        counts, edges = np.histogram(finite, bins, (low, high))
        edges = edges * 2
    else:
        counts, edges = np.histogram(finite, bins, (low, high))
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "missing": int(values.size - finite.size),
        "unit": column.unit_text,
    }
