"""Commits of many products: stored one by one, indexed ahead, and still all or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.interface import ChunksGone
from skypool.errors import DiskFull, StorageError, UsageError
from skypool.pool import pending, transaction


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "_WAITING", 4)
    monkeypatch.setattr(pending, "_STAGE_DOCUMENTS", 6)


@pytest.fixture
def pool(tmp_path: Path) -> sp.Pool:
    return sp.Pool(tmp_path / "pool")


def product(number: int, **refs: object) -> sp.Product:
    image = np.full((16, 16), number, "f4")
    return sp.Product(
        kind="SimpleImage", type="CAT", meta={"n": number}, datasets={"image": image}, refs=refs
    )


def test_a_large_commit_is_one_commit(pool: sp.Pool) -> None:
    old = pool.save(product(100), name="old", tags=["was"])
    with pool.commit("many") as commit:
        first = commit.save(product(0), name="p00", tags=["first"])
        others = [commit.save(product(n), name=f"p{n:02d}") for n in range(1, 20)]
        top = commit.save(product(50, a=first, b=others[-1], c=old), name="top")
        commit.save(product(0).replace(meta={"n": -1}), name="p00", tags=["second"])
        commit.tag(old, "and is")
        commit.tag(others[3], "fourth")
        commit.save(product(60))
        assert len(pool.ls()) == 1
        with pytest.raises(UsageError, match="not made yet"):
            _ = first.ref
        with pytest.raises(UsageError, match="stored already"):
            _ = first.product
    assert len(pool.ls()) == 23
    assert {ref.commit for ref in pool.ls()} == {1, 2}
    assert first.ref.version == 0 and pool["p00"].version == 1
    assert first.ref.tags == ("first",) and pool["second"].name == "p00"
    assert first.product.meta["n"].value == 0
    assert pool["fourth"].name == "p04" and pool["and is"] == old
    refs = top.ref.refs
    assert [refs[role].name for role in "abc"] == ["p00", "p19", "old"]
    assert [int(pool[f"p{n:02d}"].product["image"][0, 0]) for n in range(20)] == [*range(20)]
    assert [ref.name for ref in pool.find("n >= 15 and n < 18")] == ["p15", "p16", "p17"]
    assert pool["CAT-1"].meta["n"].value == 60
    assert pool.verify().ok
    pool.reindex()
    assert len(pool.ls()) == 23 and pool.verify().ok


def test_an_error_undoes_all_of_it(pool: sp.Pool) -> None:
    pool.save(product(0), name="old")

    def fail() -> None:
        with pool.commit("many") as commit:
            for number in range(20):
                commit.save(product(number), name=f"p{number:02d}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [ref.name for ref in pool.ls()] == ["old"]
    assert len(pool.find("n >= 0")) == 1
    assert pool.verify().ok
    # What was stored ahead is used where it is wanted after all, and else given back.
    pool.save(product(3), name="p03")
    pool.gc(grace=0)
    assert pool.verify().ok
    assert int(pool["p03"].product["image"][0, 0]) == 3


def test_a_commit_that_failed_cannot_be_made(
    pool: sp.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = pool.commit("many")
    for number in range(10):
        commit.save(product(number), name=f"p{number}")
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise DiskFull("as if the disk were full")

        patch.setattr(type(commit._storing.writer), "flush", full)
        with pytest.raises(DiskFull):
            commit.finish()
    with pytest.raises(StorageError, match="failed"):
        commit.finish()
    assert list(pool.ls()) == []
    with pool.commit("again") as commit:
        for number in range(10):
            commit.save(product(number), name=f"p{number}")
    assert len(pool.ls()) == 10


def test_reclaimed_chunks_are_told(pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.save(product(0), name="old")
    session = pool.view.session

    def gone(*_: object, **__: object) -> None:
        raise ChunksGone([b"\0" * 32])

    commit = pool.commit("many")
    for number in range(10):
        commit.save(product(number), name=f"p{number}")
    monkeypatch.setattr(session, "publish", gone)
    with pytest.raises(StorageError, match="nothing was committed"):
        commit.finish()
    monkeypatch.undo()
    assert len(pool.ls()) == 1


def test_large_products_do_not_wait(pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "_WAITING_BYTES", 100_000)
    monkeypatch.setattr(transaction, "_WAITING", 1000)
    with pool.commit("large") as commit:
        table = sp.Table({"x": np.arange(10_000), "y": np.zeros((10_000, 2))})
        commit.save(sp.Product(datasets={"a": {"t": table}}), name="one")
        assert commit._storing is None  # a single one is written once more where it must be
        commit.save(product(1), name="two")
        assert commit._storing is not None
    assert pool["one"].product["a"]["t"]["x"][9] == 9
    assert {ref.commit for ref in pool.ls()} == {1}
