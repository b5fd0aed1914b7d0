"""Queries answered by the SQLite catalogue.

For every condition the catalogue says where it *may* hold and where it *surely* does, and the
same of its opposite, since ``not`` turns the two about. Products for which the two agree are
answered; the few in between are left to `skypool.query.evaluate`, which defines what is right.

Selective conditions are asked first (`search_drive`). What else there is goes to SQL for a few
thousand products (`search_compile`), and to arrays for more (`search_arrays`).
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from skypool.catalogue.checks import NAME, VERSION, guarded
from skypool.catalogue.database import Database, explained
from skypool.catalogue.identity import Identity
from skypool.catalogue.in_memory import kept_columns
from skypool.catalogue.indexing import document_numbers
from skypool.catalogue.interface import NUMBERS, VersionRow
from skypool.catalogue.known_rows import Believed, known_rows
from skypool.catalogue.search_clause import EVERYTHING, UNDECIDED, Clause, joined
from skypool.catalogue.search_compile import DEEPEST, MOST_NODES, REFUSED, Compiler
from skypool.catalogue.search_drive import Driver, conditions
from skypool.catalogue.text import from_database
from skypool.model.kinds import subkinds
from skypool.query.tree import Literal, Node, walk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skypool.catalogue.columns import Columns

__all__ = ["Found", "Limits", "Scope", "find_numbers"]

_Row = tuple[Any, ...]
# The check sums of the rows of a version, in one number.
_CHECK_SUMS: Final = "(v.crc | (((d.crc + n.crc) & 2147483647) << 32))"
# Rows that are kept whole: whoever looks at the first hits need not ask again.
_ROWS_KEPT: Final = 256
# So few hits from arrays are loaded at once, which checks their rows.
_ROWS_CHECKED: Final = 128


class Limits(NamedTuple):
    """From where on which way is taken; the answers are the same.

    Attributes
    ----------
    driven : int
        Rows that a selective condition may have.
    few : int
        So many products are looked at one by one rather than to read what an index says of all.
    rows : int
        So many products are taken from tables, more from arrays if these are in memory.
    """

    driven: int = 4096
    few: int = 64
    rows: int = 512


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
    contents : array of int, optional
        The same number for the same content: the same document, and no references. None if no
        two have the same.
    undecided : set of int
        Those for which the evaluator must say.
    rows : dict
        The first of them as the catalogue has them, by number; perhaps none.
    """

    numbers: array[int]
    contents: array[int] | None
    undecided: frozenset[int]
    rows: dict[int, VersionRow]


def find_numbers(
    database: Database, tree: Node, at: int, scope: Scope, limits: Limits | None = None
) -> Found:
    """Return the versions that a query may find, as numbers.

    Few rows of versions are checked as they are found, many when they are loaded to be looked at.

    Parameters
    ----------
    database
        The catalogue's.
    tree
        The query, all names bound.
    at
        The commit as of which the question is asked.
    scope
        Which versions count.
    limits
        When to take which way.
    """
    with database.reading() as connection, explained(database.path):
        return _Search(database, connection, at, scope, limits or Limits()).find(tree)


@dataclass(frozen=True, slots=True)
class _Search:
    """One question, inside a transaction."""

    database: Database
    connection: sqlite3.Connection
    at: int
    scope: Scope
    limits: Limits

    def find(self, tree: Node) -> Found:
        documents, rest = Driver(self.connection, self.limits.driven).plan(conditions(tree))
        documents = self._scoped(documents)
        if documents is None:
            by_tables = self.scope.all_versions or self._is_small()
            return self._by_tables(None, [tree]) if by_tables else self._all(rest)
        from_arrays = self._many(documents, rest)
        if from_arrays is not None:
            return from_arrays
        if len(documents) > self.limits.few or kept_columns(self.database) is not None:
            documents, rest = self._narrowed(documents, rest)
        return self._by_tables(documents, rest)

    def _scoped(self, documents: dict[int, bool] | None) -> dict[int, bool] | None:
        """Leave the documents of the scope."""
        if self.scope.documents is None:
            return documents
        listed = document_numbers(self.connection, list(self.scope.documents)).values()
        if documents is None:
            return dict.fromkeys(listed, True)
        return {number: documents[number] for number in listed if number in documents}

    def _is_small(self) -> bool:
        """Tell whether tables answer as soon as numpy is loaded."""
        if kept_columns(self.database) is not None:
            return False
        sql = "SELECT coalesce(sum(documents), 0) FROM runs"
        return bool(self.connection.execute(sql).fetchone()[0] <= self.limits.driven)

    # -- arrays

    def _all(self, rest: Sequence[Node]) -> Found:
        """Ask all newest versions."""
        from skypool.catalogue.columns import columns_of

        with columns_of(self.database).reading() as columns:
            return self._by_arrays(columns, None, rest)

    def _many(self, documents: dict[int, bool], rest: Sequence[Node]) -> Found | None:
        """Ask the newest versions of many documents; None if that is not worth it."""
        if self.scope.all_versions or len(documents) <= self.limits.rows:
            return None
        from skypool.catalogue.columns import columns_of

        with columns_of(self.database).reading() as columns:
            if not columns.has_visible and len(documents) <= self.limits.driven:
                return None
            return self._by_arrays(columns, documents, rest)

    def _by_arrays(
        self, columns: Columns, documents: dict[int, bool] | None, rest: Sequence[Node]
    ) -> Found:
        import numpy as np

        from skypool.catalogue.search_arrays import ArraySearch
        from skypool.catalogue.search_key_arrays import Candidates

        visible = columns.visible(self.at)
        asked = Candidates(visible.documents, visible.urns)
        search = ArraySearch(self.connection, columns, self.at)
        places, sure = np.arange(len(asked), dtype=np.int32), np.ones(len(asked), bool)
        if documents is not None:
            answers = np.zeros(int(visible.documents.max(initial=0)) + 1, np.uint8)
            for number, certain in documents.items():
                if number < len(answers):
                    answers[number] = 1 + certain
            found = answers[visible.documents]
            places = np.flatnonzero(found).astype(np.int32)
            sure = found[places] > 1
        if self.scope.kind is not None and self.scope.kind != "Product":
            mine = search.of_kind(self.scope.kind, asked.taken(places))
            places, sure = places[mine], sure[mine]
        if len(places) < len(asked):
            asked = asked.taken(places)
        inner, certain_too, _ = search.narrowed(rest, asked)
        places, sure = places[inner], sure[inner] & certain_too
        numbers = visible.urns[places]
        contents = None
        if not visible.unique:
            contents = _listed(visible.contents(places))
        undecided = frozenset(numbers[~sure].tolist())
        rows = {}
        if len(numbers) <= _ROWS_CHECKED:
            rows = Identity(self.database).numbered_all(numbers.tolist(), self.at)
        return Found(_listed(numbers), contents, undecided, rows)

    def _narrowed(
        self, documents: dict[int, bool], rest: Sequence[Node]
    ) -> tuple[dict[int, bool], list[Node]]:
        """Ask documents what columns know; return those that are left, and the other conditions."""
        import numpy as np

        from skypool.catalogue.columns import columns_of
        from skypool.catalogue.search_arrays import ArraySearch, is_of_documents
        from skypool.catalogue.search_key_arrays import Candidates

        with columns_of(self.database).reading() as columns:
            search = ArraySearch(self.connection, columns, self.at)
            mine = [node for node in rest if is_of_documents(node)]
            others = [node for node in rest if not is_of_documents(node)]
            numbers = np.fromiter(documents, np.int64, len(documents))
            asked = Candidates(numbers)
            places, sure, unasked = search.narrowed(mine, asked, self.limits.few)
        left = {
            number: documents[number] and certain
            for number, certain in zip(numbers[places].tolist(), sure.tolist(), strict=True)
        }
        return left, [*others, *unasked]

    # -- tables

    def _by_tables(self, documents: dict[int, bool] | None, rest: Sequence[Node]) -> Found:
        """Ask SQL, of some documents or of all."""
        known = Believed(known_rows(self.database))
        probing = documents is not None
        few = documents is not None and len(documents) <= self.limits.few
        compiler = Compiler(self.at, probing=probing, few=few)
        clauses = [UNDECIDED if _large(node) else compiler.clause(node, True, "v") for node in rest]
        clause = joined("AND", clauses) if clauses else EVERYTHING
        try:
            return _numbers(self._rows(compiler, clause, documents, known), documents, known)
        except sqlite3.OperationalError as error:
            if not REFUSED.search(str(error)):
                raise
            compiler = Compiler(self.at)
            return _numbers(self._rows(compiler, UNDECIDED, documents, known), documents, known)

    def _rows(
        self,
        compiler: Compiler,
        clause: Clause,
        documents: dict[int, bool] | None,
        known: Believed,
    ) -> sqlite3.Cursor:
        newest = "" if self.scope.all_versions else " AND v.until > :at"
        if self.scope.kind is not None and self.scope.kind != "Product":
            marks = ", ".join(
                compiler.parameter(name) for name in sorted(subkinds(self.scope.kind))
            )
            newest += f" AND d.kind IN ({marks})"
        if documents is not None:
            listed = compiler.parameter(json.dumps(list(documents)))
            newest += f" AND v.document IN (SELECT value FROM json_each({listed}))"
        sql = (
            # What is found is checked; the index that it is found by is not (design 009).
            f"SELECT CASE WHEN row_known(v.urn, {_CHECK_SUMS}) OR ({VERSION} AND {NAME})"
            " THEN v.urn END,"
            " v.track, v.version, d.digest, d.kind, d.type, d.size, v.total, v.since, n.name, :at,"
            f" {'1' if clause.sure == clause.maybe else clause.sure}, v.document,"
            f" CASE WHEN v.children THEN -v.urn ELSE v.document END, {_CHECK_SUMS}"
            " FROM versions v JOIN documents d ON d.id = v.document JOIN names n"
            " ON n.track = v.track AND n.since <= :at AND n.until > :at"
            f" WHERE v.since <= :at{newest} AND v.purged = 0 AND ({clause.maybe})"
            " ORDER BY n.name, v.version"
        )
        compiler.register(self.connection)
        self.connection.create_function("row_known", 2, guarded(known.holds))
        return self.connection.execute(sql, {"at": self.at, **compiler.parameters})


def _listed(numbers: NDArray[np.int32]) -> array[int]:
    found = array(NUMBERS)
    found.frombytes(numbers.view("u1").data)
    return found


def _large(node: Node) -> bool:
    """Tell whether a condition is beyond what SQLite takes."""
    return node.depth > DEEPEST or sum(not isinstance(n, Literal) for n in walk(node)) > MOST_NODES


def _numbers(rows: Iterable[_Row], documents: dict[int, bool] | None, known: Believed) -> Found:
    numbers, contents = array(NUMBERS), array(NUMBERS)
    undecided: set[int] = set()
    kept: dict[int, VersionRow] = {}
    for *row, decided, document, content, token in rows:
        number = row[0]
        numbers.append(number)
        known.rows.note(number, token)
        contents.append(content)
        if not decided or (documents is not None and not documents[document]):
            undecided.add(number)
        if len(kept) < _ROWS_KEPT and number in known.checked:
            row[5], row[9] = from_database(row[5]), from_database(row[9])
            kept[number] = VersionRow(*row)
    several = len(set(contents)) < len(contents)
    return Found(numbers, contents if several else None, frozenset(undecided), kept)
