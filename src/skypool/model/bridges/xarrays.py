"""Datasets as xarray's, read where they are looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import UsageError
from skypool.model.arrays import Array
from skypool.model.bridges.axes import Axes, axes_of
from skypool.model.composite import Composite
from skypool.model.holes import filled
from skypool.model.metadata import MetaData
from skypool.model.nddata import plain_meta
from skypool.model.optional import package
from skypool.model.sources import Ndarray, content_token
from skypool.model.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from skypool.model.product import Product

__all__ = ["build_array", "build_dataset", "build_groups"]


def build_array(array: Array, name: str | None = None, *, coordinates: bool = True) -> Any:
    """Return an array as `xarray.DataArray`."""
    xarray = package("xarray", extra="xarray")
    axes = axes_of(array.shape, array.wcs if coordinates else None)
    if not coordinates:
        axes = Axes(axes_of(array.shape, array.wcs).names)
    variable = _variable(array, axes.names)
    made = xarray.DataArray(variable, coords=_coords(axes), name=name, attrs=_attrs(array))
    made.encoding = variable.encoding
    return made


def build_dataset(datasets: Any, meta: MetaData, group: str = "", coordinates: bool = True) -> Any:
    """Return the arrays of a product, or one of its groups, as `xarray.Dataset`.

    Parameters
    ----------
    datasets
        Of the product, or a table.
    meta
        Of what they are in.
    group
        A table or a composite among them.
    coordinates
        Whether there are coordinates besides the names of the axes.

    Raises
    ------
    UsageError
        If there is nothing that xarray can hold.
    """
    if group:
        chosen = datasets[group]
        if isinstance(chosen, Array):
            raise UsageError(f"{group!r} is an array, not a table or composite")
        return build_dataset(chosen, chosen.meta, "", coordinates)
    if isinstance(datasets, Table):
        return _table(datasets)
    arrays = {name: part for name, part in datasets.items() if isinstance(part, Array)}
    groups = [name for name, part in datasets.items() if isinstance(part, Table | Composite)]
    if not arrays and len(groups) == 1:
        return build_dataset(datasets[groups[0]], meta, "", coordinates)
    if not arrays and groups:
        raise UsageError(
            f"there is no array here; tables and composites are groups: {', '.join(groups)}",
            hint=f"group={groups[0]!r} opens one",
        )
    return _arrays(arrays, meta, coordinates)


def build_groups(product: Product, *, coordinates: bool = True) -> dict[str, Any]:
    """Return the arrays of a product, and each of its tables and composites, by path.

    Names of axes differ where one group is inside another, as `xarray.DataTree` wants it.
    """
    found: dict[str, Any] = {}

    def add(path: str, datasets: Any, meta: MetaData, taken: frozenset[str]) -> None:
        if isinstance(datasets, Table):
            found[path] = _table(datasets)
            return
        arrays = {name: part for name, part in datasets.items() if isinstance(part, Array)}
        made = found[path or "/"] = _arrays(arrays, meta, coordinates, taken)
        for name, part in datasets.items():
            if isinstance(part, Table | Composite):
                add(f"{path}/{name}", part, part.meta, taken | {str(dim) for dim in made.dims})

    add("", product.datasets, product.meta, frozenset())
    return found


def _arrays(
    arrays: Mapping[str, Array],
    meta: MetaData,
    coordinates: bool,
    above: frozenset[str] = frozenset(),
) -> Any:
    xarray = package("xarray", extra="xarray")
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    frames: list[tuple[Array, Axes]] = []
    for name, array in arrays.items():
        axes = next((known for other, known in frames if _same_frame(other, array)), None)
        if axes is None:
            axes = axes_of(array.shape, array.wcs)
            # An axis of the name of an array would be taken for its coordinate.
            taken = {n for _, known in frames for n in known.names} | above | set(arrays)
            while taken & set(axes.names):
                axes = _renamed(axes, name)
            frames.append((array, axes))
            if coordinates:
                coords.update(_coords(axes))
        variables[name] = _variable(array, axes.names)
        variables[name].attrs = _attrs(array)
    coords = {name: found for name, found in coords.items() if name not in variables}
    return xarray.Dataset(variables, coords=coords, attrs=plain_meta(meta))


def _same_frame(one: Array, other: Array) -> bool:
    """Say whether pixels of two arrays lie on each other, as far as their headers say."""
    if one.shape != other.shape:
        return False
    mine, theirs = one.wcs, other.wcs
    if mine is None or theirs is None:
        return theirs is None
    # Dates and the like may differ.
    return bool(mine.wcs.compare(theirs.wcs, cmp=0x1, tolerance=1e-9))


def _renamed(axes: Axes, name: str) -> Axes:
    new = {old: f"{name}_{old}" for old in axes.names}
    return Axes(
        tuple(new.values()),
        {new[old]: found for old, found in axes.along.items()},
        {
            f"{name}_{old}": ((new[dims[0]], new[dims[1]]), world, unit)
            for old, (dims, world, unit) in axes.sky.items()
        },
        axes.attrs,
    )


def _attrs(dataset: Any) -> dict[str, Any]:
    attrs = plain_meta(dataset.meta)
    if dataset.unit_text:
        attrs["units"] = dataset.unit_text
    if dataset.description:
        attrs["long_name"] = dataset.description
    return attrs


def _coords(axes: Axes) -> dict[str, Any]:
    xarray = package("xarray", extra="xarray")
    made: dict[str, Any] = {}
    for name, (values, unit) in axes.along.items():
        made[name] = xarray.Variable((name,), values, attrs={"units": unit} if unit else {})
    for name, (dims, world, unit) in axes.sky.items():
        lazy = _lazy(world.shape, world.dtype, world.shape, world.read, world.token())
        attrs = {"units": unit} | {k: v for k, v in axes.attrs.items() if k == "frame"}
        made[name] = xarray.Variable(dims, lazy, attrs=attrs)
    return made


def _variable(array: Array, dims: tuple[str, ...]) -> Any:
    xarray = package("xarray", extra="xarray")
    source = array.source
    lazy = _lazy(array.shape, array.dtype, array.tile, source.read, content_token(source))
    encoding = {"preferred_chunks": dict(zip(dims, array.tile, strict=True))}
    return xarray.Variable(dims, lazy, encoding=encoding)


def _lazy(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    tile: tuple[int, ...],
    read: Callable[[tuple[slice, ...]], Ndarray],
    token: object,
) -> Any:
    from skypool.model.bridges.xarray_values import Values

    indexing = package("xarray.core.indexing", extra="xarray")
    values = Values(shape, dtype, tile, read, token)
    # Who writes into it writes into a copy in memory.
    return indexing.CopyOnWriteArray(indexing.LazilyIndexedArray(values))


def _table(table: Table) -> Any:
    xarray = package("xarray", extra="xarray")
    variables = {}
    row = "row" if "row" not in table.colnames else "table_row"
    for name in table.colnames:
        column = table[name]
        if column.info.element is not None:
            continue  # arrays of different lengths have no axis
        dims = (row, *(f"{name}_{n}" for n in range(1, column.ndim)))
        dtype = np.dtype(np.float64) if _needs_nan(column) else column.dtype
        tile = (table.source.block_rows, *column.shape[1:])
        token = content_token(table.source), name
        lazy = _lazy(column.shape, dtype, tile, _Filled(column).read, token)
        attrs = {"units": column.unit_text, "long_name": column.description}
        variables[name] = xarray.Variable(
            dims,
            lazy,
            attrs={key: text for key, text in attrs.items() if text},
            encoding={"preferred_chunks": {row: table.source.block_rows}},
        )
    return xarray.Dataset(variables, attrs=plain_meta(table.meta))


def _needs_nan(column: Column) -> bool:
    """Say whether values may be missing that are no floating point numbers."""
    if column.dtype.kind not in "iub":
        return False
    if column.info.null is None and column.source.stored is not None:
        return False  # as in FITS: nothing is missing without `null`
    known = column._statistics()
    if known is None:  # or it counts what stands in for missing values
        return column.info.null is not None
    return int(known.counts[:, 0].sum()) < math.prod(column.shape)


class _Filled:
    """Reads a column for xarray."""

    def __init__(self, column: Column) -> None:
        self._column = column

    def read(self, index: tuple[slice, ...]) -> Ndarray:
        """Return values: NaN, not a time or an empty text where one is missing."""
        column = self._column
        return filled(column[index], column.name, as_float=_needs_nan(column))
