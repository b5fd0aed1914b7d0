"""Files outside the pool in commit records, and in the tables: places, and what was completed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import compress
from typing import Any

from skypool.catalogue.batches import in_batches, insert_many
from skypool.catalogue.checks import CRC_OF_COMPLETED, CRC_OF_MOVED
from skypool.catalogue.draft import Completion, Draft, Move, SourceRow
from skypool.catalogue.indexing import document_numbers
from skypool.catalogue.interface import FOREVER
from skypool.catalogue.text import to_database
from skypool.codec.documents import Listed, dumps, loads

__all__ = [
    "apply_outside",
    "is_below",
    "moved_path",
    "named_path",
    "outside_lists",
    "source_rows",
    "stands_for",
    "text_of_path",
]

_AT_ONCE = 5000
_ASKED_AT_ONCE = 500


def outside_lists(connection: sqlite3.Connection, draft: Draft) -> dict[str, Any]:
    """Return the lists of a commit record that are about files outside the pool."""
    return {
        "moved": [_move(move) for move in draft.relocated],
        "gone": [[document.hex(), path] for document, path in draft.gone],
        "sources": _sources(connection, draft),
        "completed": [_completion(each) for each in _not_completed(connection, draft.completed)],
    }


def _not_completed(
    connection: sqlite3.Connection, completions: Iterable[Completion]
) -> Iterator[Completion]:
    """Yield those of documents in whose place no other one is yet."""
    for part in in_batches(completions, _ASKED_AT_ONCE):
        names = [each.of for each in part]
        rows = connection.execute(
            "SELECT digest FROM completed WHERE document != digest"
            f" AND digest IN ({','.join('?' * len(names))})",
            names,
        )
        done = {digest for (digest,) in rows}
        yield from (each for each in part if each.of not in done)


def _move(move: Move) -> dict[str, Any]:
    made: dict[str, Any] = {"from": move.old, "to": move.new}
    return made | ({"but": list(move.but)} if move.but else {})


def _completion(each: Completion) -> dict[str, Any]:
    made: dict[str, Any] = {
        "of": each.of.hex(),
        "document": each.document.hex(),
        "kind": each.kind,
        "type": each.type,
        "size": each.size,
    }
    return made | ({"sky": each.sky} if each.sky else {})


def _sources(connection: sqlite3.Connection, draft: Draft) -> Listed:
    """Return the files in place that are not known as they are."""
    new = bytearray()
    for part in in_batches(draft.sources, _ASKED_AT_ONCE):
        numbers = document_numbers(connection, list({source.document for source in part}))
        new += bytes(
            source.document not in numbers or not _is_known(connection, source) for source in part
        )

    def entries() -> Iterator[dict[str, Any]]:
        for source in compress(draft.sources, new):
            yield {
                "document": source.document.hex(),
                "path": source.path,
                "size": source.size,
                "mtime_ns": source.mtime_ns,
                "inode": source.inode,
            }

    return Listed(new.count(1), entries)


def _is_known(connection: sqlite3.Connection, source: SourceRow) -> bool:
    known = connection.execute(
        "SELECT 1 FROM sources s JOIN documents d ON d.id = s.document"
        " WHERE d.digest = ? AND s.path = ? AND s.size = ? AND s.mtime_ns = ?"
        # Of a file that was followed to another disk the inode is not known.
        " AND s.inode IN (?, 0)",
        (source.document, to_database(source.path), source.size, source.mtime_ns, source.inode),
    ).fetchone()
    return known is not None


def source_rows(
    connection: sqlite3.Connection, record: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the files that a commit record names; those of unknown documents not."""
    for part in in_batches(record.get("sources", ()), _AT_ONCE):
        names = {bytes.fromhex(source["document"]) for source in part}
        numbers = document_numbers(connection, list(names))
        for source in part:
            number = numbers.get(bytes.fromhex(source["document"]))
            if number is not None:
                figures = (source["size"], source["mtime_ns"], source["inode"])
                yield number, to_database(source["path"]), *figures


def apply_outside(
    connection: sqlite3.Connection,
    record: Mapping[str, Any],
    rows: Iterable[tuple[Any, ...]] | None = None,
) -> None:
    """Change the tables as a commit record says of files outside the pool.

    Parameters
    ----------
    connection
        In a transaction.
    record
        The record.
    rows
        What `source_rows` gives for it, where that is known.
    """
    for move in record.get("moved", ()):
        _relocate(connection, move)
        _relocate_places(connection, move, record["commit"])
    connection.executemany(
        "DELETE FROM sources WHERE path = ? AND document ="
        " (SELECT id FROM documents WHERE digest = ?)",
        [(to_database(path), bytes.fromhex(name)) for name, path in record.get("gone", ())],
    )
    if rows is None:
        rows = source_rows(connection, record)
    insert_many(
        connection,
        "INSERT OR REPLACE INTO sources(document, path, size, mtime_ns, inode) VALUES",
        5,
        rows,
    )
    completed = record.get("completed", ())
    _complete(
        connection,
        [(bytes.fromhex(each["of"]), bytes.fromhex(each["document"])) for each in completed],
    )


def _relocate(connection: sqlite3.Connection, move: Mapping[str, Any]) -> None:
    """Give files at and below a path other ones; there may be millions, and both may overlap."""
    old = to_database(move["from"])
    but = json.dumps([to_database(path) for path in move.get("but", ())])
    # In the order of bytes, all that is below a folder is between `/` and what follows it.
    there = (
        "(path = :old OR (path > :first AND path < :last))"
        " AND path NOT IN (SELECT value FROM json_each(:but))"
    )
    base = old.rstrip("/")
    named = {"old": old, "first": base + "/", "last": base + "0", "but": but}
    named["new"] = to_database(move["to"]).rstrip("/")
    connection.execute(
        "CREATE TEMP TABLE moving AS SELECT document, path, size, mtime_ns FROM main.sources"
        f" WHERE {there}",
        named,
    )
    connection.execute(f"DELETE FROM main.sources WHERE {there}", named)
    path = f"coalesce(nullif(:new || substr(path, {len(base) + 1}), ''), '/')"
    connection.execute(
        "INSERT OR IGNORE INTO main.sources(document, path, size, mtime_ns, inode)"
        f" SELECT document, {path}, size, mtime_ns, 0 FROM moving",
        named,
    )
    connection.execute("DROP TABLE temp.moving")


def _relocate_places(connection: sqlite3.Connection, move: Mapping[str, Any], commit: int) -> None:
    """Give what drop entries of earlier commits say of where content is other paths, too."""
    old, new, but = move["from"], move["to"], frozenset(move.get("but", ()))
    rows = connection.execute(
        "SELECT places, urn, pool, since FROM dropped"
        " WHERE until = ? AND since < ? AND instr(places, ?)",
        (FOREVER, commit, text_of_path(old)),
    ).fetchall()
    changed = []
    for text, *key in rows:
        places = loads(text.encode())
        moved = [_moved_place(place, old, new, but) for place in places]
        if moved != places:
            changed.append((dumps(moved).decode(), *key))
    connection.executemany(
        f"UPDATE dropped SET places = ?1, crc = {CRC_OF_MOVED}"
        " WHERE urn = ?2 AND pool = ?3 AND since = ?4",
        changed,
    )


def _moved_place(
    place: Mapping[str, Any], old: str, new: str, but: Container[str]
) -> Mapping[str, Any]:
    path = named_path(place)
    if not is_below(path, old) or path in but:
        return place
    return {**place, "pool" if "pool" in place else "path": moved_path(path, old, new)}


def named_path(place: Mapping[str, Any]) -> str:
    """Return the path of the pool or file that a place of a drop entry is; empty for addresses."""
    return str(place.get("pool") or place.get("path") or "")


def text_of_path(path: str) -> str:
    """Return what stands in the places of a drop entry where one is below a path."""
    return dumps(path.rstrip("/")).decode()[1:-1]


def _complete(connection: sqlite3.Connection, completions: list[tuple[bytes, bytes]]) -> None:
    """Put documents into the place of others, in all versions: (old, new)."""
    connection.executemany(
        f"UPDATE versions SET document = (SELECT id FROM documents WHERE digest = ?1),"
        f" crc = {CRC_OF_COMPLETED}"
        " WHERE document = (SELECT id FROM documents WHERE digest = ?2)"
        " AND EXISTS (SELECT 1 FROM documents WHERE digest = ?1)",
        [(new, old) for old, new in completions],
    )
    # By paths, which are the key: there may be millions of rows.
    connection.executemany(
        "UPDATE seen SET document = ?1 WHERE document = ?2 AND path IN (SELECT path FROM sources"
        " WHERE document IN (SELECT id FROM documents WHERE digest IN (?1, ?2)))",
        [(new, old) for old, new in completions],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO completed(digest, document) VALUES (?, ?)", completions
    )


def stands_for(connection: sqlite3.Connection, document: bytes) -> bytes:
    """Return the document that took the place of one, itself if none did."""
    row = connection.execute(
        "SELECT document FROM completed WHERE digest = ?", (document,)
    ).fetchone()
    return document if row is None else bytes(row[0])


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is another one, or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def moved_path(path: str, old: str, new: str) -> str:
    """Return the path of a file at or below *old* once that is at *new*."""
    old, new = old.rstrip("/"), new.rstrip("/")
    return new + path[len(old) :] or "/"
