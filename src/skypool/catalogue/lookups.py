"""What helps people to write a query: names that begin so, and what the keys are like."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, NamedTuple

from skypool.catalogue.column import is_time
from skypool.catalogue.database import Database
from skypool.catalogue.extremes import PREFIX
from skypool.catalogue.schema import DOCUMENT
from skypool.catalogue.text import from_database, to_database

__all__ = ["KeyFacts", "key_facts", "names_from"]

# So many runs of the inverted table are looked into; a pool of some ten thousand has fewer.
_RUNS: Final = 8
_BEHIND: Final = "\U0010ffff"


class KeyFacts(NamedTuple):
    """What the values of a metadata key are like.

    Attributes
    ----------
    name : str
    type : str
        `number`, `boolean`, `time` or `text`.
    unit : str
        The unit of its smallest value.
    products : int
        How many documents have it: counted in a sample where there are very many.
    """

    name: str
    type: str
    unit: str
    products: int


def names_from(database: Database, begin: str, at: int, count: int) -> list[str]:
    """Return the first names, in their order, that begin so."""
    low = to_database(begin)
    rows = database.query(
        "SELECT DISTINCT name FROM names WHERE name >= :low AND name < :high"
        " AND since <= :at AND until > :at ORDER BY name LIMIT :count",
        {"low": low, "high": low + _BEHIND, "at": at, "count": count},
    )
    return [from_database(name) for (name,) in rows]


def key_facts(database: Database) -> list[KeyFacts]:
    """Return what the keys are like."""
    with database.reading() as connection:
        runs = connection.execute("SELECT id, documents FROM runs ORDER BY id").fetchall()
        step = max(1, -(-len(runs) // _RUNS))
        chosen = runs[::step]
        seen = sum(documents for _, documents in chosen)
        scale = sum(documents for _, documents in runs) / seen if seen else 1.0
        marks = ", ".join(str(int(number)) for number, _ in chosen) or "0"
        sql = (
            "SELECT k.id, k.name, (SELECT json_group_array(s.id) FROM slots s WHERE s.key = k.id"
            f" AND s.run IN ({marks})), (SELECT min(s.id) FROM slots s WHERE s.key = k.id)"
            " FROM keys k ORDER BY k.name"
        )
        found = []
        for _, name, slots, first in connection.execute(sql).fetchall():
            if name.startswith(PREFIX) or first is None:
                continue
            numbers = slots.strip("[]") or str(first)
            document = DOCUMENT.format("p")
            ((count,),) = connection.execute(
                f"SELECT count(DISTINCT {document}) FROM postings p WHERE p.slot IN ({numbers})"
            ).fetchall()
            kind, unit = _kind(connection, first)
            found.append(KeyFacts(from_database(name), kind, unit, round(count * scale)))
        return found


def _kind(connection: sqlite3.Connection, slot: int) -> tuple[str, str]:
    """Return type and unit of the values in one slot: numbers come before texts there."""
    ends = [
        connection.execute(
            "SELECT p.value, (SELECT u.text FROM units u JOIN slots s ON s.unit = u.id"
            " WHERE s.id = p.slot) FROM postings p"
            f" WHERE p.slot = ? ORDER BY p.value {order} LIMIT 1",
            (slot,),
        ).fetchone()
        for order in ("ASC", "DESC")
    ]
    if None in ends:
        return "text", ""
    (low, unit), (high, _) = ends
    return _type_of(low, high), unit or ""


def _type_of(low: Any, high: Any) -> str:
    if isinstance(low, str) or isinstance(high, str):
        times = all(isinstance(each, str) and is_time(each) for each in (low, high))
        return "time" if times else "text"
    truths = all(isinstance(each, int) and each in (0, 1) for each in (low, high))
    return "boolean" if truths and low != high else "number"
