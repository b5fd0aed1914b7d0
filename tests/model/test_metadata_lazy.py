"""Plain values of metadata become parameters when they are looked at, without a trace of it."""

from __future__ import annotations

import copy
import pickle

import pytest

from skypool.model.metadata import MetaData, Parameter

GIVEN = {"a": 1, "B": 2.5, "text": "x", "flag": False, "size": Parameter(3.0, "deg", "how large")}


@pytest.fixture
def meta():
    return MetaData(GIVEN)


def test_every_way_of_looking_gives_parameters(meta):
    fresh = MetaData(GIVEN)
    assert fresh["flag"] == Parameter(False)
    assert fresh["b"] == Parameter(2.5)  # in another case
    assert fresh["a"] is fresh["a"]
    assert all(isinstance(found, Parameter) for found in meta.values())
    assert [name for name, _ in meta.items()] == list(GIVEN)
    assert MetaData(GIVEN).get("text") == Parameter("x")
    assert fresh == meta == MetaData(meta)


def test_raw_items_are_the_same_before_and_after_a_look(meta):
    plain = {name: getattr(found, "value", found) for name, found in meta.raw_items()}
    dict(meta.items())
    assert {name: found.value for name, found in meta.raw_items()} == plain


def test_replacing_and_removing_plain_values(meta):
    changed = meta.replace({"flag": None, "a": 7, "size": 4.0})
    assert "flag" not in changed
    assert changed["a"] == Parameter(7)
    assert changed["size"] == Parameter(4.0, "deg", "how large")
    assert meta["a"] == Parameter(1)


def test_copies_and_pickles(meta):
    for made in (copy.deepcopy(meta), pickle.loads(pickle.dumps(meta)), copy.copy(meta)):
        assert made == MetaData(GIVEN)
        assert dict(made.items()) == dict(meta.items())
