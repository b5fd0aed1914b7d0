"""Canonical JSON: the quick way writes what the thorough one does, and it reads back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec import documents
from skypool.codec.documents import dumps, format_time, loads

_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(2**53 - 2, 2**53 + 2).flatmap(lambda n: st.sampled_from([n, -n])),
        st.floats(),
        st.sampled_from([0.0, -0.0, -0.01, -1e-300, math.nan, math.inf, -math.inf]),
        st.text(st.characters(), max_size=12),
        st.sampled_from(["-0.0", "x-0.0", "$int", "\ud800"]),
        st.datetimes(timezones=st.just(UTC)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=20,
)


def thorough(value: Any) -> bytes:
    """Write every value through the tags."""
    tagged = documents._tagged(value)
    text = json.dumps(tagged, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


@given(_VALUES)
def test_quick_and_thorough_agree(value: Any) -> None:
    written = dumps(value)
    assert written == thorough(value)
    assert dumps(loads(written)) == written


@pytest.mark.parametrize("value", [np.float64(1.5), np.int64(3), b"x", {1, 2}, 1j, object()])
def test_what_no_document_holds_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="a document cannot hold a"):
        dumps({"meta": [["key", value]]})


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        (datetime(2013, 2, 17, 1, 10, 35, 261674, UTC), "2013-02-17T01:10:35.261674Z"),
        (
            datetime(2020, 1, 1, 3, tzinfo=timezone(timedelta(hours=5))),
            "2019-12-31T22:00:00.000000Z",
        ),
    ],
)
def test_times(time: datetime, text: str) -> None:
    assert format_time(time) == text
    assert loads(dumps(time)) == time
