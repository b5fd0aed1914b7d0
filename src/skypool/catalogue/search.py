"""Queries answered by the SQLite catalogue.

The tree becomes SQL over versions, names, tags, references and the inverted table of metadata. For
every condition the driver says where it *may* hold and where it *surely* does, and the same of its
opposite, since ``not`` turns the two about. Products for which the two agree are answered; the few
in between are left to `skypool.query.evaluate`, which defines what is right.
"""

from __future__ import annotations

import json
import re
import sqlite3
from array import array
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from skypool.catalogue.checks import NAME, VERSION, guarded
from skypool.catalogue.database import Database, explained
from skypool.catalogue.indexing import document_numbers
from skypool.catalogue.interface import VersionRow
from skypool.catalogue.known_rows import Believed, known_rows
from skypool.catalogue.search_clause import UNDECIDED, Clause
from skypool.catalogue.search_compile import MOST_NODES, Compiler
from skypool.catalogue.text import from_database
from skypool.model.kinds import subkinds
from skypool.query.tree import Literal, Node, walk

__all__ = ["Candidate", "Found", "Scope", "find_numbers", "search"]

T = TypeVar("T")
_Row = tuple[Any, ...]
# The check sums of the rows of a version, in one number.
_CHECK_SUMS: Final = "(v.crc | (((d.crc + n.crc) & 2147483647) << 32))"
# Rows that are kept whole: whoever looks at the first hits need not ask again.
_ROWS_KEPT: Final = 256

# Statements beyond SQLite's limits are left to the evaluator alone.
_DEEPEST: Final = 20
_REFUSED: Final = re.compile("parser stack overflow|too large|too many|too deep|too complex")


class Candidate(NamedTuple):
    """A version that a query may find.

    Attributes
    ----------
    row : VersionRow
    decided : bool
        Whether it is found for certain; else the evaluator must say.
    """

    row: VersionRow
    decided: bool


class Scope(NamedTuple):
    """Which versions a query is asked of.

    Attributes
    ----------
    all_versions : bool
        Whether older versions answer too, before the newer ones of their track.
    documents : collection of bytes, optional
        Digests of the only documents that count.
    kind : str, optional
        Only this kind, sub-kinds included.
    """

    all_versions: bool = False
    documents: Collection[bytes] | None = None
    kind: str | None = None


class Found(NamedTuple):
    """The versions that a query may find, in the order of names.

    Attributes
    ----------
    numbers : array of int
        Numbers of the versions.
    contents : array of int
        The same number for the same content: the same document, and no references.
    undecided : set of int
        Those for which the evaluator must say.
    rows : dict
        The first of them as the catalogue has them, by number.
    """

    numbers: array[int]
    contents: array[int]
    undecided: frozenset[int]
    rows: dict[int, VersionRow]


def search(
    database: Database,
    tree: Node,
    at: int,
    *,
    all_versions: bool = False,
    documents: Collection[bytes] | None = None,
    text: str = "",
) -> list[Candidate]:
    """Return the versions that a query may find, in the order of names.

    Parameters
    ----------
    database
        The catalogue's.
    tree
        The query, all names bound.
    at
        The commit as of which the question is asked.
    all_versions
        Whether older versions answer too, before the newer ones of their track.
    documents
        Digests of the only documents that count; None for all.
    text
        The query as written, for errors.
    """
    scope = Scope(all_versions, documents)
    return _asked(database, tree, at, scope, lambda rows, _: [_candidate(row[:-2]) for row in rows])


def find_numbers(database: Database, tree: Node, at: int, scope: Scope) -> Found:
    """Return the versions that a query may find, as numbers; see `search`.

    The rows of versions are checked when a process finds them for the first time, and again when
    they are loaded to be looked at.
    """
    return _asked(database, tree, at, scope, _numbers)


def _asked(
    database: Database,
    tree: Node,
    at: int,
    scope: Scope,
    take: Callable[[Iterable[_Row], Believed], T],
) -> T:
    nodes = sum(1 for node in walk(tree) if not isinstance(node, Literal))
    large = tree.depth > _DEEPEST or nodes > MOST_NODES
    compiler = Compiler(at)
    known = Believed(known_rows(database))
    clause = UNDECIDED if large else compiler.clause(tree, True, "v")
    with database.reading() as connection, explained(database.path):
        try:
            return take(_rows(connection, compiler, clause, scope, known), known)
        except sqlite3.OperationalError as error:
            if not _REFUSED.search(str(error)):
                raise
            return take(_rows(connection, Compiler(at), UNDECIDED, scope, known), known)


def _numbers(rows: Iterable[_Row], known: Believed) -> Found:
    numbers, contents = array("q"), array("q")
    undecided: set[int] = set()
    kept: dict[int, VersionRow] = {}
    for row in rows:
        number = row[0]
        numbers.append(number)
        known.rows.note(number, row[-1])
        contents.append(row[-2])
        if not row[-3]:
            undecided.add(number)
        if len(kept) < _ROWS_KEPT and number in known.checked:
            kept[number] = _candidate(row[:-2]).row
    return Found(numbers, contents, frozenset(undecided), kept)


def _rows(
    connection: sqlite3.Connection,
    compiler: Compiler,
    clause: Clause,
    scope: Scope,
    known: Believed,
) -> sqlite3.Cursor:
    newest = "" if scope.all_versions else " AND v.until > :at"
    if scope.kind is not None and scope.kind != "Product":
        marks = ", ".join(compiler.parameter(name) for name in sorted(subkinds(scope.kind)))
        newest += f" AND d.kind IN ({marks})"
    if scope.documents is not None:
        numbers = document_numbers(connection, list(scope.documents)).values()
        listed = compiler.parameter(json.dumps(list(numbers)))
        newest += f" AND v.document IN (SELECT value FROM json_each({listed}))"
    sql = (
        # What is found is checked; the index that it is found by is not (docs/design/009-rot.md).
        f"SELECT CASE WHEN row_known(v.urn, {_CHECK_SUMS}) OR ({VERSION} AND {NAME})"
        " THEN v.urn END,"
        " v.track, v.version, d.digest, d.kind, d.type, d.size, v.total, v.since, n.name, :at,"
        f" {'1' if clause.sure == clause.maybe else clause.sure},"
        f" CASE WHEN v.children THEN -v.urn ELSE v.document END, {_CHECK_SUMS}"
        " FROM versions v JOIN documents d ON d.id = v.document JOIN names n ON n.track = v.track"
        " AND n.since <= :at AND n.until > :at"
        f" WHERE v.since <= :at{newest} AND v.purged = 0 AND ({clause.maybe})"
        " ORDER BY n.name, v.version"
    )
    compiler.register(connection)
    connection.create_function("row_known", 2, guarded(known.holds))
    return connection.execute(sql, {"at": compiler.at, **compiler.parameters})


def _candidate(row: _Row) -> Candidate:
    *values, decided = row
    values[5], values[9] = from_database(values[5]), from_database(values[9])
    return Candidate(VersionRow(*values), bool(decided))
