"""Making a record of the log again from the tables, for a log that was damaged.

It means the same as the one that was lost; its bytes need not be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skypool.catalogue.checks import COMMIT, NAME, REF, TAG, VERSION, sure
from skypool.catalogue.database import Database
from skypool.catalogue.text import from_database
from skypool.catalogue.times import time_of
from skypool.codec.documents import Listed, format_time, loads

__all__ = ["record_of"]

# Rows that are read at once: there may be millions.
_PAGE = 5000


def record_of(database: Database, number: int) -> dict[str, Any] | None:
    """Return the record of a commit; None if the tables have no such commit.

    Raises
    ------
    Damaged
        If rows of it are not what was written.
    """
    rows = database.query(
        f"SELECT {sure(COMMIT, 'time_us')}, author, message FROM commits c WHERE number = ?",
        (number,),
    )
    if not rows:
        return None
    time_us, author, message = rows[0]
    names, hidden = _names(database, number)
    versions = _versions(database, number)
    lists = {
        "versions": versions,
        "names": names,
        "hidden": hidden,
        "tags": _tags(database, number),
        "purged": _purged(database, number),
        "sources": _sources(database, number),
    }
    return {
        "commit": number,
        "parent": number - 1,
        "time": format_time(time_of(time_us)),
        "author": from_database(author),
        "message": from_database(message),
        **{key: value for key, value in lists.items() if value},
    }


def _versions(database: Database, number: int) -> Listed:
    ((count,),) = database.query("SELECT count(*) FROM versions WHERE since = ?", (number,))
    return Listed(count, lambda: _each_version(database, number))


def _each_version(database: Database, number: int) -> Iterator[dict[str, Any]]:
    last = -1
    while True:
        rows = database.query(
            f"SELECT {sure(VERSION, 'v.urn')}, v.track, v.version, d.kind, d.type, d.digest,"
            " d.size, v.total, v.origin FROM versions v JOIN documents d ON d.id = v.document"
            " WHERE v.since = ? AND v.urn > ? ORDER BY v.urn LIMIT ?",
            (number, last, _PAGE),
        )
        for row in rows:
            last = row[0]
            yield _version(database, row)
        if len(rows) < _PAGE:
            return


def _version(database: Database, row: tuple[Any, ...]) -> dict[str, Any]:
    urn, track, version, kind, type_, digest, size, total, origin = row
    entry = {
        "urn": urn,
        "track": track,
        "version": version,
        "kind": kind,
        "type": from_database(type_),
        "document": digest.hex(),
        "size": size,
        "total": total,
        "refs": [
            [from_database(role), child]
            if external is None
            else [from_database(role), {"external": from_database(external)}]
            for role, child, external in database.query(
                f"SELECT {sure(REF, 'role')}, child, external FROM refs r WHERE parent = ?"
                " ORDER BY position",
                (urn,),
            )
        ],
    }
    if origin is not None:
        entry["origin"] = loads(origin.encode())
    return entry


def _names(database: Database, number: int) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return which tracks were named, and which hidden or brought back."""
    names: list[list[Any]] = []
    hidden: list[list[Any]] = []
    begun = set()
    for track, name in database.query(
        f"SELECT {sure(NAME, 'track')}, name FROM names n WHERE since = ? ORDER BY track", (number,)
    ):
        begun.add(track)
        before = database.query(
            f"SELECT {sure(NAME, 'name')}, removed FROM names n WHERE track = ? AND since < ?"
            " ORDER BY since DESC LIMIT 1",
            (track, number),
        )
        if before and before[0][1]:
            hidden.append([track, False])
        if not before or not before[0][1] or before[0][0] != name:
            names.append([track, from_database(name)])
    for track, removed in database.query(
        f"SELECT {sure(NAME, 'track')}, removed FROM names n WHERE until = ? ORDER BY track",
        (number,),
    ):
        if removed:
            hidden.append([track, True])
        elif track not in begun:
            names.append([track, None])
    return names, hidden


def _tags(database: Database, number: int) -> list[list[Any]]:
    return [
        [from_database(tag), urn, since == number]
        for tag, urn, since in database.query(
            f"SELECT {sure(TAG, 'tag')}, urn, since FROM tags t WHERE since = ? OR until = ?"
            " ORDER BY t.since = ?, t.tag, t.urn",
            (number, number, number),
        )
    ]


def _purged(database: Database, number: int) -> list[int]:
    rows = database.query(
        f"SELECT {sure(VERSION, 'v.urn')} FROM versions v JOIN documents d ON d.id = v.document"
        " WHERE v.purged = ? ORDER BY v.urn",
        (number,),
    )
    return [urn for (urn,) in rows]


def _sources(database: Database, number: int) -> Listed:
    """Return the files in place of the documents that the commit made versions of.

    The tables do not tell which commit named a file; they hold for all commits.
    """
    made = "s.document IN (SELECT document FROM versions WHERE since = ?)"
    ((count,),) = database.query(f"SELECT count(*) FROM sources s WHERE {made}", (number,))

    def entries() -> Iterator[dict[str, Any]]:
        last: tuple[str, int] = ("", -1)
        while True:
            rows = database.query(
                "SELECT d.digest, s.path, s.size, s.mtime_ns, s.inode, s.document FROM sources s"
                f" JOIN documents d ON d.id = s.document WHERE {made}"
                " AND (s.path, s.document) > (?, ?) ORDER BY s.path, s.document LIMIT ?",
                (number, *last, _PAGE),
            )
            for digest, path, size, mtime_ns, inode, document in rows:
                last = path, document
                yield {
                    "document": digest.hex(),
                    "path": from_database(path),
                    "size": size,
                    "mtime_ns": mtime_ns,
                    "inode": inode,
                }
            if len(rows) < _PAGE:
                return

    return Listed(count, entries)
