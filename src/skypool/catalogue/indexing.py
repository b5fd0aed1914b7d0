"""Writing the inverted table of metadata, in sorted runs.

Rows of one table sorted by value would go to as many pages as there are rows once the table
is large, and every commit would rewrite most of it. So the table grows by runs: a run has rows
of a bounded number of documents and key numbers (slots) of its own, larger than all before,
so its rows are behind those of all earlier runs. Many documents at once are appended in order;
few go to the last run as long as that is small. A search looks into each run that has the
key (docs/design/011-bulk-speed.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from skypool.catalogue.attributes import insert_attributes
from skypool.catalogue.batches import insert_many
from skypool.catalogue.checks import CRC_OF_FILLED, crc_of_row
from skypool.catalogue.coverages import insert_coverages
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.postings import (
    Key,
    Slotted,
    columns_of,
    flat_rows,
    insert_rows,
    rows_of,
    unit_number,
)
from skypool.catalogue.text import from_database, to_database

__all__ = ["RUN_DOCUMENTS", "document_numbers", "index_documents"]

# A run takes documents of further commits up to this number.
RUN_DOCUMENTS = 5000
_BATCH = 500


def document_numbers(connection: sqlite3.Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Return the numbers of those documents that are indexed."""
    found: dict[bytes, int] = {}
    for start in range(0, len(digests), _BATCH):
        part = digests[start : start + _BATCH]
        marks = ",".join("?" * len(part))
        found.update(
            connection.execute(f"SELECT digest, id FROM documents WHERE digest IN ({marks})", part)
        )
    return found


def index_documents(connection: sqlite3.Connection, documents: Iterable[IndexedDocument]) -> None:
    """Add documents and their terms, inside a transaction; those that are there are left out."""
    by_digest = {document.digest: document for document in documents}
    numbered: list[tuple[int, IndexedDocument]] = []
    for digest, number in document_numbers(connection, list(by_digest)).items():
        document = by_digest.pop(digest)
        if not document.bare and _complete(connection, number, document):
            numbered.append((number, document))
    ((last,),) = connection.execute("SELECT coalesce(max(id), 0) FROM documents")
    new = list(enumerate(by_digest.values(), last + 1))
    insert_many(
        connection,
        "INSERT INTO documents(id, digest, kind, type, size, file_hash, bare, crc) VALUES",
        8,
        [(number, *row, crc_of_row(*row)) for number, row in map(_row, new)],
    )
    numbered += new
    insert_coverages(connection, numbered)
    insert_attributes(connection, numbered)
    for start in range(0, len(numbered), RUN_DOCUMENTS):
        part = numbered[start : start + RUN_DOCUMENTS]
        _insert_terms(connection, _run_for(connection, len(part)), part)


def _row(numbered: tuple[int, IndexedDocument]) -> tuple[int, tuple[Any, ...]]:
    number, found = numbered
    kind = to_database(found.type)
    return number, (found.digest, found.kind, kind, found.size, found.file_hash, int(found.bare))


def _complete(connection: sqlite3.Connection, number: int, document: IndexedDocument) -> bool:
    """Fill in what a document whose content was gone has again; return whether it was gone."""
    filled = connection.execute(
        f"UPDATE documents SET file_hash = ?1, bare = 0, crc = {CRC_OF_FILLED}"
        " WHERE id = ?2 AND bare",
        (document.file_hash, number),
    ).rowcount
    if filled:
        # Its terms may be there still, in another run than the one that they go to now.
        for (key, unit), found in columns_of([(number, document)]).items():
            connection.executemany(
                "DELETE FROM postings WHERE slot IN (SELECT id FROM slots WHERE key = ?"
                " AND unit = ?) AND value = ? AND entry = ?",
                [
                    (_key_number(connection, key), unit_number(connection, unit), *row)
                    for row in rows_of(found)
                ],
            )
    return bool(filled)


def _run_for(connection: sqlite3.Connection, count: int) -> int:
    """Return the number of the run that takes so many documents more."""
    row = connection.execute("SELECT id, documents FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    number, documents = row or (0, RUN_DOCUMENTS)
    if documents + count > RUN_DOCUMENTS:
        number, documents = number + 1, 0
    connection.execute(
        "INSERT OR REPLACE INTO runs(id, documents) VALUES (?, ?)", (number, documents + count)
    )
    return int(number)


def _insert_terms(
    connection: sqlite3.Connection, run: int, numbered: Sequence[tuple[int, IndexedDocument]]
) -> None:
    columns = columns_of(numbered)
    slots = _slots(connection, run, list(columns))
    insert_rows(connection, ((slot, flat_rows(columns[slotted])) for slotted, slot in slots))


def _slots(
    connection: sqlite3.Connection, run: int, wanted: Sequence[Slotted]
) -> list[tuple[Slotted, int]]:
    """Return the numbers of keys with units in a run, in rising order."""
    keys = _key_numbers(connection, [name for name, _ in wanted if isinstance(name, str)])
    units = {unit: unit_number(connection, unit) for unit in dict.fromkeys(u for _, u in wanted)}
    there = {
        (key, unit): slot
        for slot, key, unit in connection.execute(
            "SELECT id, key, unit FROM slots WHERE run = ?", (run,)
        )
    }
    found: list[tuple[Slotted, int]] = []
    for name, unit in wanted:
        if isinstance(name, str) and name not in keys:
            keys[name] = _new_key(connection, name)
        place = (keys[name] if isinstance(name, str) else name, units[unit])
        slot = there.get(place)
        if slot is None:
            slot = connection.execute(
                "INSERT INTO slots(key, unit, run) VALUES (?, ?, ?)", (*place, run)
            ).lastrowid
        found.append(((name, unit), slot or 0))
    found.sort(key=itemgetter(1))
    return found


def _key_numbers(connection: sqlite3.Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those keys that have one."""
    found: dict[str, int] = {}
    texts = [to_database(name) for name in dict.fromkeys(names)]
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        marks = ",".join("?" * len(part))
        for name, key in connection.execute(
            f"SELECT name, id FROM keys WHERE name IN ({marks})", part
        ):
            found[from_database(name)] = key
    return found


def _key_number(connection: sqlite3.Connection, key: Key) -> int:
    if isinstance(key, int):
        return key
    row = connection.execute("SELECT id FROM keys WHERE name = ?", (to_database(key),)).fetchone()
    return int(row[0]) if row else 0


def _new_key(connection: sqlite3.Connection, name: str) -> int:
    cursor = connection.execute(
        "INSERT INTO keys(name, folded) VALUES (?, ?)",
        (to_database(name), to_database(name.casefold())),
    )
    return cursor.lastrowid or 0
