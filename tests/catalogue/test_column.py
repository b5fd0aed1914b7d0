"""Columns in memory: what they stand for is what was put in, whichever way it came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.catalogue import columns as columns_module
from skypool.catalogue import visible as visible_module
from skypool.catalogue.column import EXACT, TIME, Column, Entry, is_time, moments_of
from skypool.catalogue.columns import BY_DOCUMENT, BY_VERSION, columns_of
from skypool.catalogue.search_words import Scanned
from skypool.pool.results.values import Values

digits = st.integers(0, 99)
times = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z"),
    st.builds(
        "2011-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}.{:06d}Z".format,
        *[digits] * 5,
        st.integers(0, 999_999),
    ),
)


@given(st.lists(times, min_size=1))
def test_times_are_numbers_and_come_back_as_they_were(texts):
    assert all(map(is_time, texts))
    moments = moments_of(texts)
    column = Column()
    known = ~np.isnan(moments)
    codes = np.zeros(len(texts), np.int32)
    codes[known] = column.codes_of_moments(moments[known], "")
    for place in np.flatnonzero(~known):
        codes[place] = column.place(texts[place])
    assert [column.entries[code] for code in codes.tolist()] == [Entry(text) for text in texts]
    assert (column.entries.marks[codes] == TIME).all()
    assert np.isnan(column.entries.numbers[codes]).all()
    np.testing.assert_array_equal(column.entries.moments(codes), moments)
    again = column.codes_of_moments(moments[known], "")
    assert again.tolist() == codes[known].tolist()
    order = np.argsort(Values("t", codes, column.entries).ranks(), kind="stable")
    assert [texts[place] for place in order] == sorted(texts)


@pytest.mark.parametrize(
    "text",
    ["2011-02-30T00:00:00.000000Z", "2011-13-01T00:00:00.000000Z", "2011-01-01T25:00:00.000000Z"],
)
def test_what_only_looks_like_a_time_stays_a_text(text):
    good = "2011-02-28T01:02:03.000004Z"
    moments = moments_of([good, text, good])
    assert np.isnan(moments).tolist() == [False, True, False]
    assert moments[0] == 1298854923000004 < EXACT


def test_units_and_numbers_stay_apart_from_times():
    column = Column()
    moment = moments_of(["2011-02-28T01:02:03.000004Z"])
    code = column.codes_of_moments(moment, "")
    number = column.codes_of_numbers(moment, np.ones(1, bool), "")
    other = column.codes_of_moments(moment, "s")
    assert len({*code.tolist(), *number.tolist(), *other.tolist()}) == 3
    assert column.entries[int(number[0])] == Entry(1298854923000004)
    assert column.entries[int(other[0])] == Entry("2011-02-28T01:02:03.000004Z", "s")
    assert column.entries.units(np.array([1, 2, 3])) == {"", "s"}


def _held(pool):
    """Return what all columns of a pool say."""
    view = pool.view
    with columns_of(view.session.catalogue.database).reading() as columns:
        visible = columns.visible(view.at)
        arrays = (visible.urns, visible.documents, visible.tracks, visible.leaf)
        found = {"versions": [array.tolist() for array in arrays]}
        for name in (*BY_DOCUMENT, *BY_VERSION):
            codes = columns.attribute(name).codes.tolist()
            entries = columns.attribute(name).entries
            found[name] = codes if name == "document" else [entries[code] for code in codes]
    return found


def test_reading_some_at_a_time_gives_the_same(tmp_path, monkeypatch):
    with sp.Pool(tmp_path / "pool") as pool:
        for number in range(20):
            product = sp.Product(type=f"T{number % 3}", meta={"n": number % 7})
            pool.save(product, name=f"p{number % 11:02d}")
    with sp.Pool(tmp_path / "pool", "r") as pool:
        whole = _held(pool)
    for module in (columns_module, visible_module):
        monkeypatch.setattr(module, "_AT_ONCE", 3)
    with sp.Pool(tmp_path / "pool", "r") as pool:
        assert _held(pool) == whole
        assert len(whole["versions"][0]) == 11


@pytest.mark.parametrize("name", ["kind", "type", "n", "instrument"])
def test_columns_that_are_read_ahead_are_the_same(tmp_path, monkeypatch, name):
    monkeypatch.setattr(columns_module, "_AT_ONCE", 3)
    with sp.Pool(tmp_path / "pool") as pool:
        for number in range(10):
            meta = {"n": number % 4, "instrument": "abc"[number % 3]}
            pool.save(sp.Product(type=f"T{number % 3}", meta=meta), name=f"p{number}")
        database = pool.view.session.catalogue.database
        ahead, whole = columns_module.Columns(database), columns_module.Columns(database)
        steps = 0
        done = False
        while not done:
            with ahead.reading():
                done = ahead.read_some(name)
            steps += 1
        assert steps > 3 or name not in BY_DOCUMENT  # keys are read run by run
        held = []
        for columns in (ahead, whole):
            with columns.reading():
                attribute = name in BY_DOCUMENT
                column = columns.attribute(name) if attribute else columns.key(name)
                held.append([column.entries[code] for code in column.codes.tolist()])
        assert held[0] == held[1]
        assert sum(entry is not None for entry in held[0]) == 10


def test_texts_that_come_in_parts_are_found_alike():
    texts = ["Abc", "", "bcd", "ÄB", "abC"]
    for parts in ([texts], [texts[:2], texts[2:]], [[each] for each in texts]):
        for keep in (True, False):
            scanned = Scanned(parts, keep=keep)
            assert scanned.holding("bc").tolist() == [0, 2, 4]
            assert scanned.holding("cb").tolist() == []
            if keep:
                assert [scanned.text(place) for place in range(5)] == texts
