"""Records that are read in parts say what they say as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec import long_records, packing
from skypool.codec.compression import RAW, ZSTD, decode, encode
from skypool.codec.documents import Listed, dumps, loads
from skypool.codec.long_records import long_record
from skypool.codec.packing import unpacked
from skypool.errors import Damaged

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
_records = st.dictionaries(st.text(max_size=4), _values, max_size=5)


@pytest.fixture(autouse=True)
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_records, "_KEPT", 2)
    monkeypatch.setattr(packing, "_STEP", 7)


def whole(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: list(item) if isinstance(item, Listed) else item for k, item in value.items()}


def said(data: bytes, step: int) -> tuple[Any, str]:
    """Return what is read in parts, or else what is said of it."""

    def parts() -> Iterator[bytes]:
        return (data[start : start + step] for start in range(0, len(data), step))

    try:
        found = long_record(parts)
    except Damaged as error:
        return None, error.message
    assert repr(whole(found)) == repr(whole(found))  # as often as one likes
    return repr(whole(found)), ""


def expected(data: bytes) -> tuple[Any, str]:
    try:
        return repr(loads(data)), ""
    except Damaged as error:
        return None, error.message


@given(_records, st.integers(1, 30))
def test_a_record_in_parts(record: dict[str, Any], step: int) -> None:
    data = dumps(record)
    assert said(data, step) == expected(data)


@given(_records, st.integers(1, 30), st.integers(0, 200), st.binary(min_size=1, max_size=1))
def test_what_is_no_record_is_told_alike(
    record: dict[str, Any], step: int, at: int, byte: bytes
) -> None:
    data = dumps(record)
    at %= len(data)
    for bad in (data[:at], data[:at] + byte + data[at + 1 :], data + byte):
        if bad[:1] == b"{":
            assert said(bad, step) == expected(bad)


@pytest.mark.parametrize("text", [b"[1]", b"3", b'"a"'])
def test_no_object_is_no_record(text: bytes) -> None:
    assert said(text, 2) == (None, "a record of the log is none")


def test_long_lists_are_made_when_they_are_wanted() -> None:
    record = {"a": [1, 2], "b": [1, 2, 3], "c": [[1, "x"], [2, {"y": []}], [3, None]], "d": {}}
    data = dumps(record)
    asked: list[int] = []

    def parts() -> Iterator[bytes]:
        asked.append(1)
        return iter([data[:20], data[20:]])

    found = long_record(parts)
    assert [type(found[key]) for key in "abcd"] == [list, Listed, Listed, dict]
    assert len(found["b"]) == len(found["c"]) == 3
    assert len(asked) == 1
    assert whole(found) == record
    assert next(iter(found["c"])) == [1, "x"]
    assert len(asked) == 4


@given(st.binary(max_size=300), st.sampled_from([RAW, ZSTD]), st.integers(-1, 1))
def test_parts_are_what_is_decoded(raw: bytes, codec: int, more: int) -> None:
    stored = encode(raw, codec)
    length = max(len(raw) + more, 0)
    if length == len(raw):
        assert b"".join(unpacked(stored, codec, length)) == decode(stored, codec, 1, length) == raw
    else:
        with pytest.raises(Damaged):
            list(unpacked(stored, codec, length))
    if codec == ZSTD:
        with pytest.raises(Damaged):
            list(unpacked(stored[:-1], codec, len(raw)))
    with pytest.raises(Damaged, match="unknown codec"):
        list(unpacked(stored, 7, len(raw)))
