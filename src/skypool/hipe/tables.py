"""Tables of columns with units, which change in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from skypool.errors import UsageError
from skypool.hipe.arrays import HeldValues
from skypool.hipe.bean import Bean
from skypool.hipe.containers import JavaList
from skypool.hipe.dataset import Dataset, Held
from skypool.model.memory_table import MemoryTable
from skypool.model.names import find_name, missing_name
from skypool.model.sources import ColumnInfo
from skypool.model.tables import Column as CoreColumn
from skypool.model.tables import Table
from skypool.model.units import unit_text

__all__ = ["Column", "TableDataset"]


class Column(HeldValues, Bean):
    """A column: values with unit and description.

    Parameters
    ----------
    data
        A numeric array of HIPE, a numpy array, a list of numbers or texts, a `Quantity`.
    unit
        Text or an `astropy.units` object.
    description
        What it is.
    """

    def __init__(self, data: Any = None, unit: Any = None, description: str = "") -> None:
        self._core: CoreColumn | None = None
        if unit is None:
            unit = getattr(data, "unit", None)
        self._unit = unit_text(unit, dimensionless="1")
        self._description = str(description or "")
        self._held = Held()
        if data is not None:
            self._held.put(getattr(data, "data", data) if isinstance(data, Column) else data)

    @classmethod
    def of_core(cls, core: CoreColumn) -> Column:
        """Wrap a column of skypool; its values are read when they are asked for."""
        made = cls.__new__(cls)
        made._core, made._held = core, Held(core)
        made._unit, made._description = core.unit_text, core.description
        return made

    @property
    def description(self) -> str:
        """What it is."""
        return self._description

    @description.setter
    def description(self, text: str) -> None:
        self._description = str(text or "")

    def _live(self) -> Any:
        if self._held.read or self._core is None:
            return self._held.plain() if self._held.read else np.empty(0)
        return self._core

    def _reducible(self) -> Any:
        live = self._live()
        return live if isinstance(live, CoreColumn) else Table({"x": live})["x"]

    def adopt(self, core: CoreColumn) -> None:
        """Take what was saved for what was loaded."""
        self._core = core
        self._held.adopt(core)

    @property
    def changed(self) -> bool:
        """Whether it is not what was loaded."""
        core = self._core
        if core is None or not self._held.unchanged():
            return True
        return (self._unit, self._description) != (core.unit_text, core.description)

    def part(self, name: str) -> tuple[ColumnInfo, Any]:
        """Return what is known of it, and its values, as skypool keeps them."""
        core = self._core
        given = Table({name: self}).source
        info, values = given.info(name), given.read(name, 0, given.nrows)
        if self._held.read:
            values = values.copy()  # what is kept must not change any more
        if core is not None and core.info.null is not None and core.dtype == info.dtype:
            info = replace(info, null=core.info.null)
        return info, values

    def copy(self) -> Column:
        """Return a column of its own."""
        return Column(np.array(self._held.plain()), self.unit, self._description)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        values = self._held.to_keep() if self._held.read else np.asarray(self._live())
        values = values.view()
        if copy or (dtype is not None and np.dtype(dtype) != values.dtype):
            return np.array(values, dtype=dtype)
        values.flags.writeable = False
        return values


class TableDataset(Dataset):
    """Columns of the same length, in their order.

    Parameters
    ----------
    description
        What it is; or a table of skypool or astropy, whose columns are taken.
    """

    def __init__(self, description: Any = "") -> None:
        given = description if hasattr(description, "colnames") else None
        super().__init__("" if given is not None else description)
        self._columns: dict[str, Column | None] = {}
        if given is not None:
            made = TableDataset.of_core(given if isinstance(given, Table) else Table(given))
            self._columns = {name: made[name].copy() for name in made.columnNames}
            self._meta = made.meta.copy()

    @classmethod
    def of_core(cls, core: Table) -> TableDataset:
        """Wrap a table of skypool; its values are read when they are asked for."""
        made = cls.__new__(cls)
        made._core, made._meta, made._description = core, None, core.description
        # None stands for a column that nobody has looked at yet.
        made._columns = dict.fromkeys(core.colnames)
        return made

    @property
    def columnNames(self) -> JavaList[str]:
        """Names of the columns, in their order."""
        return JavaList(self._columns)

    @property
    def colnames(self) -> list[str]:
        """Names of the columns, in their order."""
        return list(self._columns)

    @property
    def columns(self) -> JavaList[Column]:
        """The columns, in their order."""
        return JavaList(self[name] for name in self._columns)

    @property
    def columnCount(self) -> int:
        """Number of columns."""
        return len(self._columns)

    @property
    def rowCount(self) -> int:
        """Number of rows."""
        if not self._columns:
            return 0
        first = next(iter(self._columns))
        return len(self._core) if self._columns[first] is None else len(self[first])

    # -- columns

    def _name(self, wanted: Any) -> str:
        if isinstance(wanted, int):
            names = list(self._columns)
            if not -len(names) <= wanted < len(names):
                raise UsageError(f"there is no column {wanted}; there are {len(names)}")
            return names[wanted]
        found = find_name(self._columns, wanted)
        if found is None:
            raise missing_name("column", self._columns, wanted)
        return found

    def __getitem__(self, wanted: Any) -> Column:
        name = self._name(wanted)
        found = self._columns[name]
        if found is None:
            found = self._columns[name] = Column.of_core(self._core[name])
        return found

    def __setitem__(self, name: Any, column: Any) -> None:
        key = self._name(name) if isinstance(name, int) else name
        self._columns[key] = column if isinstance(column, Column) else Column(column)

    def __delitem__(self, wanted: Any) -> None:
        del self._columns[self._name(wanted)]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return self.rowCount

    def __bool__(self) -> bool:
        return True

    def getColumn(self, wanted: Any) -> Column:
        """Return a column by name or number."""
        return self[wanted]

    def setColumn(self, name: Any, column: Any) -> None:
        """Put a column in the place of another, or behind all."""
        self[name] = column

    def addColumn(self, *given: Any) -> None:
        """Append a column: name and column, or a column, which gets the name `Column<n>`."""
        name = given[0] if len(given) > 1 else f"Column{len(self._columns)}"
        self[name] = given[-1]

    def removeColumn(self, wanted: Any) -> None:
        """Take a column out."""
        del self[wanted]

    def setColumnName(self, wanted: Any, name: str) -> None:
        """Give a column another name, in its place."""
        old = self._name(wanted)
        self[old]
        self._columns = {name if key == old else key: col for key, col in self._columns.items()}

    def containsColumn(self, name: object) -> bool:
        """Say whether there is a column of that name."""
        return name in self._columns

    def keySet(self) -> JavaList[str]:
        """Return the names of the columns."""
        return self.columnNames

    # -- rows

    def getRow(self, place: int) -> JavaList[Any]:
        """Return the values of a row."""
        return JavaList(column[place] for column in self.columns)

    def getValueAt(self, row: int, column: Any) -> Any:
        """Return one value."""
        return self[column][row]

    def setValueAt(self, value: Any, row: int, column: Any) -> None:
        """Change one value."""
        self[column][row] = value

    def addRow(self, values: Iterable[Any] | Mapping[str, Any]) -> None:
        """Append a row: values in the order of the columns, or by name."""
        names = list(self._columns)
        given = values if isinstance(values, Mapping) else dict(zip(names, values, strict=True))
        if set(given) != set(names):
            raise UsageError(f"a row has one value for each of {', '.join(names)}")
        for name in names:
            old = np.asarray(self[name])
            cell = np.asarray(given[name])[np.newaxis]
            self[name].data = np.concatenate([old, cell]) if len(old) else cell

    def concatenate(self, other: TableDataset) -> TableDataset:
        """Append the rows of a table of the same columns."""
        if list(other.columnNames) != list(self.columnNames):
            raise UsageError("the tables have different columns")
        for name in self._columns:
            self[name].data = np.concatenate([np.asarray(self[name]), np.asarray(other[name])])
        return self

    def select(self, rows: Any) -> TableDataset:
        """Return the rows chosen by numbers, truth values or a selection, as another table."""
        chosen = np.asarray(rows)
        if chosen.dtype != bool:
            chosen = chosen.astype(np.intp)
        made = TableDataset(self._description)
        made.meta = self.meta.copy()
        for name in self._columns:
            old = self[name]
            made[name] = Column(np.asarray(old)[chosen], old.unit, old.description)
        return made

    # -- keeping

    def adopt(self, core: Table) -> None:
        """Take what was saved for what was loaded."""
        self._core = core
        for name, column in self._columns.items():
            if column is not None:
                column.adopt(core[name])

    def to_core(self) -> Table:
        """Return the dataset as skypool keeps it; what was loaded where nothing changed."""
        core = self._core
        names = list(self._columns)
        kept = core is not None and names == core.colnames
        if kept and not any(col is not None and col.changed for col in self._columns.values()):
            if self._same_about():
                return core  # type: ignore[no-any-return]
            return Table(core, self._core_meta(), self._description)
        parts = {name: self[name].part(name) for name in names}
        lengths = {name: len(values) for name, (_, values) in parts.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise UsageError(f"the columns of a table differ in length ({listed})")
        source = MemoryTable(parts, min(lengths.values(), default=0))
        return Table(source, self._core_meta(), self._description)

    def __str__(self) -> str:
        return f"TableDataset({self.rowCount} rows: {', '.join(self._columns)})"

    __repr__ = __str__
