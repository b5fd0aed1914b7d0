"""Adding very many files: going on after an interruption without reading again what was read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import skypool as sp
from skypool.pool import adding_files, seen_before

FILES = 60
STAGED = 16
# Of 50 files: three stages, one of them with a file that is the same as another one.
KEPT = 3 * STAGED + 1


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding_files, "_STAGE_DOCUMENTS", STAGED)
    monkeypatch.setattr(seen_before, "_BATCH", 7)
    monkeypatch.setattr(seen_before, "_CLOCK_GRAIN_NS", -(10**18))


def make(folder: Path, count: int = FILES) -> Path:
    """Write small files, each another one but for two that are the same; all look old."""
    old = time.time() - 3600
    for number in range(count):
        path = folder / f"{number % 4}" / f"file{number:05d}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = max(number, 1)
        path.write_bytes(b"%06d" % content * (100 + content % 2000 * 37))
        os.utime(path, (old, old))
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make(tmp_path / "tree")


class Stop(Exception):
    """Ends an add in the middle."""


def stopping(after: int, error: type[BaseException]):
    def progress(step: object) -> None:
        if step.items == after:
            raise error

    return progress


def state(pool: sp.Pool) -> list[tuple[object, ...]]:
    return [
        (ref.name, ref.version, ref.kind, ref.hash, ref.size, ref.total_size, ref.commit)
        for ref in pool.ls()
    ]


@pytest.fixture
def whole(tmp_path: Path, tree: Path) -> list[tuple[object, ...]]:
    """What the pool is when nothing comes between."""
    with sp.Pool(tmp_path / "whole") as pool:
        assert pool.add_report(tree).files_read == FILES
        return state(pool)


@pytest.mark.parametrize(("error", "read"), [(Stop, FILES - KEPT), (KeyboardInterrupt, FILES - 50)])
def test_adding_again_reads_only_what_was_missing(tmp_path, tree, whole, error, read):
    with sp.Pool(tmp_path / "pool") as pool, pytest.raises(error):
        pool.add(tree, progress=stopping(50, error))
    with sp.Pool(tmp_path / "pool") as pool:
        assert pool.ls() == [] and pool.verify().ok
        before = pool.info().bytes_stored
        report = pool.add_report(tree)
        assert report.files_read == read and report.bytes_in == sum(
            path.stat().st_size for path in tree.rglob("*.dat")
        )
        assert pool.info().bytes_stored - before < 20_000
        assert state(pool) == whole and pool.verify().ok
        pool.export("tree", tmp_path / "out")
        pool.reindex()
        assert state(pool) == whole and pool.verify().ok
    for path in tree.rglob("*.dat"):
        assert (tmp_path / "out" / path.relative_to(tree)).read_bytes() == path.read_bytes()


def test_interrupted_again_and_again(tmp_path, tree, whole):
    with sp.Pool(tmp_path / "pool") as pool:
        for after in (20, 37, 37, 55):
            with pytest.raises(Stop):
                pool.add(tree, progress=stopping(after, Stop))
        assert pool.add_report(tree).files_read == FILES - KEPT
        assert state(pool) == whole


def test_a_file_that_changed_meanwhile_is_read(tmp_path, tree):
    with sp.Pool(tmp_path / "pool") as pool:
        with pytest.raises(Stop):
            pool.add(tree, progress=stopping(50, Stop))
        (tree / "0" / "file00000.dat").write_bytes(b"new")
        (tree / "1" / "file00001.dat").unlink()
        report = pool.add_report(tree)
        assert report.files_read == FILES - KEPT + 1
        assert Path(pool["tree/0/file00000.dat"].path).read_bytes() == b"new"
        assert "tree/1/file00001.dat" not in pool


def test_what_gc_took_is_read_again(tmp_path, tree, whole):
    with sp.Pool(tmp_path / "pool") as pool, pytest.raises(Stop):
        pool.add(tree, progress=stopping(50, Stop))
    with sp.Pool(tmp_path / "pool") as pool:
        assert pool.gc(grace=0).reclaimed > 0
        assert pool.add_report(tree).files_read == FILES
        assert state(pool) == whole and pool.verify().ok


@pytest.mark.parametrize("at", [0, 30, FILES - 1])
def test_gc_while_it_goes_on(tmp_path, tree, whole, at):
    with sp.Pool(tmp_path / "pool") as pool, pytest.raises(Stop):
        pool.add(tree, progress=stopping(50, Stop))
    taken = []

    def collect(step: object) -> None:
        if step.items == at and not taken:
            with sp.Pool(tmp_path / "pool") as other:
                taken.append(other.gc(grace=0).reclaimed)

    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(tree, progress=collect)
        assert taken[0] > 0
        assert state(pool) == whole and pool.verify().ok


def test_after_a_rebuild_everything_is_read_and_nothing_written_twice(tmp_path, tree, whole):
    with sp.Pool(tmp_path / "pool") as pool:
        with pytest.raises(Stop):
            pool.add(tree, progress=stopping(50, Stop))
        pool.reindex()
        assert pool.add_report(tree).files_read == FILES
        assert state(pool) == whole and pool.verify().ok


def test_content_that_was_given_up_comes_back(tmp_path, tree):
    path = tree / "2" / "file00002.dat"
    content = path.read_bytes()
    with sp.Pool(tmp_path / "pool") as pool:
        pool.add(path, name="one")
        pool.save(sp.Product(), name="one")
        pool.purge("one")
        # Its bytes are still there; no version has them.
        assert pool.add_report(path, name="two").files_read == 0
        assert Path(pool["two"].path).read_bytes() == content and pool.verify().ok
        pool.gc(grace=0)
        assert pool.verify().ok


# -- kill -9

DYING = """
import os, signal, sys
import skypool as sp
from skypool.pool import adding_files as adding, seen_before
adding._STAGE_DOCUMENTS = int(sys.argv[4])
seen_before._CLOCK_GRAIN_NS = -(10**18)
def progress(step):
    if step.items == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
sp.Pool(sys.argv[1]).add(sys.argv[2], progress=progress)
"""


def kill(pool: Path, tree: Path, after: int, staged: int = STAGED) -> None:
    words = [sys.executable, "-c", DYING, str(pool), str(tree), str(after), str(staged)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL


def test_kill_9_in_the_middle(tmp_path, tree, whole):
    kill(tmp_path / "pool", tree, 50)
    with sp.Pool(tmp_path / "pool") as pool:
        assert pool.ls() == []
        assert pool.add_report(tree).files_read == FILES - KEPT
        assert state(pool) == whole and pool.verify().ok


@pytest.mark.campaign
def test_kill_9_in_the_middle_of_20_000(tmp_path):
    tree = make(tmp_path / "tree", 20_000)
    with sp.Pool(tmp_path / "whole") as pool:
        pool.add(tree)
        whole = state(pool)
    for after in (3_000, 11_111, 19_999):
        kill(tmp_path / "pool", tree, after, 1000)
    words = [sys.executable, "-m", "skypool", "-p", str(tmp_path / "pool"), "add", str(tree)]
    done = subprocess.run([*words, "--json"], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["files_read"] <= 1000
    with sp.Pool(tmp_path / "pool") as pool:
        assert state(pool) == whole and pool.verify().ok
        report = pool.export("tree", tmp_path / "out")
        assert report.inexact == []
    assert sum(1 for path in (tmp_path / "out").rglob("*.dat")) == 20_000


def test_observations_are_told_when_documents_are_indexed_ahead(tmp_path, monkeypatch):
    from skypool.testing.observation import write

    monkeypatch.setattr(adding_files, "_STAGE_DOCUMENTS", 1)
    folder = write(tmp_path, 0.02)
    with sp.Pool(tmp_path / "pool") as pool, sp.Pool(tmp_path / "other") as other:
        pool.add(folder)
        monkeypatch.setattr(adding_files, "_STAGE_DOCUMENTS", 10**6)
        other.add(folder)
        assert state(pool) == state(other) and len(pool.ls()) > 3
