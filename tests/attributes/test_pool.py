"""Core attributes in a pool: asked for, kept in step, checked, and given up with the content."""

from __future__ import annotations

import os
import random
import sqlite3
import string
from pathlib import Path

import pytest

import skypool as sp
from skypool.catalogue.attributes import reload_rules
from skypool.errors import QueryError, UsageError


def product(**meta):
    return sp.Product(kind="Product", meta=meta)


def names(pool, query, **values):
    return [ref.name for ref in pool.find(query, **values)]


@pytest.fixture
def pool(tmp_path):
    made = sp.Pool(str(tmp_path / "pool"))
    with made.commit("all") as commit:
        commit.save(product(TELESCOP="HST", TARGNAME="M 83", EXPTIME=100.0), name="a")
        commit.save(product(telescope="mine", OBJECT="M 83", exposure=3), name="b")
        commit.save(product(TELESCOP="XTE", MJDREFI=55256, TSTART=43200.0), name="c")
        commit.save(
            sp.Product(kind="Product", instrument="Unknown", meta={"INSTRUME": "ACIS"}), name="d"
        )
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("telescope == 'HST'", ["a"]),
        ("Telescope in ['mine', 'RXTE']", ["b", "c"]),
        ("object == 'M 83'", ["a", "b"]),
        ("exposure > '1 min'", ["a"]),
        ("exposure == 3", ["b"]),
        ("exposure < 1000", ["a", "b"]),
        ("start == '2010-03-01'", ["c"]),
        ("start - '1 h' > '2010-03-01T10:59'", ["c"]),
        ("instrument == 'ACIS'", ["d"]),
        ("meta['instrument'] == 'ACIS'", []),
        ("meta['telescope'] == 'HST'", []),
        ("meta['object'] == 'M 83'", ["b"]),
        ("has(start)", ["c"]),
        ("missing(telescope)", ["d"]),
        ("telescope startswith 'H' or telescope like '%XTE'", ["a", "c"]),
    ],
)
def test_bare_names(pool, query, found):
    assert names(pool, query) == found


def test_names_are_known_and_resembled(pool):
    assert names(pool, "calib_level == 2") == []
    with pytest.raises(QueryError, match="no product has the key 'telescop3'"):
        pool.find("telescop3 == 'HST'")


def test_old_versions_have_their_own(pool):
    pool.save(product(TELESCOP="HST", TARGNAME="M 51"), name="a")
    assert names(pool, "object == 'M 83'") == ["b"]
    assert [ref.version for ref in pool.find("object == 'M 83'", all_versions=True)] == [0, 0]
    assert pool["a"].attributes["object"].value == "M 51"
    assert pool["a@0"].attributes["object"].value == "M 83"


def test_rules_of_the_configuration_apply_to_what_is_indexed_then(pool):
    folder = Path(os.environ["SKYPOOL_CONFIG"], "attributes")
    folder.mkdir(parents=True)
    (folder / "hst.toml").write_text('[attributes]\nobject = [{value = "mine"}]\n', "utf-8")
    try:
        reload_rules()
        assert pool["a"].attributes["object"].value == "M 83"
        assert names(pool, "object == 'mine'") == []
        assert pool.verify().ok
        pool.reindex()
        assert pool["a"].attributes["object"].value == "mine"
        assert names(pool, "object == 'mine'") == ["a"]
        (folder / "hst.toml").write_text("[attributes]\nobjekt = []\n", "utf-8")
        reload_rules()
        with pytest.raises(UsageError, match=r"hst\.toml at attributes: 'objekt' is not known"):
            pool.save(product(TELESCOP="HST"), name="e")
    finally:
        (folder / "hst.toml").unlink()
        reload_rules()
    pool.save(product(TELESCOP="HST", TARGNAME="M 1"), name="e")
    assert pool["e"].attributes["object"].value == "M 1"


def test_changed_rows_are_noticed(pool, tmp_path):
    pool.close()
    for sql in (
        "UPDATE texts SET text = 'HUT' WHERE text = 'HST'",
        "UPDATE attributes SET exposure = 101.0 WHERE exposure = 100.0",
        "UPDATE attributes SET object = NULL WHERE object NOT NULL",
        "DELETE FROM attributes WHERE exposure = 100.0",
        "UPDATE postings SET value = 101.0 WHERE value = 100.0"
        " AND slot IN (SELECT id FROM slots WHERE key < 0)",
        "UPDATE slots SET key = key - 50 WHERE key < 0",
    ):
        connection = sqlite3.connect(tmp_path / "pool" / "catalogue.sqlite")
        with connection:
            assert connection.execute(sql).rowcount > 0
        connection.close()
        with sp.Pool(str(tmp_path / "pool")) as hurt:
            assert {problem.kind for problem in hurt.verify().problems} == {"catalogue"}, sql
            assert hurt.repair().ok
            assert hurt.verify().ok
            assert names(hurt, "telescope == 'HST' and exposure == 100") == ["a"]


def test_they_go_with_the_content(pool, tmp_path):
    # documents of one commit share a record of the pack, which goes with the last of them
    # and a pack is written anew only where enough comes back of it
    long = "".join(random.Random(1).choices(string.ascii_letters, k=3000))
    pool.save(product(TELESCOP="HST", EXPTIME=77.0, COMMENTS=long), name="x")
    pool.save(product(TELESCOP="HST", EXPTIME=78.0), name="y")
    pool.remove("x")
    pool.gc(grace=0, removed_after=0)
    connection = sqlite3.connect(tmp_path / "pool" / "catalogue.sqlite")
    ((rows,),) = connection.execute("SELECT count(*) FROM attributes WHERE exposure = 77.0")
    ((terms,),) = connection.execute("SELECT count(*) FROM terms WHERE key < 0 AND value = 77.0")
    connection.close()
    assert (rows, terms) == (0, 0)
    assert pool.verify().ok
