"""Clones, and pulls where one pool only has more than the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import Conflict, Damaged, NotFound, PoolExists, PoolNotFound, UsageError
from skypool.pool.pool import Pool
from skypool.pool.progress import Progress
from skypool.pool.sync import transfer

from .pools import (
    answers,
    filled,
    image,
    log_of,
    noise,
    pack_bytes,
    packs_of,
    product,
    state_of,
    write_tree,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


@pytest.fixture
def pool(tmp_path: Path, tree: Path) -> Pool:
    return filled(tmp_path / "a", tree)


def test_clone_has_everything(pool: Pool, tree: Path, tmp_path: Path) -> None:
    with sp.clone(pool, tmp_path / "b") as clone:
        assert answers(clone) == answers(pool)
        assert clone.verify().ok
        clone.export("obs", tmp_path / "out")
        assert state_of(tmp_path / "out") == state_of(tree)
        assert clone.restore("gone").product["image"].shape == (50, 50)
        assert clone.info().id != pool.info().id
    assert log_of(tmp_path / "b").startswith(log_of(tmp_path / "a"))


def test_clone_by_path_and_rebuilt(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)
    pool.close()
    sp.clone(tmp_path / "a", tmp_path / "b").close()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"b/catalogue.sqlite{end}").unlink(missing_ok=True)
    with sp.Pool(tmp_path / "b") as clone:
        assert answers(clone) == said
        assert clone.verify().ok


def test_garbage_does_not_come_along(pool: Pool, tmp_path: Path) -> None:
    session = pool.view.session
    writer = session.writer()
    for seed in range(10):
        writer.put(noise(seed, 100_000))
    session.stage(writer, ())
    writer.abandon()
    with pool.clone(tmp_path / "b") as clone:
        assert pack_bytes(clone.path) < pack_bytes(pool.path) - 900_000
        assert clone.gc(grace=0, dry_run=True).chunks == 0


def test_pull_follows(pool: Pool, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "b") as clone:
        assert clone.pull().how == "same"
        changed = image(1)
        changed[:20, :20] = 0
        base = pool["maps/a"].product
        pool.save(base.replace(datasets={"image": sp.Array(changed, unit="Jy")}), name="maps/a")
        pool.tag("maps/a", "late")
        before = pack_bytes(clone.path)
        report = clone.pull()
        assert (report.how, report.commits, report.versions) == ("forward", 2, 1)
        assert pack_bytes(clone.path) - before < 80_000
        assert answers(clone) == answers(pool)
        assert log_of(clone.path) == log_of(pool.path)
        assert np.array_equal(clone["late"].product["image"], changed)
        assert clone.pull(tmp_path / "a").how == "same"


def test_push_and_pull_are_each_others_mirror(pool: Pool, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "b") as clone:
        clone.save(product(70), name="made in b")
        assert clone.pull().how == "ahead"
        assert clone.push().how == "forward"
        assert answers(clone) == answers(pool)
        pool.save(product(71), name="made in a")
        with pytest.raises(NotFound, match="remembers no pool to push"):
            pool.push()
        assert pool.push(clone).how == "forward"
        assert pool.push().how == "same"
        assert log_of(clone.path) == log_of(pool.path)


def test_clone_of_a_clone_and_of_an_empty_pool(pool: Pool, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "b") as clone, clone.clone(tmp_path / "c") as third:
        pool.save(product(70), name="new")
        assert third.pull().how == "same"
        assert third.pull(pool).how == "forward"
        assert clone.pull(third).how == "forward"
        assert log_of(third.path) == log_of(pool.path) == log_of(clone.path)
    with sp.Pool(tmp_path / "empty", mode="x") as empty, empty.clone(tmp_path / "e2") as made:
        assert len(made) == 0
        empty.save(product(1), name="x")
        assert made.pull().commits == 1


def test_what_is_refused(pool: Pool, tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "other", mode="x") as other:
        other.save(product(5), name="x")
        with pytest.raises(PoolExists, match="pull"):
            pool.clone(tmp_path / "other")
        with pytest.raises(Conflict, match="no commit in common"):
            pool.pull(other)
        assert len(other) == 1
    with pytest.raises(UsageError, match="same pool"):
        pool.pull(tmp_path / "a")
    with pytest.raises(PoolNotFound):
        pool.push(tmp_path / "nowhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(UsageError, match="not empty"):
        pool.clone(tmp_path / "full")


class Stop:
    """Breaks a transfer off when so many bytes have come."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, step: Progress) -> None:
        if step.bytes >= self.size:
            raise KeyboardInterrupt


def test_broken_off_clone_goes_on(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "STAGE_BYTES", 1)
    whole = pool.clone_report(tmp_path / "whole").bytes_copied
    with pytest.raises(KeyboardInterrupt):
        pool.clone(tmp_path / "b", progress=Stop(whole // 2))
    with sp.Pool(tmp_path / "b") as half:
        assert half.verify().ok
    report = pool.clone_report(tmp_path / "b")
    assert 0 < report.bytes_copied <= whole - whole // 2 + 8000
    with sp.Pool(tmp_path / "b") as clone:
        assert answers(clone) == answers(pool)
        assert clone.verify().ok
    with pytest.raises(PoolExists):
        pool.clone(tmp_path / "b")


KILLED = """
import os, signal, sys
import skypool as sp
from skypool.pool.sync import transfer
transfer.STAGE_BYTES = 100_000
def told(step):
    if step.bytes >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
sp.clone(sys.argv[1], sys.argv[2], progress=told)
"""


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.95])
def test_killed_clone_goes_on(pool: Pool, tmp_path: Path, share: float) -> None:
    whole = pool.clone_report(tmp_path / "whole").bytes_copied
    at = int(whole * share)
    target = tmp_path / "b"
    run = [sys.executable, "-c", KILLED, pool.path, str(target), str(at)]
    assert subprocess.run(run, check=False).returncode == -signal.SIGKILL
    report = pool.clone_report(target)
    # What came and was not staged yet is sent again: one interval, and a record over it.
    assert report.bytes_copied <= whole - at + 100_000 + 310_000
    with sp.Pool(target) as clone:
        assert answers(clone) == answers(pool)
        assert clone.verify().ok


def test_clone_while_others_write_and_collect(pool: Pool, tmp_path: Path) -> None:
    """What comes is the pool as of one commit; the rest comes with a pull."""
    stop = threading.Event()

    def work(change: Callable[[Pool, int], object]) -> int:
        with sp.Pool(pool.path) as mine:
            number = 0
            while not stop.is_set():
                change(mine, number)
                number += 1
        return number

    executor = ThreadPoolExecutor(2)
    others = [
        executor.submit(work, change)
        for change in (
            lambda mine, n: mine.save(product(200 + n, 60), name=f"busy/{n % 3}"),
            lambda mine, n: mine.gc(grace=0),
        )
    ]
    try:
        with pool.clone(tmp_path / "b") as clone:
            for _ in range(5):
                clone.pull()
            assert log_of(pool.path).startswith(log_of(clone.path))
            stop.set()
            assert all(other.result() for other in others)
            clone.pull()
            assert answers(clone) == answers(pool)
            assert clone.verify().ok
    finally:
        stop.set()
        executor.shutdown()


def test_two_pull_into_one_pool(pool: Pool, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "b") as clone:
        for n in range(30):
            pool.save(product(300 + n, 40), name=f"n/{n}")
        reports = []
        with sp.Pool(clone.path) as again:
            threads = [
                threading.Thread(target=lambda p=p: reports.append(p.pull(pool.path)))
                for p in (clone, again)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(reports) == 2
        assert log_of(clone.path) == log_of(pool.path)
        assert clone.verify().ok


def test_files_in_place_stay_where_they_are(tmp_path: Path, tree: Path) -> None:
    with sp.Pool(tmp_path / "a", mode="x") as pool:
        pool.add(tree, name="here", in_place=True)
        report = pool.clone_report(tmp_path / "b")
        assert report.in_place == 5  # the empty one too
        assert report.bytes_copied < 100_000
        with sp.Pool(tmp_path / "b") as clone:
            clone.export("here", tmp_path / "out")
            assert state_of(tmp_path / "out") == state_of(tree)
            assert clone.verify().ok


def flip(pool: Pool, name: str) -> None:
    """Damage the image of a product in the packs."""
    session = pool.view.session
    (chunk,) = (
        bytes.fromhex(dataset["data"]["chunks"]) for _, dataset in pool[name].document["datasets"]
    )
    place = session.catalogue.places(chunk)[0]
    (path,) = (p for p in packs_of(pool.path) if p.stem == place.pack.hex())
    with path.open("r+b") as file:
        file.seek(place.offset + place.stored - 5)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 8]))


def test_damage_in_the_source_is_told(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "a", mode="x") as pool:
        for seed in range(3):
            pool.save(product(seed), name=f"p/{seed}")
        flip(pool, "p/1")
        with pytest.raises(Damaged, match="p/1@0"):
            pool.clone(tmp_path / "b")
        report = pool.clone_report(tmp_path / "b", skip_damaged=True)
        assert report.damaged == ["p/1@0"]
        with sp.Pool(tmp_path / "b") as clone:
            assert np.array_equal(clone["p/0"].product["image"], image(0))
            assert clone["p/1"].meta["seed"].value == 1
            problems = clone.verify().problems
            assert problems
            assert all("p/1" in str(problem.hurt) for problem in problems)
            clone.save(product(1), name="healed")
            assert clone.verify().ok
