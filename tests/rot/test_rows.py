"""Values that change in the file of the catalogue are noticed by whoever reads them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import skypool as sp
from skypool.errors import Damaged

from .made import small_pool

# What is done behind SQLite's back, and who must notice it.
CHANGES = {
    "document of a version": "UPDATE versions SET document = 1 WHERE urn = 9",
    "digest of a document": "UPDATE documents SET digest = zeroblob(32) WHERE id ="
    " (SELECT document FROM versions WHERE urn = 9)",
    "track of a name": "UPDATE names SET track = 2 WHERE name = 'maps/a'",
    "name": "UPDATE names SET name = 'maps/b' WHERE name = 'maps/a'",
    "end of a version": "UPDATE versions SET until = 1000 WHERE urn = 9",
    "head": "UPDATE state SET value = 3 WHERE key = 'head'",
}


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    small_pool(tmp_path / "pool", tmp_path / "tree")
    return tmp_path / "pool"


def change(pool: Path, sql: str) -> None:
    connection = sqlite3.connect(pool / "catalogue.sqlite")
    with connection:
        assert connection.execute(sql).rowcount > 0
    connection.close()


@pytest.mark.parametrize("what", CHANGES)
def test_changed_row_gives_no_other_product(pool: Path, what: str) -> None:
    change(pool, CHANGES[what])
    with pytest.raises(Damaged) as caught, sp.Pool(pool, "r") as reading:
        for name in ("maps/a", "maps/b"):
            if name in reading:
                reading[name].product["image"]
    assert "skypool reindex" in caught.value.hint
    with sp.Pool(pool, "a") as writing:
        writing.reindex()
        assert writing["maps/a"].meta["seed"].value == 11
        assert writing.verify().ok


@pytest.mark.parametrize(
    ("sql", "ask"),
    [
        ("UPDATE tags SET tag = 'cal v2' WHERE tag = 'cal v1'", lambda p: p["maps/a@0"].tags),
        ("UPDATE tags SET urn = 8 WHERE tag = 'second'", lambda p: p.tagged("second")),
        ("UPDATE tags SET tag = 'x' WHERE tag = 'first'", lambda p: p.tags),
        ("UPDATE refs SET child = 8 WHERE role = 'a'", lambda p: p["observation"].refs),
        ("DELETE FROM refs WHERE role = 'a'", lambda p: p["observation"].refs),
        ("UPDATE commits SET author = 'nobody' WHERE number = 3", lambda p: p.history()),
        ("UPDATE attributes SET start = x'00'", lambda p: p["maps/a"].attributes),
        ("UPDATE attributes SET exposure = 3.5", lambda p: p["maps/a"].attributes),
        ("UPDATE texts SET text = text || '?'", lambda p: p["maps/a"].attributes),
        ("UPDATE documents SET kind = 'File' WHERE id > 7", lambda p: p.find("kind == 'File'")),
    ],
)
def test_changed_row_is_not_shown(pool: Path, sql: str, ask: object) -> None:
    change(pool, sql)
    with sp.Pool(pool, "r") as reading, pytest.raises(Damaged):
        list(ask(reading))  # type: ignore[operator]


@pytest.mark.parametrize("value", ["x'00'", "'soon'", "1e300", "9223372036854775807", "7"])
@pytest.mark.parametrize("attribute", ["start", "exposure", "obsid", "calib_level"])
def test_verify_finds_changed_attributes(pool: Path, attribute: str, value: str) -> None:
    change(pool, f"UPDATE attributes SET {attribute} = {value}")
    with sp.Pool(pool, "r") as reading:
        assert not reading.verify().ok
        assert not reading.verify(quick=True).ok


def test_many_hits_are_checked_when_they_are_looked_at(tmp_path: Path) -> None:
    """Rows that a process has checked are believed by a later search of many, but not shown."""
    with sp.Pool(tmp_path / "many") as writing, writing.commit("many") as commit:
        for n in range(700):
            commit.save(sp.Product(meta={"n": n}), name=f"p{n:03}")
    with sp.Pool(tmp_path / "many", "r") as reading:
        assert len(reading.find("n >= 0")) == 700
        change(tmp_path / "many", "UPDATE documents SET kind = 'File' WHERE id > 690")
        hits = reading.find("n >= 0")
        assert hits[600].kind == "Product"
        with pytest.raises(Damaged):
            list(hits)
        with pytest.raises(Damaged):
            hits[695]
        with pytest.raises(Damaged):
            reading.find("kind == 'File'")
    with sp.Pool(tmp_path / "many", "r") as reading, pytest.raises(Damaged):
        reading.find("n >= 0")
