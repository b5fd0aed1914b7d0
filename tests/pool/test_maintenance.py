"""`info`, `verify` and `gc` on pools that are whole and on pools that are hurt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.catalogue.reclaiming import Reclaim
from skypool.errors import Damaged, SkypoolError, SourceMissing
from skypool.pool.pool import Pool
from skypool.storage import pack_files
from skypool.storage.store import Location

from .upkeep import (
    answers,
    exported,
    filled,
    image,
    noise,
    old,
    pack_bytes,
    packs_of,
    product,
    state_of,
    unknowing,
    waste,
    write_tree,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


@pytest.fixture
def pool(tmp_path: Path, tree: Path) -> Pool:
    return filled(tmp_path / "pool", tree)


# -- info


def test_info_counts(pool: Pool, tmp_path: Path) -> None:
    facts = pool.info()
    assert facts.products == len(pool)
    assert facts.commits == len(pool.history())
    assert facts.packs == 1
    assert facts.bytes_stored == pack_bytes(tmp_path / "pool")
    assert facts.bytes_logical > facts.bytes_stored / 2
    assert facts.tags == len(pool.tags)
    assert facts.path == str(tmp_path / "pool")
    assert pool.at(1).info().commits == 1


# -- verify


@pytest.mark.parametrize("quick", [False, True])
def test_whole_pool_verifies_and_is_not_changed(pool: Pool, tmp_path: Path, quick: bool) -> None:
    pool.close()
    before = state_of(tmp_path / "pool")
    with sp.Pool(tmp_path / "pool", "r") as reading:
        report = reading.verify(quick=quick)
    assert report.ok, report.problems
    assert report.checked > 10
    assert report.bytes == pack_bytes(tmp_path / "pool")
    assert state_of(tmp_path / "pool") == before


def test_pool_without_leave_to_write_verifies(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    folder = tmp_path / "pool"
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        for mode in ("r", "a"):
            with sp.Pool(folder, mode) as reading:
                assert reading.verify().ok
                assert reading.gc(dry_run=True, grace=0).reclaimable >= 0
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_progress_is_told_per_pack_in_bytes(pool: Pool, tmp_path: Path) -> None:
    told = []
    pool.verify(progress=told.append)
    packs = [p for p in told if p.stage == "verifying"]
    assert packs[-1].bytes == packs[-1].total_bytes == pack_bytes(tmp_path / "pool")
    assert [p.bytes for p in packs] == sorted(p.bytes for p in packs)
    assert any(p.stage == "checking documents" for p in told)


@pytest.mark.parametrize("quick", [False, True])
def test_every_flipped_byte_of_a_pack_is_found(tmp_path: Path, quick: bool) -> None:
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(product(1, 40), name="a")
        pool.save(product(2, 40), name="b")
    (pack,) = packs_of(path)
    data = pack.read_bytes()
    rng = np.random.default_rng(5)
    places = {*range(0, 64, 7), *range(64, 136, 5), *rng.integers(0, len(data), 40).tolist()}
    with sp.Pool(path, "r") as reading:
        for place in sorted({*places, len(data) - 1}):
            hurt = bytearray(data)
            hurt[place] ^= 1 << int(rng.integers(8))
            pack.write_bytes(hurt)
            assert not reading.verify(quick=quick).ok, place
    pack.write_bytes(data)
    with sp.Pool(path, "r") as reading:
        assert reading.verify().ok


def test_damage_names_what_it_hurts(pool: Pool, tmp_path: Path) -> None:
    pool.save(
        product(7, 300, other=image(8, 300), table=sp.Table({"x": np.arange(60_000)})), name="big"
    )
    session = pool.view.session
    document = pool["big"].document
    data = dict(document["datasets"])["other"]["data"]
    place = session.catalogue.places(bytes.fromhex(data["chunks"][:64]))[0]
    pool.close()
    with open(tmp_path / "pool/packs" / f"{place.pack.hex()}.pack", "r+b") as file:
        file.seek(place.offset + 100)
        byte = file.read(1)
        file.seek(place.offset + 100)
        file.write(bytes([byte[0] ^ 1]))
    with sp.Pool(tmp_path / "pool", "r") as reading:
        report = reading.verify()
        (problem,) = report.problems
        assert problem.kind == "pack"
        assert problem.hurt == ["big@0/other"]
        assert f"at {place.offset}" in str(problem)
        with pytest.raises(Damaged):
            np.asarray(reading["big"].product["other"])
        assert np.array_equal(reading["big"].product["image"], image(7, 300))


def test_damaged_document_is_named(pool: Pool, tmp_path: Path) -> None:
    session = pool.view.session
    place = session.catalogue.places(pool["maps/c"].row.document)[0]
    names = {ref.name for ref in pool.ls()}
    pool.close()
    pack = tmp_path / "pool/packs" / f"{place.pack.hex()}.pack"
    data = bytearray(pack.read_bytes())
    data[place.offset + 70] ^= 255
    pack.write_bytes(data)
    with sp.Pool(tmp_path / "pool", "r") as reading:
        report = reading.verify()
        assert any("maps/c@0" in problem.hurt for problem in report.problems)
        assert {ref.name for ref in reading.ls()} == names
        with pytest.raises(Damaged):
            reading.gc(dry_run=True)


def test_missing_pack_is_found(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    with sp.Pool(tmp_path / "pool") as later:
        later.view.session.store.candidates = lambda: ()
        later.save(product(20), name="late")
    first, second = sorted(packs_of(tmp_path / "pool"), key=lambda path: path.stat().st_mtime_ns)
    second.unlink()
    assert first.exists()
    with sp.Pool(tmp_path / "pool", "r") as reading:
        report = reading.verify()
        assert [p.kind for p in report.problems] == ["pack"]
        assert "missing" in report.problems[0].what
        assert set(report.problems[0].hurt) == {"late@0"}  # its document is gone too
        assert np.array_equal(reading["maps/c"].product["image"], image(2, 90))


def test_second_copy_of_a_chunk_spares_the_product(tmp_path: Path) -> None:
    with sp.Pool(tmp_path / "pool") as pool:
        ref = pool.save(product(1), name="a")
        session = pool.view.session
        chunk = bytes.fromhex(ref.document["datasets"][0][1]["data"]["chunks"][:64])
        data = session.fetch(chunk)
        writer = unknowing(session)
        assert writer.put(data) == chunk
        session.stage(writer, [])
        writer.close()
        first, second = session.catalogue.places(chunk)
    for place in (first, second):
        pack = tmp_path / "pool/packs" / f"{place.pack.hex()}.pack"
        whole = pack.read_bytes()
        hurt = bytearray(whole)
        hurt[place.offset + 99] ^= 4
        pack.write_bytes(hurt)
        with sp.Pool(tmp_path / "pool", "r") as reading:
            (problem,) = reading.verify().problems
            assert problem.hurt == []
            assert np.array_equal(reading["a"].product["image"], image(1))
        pack.write_bytes(whole)


def test_torn_tail_is_reclaimable_and_no_problem(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    (pack,) = packs_of(tmp_path / "pool")
    size = pack.stat().st_size
    with open(pack, "ab") as file:
        file.write(pack.read_bytes()[64:700])
    with sp.Pool(tmp_path / "pool") as later:
        report = later.verify()
        assert report.ok, report.problems
        assert report.reclaimable > 0
        assert later.gc(dry_run=True, grace=0).reclaimable == 636
        assert later.gc(dry_run=True).reclaimable == 0  # it is young
        assert later.gc(grace=0).reclaimed == 636
        assert pack.stat().st_size == size
        assert later.verify().reclaimable == 0


@pytest.mark.parametrize("place", [0, 5, 90, 300, -1])
def test_damaged_log_is_found(pool: Pool, tmp_path: Path, place: int) -> None:
    pool.close()
    log = tmp_path / "pool/commits.log"
    data = bytearray(log.read_bytes())
    data[place] ^= 1
    log.write_bytes(data)
    with sp.Pool(tmp_path / "pool", "r") as reading:
        assert [p.kind for p in reading.verify().problems] == ["log"]
        assert reading["maps/a"].meta["seed"].value == 11


def test_torn_tail_of_the_log_is_no_problem(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "pool/commits.log"
    before = log.read_bytes()
    pool.tag("maps/a", "last")
    after = log.read_bytes()
    pool.close()
    for cut in (len(before), len(before) + 1, len(before) + 80, len(after) - 1):
        log.write_bytes(after[:cut])
        with sp.Pool(tmp_path / "pool", "r") as reading:
            assert reading.verify().ok
    log.write_bytes(after[:-20])
    with sp.Pool(tmp_path / "pool") as writing:  # completes it
        assert writing.verify().ok
    assert log.read_bytes() == after


def test_catalogue_that_differs_from_the_log_is_found(pool: Pool) -> None:
    with pool.view.session.catalogue.database.transaction() as connection:
        # With check sums that fit: a writer was wrong, not the disk.
        connection.execute(
            "UPDATE versions SET total = total + 1, crc = crc_of_row(urn, track, version,"
            " (SELECT digest FROM documents WHERE id = document), total + 1, since, until, origin,"
            " children, purged) WHERE urn = 2"
        )
        connection.execute(
            "UPDATE commits SET author = 'nobody',"
            " crc = crc_of_row(number, time_us, 'nobody', message, changes) WHERE number = 3"
        )
    kinds = [(p.kind, p.where) for p in pool.verify().problems]
    assert kinds == [("catalogue", "commit 1"), ("catalogue", "commit 3")]


def test_catalogue_that_points_nowhere_is_found(pool: Pool) -> None:
    place = pool.view.session.catalogue.places(pool["maps/c"].row.document)[0]
    with pool.view.session.catalogue.database.transaction() as connection:
        connection.execute(
            "UPDATE chunks SET offset = offset + 8 WHERE offset = ? AND member = ?",
            (place.offset, place.member),
        )
    (problem,) = pool.verify().problems
    assert problem.kind == "catalogue"
    assert problem.hurt == ["maps/c@0"]


def test_verify_can_be_interrupted(pool: Pool, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.verify(progress=stop)
    assert pool.verify().ok


# -- files kept in place


@pytest.mark.parametrize("quick", [False, True])
def test_files_kept_in_place_are_checked(tmp_path: Path, tree: Path, quick: bool) -> None:
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tree, name="obs", in_place=True)
    before = state_of(tree)
    assert pool.verify(quick=quick).ok
    assert pool.gc(grace=0).reclaimed >= 0
    assert state_of(tree) == before
    (tree / "level2/map.bin").unlink()
    (problem,) = pool.verify(quick=quick).problems
    assert (problem.kind, problem.where) == ("source", str(tree / "level2/map.bin"))
    assert problem.hurt == ["obs/level2/map.bin@0"]
    with pytest.raises(SourceMissing):
        pool.export("obs", tmp_path / "out")


def test_changed_content_of_a_file_kept_in_place_is_found(tmp_path: Path, tree: Path) -> None:
    pool = sp.Pool(tmp_path / "pool")
    pool.add(tree, name="obs", in_place=True)
    path = tree / "level1/frames.bin"
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[400_000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert pool.verify(quick=True).ok  # size and time are as they were
    (problem,) = pool.verify().problems
    assert problem.kind == "source"
    assert problem.hurt == ["obs/level1/frames.bin@0"]
    pool.add(tree, name="copy", force_read=True)
    assert [p.hurt for p in pool.verify().problems] == [["obs/level1/frames.bin@0"]]


# -- gc


def test_gc_of_a_whole_pool_takes_nothing(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)
    before = pack_bytes(tmp_path / "pool")
    report = pool.gc(grace=0)
    assert (report.reclaimable, report.reclaimed, report.packs, report.chunks) == (0, 0, 0, 0)
    assert pack_bytes(tmp_path / "pool") == before
    assert answers(pool) == said


@pytest.mark.parametrize("staged", [False, True])
def test_gc_gives_back_what_no_version_reaches(
    pool: Pool, tree: Path, tmp_path: Path, staged: bool
) -> None:
    folder = tmp_path / "pool"
    said = answers(pool)
    clean = pack_bytes(folder)
    waste(pool, seeds=range(100, 130), staged=staged, documents=20 if staged else 0)
    pool.save(product(5), name="after")
    full = pack_bytes(folder)
    before = state_of(folder)
    dry = pool.gc(dry_run=True, grace=0)
    assert state_of(folder) == before
    assert dry.reclaimable > 30 * 100_000
    assert dry.reclaimed == 0
    assert dry.chunks == (50 if staged else 0)
    assert dry.documents == (20 if staged else 0)
    report = pool.gc(grace=0)
    assert report.reclaimable == dry.reclaimable
    assert report.reclaimed == dry.reclaimable == full - pack_bytes(folder)
    assert pack_bytes(folder) < clean + 250_000
    assert pool.verify().ok
    assert pool.gc(grace=0).reclaimed == 0
    pool.remove("after")
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)
    assert answers(pool)[: -len(said)] != said
    assert answers(pool)[-len(said) :] == said


def test_dead_documents_leave_the_catalogue(pool: Pool) -> None:
    waste(pool, seeds=range(100, 130), documents=20)
    database = pool.view.session.catalogue.database
    count = "SELECT count(*) FROM documents d WHERE d.id NOT IN (SELECT document FROM versions)"
    assert database.query(count) == [(20,)]
    assert pool.gc(grace=0).documents == 20
    assert database.query(count)[0][0] <= 1  # the number of the last one is not given again
    terms = "SELECT count(*) FROM terms WHERE document NOT IN (SELECT id FROM documents)"
    assert database.query(terms) == [(0,)]


def test_young_waste_stays(pool: Pool, tmp_path: Path) -> None:
    waste(pool, seeds=range(100, 130))
    report = pool.gc()
    assert (report.reclaimable, report.reclaimed, report.young) == (0, 0, 1)
    old(*packs_of(tmp_path / "pool"))
    assert pool.gc().reclaimed > 3_000_000


def test_pack_of_another_writer_is_left_alone(pool: Pool, tmp_path: Path) -> None:
    waste(pool, seeds=range(100, 130))
    pool.close()
    with sp.Pool(tmp_path / "pool") as other, sp.Pool(tmp_path / "pool") as later:
        writer = other.view.session.writer()
        writer.put(noise(3, 9000))
        writer.flush()
        report = later.gc(grace=0)
        assert (report.reclaimed, report.busy) == (0, 1)
        writer.abandon()
        other.view.session.store.let_go()
        assert later.gc(grace=0).reclaimed > 3_000_000


def test_wholly_dead_packs_go(pool: Pool, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    pool.close()
    (kept,) = packs_of(folder)
    with sp.Pool(folder) as later:
        later.view.session.store.candidates = lambda: ()
        waste(later, seeds=range(100, 110))
        assert len(packs_of(folder)) == 2
        report = later.gc(grace=0)
        assert (report.packs, report.chunks) == (1, 10)
        assert packs_of(folder) == [kept]
        assert later.view.session.catalogue.database.query("SELECT count(*) FROM packs") == [(1,)]


def test_leftovers_go_once_they_are_old(pool: Pool, tmp_path: Path) -> None:
    young, aged = tmp_path / "pool/x.tmp", tmp_path / "pool/packs/y.tmp"
    stranger = tmp_path / "pool/notes.txt"
    for path in (young, aged, stranger):
        path.write_bytes(bytes(1000))
    old(aged, stranger)
    assert pool.gc(dry_run=True).leftovers == 1
    assert aged.exists()
    report = pool.gc()
    assert (report.leftovers, report.reclaimed) == (1, 1000)
    assert young.exists()
    assert stranger.exists()
    assert not aged.exists()


def test_sealed_packs_are_rewritten(tmp_path: Path, tree: Path) -> None:
    folder = tmp_path / "pool"
    pool = sp.Pool(folder)
    pool.add(tree, name="obs")
    pool.view.session.store._roll_bytes = 200_000
    for seed in range(6):
        waste(pool, seeds=range(100 + seed, 101 + seed))
        pool.save(product(seed, 150), name=f"m/{seed}")
    said = answers(pool)
    count = len(packs_of(folder))
    assert count > 3
    report = pool.gc(grace=0)
    assert report.packs >= 3
    assert report.damaged == report.busy == 0
    assert pool.verify().ok
    assert answers(pool) == said
    for seed in range(6):
        assert np.array_equal(pool[f"m/{seed}"].product["image"], image(seed, 150))
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)
    pool.reindex()
    assert pool.verify().ok
    assert answers(pool) == said


def test_doubled_chunks_are_kept_once(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    pool = sp.Pool(folder)
    ref = pool.save(product(1, 400), name="a")
    session = pool.view.session
    name = bytes.fromhex(ref.document["datasets"][0][1]["data"]["chunks"][:64])
    for _ in range(3):  # as if other processes had written it at the same time
        writer = unknowing(session)
        writer.put(session.fetch(name))
        session.stage(writer, [])
        writer.close()
        session.store.let_go()
        session.store.candidates = lambda: ()
    assert len(session.catalogue.places(name)) == 4
    size = pack_bytes(folder)
    assert pool.gc(grace=0).reclaimed > 500_000
    assert pack_bytes(folder) < size - 500_000
    assert len(session.catalogue.places(name)) == 1
    session.store._cache.clear()
    assert np.array_equal(pool["a"].product["image"], image(1, 400))
    assert pool.verify().ok


def test_doubled_chunk_whose_first_copy_is_damaged_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    pool = sp.Pool(folder)
    ref = pool.save(product(1, 400), name="a")
    session = pool.view.session
    name = bytes.fromhex(ref.document["datasets"][0][1]["data"]["chunks"][:64])
    data = session.fetch(name)
    session.store.let_go()
    session.store.candidates = lambda: ()
    writer = unknowing(session)
    writer.put(data)
    for seed in range(5):
        writer.put(noise(seed, 100_000))
    session.stage(writer, [])
    writer.close()
    first, second = session.catalogue.places(name)
    rows = session.catalogue.database.query("SELECT name FROM packs ORDER BY id")
    original = rows[0][0]
    place = first if first.pack == original else second
    path = folder / f"packs/{original.hex()}.pack"
    hurt = bytearray(path.read_bytes())
    hurt[place.offset + 100] ^= 1
    path.write_bytes(hurt)
    pool.gc(grace=0)
    session.store._cache.clear()
    assert np.array_equal(pool["a"].product["image"], image(1, 400))


def test_damaged_pack_is_not_rewritten(pool: Pool, tmp_path: Path) -> None:
    waste(pool, seeds=range(100, 130))
    place = pool.view.session.catalogue.places(
        bytes.fromhex(pool["maps/a"].document["datasets"][0][1]["data"]["chunks"][:64])
    )[0]
    (pack,) = packs_of(tmp_path / "pool")
    hurt = bytearray(pack.read_bytes())
    hurt[place.offset + 100] ^= 1
    pack.write_bytes(hurt)
    report = pool.gc(grace=0)
    assert (report.reclaimed, report.damaged) == (0, 1)
    assert pack.read_bytes() == hurt
    pool.view.session.store._cache.clear()
    assert [p.kind for p in pool.verify().problems] == ["pack"]
    assert np.array_equal(pool["maps/c"].product["image"], image(2, 90))
    session = pool.view.session
    assert session.catalogue.database.query("SELECT count(*) FROM chunks WHERE condemned") == [(0,)]


def test_gc_stopped_anywhere_leaves_a_whole_pool(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop at every step that changes something, and at every word of progress."""
    source = tmp_path / "source"
    pool = filled(source, tree)
    pool.close()
    with sp.Pool(source) as later:
        later.view.session.store._roll_bytes = 300_000
        for seed in range(3):
            waste(later, seeds=range(100 + 3 * seed, 103 + 3 * seed), documents=3)
            later.save(product(30 + seed), name=f"late/{seed}")
        said = answers(later)
    steps = ("create_exclusive", "write", "sync", "truncate", "unlink", "replace", "sync_folder")
    stopped = 0
    for number in range(200):
        folder = tmp_path / f"pool{number}"
        shutil.copytree(source, folder)
        victim = sp.Pool(folder)
        calls = 0

        def step(*_: object, number: int = number) -> None:
            nonlocal calls
            calls += 1
            if calls > number:
                raise KeyboardInterrupt

        files = victim.view.session.folder.files
        with monkeypatch.context() as patch:
            for name in steps:
                real = getattr(files, name)

                def wrapped(*args: object, real=real, step=step, **more: object) -> object:
                    step()
                    return real(*args, **more)

                patch.setattr(files, name, wrapped)
            try:
                victim.gc(grace=0, progress=step)
            except KeyboardInterrupt:
                stopped += 1
            else:
                break
            finally:
                victim.close()
        with sp.Pool(folder) as after:
            report = after.verify()
            assert report.ok, (number, [str(p) for p in report.problems])
            assert answers(after) == said
            after.gc(grace=0)
            assert after.verify().ok
            after.save(product(99), name="new")
        shutil.rmtree(folder)
    assert stopped > 10
    assert number < 199


def test_copies_made_during_gc_are_whole(tmp_path: Path, tree: Path) -> None:
    """What a crash leaves when the system has written everything so far."""
    folder = tmp_path / "pool"
    pool = filled(folder, tree)
    pool.view.session.store._roll_bytes = 300_000
    for seed in range(3):
        waste(pool, seeds=range(100 + 3 * seed, 103 + 3 * seed), documents=3)
        pool.save(product(30 + seed), name=f"late/{seed}")
    said = answers(pool)
    copies = []

    def copy(_: object) -> None:
        copies.append(shutil.copytree(folder, tmp_path / f"copy{len(copies)}"))

    pool.gc(grace=0, progress=copy)
    assert len(copies) > 4
    for number in (0, len(copies) // 2, len(copies) - 2, len(copies) - 1):
        with sp.Pool(copies[number]) as after:
            assert after.verify().ok
            assert answers(after) == said
            assert exported(after, "obs", tmp_path / "out") == state_of(tree)


# -- races, forced


def test_writer_that_reuses_what_gc_condemns_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pool"
    pool = sp.Pool(folder)
    pool.save(product(1, 30), name="first")
    waste(pool, seeds=range(200, 210))
    pool.close()
    pool = sp.Pool(folder)
    other = sp.Pool(folder)
    file = tmp_path / "data.bin"
    file.write_bytes(noise(205, 100_000))
    real = Reclaim.replace
    done = []

    def late(self: Reclaim, *args: object) -> object:
        if not done:
            done.append(other.add(file, name="late"))
        return real(self, *args)

    monkeypatch.setattr(Reclaim, "replace", late)
    pool.gc(grace=0)
    assert done
    assert pool.verify().ok
    assert exported(pool, "late", tmp_path / "out") == {"late": state_of(tmp_path)["data.bin"]}


def test_writer_whose_chunk_gc_took_writes_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer finds the chunk, gc deletes it, then the writer commits."""
    folder = tmp_path / "pool"
    with sp.Pool(folder) as first:
        first.save(product(1, 30))
        waste(first, seeds=range(200, 210))
    writing, collecting = sp.Pool(folder), sp.Pool(folder)
    file = tmp_path / "data.bin"
    file.write_bytes(noise(205, 100_000))
    session = writing.view.session
    real = session.catalogue.publish
    tries = []

    def slow(draft, places, documents, reused, noted=None):
        tries.append(len(reused))
        if len(tries) == 1:
            assert collecting.gc(grace=0).reclaimed > 900_000
        return real(draft, places, documents, reused, noted)

    monkeypatch.setattr(session.catalogue, "publish", slow)
    session.store.candidates = lambda: ()
    writing.add(file, name="late")
    assert len(tries) == 2
    assert tries[0] == 1
    assert writing.verify().ok
    assert exported(writing, "late", tmp_path / "out") == {"late": state_of(tmp_path)["data.bin"]}


def test_reader_with_an_old_place_finds_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="a")
        waste(pool, seeds=range(100, 130))
    reader, collector = sp.Pool(folder, "r"), sp.Pool(folder)
    session = reader.view.session
    name = bytes.fromhex(reader["a"].document["datasets"][0][1]["data"]["chunks"][:64])
    (before,) = session.catalogue.places(name)
    assert collector.gc(grace=0).reclaimed > 0
    session.store._cache.clear()
    session.store._open.clear()
    assert session.store.read(Location(*before), name) == image(1).astype(">f4").tobytes()
    (after,) = session.catalogue.places(name)
    assert after.pack != before.pack
    assert np.array_equal(reader["a"].product["image"], image(1))


def test_reader_that_has_the_pack_open_reads_on(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1, 600), name="a")
        waste(pool, seeds=range(100, 130))
    reader, collector = sp.Pool(folder, "r"), sp.Pool(folder)
    lazy = reader["a"].product["image"]
    assert np.array_equal(lazy[:10, :10], image(1, 600)[:10, :10])
    assert collector.gc(grace=0).reclaimed > 0
    assert np.array_equal(lazy, image(1, 600))


def test_saving_while_collecting(tmp_path: Path) -> None:
    """Another process saves, and gives up commits, while this one collects."""
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="start")
    code = (
        "import sys, skypool as sp\n"
        "from pool.upkeep import product, waste\n"
        "for n in range(25):\n"
        "    with sp.Pool(sys.argv[1]) as pool:\n"
        "        waste(pool, seeds=range(1000 + n % 3, 1004 + n % 3), documents=2)\n"
        "        pool.save(product(n, 60), name=f'p/{n}')\n"
    )
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=root)
    rounds = 0
    with sp.Pool(folder) as pool:
        while process.poll() is None:
            pool.gc(grace=0)
            rounds += 1
            if rounds % 5 == 0:
                report = pool.verify(quick=True)
                assert report.ok, [str(p) for p in report.problems]
        assert process.returncode == 0
        assert rounds > 3
        pool.gc(grace=0)
        assert pool.verify().ok
        pool.view.session.store._cache.clear()
        for number in range(25):
            assert np.array_equal(pool[f"p/{number}"].product["image"], image(number, 60))
        assert pack_bytes(folder) < 2_000_000


def test_two_collections_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="a")
        pool.view.session.store._roll_bytes = 300_000
        for seed in range(5):
            waste(pool, seeds=range(100 + seed, 104 + seed))
            pool.save(product(30 + seed), name=f"late/{seed}")
    pools = [sp.Pool(folder) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        reports = list(threads.map(lambda pool: pool.gc(grace=0), pools))
    assert sum(report.reclaimed for report in reports) > 0
    pools[0].gc(grace=0)
    assert pools[0].verify().ok
    for seed in range(5):
        assert np.array_equal(pools[0][f"late/{seed}"].product["image"], image(30 + seed))


def test_gc_of_a_pool_as_of_a_commit_is_refused(pool: Pool) -> None:
    with pytest.raises(SkypoolError):
        pool.at(1).gc()


def test_packs_that_go_while_others_look_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # gc of another process removes a pack that was listed: `info` and `verify` met no file.
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(product(1), name="maps/one")
        true = pack_files.list_packs

        def with_one_that_is_gone(folder: str) -> list[os.DirEntry[str]]:
            gone = Path(folder, "0" * 32 + ".pack")
            gone.write_bytes(b"")
            entries = list(true(folder))
            gone.unlink()
            assert gone.name in {entry.name for entry in entries}
            return entries

        monkeypatch.setattr(pack_files, "list_packs", with_one_that_is_gone)
        assert pool.info().packs == 1
        assert pool.verify().problems == []
