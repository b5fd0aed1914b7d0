"""HIPE's numeric arrays and functions over numpy."""

from __future__ import annotations

import array
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.errors import UsageError
from skypool.hipe import numeric
from skypool.hipe.numeric import (
    ABS,
    ALL,
    ANY,
    IS_FINITE,
    IS_NAN,
    LOG10,
    MAX,
    MEAN,
    MEDIAN,
    MIN,
    REVERSE,
    SORT,
    SQRT,
    STDDEV,
    SUM,
    TRANSPOSE,
    WHERE,
    BinCentres,
    Bool1d,
    Complex1d,
    Double1d,
    Double2d,
    Double3d,
    Float1d,
    Histogram,
    Int1d,
    Long1d,
    Selection,
    String1d,
)

KINDS = {
    "Bool": bool,
    "Byte": np.int8,
    "Short": np.int16,
    "Int": np.int32,
    "Long": np.int64,
    "Float": np.float32,
    "Double": np.float64,
    "Complex": np.complex128,
    "String": object,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rank", range(1, 6))
def test_every_type_and_rank_is_there(kind, rank):
    cls = getattr(numeric, f"{kind}{rank}d")
    made = cls(*([2] * rank))
    assert made.dimensions == [2] * rank
    assert np.asarray(made).dtype == KINDS[kind]
    assert made.size == made.length() == made.getSize() == 2**rank
    assert made.rank == made.getRank() == rank
    assert type(made.copy()) is cls
    assert made.equals(made.copy())
    assert cls().isEmpty()


def test_arrays_are_made_from_lengths_values_and_ranges():
    assert np.array_equal(Double1d(3), [0, 0, 0])
    assert np.array_equal(Double1d(2, 1.5), [1.5, 1.5])
    assert np.array_equal(Double2d(1, 2, 7), [[7, 7]])
    assert np.array_equal(Double1d([1, 2]), [1, 2])
    assert np.array_equal(Int1d.range(4), [0, 1, 2, 3])
    assert np.array_equal(Double1d(np.arange(3)), [0, 1, 2])
    assert np.array_equal(Double1d(Int1d([4, 5])), [4, 5])
    assert np.array_equal(Double2d([Double1d([1, 2]), Double1d([3, 4])]), [[1, 2], [3, 4]])
    assert list(String1d(["a", "longer"])) == ["a", "longer"]


@pytest.mark.parametrize(
    "wrong", [([[1, 2]],), ("text",), (1, 2, 3), (["a"],), (-1,), ({"a": 1},), ([[1], [1, 2]],)]
)
def test_what_is_no_array_is_an_error_with_a_hint(wrong):
    with pytest.raises(UsageError):
        Double1d(*wrong)


def test_slices_are_copies_and_elements_are_numbers():
    x = Double1d([1, 2, 3])
    part = x[0:2]
    part[0] = 9
    assert np.array_equal(x, [1, 2, 3])
    assert type(x[0]) is float
    assert type(Int1d([5])[0]) is int
    assert type(Bool1d([True])[0]) is bool
    assert x[-1] == 3.0
    with pytest.raises(IndexError):
        x[3]


def test_selections_are_places():
    x = Double1d([1, 5, 3, 7])
    found = x.where(x > 2)
    assert isinstance(found, Selection)
    assert found.length() == len(found) == 3
    assert list(found) == [1, 2, 3]
    assert np.array_equal(x[found], [5, 3, 7])
    assert np.array_equal(x.get(found), [5, 3, 7])
    x[found] = 0
    assert np.array_equal(x, [1, 0, 0, 0])
    x.set(x.where(x == 1), 4)
    assert x.get(0) == 4
    assert np.array_equal(WHERE(x > 0).toInt1d(), [0])
    image = Double2d([[1, 2], [3, 4]])
    assert np.array_equal(image[image.where(image > 2)], [3, 4])
    assert np.array_equal(x[Int1d([0, 3])], [4, 0])
    assert np.array_equal(x[x > 0], [4])


def test_append_grows_in_place():
    x = Double1d()
    assert x.append(1) is x
    x.append(Double1d([2, 3])).append([4])
    assert np.array_equal(x, [1, 2, 3, 4])
    names = String1d()
    names.append("Ceres").append("M 83 with a long name")
    assert list(names) == ["Ceres", "M 83 with a long name"]
    rows = Double2d()
    rows.append(Double1d([1, 2])).append(Double1d([3, 4]))
    assert np.array_equal(rows, [[1, 2], [3, 4]])
    assert np.array_equal(Int1d([1, 4]).insert(1, [2, 3]), [1, 2, 3, 4])
    whole = Int1d([1])
    whole.append(2)
    assert np.asarray(whole).dtype == np.int32


def test_integers_divide_as_in_java():
    assert np.array_equal(Int1d([7, -7, 8]) / 2, [3, -3, 4])
    assert np.asarray(Int1d([7]) / 2).dtype.kind == "i"
    assert np.array_equal(7 / Int1d([2, -2]), [3, -3])
    assert np.array_equal(Int1d([7, -7]) % 3, [1, -1])
    assert np.array_equal(Int1d([7]) / 2.0, [3.5])
    assert math.isinf((Double1d([1]) / 0)[0])
    with pytest.raises(ZeroDivisionError):
        Int1d([1]) / 0


def test_operations_give_the_class_that_fits():
    assert type(Int1d([1]) + 1) is Int1d
    assert type(Int1d([1]) + 0.5) is Double1d
    assert type(Int1d([1]) + Long1d([1])) is Long1d
    assert type(Float1d([1]) * 2) is Float1d
    assert type(Double1d([1]) > 0) is Bool1d
    assert type(Double1d([1]) * 1j) is Complex1d
    assert type(np.sqrt(Double1d([4]))) is Double1d
    assert type(np.ones(2) + Double1d([1, 2])) is Double1d
    assert type(String1d(["a"]) == "a") is Bool1d


def test_in_place_operations_keep_the_type():
    x = y = Int1d([1, 2])
    x += 0.9
    assert x is y
    assert np.array_equal(x, [1, 2])
    z = Double1d([1, 2])
    z.multiply(2).add(1).subtract(Double1d([1, 1])).divide(2).negate()
    assert np.array_equal(z, [-1, -2])
    with pytest.raises(UsageError):
        z += Double2d(2, 2)


def test_truth_of_several_elements_is_refused():
    with pytest.raises(UsageError, match="truth of 2 elements"):
        bool(Double1d([1, 2]) > 0)
    assert bool(Double1d([1]) > 0)


def test_comparison_with_nothing_and_with_other_shapes():
    x = Double1d([1])
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    with pytest.raises(UsageError):
        _ = Double1d([1, 2]) == Double1d([1])
    with pytest.raises(TypeError):
        hash(x)


def test_max_and_min_take_any_dimension_and_ignore_nan():
    cube = np.arange(24.0).reshape(2, 3, 4)
    cube[0, 0, 0] = np.nan
    for values in (cube, Double3d(cube)):
        assert numeric.max(values) == MAX(values) == 23
        assert numeric.min(values) == MIN(values) == 1
    assert numeric.max(3, 9, 2) == 9
    assert numeric.max([3, 4]) == 4
    assert numeric.max("abc") == "c"
    assert numeric.max([3, -4], key=abs) == -4
    assert numeric.min([], default=5) == 5
    assert numeric.max(x for x in (1, 2)) == 2
    assert numeric.max(String1d(["a", "c", "b"])) == "c"
    assert math.isnan(numeric.max(Double1d([math.nan])))
    with pytest.raises(ValueError):
        numeric.max([])


def test_datasets_answer_from_their_statistics(monkeypatch):
    from skypool.model.datasets import Array

    values = np.arange(12.0, dtype=">f4").reshape(3, 4)
    image = Array(values)
    calls = []
    real = Array.max
    monkeypatch.setattr(Array, "max", lambda self: calls.append(1) or real(self))
    assert numeric.max(image) == MAX(image) == 11
    assert len(calls) == 2
    assert MEAN(image) == 5.5
    assert STDDEV(image) == pytest.approx(values.std(ddof=1))
    assert np.array_equal(Double2d(image), values)


def test_reductions():
    x = Double1d([1, 2, 4, math.nan])
    assert (SUM(x), MEAN(x), MEDIAN(x)) == (7, 7 / 3, 2)
    assert STDDEV(x) == pytest.approx(np.std([1, 2, 4], ddof=1))
    assert ANY(x > 3) and not ALL(x > 3) and ALL(Bool1d([True]))
    assert math.isnan(MEAN(Double1d()))
    assert math.isnan(STDDEV(Double1d([1])))
    assert SUM(Double1d()) == 0
    assert np.array_equal(MAX(Double2d([[1, 9], [3, math.nan]]), 0), [3, 9])
    assert np.array_equal(SUM(Int1d([1, 2])), 3)
    assert type(MAX(Int1d([1, 2]))) is int
    with pytest.raises(UsageError):
        MEAN(String1d(["a"]))


def test_functions_of_elements():
    assert SQRT(4) == 2.0 and type(SQRT(4)) is float
    assert np.array_equal(LOG10(Double1d([1, 100])), [0, 2])
    assert np.array_equal(IS_NAN(Double1d([1, math.nan])), [False, True])
    assert np.array_equal(IS_FINITE(Double1d([1, math.inf])), [True, False])
    assert ABS(-3) == 3 and np.array_equal(ABS(Int1d([-3])), [3])
    assert math.isnan(SQRT(-1))
    assert Double1d([4]).apply(SQRT)[0] == 2
    x = Double1d([4])
    x.perform(SQRT)
    assert x[0] == 2
    assert np.array_equal(REVERSE(Int1d([1, 2])), [2, 1])
    assert np.array_equal(SORT(Int1d([2, 1])), [1, 2])
    assert np.array_equal(TRANSPOSE(Double2d([[1, 2]])), [[1], [2]])
    with pytest.raises(UsageError):
        SQRT("x")
    assert np.array_equal(numeric.NAN_FILTER(Double2d([[1, math.nan]])), [1])
    assert np.array_equal(numeric.RESHAPE(Double2d([[1, 2]])), [1, 2])
    assert numeric.RESHAPE(Int1d.range(6), 2, 3).dimensions == [2, 3]
    assert numeric.RESHAPE(Int1d.range(6), [3, 2]).dimensions == [3, 2]
    with pytest.raises(UsageError):
        numeric.RESHAPE(Int1d.range(6), 4)


def test_histogram_counts_from_the_smallest_value():
    x = Double1d([1, 1.5, 2, 5])
    assert np.array_equal(Histogram(1.0)(x), [2, 1, 0, 0, 1])
    assert np.array_equal(BinCentres(1.0)(x), [1.5, 2.5, 3.5, 4.5, 5.5])


def test_text_is_as_java_writes_it():
    assert str(Double1d([1, 0.1, 1e7, 1e-4, math.nan, math.inf])) == (
        "[1.0,0.1,1.0E7,1.0E-4,NaN,Infinity]"
    )
    assert str(Int1d([1, -2])) == "[1,-2]"
    assert str(Bool1d([True, False])) == "[true,false]"
    assert str(Double2d([[1, 2], [3, 4]])) == "[\n [1.0,2.0],\n [3.0,4.0]\n]"
    assert str(Float1d([0.1])) == "[0.1]"
    assert repr(String1d(["a", "b"])) == "[a,b]"
    assert str(Double1d()) == "[]"


def test_arrays_for_others():
    x = Double1d([1, 2])
    assert x.toArray() == array.array("d", [1, 2])
    assert Bool1d([True]).toArray() == [True]
    assert isinstance(Double2d(2, 2).toArray(), np.ndarray)
    assert np.asarray(x) is np.asarray(x)
    assert np.asarray(x, dtype=int).tolist() == [1, 2]
    assert list(x) == [1.0, 2.0] and 2 in x and 3 not in x
    assert sum(x) == 3


@given(
    st.lists(st.integers(-100, 100), min_size=1, max_size=20),
    st.integers(-9, 9).filter(bool),
)
def test_division_agrees_with_java(values, by):
    found = Int1d(values) / by
    assert list(found) == [math.trunc(value / by) for value in values]
    rest = Int1d(values) % by
    assert np.array_equal(found * by + rest, values)


@given(st.lists(st.floats(width=32), max_size=40))
def test_reductions_agree_with_numpy_without_nan(values):
    x = Double1d(values)
    kept = np.array([value for value in values if not math.isnan(value)])
    if kept.size:
        assert MAX(x) == kept.max() and MIN(x) == kept.min()
        assert numeric.max(x) == kept.max()
    else:
        assert math.isnan(MAX(x))
