"""CASA tables through casa-formats-io, which reads from a folder of real files."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.formats.parsing import CONTENT_ERRORS, NotUnderstood, optional_import

if TYPE_CHECKING:
    from skypool.codec.sinks import ByteSource

__all__ = ["CasaColumn", "CasaTable", "open_casa"]

Values = np.ndarray[Any, Any]
_STEP = 1024**2
# The package reads whole files of a table; larger tables stay untyped.
SIZE_LIMIT = 1024**3


@dataclass(frozen=True, slots=True)
class CasaColumn:
    """What the description says of a column."""

    name: str
    comment: str
    unit: str


class CasaTable:
    """An open table.

    Attributes
    ----------
    keywords : dict
        Scalars, records and the names of subtables.
    columns : list of CasaColumn
    managers : list
        The package's storage managers.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self.keywords: dict[str, Any] = _plain(table.desc.keywords.values)
        self.coordinates: Any = table.desc.keywords.values.get("coords")
        self.managers = list(table.column_set.data_managers.values())
        self.columns = [
            CasaColumn(column.name, column.comment, _unit(column.keywords.values))
            for column in table.desc.column_description
        ]

    def column(self, name: str) -> Values:
        """Return all values of a column.

        Raises
        ------
        NotUnderstood
            If the package does not read it.
        """
        with _casa_errors(f"column {name!r}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = self._table.as_astropy_table(include_columns=[name])
            if isinstance(made, list) or name not in made.colnames:
                raise NotUnderstood(f"column {name!r} is not read")
            values = np.asarray(made[name])
        if values.dtype.kind == "S":
            return np.char.decode(values, "utf-8", "replace")
        if values.dtype.kind not in "biufcU":
            raise NotUnderstood(f"column {name!r} has cells of different shapes")
        native: Values = values.astype(values.dtype.newbyteorder("="), copy=False)
        return native


def _unit(keywords: Mapping[str, Any]) -> str:
    units = keywords.get("QuantumUnits", keywords.get("UNIT", ""))
    listed = [str(unit) for unit in np.asarray(units).reshape(-1)]
    return listed[0] if listed and len(set(listed)) == 1 else ""


def _plain(value: Any) -> Any:
    """Return keywords without the place where the files happen to be."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("Table: "):
        return "Table: " + value.rpartition("/")[2]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@contextmanager
def _casa_errors(what: str) -> Iterator[None]:
    try:
        yield
    except CONTENT_ERRORS as error:
        line = (str(error).splitlines() or [""])[0][:200]
        raise NotUnderstood(f"{what} cannot be read: {type(error).__name__}: {line}") from error


@contextmanager
def open_casa(files: Mapping[str, ByteSource], folder: str) -> Iterator[CasaTable]:
    """Open the table of a folder.

    Parameters
    ----------
    files
        The product's files by relative path.
    folder
        Of the table, relative to the product's; empty for its own.

    Raises
    ------
    NotUnderstood
        If it is not a table that the package reads.
    MissingDependency
        If the package is not installed.
    """

    def load() -> Any:
        from casa_formats_io.casa_low_level_io import table

        return table

    package = optional_import(load, "casa")
    prefix = folder + "/" if folder else ""
    names = [
        path
        for path in files
        if path.startswith(prefix + "table.") and "/" not in path[len(prefix) :]
    ]
    sizes = sum(files[path].size for path in names if not _pixels(path))
    if sizes > SIZE_LIMIT:
        raise NotUnderstood(f"a table of more than {SIZE_LIMIT // 1024**2} MiB")
    with tempfile.TemporaryDirectory(prefix="skypool-") as place:
        for path in names:
            # Tiles may be many gigabytes: those of images are read without the package, and
            # columns in them are left out.
            if not _pixels(path) or files[path].size <= SIZE_LIMIT // 4:
                _copy(files[path], Path(place) / path[len(prefix) :])
        with _casa_errors("the table"):
            table = CasaTable(package.CASATable.read(place))
        yield table


def _pixels(path: str) -> bool:
    return "_TSM" in path


def _copy(source: ByteSource, path: Path) -> None:
    with path.open("wb") as file:
        for offset in range(0, source.size, _STEP):
            file.write(source.pread(offset, _STEP))
