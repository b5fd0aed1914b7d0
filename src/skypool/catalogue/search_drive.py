"""Which documents the selective conditions of a query leave: asked of the indexes, with a limit.

Nobody keeps statistics. Each condition is asked for its documents, but for no more than a few
thousand rows: what ends before that is known exactly, and what does not is no condition to begin
with. The rest of the query is then asked of those documents only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from skypool.catalogue.coverages import BOXES
from skypool.catalogue.schema import DOCUMENT, OWN
from skypool.catalogue.search_clause import text_of
from skypool.catalogue.search_keys import KeyCondition, has_beside, key_condition, spellings
from skypool.catalogue.search_sky import answer, wanted
from skypool.catalogue.search_terms import Part
from skypool.catalogue.text import from_database, to_database
from skypool.model.attributes.names import gives_way
from skypool.query.sky import region_of
from skypool.query.tree import And, Call, Compare, Literal, Name, Node, Not, Or
from skypool.sky.polygons import box_of_circle
from skypool.sky.vectors import separation

__all__ = ["Driven", "Driver", "conditions"]

# A few documents are looked at one by one: so many rows are not worth to be read to save it.
_LEAST_ROWS: Final = 64
# All conditions are asked for so many rows at first.
_FIRST_ROWS: Final = 256
_ROWS_A_DOCUMENT: Final = 16
_MOST_DIRECTIONS: Final = 50
_BOX: Final = (
    "b.x0 <= ?2 AND b.x1 >= ?1 AND b.y0 <= ?4 AND b.y1 >= ?3 AND b.z0 <= ?6 AND b.z1 >= ?5"
)


class Driven(NamedTuple):
    """The documents that a condition leaves.

    Attributes
    ----------
    documents : dict
        By number: whether they fulfil it for certain.
    exact : bool
        Whether nothing else is to be asked about it.
    """

    documents: dict[int, bool]
    exact: bool


class TooManyError(Exception):
    """There are more rows than are worth it."""


def conditions(tree: Node) -> list[Node]:
    """Return the conditions that `and` joins, those first that are likely to leave few."""
    items = list(tree.items) if isinstance(tree, And) else [tree]
    return sorted(items, key=_width)


def _width(node: Node) -> int:
    if isinstance(node, Compare) and len(node.rest) == 1 and node.rest[0][0] == "==":
        return 0
    return 1 if isinstance(node, Call) else 2


class Driver:
    """Asks for documents.

    Parameters
    ----------
    connection
        Inside a transaction.
    most
        How many rows a condition may have.
    """

    def __init__(self, connection: sqlite3.Connection, most: int) -> None:
        self._connection = connection
        self._most = most
        self._limit = most
        self._units: dict[int, str] = {}

    def plan(self, nodes: Iterable[Node]) -> tuple[dict[int, bool] | None, list[Node]]:
        """Return the documents that the selective ones of some conditions leave, and the others.

        Returns
        -------
        documents : dict or None
            By number: whether they fulfil all but the others for certain. None where no
            condition is selective.
        others : list of Node
            What else is to be asked.
        """
        others = list(nodes)
        documents: dict[int, bool] | None = None
        for most in (min(_FIRST_ROWS, self._most), self._most):
            documents, others = self._among(others, most) if most else (None, others)
            if documents is not None:
                break
        return documents, others

    def _among(self, nodes: Sequence[Node], most: int) -> tuple[dict[int, bool] | None, list[Node]]:
        documents: dict[int, bool] | None = None
        others: list[Node] = []
        for node in nodes:
            self._limit = most
            if documents is not None:
                self._limit = min(most, max(_LEAST_ROWS, _ROWS_A_DOCUMENT * len(documents)))
            found = self.documents(node, want=True)
            if found is None or not found.exact:
                others.append(node)
            if found is not None:
                documents = _both(documents, found.documents)
        return documents, others

    def documents(self, node: Node, *, want: bool) -> Driven | None:
        """Return the documents of which a condition is known to be *want*; None for too many."""
        if isinstance(node, Not):
            return self.documents(node.item, want=not want)
        if isinstance(node, And | Or):
            if isinstance(node, And) == want:
                return self._all(node.items, want)
            return self._any(node.items, want)
        try:
            condition = key_condition(node, want)
            if condition is not None:
                return self.of_key(condition)
            return self._of_others(node) if want else None
        except TooManyError:
            return None

    def _all(self, items: Sequence[Node], want: bool) -> Driven | None:
        found = [driven for item in items if (driven := self.documents(item, want=want))]
        if not found:
            return None
        documents: dict[int, bool] | None = None
        for driven in found:
            documents = _both(documents, driven.documents)
        exact = len(found) == len(items) and all(driven.exact for driven in found)
        return Driven(documents or {}, exact)

    def _any(self, items: Sequence[Node], want: bool) -> Driven | None:
        documents: dict[int, bool] = {}
        exact = True
        for item in items:
            driven = self.documents(item, want=want)
            if driven is None:
                return None
            for number, sure in driven.documents.items():
                documents[number] = documents.get(number, False) or sure
            exact = exact and driven.exact
            if len(documents) > self._limit:
                return None
        return Driven(documents, exact)

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        rows = self._connection.execute(f"{sql} LIMIT {self._limit + 1}", parameters).fetchall()
        if len(rows) > self._limit:
            raise TooManyError
        return rows

    # -- keys

    def of_key(self, condition: KeyCondition, among: Collection[int] | None = None) -> Driven:
        """Return the documents that fulfil a condition on a key, or those among some.

        Raises
        ------
        TooManyError
            If there are more rows than wanted.
        """
        only = (
            ""
            if among is None
            else f" AND {DOCUMENT.format('t')} IN (SELECT value FROM json_each(?))"
        )
        listed = () if among is None else (json.dumps(list(among)),)
        numbers, own = spellings(self._connection, condition)
        documents: dict[int, bool] = {}
        marks = ", ".join(str(number) for number in numbers)
        for part in condition.parts if numbers else ():
            rows = self._rows(
                f"SELECT {DOCUMENT.format('t')}, t.value, s.unit, {OWN.format('t')}, s.key"
                " FROM slots s JOIN postings t"
                f" ON t.slot = s.id WHERE s.key IN ({marks}) AND {part.where}{only}",
                (*part.parameters, *listed),
            )
            for document, value, unit, its_own, key in rows:
                found = self._decides(part, condition.want, value, unit)
                if not found:
                    continue
                sure = found > 1 and condition.final and its_own and key in own
                if sure and condition.attribute is not None and key > 0:
                    # else it gives way to the attribute, if there is one
                    sure = not gives_way(condition.attribute, value)
                documents[document] = documents.get(document, False) or sure
            if len(documents) > self._limit:
                raise TooManyError
        if condition.unknown:
            rows = self._rows(
                f"SELECT {DOCUMENT.format('t')} FROM keys k JOIN slots s ON s.key = k.id"
                f" JOIN postings t ON t.slot = s.id WHERE k.folded = ?{only}",
                (to_database(condition.unknown.casefold()), *listed),
            )
            for (document,) in rows:
                documents.setdefault(document, False)
        if condition.opposite is not None and has_beside(self._connection, condition):
            positive = self.of_key(condition.opposite, among).documents
            documents = {
                number: sure and number not in positive
                for number, sure in documents.items()
                if not positive.get(number)
            }
        return Driven(documents, True)

    def _decides(self, part: Part, want: bool, value: Any, unit: int) -> int:
        if part.test is None:
            return 2
        text = self._units.get(unit)
        if text is None:
            row = self._connection.execute(
                "SELECT text FROM units WHERE id = ?", (unit,)
            ).fetchone()
            text = self._units[unit] = from_database(row[0]) if row else ""
        return part.decides(value, text, want)

    # -- tags, names, the sky

    def _of_others(self, node: Node) -> Driven | None:
        if isinstance(node, Literal):
            return None if node.value else Driven({}, True)
        if isinstance(node, Compare):
            return self._of_name(node)
        if not isinstance(node, Call):
            return None
        if node.function == "tagged" and (tag := text_of(node.arguments[0])) is not None:
            return self._loose(
                "SELECT v.document FROM tags t JOIN versions v ON v.urn = t.urn WHERE t.tag = ?",
                (to_database(tag),),
            )
        return self._of_sky(node)

    def _of_name(self, node: Compare) -> Driven | None:
        (operator, right), *more = node.rest
        left = node.first
        if more or operator != "==" or not isinstance(left, Name) or left.name != "name":
            return None
        name = text_of(right)
        if name is None:
            return None
        return self._loose(
            "SELECT v.document FROM names n JOIN versions v ON v.track = n.track WHERE n.name = ?",
            (to_database(name),),
        )

    def _loose(self, sql: str, parameters: Sequence[Any]) -> Driven:
        """Return documents of which more is to be asked."""
        return Driven(dict.fromkeys((row[0] for row in self._rows(sql, parameters)), True), False)

    def _of_sky(self, node: Call) -> Driven | None:
        if node.function == "within":
            return self._within(node)
        regions = wanted(node)
        if not regions or len(regions) > _MOST_DIRECTIONS:
            return None
        documents: dict[int, bool] = {}
        for region in regions:
            rows = self._rows(
                "SELECT c.document, c.parts FROM boxes b CROSS JOIN coverages c"
                f" ON c.document = b.id / {BOXES} WHERE {_BOX}",
                region.box,
            )
            known: dict[bytes, int] = {}
            for document, parts in rows:
                if parts not in known:
                    known[parts] = answer(parts, region.ask)
                if known[parts]:
                    documents[document] = documents.get(document, False) or known[parts] > 1
            if len(documents) > self._limit:
                return None
        return Driven(documents, True)

    def _within(self, node: Call) -> Driven | None:
        region = region_of(node)
        if region is None or not 0 < len(region.directions) <= _MOST_DIRECTIONS:
            return None
        documents: dict[int, bool] = {}
        for direction in region.directions:
            box = box_of_circle(direction, region.radius)
            rows = self._rows(f"SELECT b.id, b.x, b.y, b.z FROM points b WHERE {_BOX}", box)
            documents.update(
                (document, True)
                for document, x, y, z in rows
                if separation((x, y, z), direction) <= region.radius
            )
            if len(documents) > self._limit:
                return None
        return Driven(documents, True)


def _both(one: dict[int, bool] | None, other: dict[int, bool]) -> dict[int, bool]:
    """Return what is in both."""
    if one is None:
        return other
    if len(other) < len(one):
        one, other = other, one
    return {number: sure and other[number] for number, sure in one.items() if number in other}
