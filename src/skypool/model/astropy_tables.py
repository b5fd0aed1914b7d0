"""astropy's tables, made from ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skypool.model.nddata import plain_meta

if TYPE_CHECKING:
    from skypool.model.tables import Table

__all__ = ["build_table"]


def build_table(table: Table) -> Any:
    """Return an `astropy.table.Table` with copied columns."""
    from astropy import table as tables

    from skypool.model.tables import masked

    made = tables.Table(meta=plain_meta(table.meta))
    for name in table.colnames:
        column = table[name]
        values = masked(column[:], column.info)
        kind = tables.MaskedColumn if isinstance(values, np.ma.MaskedArray) else tables.Column
        made[name] = kind(
            values.copy(), unit=column.unit or None, description=column.description or None
        )
        if isinstance(values, np.ma.MaskedArray) and column.info.null is not None:
            made[name].fill_value = column.info.null
    if not table.colnames and len(table):
        return made
    return made
