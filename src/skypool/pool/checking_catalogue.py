"""Checking the rows of the catalogue, by their check sums and against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skypool.catalogue.comparing import damaged_rows
from skypool.catalogue.invariants import broken
from skypool.errors import Damaged

if TYPE_CHECKING:
    from skypool.pool.session import Session

__all__ = ["check_rows"]

Report = Callable[[str, str, str], Any]


def check_rows(session: Session, report: Report) -> None:
    """Tell of rows of the catalogue that are not what was written, or contradict each other."""
    try:
        for table, key in damaged_rows(session.catalogue.database):
            what = f"a row of the table {table} ({key}) is not what was written"
            report("catalogue", f"{what}; `skypool reindex` makes it anew", "catalogue.sqlite")
        for name, what in broken(session.catalogue.database):
            report("catalogue", f"{what}, but {name}", "catalogue.sqlite")
    except Damaged as error:
        report("catalogue", error.message, "catalogue.sqlite")
