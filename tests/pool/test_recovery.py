"""Pools that were copied, idle or in use (storage rule 18)."""

from __future__ import annotations

import shutil
import threading
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.pool.pool import Pool

from .upkeep import (
    answers,
    exported,
    filled,
    image,
    logical,
    product,
    state_of,
    write_tree,
)

CATALOGUE = ("catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm")
PARTS = {"catalogue": CATALOGUE, "log": ("commits.log",), "packs": ("packs",)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


@pytest.fixture
def pool(tmp_path: Path, tree: Path) -> Pool:
    return filled(tmp_path / "pool", tree)


def copy_part(source: Path, target: Path, *names: str) -> None:
    """Copy some files of a pool, over older copies of them."""
    target.mkdir(exist_ok=True)
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).exists():
            shutil.copy(source / name, target / name)


def others(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name not in (*CATALOGUE, "commits.log", "packs")]


def test_idle_pool_is_copied(
    pool: Pool, tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = answers(pool)
    pool.close()
    shutil.copytree(tmp_path / "pool", tmp_path / "copy")
    before = (tmp_path / "copy/commits.log").read_bytes()
    with sp.Pool(tmp_path / "copy") as copy:
        assert answers(copy) == said
        assert copy.verify().ok
        assert exported(copy, "obs", tmp_path / "out") == state_of(tree)
        copy.save(product(80), name="in the copy")
    assert not caplog.records
    assert (tmp_path / "copy/commits.log").read_bytes().startswith(before)
    with sp.Pool(tmp_path / "pool") as original:
        assert answers(original) == said


def test_open_pool_is_copied(pool: Pool, tmp_path: Path) -> None:
    """With a `-wal` file that holds the newest commits."""
    said = answers(pool)
    assert (tmp_path / "pool/catalogue.sqlite-wal").stat().st_size
    shutil.copytree(tmp_path / "pool", tmp_path / "copy")
    with sp.Pool(tmp_path / "copy") as copy:
        assert answers(copy) == said
        assert copy.verify().ok


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("order", list(permutations(PARTS)))
def test_pool_is_copied_while_it_grows(
    pool: Pool, tmp_path: Path, order: tuple[str, ...], checkpointed: bool
) -> None:
    """Its parts are of different times: what all of them have is there, and whole."""
    source, target = tmp_path / "pool", tmp_path / "copy"
    copy_part(source, target, *others(source))
    said = answers(pool)
    for number, part in enumerate(order):
        copy_part(source, target, *PARTS[part])
        pool.save(product(80 + number), name=f"late/{number}", tags=["late"])
        pool.tag("maps/a", f"tag {number}")
        if checkpointed:
            connection = pool.view.session.catalogue.database.connection()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with sp.Pool(target) as copy:
        assert answers(copy)[-len(said) :] == said
        report = copy.verify()
        assert report.ok, [str(p) for p in report.problems]
        for ref in copy.ls("late"):
            seed = 80 + int(ref.name[-1])
            assert np.array_equal(ref.product["image"], image(seed))
        copy.save(product(90), name="in the copy")
        assert copy.verify().ok
        numbers = [commit.number for commit in copy.history()]
        assert numbers == list(range(numbers[0], 0, -1))
    with sp.Pool(target) as again:
        assert "in the copy" in again
        assert again.verify().ok


def test_dropped_commits_are_kept_aside(
    pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = tmp_path / "pool", tmp_path / "copy"
    head = len(pool.history())
    copy_part(source, target, *others(source), "packs")
    pool.save(product(80), name="late")
    pool.tag("late", "t")
    copy_part(source, target, "commits.log", *CATALOGUE)
    with sp.Pool(target) as copy:
        assert len(copy.history()) == head
        assert "late" not in copy
    assert f"{head + 1} to {head + 2}" in caplog.text
    (kept,) = target.glob("commits.log.dropped-*")
    log = (source / "commits.log").read_bytes()
    assert log.endswith(kept.read_bytes())


def test_damage_in_the_middle_drops_nothing(pool: Pool, tmp_path: Path) -> None:
    """A copy that lost a pack from before keeps what came after it."""
    pool.view.session.store.let_go()
    pool.view.session.store.candidates = lambda: ()
    pool.save(product(80), name="middle")
    pool.view.session.store.let_go()
    pool.save(product(81), name="last")
    head = len(pool.history())
    pool_packs = [name for name, _ in pool.view.session.catalogue.chunks.last_packs(9)][::-1]
    assert len(pool_packs) == 3
    pool.close()
    shutil.copytree(tmp_path / "pool", tmp_path / "copy")
    # Times of files have too coarse a grain to tell which pack came second.
    middle = tmp_path / "pool/packs" / f"{pool_packs[1].hex()}.pack"
    (tmp_path / "copy/packs" / middle.name).unlink()
    with sp.Pool(tmp_path / "copy") as copy:
        assert len(copy.history()) == head
        assert np.array_equal(copy["last"].product["image"], image(81))
        assert any("middle@0" in problem.hurt for problem in copy.verify().problems)


def test_copied_while_another_thread_saves(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            pool.save(product(number, 40), name=f"w/{number}")
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            shutil.copytree(
                tmp_path / "pool",
                tmp_path / f"copy{number}",
                ignore=shutil.ignore_patterns("*.tmp"),
            )
    finally:
        stop.set()
        thread.join()
    for number in range(3):
        with sp.Pool(tmp_path / f"copy{number}") as copy:
            assert answers(copy)[-len(said) :] == said
            report = copy.verify()
            assert report.ok, [str(p) for p in report.problems]
            for ref in copy.ls("w"):
                seed = int(ref.name[2:])
                assert np.array_equal(ref.product["image"], image(seed, 40))


def test_pool_that_was_renamed_is_no_copy(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    before = logical(tmp_path / "pool/catalogue.sqlite")
    (tmp_path / "pool").rename(tmp_path / "other name")
    with sp.Pool(tmp_path / "other name") as moved:
        assert moved.verify().ok
    assert logical(tmp_path / "other name/catalogue.sqlite") == before
