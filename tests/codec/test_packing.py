"""Long lists and texts, compressed while they are made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skypool.codec import packing
from skypool.codec.documents import Listed, dumps, dumps_in_parts, in_parts
from skypool.codec.packing import PackedRows, pack, packed_parts
from skypool.storage.commit_log import START, CommitLog, pack_record
from skypool.storage.filelayer import LocalFiles

values = st.one_of(
    st.none(), st.integers(-(2**63), 2**64), st.binary(max_size=40),
    # Names of files may hold bytes that are no text.
    st.text(st.characters(), max_size=20),
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_PART", 3)
    monkeypatch.setattr("skypool.codec.documents._PART", 3)


@given(st.lists(st.tuples(values, values), max_size=12), st.integers(0, 14))
def test_rows_come_out_as_they_went_in(rows, start):
    packed = PackedRows(rows)
    assert len(packed) == len(rows)
    assert list(packed) == rows == list(packed)  # as often as one likes
    assert list(packed.since(start)) == rows[start:]


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_a_text_is_packed_in_parts(parts):
    found = packed_parts(pack(parts))
    assert found is not None
    length, data = found
    assert length == sum(map(len, parts))
    assert packing.zstd.decompress(data) == b"".join(parts)
    assert packed_parts(b"{" + b"".join(parts)) is None


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=4)), max_size=8)
)
def test_listed_items_are_written_like_a_list(items):
    def again() -> Iterator[object]:
        return iter(items)

    plain = {"a": items, "b": 1, "é": []}
    assert dumps_in_parts(plain | {"a": Listed(len(items), again)}) == dumps(plain)
    assert bool(Listed(len(items), again)) == bool(items)


def test_a_packed_record_is_one_of_the_log(tmp_path):
    log = CommitLog(str(tmp_path / "commits.log"), LocalFiles())
    log.create()
    records = [{"commit": n, "versions": [{"urn": n} for n in range(100 * n)]} for n in (1, 2, 3)]
    made = [dumps(records[0]), pack(in_parts(records[1])), dumps(records[2])]
    end = log.append(list(enumerate(made, 1)), START)
    assert [record.payload for record in log.records()] == [dumps(record) for record in records]
    assert log.end() == end
    assert len(pack_record(made[1], START)) < len(dumps(records[1])) / 4
