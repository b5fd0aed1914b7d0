"""Catalogues that are rebuilt are equal to those that were lost, whatever was done before."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pool.upkeep import answers, logical

import skypool as sp
from skypool.errors import SkypoolError
from skypool.testing.strategies import products

NAMES = ("a", "b", "maps/a", "maps/b", "maps", "a/b", "Ünï", "x")
TAGS = ("t", "u v", "ü", "\udcff")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("save"), st.sampled_from(NAMES), products(max_datasets=1)),
        st.tuples(st.just("same"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("tag"), st.sampled_from(NAMES), st.sampled_from(TAGS)),
        st.tuples(st.just("untag"), st.sampled_from(NAMES), st.sampled_from(TAGS)),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("restore"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("context"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    ),
    min_size=1,
    max_size=12,
)


def do(pool: sp.Pool, step: tuple[str, str, object]) -> None:
    what, name, other = step
    if what == "save":
        pool.save(other, name=name)  # type: ignore[arg-type]
    elif what == "same":
        pool.save(pool[name].product, name=str(other))
    elif what == "context":
        pool.save(sp.Product(kind="MapContext", refs={"r": pool[str(other)]}), name=name)
    elif what in ("remove", "restore"):
        getattr(pool, what)(name)
    else:
        getattr(pool, what)(name, str(other))


def play(path: Path, todo: list[tuple[str, str, object]]) -> None:
    with sp.Pool(path) as pool:
        pool.save(sp.Product(), name="first")
        for step in todo:
            try:
                do(pool, step)
            except SkypoolError:
                continue  # no such name, a name that is taken, nothing to restore


def rebuilt(path: Path) -> dict[str, list[object]]:
    with sp.Pool(path) as pool:
        pool.reindex()
        assert pool.verify().ok
    return logical(path / "catalogue.sqlite")


def check_equal(todo: list[tuple[str, str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool"
        play(path, todo)
        before = logical(path / "catalogue.sqlite")
        with sp.Pool(path, "r") as pool:
            said = answers(pool)
            assert pool.verify().ok
        again = rebuilt(path)
        for table in before:
            assert again[table] == before[table], table
        with sp.Pool(path, "r") as pool:
            assert answers(pool) == said
        # The log that is made from the catalogue means the same as the one that was lost.
        log = path / "commits.log"
        data = bytearray(log.read_bytes())
        data[30] ^= 255
        log.write_bytes(data)
        with sp.Pool(path) as pool:
            report = pool.repair()
            assert report.ok, report.verified.problems
        again = rebuilt(path)
        for table in before:
            assert again[table] == before[table], table


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(steps)
def test_rebuilt_catalogues_are_equal(todo: list[tuple[str, str, object]]) -> None:
    check_equal(todo)


@pytest.mark.campaign
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(steps)
def test_rebuilt_catalogues_are_equal_often(todo: list[tuple[str, str, object]]) -> None:
    check_equal(todo)


def test_all_records_can_be_made_again(tmp_path: Path) -> None:
    """A log of which nothing is left is written from the catalogue, and rebuilds an equal one."""
    from .made import small_pool

    path = tmp_path / "pool"
    small_pool(path, tmp_path / "tree")
    before = logical(path / "catalogue.sqlite")
    log = path / "commits.log"
    log.write_bytes(bytes(log.stat().st_size))
    with sp.Pool(path) as pool:
        assert not pool.verify().ok
        report = pool.repair()
        assert report.ok, report.verified.problems
        assert len(report.commits) == 9  # the tenth was written when opening
    again = rebuilt(path)
    for table in before:
        assert again[table] == before[table], table
