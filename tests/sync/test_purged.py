"""Versions whose content was given up, in clones and merges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import Purged
from skypool.pool.pool import Pool

from .pools import image, pack_bytes, product


@pytest.fixture
def pools(tmp_path: Path) -> Iterator[tuple[Pool, Pool]]:
    with sp.Pool(tmp_path / "a", mode="x") as a:
        a.save(product(1), name="kept")
        a.save(product(2), name="old")
        with a.clone(tmp_path / "b") as b:
            yield a, b


def give_up(pool: Pool, name: str) -> None:
    pool.remove(name)
    assert pool.gc(grace=0, removed_after=0).purged


def test_given_up_content_is_not_cloned(pools: tuple[Pool, Pool], tmp_path: Path) -> None:
    a, b = pools
    urn = a["old"].urn
    give_up(a, "old")
    report = a.clone_report(tmp_path / "c")
    assert report.purged == 1
    with sp.Pool(tmp_path / "c") as c:
        assert c.verify().ok
        assert pack_bytes(c.path) < pack_bytes(b.path) - 40_000
        with pytest.raises(Purged):
            _ = c[urn.replace(":a:", ":c:")].product["image"].max()


def test_a_follower_gives_up_too(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    before = pack_bytes(b.path)
    give_up(a, "old")
    assert b.pull().how == "forward"
    b.gc(grace=0)
    assert pack_bytes(b.path) < before
    assert b.verify().ok


def test_a_merge_keeps_what_the_other_gave_up(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    b.save(product(3), name="more")
    give_up(a, "old")
    report = b.pull()
    assert ("purged", "old@0") in {(item.what, item.name) for item in report.resolved}
    assert np.array_equal(b.restore("old").product["image"], image(2))
    assert b.verify().ok


def test_what_is_needed_again_comes_back(pools: tuple[Pool, Pool]) -> None:
    """Nothing may refer to what was purged, so it is taken in once more."""
    a, b = pools
    b.save(sp.Product(kind="MapContext", refs={"m": b["old"]}), name="list")
    give_up(a, "old")
    a.pull(b)
    assert a.verify().ok
    assert np.array_equal(a["list"].refs["m"].product["image"], image(2))
    b.save(sp.Product(kind="MapContext", meta={"n": 2}, refs={"m": b["old"]}), name="list")
    a.pull(b)
    assert a["list"].refs["m"] == a["list@0"].refs["m"]
    a.gc(grace=0, removed_after=0)
    assert np.array_equal(a["list"].refs["m"].product["image"], image(2))
    b.pull(a)
    assert a.pull(b).how == b.pull(a).how == "same"
    assert b.verify().ok


def test_what_was_made_and_given_up_comes_without_content(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    b.save(product(3), name="mine")
    a.save(product(4), name="short")
    give_up(a, "short")
    report = b.pull()
    assert report.purged == 1
    assert "short" not in b
    assert b.verify().ok
    assert a.pull(b).how == "merged"
    assert a.pull(b).how == b.pull(a).how == "same"


@pytest.mark.parametrize("apart", [False, True])
def test_given_up_while_it_is_copied(pools: tuple[Pool, Pool], *, apart: bool) -> None:
    a, b = pools
    for seed in range(10, 13):
        a.save(product(seed, 60), name=f"p/{seed}")
    a.save(product(13, 400), name="p/13")  # so much that its pack is written anew
    if apart:
        b.save(product(20), name="mine")
    a.remove("p/13")
    done = []

    def told(_: object) -> None:
        if not done:
            done.append(a.gc(grace=0, removed_after=0))

    report = b.pull(progress=told)
    assert done
    assert report.how == ("merged" if apart else "forward")
    assert report.purged == 1
    verified = b.verify()
    assert verified.ok, [str(problem) for problem in verified.problems]
    assert b.pull().how in ("same", "ahead")
