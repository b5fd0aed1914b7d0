"""Hypothesis strategies: values, trees and texts of queries."""

from __future__ import annotations

import string
from datetime import UTC, datetime

from hypothesis import strategies as st

from skypool.query.tree import (
    FACETS,
    And,
    Binary,
    Binding,
    Call,
    Column,
    Compare,
    Dataset,
    Facet,
    Item,
    ListOf,
    Literal,
    Meta,
    Name,
    Negate,
    Node,
    Not,
    Or,
)
from skypool.query.values import Amount, Period, Position, parse_time

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
identifiers = st.sampled_from(
    [
        "obsid",
        "x",
        "OBJECT",
        "image",
        "kind",
        "name",
        "size",
        "shape",
        "größe",
        "_a1",
        "like",
        "meta",
    ]
)
datasets = st.one_of(identifiers, texts.filter(bool), st.just("a/b"), st.just("SCI,2"))
numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
)
times = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1)).map(
    lambda moment: moment.replace(fold=0)
)
periods = st.sampled_from(["1999", "2026-11", "2026-11-01", "9999-12-31"]).map(parse_time)
scalars = st.one_of(
    st.booleans(),
    numbers,
    texts,
    times,
    periods,
    st.builds(Amount, numbers, st.sampled_from(["um", "Jy/beam", "km s-1", "'"])),
    st.builds(
        Position,
        st.floats(-360, 360, allow_nan=False),
        st.floats(-90, 90, allow_nan=False),
    ),
)
literals = st.builds(Literal, scalars)
text_literals = st.builds(Literal, texts)
leaves = st.one_of(
    literals,
    st.builds(Binding, identifiers),
    st.builds(Name, identifiers),
    st.builds(
        Meta,
        st.one_of(st.just(""), datasets),
        texts,
        st.sampled_from(["value", "unit", "description"]),
    ),
    st.builds(Facet, datasets, st.sampled_from(sorted(FACETS))),
    st.builds(Item, st.just(Name("shape")), st.tuples(st.integers(-3, 3))),
)


def _negate(node: Node) -> Node:
    if isinstance(node, Literal) and type(node.value) in (int, float):
        return Literal(-node.value)
    return Negate(node)


elements = st.one_of(
    st.builds(Name, identifiers),
    st.builds(Dataset, datasets),
    st.builds(Column, datasets, texts),
    st.builds(
        lambda left, right: Compare(left, ((">", right),)),
        st.builds(Column, datasets, texts),
        literals,
    ),
)


two_texts = st.sampled_from(["startswith", "contains", "like"])
one_text = st.sampled_from(["has", "missing", "tagged", "has_ref"])


def _extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pairs = st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner)
    lists = st.builds(ListOf, st.lists(literals, max_size=3).map(tuple))
    members = st.tuples(st.sampled_from(["in", "not in"]), lists)
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    conditions = st.one_of(
        st.builds(Compare, inner, st.lists(pairs, min_size=1, max_size=3).map(tuple)),
        st.builds(Compare, inner, st.tuples(members)),
        st.builds(lambda f, a, b: Call(f, (a, b)), two_texts, inner, inner),
        st.builds(lambda f, a: Call(f, (a,)), one_text, text_literals),
    )
    compared = st.one_of(conditions, st.builds(Not, conditions))
    many = st.lists(compared, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        conditions,
        st.builds(Not, compared),
        st.builds(And, many),
        st.builds(Or, many),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner, inner),
        st.builds(_negate, inner),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["abs", "lower", "isnan"]), inner),
        st.builds(lambda a: Call("parent", (a,)), compared),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["max", "any"]), elements),
        st.builds(lambda a: Call("hypot", a), st.tuples(inner, inner)),
        several.map(lambda items: Compare(items[0], (("==", items[1]),))),
    )


trees = st.recursive(leaves, _extend, max_leaves=12)

_WORDS = [
    "obsid", "kind", "==", "!=", "<", "<=", "and", "or", "not", "in", "(", ")", "[", "]", ",", ".",
    "meta", "['x']", "'250 um'", "1", "1e3", "-", "+", "*", "**", "/", "$v", "has", "max", "image",
    "like", "startswith", "parent(", "child('a',", "covers(", "&&", "=", "'", '"', "\\", "True",
    "None", "date('2026')", "is", "lambda", "datasets", "where=", "9" * 50, "é", "\x00", "\ud800",
]  # fmt: skip
queries = st.one_of(
    st.text(max_size=60),
    st.text(string.printable, max_size=60),
    st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(_WORDS), max_size=25).map("".join),
)

__all__ = ["Period", "queries", "scalars", "texts", "trees"]
