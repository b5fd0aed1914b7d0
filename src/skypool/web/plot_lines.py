"""Figures of spectra and of columns of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.tables import Column, Table
from skypool.server.previews import BUDGET
from skypool.web.plot_text import label, plain, spectral_axis, spectral_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_array", "draw_column", "draw_spectrum_at", "draw_table", "numbers_of"]

_ABSCISSAE: Final = (
    "wavelength", "wave", "lambda", "frequency", "freq", "wavenumber", "wn", "energy", "velocity",
    "velo", "time", "mjd", "jd", "finetime", "sampletime", "obt", "x",
)  # fmt: skip
_ORDINATES: Final = ("flux", "intensity", "signal", "counts", "rate", "flux_density", "power", "y")


def numbers_of(table: Table) -> list[str]:
    """Return the names of the columns that hold numbers."""
    columns = (table[name] for name in table.colnames)
    return [column.name for column in columns if column.dtype.kind in "biuf"]


# -- arrays


def draw_array(array: Array, ax: Axes, **style: Any) -> Axes:
    """Draw an array of one axis as a line; see `Array.plot`."""
    block = array.tile[0]
    places, values = _sampled(array, len(array), block, array.dtype.itemsize, ax)
    wcs = array.wcs
    if wcs is not None and wcs.naxis == 1 and not wcs.has_celestial:
        x, name = wcs.pixel_to_world_values(places), spectral_label(wcs, 0)
    else:
        x, name = places, "pixel"
    return _line(ax, x, values, name, label(array.description, array.unit_text), style)


def draw_spectrum_at(array: Array, ax: Axes, *, pixel: tuple[int, int], **style: Any) -> Axes:
    """Draw what a cube holds behind a pixel, (x, y) counted from 0."""
    if array.ndim != 3:
        raise UsageError(f"only a cube has a spectrum at a pixel; this is {array!r}")
    x, y = (int(place) for place in pixel)
    if not (0 <= x < array.shape[2] and 0 <= y < array.shape[1]):
        raise UsageError(f"the pixel ({x}, {y}) is outside of {array.shape[2]} x {array.shape[1]}")
    values = array[:, y, x]
    wcs: Any = array.wcs
    planes = np.arange(array.shape[0])
    axis = spectral_axis(wcs)
    if axis is not None and wcs.naxis == 3:
        world = wcs.pixel_to_world_values(np.full(len(planes), x), np.full(len(planes), y), planes)
        where, name = world[axis], spectral_label(wcs, axis)
    else:
        where, name = planes, "plane"
    ax.set_title(f"pixel ({x}, {y})")
    return _line(ax, where, values, name, label(array.description, array.unit_text), style)


# -- tables


def draw_column(column: Column, ax: Axes, **style: Any) -> Axes:
    """Draw a column against the number of the row."""
    return draw_table(Table(column.source), ax, x="", y=column.name, **style)


def draw_table(
    table: Table,
    ax: Axes,
    *,
    x: str | None = None,
    y: str | Sequence[str] | None = None,
    row: int | None = None,
    **style: Any,
) -> Axes:
    """Draw columns of a table against another; see `Table.plot`."""
    numbers = numbers_of(table)
    if row is None and len(table) > 1:
        # Arrays in cells are drawn where they are asked for.
        numbers = [name for name in numbers if table[name].ndim == 1] or numbers
    if not numbers or not len(table):
        raise UsageError(f"there are no numbers to draw in {table!r}")
    abscissa = _named(table, x) if x is not None else _usual(numbers, _ABSCISSAE)
    if y is None:
        others = [name for name in numbers if name != abscissa]
        ordinates = [_usual(others, _ORDINATES) or (others or numbers)[0]]
        if x is None and not abscissa and len(others) > 1:
            abscissa, ordinates = others[0], [others[1]]
    else:
        ordinates = [_named(table, name) for name in ([y] if isinstance(y, str) else y)]
    columns = {name: table[name] for name in [abscissa, *ordinates] if name}
    for column in columns.values():
        if column.dtype.kind not in "biuf":
            raise UsageError(f"the column {column.name!r} holds no numbers", candidates=numbers)
    places, read = _columns(columns, len(table), row, table.source.block_rows, ax)
    where = read[abscissa] if abscissa else places
    name = _label_of(columns[abscissa]) if abscissa else "row" if row is None else "element"
    for ordinate in ordinates:
        shown = {"label": plain(ordinate), **style} if len(ordinates) > 1 else dict(style)
        _line(ax, where, read[ordinate], name, _label_of(columns[ordinate]), shown)
    if len(ordinates) > 1:
        units = {columns[ordinate].unit_text for ordinate in ordinates}
        ax.set_ylabel(label("", units.pop()) if len(units) == 1 else "")
        ax.legend()
    return ax


def _label_of(column: Column) -> str:
    return label(column.name, column.unit_text)


def _named(table: Table, name: str) -> str:
    return table[name].name if name else ""


def _usual(names: Sequence[str], usual: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in reversed(names)}
    return next((folded[name] for name in usual if name in folded), "")


def _columns(
    columns: dict[str, Column], rows: int, row: int | None, block: int, ax: Axes
) -> tuple[Any, dict[str, Any]]:
    """Return the numbers of the rows, and the values of columns there."""
    if row is None and rows == 1:
        row = 0  # a spectrum as arrays in the cells of one row
    if row is not None:
        cells = {name: np.ravel(column[row]) for name, column in columns.items()}
        lengths = {len(cell) for cell in cells.values()}
        if len(lengths) != 1:
            raise UsageError(f"the cells of row {row} have different lengths: {sorted(lengths)}")
        return np.arange(lengths.pop()), cells
    for column in columns.values():
        if column.ndim != 1:
            raise UsageError(
                f"the column {column.name!r} has arrays in its cells",
                hint="row=0 draws those of the first row",
            )
    width = sum(column.dtype.itemsize for column in columns.values())
    read: dict[str, Any] = {}
    places: Any = np.arange(0)
    for name, column in columns.items():
        places, read[name] = _sampled(column, rows, block, width, ax)
    return places, read


def _sampled(values: Any, length: int, block: int, width: int, ax: Axes) -> tuple[Any, Any]:
    """Return places and values; of what is larger than the budget, every n-th block.

    Between blocks stands a NaN, so that no line is drawn over what was not read.
    """
    blocks = -(-length // block)
    every = -(-length * width // BUDGET)
    if every <= 1 or blocks <= 1:
        return np.arange(length), _floats(values[:])
    places: list[Any] = []
    parts: list[Any] = []
    for number in range(0, blocks, every):
        start, stop = number * block, min(length, (number + 1) * block)
        places += [np.arange(start, stop, dtype=float), [float(stop)]]
        parts += [_floats(values[start:stop]), [np.nan]]
    note = f"1 of {every} blocks of {block:,}"
    if not any(text.get_text() == note for text in ax.texts):
        ax.text(0.99, 0.01, note, transform=ax.transAxes, ha="right", va="bottom", fontsize="small")
    return np.concatenate(places), np.concatenate(parts)


def _floats(values: Any) -> Any:
    """Return values as numbers that can be drawn, NaN where there is none."""
    if np.iscomplexobj(values):
        values = np.abs(values)
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(float), np.nan)
    return values


def _line(ax: Axes, x: Any, y: Any, x_name: str, y_name: str, style: dict[str, Any]) -> Axes:
    steps = np.diff(np.asarray(x, float))
    steps = steps[np.isfinite(steps)]
    ordered = len(steps) > 0 and bool((steps >= 0).all() or (steps <= 0).all())
    look = {"linestyle": "-", "linewidth": 1.0} if ordered else {"linestyle": "", "marker": "."}
    ax.plot(x, y, **{**look, **style})
    ax.set_xlabel(x_name)
    ax.set_ylabel(y_name)
    return ax
