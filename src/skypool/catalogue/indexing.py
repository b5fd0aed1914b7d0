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
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from skypool.catalogue.attributes import insert_attributes
from skypool.catalogue.batches import insert_many
from skypool.catalogue.checks import CRC_OF_FILLED, crc_of_row
from skypool.catalogue.coverages import insert_coverages
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.postings import (
    Column,
    Key,
    Row,
    columns_of,
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
        columns = columns_of([(number, document)])
        units = _units(connection, columns)
        for key, found in columns.items():
            connection.executemany(
                "DELETE FROM postings WHERE slot IN (SELECT id FROM slots WHERE key = ?)"
                " AND value = ? AND document = ? AND place = ?",
                [(_key_number(connection, key), *row[1:4]) for row in rows_of(0, found, units)],
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
    units = _units(connection, columns)
    rows: list[Row] = []
    for key, slot in _slots(connection, run, list(columns)).items():
        rows += rows_of(slot, columns[key], units)
    insert_rows(connection, rows)


def _units(
    connection: sqlite3.Connection, columns: Mapping[Key, Iterable[Column]]
) -> dict[str, int]:
    """Return the numbers of the units of all columns."""
    found: dict[str, int] = {}
    for each in chain.from_iterable(columns.values()):
        for unit in (each.units,) if isinstance(each.units, str) else set(each.units):
            if unit not in found:
                found[unit] = unit_number(connection, unit)
    return found


def _slots(connection: sqlite3.Connection, run: int, names: Sequence[Key]) -> dict[Key, int]:
    """Return the number of each key in a run, in rising order."""
    keys: dict[str, int] = {}
    slots: dict[Key, int] = dict(
        connection.execute("SELECT key, id FROM slots WHERE run = ? AND key < 0", (run,))
    )
    texts = [to_database(name) for name in names if isinstance(name, str)]
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        for name, key, slot in connection.execute(
            "SELECT k.name, k.id, s.id FROM keys k LEFT JOIN slots s ON s.key = k.id"
            f" AND s.run = ? WHERE k.name IN ({','.join('?' * len(part))})",
            (run, *part),
        ):
            keys[from_database(name)] = key
            if slot is not None:
                slots[from_database(name)] = slot
    for name in names:
        if name not in slots:
            key = name if isinstance(name, int) else keys.get(name) or _new_key(connection, name)
            cursor = connection.execute("INSERT INTO slots(key, run) VALUES (?, ?)", (key, run))
            slots[name] = cursor.lastrowid or 0
    wanted = [(name, slots[name]) for name in names]
    return dict(sorted(wanted, key=lambda item: item[1]))


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
