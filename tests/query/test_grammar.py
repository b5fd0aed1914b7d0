from __future__ import annotations

import time
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given

from query.strategies import queries, scalars, texts, trees
from skypool.errors import QueryError
from skypool.query.check import check_names
from skypool.query.functions import FUNCTIONS
from skypool.query.grammar import parse, parse_rows
from skypool.query.tree import (
    MAX_DEPTH,
    And,
    Binary,
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
    Not,
    Or,
    bind,
    names,
    needs,
    walk,
)
from skypool.query.values import Amount, Period, Position


def compare(operator, left, right):
    return Compare(left, ((operator, right),))


X, ONE, TWO = Name("x"), Literal(1), Literal(2)
LOWER = Call("lower", (Name("name"),))
WHERE = Call("max", (Column("t", "a"), compare(">", Column("t", "b"), ONE)))
TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x == 1", compare("==", X, ONE)),
        ("1 < x <= 2", Compare(ONE, (("<", X), ("<=", Literal(2))))),
        ("x in [1, 'a']", compare("in", X, ListOf((ONE, Literal("a"))))),
        ("x in (1, 'a')", compare("in", X, ListOf((ONE, Literal("a"))))),
        ("x not in []", compare("not in", X, ListOf(()))),
        ("not x == 1", Not(compare("==", X, ONE))),
        ("x or x and not x", Or((X, And((X, Not(X)))))),
        ("(x or x) and x", And((Or((X, X)), X))),
        ("x and x and x", And((X, X, X))),
        ("x < 1 + 2 * 3", compare("<", X, Binary("+", ONE, Binary("*", Literal(2), Literal(3))))),
        ("x == 1 - 2 - 3", compare("==", X, Binary("-", Binary("-", ONE, Literal(2)), Literal(3)))),
        ("x == 2 ** 3 ** 1", compare("==", X, Binary("**", TWO, Binary("**", Literal(3), ONE)))),
        ("x == -2 ** 3", compare("==", X, Negate(Binary("**", Literal(2), Literal(3))))),
        ("x == 2 ** -1", compare("==", X, Binary("**", Literal(2), Literal(-1)))),
        ("x == --1", compare("==", X, ONE)),
        ("x == -x", compare("==", X, Negate(X))),
        ("meta['DATE-OBS'] > '2010'", compare(">", Meta("", "DATE-OBS"), Literal("2010"))),
        ("image.meta['A'].unit == 'm'", compare("==", Meta("image", "A", "unit"), Literal("m"))),
        ("datasets['SCI,2'].meta['A'] == 1", compare("==", Meta("SCI,2", "A"), ONE)),
        ("a.b.meta['A'] == 1", compare("==", Meta("a/b", "A"), ONE)),
        ("max(a.b['c']) > 1", compare(">", Call("max", (Column("a/b", "c"),)), ONE)),
        ("max(datasets['a b']) > 1", compare(">", Call("max", (Dataset("a b"),)), ONE)),
        ("image.shape[0] > 1", compare(">", Item(Facet("image", "shape"), (0,)), ONE)),
        ("image[1, -2] > 1", compare(">", Item(Dataset("image"), (1, -2)), ONE)),
        ("name like 'a%'", Call("like", (Name("name"), Literal("a%")))),
        ("name not like 'a%'", Not(Call("like", (Name("name"), Literal("a%"))))),
        ("name.startswith('a')", Call("startswith", (Name("name"), Literal("a")))),
        ("lower(name) contains 'a'", Call("contains", (LOWER, Literal("a")))),
        ("has(x)", Call("has", (Literal("x"),))),
        ("max(t['a'], where=t['b'] > 1) > 1", compare(">", WHERE, ONE)),
        ("covers(dec=2, ra=1)", Call("covers", (ONE, Literal(2)))),
        ("true", Literal(True)),
        ("x == 1.5e3", compare("==", X, Literal(1500.0))),
        (r"x == 'a\'b\\c\n\x41\u00e9\d'", compare("==", X, Literal("a'b\\c\nAé\\d"))),
        ('x == "it\'s"', compare("==", X, Literal("it's"))),
        ("x == quantity('250 um')", compare("==", X, Literal(Amount(250, "um")))),
        ("x == position(1, -2)", compare("==", X, Literal(Position(1.0, -2.0)))),
        ("x == date('2026-11-01T10:00')", compare("==", X, Literal(TEN))),
    ],
)  # fmt: skip
def test_text_to_tree_and_back(text, tree):
    assert parse(text) == tree
    assert parse(parse(text).to_text()) == tree


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a && b", 3, "and"),
        ("a || b", 3, "or"),
        ("a = 3", 3, "=="),
        ("a <> b", 3, "!="),
        ("!a", 1, "not"),
        ("x AND y", 3, "'and'"),
        ("x OR y", 3, "'or'"),
        ("obsid == 1342L", 14, "suffix"),
        ("obsidd(3)", 1, "no function"),
        ("tagd('x')", 1, "did you mean tagged?"),
        ("strtswith(name, 'a')", 1, "did you mean startswith?"),
        ("(a", 1, "not closed"),
        ("max(image", 4, "not closed"),
        ("a)", 2, "expected an operator"),
        ("x == 'abc", 6, "closing quote"),
        ("x == None", 6, "has('key')"),
        ("x is 3", 3, "write =="),
        ("a if b else c", 3, "no 'if'"),
        ("lambda x: x", 9, "':'"),
        ("x == {}", 6, "lists"),
        ("p.type == 'x'", 1, "write type"),
        ("p.meta['obsid'].value == 3", 1, "meta['key']"),
        ("p.meta.containsKey('a')", 1, "meta['key']"),
        ("events['x'] > 3", 1, "count(... > 0)"),
        ("covers('nowhere')", 8, "no position"),
        ("tagged(x)", 8, "text in quotes"),
        ("'abc'", 1, "no condition"),
        ("[1]", 1, "no condition"),
        ("1 + 2", 3, "no condition"),
        ("x in 3", 6, "list"),
        ("a == not b", 6, "parentheses"),
        ("max(1) > 2", 5, "no dataset"),
        ("has('a', 'b')", 1, "has(key)"),
        ("covers(ra=1, de=2)", 17, "covers(ra, [dec])"),
        ("max(image, where=x, where=x)", 21, "twice"),
        ("x == 1e999", 6, "too large"),
        ("x between 1 and 2", 3, "low <= x"),
        ("f'a' == x", 2, "no prefix"),
        ("x == $", 6, "without a name"),
        ("(lambda: 1)()", 8, "':'"),
        ("__import__('os')", 1, "no function"),
        ("x.__class__ == 1", 1, "not one value"),
        ("x[1.5] == 1", 3, "whole number"),
        ("x like 'a' == y", 12, "chain"),
        ("date('soon') == x", 1, "write date("),
        ("max(image, 3 > covers(1, 2)) > 1", 16, "inside data functions"),
        ("x == '\\ud800'", 7, "no character"),
        ("shape[0][1] == 2", 1, "one index"),
        ("x ? 1", 3, "not part"),
    ],
)
def test_errors_say_where_and_what_instead(text, column, words):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.column == column, str(caught.value)
    assert words in str(caught.value)
    assert f"^ column {column}" in str(caught.value)


def test_an_empty_query_is_an_error():
    for text in ("", "  \n"):
        with pytest.raises(QueryError, match="empty"):
            parse(text)
    with pytest.raises(QueryError, match="a text"):
        parse(3)


@given(trees)
def test_the_text_of_a_tree_parses_to_it(tree):
    text = tree.to_text()
    query = f"x == ({text})" if not isinstance(tree, ListOf) else f"x in {text}"
    from skypool.query.grammar import Parser

    assert Parser(query).whole().rest[0][1] == tree
    assert Parser(text).whole() == tree
    assert hash(Parser(text).whole()) == hash(tree)


@given(queries)
def test_no_text_does_anything_but_parse_or_raise(text):
    for reader in (parse, parse_rows):
        try:
            tree = reader(text)
        except QueryError as error:
            str(error)
        else:
            assert reader(tree.to_text()) == tree
            needs(tree), names(tree)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "(" * 90_000 + "1" + ")" * 90_000,
        "[" * 100_000,
        "not " * 40_000 + "x",
        "-" * 100_000 + "1",
        "2" + "**2" * 40_000,
        "1" + "+1" * 40_000,
        "x" + "==x" * 40_000,
        "x" + " or x" * 40_000,
        "a." * 60_000 + "b",
        "max(" * 40_000,
        "9" * 1_000_000,
        "x == " + "9" * 150_000,
        "x == 1e" + "9" * 1000,
        "'" + "a" * 1_000_000,
        "x == '" + "\\" * 150_001 + "'",
        "x like '" + "%a" * 50_000 + "'",
        "x" + "[0]" * 60_000,
        "$" * 100_000,
        ", " * 90_000,
    ],
    ids=lambda text: text[:8] + str(len(text)),
)
def test_huge_and_deep_texts_are_refused(text):
    spent = time.process_time()
    try:
        parse(text)
    except QueryError as error:
        assert len(str(error)) < 1000
    # What looks at each sign more than a few times would take hours.
    assert time.process_time() - spent < 120


def test_depth_is_limited_where_it_is_reached():
    deep = "(" * 20 + "x == 1" + ")" * 20
    assert parse(deep) == compare("==", X, ONE)
    with pytest.raises(QueryError, match="deep") as caught:
        parse("x < 1" + "+1" * (MAX_DEPTH + 1))
    assert caught.value.column > 1
    assert caught.value.text


def test_columns_are_kept_and_not_compared():
    tree = parse("  x == 1")
    assert tree.column == 5
    assert tree.first.column == 3
    assert tree == parse("x==1")
    assert hash(tree) == hash(parse("x==1"))


def test_literals_differ_by_type():
    assert parse("x == 1") != parse("x == 1.0")
    assert parse("x == 1") != parse("x == True")
    assert Literal(float("nan")) == Literal(float("nan"))


class Ref:
    urn = "urn:pool:SimpleImage:3"


@pytest.mark.parametrize(
    ("bound", "node"),
    [
        (3, Literal(3)),
        (np.int64(3), Literal(3)),
        (np.float32(0.5), Literal(0.5)),
        (np.bool_(True), Literal(True)),
        ("text", Literal("text")),
        (np.str_("text"), Literal("text")),
        (date(2026, 11, 1), parse("x == date('2026-11-01')").rest[0][1]),
        (datetime(2026, 11, 1), Literal(datetime(2026, 11, 1, tzinfo=UTC))),
        ([1, "a"], ListOf((ONE, Literal("a")))),
        (np.array([1, 2]), ListOf((ONE, Literal(2)))),
        ({1}, ListOf((ONE,))),
        (Ref(), Literal("urn:pool:SimpleImage:3")),
    ],
)
def test_values_are_bound(bound, node):
    assert parse("x == $v", {"v": bound, "other": object()}) == compare("==", X, node)
    assert parse(parse("x == $v", {"v": bound}).to_text()) == compare("==", X, node)


def test_astropy_values_are_bound():
    from astropy import units
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    tree = parse("x == $v", {"v": 250 * units.um})
    assert tree.rest[0][1] == Literal(Amount(250.0, "um"))
    tree = parse("x == $v", {"v": Time("2026-11-01T10:00:00", scale="utc")})
    assert tree.rest[0][1] == Literal(datetime(2026, 11, 1, 10, tzinfo=UTC))
    tree = parse("covers($v)", {"v": SkyCoord(10.0, -5.0, unit="deg")})
    place = tree.arguments[0].value
    assert (place.ra, place.dec) == pytest.approx((10.0, -5.0))
    tree = parse("x in $v", {"v": SkyCoord([1.0, 2.0], [3.0, 4.0], unit="deg")})
    assert len(tree.rest[0][1].items) == 2


@pytest.mark.parametrize(
    "bound",
    [
        None,
        pytest.param(object(), id="object"),
        [None],
        [[1]],
        1j,
        b"x",
        range(200_000),
        "\ud800",
        10**1000,
        {"a": 1},
    ],
    ids=str,
)
def test_values_that_cannot_be_bound(bound):
    with pytest.raises(QueryError) as caught:
        parse("x == $v" if not isinstance(bound, list | range) else "x in $v", {"v": bound})
    assert caught.value.column == 6


def test_a_name_without_value():
    with pytest.raises(QueryError, match=r"\$v has no value") as caught:
        parse("x == $v", {"w": 1})
    assert "$w" in str(caught.value)
    tree = parse("x == $v")
    assert bind(tree, {"v": 1}) == parse("x == 1")
    assert bind(parse("x == 1"), {}) == parse("x == 1")


@given(scalars)
def test_any_literal_has_a_text(value):
    tree = compare("==", X, Literal(value))
    assert parse(tree.to_text()) == tree


@given(texts)
def test_any_text_can_be_quoted(text):
    assert parse(Meta("", text).to_text() + " == 1") == compare("==", Meta("", text), ONE)


def test_what_queries_need():
    assert needs(parse("x == 1")) == {"metadata"}
    assert needs(parse("parent(max(image) > 1)")) == {"metadata", "tree", "data"}
    assert needs(parse("covers(1, 2)")) == {"metadata", "sky"}
    assert needs(parse("image[0, 0] > 1")) == {"metadata", "data"}
    assert needs(parse("image.shape[0] > 1")) == {"metadata"}
    assert names(parse("x == 1 and max(image) > 2 and has(a) and parent(y == 1)")) == {"x", "y"}
    assert names(parse("kind == 'a' and meta['K-1'] == 2 and shape[0] == 1")) == {"K-1"}


def test_walk_goes_in_the_order_of_the_text():
    tree = parse("a == 1 and parent(b == 2) and c")
    assert [n.name for n in walk(tree) if isinstance(n, Name)] == ["a", "b", "c"]
    assert [n.name for n in walk(tree, others=False) if isinstance(n, Name)] == ["a", "c"]


def test_similar_keys_are_suggested():
    known = ["obsid", "instrument", "OBJECT"]
    check_names(parse("OBSID == 1 and object == 'a' and zzz == 2 and kind == 'a'"), known)
    check_names(parse("meta['obsidd'] == 1 and has(obsidd) and max(obsidd) > 1"), known)
    with pytest.raises(QueryError) as caught:
        check_names(parse("parent(obsidd == 1)"), known, "parent(obsidd == 1)")
    assert "did you mean obsid?" in str(caught.value)
    assert caught.value.column == 8


def test_every_function_can_be_called_as_its_signature_says():
    samples = {
        "key": "'a'", "text": "'a'", "condition": "x == 1", "dataset": "image", "elements": "image",
        "place": "10", "region": "10", "role": "'a'", "value": "2",
    }  # fmt: skip
    for function in FUNCTIONS.values():
        whole = len(function.parameters)
        for count in range(whole if function.need == "sky" else function.required, whole + 1):
            given = ", ".join(samples[sort] for _, sort in function.parameters[:count])
            rest = "" if function.name == "nearest" else " == 1"
            tree = parse(f"{function.name}({given}){rest}")
            assert parse(tree.to_text()) == tree
    assert isinstance(parse("x == date('2026')").rest[0][1].value, Period)
