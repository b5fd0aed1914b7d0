"""astropy's tables whose columns are read when they are first used.

A column of astropy is a numpy array, which holds its values: there is none that is lazy. But a
table keeps its columns in a mapping, and that one makes a column when it is first asked for; from
then on it is a `Column` like any other.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from astropy.table import Table
from astropy.table.table import TableColumns

if TYPE_CHECKING:
    from collections.abc import ItemsView, ValuesView

__all__ = ["LazyTable"]


class _Unread:
    """Stands in the mapping for a column that nobody has used yet."""

    def __init__(self, make: Callable[[], Any], nrows: int) -> None:
        self.make = make
        self._nrows = nrows

    def __len__(self) -> int:  # the length of a table is that of its first column
        return self._nrows


class _Columns(TableColumns):  # type: ignore[misc]  # astropy has no types
    """Columns by name, made when they are first asked for."""

    def __getitem__(self, item: Any) -> Any:
        if not isinstance(item, str):
            return super().__getitem__(item)
        found: Any = OrderedDict.__getitem__(self, item)
        if isinstance(found, _Unread):
            found = found.make()
            OrderedDict.__setitem__(self, item, found)
        return found

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def values(self) -> ValuesView[Any]:
        self._read()
        found: ValuesView[Any] = super().values()
        return found

    def items(self) -> ItemsView[Any, Any]:
        self._read()
        found: ItemsView[Any, Any] = super().items()
        return found

    def _read(self) -> None:
        for name in list(self):
            self[name]


class LazyTable(Table):  # type: ignore[misc]  # astropy has no types
    """An `astropy.table.Table` whose columns are read when they are first used.

    Names and number of rows are there without reading; a column that was used is an ordinary
    `Column`. What looks at whole rows (showing, slicing, writing the table) reads all columns.
    """

    TableColumns = _Columns

    @classmethod
    def of(cls, columns: Mapping[str, Callable[[], Any]], nrows: int, meta: Any) -> LazyTable:
        """Make a table.

        Parameters
        ----------
        columns
            Name -> function that makes the column.
        nrows
            Number of rows.
        meta
            Metadata.
        """
        made = cls(meta=meta)
        for name, make in columns.items():
            unread = _Unread(made._owner(name, make), nrows)
            OrderedDict.__setitem__(made.columns, name, unread)
        return made

    def _owner(self, name: str, make: Callable[[], Any]) -> Callable[[], Any]:
        table = weakref.ref(self)

        def read() -> Any:
            column = make()
            column.info.name = name
            column.info.parent_table = table()
            return column

        return read

    def __len__(self) -> int:
        for name in self.columns:  # astropy would make the first column to see its length
            return len(OrderedDict.__getitem__(self.columns, name))
        return 0

    def unread(self) -> list[str]:
        """Return the names of the columns that nobody has used yet."""
        stored = {name: OrderedDict.__getitem__(self.columns, name) for name in self.columns}
        return [name for name, found in stored.items() if isinstance(found, _Unread)]
