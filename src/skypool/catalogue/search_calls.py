"""Functions of queries as SQL: keys that are there, tags, and the tree of references."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from skypool.catalogue.extremes import PREFIX
from skypool.catalogue.schema import TEXT_LIMIT
from skypool.catalogue.search_clause import (
    EVERYTHING,
    UNDECIDED,
    Clause,
    among,
    each,
    first_of,
    joined,
    text_of,
)
from skypool.catalogue.search_terms import CANONICAL, TEXTS
from skypool.catalogue.text import from_database, to_database
from skypool.query.mentions import word_of
from skypool.query.subject import core_attribute, matching_roles
from skypool.query.tree import ATTRIBUTES, Call, Node

if TYPE_CHECKING:
    from skypool.catalogue.search_compile import Compiler

__all__ = ["CALLS"]

# Keys of metadata: neither core attributes, which have numbers below 0, nor extremes of datasets.
_KEYS: Final = f"SELECT k.id FROM keys k WHERE substr(k.name, 1, 1) <> '{PREFIX}'"


def _has(self: Compiler, node: Call, v: str) -> Clause:
    key = text_of(node.arguments[0])
    if key is None:
        return UNDECIDED
    found = self.with_key(key, v, core_attribute(key))
    if key in ("hash", "path"):
        there = f"{self.column(key, v)} IS NOT NULL"
        return joined("OR", [Clause(there, there), found])
    return EVERYTHING if key in ATTRIBUTES else found


def _missing(self: Compiler, node: Call, v: str) -> Clause:
    return _has(self, node, v).opposite


def _tagged(self: Compiler, node: Call, v: str) -> Clause:
    tag = text_of(node.arguments[0])
    if tag is None:
        return UNDECIDED
    condition = (
        f"{v}.urn IN (SELECT urn FROM tags WHERE tag = {self.parameter(to_database(tag))}"
        " AND since <= :at AND until > :at)"
    )
    return Clause(condition, condition)


def _mentions(self: Compiler, node: Call, v: str) -> Clause:
    """Return where a word stands; texts are indexed up to a limit."""
    text = text_of(node.arguments[0])
    if text is None or (self.few and v == "v"):
        return UNDECIDED
    word = word_of(text)
    part = self.parameter(to_database(word.text))
    named = f"instr(lower({self.column('name', v)}), {part}) > 0"
    tagged = (
        f"EXISTS (SELECT 1 FROM tags t WHERE t.urn = {v}.urn AND t.since <= :at"
        f" AND t.until > :at AND instr(lower(t.tag), {part}) > 0)"
    )
    source = f"SELECT t.document FROM terms t WHERE t.key > 0 AND {TEXTS}"
    holds = f"instr(lower(t.value), {part}) > 0"
    begins = f"substr(lower(t.value), 1, {len(to_database(word.text))}) = {part}"
    texts = f"CASE WHEN {CANONICAL} THEN {begins} ELSE {holds} END"
    queries = [f"{source} AND {texts}"]
    if word.number is not None:
        number = self.parameter(word.number)
        queries.append(
            f"SELECT t.document FROM terms t WHERE t.key IN ({_KEYS}) AND t.value = {number}"
        )
    sure = f"({named} OR {tagged} OR {among(f'{v}.document', queries)})"
    cut = f"{v}.document IN ({source} AND length(t.value) >= {TEXT_LIMIT})"
    return Clause(f"({sure} OR {cut})", sure)


def _seen(v: str) -> str:
    """Return the condition that a version is a newest one that has a name."""
    return (
        f"{v}.since <= :at AND {v}.until > :at AND EXISTS (SELECT 1 FROM names s"
        f" WHERE s.track = {v}.track AND s.since <= :at AND s.until > :at)"
    )


def _inner(self: Compiler, condition: Node | None, v: str) -> Clause:
    return EVERYTHING if condition is None else self.clause(condition, True, v)


def _parent(self: Compiler, node: Call, v: str) -> Clause:
    w = self.alias()
    inner = _inner(self, first_of(node), w)
    query = (
        f"SELECT r.child FROM refs r JOIN versions {w} ON {w}.urn = r.parent"
        f" WHERE r.child IS NOT NULL AND {_seen(w)}"
    )
    return each(inner, lambda part: f"{v}.urn IN ({query} AND ({part}))")


def _ancestor(self: Compiler, node: Call, v: str) -> Clause:
    w, x = self.alias(), self.alias()
    inner = _inner(self, first_of(node), w)

    def query(part: str) -> str:
        return (
            f"{v}.urn IN (WITH RECURSIVE below(urn) AS (SELECT r.child FROM refs r"
            f" JOIN versions {w} ON {w}.urn = r.parent WHERE r.child IS NOT NULL"
            f" AND {_seen(w)} AND ({part})"
            f" UNION SELECT r.child FROM below b JOIN refs r ON r.parent = b.urn"
            f" JOIN versions {x} ON {x}.urn = b.urn WHERE r.child IS NOT NULL"
            f" AND {_seen(x)}) SELECT urn FROM below)"
        )

    return each(inner, query)


def _descendant(self: Compiler, node: Call, v: str) -> Clause:
    w = self.alias()
    inner = _inner(self, first_of(node), w)

    def query(part: str) -> str:
        return (
            f"{v}.urn IN (WITH RECURSIVE above(urn) AS (SELECT r.parent FROM refs r"
            f" JOIN versions {w} ON {w}.urn = r.child WHERE ({part})"
            " UNION SELECT r.parent FROM above a JOIN refs r ON r.child = a.urn)"
            " SELECT urn FROM above)"
        )

    return each(inner, query)


def _child(self: Compiler, node: Call, v: str) -> Clause:
    role = text_of(node.arguments[0])
    if role is None and len(node.arguments) == 2:
        return UNDECIDED
    condition = None if role is not None and len(node.arguments) == 1 else node.arguments[-1]
    w = self.alias()
    inner = _inner(self, condition, w)
    roles = EVERYTHING if role is None else _roles(self, role)
    query = f"SELECT r.parent FROM refs r JOIN versions {w} ON {w}.urn = r.child WHERE"
    both = joined("AND", [roles, inner])
    return each(both, lambda part: f"{v}.urn IN ({query} ({part}))")


def _has_ref(self: Compiler, node: Call, v: str) -> Clause:
    role = text_of(node.arguments[0])
    if role is None:
        return UNDECIDED
    # some role means it if any of the possible ones is there
    condition = f"{v}.urn IN (SELECT r.parent FROM refs r WHERE {_roles(self, role).maybe})"
    return Clause(condition, condition)


def _roles(self: Compiler, role: str) -> Clause:
    loose = self.tested(
        "r.role", lambda stored: bool(matching_roles([from_database(stored)], role)), True
    )
    return Clause(loose.maybe, f"r.role = {self.parameter(to_database(role))}")


def _refers_to(self: Compiler, node: Call, v: str) -> Clause:
    wanted = text_of(node.arguments[0])
    if wanted is None:
        return UNDECIDED
    outside = f"r.external = {self.parameter(to_database(wanted))}"
    number = wanted.rpartition(":")[2]
    names = [wanted] + [wanted[:n] for n, letter in enumerate(wanted) if letter == "@"]
    marks = ", ".join(self.parameter(to_database(name)) for name in names[:50])
    inside = f"r.child IN (SELECT c.urn FROM names m JOIN versions c ON c.track = m.track WHERE m.name IN ({marks}))"  # noqa: E501
    if number.isascii() and number.isdigit():
        inside += f" OR r.child = {self.parameter(int(number[:18]))}"
    query = f"{v}.urn IN (SELECT r.parent FROM refs r WHERE {{}})"
    return Clause(query.format(f"{outside} OR {inside}"), query.format(outside))


CALLS: Final[dict[str, Callable[[Compiler, Call, str], Clause]]] = {
    "has": _has,
    "missing": _missing,
    "tagged": _tagged,
    "mentions": _mentions,
    "parent": _parent,
    "ancestor": _ancestor,
    "descendant": _descendant,
    "child": _child,
    "has_ref": _has_ref,
    "refers_to": _refers_to,
}
"""Functions that are always true or false, by name: each says where it is true."""
