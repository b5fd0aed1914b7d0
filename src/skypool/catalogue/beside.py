"""Temporary tables beside the catalogue, on a connection of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from skypool.catalogue.database import Database, explained

__all__ = ["TablesBeside"]


class TablesBeside:
    """Temporary tables that SQLite keeps in files once they are large; gone when closed.

    Parameters
    ----------
    database
        The catalogue's.
    statements
        SQL that makes them.
    """

    def __init__(self, database: Database, statements: Iterable[str]) -> None:
        self._database = database
        with explained(database.path):
            self._connection = database.separate()
            self._connection.execute("PRAGMA temp_store=FILE")
            for statement in statements:
                self._connection.execute(statement)

    def close(self) -> None:
        """Forget the tables."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
