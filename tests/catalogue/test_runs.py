"""The inverted table of metadata in runs: found in all of them, appended in order."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool.catalogue import indexing
from skypool.catalogue.database import Database
from skypool.catalogue.indexing import document_numbers, index_documents
from skypool.catalogue.interface import IndexedDocument
from skypool.codec.parameter_columns import ParameterColumns
from skypool.errors import SkypoolError


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(indexing, "RUN_DOCUMENTS", 5)
    made = Database(str(tmp_path / "catalogue.sqlite"), writable=True)
    made.prepare()
    return made


def document(number: int, **meta: Any) -> IndexedDocument:
    listed = [(key, value, "s") if key == "time" else (key, value) for key, value in meta.items()]
    return IndexedDocument(
        number.to_bytes(32, "big"), "Product", "T", 1, None, [(0, listed), (1, [("inner", number)])]
    )


def index(database: Database, *documents: IndexedDocument) -> None:
    with database.transaction() as connection:
        index_documents(connection, documents)


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    return database.query(sql)


def test_a_run_takes_few_documents_until_it_is_full(database: Database) -> None:
    for number in range(4):
        index(database, document(number, a=number))
    assert rows(database, "SELECT * FROM runs") == [(1, 4)]
    index(database, *(document(number, a=number) for number in range(10, 13)))
    assert rows(database, "SELECT * FROM runs") == [(1, 4), (2, 3)]
    index(database, *(document(number, a=number) for number in range(20, 33)))
    assert rows(database, "SELECT documents FROM runs") == [(4,), (3,), (5,), (5,), (3,)]
    found = rows(
        database,
        "SELECT t.value FROM keys k JOIN terms t ON t.key = k.id WHERE k.name = 'a' ORDER BY 1",
    )
    assert [value for (value,) in found] == [*range(4), *range(10, 13), *range(20, 33)]


def test_rows_of_a_run_are_behind_those_before(database: Database) -> None:
    for start in range(0, 40, 5):
        index(
            database, *(document(n, b=-n, a=f"x{n % 3}", time=1.5) for n in range(start, start + 5))
        )
    order = rows(
        database, "SELECT s.run FROM postings p JOIN slots s ON s.id = p.slot ORDER BY p.slot"
    )
    assert order == sorted(order)
    assert len(set(order)) == 8
    # Each key has one number, and one slot in each run.
    assert rows(database, "SELECT count(*), count(DISTINCT key) FROM slots") == [(32, 4)]


def test_what_is_there_is_left_out(database: Database) -> None:
    first = document(1, a=1)
    index(database, first, document(2, a=2), first)
    index(database, document(2, a=2), document(3, a=3))
    assert rows(database, "SELECT count(*) FROM documents") == [(3,)]
    assert rows(database, "SELECT count(*) FROM terms") == [(6,)]
    with database.transaction() as connection:
        index_documents(connection, [first])
        assert set(document_numbers(connection, [first.digest, b"?" * 32])) == {first.digest}


def test_values_of_all_types_under_one_key(database: Database) -> None:
    values = [3, 1.5, "text", float("nan"), True, "été", "\ud800", "z" * 500, 2**70, -(2**70)]
    index(database, *(document(n, key=value) for n, value in enumerate(values)))
    stored = {row[0] for row in rows(database, "SELECT value FROM terms WHERE key = 1")}
    assert stored >= {3, 1.5, "text", b"", 1, "été", "z" * 200, float(2**70), -float(2**70)}
    kinds = rows(database, "SELECT DISTINCT typeof(value) FROM postings")
    assert {kind for (kind,) in kinds} == {"integer", "real", "text", "blob"}


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            index_documents(connection, [document(1, a=1)])
            raise sqlite3.OperationalError("as if the disk were full")

    with pytest.raises(SkypoolError):
        fail()
    for table in ("documents", "runs", "slots", "postings", "keys", "units"):
        assert rows(database, f"SELECT count(*) FROM {table}") == [(0,)]
    index(database, document(1, a=1))
    assert rows(database, "SELECT value FROM terms ORDER BY place") == [(1,), (1,)]


def test_queries_look_into_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "RUN_DOCUMENTS", 4)
    pool = sp.Pool(tmp_path / "pool")
    for number in range(30):
        meta = {"obsid": number // 3, "band": f"B{number % 4}", "flux": number / 7}
        pool.save(sp.Product(type="CAT", meta=meta), name=f"p{number:02d}")
    assert [ref.name for ref in pool.find("obsid == 5")] == ["p15", "p16", "p17"]
    assert [ref.name for ref in pool.find("band == 'B1' and flux > 3.5")] == ["p25", "p29"]
    assert len(pool.find("missing('obsid')")) == 0
    assert len(pool.find("has('flux') and not flux < 2")) == 16
    pool.remove("p15")
    pool.gc(grace=0)
    pool.reindex()
    assert [ref.name for ref in pool.find("obsid == 5")] == ["p16", "p17"]


def test_columns_are_indexed_as_lists_are(tmp_path: Path) -> None:
    listed = [
        [("a", 1.5, "s"), ("b", "x"), ("c", True)],
        [("a", 2.5, "m", "length"), ("b", "y"), ("c", False)],
        [("b", "z", "", "text"), ("a", 0.5, "s")],
        [("a", 3, "s", "time"), ("b", "x"), ("c", float("nan"))],
    ]
    found = []
    for columns in (False, True):
        database = Database(str(tmp_path / f"{columns}.sqlite"), writable=True)
        database.prepare()
        index(
            database,
            *(
                IndexedDocument(
                    number.to_bytes(32, "big"),
                    "Product",
                    "T",
                    1,
                    None,
                    [(0, ParameterColumns.of(meta) if columns else meta)],
                )
                for number, meta in enumerate(listed)
            ),
        )
        tables = ("keys", "units", "slots", "postings")
        found.append([rows(database, f"SELECT * FROM {table}") for table in tables])
    assert found[0] == found[1]
    assert len(found[0][3]) == 11
