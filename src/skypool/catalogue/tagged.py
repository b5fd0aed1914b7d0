"""Which versions carry which tags, as arrays: for counts over results of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.database import Database
from skypool.catalogue.integers import integers
from skypool.catalogue.text import from_database

__all__ = ["tagged_numbers"]


def tagged_numbers(database: Database, at: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield each tag with the numbers of all versions that carry it as of a commit."""
    with database.reading() as connection:
        sql = "SELECT DISTINCT tag FROM tags WHERE since <= ? AND until > ? ORDER BY tag"
        tags = [tag for (tag,) in connection.execute(sql, (at, at))]
        found = [
            integers(
                connection,
                "SELECT urn FROM tags WHERE tag = ? AND since <= ? AND until > ?",
                1,
                (tag, at, at),
            )[:, 0]
            for tag in tags
        ]
    yield from zip(map(from_database, tags), found, strict=True)
