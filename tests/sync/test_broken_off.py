"""Pulls that are broken off: the target is whole, and the next try goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.errors import StorageError
from skypool.pool.pool import Pool

from .pools import answers, filled, log_of, product, write_tree

KILLED = """
import os, signal, sys
import skypool as sp
from skypool.pool.sync import transfer
transfer.STAGE_BYTES = 20_000
def told(step):
    if step.bytes >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
with sp.Pool(sys.argv[2]) as pool:
    pool.pull(sys.argv[1], progress=told)
"""


def pools_apart(tmp_path: Path) -> tuple[Pool, Pool]:
    a = filled(tmp_path / "a", write_tree(tmp_path / "tree"))
    b = a.clone(tmp_path / "b")
    for seed in range(30, 36):
        a.save(product(seed, 100), name=f"maps/{seed % 3}", tags=["a"])
        b.save(product(seed + 100, 100), name=f"maps/{seed % 2}", tags=["b"])
    return a, b


@pytest.mark.parametrize("at", [1, 40_000, 100_000, 200_000])
def test_killed_merge_changes_nothing_and_goes_on(tmp_path: Path, at: int) -> None:
    a, b = pools_apart(tmp_path)
    shutil.copytree(b.path, tmp_path / "whole")
    said, log = answers(b), log_of(b.path)
    b.close()
    with sp.Pool(tmp_path / "whole") as other:
        whole = other.pull(a).bytes_copied
    run = [sys.executable, "-c", KILLED, a.path, b.path, str(at)]
    assert subprocess.run(run, check=False).returncode == -signal.SIGKILL
    with sp.Pool(b.path) as again:
        assert log_of(b.path) == log
        assert answers(again) == said
        assert again.verify().ok
        report = again.pull(a)
        assert report.bytes_copied <= whole - at + 20_000 + 80_000
        assert report.versions == 6
        assert again.verify().ok
    a.close()


@pytest.mark.parametrize("apart", [False, True])
def test_death_before_the_log_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, apart: bool
) -> None:
    """Whoever opens the pool completes the log, with the very records of the source."""
    a, b = pools_apart(tmp_path)
    if not apart:
        b.close()
        shutil.rmtree(b.path)
        b = a.clone(tmp_path / "b")
        a.save(product(50), name="one more")
    before = log_of(b.path)
    adopt = SqliteCatalogue.adopt

    def adopt_and_die(catalogue: SqliteCatalogue, *words: Any) -> None:
        adopt(catalogue, *words)
        raise StorageError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteCatalogue, "adopt", adopt_and_die)
        with pytest.raises(StorageError, match="disk is gone"):
            b.pull(a)
    assert log_of(b.path) == before
    b.close()
    with sp.Pool(tmp_path / "b") as again:
        assert log_of(again.path) != before
        assert "one more" in again or apart
        assert again.verify().ok
        if not apart:
            assert log_of(again.path) == log_of(a.path)
        assert again.pull(a).how == ("ahead" if apart else "same")
    a.close()


def test_interrupt_on_the_command_line(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "a", mode="x") as pool, pool.commit() as c:
        for seed in range(60):
            c.save(product(seed, 500), name=f"n/{seed}")
    words = ["clone", str(tmp_path / "a"), str(tmp_path / "b")]
    run = [sys.executable, "-m", "skypool", *words]
    with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as program:
        while not list((tmp_path / "b/packs").glob("*.pack")) and program.poll() is None:
            time.sleep(0.001)
        os.kill(program.pid, signal.SIGINT)
        _, said = program.communicate()
    if program.returncode:  # else it was faster than the signal
        assert program.returncode == 130
        assert "goes on where it was" in said
        assert subprocess.run(run, check=False, capture_output=True).returncode == 0
    with sp.Pool(tmp_path / "b") as clone:
        assert len(clone) == 60
        assert clone.verify().ok
