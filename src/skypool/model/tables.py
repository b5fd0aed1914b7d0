"""Tables, and their columns, read only where they are looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.errors import UsageError
from skypool.model.conditions import Range, RowCondition, compile_condition
from skypool.model.convert import checked_meta
from skypool.model.duck import Duck
from skypool.model.holes import filled
from skypool.model.immutable import Immutable
from skypool.model.indexing import select
from skypool.model.memory_table import table_parts
from skypool.model.metadata import MetaData
from skypool.model.names import find_name, missing_name
from skypool.model.optional import part
from skypool.model.reductions import Reducible, blocks
from skypool.model.rows import TakenRows
from skypool.model.sources import ColumnInfo, Ndarray, TableSource, TileStatistics, content_token
from skypool.model.table_conversions import TableConversions
from skypool.model.units import parse_unit
from skypool.model.validate import Problems

if TYPE_CHECKING:
    from dask.array import Array as DaskArray
    from matplotlib.axes import Axes

__all__ = ["Column", "Table"]


class Column(Duck, Reducible, Immutable):
    """One column of a table; its values are read when they are asked for.

    Slicing and `numpy.asarray` give read-only numpy arrays of shape (rows, *cell). Where
    values are missing, slices are masked arrays; `numpy.asarray`, which knows no masks, has
    NaN or an empty text there.
    """

    __slots__ = ("_source", "info")

    _advice = "change a copy of the table and use product.replace(datasets={name: copy})"

    _source: TableSource
    info: ColumnInfo

    def __init__(self, source: TableSource, name: str) -> None:
        self._set(_source=source, info=source.info(name))

    def __dask_tokenize__(self) -> object:
        return "skypool.Column", content_token(self._source), self.name

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def unit(self) -> Any:
        """The unit: an `astropy.units` object where astropy reads the text, else the text.

        None where there is none.
        """
        return parse_unit(self.info.unit)

    @property
    def unit_text(self) -> str:
        """The unit as text; empty where there is none."""
        return self.info.unit

    @property
    def description(self) -> str:
        """What it is."""
        return self.info.description

    @property
    def source(self) -> TableSource:
        """Where the values come from, with those of all columns of the table."""
        return self._source

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the values against the number of the row; see `Table.plot`."""
        return part("plot", extra="plot")(self, ax, **style)  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; `object` where cells have arrays of different lengths."""
        return self.info.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, then the shape of a cell."""
        return (self._source.nrows, *self.info.shape)

    @property
    def ndim(self) -> int:
        """Number of axes, the rows included."""
        return 1 + len(self.info.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self._source.nrows

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    def __getitem__(self, index: Any) -> Any:
        selection = select(index, self.shape)
        if selection is None:
            return _frozen(self._taken(index))
        values = masked(self._part(selection.slices), self.info)
        return _frozen(values if selection.trivial else values[selection.then])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Ndarray:
        whole = masked(self._rows(0, len(self)), self.info)
        values = filled(whole, self.name, wanted=None if dtype is None else np.dtype(dtype))
        if copy:
            return np.array(values, dtype=dtype, copy=True)
        if dtype is not None and np.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError(f"values of type {values.dtype} need a copy to become {dtype}")
            values = values.astype(dtype)
        frozen: Ndarray = _frozen(values)
        return frozen

    def to_dask(self, chunks: Any = None) -> DaskArray:
        """Return a `dask.array.Array` over blocks of rows; needs `skypool[dask]`.

        Its blocks are masked arrays where values are missing.
        """
        from skypool.model.bridges.dask_arrays import LazyColumn, build_dask

        tile = (self._source.block_rows, *self.info.shape)
        made: DaskArray = build_dask(LazyColumn(self._source, self.name), tile, chunks)
        return made

    to_dask_array = to_dask

    def _taken(self, index: Any) -> Any:
        """Return what an index with arrays in it takes; of rows, from the blocks they are in."""
        rows = np.asarray(index) if isinstance(index, list | np.ndarray) else np.empty(())
        mask = rows.dtype == np.bool_
        if rows.ndim == 1 and (rows.size == len(self) if mask else rows.dtype.kind in "iu"):
            source = TakenRows.of(self._source, np.flatnonzero(rows) if mask else rows)
            return masked(source.read(self.name, 0, source.nrows), self.info)
        return masked(self._rows(0, len(self)), self.info)[index]

    def _part(self, index: tuple[slice, ...]) -> Ndarray:
        rows, *inner = index
        return self._rows(rows.start, rows.stop)[(slice(None, None, rows.step), *inner)]

    def _numpy(self) -> Ndarray:
        values: Ndarray = self[:]
        return values

    def _along(self, name: str, axis: int | tuple[int, ...]) -> Ndarray:
        from skypool.model.along import along

        def read(place: tuple[slice, ...]) -> Ndarray:
            values = masked(self._part(place), self.info)
            if isinstance(values, np.ma.MaskedArray) or self.info.element is not None:
                raise UsageError(
                    f"column {self.name!r} has missing values or cells of different lengths: "
                    f"there is no {name} along an axis",
                    hint="use the functions of numpy.ma on column[:]",
                )
            return values

        tile = (self._source.block_rows, *self.info.shape)
        return along(name, axis, self.shape, self._reduced_dtype(), tile, read)

    def _rows(self, start: int, stop: int) -> Ndarray:
        return self._source.read(self.name, start, stop)

    def _tiles(self) -> Iterator[Ndarray]:
        for start, stop in blocks(0, len(self), self._source.block_rows):
            values = masked(self._rows(start, stop), self.info)
            if self.info.element is None:
                yield values
            elif len(values):
                yield np.concatenate([np.ravel(cell) for cell in values])

    def _statistics(self) -> TileStatistics | None:
        known, null = self._source.column_statistics(self.name), self.info.null
        if known is None or null is None or isinstance(null, str) or null != null:
            return known
        # What stands in for missing values is counted as a value there, where there is any.
        within = (np.asarray(known.minima) <= null) & (null <= np.asarray(known.maxima))
        return None if within.any() else known

    def _reduced_dtype(self) -> np.dtype[Any]:
        return self.info.dtype if self.info.element is None else self.info.element

    def __repr__(self) -> str:
        unit = f", unit={self.unit_text!r}" if self.unit_text else ""
        return f"Column({self.name!r}, shape={self.shape}, dtype={self.dtype}{unit})"


def masked(values: Ndarray, info: ColumnInfo) -> Ndarray:
    """Return values, as a masked array if some of them mean that there is none."""
    if info.null is None or isinstance(values, np.ma.MaskedArray):
        return values
    missing = values == info.null
    if isinstance(info.null, float):
        # NaN, which alone differs from itself, is found by no comparison.
        missing |= values != values
    return np.ma.MaskedArray(values, mask=missing) if missing.any() else values


def _frozen(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.flags.writeable:
        values = values.view()
        values.flags.writeable = False
    return values


class Table(TableConversions, Immutable):
    """Immutable table of named columns with units, and metadata.

    `table["flux"]` is a column, `table[["flux", "error"]]` a table of these columns,
    `table[5:10]` one of these rows, `table[5]` a dictionary. What is not asked for is
    not read.

    Parameters
    ----------
    data
        `astropy.table.Table`, mapping of names to columns, structured array, pandas
        data frame, or a `TableSource`.
    meta
        Metadata of its own; by default that of the data.
    description
        What it is.

    Raises
    ------
    InvalidProduct
        With everything in it that cannot be kept.

    Examples
    --------
    >>> table = Table({"energy": energies * u.eV, "grade": grades})
    >>> table["energy"].max(), table.where("energy > 2000 and grade == 0")
    """

    __slots__ = ("_names", "_source", "description", "meta")

    _advice = "change a copy (dataset.to_astropy()) and use product.replace(datasets={name: copy})"

    _source: TableSource
    _names: tuple[str, ...]
    meta: MetaData
    description: str

    def __init__(
        self, data: Any, meta: Mapping[str, Any] | None = None, description: str = ""
    ) -> None:
        problems = Problems()
        source, own_meta = table_parts(data, problems)
        self._set(
            _source=source,
            _names=tuple(source.colnames),
            meta=checked_meta(own_meta if meta is None else meta, problems),
            description=str(description or ""),
        )
        problems.raise_all()

    def __dask_tokenize__(self) -> object:
        return "skypool.Table", content_token(self._source), self._names

    def _like(self, source: TableSource, names: Sequence[str]) -> Table:
        made = Table.__new__(Table)
        made._set(_source=source, _names=tuple(names), meta=self.meta, description=self.description)
        return made

    @property
    def source(self) -> TableSource:
        """Where the values come from; it may have more columns than the table."""
        return self._source

    @property
    def colnames(self) -> list[str]:
        """Names of the columns in order."""
        return list(self._names)

    @property
    def nrows(self) -> int:
        """Number of rows."""
        return self._source.nrows

    def __len__(self) -> int:
        return self._source.nrows

    def __bool__(self) -> bool:
        return True  # an empty table is still a dataset

    def __contains__(self, name: object) -> bool:
        return find_name(dict.fromkeys(self._names), name) is not None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start, stop in blocks(0, len(self), self._source.block_rows):
            columns = [self._block(name, start, stop) for name in self._names]
            for place in range(stop - start):
                yield {
                    name: _cell(values, place)
                    for name, values in zip(self._names, columns, strict=True)
                }

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, str):
            return Column(self._source, self._name(item))
        if isinstance(item, list | tuple) and item and all(isinstance(n, str) for n in item):
            return self._like(self._source, [self._name(name) for name in item])
        if isinstance(item, slice):
            wanted = range(*item.indices(len(self)))
            return self._like(TakenRows.of_range(self._source, wanted), self._names)
        if np.ndim(item):
            rows = np.asarray(item)
            if rows.dtype == bool and rows.shape != (len(self),):
                raise IndexError(f"a mask of shape {rows.shape} does not fit {len(self)} rows")
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.intp)
            return self._like(TakenRows.of(self._source, rows), self._names)
        return self._row(item)

    def _row(self, item: Any) -> dict[str, Any]:
        place = range(len(self))[item]
        return {name: _cell(self._block(name, place, place + 1), 0) for name in self._names}

    def _name(self, wanted: str) -> str:
        found = find_name(dict.fromkeys(self._names), wanted)
        if found is None:
            raise missing_name("column", self._names, wanted)
        return found

    def where(
        self, condition: str | Callable[[Table], Any], values: Mapping[str, Any] | None = None
    ) -> Table:
        """Return the rows that match, as a table that reads only these.

        Parameters
        ----------
        condition
            Text such as `energy > 2000 and grade in [0, 1]`, in the query language, or
            a function that takes a block of the table and gives one truth value a row.
        values
            Values of the `$names` in the text.

        Raises
        ------
        QueryError
            If the text cannot be understood.
        """
        compiled = None if callable(condition) else self._compile(condition, values or {})
        found = []
        for start, stop in blocks(0, len(self), self._source.block_rows):
            if compiled is None:
                answer: Any = condition(self[start:stop])  # type: ignore[operator]
                matching = np.asarray(answer).astype(bool)
                if matching.shape != (stop - start,):
                    raise UsageError(
                        f"the condition gave shape {matching.shape} for {stop - start} rows"
                    )
            elif not compiled.possible(self._ranges(compiled, start)):
                continue
            else:
                read = {name: self._block(name, start, stop) for name in compiled.columns}
                matching = compiled.matches(read)
            found.append(start + np.flatnonzero(matching))
        rows = np.concatenate(found) if found else np.empty(0, np.intp)
        return self._like(TakenRows.of(self._source, rows), self._names)

    def _block(self, name: str, start: int, stop: int) -> Ndarray:
        return masked(self._source.read(name, start, stop), self._source.info(name))

    def _compile(self, condition: str, values: Mapping[str, Any]) -> RowCondition:
        units = {name: self._source.info(name).unit for name in self._names}
        known = {name: unit for name, unit in units.items() if unit}
        return compile_condition(condition, self.colnames, values, known)

    def _ranges(self, condition: RowCondition, start: int) -> dict[str, Range]:
        found: dict[str, Range] = {}
        for name in condition.columns:
            known = self._source.column_statistics(name)
            if known is None:
                continue
            place = start // self._source.block_rows
            counts = known.counts[place]
            filled = int(counts[0]) + int(counts[2]) + int(counts[3])
            found[name] = (known.minima[place], known.maxima[place]) if filled else None
        return found

    def __repr__(self) -> str:
        shown = ", ".join(self._names[:8])
        more = f", ... ({len(self._names)})" if len(self._names) > 8 else ""
        return f"Table({len(self)} rows: {shown}{more})"

    def _repr_html_(self) -> str:
        from skypool.model.display import table_html

        return table_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        from skypool.model.display import completions

        return completions(self._names)


def _cell(values: Ndarray, place: int) -> Any:
    return _frozen(values[place])
