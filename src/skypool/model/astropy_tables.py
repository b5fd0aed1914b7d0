"""astropy's tables, made from ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model.nddata import plain_meta

if TYPE_CHECKING:
    from skypool.model.tables import Table

__all__ = ["build_table"]


def build_table(table: Table, *, lazy: bool = False) -> Any:
    """Return an `astropy.table.Table` with copied columns, or with such as are read when used."""
    from astropy import table as tables

    meta = plain_meta(table.meta)
    if lazy:
        from skypool.model.bridges.lazy_tables import LazyTable

        makers = {name: partial(_column, table, name) for name in table.colnames}
        return LazyTable.of(makers, len(table), meta)
    made = tables.Table(meta=meta)
    for name in table.colnames:
        made[name] = column = _column(table, name)
        if hasattr(column, "fill_value"):
            made[name].fill_value = column.fill_value
    return made


def _column(table: Table, name: str) -> Any:
    from astropy import table as tables

    column = table[name]
    values = column[:]
    is_masked = isinstance(values, np.ma.MaskedArray)
    made = (tables.MaskedColumn if is_masked else tables.Column)(
        values.copy(), unit=column.unit or None, description=column.description or None
    )
    if is_masked and column.info.null is not None:
        made.fill_value = column.info.null
    return made
