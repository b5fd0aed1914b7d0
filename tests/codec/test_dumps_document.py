"""Product documents are written by a quick way of their own: the same bytes as the general one."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec.documents import dumps, dumps_document, loads

VALUES = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.datetimes(timezones=st.just(UTC)),
)
ENTRIES = st.one_of(
    st.tuples(st.text(), VALUES),
    st.tuples(st.text(), VALUES, st.text()),
    st.tuples(st.text(), VALUES, st.text(), st.text()),
)


@given(meta=st.lists(ENTRIES), kind=st.text(), history=st.lists(st.text(), max_size=3))
def test_the_bytes_are_those_of_any_other_value(meta, kind, history):
    document = {
        "skypool": 1,
        "meta": meta,
        "kind": kind,
        "datasets": [["a", {"is": "array", "shape": [2, 3], "blank": None, "scale": 0.1}]],
        "history": history,
    }
    assert dumps_document(document) == dumps(document)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 2**53, 2**53 + 1, -(2**80), "\u0000\ud800é",
     datetime(2009, 5, 14, tzinfo=UTC)],
)  # fmt: skip
def test_values_that_need_care_come_back_as_they_were(value):
    document = {"meta": [("key", value, "unit")], "datasets": []}
    data = dumps_document(document)
    assert data == dumps(document)
    ((_, found, _),) = loads(data)["meta"]
    assert type(found) is type(value)
    assert repr(found) == repr(value)
