"""Taking in a commit record: the tables change as it says, and the state is kept.

The same `apply` serves new commits and the replay of the log, so a rebuilt
catalogue cannot differ from the one that was lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from skypool.catalogue.batches import in_batches, insert_many
from skypool.catalogue.checks import (
    CRC_OF_DROPPED,
    CRC_OF_NAME,
    CRC_OF_PURGED,
    CRC_OF_REMOVED,
    CRC_OF_TAG,
    CRC_OF_VERSION,
    NAME,
    crc_of_row,
    sure,
)
from skypool.catalogue.coverages import keep_coverage
from skypool.catalogue.indexing import document_numbers
from skypool.catalogue.interface import (
    FOREVER,
)
from skypool.catalogue.outside import apply_outside, source_rows
from skypool.catalogue.text import to_database
from skypool.catalogue.times import microseconds
from skypool.codec.documents import dumps, loads
from skypool.codec.packing import PackedRows
from skypool.errors import Damaged

_LISTS = ("versions", "names", "hidden", "tags", "purged", "sources")

_AT_ONCE = 5000

__all__ = [
    "CommitRows",
    "VersionRows",
    "apply",
    "changes_of",
    "commit_rows",
    "set_state",
    "state",
    "version_rows",
]


def state(connection: sqlite3.Connection, key: str, default: Any = 0) -> Any:
    """Return a value of the table `state`.

    Raises
    ------
    Damaged
        If it is not what was written.
    """
    row = connection.execute("SELECT value, crc FROM state WHERE key = ?", (key,)).fetchone()
    if row is None:
        return default
    if row[1] != crc_of_row(key, row[0]):
        raise Damaged(
            f"the catalogue is damaged: its value {key!r} is not what was written",
            hint="`skypool reindex` rebuilds it from the packs and the log; nothing is lost",
        )
    return row[0]


def set_state(connection: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Set values of the table `state`, inside a transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO state(key, value, crc) VALUES (?1, ?2, crc_of_row(?1, ?2))",
        list(values.items()),
    )


class VersionRows(NamedTuple):
    """The rows of the versions and references of a commit, and what they continue."""

    versions: list[tuple[Any, ...]]
    refs: list[tuple[Any, ...]]
    continued: list[tuple[int, int, int]]


class CommitRows(NamedTuple):
    """The rows of which a commit may have a million, and what follows from all of them.

    Attributes
    ----------
    versions, refs, continued
        See `VersionRows`.
    names, sources
        Rows of names, and of files outside the pool.
    renamed
        Tracks that had another name before.
    last
        The highest numbers of a version and of a track; None where it has no versions.
    """

    versions: PackedRows
    refs: PackedRows
    continued: PackedRows
    names: PackedRows
    sources: PackedRows
    renamed: list[int]
    last: tuple[int, int] | None


def apply(
    connection: sqlite3.Connection, record: Mapping[str, Any], rows: CommitRows | None = None
) -> None:
    """Change the tables as a commit record says.

    Parameters
    ----------
    connection
        In a transaction.
    record
        The record.
    rows
        What `commit_rows` gives for it, where that is known.

    Raises
    ------
    Damaged
        If a document of the record is not indexed.
    """
    number = record["commit"]
    if rows is not None:
        _insert_versions(connection, rows)
    else:
        for part in in_batches(record.get("versions", ()), _AT_ONCE):
            _insert_versions(connection, version_rows(connection, number, part))
    _change_names(connection, number, record, rows)
    for tag, urn, wanted in record.get("tags", ()):
        if wanted:
            connection.execute(
                "INSERT INTO tags(tag, urn, since, until, crc)"
                " VALUES (?1, ?2, ?3, ?4, crc_of_row(?1, ?2, ?3, ?4))",
                (to_database(tag), urn, number, FOREVER),
            )
        else:
            connection.execute(
                f"UPDATE tags SET until = ?1, crc = {CRC_OF_TAG}"
                " WHERE tag = ?2 AND urn = ?3 AND until = ?4",
                (number, to_database(tag), urn, FOREVER),
            )
    connection.executemany(
        f"UPDATE versions SET purged = ?1, crc = {CRC_OF_PURGED} WHERE urn = ?2 AND purged = 0",
        [(number, urn) for urn in record.get("purged", ())],
    )
    for entry in record.get("dropped", ()):
        row = (entry["version"], entry["pool"], number, FOREVER, dumps(entry["from"]).decode())
        connection.execute(
            "INSERT INTO dropped(urn, pool, since, until, places, crc) VALUES (?, ?, ?, ?, ?, ?)",
            (*row, crc_of_row(*row)),
        )
        if "document" in entry:
            keep_coverage(connection, entry)
    connection.executemany(
        f"UPDATE dropped SET until = ?1, crc = {CRC_OF_DROPPED}"
        " WHERE urn = ?2 AND pool = ?3 AND until = ?4",
        [(number, urn, pool, FOREVER) for urn, pool in record.get("fetched", ())],
    )
    apply_outside(connection, record, None if rows is None else rows.sources)
    _note_commit(connection, record, _last(record) if rows is None else rows.last)


def commit_rows(connection: sqlite3.Connection, record: Mapping[str, Any]) -> CommitRows:
    """Return the rows of a commit, worked out ahead.

    Raises
    ------
    Damaged
        If a document of it is not indexed.
    """
    number = record["commit"]
    versions, refs, continued = PackedRows(), PackedRows(), PackedRows()
    urn = track = 0
    for part in in_batches(record.get("versions", ()), _AT_ONCE):
        found = version_rows(connection, number, part)
        versions.extend(found.versions)
        refs.extend(found.refs)
        continued.extend(found.continued)
        urn = max(urn, *(row[0] for row in found.versions))
        track = max(track, *(row[1] for row in found.versions))
    return CommitRows(
        versions,
        refs,
        continued,
        PackedRows(_name_rows(number, record)),
        PackedRows(source_rows(connection, record)),
        list(_renamed(connection, record)),
        (urn, track) if urn else None,
    )


def version_rows(connection: sqlite3.Connection, number: int, versions: Any) -> VersionRows:
    """Return the rows of versions of a commit.

    Raises
    ------
    Damaged
        If a document of theirs is not indexed.
    """
    rows, refs, tracks = [], [], []
    digests = {bytes.fromhex(version["document"]) for version in versions}
    documents = document_numbers(connection, list(digests))
    for version in versions:
        digest = bytes.fromhex(version["document"])
        document = documents.get(digest)
        if document is None:
            raise Damaged(f"the document {version['document']} of commit {number} is not there")
        origin = dumps(version["origin"]).decode() if "origin" in version else None
        head = (version["urn"], version["track"], version["version"])
        rest = (version["total"], number, FOREVER, origin, len(version["refs"]))
        rows.append((*head, document, *rest, crc_of_row(*head, digest, *rest, 0)))
        if version["version"]:
            tracks.append((number, version["track"], version["version"] - 1))
        for position, (role, target) in enumerate(version["refs"]):
            child, external = (
                (None, to_database(target["external"]))
                if isinstance(target, Mapping)
                else (target, None)
            )
            ref = (version["urn"], position, to_database(role), child, external)
            refs.append((*ref, crc_of_row(*ref)))
    return VersionRows(rows, refs, tracks)


def _insert_versions(connection: sqlite3.Connection, found: VersionRows | CommitRows) -> None:
    insert_many(
        connection,
        "INSERT INTO versions(urn, track, version, document, total, since, until, origin, children,"
        " crc) VALUES",
        10,
        found.versions,
    )
    connection.executemany(
        f"UPDATE versions SET until = ?1, crc = {CRC_OF_VERSION} WHERE track = ?2 AND version = ?3",
        found.continued,
    )
    insert_many(
        connection,
        "INSERT INTO refs(parent, position, role, child, external, crc) VALUES",
        6,
        found.refs,
    )


def _change_names(
    connection: sqlite3.Connection,
    number: int,
    record: Mapping[str, Any],
    rows: CommitRows | None,
) -> None:
    for track, removed in record.get("hidden", ()):
        if removed:
            connection.execute(
                f"UPDATE names SET until = ?1, removed = 1, crc = {CRC_OF_REMOVED}"
                " WHERE track = ?2 AND until = ?3",
                (number, track, FOREVER),
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO names(track, name, since, until, crc)"
                f" SELECT track, name, ?1, ?2, {sure(NAME, 'crc_of_row(track, name, ?1, ?2, 0)')}"
                " FROM names n WHERE track = ?3"
                " ORDER BY since DESC LIMIT 1",
                (number, FOREVER, track),
            )
    connection.executemany(
        f"UPDATE names SET until = ?1, crc = {CRC_OF_NAME} WHERE track = ?2 AND until = ?3",
        (
            (number, track, FOREVER)
            for track in (_renamed(connection, record) if rows is None else rows.renamed)
        ),
    )
    insert_many(
        connection,
        "INSERT OR REPLACE INTO names(track, name, since, until, crc) VALUES",
        5,
        _name_rows(number, record) if rows is None else rows.names,
    )


def _renamed(connection: sqlite3.Connection, record: Mapping[str, Any]) -> Iterator[int]:
    """Yield the tracks of a record's names that may have one: not those that begin with it."""
    first = state(connection, "next_track", 1)
    return (track for track, _ in record.get("names", ()) if track < first)


def _name_rows(number: int, record: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for track, name in record.get("names", ()):
        if name is not None:
            row = (track, to_database(name), number, FOREVER)
            yield (*row, crc_of_row(*row, 0))


def _last(record: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the highest numbers of a version and of a track of a record."""
    urn = track = 0
    for version in record.get("versions", ()):
        urn, track = max(urn, version["urn"]), max(track, version["track"])
    return (urn, track) if urn else None


def _note_commit(
    connection: sqlite3.Connection, record: Mapping[str, Any], last: tuple[int, int] | None
) -> None:
    number = record["commit"]
    moment = record["time"]
    time_us = microseconds(moment)
    changes = {
        key: len(record[key])
        for key in (*_LISTS, "dropped", "fetched", "moved", "gone", "completed")
        if key in record
    }
    connection.execute(
        "INSERT INTO commits(number, time_us, author, message, changes, crc)"
        " VALUES (?1, ?2, ?3, ?4, ?5, crc_of_row(?1, ?2, ?3, ?4, ?5))",
        (
            number,
            time_us,
            to_database(record["author"]),
            to_database(record["message"]),
            dumps(changes).decode(),
        ),
    )
    values = {"head": number, "head_time": time_us}
    if "clock" in record:
        values["head_clock"] = record["clock"]
    if record.get("completed"):
        # What is in memory of versions and their documents is read again.
        values["amended"] = number
    if last is not None:
        urn, track = last
        values["next_urn"] = urn + 1
        values["next_track"] = max(track + 1, state(connection, "next_track", 1))
    set_state(connection, values)


def changes_of(text: str) -> Mapping[str, int]:
    """Read the summary of a commit's changes."""
    changes: Mapping[str, int] = loads(text.encode())
    return changes
