"""Extremes along an axis, for plots: of spectra, and of columns of tables."""

from __future__ import annotations

import warnings
from typing import Any, Final, NamedTuple

import numpy as np

from skypool.model.tables import Table, masked

__all__ = ["Trace", "along", "of_array", "of_column", "plottable"]

_ROWS: Final = 32_768
_MOST: Final = 64
_WAVES: Final = (
    "wavelength",
    "wave",
    "frequency",
    "freq",
    "lambda",
    "energy",
    "time",
    "mjd",
    "velocity",
)


class Trace(NamedTuple):
    """What is plotted.

    Attributes
    ----------
    low, high : ndarray
        Smallest and largest value of each bin; NaN where there is none.
    x_range : tuple of float
        What the first and last bin stand for.
    x_label, y_label : str
    read : float
        Share of the values that were looked at.
    """

    low: Any
    high: Any
    x_range: tuple[float, float]
    x_label: str
    y_label: str
    read: float = 1.0


def along(read: Any, length: int, bins: int) -> tuple[Any, Any, float]:
    """Return the extremes of bins of equal length, and the share that was read.

    Parameters
    ----------
    read
        Gives the values from one place to another.
    length
        How many there are. Of more than 64 blocks of 32,768, 64 are read, evenly spread.
    bins
        How many at most.
    """
    bins = max(1, min(bins, length))
    low, high = np.full(bins, np.nan), np.full(bins, np.nan)
    blocks = -(-length // _ROWS)
    chosen = range(blocks) if blocks <= _MOST else [n * blocks // _MOST for n in range(_MOST)]
    seen = 0
    for block in chosen:
        start, stop = block * _ROWS, min(length, (block + 1) * _ROWS)
        values: Any = np.ma.filled(np.ma.asarray(read(start, stop), float), np.nan)
        seen += stop - start
        values = np.where(np.isfinite(values), values, np.nan)
        places = np.arange(start, stop) * bins // length
        edges = np.flatnonzero(np.diff(places, prepend=-1))
        found = places[edges]
        low[found] = np.fmin(low[found], np.fmin.reduceat(values, edges))
        high[found] = np.fmax(high[found], np.fmax.reduceat(values, edges))
    return low, high, seen / length if length else 1.0


def of_array(array: Any, bins: int) -> Trace:
    """Return the plot of an array of one axis."""
    low, high, share = along(
        lambda start, stop: array.source.read((slice(start, stop, 1),)), array.shape[0], bins
    )
    first, last, label = _world(array)
    return Trace(low, high, (first, last), label, array.unit_text, share)


def _world(array: Any) -> tuple[float, float, str]:
    """Return what the first and last value of a spectrum belong to."""
    last = array.shape[0] - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that astropy would rather have otherwise
        try:
            wcs = array.wcs if array.may_have_wcs else None
            if wcs is None or wcs.pixel_n_dim != 1:
                return 0, last, "index"
            ends = [float(wcs.pixel_to_world_values(place)) for place in (0, last)]
            unit, kind = str(wcs.world_axis_units[0]), wcs.world_axis_physical_types[0]
        except (ValueError, TypeError):  # world coordinates that astropy cannot work out
            return 0, last, "index"
    label = str(kind or wcs.wcs.ctype[0]).rpartition(".")[2]
    return ends[0], ends[1], f"{label} [{unit}]" if unit else label


def plottable(table: Table) -> list[str]:
    """Return the columns of a table that can be plotted: one real number in each row."""
    infos = (table.source.info(name) for name in table.colnames)
    return [info.name for info in infos if info.dtype.kind in "biuf" and not info.shape]


def of_column(table: Table, name: str, bins: int) -> Trace:
    """Return the plot of a column along the rows, or along what the table is ordered by."""
    info = table.source.info(name)
    low, high, share = along(_reader(table, name), len(table), bins)
    y_label = f"{name} [{info.unit}]" if info.unit else name
    base = next((x for x in plottable(table) if x.casefold() in _WAVES and x != name), None)
    if base is not None and len(table):
        ends = [float(_reader(table, base)(n, n + 1)[0]) for n in (0, len(table) - 1)]
        unit = table.source.info(base).unit
        label = f"{base} [{unit}]" if unit else base
        if np.isfinite(ends).all() and _even(table, base):
            return Trace(low, high, (ends[0], ends[1]), label, y_label, share)
    return Trace(low, high, (0, max(0, len(table) - 1)), "row", y_label, share)


def _reader(table: Table, name: str) -> Any:
    info = table.source.info(name)
    return lambda start, stop: masked(table.source.read(name, start, stop), info)


def _even(table: Table, name: str) -> bool:
    """Tell whether a column goes up or down in equal steps, as an axis does."""
    values = np.asarray(_reader(table, name)(0, min(len(table), _ROWS)), float)
    steps = np.diff(values)
    return bool(len(steps) and steps[0] and np.allclose(steps, steps[0], rtol=0.05))
