"""Several processes and threads at one pool."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import skypool as sp

SPAWN = multiprocessing.get_context("spawn")


def save_many(path, worker, count, same):
    pool = sp.Pool(path)
    for n in range(count):
        name = f"same/{n}" if same else f"w{worker}/{n}"
        data = np.full((16, 16), worker * 1000 + n, "f4")
        pool.save(sp.Product(meta={"worker": worker, "n": n}, datasets={"x": data}), name=name)


@pytest.mark.parametrize("same", [False, True])
def test_processes_that_create_and_fill_one_pool(tmp_path, same):
    path = tmp_path / "pool"
    workers = [SPAWN.Process(target=save_many, args=(path, w, 30, same)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    pool = sp.Pool(path, "r")
    assert [commit.number for commit in pool.history()] == list(range(120, 0, -1))
    times = [commit.time for commit in pool.history()]
    assert times == sorted(set(times), reverse=True)
    found = set()
    for ref in pool.ls():
        for version in ref.versions:
            meta = version.meta
            key = meta["worker"].value, meta["n"].value
            assert np.asarray(version.product["x"])[0, 0] == key[0] * 1000 + key[1]
            found.add(key)
    assert len(found) == 120
    assert len(pool) == (30 if same else 120)
    assert pool.verify().ok


@pytest.mark.campaign
@pytest.mark.parametrize("same", [False, True])
def test_four_processes_save_a_thousand_products(tmp_path, same):
    path = tmp_path / "pool"
    workers = [SPAWN.Process(target=save_many, args=(path, w, 250, same)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    pool = sp.Pool(path, "r")
    versions = [version.meta for ref in pool.ls() for version in ref.versions]
    found = {(meta["worker"].value, meta["n"].value) for meta in versions}
    assert len(found) == len(versions) == len(pool.history()) == 1000
    assert len(pool) == (250 if same else 1000)
    assert pool.verify().ok


def test_a_thread_reads_on_while_another_rebuilds_the_catalogue(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    pool.save(sp.Product(meta={"n": 0}), name="a")
    reading, rebuilt = threading.Event(), threading.Event()
    found = []

    def read():
        session = pool.view.session
        with session.catalogue.database.reading():
            found.append(session.catalogue.head())
            reading.set()
            rebuilt.wait(60)
            found.append(session.catalogue.head())
        pool.save(sp.Product(meta={"n": 1}), name="b")

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(60)
    pool.reindex()
    rebuilt.set()
    thread.join()
    assert found == [1, 1]
    assert sorted(ref.name for ref in pool.ls()) == ["a", "b"]


def test_threads_of_one_process(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    failures = []

    def work(number):
        try:
            for n in range(20):
                data = np.full((20, 20), number * 100.0 + n)
                ref = pool.save(sp.Product(datasets={"x": data}), name=f"t{number}/{n}")
                assert np.asarray(pool[ref.name].product["x"])[0, 0] == number * 100 + n
        except BaseException as error:  # noqa: BLE001 - to be shown by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(pool) == 120
    assert len(pool.history()) == 120


def test_a_reader_sees_what_others_commit(tmp_path):
    writer = sp.Pool(tmp_path / "pool")
    writer.save(sp.Product(meta={"n": 0}), name="a")
    reader = sp.Pool(tmp_path / "pool", "r")
    pinned = reader.at(1)
    for n in range(1, 5):
        writer.save(writer["a"].product.replace(meta={"n": n}))
        assert reader["a"].meta["n"].value == n
        assert pinned["a"].meta["n"].value == 0


def test_a_forked_child_can_use_the_pool(tmp_path):
    pool = sp.Pool(tmp_path / "pool")
    pool.save(sp.Product(meta={"n": 0}), name="a")
    pid = os.fork()
    if pid == 0:
        try:
            pool.save(sp.Product(meta={"n": 1}), name="b")
            os._exit(0 if pool["a"].meta["n"].value == 0 else 1)
        except BaseException:  # noqa: BLE001 - the exit code tells
            os._exit(2)
    pool.save(sp.Product(meta={"n": 2}), name="c")
    assert os.waitpid(pid, 0)[1] == 0
    assert sorted(ref.name for ref in pool.ls()) == ["a", "b", "c"]


KILLED = """
import sys
import numpy as np
import skypool as sp
pool = sp.Pool(sys.argv[1])
n = int(sys.argv[2])
while True:
    data = np.random.default_rng(n).normal(size=(100, 100))
    pool.save(sp.Product(meta={"n": n}, datasets={"x": data}), name=f"k/{n}")
    print(n, flush=True)
    n += 1
"""


def test_killed_writers_lose_nothing_acknowledged(tmp_path):
    path = tmp_path / "pool"
    acknowledged = []
    for run in range(8):
        first = run * 10_000
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        acknowledged.append(int(child.stdout.readline()))
        time.sleep(0.013 * run)
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
    pool = sp.Pool(path)
    for n in acknowledged:
        data = np.asarray(pool[f"k/{n}"].product["x"])
        np.testing.assert_array_equal(data, np.random.default_rng(n).normal(size=(100, 100)))
    assert pool.verify().ok
    pool.save(sp.Product(), name="after")
    assert len(os.listdir(tmp_path / "pool" / "packs")) <= 2
