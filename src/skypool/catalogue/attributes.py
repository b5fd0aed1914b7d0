"""Core attributes in the catalogue: made by the rules, kept in a wide table and as terms.

The table is what counts: a pool has the attributes that the rules gave when a product was indexed,
whoever looks at it with whatever rules. `skypool reindex` applies other rules to all products.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from skypool.catalogue.batches import insert_many
from skypool.catalogue.checks import crc_of_row
from skypool.catalogue.text import from_database, to_database
from skypool.codec.parameter_columns import ParameterColumns
from skypool.config import from_environment
from skypool.model.attributes.names import CORE, TEXTS, gives_way, stands_beside
from skypool.model.metadata import MetaData, Parameter

if TYPE_CHECKING:
    from skypool.catalogue.database import Database
    from skypool.catalogue.interface import IndexedDocument, Listed
    from skypool.model.attributes.engine import Engine

__all__ = [
    "ATTRIBUTES_ROW",
    "ATTRIBUTE_KEYS",
    "BESIDE_KEYS",
    "attributes_of",
    "delete_attributes",
    "insert_attributes",
    "read_attributes",
    "reload_rules",
    "visible",
]

ATTRIBUTE_KEYS: Final[Mapping[str, int]] = {
    attribute.name: -1 - n for n, attribute in enumerate(CORE)
}
"""Numbers that stand for the core attributes where those of metadata keys do, in `slots`."""
BESIDE_KEYS: Final[Mapping[str, int]] = {
    name: number - 1000 for name, number in ATTRIBUTE_KEYS.items() if name in TEXTS
}
"""The same for those that answer beside a product's own key (`stands_beside`)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_COLUMNS: Final = ", ".join(f'"{attribute.name}"' for attribute in CORE)
_INSERT: Final = f"INSERT OR REPLACE INTO attributes(document, {_COLUMNS}, crc) VALUES"
_VALUES: Final = ", ".join(
    f'(SELECT text FROM texts WHERE id = a."{attribute.name}")'
    if attribute.coded
    else f'a."{attribute.name}"'
    for attribute in CORE
)
ATTRIBUTES_ROW: Final = f"crc IS NOT crc_of_row(document, {_VALUES})"
"""Whether a row of the table `attributes a` is not what was written, its texts included."""
# Of each attribute, its place in a row and its type; the places of coded ones.
_PLACES: Final = {each.name: (place, each.type) for place, each in enumerate(CORE, 1)}
_CODED: Final = [place for place, each in enumerate(CORE, 1) if each.coded]
_NOTHING: Final = (None,) * len(CORE)
_UNITS: Final = {attribute.name: attribute.unit for attribute in CORE}


@lru_cache(maxsize=1)
def _engine() -> Engine:
    from skypool.model.attributes.engine import load

    return load(from_environment().rules)


def attributes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the core attributes of a product document, by the rules of this process.

    Raises
    ------
    UsageError
        If a rule file of the user is wrong.
    """
    return _engine().attributes(document)


def reload_rules() -> None:
    """Read the rule files again before the next product is indexed."""
    _engine.cache_clear()


def visible(meta: Listed, attributes: Mapping[str, Any]) -> Iterator[tuple[int, Any, str]]:
    """Yield those attributes that a bare name finds, also beside own keys: key, value, unit.

    Parameters
    ----------
    meta
        The product's own metadata.
    attributes
        All attributes of the product.
    """
    columns = ParameterColumns.of(meta)
    own = _own_places(columns.names)
    for name, value in attributes.items():
        places = own.get(name)
        values = () if places is None else [columns.values[place] for place in places]
        if all(gives_way(name, each) for each in values):
            yield ATTRIBUTE_KEYS[name], value, _UNITS[name]
        elif name in TEXTS and stands_beside(name, value, values):
            yield BESIDE_KEYS[name], value, ""


@lru_cache(maxsize=1024)
def _own_places(keys: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Return where keys stand that are called like core attributes."""
    found: dict[str, tuple[int, ...]] = {}
    for place, key in enumerate(keys):
        folded = key.casefold()
        if folded in ATTRIBUTE_KEYS:
            found[folded] = (*found.get(folded, ()), place)
    return found


def insert_attributes(
    connection: sqlite3.Connection, numbered: Iterable[tuple[int, IndexedDocument]]
) -> None:
    """Write the attributes of documents, given with their numbers."""
    texts: dict[str, int] = {}
    insert_many(
        connection,
        _INSERT,
        len(CORE) + 2,
        [
            _row(connection, texts, number, document.attributes)
            for number, document in numbered
            if document.attributes
        ],
    )


def _row(
    connection: sqlite3.Connection, texts: dict[str, int], number: int, found: Mapping[str, Any]
) -> list[Any]:
    row: list[Any] = [number, *_NOTHING]
    for name, value in found.items():
        column = _PLACES.get(name)
        if column is None or value is None:
            continue
        place, kind = column
        if kind == "text":
            value = to_database(value)
        elif kind == "time":
            value = (value - _EPOCH) // _MICROSECOND
        row[place] = value
    crc = crc_of_row(*row)
    for place in _CODED:
        value = row[place]
        if value is not None:
            code = texts.get(value)
            row[place] = texts.setdefault(value, _code(connection, value)) if code is None else code
    row.append(crc)
    return row


def _code(connection: sqlite3.Connection, text: str) -> int:
    row = connection.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()
    if row is None:
        return connection.execute("INSERT INTO texts(text) VALUES (?)", (text,)).lastrowid or 0
    return int(row[0])


def read_attributes(database: Database, digest: bytes) -> MetaData:
    """Return the attributes of a document as parameters, empty where there are none.

    Raises
    ------
    Damaged
        If the row is not what was written.
    """
    rows = database.query(
        f"SELECT a.crc, a.document, {_VALUES} FROM attributes a"
        " WHERE a.document = (SELECT id FROM documents WHERE digest = ?)",
        (digest,),
    )
    found: dict[str, Parameter] = {}
    for crc, document, *row in rows:
        if crc != crc_of_row(document, *row):
            from skypool.catalogue.integers import damaged  # numpy

            raise damaged("attributes of a document are not what was written")
        found.update(_parameters(row))
    return MetaData(found)


def _parameters(row: Sequence[Any]) -> Iterator[tuple[str, Parameter]]:
    for attribute, value in zip(CORE, row, strict=True):
        if value is None:
            continue
        if attribute.type == "time":
            value = _EPOCH + timedelta(microseconds=value)
        elif attribute.type == "text":
            value = from_database(value)
        yield attribute.name, Parameter(value, attribute.unit, attribute.description)


def delete_attributes(connection: sqlite3.Connection, documents: Iterable[tuple[int]]) -> None:
    """Forget the attributes of documents, given by number."""
    connection.executemany("DELETE FROM attributes WHERE document = ?", documents)
