"""Pools that were changed apart, and what becomes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from skypool.cli.app import run as command
from skypool.errors import Conflict
from skypool.pool.pool import Pool

from .pools import answers, image, log_of, pack_bytes, product, state_of, write_tree


@pytest.fixture
def pools(tmp_path: Path) -> Iterator[tuple[Pool, Pool]]:
    with sp.Pool(tmp_path / "a", mode="x") as a:
        a.save(product(1), name="maps/m83", tags=["good"])
        a.save(product(2), name="maps/m51")
        with a.clone(tmp_path / "b") as b:
            yield a, b


def shown(pool: Pool) -> dict[str, list[int]]:
    return {ref.name: [v.meta["seed"].value for v in ref.versions] for ref in pool.ls()}


def current(pool: Pool) -> dict[str, Any]:
    return {ref.name: (ref.meta["seed"].value, ref.tags) for ref in pool.ls()}


def test_both_saved_new_versions(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.save(product(10), name="maps/m83", message="recalibrated")
    b.save(product(11), name="maps/m83")
    b.save(product(12), name="maps/new")
    report = a.pull(b)
    assert (report.how, report.versions) == ("merged", 2)
    (track,) = report.tracks
    assert (track.name, track.ours, track.theirs, track.current) == ("maps/m83", 1, (2,), 2)
    assert str(track) == "maps/m83: ours @1, theirs became @2; @2 is current"
    assert shown(a) == {"maps/m51": [2], "maps/m83": [1, 10, 11], "maps/new": [12]}
    # Seen from the other side the later one was there first: it is said once more.
    (track,) = b.pull(a).tracks or [None]
    assert track is None
    assert shown(b)["maps/m83"] == [1, 11, 10, 11]
    assert current(a) == current(b)
    made = b["maps/m83@2"].origin["made"]
    assert (made["pool"], made["message"]) == ("a", "recalibrated")
    assert np.array_equal(b["maps/m83@2"].product["image"], image(10))
    assert a.pull(b).how == b.pull(a).how == "same"
    assert a.verify().ok
    assert b.verify().ok


def test_a_merge_survives_the_loss_of_the_catalogue(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    for number in range(3):
        a.save(product(10 + number), name=f"in a/{number}", tags=["x"])
        b.save(product(20 + number), name="maps/m83")
    b.remove("maps/m51")
    a.pull(b)
    said = answers(a)
    a.reindex()
    assert answers(a) == said
    assert a.pull(b).how == "ahead"
    b.pull(a)
    assert current(a) == current(b)


def test_only_what_is_lacking_comes(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    changed = image(1)
    changed[:10, :10] = 0
    old = b["maps/m83"].product
    b.save(old.replace(datasets={"image": sp.Array(changed, unit="Jy")}), name="maps/m83")
    a.save(product(5), name="other")
    before = pack_bytes(a.path)
    a.pull(b)
    assert pack_bytes(a.path) - before < 70_000
    before = pack_bytes(b.path)
    assert b.pull(a).versions == 1
    assert pack_bytes(b.path) - before < 70_000


def test_references_are_those_of_this_pool(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.save(product(10), name="x")
    a.save(product(11), name="y")
    b.save(product(12), name="z")
    refs = {"new": b["z"], "old": b["maps/m83"]}
    b.save(sp.Product(kind="MapContext", refs=refs), name="list")
    a.pull(b)
    found = a["list"].refs
    assert found["new"].name == "z"
    assert found["new"].meta["seed"].value == 12
    assert found["old"].urn == a["maps/m83"].urn
    assert a["z"].parents == [a["list"]]


def test_names_tags_and_removals(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.rename("maps/m83", "maps/ngc5236")
    a.tag("maps/m51", "in a")
    b.tag("maps/m83", "in b")
    b.untag("maps/m83", "good")
    b.remove("maps/m51")
    assert not a.pull(b).resolved
    assert not b.pull(a).resolved
    assert current(a) == current(b) == {"maps/ngc5236": (1, ("in b",))}
    assert b.restore("maps/m51").tags == ("in a",)
    a.pull(b)
    assert current(a) == current(b)


def test_the_later_of_two_changes_holds(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.rename("maps/m83", "m83 of a")
    b.rename("maps/m83", "m83 of b")
    a.tag("maps/m51", "t")
    b.tag("maps/m51", "t")
    b.untag("maps/m51", "t")
    a.remove("maps/m51")
    b.save(product(20), name="maps/m51")
    report = a.pull(b)
    told = {(item.what, item.ours, item.theirs, item.now) for item in report.resolved}
    assert told == {
        ("name", "m83 of a", "m83 of b", "m83 of b"),
        ("removed", "removed", "changed or brought back", "in view"),
        ("tag 't'", "set", "taken away", "taken away"),
    }
    b.pull(a)
    assert current(a) == current(b) == {"m83 of b": (1, ("good",)), "maps/m51": (20, ())}


def test_one_name_two_products(pools: tuple[Pool, Pool]) -> None:
    """Made apart under one name they are versions of one product, as within a pool."""
    a, b = pools
    a.save(product(10), name="notes")
    b.save(product(11), name="notes")
    a.pull(b)
    b.pull(a)
    assert shown(a)["notes"] == [10, 11]
    assert shown(b)["notes"] == [11, 10, 11]
    assert current(a) == current(b)


def test_the_same_files_added_twice_are_no_conflict(
    pools: tuple[Pool, Pool], tmp_path: Path
) -> None:
    a, b = pools
    tree = write_tree(tmp_path / "tree")
    a.add(tree, name="obs", tags=["mine"])
    b.add(tree, name="obs", tags=["yours"])
    before = pack_bytes(a.path)
    report = a.pull(b)
    assert (report.versions, report.unchanged, report.tracks) == (0, 8, [])
    assert pack_bytes(a.path) == before
    b.pull(a)
    assert a["obs"].tags == b["obs"].tags == ("mine", "yours")
    assert a["obs"].version == b["obs"].version == 0
    assert a.pull(b).how == b.pull(a).how == "same"
    (tree / "notes.txt").write_text("changed\n")
    a.add(tree, name="obs")
    assert b.pull(a).versions == 2
    b.export("obs", tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(tree)


def test_different_observations_of_one_name_stay_apart(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.save(product(10, obsid=1342182452), name="obs/map.fits")
    b.save(product(11, obsid=1342199999), name="obs/map.fits")
    report = a.pull(b)
    assert report.renamed == [("obs/map.fits", "obs/map (from b).fits")]
    assert shown(a)["obs/map.fits"] == [10]
    assert shown(a)["obs/map (from b).fits"] == [11]
    b.pull(a)
    assert shown(a) == shown(b)
    assert a.pull(b).how == "same"


def test_a_folder_of_another_observation_keeps_together(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    for pool, seed, obsid in ((a, 10, 1), (b, 20, 2)):
        child = product(seed)
        context = sp.Product(kind="ObservationContext", meta={"obsid": obsid}, refs={"m": child})
        pool.save(context, name="obs")
    b.save(product(30), name="obs/only in b")
    a.pull(b)
    names = {ref.name for ref in a.ls("obs")} | {ref.name for ref in a.ls("obs (from b)")}
    assert names == {"obs/m", "obs (from b)/m", "obs (from b)/only in b"}
    assert a["obs (from b)"].refs["m"].name == "obs (from b)/m"
    b.pull(a)
    assert {r.name for r in a.ls()} == {r.name for r in b.ls()}


def test_names_that_are_swapped(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    with a.commit() as c:
        c.rename(a["maps/m83"], "maps/m51")
        c.rename(a["maps/m51"], "maps/m83")
    b.save(product(9), name="x")
    assert not b.pull(a).renamed
    a.pull(b)
    assert shown(b)["maps/m51"] == [1]
    assert current(a) == current(b)


def test_a_name_taken_by_two_renames(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.rename("maps/m83", "best.fits")
    b.rename("maps/m51", "best.fits")
    report = a.pull(b)
    assert report.renamed == [("best.fits", "best (from b).fits")]
    b.pull(a)
    assert current(a) == current(b)
    assert shown(b) == {"best.fits": [1], "best (from b).fits": [2]}


def test_round_three_pools(pools: tuple[Pool, Pool], tmp_path: Path) -> None:
    """What comes back by another way is known."""
    a, b = pools
    with b.clone(tmp_path / "c") as c:
        a.save(product(10), name="from a")
        b.save(product(11), name="from b")
        c.save(product(12), name="from c")
        b.pull(a)
        c.pull(b)
        a.pull(c)
        b.pull(a)
        assert current(a) == current(b) == current(c)
        sizes = [pack_bytes(pool.path) for pool in (a, b, c)]
        for one in (a, b, c):
            for other in (a, b, c):
                if one is not other:
                    assert one.pull(other).how == "same"
        assert sizes == [pack_bytes(pool.path) for pool in (a, b, c)]
        c.rename("from a", "renamed")
        b.pull(c)
        a.pull(b)
        a.rename("renamed", "again")
        c.pull(a)
        b.pull(c)
        assert current(a) == current(b) == current(c)
        assert "again" in b


def test_a_clock_that_is_ahead(pools: tuple[Pool, Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done later with knowledge of the other holds, whatever clocks say."""
    a, b = pools
    true = __import__("time").time_ns
    monkeypatch.setattr("time.time_ns", lambda: true() + 3600 * 10**9)
    a.save(product(10), name="maps/m83")
    a.rename("maps/m51", "by a")
    monkeypatch.undo()
    b.save(product(11), name="x")
    b.pull(a)
    b.save(product(12), name="maps/m83")
    b.rename("by a", "by b")
    a.pull(b)
    assert shown(a)["maps/m83"] == shown(b)["maps/m83"] == [1, 10, 12]
    assert current(a) == current(b)
    assert "by b" in a
    times = [commit.time for commit in b.history()]
    assert times[0].timestamp() < true() / 1e9 + 60


def test_unrelated_pools(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "a", mode="x") as a, sp.Pool(tmp_path / "b", mode="x") as b:
        a.save(product(1), name="one", tags=["t"])
        b.save(product(2), name="two")
        log = log_of(a.path)
        with pytest.raises(Conflict, match="--unrelated"):
            a.pull(b)
        assert log_of(a.path) == log
        assert a.pull(b, unrelated=True).versions == 1
        # From now on they have something in common.
        assert b.pull(a).versions == 1
        assert current(a) == current(b)
        assert a.pull(b).how == "same"


def test_a_removed_product_comes_removed(pools: tuple[Pool, Pool]) -> None:
    a, b = pools
    a.save(product(5), name="gone")
    a.remove("gone")
    b.save(product(6), name="x")
    b.pull(a)
    assert "gone" not in b
    assert np.array_equal(b.restore("gone").product["image"], image(5))
    a.pull(b)
    assert current(a) == current(b)


def test_copies_made_with_other_tools_are_merged_too(
    pools: tuple[Pool, Pool], tmp_path: Path
) -> None:
    """They have the same id; what counts are the commits."""
    import shutil

    a, _ = pools
    a.close()
    shutil.copytree(a.path, tmp_path / "copy")
    with sp.Pool(tmp_path / "a") as a, sp.Pool(tmp_path / "copy") as copy:
        a.save(product(10), name="maps/m83")
        copy.save(product(11), name="maps/m83")
        assert a.pull(copy).how == "merged"
        assert copy.pull(a).how == "merged"
        assert current(a) == current(copy)


def test_on_the_command_line(
    pools: tuple[Pool, Pool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pools
    a.save(product(10), name="maps/m83")
    b.save(product(11), name="maps/m83")

    def run(*words: str) -> tuple[int, str]:
        code = command([*words])
        return code, capsys.readouterr().out

    code, out = run("-p", b.path, "pull")
    assert code == 0
    assert "both changed maps/m83: ours @1, theirs became @2; @3 is current" in out
    code, out = run("-p", b.path, "push", "--json")
    found = json.loads(out)
    assert (code, found["how"], found["versions"], found["target"]) == (0, "merged", 1, a.path)
    code, out = run("-p", b.path, "pull", "--json")
    assert (code, json.loads(out)["how"]) == (0, "same")
    code, out = run("clone", b.path, str(tmp_path / "c"))
    assert code == 0
    code, out = run("clone", b.path, str(tmp_path / "c"), "--json")
    assert (code, json.loads(out)["error"]["code"]) == (5, "pool_exists")
    code, out = run("-p", a.path, "push", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (4, "not_found")
