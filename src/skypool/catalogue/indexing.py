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
from typing import Any

from skypool.catalogue.attributes import insert_attributes, visible
from skypool.catalogue.checks import CRC_OF_FILLED, crc_of_row
from skypool.catalogue.coverages import insert_coverages
from skypool.catalogue.interface import IndexedDocument
from skypool.catalogue.schema import TEXT_LIMIT
from skypool.catalogue.terms import searchable
from skypool.catalogue.text import from_database, to_database

__all__ = ["RUN_DOCUMENTS", "document_numbers", "index_documents"]

# A run takes documents of further commits up to this number.
RUN_DOCUMENTS = 5000
_BATCH = 500

_Row = tuple[Any, int, int, int]
# The name of a metadata key, or the number that stands for a core attribute.
_Key = str | int


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
    connection.executemany(
        "INSERT INTO documents(id, digest, kind, type, size, file_hash, bare, crc)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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
        for key, rows in _by_key(connection, [(number, document)]).items():
            connection.executemany(
                "DELETE FROM postings WHERE slot IN (SELECT id FROM slots WHERE key = ?)"
                " AND value = ? AND document = ? AND place = ?",
                [(_key_number(connection, key), *row[:3]) for row in rows],
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
    rows = _by_key(connection, numbered)
    slots = _slots(connection, run, list(rows))
    for part in rows.values():
        _sort(part)
    connection.executemany(
        "INSERT OR IGNORE INTO postings(slot, value, document, place, unit) VALUES (?, ?, ?, ?, ?)",
        (
            (slot, value, document, place, unit)
            for name, slot in slots.items()
            for value, document, place, unit in rows[name]
        ),
    )


def _by_key(
    connection: sqlite3.Connection, numbered: Sequence[tuple[int, IndexedDocument]]
) -> dict[_Key, list[_Row]]:
    """Return the rows of each key."""
    units: dict[str, int] = {}
    rows: dict[_Key, list[_Row]] = {}
    for number, document in numbered:
        for place, listed in document.metas:
            for parameter in listed:
                key, value = parameter[0], parameter[1]
                if type(value) is not str:
                    value = searchable(value)
                elif len(value) > TEXT_LIMIT or not value.isascii():
                    value = to_database(value[:TEXT_LIMIT])
                unit = parameter[2] if len(parameter) > 2 else ""
                unit_id = units.get(unit)
                if unit_id is None:
                    unit_id = units[unit] = _unit(connection, unit)
                part = rows.get(key)
                if part is None:
                    part = rows[key] = []
                part.append((value, number, place, unit_id))
        if document.attributes:
            _add_attributes(connection, number, document, units, rows)
    return rows


def _add_attributes(
    connection: sqlite3.Connection,
    number: int,
    document: IndexedDocument,
    units: dict[str, int],
    rows: dict[_Key, list[_Row]],
) -> None:
    for attribute, value, unit in visible(document.metas[0][1], document.attributes):
        if unit not in units:
            units[unit] = _unit(connection, unit)
        if type(value) is str:  # never longer than what the index takes
            value = to_database(value)
        elif type(value) is not float:
            value = searchable(value)
        rows.setdefault(attribute, []).append((value, number, 0, units[unit]))


def _sort(rows: list[_Row]) -> None:
    """Put rows of a key into the order of SQLite: numbers, text, blobs."""
    try:
        rows.sort()
    except TypeError:
        rows.sort(key=_order)


def _order(row: _Row) -> tuple[Any, ...]:
    value = row[0]
    return (1 if type(value) is str else 2 if type(value) is bytes else 0, *row)


def _slots(connection: sqlite3.Connection, run: int, names: Sequence[_Key]) -> dict[_Key, int]:
    """Return the number of each key in a run, in rising order."""
    keys: dict[str, int] = {}
    slots: dict[_Key, int] = dict(
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


def _key_number(connection: sqlite3.Connection, key: _Key) -> int:
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


def _unit(connection: sqlite3.Connection, text: str) -> int:
    """Return the number of a unit, giving it one where it is new."""
    text = to_database(text)
    row = connection.execute("SELECT id FROM units WHERE text = ?", (text,)).fetchone()
    if row is None:
        return connection.execute("INSERT INTO units(text) VALUES (?)", (text,)).lastrowid or 0
    return int(row[0])
