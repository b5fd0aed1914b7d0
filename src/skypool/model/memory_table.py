"""Tables in memory, made of what users give."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from skypool.model.convert import checked_unit, clean_array, foreign_meta
from skypool.model.sources import ColumnInfo, Ndarray, TableSource, TileStatistics
from skypool.model.validate import Problems

__all__ = ["BLOCK_ROWS", "MemoryTable", "table_parts"]

# As in pools: sums of columns do not depend on where values are kept.
BLOCK_ROWS = 32768


class MemoryTable:
    """A `TableSource` over columns in memory, seen read-only.

    Parameters
    ----------
    columns
        What is known of each column, and its values.
    nrows
        Number of rows.
    """

    __slots__ = ("_columns", "nrows")

    block_rows: int = BLOCK_ROWS
    stored: object = None

    def __init__(self, columns: Mapping[str, tuple[ColumnInfo, Ndarray]], nrows: int) -> None:
        self._columns = dict(columns)
        self.nrows = nrows

    @property
    def colnames(self) -> list[str]:
        """Names of the columns."""
        return list(self._columns)

    def token(self) -> object:
        """Return the values themselves, which dask hashes."""
        return self._columns

    def info(self, name: str) -> ColumnInfo:
        """Describe a column."""
        return self._columns[name][0]

    def column_statistics(self, name: str) -> TileStatistics | None:
        """Return None: nothing is known without looking at the values."""
        return None

    def read(self, name: str, start: int, stop: int) -> Ndarray:
        """Return some rows of a column, without copying."""
        return self._columns[name][1][start:stop]


def table_parts(data: Any, problems: Problems) -> tuple[TableSource, Any]:
    """Return the source and the metadata of a table of any sort.

    Parameters
    ----------
    data
        As `skypool.Table` takes it.
    problems
        Takes what cannot be kept.
    """
    if isinstance(getattr(data, "source", None), TableSource):  # another Table of ours
        return data.source, data.meta
    if isinstance(data, TableSource):
        return data, None
    meta = None
    columns: dict[str, Any]
    if hasattr(data, "colnames") and hasattr(data, "meta"):  # astropy
        meta = foreign_meta(data.meta)
        columns = {name: data[name] for name in data.colnames}
    elif isinstance(data, np.ndarray) and data.dtype.names:
        columns = {name: data[name] for name in data.dtype.names}
    elif isinstance(data, Mapping):
        columns = dict(data)
    elif hasattr(data, "columns") and hasattr(data, "to_numpy"):  # pandas
        columns = {str(name): _from_pandas(data[name]) for name in data.columns}
    else:
        problems.add(
            f"a {type(data).__name__} is no table; give an astropy Table, a mapping of names "
            "to columns, a structured array or a data frame",
            "value",
        )
        columns = {}
    return _memory_table(columns, problems), meta


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _from_pandas(series: Any) -> Any:
    values = series.to_numpy()
    if values.dtype.kind != "O":
        return values
    missing = series.isna().to_numpy()
    return np.ma.MaskedArray(values, mask=missing) if missing.any() else values


def _memory_table(columns: Mapping[str, Any], problems: Problems) -> MemoryTable:
    made: dict[str, tuple[ColumnInfo, Ndarray]] = {}
    for name, data in columns.items():
        if not _is_name(name):
            problems.add(f"the name of a column is text, not {name!r}", "name")
            continue
        made[name] = _column(name, data, problems.at(name))
    lengths = {name: len(values) for name, (_, values) in made.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        problems.add(f"the columns differ in length ({listed})", "shape")
        shortest = min(lengths.values())
        made = {name: (info, values[:shortest]) for name, (info, values) in made.items()}
    return MemoryTable(made, min(lengths.values(), default=0))


def _column(name: str, data: Any, problems: Problems) -> tuple[ColumnInfo, Ndarray]:
    values, missing = _split_mask(_plain_column(data, problems))
    info = ColumnInfo(
        name,
        values.dtype,
        unit=checked_unit(_unit_of(data), problems),
        description=str(_attribute(data, "description") or ""),
    )
    if values.ndim == 0:
        problems.add("a column needs one value for each row", "shape")
        values = values.reshape(1)
    if values.dtype.kind == "O":
        info, values = _objects(info, values, missing, problems)
        if info.element is not None:
            return info, values
    if values.dtype.kind in "US":
        values = _texts(values, problems)
    else:
        values = clean_array(values, problems)
    if missing is not None:
        info, values = _with_null(info, values, missing, problems)
    values.flags.writeable = False
    return replace(info, dtype=values.dtype, shape=values.shape[1:]), values


def _attribute(data: Any, name: str) -> Any:
    found = getattr(data, name, None)
    if found is None or callable(found):
        found = getattr(getattr(data, "info", None), name, None)
    return None if callable(found) else found


def _unit_of(data: Any) -> Any:
    # Units of magnitudes are callable: u.mag(u.AB).
    for owner in (data, getattr(data, "info", None)):
        unit = getattr(owner, "unit", None)
        if isinstance(unit, str) or hasattr(unit, "to_string"):
            return unit
    return None


def _plain_column(data: Any, problems: Problems) -> Any:
    """Return a column as array or masked array."""
    times = sys.modules.get("astropy.time")
    if times is not None and isinstance(data, times.Time):
        # FITS 4.0 section 9.1.1; nanoseconds, UTC. Its own scale would need six keywords.
        text = np.asarray(times.Time(data.utc, format="isot", precision=9).value)
        return np.ma.MaskedArray(text, mask=data.mask) if np.any(data.mask) else text
    coordinates = sys.modules.get("astropy.coordinates")
    if coordinates is not None and isinstance(data, coordinates.SkyCoord):
        problems.add("a column of coordinates cannot be kept; give two columns of degrees", "dtype")
        return np.zeros(len(data))
    module = sys.modules.get("astropy.utils.masked")
    if module is not None and isinstance(data, module.Masked):
        return np.ma.MaskedArray(np.asarray(data.unmasked), mask=np.asarray(data.mask))
    if isinstance(data, np.ma.MaskedArray):
        return np.ma.MaskedArray(data.data, mask=np.ma.getmaskarray(data))
    try:
        values = np.asarray(data)
    except ValueError:  # lists of different lengths
        values = np.empty(len(data), dtype=object)
        values[:] = [np.asarray(cell) for cell in data]
    if values.dtype.kind == "M":
        text = np.datetime_as_string(values, unit="ns")
        return np.ma.MaskedArray(text, mask=np.isnat(values)) if np.isnat(values).any() else text
    if values.dtype.kind == "T":  # numpy's text of variable width
        return values.astype(str)
    return values


def _split_mask(values: Any) -> tuple[Ndarray, Ndarray | None]:
    if not isinstance(values, np.ma.MaskedArray):
        return values, None
    mask = np.ma.getmaskarray(values)
    return np.asarray(values.data), mask if mask.any() else None


def _with_null(
    info: ColumnInfo, values: Ndarray, missing: Ndarray, problems: Problems
) -> tuple[ColumnInfo, Ndarray]:
    """Put a value that means "none" where values are missing (FITS has no masks).

    That is NaN, an empty text, or an integer that does not occur (TNULL, FITS 4.0
    section 7.3.2).
    """
    values = values.copy()
    kind = values.dtype.kind
    null: int | float | str
    if kind in "fc":
        null = float("nan")
    elif kind == "U":
        null = ""
    elif kind in "iu":
        found = _unused(values[~missing], values.dtype)
        if found is None:
            problems.add("all integers of its type occur, so none can mean 'missing'", "mask")
            found = 0
        null = found
    else:
        problems.add(
            "truth values cannot be missing in FITS; use .filled(False) or integers", "mask"
        )
        null = 0
    values[missing] = null
    return replace(info, null=null if kind != "b" else None), values


def _unused(values: Ndarray, dtype: np.dtype[Any]) -> int | None:
    """Return an integer of the type that does not occur, the extreme ones first."""
    limits = np.iinfo(dtype)
    first = (limits.max, limits.min) if dtype.kind == "u" else (limits.min, limits.max)
    for candidate in first:
        if not (values == candidate).any():
            return int(candidate)
    used = np.unique(values)
    gaps = np.flatnonzero(np.diff(used.astype(object)) > 1)
    return int(used[gaps[0]]) + 1 if gaps.size else None


def _texts(values: Ndarray, problems: Problems) -> Ndarray:
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            problems.add("bytes that are no UTF-8 text; give integers (uint8) instead", "dtype")
            return np.zeros(values.shape, "U1")
    if any("\ud800" <= character <= "\udfff" for character in _letters(values)):
        problems.add("text with lone surrogates is no Unicode text", "value")
        return np.zeros(values.shape, "U1")
    # FITS does not tell blanks at the end of a text from fill (section 7.3.3.1).
    stripped = np.strings.rstrip(values, " ")
    return np.array(stripped, dtype=values.dtype.newbyteorder("="), order="C", copy=True)


def _letters(values: Ndarray) -> list[str]:
    """Return the characters beyond ASCII of all cells."""
    codes = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="))).view("=u4")
    return [chr(code) for code in np.unique(codes[codes > 127]).tolist()]


def _objects(
    info: ColumnInfo, values: Ndarray, missing: Ndarray | None, problems: Problems
) -> tuple[ColumnInfo, Ndarray]:
    """Return a column of objects as text, numbers, or arrays of different lengths."""
    present = values if missing is None else values[~missing]
    if all(isinstance(cell, str | bytes) for cell in present.flat):
        filled = np.where(missing, "", values) if missing is not None else values
        return info, np.array([_decoded(cell) for cell in filled.flat], dtype=str).reshape(
            values.shape
        )
    if values.ndim == 1 and all(isinstance(cell, np.ndarray | list | tuple) for cell in present):
        return _ragged(info, values, missing, problems)
    if all(isinstance(cell, bool | int | float | complex | np.generic) for cell in present.flat):
        filled = np.where(missing, present.flat[0], values) if missing is not None else values
        return info, np.array(filled.tolist())
    sorts = sorted({type(cell).__name__ for cell in present.flat})
    problems.add(
        f"objects of type {', '.join(sorts)} cannot be kept; give numbers, text or arrays", "dtype"
    )
    return info, np.zeros(values.shape, np.uint8)


def _decoded(cell: str | bytes) -> str:
    # What is no UTF-8 becomes lone surrogates, which are refused where text is checked.
    return cell.decode("utf-8", "surrogateescape") if isinstance(cell, bytes) else cell


def _ragged(
    info: ColumnInfo, values: Ndarray, missing: Ndarray | None, problems: Problems
) -> tuple[ColumnInfo, Ndarray]:
    if missing is not None:
        problems.add("cells with arrays cannot be missing; give empty arrays", "mask")
    cells = [np.asarray(cell) for cell in values]
    # Empty arrays have no say: lists without elements are float64 for numpy.
    filled = [cell.dtype for cell in cells if cell.size]
    element = np.result_type(*filled) if filled else np.dtype(float)
    if any(cell.ndim != 1 for cell in cells):
        problems.add("arrays in cells have one axis; flatten them", "shape")
    made = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        flat = np.ravel(cell)
        # Nothing is lost of what has no elements.
        flat = flat.astype(element) if flat.size else np.zeros(0, element)
        made[place] = clean_array(flat, problems)
        if problems.found:
            break
    made.flags.writeable = False
    return replace(info, dtype=np.dtype(object), element=element.newbyteorder("=")), made
