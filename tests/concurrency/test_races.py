"""Races that the campaigns have found, forced."""

from __future__ import annotations

import numpy as np

import skypool as sp
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
