"""Removed products: they wait, are given up by a logged commit, and never come back."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import skypool as sp
from pool.upkeep import (
    exported,
    image,
    logical,
    noise,
    old,
    packs_of,
    product,
    state_of,
    write_tree,
)
from skypool.catalogue.draft import Draft, Purge
from skypool.cli.app import app
from skypool.codec.documents import loads
from skypool.errors import Damaged, Purged, SkypoolError
from skypool.pool.maintenance import GcOptions, GcReport, collect
from skypool.pool.pool import Pool

DAY = 86400.0


def later(pool: Pool, days: float, **options: Any) -> GcReport:
    """Collect as if it were some days later."""
    return collect(pool.view, GcOptions(now=time.time() + days * DAY, **options))


def forget_memory(pool: Pool) -> None:
    session = pool.view.session
    session.store._cache.clear()
    session._documents.clear()


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    pool = sp.Pool(tmp_path / "pool")
    pool.save(product(1, 300), name="stays")
    pool.save(product(2, 300), name="goes")
    pool.save(product(3, 300), name="goes")
    pool.remove("goes")
    return pool


def test_removed_products_wait_30_days_and_go(pool: Pool) -> None:
    refs = pool.at(3)["goes"].versions
    facts = pool.info()
    size = sum(ref.size for ref in refs)
    assert (facts.waiting, facts.waiting_bytes) == (2, size)
    early = later(pool, 29.9)
    assert (early.purged, early.waiting, early.waiting_bytes) == (0, 2, size)
    assert early.due is not None
    removed = pool.history()[0].time
    assert (early.due - removed).total_seconds() == pytest.approx(30 * DAY)
    assert pool.history()[0].number == 4  # nothing to do makes no commit
    dry = later(pool, 30.1, dry_run=True)
    assert (dry.purged, dry.purged_bytes, dry.reclaimed) == (2, size, 0)
    assert dry.reclaimable > size / 2
    assert pool.history()[0].number == 4
    report = later(pool, 30.1)
    assert (report.purged, report.waiting, report.due) == (2, 0, None)
    assert report.reclaimed == dry.reclaimable > size / 2
    assert pool.info().waiting == 0
    assert pool.history()[0].changes == {"purged": 2}
    assert pool.verify().ok
    assert np.array_equal(pool["stays"].product["image"], image(1, 300))
    assert later(pool, 60).purged == 0


def test_reading_what_was_given_up_says_so(pool: Pool, tmp_path: Path) -> None:
    before = pool.at(3)["goes"]
    loaded = before.product
    pool.gc(grace=0, removed_after=0)
    forget_memory(pool)
    after = pool.at(3)["goes"]
    assert after.purged
    commit = pool.history()[0]
    reads: list[Callable[[Any], Any]] = [
        lambda ref: ref.product,
        lambda ref: ref.meta,
        lambda ref: ref.document,
        lambda ref: ref.path,
        lambda ref: ref.file_hash,
        lambda ref: pool.export(ref, tmp_path / "out"),
    ]
    for ref in (before, after):
        for read in reads:
            with pytest.raises(Purged) as caught:
                read(ref)
            assert f"goes@1 was given up by commit {commit.number}" in str(caught.value)
            assert f"{commit.time:%Y-%m-%d %H:%M}" in str(caught.value)
    with pytest.raises(Purged):
        np.asarray(loaded["image"])
    with pytest.raises(Purged):
        pool.diff(after, "stays")
    # What the log says of it stays.
    assert (after.name, after.version, after.kind, after.type) == ("goes", 1, "Product", "MAP")
    assert after.size == before.size
    assert [ref.version for ref in after.versions] == [0, 1]
    assert after.saved == before.saved
    assert any("remove goes" in entry.message for entry in pool.history())
    assert [ref.name for ref in pool.at(3).find("seed > 0")] == ["stays"]


def test_a_cached_file_of_what_was_given_up_is_not_given_out(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(noise(7, 10_000))
    ref = pool.add(file, name="a.bin")
    assert Path(ref.path).read_bytes() == noise(7, 10_000)
    pool.remove("a.bin")
    pool.gc(grace=0, removed_after=0)
    with pytest.raises(Purged):
        _ = pool.at(ref.commit)["a.bin"].path


def test_restoring_what_was_given_up_is_refused(pool: Pool) -> None:
    pool.gc(grace=0, removed_after=0)
    count = len(pool.history())
    with pytest.raises(Purged, match="cannot come back"):
        pool.restore("goes")
    assert len(pool.history()) == count
    assert "goes" not in pool


def test_restored_in_time_is_whole(pool: Pool) -> None:
    later(pool, 29)
    pool.restore("goes")
    assert later(pool, 400).purged == 0
    forget_memory(pool)
    assert np.array_equal(pool["goes"].product["image"], image(3, 300))
    assert np.array_equal(pool["goes@0"].product["image"], image(2, 300))


@pytest.mark.parametrize("reclaimed", [False, True])
def test_adding_the_same_again_makes_a_version_that_works(
    tmp_path: Path, reclaimed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the cache of seen files nor the catalogue's documents may revive what is gone."""
    monkeypatch.setattr("skypool.pool.seen_before._CLOCK_GRAIN_NS", -(10**18))
    tree = write_tree(tmp_path / "tree")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tree, name="obs")
    pool.save(product(1), name="other")
    first = pool["obs/level2/map.bin"]
    pool.remove("obs")
    if reclaimed:
        pool.gc(grace=0, removed_after=0)
    else:
        assert later(pool, 31, grace=1000 * DAY).purged == 8
    report = pool.add_report(tree, name="obs")
    assert not report.skipped
    forget_memory(pool)
    assert pool["obs"].version == 1
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)
    assert pool["obs/level2/map.bin"].number != first.number
    with pytest.raises(Purged):
        _ = first.view.number(first.number).document
    assert pool.verify().ok
    assert pool.find("name == 'obs/level2/map.bin'")[0].version == 1
    pool.reindex()
    forget_memory(pool)
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)
    with pytest.raises(Purged):
        _ = pool.view.number(first.number).document


def test_metadata_of_what_is_added_again_are_found_again(pool: Pool) -> None:
    pool.gc(grace=0, removed_after=0)
    assert len(pool.find("seed == 3")) == 0
    ref = pool.save(product(3, 300), name="goes")
    assert ref.version == 2
    assert list(pool.find("seed == 3")) == [ref]
    before = logical(pool.view.session.folder.catalogue)
    pool.reindex()
    assert list(pool.find("seed == 3")) == [ref]
    assert logical(pool.view.session.folder.catalogue) == before


def test_a_rebuild_never_revives(pool: Pool, tmp_path: Path) -> None:
    number = pool.at(3)["goes"].number
    pool.save(product(9, 300), name="also")
    pool.gc(grace=0, removed_after=0)
    said = answers_of_rest(pool)
    before = logical(pool.view.session.folder.catalogue)
    pool.reindex()
    assert logical(pool.view.session.folder.catalogue) == before
    pool.close()
    (tmp_path / "pool/catalogue.sqlite").unlink()
    with sp.Pool(tmp_path / "pool") as again:
        assert answers_of_rest(again) == said
        assert logical(again.view.session.folder.catalogue) == before
        assert again.verify().ok
        with pytest.raises(Purged):
            _ = again.view.number(number).product
        with pytest.raises(Purged):
            again.restore("goes")


def answers_of_rest(pool: Pool) -> list[Any]:
    return [
        (ref.number, ref.name, ref.version, ref.size, ref.purged or str(ref.meta))
        for commit in pool.history()
        for ref in pool.at(commit.number).ls()
    ]


def test_a_copy_of_a_pool_whose_last_versions_were_given_up_keeps_all_commits(
    tmp_path: Path,
) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(product(1, 300), name="stays")
        pool.save(product(2, 300), name="goes")
        pool.remove("goes")
        pool.gc(grace=0, removed_after=0)
        pool.tag("stays", "last")
        count = len(pool.history())
    copy = Path(shutil.copytree(tmp_path / "pool", tmp_path / "copy"))
    # As if it was copied in use: the log is newer than the catalogue.
    (copy / "catalogue.sqlite").unlink()
    with sp.Pool(copy) as copied:
        assert len(copied.history()) == count
    with sp.Pool(tmp_path / "pool") as pool:
        from skypool.pool.incomplete import drop_incomplete

        drop_incomplete(pool.view.session.folder, pool.view.session.store)
        assert pool.view.session.folder.log.end().number == count


# -- what is protected


def test_tags_protect_until_they_are_taken_away(pool: Pool) -> None:
    ref = pool.at(3)["goes@0"]
    pool.tag(ref, "paper")
    assert later(pool, 31).purged == 1
    forget_memory(pool)
    assert np.array_equal(pool["paper"].product["image"], image(2, 300))
    pool.untag(pool["paper"], "paper")
    assert later(pool, 31).purged == 1
    with pytest.raises(Purged):
        _ = pool.view.number(ref.number).product


def test_what_others_refer_to_is_protected_through_contexts(tmp_path: Path) -> None:
    pool = sp.Pool(tmp_path / "pool")
    leaf = pool.save(product(1), name="cal/leaf")
    inner = pool.save(sp.Product(kind="ListContext", refs={"leaf": leaf}), name="cal")
    outer = pool.save(sp.Product(kind="MapContext", refs={"cal": inner}), name="obs")
    lone = pool.save(product(2), name="cal/lone")
    pool.save(product(3), name="obs")  # a later version of the context does not refer to it
    for name in ("cal/leaf", "cal/lone", "cal"):
        ref = pool[name]
        with pool.commit("hide") as c:
            c._draft.hidden.append((ref.track, True))
    assert later(pool, 31).purged == 1
    forget_memory(pool)
    assert pool.view.number(lone.number).purged
    child = pool["obs@0"].product.refs["cal"].product.refs["leaf"]
    assert np.array_equal(child.product["image"], image(1))
    # Once the one that refers goes too, all of it goes, in one run.
    pool.remove("obs")
    report = later(pool, 31)
    assert report.purged == 4
    for ref in (leaf, inner, outer):
        with pytest.raises(Purged):
            _ = pool.view.number(ref.number).document
    assert pool.verify().ok


def test_what_waits_protects_what_it_refers_to(tmp_path: Path) -> None:
    pool = sp.Pool(tmp_path / "pool")
    leaf = pool.save(product(1), name="leaf")
    pool.remove("leaf")
    first = pool.history()[0].time.timestamp()
    time.sleep(0.01)
    pool.save(sp.Product(kind="ListContext", refs={"leaf": leaf}), name="list")
    pool.remove("list")
    now = first + 30 * DAY + 0.005
    report = collect(pool.view, GcOptions(now=now))
    assert (report.purged, report.waiting) == (0, 2)
    assert later(pool, 31).purged == 2


def test_dropped_children_of_folders_stay_with_the_old_version(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tree, name="obs")
    whole = state_of(tree)
    (tree / "level2/mask.bin").unlink()
    pool.add(tree, name="obs")
    assert later(pool, 400).purged == 0
    forget_memory(pool)
    assert exported(pool, "obs@0", tmp_path / "out") == whole


def test_never_means_never(pool: Pool) -> None:
    report = later(pool, 10_000, removed_after=math.inf)
    assert (report.purged, report.waiting, report.due) == (0, 2, None)


def test_many_are_given_up_in_several_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parents come first, else they would protect their children."""
    monkeypatch.setattr("skypool.pool.collecting._PURGED_AT_ONCE", 3)
    pool = sp.Pool(tmp_path / "pool")
    below = pool.save(product(0, 20), name="p/0")
    for number in range(1, 10):
        below = pool.save(sp.Product(kind="ListContext", refs={"below": below}), name=f"p/{number}")
    pool.remove("p/9")
    with pool.commit("hide") as c:
        c._draft.hidden.extend((ref.track, True) for ref in pool.ls())
    count = len(pool.history())
    assert later(pool, 31).purged == 10
    assert [c.changes for c in pool.history()[: len(pool.history()) - count]] == [
        {"purged": 1}, {"purged": 3}, {"purged": 3}, {"purged": 3}
    ]  # fmt: skip


def test_the_commit_checks_protection_itself(pool: Pool) -> None:
    """The primitive: whoever asks for protected versions does not get them given up."""
    session = pool.view.session
    goes = pool.at(3)["goes"]
    pool.tag(goes, "late")
    draft = Draft("x", "purge", purge=Purge([goes.number, pool["stays"].number, 2, 999]))
    published = session.publish(draft, None)
    assert published.commit is not None
    record = [loads(r.payload) for r in session.folder.log.records()][-1]
    assert record["purged"] == [2]
    assert session.publish(Draft("x", "", purge=Purge([2])), None).commit is None


def test_old_versions_in_view_can_be_given_up_by_the_same_commit(pool: Pool) -> None:
    """What a later command needs: versions of a product that is not removed."""
    pool.save(product(5, 300), name="stays")
    session = pool.view.session
    session.publish(Draft("x", "purge", purge=Purge([1])), None)
    with pytest.raises(Purged):
        _ = pool["stays@0"].product
    assert pool["stays"].version == 1
    assert pool.verify().ok
    pool.gc(grace=0)
    forget_memory(pool)
    assert np.array_equal(pool["stays"].product["image"], image(5, 300))
    assert len(pool.find("seed == 1", all_versions=True)) == 0


# -- races


def test_restored_between_looking_and_giving_up(pool: Pool, tmp_path: Path) -> None:
    other = sp.Pool(tmp_path / "pool")

    def restore(step: Any) -> None:
        if step.stage == "giving up removed versions" and "goes" not in other:
            other.restore("goes")

    report = collect(pool.view, GcOptions(now=time.time() + 31 * DAY), restore)
    assert report.purged == 0
    forget_memory(pool)
    assert np.array_equal(pool["goes"].product["image"], image(3, 300))
    assert np.array_equal(pool["goes@0"].product["image"], image(2, 300))
    assert pool.verify().ok


def test_referred_to_between_looking_and_giving_up(pool: Pool, tmp_path: Path) -> None:
    other = sp.Pool(tmp_path / "pool")
    ref = other.at(3)["goes"]

    def refer(step: Any) -> None:
        if step.stage == "giving up removed versions":
            other.save(sp.Product(kind="ListContext", refs={"goes": ref}), name="list")

    report = collect(pool.view, GcOptions(now=time.time() + 31 * DAY), refer)
    assert report.purged == 1
    forget_memory(pool)
    child = pool["list"].product.refs["goes"]
    assert np.array_equal(child.product["image"], image(3, 300))
    assert pool.verify().ok


def test_referring_to_what_was_given_up_is_refused(pool: Pool) -> None:
    ref = pool.at(3)["goes"]
    loaded = ref.product
    pool.gc(grace=0, removed_after=0)
    forget_memory(pool)
    count = len(pool.history())
    for change in (
        lambda: pool.save(sp.Product(kind="ListContext", refs={"goes": ref}), name="list"),
        lambda: pool.save(loaded, name="copy"),
        lambda: pool.save(loaded.replace(meta={"seed": 77}), name="copy"),
        lambda: pool.tag(ref, "late"),
    ):
        with pytest.raises(Purged):
            change()
    assert len(pool.history()) == count
    assert pool.verify().ok


@pytest.mark.parametrize("changed", [False, True])
def test_given_up_between_reading_and_committing(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    """A product is saved under another name; meanwhile gc takes what it counts on."""
    writing = sp.Pool(tmp_path / "pool")
    loaded = writing.at(3)["goes"].product
    if changed:  # its data are taken over by their names, unread
        loaded = loaded.replace(meta={"seed": 4})
    session = writing.view.session
    real = session.publish
    tries = []

    def slow(*args: Any, **more: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            assert pool.gc(grace=0, removed_after=0).purged == 2
        return real(*args, **more)

    monkeypatch.setattr(session, "publish", slow)
    with pytest.raises(Purged):
        writing.save(loaded, name="copy")
    assert "copy" not in writing
    assert writing.verify().ok


def test_seen_files_given_up_between_looking_and_committing_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skypool.pool.seen_before._CLOCK_GRAIN_NS", -(10**18))
    file = tmp_path / "a.bin"
    file.write_bytes(noise(7, 100_000))
    pool = sp.Pool(tmp_path / "pool")
    pool.add(file, name="a")
    pool.remove("a")
    collecting = sp.Pool(tmp_path / "pool")
    session = pool.view.session
    session.store.let_go()
    real = session.publish
    tries = []

    def slow(*args: Any, **more: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            assert collecting.gc(grace=0, removed_after=0).purged == 1
        return real(*args, **more)

    monkeypatch.setattr(session, "publish", slow)
    ref = pool.add(file, name="b")
    assert len(tries) == 2
    forget_memory(pool)
    assert exported(pool, "b", tmp_path / "out") == {"b": state_of(tmp_path)["a.bin"]}
    assert ref.name == "b"
    assert pool.verify().ok


def test_a_reader_in_the_midst_of_it_is_told(pool: Pool, tmp_path: Path) -> None:
    """The row was read before, the content goes afterwards: no word of damage."""
    reader = sp.Pool(tmp_path / "pool", "r")
    lazy = reader.at(3)["goes"].product["image"]
    pool.gc(grace=0, removed_after=0)
    reader.view.session.store._open.clear()
    with pytest.raises(Purged) as caught:
        np.asarray(lazy)
    assert not isinstance(caught.value, Damaged)


def test_a_changed_row_of_the_catalogue_never_costs_content(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    import sqlite3

    connection = sqlite3.connect(tmp_path / "pool/catalogue.sqlite")
    connection.execute("UPDATE versions SET purged = 3 WHERE urn = 1")
    connection.commit()
    connection.close()
    old(*packs_of(tmp_path / "pool"))
    size = sum(path.stat().st_size for path in packs_of(tmp_path / "pool"))
    with sp.Pool(tmp_path / "pool") as again:
        with pytest.raises(SkypoolError, match="versions"):
            again.gc(grace=0, removed_after=0)
        assert sum(path.stat().st_size for path in packs_of(tmp_path / "pool")) == size
        again.reindex()
        assert np.array_equal(again["stays"].product["image"], image(1, 300))


# -- the command line


def run(pool: Path, *args: str) -> Any:
    return CliRunner().invoke(app, ["-p", str(pool), *args])


def test_the_command_line_tells_what_waits_and_what_went(pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    pool.close()
    assert "removed   2 versions" in run(folder, "info").output
    assert json.loads(run(folder, "info", "--json").output)["waiting"] == 2
    out = run(folder, "gc", "-n").output
    assert "2 versions of removed products" in out
    assert "can still be restored, the first until 20" in out
    out = run(folder, "gc", "-n", "--removed-after", "0").output
    assert "2 versions of removed products would be given up" in out
    assert "can still be restored" in run(folder, "gc", "--removed-after", "never").output
    found = json.loads(run(folder, "gc", "--grace", "0", "--removed-after", "0s", "--json").output)
    assert (found["purged"], found["waiting"], found["stopped"]) == (2, 0, False)
    failed = run(folder, "restore", "goes", "--json")
    assert failed.exit_code == 4
    assert '"purged"' in failed.output
    for text in ("soon", "3x", "-1"):
        assert run(folder, "gc", "--removed-after", text).exit_code == 2
    assert run(folder, "gc", "--grace", "never").exit_code == 2
