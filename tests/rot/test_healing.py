"""Damage that was found is healed by adding the same data again, or from another pool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.pool.upkeep import answers, noise, old, packs_of, state_of, waste

import skypool as sp
from skypool.errors import Damaged
from skypool.pool.pool import Pool

from .made import product, small_pool


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.bin").write_bytes(noise(1, 50_000))
    (folder / "b.bin").write_bytes(noise(2, 50_000))
    (folder / "small.txt").write_bytes(b"a short text\n")
    for path in (folder, *folder.iterdir()):  # not so young that their times say nothing
        os.utime(path, ns=(10**18, 10**18))
    return folder


@pytest.fixture
def pool(tmp_path: Path, tree: Path) -> Path:
    import time

    time.sleep(0.05)
    with sp.Pool(tmp_path / "pool") as made:
        made.add(tree, name="obs", tags=["first"])
        made.save(product(1, 60), name="map")
    return tmp_path / "pool"


def spoil(pool: Path, name: str, document: bool = False) -> None:
    """Turn a bit of a product's last chunk, or of its document."""
    with sp.Pool(pool, "r") as reading:
        ref = reading[name]
        digest = ref.row.document
        if not document:
            parts = ref.document.get("file", {}).get("segments") or [
                ref.document["datasets"][0][1]["data"]
            ]
            digest = bytes.fromhex(parts[-1]["chunks"][-64:])
        place = reading.view.session.catalogue.places(digest)[0]
    pack = pool / "packs" / f"{place.pack.hex()}.pack"
    data = bytearray(pack.read_bytes())
    data[place.offset + place.stored - 1] ^= 16
    stat = pack.stat()
    pack.write_bytes(data)
    os.utime(pack, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("document", [False, True])
def test_adding_again_heals_what_verify_told(
    pool: Path, tree: Path, tmp_path: Path, quick: bool, document: bool
) -> None:
    spoil(pool, "obs/a.bin", document)
    before = state_of(pool)
    with sp.Pool(pool, "r") as reading:
        report = reading.verify(quick=quick)
        assert any("obs/a.bin@0" in name for p in report.problems for name in p.hurt)
    assert state_of(pool) == before  # it is remembered elsewhere
    with sp.Pool(pool) as later:  # the files are as they were seen, and must be read all the same
        later.add(tree, name="obs")
        later.export("obs", tmp_path / "out")
        report = later.verify()
        assert report.ok, report.problems
        assert report.wasted
    assert state_of(tmp_path / "out") == state_of(tree)
    with sp.Pool(pool) as later:
        later.gc(grace=0)
        later.reindex()
        assert later.verify().ok
        later.gc(grace=0)
        later.export("obs", tmp_path / "again")
    assert state_of(tmp_path / "again") == state_of(tree)


def test_adding_again_heals_what_a_reader_met(pool: Path, tree: Path, tmp_path: Path) -> None:
    spoil(pool, "obs/b.bin")
    with sp.Pool(pool, "r") as reading, pytest.raises(Damaged, match=r"obs/b\.bin@0"):
        reading.export("obs", tmp_path / "out")
    with sp.Pool(pool) as later:
        later.add(tree, name="obs")
        later.export("obs", tmp_path / "out2")
        assert later.verify().ok
    assert state_of(tmp_path / "out2") == state_of(tree)


def test_saving_again_heals(pool: Path) -> None:
    spoil(pool, "map")
    with sp.Pool(pool, "r") as reading, pytest.raises(Damaged, match="map@0/image"):
        np.asarray(reading["map"].product["image"])
    with sp.Pool(pool) as later:
        later.save(product(1, 60), name="again")
        assert np.array_equal(later["map"].product["image"], product(1, 60)["image"])
        assert later.verify().ok


def test_missing_pack_is_healed_without_any_other_step(
    pool: Path, tree: Path, tmp_path: Path
) -> None:
    packs_of(pool)[0].unlink()
    with sp.Pool(pool) as later:
        later.add(tree, name="obs")
        later.save(product(1, 60), name="map")
        later.export("obs", tmp_path / "out")
        assert np.array_equal(later["map@1"].product["image"], product(1, 60)["image"])
    assert state_of(tmp_path / "out") == state_of(tree)


def test_writer_that_is_open_hears_of_damage(pool: Path, tree: Path) -> None:
    with sp.Pool(pool) as writing:
        writing.tag("map", "open")
        spoil(pool, "obs/a.bin")
        with sp.Pool(pool, "r") as reading:
            assert not reading.verify().ok
        writing.add(tree, name="obs")
        assert writing.verify().ok


def test_only_copy_of_a_damaged_record_stays(pool: Path) -> None:
    """What may be read again some day is not given back by gc."""
    spoil(pool, "obs/a.bin")
    with sp.Pool(pool, "r") as reading:
        assert not reading.verify().ok
    with sp.Pool(pool) as later:
        later.save(product(5, 60), name="other")
        for pack in packs_of(pool):
            os.utime(pack, ns=(10**18, 10**18))
        later.gc(grace=0)
        assert not later.verify().ok
        assert [p.hurt for p in later.verify().problems] == [["obs/a.bin@0"]]


def test_pool_without_cache_is_healed_in_one_process(
    pool: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SKYPOOL_CACHE", "/proc/nowhere")
    spoil(pool, "obs/a.bin")
    with Pool(pool) as both:
        assert not both.verify().ok
        both.add(tree, name="obs")
        assert both.verify().ok


def test_copies_do_not_share_what_is_noted(pool: Path, tmp_path: Path) -> None:
    shutil.copytree(pool, tmp_path / "copy")
    spoil(pool, "obs/a.bin")
    with sp.Pool(pool, "r") as reading:
        assert not reading.verify().ok
    with sp.Pool(tmp_path / "copy") as copy:
        copy.save(product(9), name="x")
        assert not copy.view.session.catalogue.state("has_bad")
    small_pool(tmp_path / "third", tmp_path / "tree3")


def test_gc_keeps_the_good_one_of_two_records(pool: Path, tmp_path: Path) -> None:
    """The damaged one is the older, which gc would keep of two good ones."""
    waste_seeds = range(60, 80)
    with sp.Pool(pool) as writing:
        waste(writing, seeds=waste_seeds)
    spoil(pool, "map")
    with sp.Pool(pool, "r") as reading:
        assert not reading.verify().ok
    with sp.Pool(pool) as writing:
        writing.view.session.store.candidates = lambda: ()  # the good one is in another pack
        writing.save(product(1, 60), name="again")
    for pack in packs_of(pool):
        old(pack)
    with sp.Pool(pool) as writing:
        report = writing.gc(grace=0)
        assert report.reclaimed
        assert report.damaged == 0
        assert np.array_equal(writing["map@0"].product["image"], product(1, 60)["image"])
        found = writing.verify()
        assert found.ok
        assert not found.wasted


# -- repair


def damage_everywhere(pool: Path) -> None:
    """Hurt several chunks and a document, a record's header, some padding."""
    for name in ("obs/a.bin", "map"):
        spoil(pool, name)
    spoil(pool, "obs/b.bin", document=True)


@pytest.mark.parametrize("how", ["copy", "clone", "files", "both"])
def test_repair_from_elsewhere(pool: Path, tree: Path, tmp_path: Path, how: str) -> None:
    if how == "clone":
        with sp.Pool(pool, "r") as reading, sp.Pool(tmp_path / "other") as other:
            for ref in reading.ls():
                other.save(ref.product, name=f"from/{ref.name}")
    else:
        shutil.copytree(pool, tmp_path / "other")
    damage_everywhere(pool)
    sources = {"files": [tree], "both": [tree, tmp_path / "other"]}.get(how, [tmp_path / "other"])
    other = state_of(tmp_path / "other")
    with sp.Pool(pool) as hurt:
        report = hurt.repair(sources)
        if how == "files":  # the map was made in memory
            assert not report.ok
            assert {name for p in report.verified.problems for name in p.hurt} == {"map@0/image"}
            assert len(report.missing) == 1
            report = hurt.repair([tmp_path / "other"])
        assert report.ok, report.verified.problems
        assert report.healed
        assert report.packs
        assert not report.verified.wasted  # the damaged pack is gone
        hurt.export("obs", tmp_path / "out")
        assert np.array_equal(hurt["map"].product["image"], product(1, 60)["image"])
        hurt.reindex()
        assert hurt.verify().ok
    assert state_of(tmp_path / "out") == state_of(tree)
    assert state_of(tmp_path / "other") == other


def test_repair_of_a_whole_pool_changes_nothing(pool: Path) -> None:
    with sp.Pool(pool) as whole:
        report = whole.repair()
        assert report.ok
        assert (report.healed, report.packs, report.rebuilt, report.commits) == (0, 0, False, [])


@pytest.mark.parametrize("gone", [False, True])
def test_lost_packs_come_back(pool: Path, tree: Path, tmp_path: Path, gone: bool) -> None:
    shutil.copytree(pool, tmp_path / "other")
    if gone:
        packs_of(pool)[0].unlink()
    else:
        data = packs_of(pool)[0].read_bytes()
        packs_of(pool)[0].write_bytes(data[: len(data) // 2])
    with sp.Pool(pool) as hurt:
        assert not hurt.verify().ok
        report = hurt.repair([tmp_path / "other"])
        assert report.ok, report.verified.problems
        hurt.export("obs", tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(tree)


@pytest.mark.parametrize("place", [5, 90, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("helped", [False, True])
def test_damaged_log_is_written_again(tmp_path: Path, place: float, helped: bool) -> None:
    pool = tmp_path / "pool"
    small_pool(pool, tmp_path / "tree2")
    shutil.copytree(pool, tmp_path / "other")
    log = pool / "commits.log"
    data = bytearray(log.read_bytes())
    at = place if isinstance(place, int) else int(place * len(data))
    data[at] ^= 255
    log.write_bytes(data)
    before = whole_state(pool)
    with sp.Pool(pool) as hurt:
        report = hurt.repair([tmp_path / "other"] if helped else [])
        assert report.ok, report.verified.problems
        # The last one, of which nobody knows yet that it was durable, is written when opening.
        assert len(report.commits) == (place != 0.9)
        hurt.reindex()
        assert hurt.verify().ok
        assert whole_state(pool) == before
        hurt.tag("maps/a", "goes on")
    with sp.Pool(pool, "r") as later:
        assert later["maps/a"].tags == ("goes on",)
        assert later.verify().ok


def whole_state(pool: Path) -> object:
    with sp.Pool(pool, "r") as reading:
        return answers(reading)


def test_catalogue_that_differs_is_made_again(tmp_path: Path) -> None:
    import sqlite3

    pool = tmp_path / "pool"
    small_pool(pool, tmp_path / "tree2")
    before = whole_state(pool)
    for sql in (
        "UPDATE postings SET value = 12345 WHERE value = 11",
        "DELETE FROM postings WHERE value = 250.0 + 1",
        "UPDATE keys SET folded = 'sead' WHERE name = 'seed'",
        "UPDATE units SET text = 'mm' WHERE text = 'um'",
        "DELETE FROM names WHERE name = 'maps/c'",
        "DELETE FROM tags WHERE tag = 'second'",
        "UPDATE names SET name = 'maps/d' WHERE name = 'maps/c'",
        "UPDATE chunks SET offset = offset + 8 WHERE member = -1",
    ):
        connection = sqlite3.connect(pool / "catalogue.sqlite")
        with connection:
            assert connection.execute(sql).rowcount
        connection.close()
        with sp.Pool(pool) as hurt:
            kinds = {p.kind for p in hurt.verify().problems}
            assert "catalogue" in kinds, sql
            assert hurt.repair().ok
            assert hurt.verify().ok
        assert whole_state(pool) == before
