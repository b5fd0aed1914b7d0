"""Any function of a product as a query."""

import os

import numpy as np
import pytest

import skypool as sp
from skypool import errors

from .functions import bright, elsewhere

COUNT = 100


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = sp.Pool(tmp_path_factory.mktemp("functions") / "pool")
    with pool.commit("images") as commit:
        for n in range(COUNT):
            meta = {"n": n, "pid": os.getpid(), "instrument": "SPIRE" if n % 2 else "PACS"}
            image = np.full((4, 4), float(n))
            commit.save(sp.Product(meta=meta, datasets={"image": image}), name=f"p{n:03}")
    return pool


EXPECTED = [f"p{n:03}" for n in range(51, COUNT) if n % 10 != 7]
FAILED = [f"p{n:03}" for n in range(COUNT) if n % 10 == 7]


def everywhere():
    """Functions that go to processes, and such that cannot: those are asked in threads."""
    return [bright, lambda product: bright(product)]


@pytest.mark.parametrize("function", everywhere(), ids=["processes", "threads"])
@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_the_same_wherever_it_runs(pool, function, workers):
    hits = pool.find(function, workers=workers)
    assert [ref.name for ref in hits] == EXPECTED
    assert [failure.ref.name for failure in hits.errors] == FAILED
    assert hits.errors[0][1:] == ("ValueError", "no 7")
    assert "failed for 10" in repr(hits)


def test_where_it_runs(pool):
    assert len(pool.find(elsewhere, workers=2)) == COUNT
    assert len(pool.find(lambda product: elsewhere(product), workers=2)) == 0
    # few candidates start no processes
    assert len(pool.find(elsewhere, where="n < 5")) == 0


def test_the_catalogue_cuts_first(pool):
    asked = []

    def look(product):
        asked.append(product.meta["n"].value)
        return product.meta["n"].value > 90

    hits = pool.find(look, where="instrument == $name and n > 80", name="SPIRE", order_by="-n")
    assert [ref.name for ref in hits] == ["p099", "p097", "p095", "p093", "p091"]
    assert sorted(asked) == list(range(81, 100, 2))
    asked.clear()
    assert [ref.name for ref in pool.find(look, order_by="-n", limit=2, workers=1)] == [
        "p099", "p098",
    ]  # fmt: skip
    assert asked == [99, 98]
    assert len(pool.find("n < 50").where(bright)) == 0
    with pytest.raises(errors.UsageError, match="function has its own"):
        pool.find(look, n=3)
    with pytest.raises(errors.UsageError, match="beside a function"):
        pool.find("n == 1", where="n == 1")


def test_progress_and_cancelling(pool):
    told = []

    def stop(progress):
        told.append((progress.items, progress.total_items, progress.name))
        return progress.items < 60

    hits = pool.find(bright, progress=stop, workers=1)
    assert hits.cancelled and [ref.name for ref in hits] == [n for n in EXPECTED if n < "p060"]
    assert told[-1] == (60, COUNT, "p059")
    assert not pool.find(bright, where="n < 3", progress=told.append).cancelled


def test_an_interrupt_ends_the_search(pool):
    def interrupted(product):
        if product.meta["n"].value == 3:
            raise KeyboardInterrupt
        return True

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            pool.find(interrupted, workers=workers)
