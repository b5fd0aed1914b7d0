"""What verification asks of the tables that SQLite itself does not check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from skypool.catalogue.attributes import ATTRIBUTES_ROW
from skypool.catalogue.beside import TablesBeside
from skypool.catalogue.checks import COMMIT, DOCUMENT, NAME, REF, TAG, VERSION, crc_of_row
from skypool.catalogue.database import Database, explained
from skypool.catalogue.interface import Term
from skypool.catalogue.text import to_database

__all__ = ["TermSums", "damaged_rows"]

_LISTED = 20


def _right(check: str) -> str:
    """Turn a check that stops the question into one that only answers."""
    crc, _, values = check.partition("(")[2].partition(", ")[2].partition(", ")
    return f"{crc} IS NOT crc_of_row({values}"


_TABLES = (
    ("names", "n.name", f"names n WHERE {_right(NAME)}"),
    ("tags", "t.tag", f"tags t WHERE {_right(TAG)}"),
    ("refs", "r.parent", f"refs r WHERE {_right(REF)}"),
    ("commits", "c.number", f"commits c WHERE {_right(COMMIT)}"),
    ("documents", "hex(d.digest)", f"documents d WHERE {_right(DOCUMENT)}"),
    (
        "versions",
        "v.urn",
        "versions v LEFT JOIN documents d ON d.id = v.document"
        f" WHERE {_right(VERSION.partition(' AND ')[0])}",
    ),
    ("attributes", "a.document", f"attributes a WHERE {ATTRIBUTES_ROW}"),
    ("state", "key", "state WHERE crc IS NOT crc_of_row(key, value)"),
    (
        "versions",
        "v.urn",
        "versions v JOIN versions w ON w.track = v.track AND w.version = v.version + 1"
        " WHERE v.until != w.since",
    ),
    (
        "names",
        "n.name",
        "names n JOIN names m ON m.track = n.track AND m.since > n.since WHERE n.until > m.since",
    ),
    (
        "refs",
        "v.urn",
        "versions v WHERE v.children != (SELECT count(*) FROM refs r WHERE r.parent = v.urn)",
    ),
)


def damaged_rows(database: Database) -> Iterator[tuple[str, str]]:
    """Return table and key of rows that are not what was written; some, where there are many."""
    for table, key, rest in _TABLES:
        for (found,) in database.query(f"SELECT {key} FROM {rest} LIMIT {_LISTED}"):
            yield table, str(found)


class TermSums(TablesBeside):
    """The searchable values of each document as the tables have them, as a number and a sum.

    Parameters
    ----------
    database
        The catalogue's.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, _SUMS)

    def fits(self, document: int, terms: Iterable[Term]) -> bool:
        """Return whether a document has exactly these values."""
        wanted = {_key(term): term for term in terms}
        expected = (len(wanted), sum(_crc(term) for term in wanted.values()))
        with explained(self._database.path):
            row = self._connection.execute(
                "SELECT count, total FROM sums WHERE document = ?", (document,)
            ).fetchone()
            if (row or (0, 0)) == expected:
                return True
            # It may be younger than the sums.
            row = self._connection.execute(
                f"SELECT count(*), coalesce(sum({_TERM}), 0) FROM {_TERMS} WHERE t.document = ?",
                (document,),
            ).fetchone()
        return bool(row == expected)


_TERM = "crc_of_row(coalesce(k.name, t.key), coalesce(k.folded, t.key), t.value, u.text, t.place)"
_TERMS = "terms t LEFT JOIN keys k ON k.id = t.key LEFT JOIN units u ON u.id = t.unit"
_SUMS = (
    "CREATE TEMP TABLE sums AS SELECT t.document AS document, count(*) AS count,"
    f" sum({_TERM}) AS total FROM {_TERMS} GROUP BY t.document",
    "CREATE INDEX temp.sums_document ON sums(document)",
)


def _key(term: Term) -> tuple[Any, ...]:
    """Return what tells a row from others; of equal numbers SQLite keeps the first."""
    value = to_database(term.value) if type(term.value) is str else term.value
    return term.key, type(value) in (int, float), value, term.place, term.unit


def _crc(term: Term) -> int:
    value = to_database(term.value) if type(term.value) is str else term.value
    key = term.key
    return crc_of_row(
        to_database(key) if isinstance(key, str) else key,
        to_database(key.casefold()) if isinstance(key, str) else key,
        value,
        to_database(term.unit),
        term.place,
    )
