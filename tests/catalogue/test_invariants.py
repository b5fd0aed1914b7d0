"""What holds in every pool: each invariant notices what breaks it."""

import sqlite3

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.database import Database
from skypool.catalogue.invariants import INVARIANTS, broken

BREAKS = {
    "commits are numbered without a gap": "DELETE FROM commits WHERE number = 2",
    "the head is the last commit": "UPDATE state SET value = 99 WHERE key = 'head'",
    "times of commits increase": "UPDATE commits SET time_us = 5 WHERE number = 3",
    "versions of a track are numbered from 0 without a gap": (
        "UPDATE versions SET version = 7 WHERE version = 1"
    ),
    "a version is the newest until the next one": "UPDATE versions SET until = 9 WHERE urn = 1",
    "versions come from commits": "UPDATE versions SET since = 77 WHERE urn = 2",
    "versions have a document": "DELETE FROM documents WHERE id = 1",
    "references lead to earlier versions": "UPDATE refs SET child = parent + 1",
    "of the products in view no two have the same name": "UPDATE names SET name = 'a'",
    "a product has one name at a time": "UPDATE names SET track = 1",
    "names are those of products": "UPDATE names SET track = 50 WHERE track = 1",
    "tags are those of versions": "UPDATE tags SET urn = 70",
    "a tag is on a version once": (
        "INSERT INTO tags(tag, urn, since, until, crc)"
        " SELECT tag, urn, since + 1, until, 0 FROM tags"
    ),
}


@pytest.fixture
def catalogue(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    first = pool.save(sp.Product(datasets={"x": np.zeros(3)}), name="a", tags=["good"])
    pool.save(first.product.replace(meta={"n": 1}))
    pool.save(sp.Product(kind="MapContext", refs={"child": first}), name="b")
    pool.close()
    return str(tmp_path / "pool/catalogue.sqlite")


def test_a_pool_breaks_none(catalogue):
    assert list(broken(Database(catalogue, writable=False))) == []


@pytest.mark.parametrize("name", INVARIANTS)
def test_what_breaks_one_is_told(catalogue, name):
    connection = sqlite3.connect(catalogue)
    connection.execute(BREAKS[name])
    connection.commit()
    connection.close()
    told = dict(broken(Database(catalogue, writable=False)))
    assert name in told
    assert told[name]


def test_verify_tells_it(catalogue, tmp_path):
    connection = sqlite3.connect(catalogue)
    connection.execute("UPDATE state SET value = 0 WHERE key = 'log_number'")
    connection.execute(BREAKS["versions come from commits"])
    connection.commit()
    connection.close()
    report = sp.Pool(tmp_path / "pool", "r").verify()
    assert any("versions come from commits" in str(problem) for problem in report.problems)
