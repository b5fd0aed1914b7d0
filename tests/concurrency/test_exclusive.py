"""Exclusive changes: of two who change the same thing, one is told."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import skypool as sp
from skypool.catalogue.identity import Identity
from skypool.errors import EditConflict, UsageError

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(type="T", meta={"n": 0}), name="a")
        yield pool


@pytest.fixture
def other(pool, monkeypatch):
    monkeypatch.setenv("SKYPOOL_AUTHOR", "the other")
    with sp.Pool(pool.path) as other:
        yield other


def changed(pool, n, name="a"):
    return pool[name].product.replace(meta={"n": n})


def test_a_change_of_what_nobody_changed_is_made(pool):
    ref = pool.save(changed(pool, 1), exclusive=True)
    assert (ref.name, ref.version) == ("a", 1)
    with pool.commit("more", exclusive=True) as commit:
        commit.tag(ref, "good")
    with pool.commit("more", exclusive=True) as commit:
        commit.rename(pool["a"], "b")
    with pool.commit("more", exclusive=True) as commit:
        commit.remove(pool["b"])
    assert pool.restore("b").tags == ("good",)


def test_the_slower_of_two_writers_is_told_who_was_faster(pool, other):
    product = changed(pool, 1)
    other.save(changed(other, 2))
    with pytest.raises(EditConflict, match=r"'a' was to be .* version 0; the other changed") as e:
        pool.save(product, exclusive=True)
    error = e.value
    assert (error.name, error.expected, error.commit, error.author) == ("a", 0, 2, "the other")
    assert error.time.tzinfo is UTC
    assert abs((datetime.now(UTC) - error.time).total_seconds()) < 3600
    assert (error.code, error.exit_code) == ("edit_conflict", 5)
    assert [ref.meta["n"].value for ref in pool["a"].versions] == [0, 2]
    assert pool.save(changed(pool, 1), exclusive=True).version == 2


def test_without_exclusive_both_become_versions(pool, other):
    product = changed(pool, 1)
    other.save(changed(other, 2))
    assert pool.save(product).version == 2
    assert [ref.meta["n"].value for ref in pool["a"].versions] == [0, 2, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda pool: pool.tag("a", "x"),
        lambda pool: pool.rename("a", "b"),
        lambda pool: pool.remove("a"),
        lambda pool: pool.save(sp.Product(type="T", meta={"n": 9}), name="a"),
        lambda pool: (pool.remove("a"), pool.restore("a")),
    ],
    ids=["tag", "rename", "remove", "version", "restored"],
)
@pytest.mark.parametrize(
    "own",
    [
        lambda commit, ref, product: commit.save(product),
        lambda commit, ref, product: commit.save(product, name="a"),
        lambda commit, ref, product: commit.tag(ref, "mine"),
        lambda commit, ref, product: commit.rename(ref, "c"),
        lambda commit, ref, product: commit.remove(ref),
    ],
    ids=["save", "save as", "tag", "rename", "remove"],
)
def test_every_change_is_noticed(pool, other, change, own):
    ref, product = pool["a"], changed(pool, 1)
    with pytest.raises(EditConflict), pool.commit("mine", exclusive=True) as commit:
        commit.save(sp.Product(), name="with it")
        own(commit, ref, product)
        change(other)
    assert "with it" not in pool
    assert "mine" not in pool.tags


def test_a_new_name_must_be_free(pool, other):
    with pytest.raises(EditConflict, match="'a' was to be new; tester changed it") as e:
        pool.save(sp.Product(), name="a", exclusive=True)
    assert e.value.expected is None
    with (
        pytest.raises(EditConflict, match="the other"),
        pool.commit("two", exclusive=True) as commit,
    ):
        commit.save(sp.Product(), name="b")
        other.save(sp.Product(type="T"), name="b")
    pool.remove("a")
    assert pool.save(sp.Product(), name="a", exclusive=True).version == 1


def test_what_is_below_a_changed_product_counts_too(pool, other):
    child = pool.save(sp.Product(meta={"n": 5}), name="tree/child")
    pool.save(sp.Product(kind="MapContext", refs={"child": child}), name="tree")
    tree = pool["tree"].product
    edited = tree.replace(refs={"child": tree.refs["child"].product.replace(meta={"n": 6})})
    other.save(changed(other, 7, "tree/child"))
    with pytest.raises(EditConflict, match="'tree/child'"):
        pool.save(edited, exclusive=True)
    for act in ("remove", "rename"):
        ref = pool["tree"]
        other.save(changed(other, 8, "tree/child"))
        with pytest.raises(EditConflict), pool.commit("", exclusive=True) as commit:
            getattr(commit, act)(ref, *(["wood"] if act == "rename" else []))
    assert pool["tree/child"].version == 3


def test_an_old_version_is_no_ground_for_an_exclusive_change(pool):
    pool.save(changed(pool, 1))
    with pytest.raises(EditConflict):
        pool.save(pool["a@0"].product.replace(meta={"n": 2}), exclusive=True)
    pinned = pool.at(1)
    with pytest.raises(EditConflict):
        pool.save(pinned["a"].product.replace(meta={"n": 2}), exclusive=True)


def test_a_restore_can_be_exclusive(pool, other):
    track = pool["a"].track
    pool.remove("a")
    with pytest.raises(EditConflict), pool.commit("", exclusive=True) as commit:
        commit.restore(track)
        other.restore("a")
    assert "a" in pool


def count_up(path, times):
    pool = sp.Pool(path)
    won = 0
    while won < times:
        product = pool["a"].product
        try:
            pool.save(product.replace(meta={"n": product.meta["n"].value + 1}), exclusive=True)
            won += 1
        except EditConflict:
            continue


def test_a_counter_that_processes_count_up_misses_nothing(pool):
    workers = [SPAWN.Process(target=count_up, args=(pool.path, 15)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert [ref.meta["n"].value for ref in pool["a"].versions] == list(range(61))


def test_add_can_be_exclusive(tmp_path, pool):
    folder = tmp_path / "obs"
    (folder / "level2").mkdir(parents=True)
    (folder / "level2" / "x.txt").write_text("one")
    assert pool.add(folder, exclusive=True).version == 0
    (folder / "level2" / "x.txt").write_text("two")
    with pytest.raises(EditConflict, match="was to be new"):
        pool.add(folder, exclusive=True)
    pool.rename("obs", "old")
    pool.save(sp.Product(), name="obs/level2/x.txt")
    with pytest.raises(EditConflict, match=r"x\.txt"):
        pool.add(folder, exclusive=True)
    head = pool.history()[0].number
    words = ["-p", pool.path, "add", "--exclusive", "-n", "old", str(folder), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "skypool", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["expected"], error["commit"]) == ("edit_conflict", None, 3)
    assert error["name"].startswith("old")
    assert pool.history()[0].number == head


# -- what a commit does to names is decided when nobody else can commit


def test_a_folder_is_renamed_with_what_another_added_meanwhile(pool, other):
    pool.save(sp.Product(), name="tree")
    with pool.commit("rename") as commit:
        commit.rename(pool["tree"], "wood")
        other.save(sp.Product(), name="tree/late")
    assert sorted(ref.name for ref in pool.ls()) == ["a", "wood", "wood/late"]


def test_a_child_that_another_took_up_meanwhile_is_spared(pool, other):
    child = pool.save(sp.Product(), name="tree/child")
    pool.save(sp.Product(), name="tree")
    with pool.commit("remove") as commit:
        report = commit.remove(pool["tree"])
        other.save(sp.Product(kind="MapContext", refs={"child": child}), name="user")
    assert list(report) == ["tree"]
    assert report.spared == ("tree/child",)
    assert "tree/child" in pool


def test_a_folder_added_again_spares_what_was_renamed_meanwhile(tmp_path, pool, other):
    folder = tmp_path / "obs"
    folder.mkdir()
    for name in ("x", "y"):
        (folder / name).write_text(name)
    pool.add(folder)
    (folder / "x").unlink()
    renamed = []

    def progress(_):
        if not renamed:
            renamed.append(other.rename("obs/x", "kept/x"))

    report = pool.add_report(folder, progress=progress, force_read=True)
    assert renamed
    assert report.removed == []
    assert "kept/x" in pool


def test_a_ref_of_another_pool_cannot_be_tagged(tmp_path, pool):
    foreign = sp.Pool(tmp_path / "foreign").save(sp.Product(), name="f")
    for act, words in (("tag", ["t"]), ("rename", ["b"]), ("remove", [])):
        with pytest.raises(UsageError, match="another pool"), pool.commit() as commit:
            getattr(commit, act)(foreign, *words)


def test_a_name_is_looked_up_in_one_state(pool, other, monkeypatch):
    """Between the steps of a look-up the name goes to another product."""
    plain = Identity.latest

    def latest(self, track, at):
        monkeypatch.undo()
        other.save(changed(other, 1))
        other.rename("a", "b")
        return plain(self, track, at)

    monkeypatch.setattr(Identity, "latest", latest)
    ref = pool["a"]
    assert (ref.name, ref.version) == ("a", 0)
