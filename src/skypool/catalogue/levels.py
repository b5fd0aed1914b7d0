"""One level of the names at a time, with all that a listing of files shows: no question each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from skypool.catalogue.checks import COMMIT, NAME, VERSION, sure
from skypool.catalogue.database import Database
from skypool.catalogue.identity import version_of
from skypool.catalogue.interface import VersionRow
from skypool.catalogue.text import from_database, to_database

__all__ = ["Found", "Step", "days", "foreign_refs", "found_rows", "level", "steps_named"]

_VISIBLE: Final = "n.since <= :at AND n.until > :at"
_TAGGED: Final = '{"$int":"'
_AFTER_ALL: Final = "\U0010ffff\U0010ffff"


class Found(NamedTuple):
    """A version with what its file looks like.

    Attributes
    ----------
    row : VersionRow
    has_file : bool
        Whether its document is known to be one file, of the size of the row; otherwise it
        is made in memory, a folder, or given up.
    children : int
        Number of its references.
    time_us : int
        When it was saved, us since 1970.
    mtime_ns : int or None
        When the file was last changed that was added, ns since 1970.
    """

    row: VersionRow
    has_file: bool
    children: int
    time_us: int
    mtime_ns: int | None


class Step(NamedTuple):
    """A part of names at one level.

    Attributes
    ----------
    name : str
        The part, without what is above it.
    found : Found or None
        The product of that name.
    below : bool
        Whether names go on behind it.
    time_us : int
        When the first of what is below got its name; 0 where nothing is.
    """

    name: str
    found: Found | None
    below: bool
    time_us: int = 0


def _columns(name: str) -> str:
    return (
        f"{sure(VERSION, 'v.urn')}, v.track, v.version, d.digest, d.kind, d.type, d.size, v.total,"
        f" v.since, {name}, :at, v.purged, d.file_hash IS NOT NULL, v.children,"
        " json_extract(v.origin, '$.mtime_ns')"
    )


_NEWEST: Final = (
    f"SELECT {_columns(sure(NAME, 'n.name'))}, n.track FROM {{}}"
    f" CROSS JOIN names n ON {{}} AND {_VISIBLE}"
    " CROSS JOIN versions v ON v.track = n.track AND v.since <= :at AND v.until > :at"
    " CROSS JOIN documents d ON d.id = v.document"
)
_TIME: Final = "(SELECT c.time_us FROM commits c WHERE c.number = n.since)"
# From each name to the next that has another part at this level: what is deeper is skipped.
_NEXT: Final = (
    f"(SELECT n.name FROM names n WHERE n.name >= {{}} AND n.name < :high AND {_VISIBLE}"
    " ORDER BY n.name LIMIT 1)"
)
_AFTER: Final = (
    "CASE instr(substr(s.name, :start), '/') WHEN 0 THEN s.name || char(1)"
    " ELSE substr(s.name, 1, :start + instr(substr(s.name, :start), '/') - 2) || '0' END"
)
_STEPS: Final = (
    f"WITH RECURSIVE step(name) AS (SELECT {_NEXT.format(':low')}"
    f" UNION ALL SELECT {_NEXT.format(_AFTER)} FROM step s WHERE s.name IS NOT NULL)"
)


def level(database: Database, at: int, folder: str = "") -> list[Step]:
    """Return what is named right below a folder, or uppermost, in the order of names.

    Parameters
    ----------
    database
        The catalogue.
    at
        The commit as of which it is asked.
    folder
        The name above; empty for the uppermost level.
    """
    low, high = _range(folder)
    bound = {"at": at, "low": low, "high": high, "start": len(low) + 1}
    here = "instr(substr(s.name, :start), '/')"
    with database.reading() as connection:
        products = connection.execute(
            f"{_STEPS} {_NEWEST.format('step s', f'n.name = s.name AND {here} = 0')}", bound
        ).fetchall()
        folders = connection.execute(
            f"{_STEPS} SELECT substr(s.name, :start, {here} - 1), {_TIME} FROM step s"
            f" CROSS JOIN names n ON n.name = s.name AND {_VISIBLE} WHERE {here} > 0",
            bound,
        ).fetchall()
        versions = list(_all_found(connection, products))
    start = len(from_database(low))
    found = {each.row.name[start:]: each for each in versions if each.row.name}
    times = {from_database(name): time for name, time in folders}
    return [
        Step(name, found.get(name), name in times, times.get(name, 0))
        for name in sorted({**found, **times})
    ]


def steps_named(database: Database, at: int, folder: str, parts: Iterable[str]) -> list[Step]:
    """Return the same of some parts only: those that there are."""
    low, _ = _range(folder)
    parts = list(parts)
    names = json.dumps([low + to_database(part) for part in parts])
    here = "json_each(:names) s"
    with database.reading() as connection:
        products = connection.execute(
            _NEWEST.format(here, "n.name = s.value"), {"at": at, "names": names}
        ).fetchall()
        folders = connection.execute(
            f"SELECT s.key, (SELECT {_TIME} FROM names n WHERE n.name >= s.value || '/'"
            f" AND n.name < s.value || '0' AND {_VISIBLE} ORDER BY n.name LIMIT 1)"
            f" FROM {here}",
            {"at": at, "names": names},
        ).fetchall()
        versions = list(_all_found(connection, products))
    start = len(from_database(low))
    found = {each.row.name[start:]: each for each in versions if each.row.name}
    times = {parts[place]: time for place, time in folders if time is not None}
    return [
        Step(part, found.get(part), part in times, times.get(part, 0))
        for part in parts
        if part in found or part in times
    ]


def foreign_refs(database: Database, at: int, urn: int, folder: str) -> list[tuple[str, int]]:
    """Return what a folder refers to and has no name in it, nor ever had: (role, number).

    What was removed is left out.
    """
    low, high = _range(folder)
    rows = database.query(
        "SELECT r.role, r.child FROM refs r CROSS JOIN versions v ON v.urn = r.child"
        " WHERE r.parent = :urn AND r.child IS NOT NULL AND EXISTS"
        f" (SELECT 1 FROM names n WHERE n.track = v.track AND {_VISIBLE}) AND NOT EXISTS"
        " (SELECT 1 FROM names n WHERE n.track = v.track AND n.name >= :low AND n.name < :high"
        " AND n.since <= :at) ORDER BY r.position",
        {"urn": urn, "at": at, "low": low, "high": high},
    )
    return [(from_database(role), child) for role, child in rows]


def found_rows(database: Database, at: int, numbers: Sequence[int]) -> dict[int, Found]:
    """Return versions by their numbers: those that there are as of a commit."""
    name = (
        f"(SELECT {sure(NAME, 'n.name')} FROM names n WHERE n.track = v.track AND {_VISIBLE}"
        " ORDER BY n.since DESC LIMIT 1)"
    )
    with database.reading() as connection:
        rows = connection.execute(
            f"SELECT {_columns(name)}, v.track FROM json_each(:numbers) s"
            " CROSS JOIN versions v ON v.urn = s.value AND v.since <= :at"
            " CROSS JOIN documents d ON d.id = v.document",
            {"at": at, "numbers": json.dumps(list(numbers))},
        ).fetchall()
        return {each.row.urn: each for each in _all_found(connection, rows)}


def days(database: Database, at: int) -> list[tuple[str, int]]:
    """Return the days (UTC) on which commits were made, each with its last commit."""
    rows = database.query(
        "SELECT date(c.time_us / 1000000, 'unixepoch'), max(c.number) FROM commits c"
        " WHERE c.number <= ? GROUP BY 1 ORDER BY 1",
        (at,),
    )
    return [(str(day), int(number)) for day, number in rows]


def _range(folder: str) -> tuple[str, str]:
    if not folder:
        return "", _AFTER_ALL
    return to_database(folder) + "/", to_database(folder) + "0"


def _all_found(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> Iterator[Found]:
    """Return rows with the times of their commits, each of which is read and checked once."""
    numbers = json.dumps(list({row[8] for row in rows}))
    times = dict(
        connection.execute(
            f"SELECT {sure(COMMIT, 'c.number')}, c.time_us FROM json_each(?) s"
            " CROSS JOIN commits c ON c.number = s.value",
            (numbers,),
        )
    )
    return (_found(row, times) for row in rows)


def _found(values: tuple[Any, ...], times: Mapping[int, int]) -> Found:
    *row, has_file, children, mtime_ns, track = values
    if isinstance(mtime_ns, str):  # integers beyond 2^53 are tagged (docs/format/documents.md)
        mtime_ns = int(mtime_ns.removeprefix(_TAGGED).removesuffix('"}'))
    version = version_of(tuple(row), track)
    return Found(version, bool(has_file), children, times.get(version.commit, 0), mtime_ns)
