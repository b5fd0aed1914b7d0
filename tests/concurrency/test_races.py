"""Races that the campaigns have found, forced."""

from __future__ import annotations

import numpy as np

import skypool as sp
from skypool.pool.recovery import log_position
from skypool.storage.filelayer import LocalFiles


class CollectedFirst(LocalFiles):
    """Lets a collection run between the creation of a pack and its locking."""

    def __init__(self) -> None:
        self.collected = 0

    def lock(self, handle, *, exclusive, wait=0.0):
        if handle.path.endswith(".pack") and not self.size(handle) and not self.collected:
            self.collected += 1
            with sp.Pool(handle.path.rpartition("/packs/")[0]) as other:
                other.gc(grace=0)
        return super().lock(handle, exclusive=exclusive, wait=wait)


def test_a_pack_that_gc_removed_before_it_was_locked_takes_no_chunks(tmp_path):
    files = CollectedFirst()
    data = np.random.default_rng(1).normal(size=(40, 40))
    with sp.Pool(tmp_path / "pool", files=files) as pool:
        pool.save(sp.Product(datasets={"image": data}), name="a")
        pool.save(sp.Product(datasets={"image": data + 1}), name="b")
    assert files.collected == 1
    with sp.Pool(tmp_path / "pool", "r") as pool:
        np.testing.assert_array_equal(np.asarray(pool["a"].product["image"]), data)
        np.testing.assert_array_equal(np.asarray(pool["b"].product["image"]), data + 1)
        assert pool.verify().ok


def test_the_position_in_the_log_is_that_of_one_commit(tmp_path):
    """While it is asked for, another process commits, and notes a later one."""
    with sp.Pool(tmp_path / "pool") as pool, sp.Pool(tmp_path / "pool") as other:
        for n in range(3):
            other.save(sp.Product(meta={"n": n}), name="a")
        session, asked = pool.view.session, []

        def commit_between(sql):
            if "log_offset" in sql and not asked:
                asked.append(sql)
                other.save(sp.Product(meta={"n": 3}), name="a")
                other.save(sp.Product(meta={"n": 4}), name="a")

        connection = session.catalogue.database.connection()
        connection.set_trace_callback(commit_between)
        found = log_position(session.catalogue)
        connection.set_trace_callback(None)
        assert asked
        assert found in [record.end for record in session.folder.log.records()]
