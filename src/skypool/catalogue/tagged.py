"""Which versions carry which tags, as arrays: for counts over results of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skypool.catalogue.checks import TAG, sure
from skypool.catalogue.database import Database
from skypool.catalogue.integers import integers
from skypool.catalogue.text import from_database

__all__ = ["count_tags", "tagged_numbers"]


def tagged_numbers(database: Database, at: int) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Yield each tag with the numbers of all versions that carry it as of a commit."""
    with database.reading() as connection:
        sql = "SELECT DISTINCT tag FROM tags WHERE since <= ? AND until > ? ORDER BY tag"
        tags = [tag for (tag,) in connection.execute(sql, (at, at))]
        found = [
            integers(
                connection,
                f"SELECT {sure(TAG, 't.urn')} FROM tags t"
                " WHERE t.tag = ? AND t.since <= ? AND t.until > ?",
                1,
                (tag, at, at),
            )[:, 0].astype(np.int32)
            for tag in tags
        ]
    yield from zip(map(from_database, tags), found, strict=True)


def count_tags(database: Database, at: int, numbers: NDArray[Any]) -> tuple[dict[str, int], int]:
    """Count the tags of versions, as of a commit.

    Parameters
    ----------
    database
        Of the catalogue.
    at
        The commit.
    numbers
        Of the versions; one that stands there twice counts twice.

    Returns
    -------
    counts, tagged
        How many have each tag, none left out that has any, and how many have one at all.
    """
    if not len(numbers):
        return {}, 0
    times = np.bincount(numbers)
    any_tag = np.zeros(len(times), bool)
    counts = {}
    for tag, urns in tagged_numbers(database, at):
        mine = urns[urns < len(times)]
        mine = mine[times[mine] > 0]
        if len(mine):
            counts[tag] = int(times[mine].sum())
            any_tag[mine] = True
    return counts, int(times[any_tag].sum())
