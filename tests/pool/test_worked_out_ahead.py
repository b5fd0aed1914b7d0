"""Large commits are worked out before they take the write lock; others may come in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skypool as sp
from skypool.catalogue import sqlite
from skypool.codec.documents import dumps, dumps_in_parts
from skypool.errors import EditConflict
from skypool.pool import adding_files, session


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skypool.catalogue.ahead._LARGE", 1)
    monkeypatch.setattr(session, "_STAGE_DOCUMENTS", 1)
    monkeypatch.setattr(adding_files, "_STAGE_DOCUMENTS", 4)
    for where in ("catalogue.applying._AT_ONCE", "catalogue.outside._AT_ONCE"):
        monkeypatch.setattr(f"skypool.{where}", 3)
    monkeypatch.setattr("skypool.codec.packing._PART", 2)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(12):
        path = tmp_path / f"tree/{number % 3}/file{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    return tmp_path / "tree"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[str]]:
    """Do something between working a commit out and making it; tell how often it was worked out."""

    def between(deed: Callable[[], object]) -> list[str]:
        made = []
        early, again = sqlite.ahead, sqlite.worked_out

        def ahead_and_then(*given):
            monkeypatch.setattr(sqlite, "ahead", early)
            found = early(*given)
            made.append("ahead")
            deed()
            return found

        monkeypatch.setattr(sqlite, "ahead", ahead_and_then)

        def once_more(connection, draft):
            if len(draft.versions) > 5:  # not those of the deed
                made.append("again")
            return again(connection, draft)

        monkeypatch.setattr(sqlite, "worked_out", once_more)
        return made

    return between


def state(pool: sp.Pool) -> list[tuple[object, ...]]:
    return [(ref.name, ref.version, ref.kind, ref.hash, ref.total_size) for ref in pool.ls()]


def test_nobody_comes_in_between(tmp_path, tree, meanwhile):
    with sp.Pool(tmp_path / "pool") as pool:
        made = meanwhile(lambda: None)
        pool.add(tree)
        assert made == ["ahead"]
        assert len(pool.ls()) == 16 and pool.verify().ok
        before = state(pool)
        pool.reindex()
        assert state(pool) == before


def test_what_is_renamed_has_its_name_no_more(tmp_path, tree, meanwhile):
    """Which tracks had another name, and the highest numbers, are worked out ahead as well."""
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tree)
        made = meanwhile(lambda: None)
        with pool.commit("both") as commit:
            for number in range(8):
                commit.save(sp.Product(meta={"n": number}), name=f"new{number}")
            commit.rename(pool["tree/0/file0.dat"], "mine")
            commit.save(sp.Product(meta={"n": -1}), name="tree/1/file1.dat")
        assert made == ["ahead"]
        states = pool.view.session.catalogue.states("next_urn", "next_track", "head")
        assert states == (26, 25, 2)
        names = [ref.name for ref in pool.ls()]
        assert "tree/0/file0.dat" not in names and "mine" in names and len(names) == 24
        assert pool["tree/1/file1.dat"].version == 1
        assert "tree/0/file0.dat" in [ref.name for ref in pool.at(1).ls()]
        assert pool.verify().ok
        before = state(pool)
        pool.reindex()
        assert state(pool) == before
        assert pool.view.session.catalogue.states("next_urn", "next_track", "head") == states
        pool.save(sp.Product(), name="next")


def test_another_commit_comes_in_between(tmp_path, tree, meanwhile):
    """The plan of the folder was made already: it is taken back, and made anew."""
    with sp.Pool(tmp_path / "pool") as pool, sp.Pool(tmp_path / "pool") as other:
        pool.add(tree)
        (tree / "0/file0.dat").unlink()
        (tree / "1/file1.dat").write_bytes(b"new")
        made = meanwhile(lambda: other.rename("tree/0/file0.dat", "mine"))
        report = pool.add_report(tree)
        assert made == ["ahead", "again"]
        assert report.removed == [] and pool["mine"].version == 0
        assert pool["tree/1/file1.dat"].version == 1
        assert pool.history()[0].number == 3
        names = [ref.name for ref in pool.ls()]
        assert "tree/0/file0.dat" not in names and len(names) == 16
        assert pool.verify().ok
        before = state(pool)
        pool.reindex()
        assert state(pool) == before


def test_what_is_gone_is_told_once(tmp_path, tree, meanwhile):
    with sp.Pool(tmp_path / "pool") as pool, sp.Pool(tmp_path / "pool") as other:
        pool.add(tree)
        (tree / "0/file0.dat").unlink()
        (tree / "2/file2.dat").unlink()
        made = meanwhile(lambda: other.save(sp.Product(), name="else"))
        report = pool.add_report(tree)
        assert made == ["ahead", "again"]
        assert sorted(report.removed) == ["tree/0/file0.dat", "tree/2/file2.dat"]
        assert len(pool.ls()) == 15 and pool.verify().ok


def test_chunks_are_condemned_in_between(tmp_path, tree, meanwhile):
    """The head stays, and yet what the commit reuses has to be looked up again."""
    with sp.Pool(tmp_path / "pool") as pool, sp.Pool(tmp_path / "pool") as other:
        pool.add(tree)
        with other.view.session.catalogue.database.transaction() as connection:
            connection.execute("UPDATE chunks SET condemned = 0")
        (tree / "0/copy.dat").write_bytes(b"1")

        def condemn() -> None:
            with other.view.session.catalogue.database.transaction() as connection:
                connection.execute("UPDATE chunks SET condemned = 1")

        made = meanwhile(condemn)
        reused = []
        writer_of = pool.view.session.writer

        def writer(**given):
            reused.append(writer_of(**given))
            return reused[-1]

        pool.view.session.writer = writer
        pool.add(tree, force_read=True)
        assert made == ["ahead"] and pool.verify().ok
        database = pool.view.session.catalogue.database
        ((kept,),) = database.query("SELECT count(*) FROM chunks WHERE condemned = 0")
        assert kept >= len(reused[0].reused) > 0


def test_what_is_refused_changes_nothing(tmp_path, tree):
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tree)
        before = state(pool)
        with pytest.raises(EditConflict):
            pool.add(tree, exclusive=True)
        assert state(pool) == before and len(pool.history()) == 1


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.lists(st.floats() | st.text(max_size=3) | st.lists(st.integers())) | st.integers(),
    )
)
def test_a_record_in_parts_is_that_at_once(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skypool.codec.documents._PART", 2)
        assert dumps_in_parts(value) == dumps(value)
