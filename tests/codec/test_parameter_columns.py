"""Parameters in columns are the parameters that they were made of."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

from skypool.codec.documents import dumps, dumps_document
from skypool.codec.parameter_columns import ParameterColumns

LISTED = [
    ["type", "Unknown"],
    ["date", datetime(2020, 1, 1, tzinfo=UTC)],
    ["N", 7, "", "a number"],
    ["R", 1.5, "s"],
    ["L", True, "", "flag"],
]


def test_they_read_as_the_list_that_they_were_made_of():
    columns = ParameterColumns.of(LISTED)
    assert list(columns) == LISTED
    assert len(columns) == len(LISTED)
    assert columns[2] == LISTED[2]
    assert columns[-1] == LISTED[-1]
    assert columns[1:3] == LISTED[1:3]
    assert ParameterColumns.of(columns) is columns
    assert list(ParameterColumns.of([])) == []


def test_names_and_descriptions_are_pickled_once():
    many = [ParameterColumns.of([[*entry] for entry in LISTED]) for _ in range(32)]
    assert len({id(columns.names) for columns in many}) == 1
    assert len({id(columns.described) for columns in many}) == 1
    data = pickle.dumps(many, protocol=5)
    assert data.count(b"a number") == 1
    assert [list(columns) for columns in pickle.loads(data)] == [LISTED] * 32


def test_numbers_that_need_a_tag_are_tagged():
    odd = [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 2**53, 2**53 + 1, "-0.0", "nan"]
    for number, value in enumerate([*odd, 1.0]):
        meta = [["a", value], ["b", odd[number % len(odd)], "s", "text"], ["c", 2.5]]
        document = {"meta": meta, "kind": "Product"}
        assert dumps_document(document) == dumps(document)
        assert dumps_document(document, ParameterColumns.of(meta)) == dumps(document)
