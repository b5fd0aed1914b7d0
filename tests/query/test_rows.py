from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.strategies import queries
from query.subjects import Table
from skypool.errors import QueryError
from skypool.query.compare import all_of, any_of, compare, negated
from skypool.query.rows import compile_rows

TABLE = Table(
    {
        "energy": np.array([1.0, 2000.0, 3000.0, np.nan, 5000.0], dtype=np.float32),
        "pi": np.array([1, 2, 3, 4, 5]),
        "name": np.array(["a", "bb", "c", "d", "2010-01-02T05:00:00"]),
        "vec": np.arange(10).reshape(5, 2),
        "ok": np.array([True, False, True, True, False]),
        "odd name": np.array([5, 4, 3, 2, 1]),
        "big": np.array([2**63, 2**64 - 1, 2**53, 2**53 + 1, 0], dtype=np.uint64),
        "gaps": np.ma.MaskedArray([1, 2, 3, 4, 5], mask=[0, 0, 1, 0, 0]),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("energy > 2000 and pi < 5", [3]),
        ("not energy > 2000", [1, 2]),
        ("ENERGY >= 2000", [2, 3, 5]),
        ("energy != 2000", [1, 3, 5]),
        ("name like '%B%'", [2]),
        ("name.startswith('2010') or name == 'a'", [1, 5]),
        ("name contains 'b' or lower(name) == 'c' or upper(name) == 'D'", [2, 3, 4]),
        ("name == '2010-01-02'", [5]),
        ("name in ['a', 'd'] and name not in ['d']", [1]),
        ("vec[1] > 4", [3, 4, 5]),
        ("vec[-1] > 4", [3, 4, 5]),
        ("pi in [1, 5, '3']", [1, 3, 5]),
        ("pi not in []", [1, 2, 3, 4, 5]),
        ("sqrt(energy) > 50", [3, 5]),
        ("isnan(energy)", [4]),
        ("not isfinite(energy)", [4]),
        ("True", [1, 2, 3, 4, 5]),
        ("False", []),
        ("pi == '3'", [3]),
        ("energy * 2 + pi > 4001", [2, 3, 5]),
        ("1 < pi < 4", [2, 3]),
        ("pi > 'x'", []),
        ("name > 3", []),
        ("pi == 3.0 or pi == 3.5", [3]),
        ("10 // (pi - 3) >= 0", [4, 5]),
        ("10 / (pi - 3) > 0", [4, 5]),
        ("-pi < -3", [4, 5]),
        ("pi % 2 == 1 and pi ** 2 > 1", [3, 5]),
        ("ok", [1, 3, 4]),
        ("not ok and pi", [2, 5]),
        ("columns['odd name'] > 3", [1, 2]),
        ("big == 9007199254740993", [4]),
        ("big > 9007199254740992", [1, 2, 4]),
        ("big >= 18446744073709551615", [2]),
        ("big < 99999999999999999999999", [1, 2, 3, 4, 5]),
        ("gaps > 1", [2, 4, 5]),
        ("not gaps > 1", [1]),
        ("pi > columns['odd name']", [4, 5]),
        ("pi == energy", [1]),
        ("hypot(pi, 0) == 2 and round(abs(-pi)) == 2", [2]),
        ("(pi > 2) == ok", [2, 3, 4]),
        ("name == name and energy == energy", [1, 2, 3, 5]),
        ("pi < 1e300", [1, 2, 3, 4, 5]),
    ],
)
def test_rows(text, rows):
    assert np.asarray(TABLE.where(text)["pi"]).tolist() == rows


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("enrgy > 3", 1, "did you mean energy?"),
        ("vec > 3", 1, "vec[0]"),
        ("vec[5] > 3", 1, "shape (2,)"),
        ("max(pi) > 3", 1, "does not work on rows"),
        ("meta['x'] == 3", 1, "only columns"),
        ("t['x'] == 3", 1, "only columns"),
        ("pi + name > 3", 6, "for numbers"),
        ("pi == $x", 7, "no value"),
        ("pi = 3", 4, "=="),
        ("tagged('a')", 1, "does not work on rows"),
    ],
)
def test_errors(text, column, words):
    with pytest.raises(QueryError) as caught:
        TABLE.where(text)
    assert caught.value.column == column
    assert words in str(caught.value)


def test_quantities_convert():
    condition = compile_rows("e > '2 keV'", units={"e": "eV"})
    found = condition.matches({"e": np.array([1.0, 2000.0, 2000.1])})
    assert found.tolist() == [False, False, True]
    assert not condition.possible({"e": (1.0, 1999.0)})
    assert condition.possible({"e": (1.0, 2000.1)})
    condition = compile_rows("e == '0.25 mm' and e - f > '1 nm'", units={"e": "um", "f": "mm"})
    found = condition.matches({"e": np.array([250.0, 250.0]), "f": np.array([0.25, 0.2])})
    assert found.tolist() == [False, True]


def test_long_lists_are_looked_up():
    many = list(range(2, 60_000))
    condition = compile_rows("a in $many", {"many": many})
    found = condition.matches({"a": np.arange(32_768.0)})
    assert found.sum() == 32_766
    condition = compile_rows("not a in $many", {"many": [*many, float("nan")]})
    assert not condition.matches({"a": np.array([1, 2, np.nan])}).any()
    condition = compile_rows("a in $many or b in $few", {"many": many, "few": [1.5, "2"]})
    columns = {"a": np.array(["1", "2", "x"]), "b": np.array([1.5, 0, 2])}
    assert condition.matches(columns).tolist() == [True, True, True]


def test_values_are_bound():
    assert len(TABLE.where("energy > $low and pi in $some", {"low": 1, "some": [2, 3]})) == 2


columns = st.sampled_from(["a", "b", "c"])
constants = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, float("inf"), 2**60, 2**60 + 1, float("nan")]),
)
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
simple = st.builds(
    lambda left, op, right, turned: (right, op, left) if turned else (left, op, right),
    columns,
    operators,
    st.one_of(constants, columns),
    st.booleans(),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=5,
)


def written(condition):
    match condition:
        case ("not", inner):
            return f"not ({written(inner)})"
        case (("and" | "or") as word, left, right):
            return f"({written(left)}) {word} ({written(right)})"
        case (left, operator, right):
            return f"{_side(left)} {operator} {_side(right)}"
    raise AssertionError(condition)


def _side(side):
    if isinstance(side, str):
        return side
    return repr(side) if np.isfinite(side) else f"number('{side!r}')"


def wanted(condition, row):
    match condition:
        case ("not", inner):
            return negated(wanted(inner, row))
        case ("and", left, right):
            return all_of([wanted(left, row), wanted(right, row)])
        case ("or", left, right):
            return any_of([wanted(left, row), wanted(right, row)])
        case (left, operator, right):
            return compare(operator, row.get(left, left), row.get(right, right))
    raise AssertionError(condition)


@st.composite
def tables(draw):
    size = draw(st.integers(1, 6))
    numbers = st.sampled_from([-2.0, -1.5, 0.0, 0.5, 2.0, np.inf, -np.inf, np.nan])
    return {
        "a": np.array(draw(st.lists(numbers, min_size=size, max_size=size))),
        "b": np.array(draw(st.lists(st.integers(-3, 3), min_size=size, max_size=size)), np.int16),
        "c": np.array(
            draw(st.lists(st.sampled_from([0, 2**60, 2**60 + 1, -1]), min_size=size, max_size=size))
        ),
    }


@given(tables(), conditions)
def test_rows_and_blocks_agree_with_single_values(table, condition):
    compiled = compile_rows(written(condition))
    mask = compiled.matches(table, rows=len(table["a"]))
    rows = [{name: table[name][n].item() for name in table} for n in range(len(table["a"]))]
    assert mask.tolist() == [wanted(condition, row) is True for row in rows]
    ranges = {}
    for name, values in table.items():
        known = values[~np.isnan(values)]
        ranges[name] = (known.min(), known.max()) if known.size else None
    if mask.any():
        assert compiled.possible(ranges)
        assert compiled.possible({"a": ranges["a"]})


def test_blocks_are_ruled_out():
    for text in ("a > 2", "not a <= 2", "a == 3", "2 < a < 4", "a in [3, 9]", "a > 3 and b > 1"):
        assert not compile_rows(text).possible({"a": (0.0, 2.0)}), text
    assert not compile_rows("a != 1").possible({"a": (1, 1)})
    assert not compile_rows("a > 1").possible({"a": None})
    assert compile_rows("a > 1 or b > 1").possible({"a": (0.0, 1.0)})


@given(queries)
def test_no_text_does_anything_but_answer_or_raise(text):
    try:
        TABLE.where(text)
    except QueryError as error:
        str(error)
