"""Python's garbage collector is kept still for large commits, and runs again whatever happens."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

import skypool as sp
from skypool.pool.collector import still


@pytest.fixture(autouse=True)
def running():
    assert gc.isenabled()
    yield
    gc.enable()


def test_it_runs_again_afterwards_and_after_an_error():
    with still():
        assert not gc.isenabled()
        with still():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="in the middle"), still():
        raise ValueError("in the middle")
    assert gc.isenabled()


def test_one_that_is_off_stays_off():
    gc.disable()
    with still(), still():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_the_last_of_several_threads_lets_it_run():
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with still():
            inside.set()
            assert leave.wait(60)

    thread = threading.Thread(target=hold)
    with still():
        thread.start()
        assert inside.wait(60)
    assert not gc.isenabled()
    leave.set()
    thread.join(60)
    assert gc.isenabled()


def test_a_process_started_meanwhile_collects():
    with still():
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not gc.isenabled()


def test_commits_of_many_products_leave_it_running(tmp_path):
    pool = sp.Pool(f"{tmp_path}/pool")
    products = [sp.Product(datasets={"a": np.full((2, 2), n)}) for n in range(650)]
    with pool.commit("many") as commit:
        for n, product in enumerate(products):
            commit.save(product, name=f"p{n}")
            assert gc.isenabled()
    assert gc.isenabled()
    assert [int(pool[f"p{n}"].product["a"][0, 0]) for n in (0, 499, 500, 649)] == [0, 499, 500, 649]
    with pytest.raises(ZeroDivisionError), pool.commit("none") as commit:
        for n, product in enumerate(products):
            commit.save(product, name=f"q{n}")
        _ = 1 / 0
    assert gc.isenabled()
    assert len(pool.ls()) == 650
