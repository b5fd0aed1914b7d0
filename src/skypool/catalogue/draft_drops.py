"""What a draft drops, and what it brings back, as a commit record tells it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from skypool.catalogue.coverages import kept_coverage
from skypool.catalogue.draft import Draft
from skypool.catalogue.interface import FOREVER

__all__ = ["dropping_lists"]


def dropping_lists(
    connection: sqlite3.Connection, draft: Draft, again: Iterable[int]
) -> dict[str, Any]:
    """Return the lists `dropped` and `fetched` of a commit record.

    Parameters
    ----------
    connection
        In a transaction.
    draft
        What is committed.
    again
        Versions whose content came with it once more.
    """
    fetched = dict.fromkeys((*draft.fetches, *again))
    return {
        "dropped": [
            {"version": urn, "pool": draft.pool, "from": places, **_coverage_of(connection, urn)}
            for urn, places in draft.drops
            if _is_there(connection, urn) and not _is_dropped(connection, draft, urn)
        ],
        "fetched": [[urn, draft.pool] for urn in fetched if _is_dropped(connection, draft, urn)],
    }


def _coverage_of(connection: sqlite3.Connection, urn: int) -> dict[str, Any]:
    """Return what only the content of a version says of where it is, and of what document."""
    row = connection.execute(
        "SELECT d.digest, c.parts FROM versions v JOIN documents d ON d.id = v.document"
        " JOIN coverages c ON c.document = d.id WHERE v.urn = ?",
        (urn,),
    ).fetchone()
    return {} if row is None else kept_coverage(*row)


def _is_there(connection: sqlite3.Connection, urn: int) -> bool:
    found = connection.execute("SELECT 1 FROM versions WHERE urn = ? AND purged = 0", (urn,))
    return found.fetchone() is not None


def _is_dropped(connection: sqlite3.Connection, draft: Draft, urn: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM dropped WHERE urn = ? AND pool = ? AND until = ?",
        (urn, draft.pool, FOREVER),
    )
    return found.fetchone() is not None
