"""Many at once, with gc and verify beside them; a replay of the log checks what was seen."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import skypool as sp
from skypool.testing.concurrency.crowd import Crowd, everybody
from skypool.testing.concurrency.work import GUARD, MIXED, READ, WRITE

FORKED = """
import sys, time
from pathlib import Path
import skypool as sp
from skypool.testing.concurrency.crowd import Crowd
from skypool.testing.concurrency.work import GUARD, READ, WRITE
crowd = Crowd(Path(sys.argv[1]), seed=31)
began = time.monotonic()
pool = sp.Pool(crowd.pool)
pool.save(sp.Product(), name="first", message="w.0")
crowd.forked({"parent": WRITE, "child1": WRITE, "child2": READ, "child3": GUARD},
             float(sys.argv[2]), pool)
report = crowd.report(began)
report.verdict.false = [text for text in report.verdict.false if "w.0" not in text]
sys.exit(0 if report.ok else str(report))
"""


def check(report, least):
    assert report.verdict.ok, report.verdict
    assert report.problems == []
    assert report.verdict.acknowledged >= least
    assert report.verdict.seen > 0


def test_processes(tmp_path):
    crowd, began = Crowd(tmp_path, seed=1), time.monotonic()
    crowd.processes(everybody(writers=3, readers=1), 2.0)
    check(crowd.report(began), 20)


def test_threads_at_one_pool_object(tmp_path):
    crowd, began = Crowd(tmp_path, seed=11), time.monotonic()
    with sp.Pool(crowd.pool) as pool:
        crowd.threads({"w0": WRITE, "w1": WRITE, "r": READ, "g": GUARD, "a": MIXED}, 2.0, pool)
    check(crowd.report(began), 20)


def test_threads_with_a_pool_object_each(tmp_path):
    crowd, began = Crowd(tmp_path, seed=21), time.monotonic()
    crowd.threads({"w0": WRITE, "w1": WRITE, "r": READ, "g": GUARD, "a": MIXED}, 2.0, None)
    check(crowd.report(began), 20)


def test_children_forked_while_the_pool_is_open(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path), "2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [101, 202])
def test_eight_processes_for_minutes(tmp_path, seed):
    crowd, began = Crowd(tmp_path, seed=seed), time.monotonic()
    crowd.processes(everybody(writers=4, readers=2), 90.0)
    report = crowd.report(began)
    print(report)  # noqa: T201 - the campaign shows its figures
    check(report, 200)


def test_the_judge_sees_what_is_wrong(tmp_path):
    """A lost commit, a commit twice, wrong values and a false sight are told."""
    crowd, began = Crowd(tmp_path, seed=41), time.monotonic()
    with sp.Pool(crowd.pool) as pool:
        crowd.threads({"w": WRITE, "r": READ}, 1.0, pool)
        check(crowd.report(began), 1)
        token = pool.history()[0].message
        product = pool.save(
            sp.Product(type="MADE", meta={"token": token, "data": token, "n": -1}), message=token
        ).product
        report = crowd.report(began)
        assert len(report.verdict.doubled) == 1
        assert len(report.verdict.unreadable) == 1
        pool.save(product.replace(datasets={"x": np.zeros(3)}), message="nobody")
        assert any("nobody's" in text for text in crowd.report(began).verdict.false)
    path = tmp_path / "journals" / "r.journal"
    path.write_text(path.read_text().replace('"seen": "', '"seen": "0'))
    assert crowd.report(began).verdict.torn
    path = tmp_path / "journals" / "w.journal"
    path.write_text(path.read_text().replace('"commit": 1,', '"commit": 10000,'))
    assert any("commit 10000" in text for text in crowd.report(began).verdict.lost)
