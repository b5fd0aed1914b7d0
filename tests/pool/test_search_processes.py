"""Counts, orders and pages of one process while others write: all as of one commit."""

import multiprocessing

import pytest

import skypool as sp
from skypool.pool.results import values as values_module

SPAWN = multiprocessing.get_context("spawn")
COMMITS = 40
WAIT = 300


def write(path, commits, first=2):
    """Make commits, each of which says its number in two products and adds a third."""
    pool = sp.Pool(path)
    for number in range(first, commits + 1):
        with pool.commit(str(number)) as commit:
            for name in ("both/a", "both/b"):
                commit.save(sp.Product(meta={"step": number, "odd": number % 2}), name=name)
            commit.save(sp.Product(meta={"added": number}), name=f"new/{-number % 97:03}")
        if number % 10 == 0:
            with pool.commit("again") as commit:
                commit.rename(pool[f"new/{-number % 97:03}"], f"renamed/{number}")


def check(pool):
    """Ask in several ways; return the commit as of which all answers have to be."""
    hits = pool.find("", order_by="-added", all_names=True)
    snapshot = hits.snapshots[0]
    at = snapshot.at
    message = snapshot.view.identity.commit(at).message
    # A commit that renames follows every tenth one that adds.
    last = int(pool.at(at - 1).history()[0].message) if message == "again" else int(message)
    assert len(hits) == 2 + last
    facets = hits.facets("step", "odd", "added")
    assert facets["step"] == {last: 2, None: last}
    assert facets["odd"] == {last % 2: 2, None: last}
    assert facets["added"].different == last
    assert [ref.meta["added"].value for ref in hits[:last]] == list(range(last, 0, -1))
    names = [ref.name for ref in hits.snapshots[0].pinned.listing("")]
    assert sorted(ref.name for ref in hits) == names
    pinned = pool.at(at)
    for query, count in (
        ("not (step < 0) or kind == 'Nothing'", 2),
        ("version > 0 and kind == 'Product'", 2 if last > 1 else 0),
        (f"added > {last // 2} or saved < '1990'", last - last // 2),
        ("name startswith 'renamed/'", last // 10 if message == "again" or last % 10 else None),
        (f"step == {last}", 2),
        (f"step == {last - 1}", 0),
    ):
        found = pinned.find(query, all_names=True)
        assert count is None or len(found) == count, (query, at)
    return last


@pytest.fixture
def small(monkeypatch):
    """Ask columns for the values of few hits as well."""
    monkeypatch.setattr(values_module.values_of, "__defaults__", (-1,))


def begin(path):
    pool = sp.Pool(path)
    with pool.commit("1") as commit:
        for name in ("both/a", "both/b"):
            commit.save(sp.Product(meta={"step": 1, "odd": 1}), name=name)
        commit.save(sp.Product(meta={"added": 1}), name="new/096")
    return pool


def test_one_writes_and_the_other_counts_orders_and_pages(tmp_path, small):
    pool = begin(tmp_path / "pool")
    reader = sp.Pool(tmp_path / "pool", "r")
    writer = SPAWN.Process(target=write, args=(tmp_path / "pool", COMMITS))
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(check(reader))
        seen.append(check(pool))
    writer.join(WAIT)
    assert writer.exitcode == 0
    assert check(reader) == check(pool) == COMMITS
    assert seen == sorted(seen)


def count_along(path, commits, answers):
    """Ask until the last commit is seen; say what was seen."""
    values_module.values_of.__defaults__ = (-1,)
    pool = sp.Pool(path, "r")
    seen = [check(pool)]
    while seen[-1] < commits:
        seen.append(check(pool))
    answers.put(seen)


def test_two_processes_count_while_a_third_writes(tmp_path, small):
    begin(tmp_path / "pool")
    answers = SPAWN.Queue()
    readers = [
        SPAWN.Process(target=count_along, args=(tmp_path / "pool", COMMITS, answers))
        for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    write(tmp_path / "pool", COMMITS)
    for _ in readers:
        seen = answers.get(timeout=WAIT)
        assert seen == sorted(seen)
        assert seen[-1] == COMMITS
    for reader in readers:
        reader.join(WAIT)
        assert reader.exitcode == 0


def test_pages_of_a_cursor_stay_while_another_process_writes(tmp_path, small):
    pool = begin(tmp_path / "pool")
    write(tmp_path / "pool", 30)
    hits = pool.find("added > 0", order_by="added", all_names=True)
    for snapshot in hits.snapshots:
        snapshot._rows = {}
    writer = SPAWN.Process(target=write, args=(tmp_path / "pool", 60, 31))
    writer.start()
    writer.join(WAIT)
    assert writer.exitcode == 0
    pages = [hits[at : at + 7] for at in range(0, 35, 7)]
    assert [ref.meta["added"].value for page in pages for ref in page] == list(range(1, 31))
    assert hits.facets("added")["added"] == dict.fromkeys(range(1, 31), 1)
    assert len(hits.where("added <= 10")) == 10
