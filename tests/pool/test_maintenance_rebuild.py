"""Rebuilding the catalogue: equal answers, other processes, crashes in between."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS

import skypool as sp
from skypool.catalogue.draft import Published
from skypool.errors import Damaged, Locked, ReadOnly
from skypool.pool.pool import Pool
from skypool.pool.session import Session

from .upkeep import (
    answers,
    exported,
    filled,
    image,
    logical,
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


def test_rebuilt_catalogue_is_equal(pool: Pool, tree: Path, tmp_path: Path) -> None:
    pool.add(tree / "notes.txt", name="in place", in_place=True)
    later = tree.parent / "later.txt"
    later.write_text("read later")
    os.utime(later, (1.5e9, 1.5e9))
    pool.add(later, name="later", in_place=True, headers_only=True)
    assert pool.complete().completed == 1
    with pool.clone(tmp_path / "clone") as clone:
        assert pool.drop("maps", from_=clone).versions
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    pool.save(sp.Product(datasets={"image": sp.Array(np.ones((9, 9)), wcs=wcs)}), name="on the sky")
    waste(pool, seeds=range(100, 103), documents=3)
    said = answers(pool)
    path = tmp_path / "pool/catalogue.sqlite"
    path.with_name("catalogue.sqlite.0123.tmp").write_bytes(b"of a rebuild that was killed")
    before = logical(path)
    assert {"names", "tags", "versions", "refs", "sources", "commits", "terms"} <= set(before)
    assert not [table for table in before if not before[table]]
    told = []
    pool.reindex(progress=told.append)
    assert logical(path) == before
    assert answers(pool) == said
    assert {p.stage for p in told} >= {"scanning"}
    assert pool.verify().ok
    assert not [p for p in os.listdir(tmp_path / "pool") if ".tmp" in p]
    assert exported(pool, "obs", tmp_path / "out") == state_of(tree)


@pytest.mark.parametrize("how", ["missing", "empty", "text", "header", "middle", "wal only"])
def test_lost_catalogue_is_rebuilt_when_opened_for_writing(
    pool: Pool, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = answers(pool)
    pool.close()
    path = tmp_path / "pool/catalogue.sqlite"
    before = logical(path)
    data = bytearray(path.read_bytes())
    if how in ("missing", "wal only"):
        path.unlink()
        if how == "wal only":
            path.with_name("catalogue.sqlite-wal").write_bytes(data[:20_000])
    else:
        if how == "empty":
            data = bytearray()
        elif how == "text":
            data = bytearray(b"this is no database\n" * 100)
        elif how == "header":
            data[:100] = bytes(100)
        else:
            data[4096:] = os.urandom(len(data) - 4096)
        path.write_bytes(data)
    with sp.Pool(tmp_path / "pool") as opened, caplog.at_level(logging.WARNING, "skypool"):
        assert answers(opened) == said
        assert opened.verify().ok
        opened.save(product(50), name="new")
    assert any("rebuilt" in record.message for record in caplog.records) or how == "empty"
    assert set(before["names"]) <= set(logical(path)["names"])
    with sp.Pool(tmp_path / "pool", "r") as opened:
        assert opened.verify().ok
        assert answers(opened)[-len(said) :] == said


def test_lost_catalogue_opened_for_reading_says_what_to_do(pool: Pool, tmp_path: Path) -> None:
    pool.close()
    path = tmp_path / "pool/catalogue.sqlite"
    path.write_bytes(b"this is no database\n" * 100)
    with pytest.raises(Damaged, match="skypool reindex"):
        sp.Pool(tmp_path / "pool", "r")
    path.unlink()
    with pytest.raises(ReadOnly, match="skypool reindex"):
        sp.Pool(tmp_path / "pool", "r")


def test_catalogue_of_another_version_is_rebuilt(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)
    pool.view.session.catalogue.database.connection().execute("PRAGMA user_version=99")
    with sp.Pool(tmp_path / "pool") as opened:
        assert answers(opened) == said


def test_others_go_on_with_the_rebuilt_catalogue(pool: Pool, tmp_path: Path) -> None:
    other, reader = sp.Pool(tmp_path / "pool"), sp.Pool(tmp_path / "pool", "r")
    lazy = reader["maps/a"].product["image"]
    epoch = pool.view.session.epoch
    pool.reindex()
    assert pool.view.session.epoch > epoch
    other.tag("maps/a", "after")
    saved = other.save(product(60), name="after")
    assert saved.tags == ()
    assert reader["maps/a"].tags == ("after",)
    assert np.array_equal(lazy, image(1))
    pool.save(product(61), name="more")
    assert len(other.history()) == len(pool.history()) == len(reader.history())
    assert pool.verify().ok


def test_commit_that_staged_before_a_rebuild_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large commit has staged documents; then the catalogue is made anew without them."""
    from skypool.pool import adding_files as adding

    folder, tree = tmp_path / "pool", write_tree(tmp_path / "tree")
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="a")
    monkeypatch.setattr(adding, "_STAGE_BYTES", 1000)
    writing, other = sp.Pool(folder), sp.Pool(folder)
    session = writing.view.session
    real = session.publish
    tries = []

    def slow(*args):
        tries.append(1)
        if len(tries) == 1:
            other.reindex()
        return real(*args)

    monkeypatch.setattr(session, "publish", slow)
    writing.add(tree, name="obs")
    assert len(tries) == 2
    assert writing.verify().ok
    assert exported(writing, "obs", tmp_path / "out") == state_of(tree)


def test_replaced_catalogue_is_noticed(pool: Pool, tmp_path: Path) -> None:
    """Somebody deletes the catalogue while it is open, and another process makes a new one."""
    path = tmp_path / "pool/catalogue.sqlite"
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink()
    with sp.Pool(tmp_path / "pool") as other:
        other.tag("maps/a", "by the new one")
        with pytest.raises(Locked, match="open the pool again"):
            pool.tag("maps/a", "by the old one")
        pool.close()
        other.tag("maps/a", "again")
        assert other.verify().ok
    with sp.Pool(tmp_path / "pool") as again:
        assert {"by the new one", "again"} <= set(again["maps/a"].tags)
        assert again.verify().ok


def test_rebuild_under_live_writers(tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    with sp.Pool(folder) as pool:
        pool.save(product(1), name="start")
    code = (
        "import sys, skypool as sp\n"
        "from pool.upkeep import product\n"
        "with sp.Pool(sys.argv[1]) as pool:\n"
        "    for n in range(40):\n"
        "        pool.save(product(n, 30), name=f'{sys.argv[2]}/{n}')\n"
    )
    root = Path(__file__).resolve().parents[1]
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), name], cwd=root)
        for name in ("p", "q")
    ]
    rounds = 0
    with sp.Pool(folder) as pool:
        while any(process.poll() is None for process in processes):
            pool.reindex()
            rounds += 1
        assert [process.returncode for process in processes] == [0, 0]
        assert rounds > 2
        assert len(pool) == 81
        assert [commit.number for commit in pool.history()] == list(range(81, 0, -1))
        assert pool.verify().ok


def test_a_commit_ends_though_the_catalogue_is_rebuilt_whenever_that_is_possible(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "busy"
    kept: list[str] = []
    with sp.Pool(folder) as pool, sp.Pool(folder) as other:
        pool.save(product(1), name="start")

        def disturb() -> None:
            # A rebuild of another process would wait for the lock; this one lets it be.
            try:
                with other.view.session.folder.lock(exclusive=True, wait=0):
                    pass
            except Locked:
                kept.append("held")
            else:
                other.reindex()
                kept.append("rebuilt")

        publish = Session.publish

        def publishing(session: Session, *args: Any) -> Published:
            disturb()
            return publish(session, *args)

        monkeypatch.setattr(Session, "publish", publishing)
        pool.save(product(2), name="saved")
        assert kept == ["rebuilt", "rebuilt", "held"]
        kept.clear()
        pool.add(tree)
        assert kept == ["rebuilt", "rebuilt", "held"]
        assert {ref.name for ref in pool} >= {"start", "saved", tree.name}
        assert pool.verify().ok


def test_interrupted_rebuild_leaves_the_old_catalogue(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.reindex(progress=stop)
    assert answers(pool) == said
    assert not list((tmp_path / "pool").glob("*.tmp*"))
    pool.tag("maps/a", "later")


def test_damaged_document_hurts_only_its_product(pool: Pool, tmp_path: Path) -> None:
    digest = pool["maps/c"].row.document
    row = pool["maps/c"].row
    place = pool.view.session.catalogue.places(digest)[0]
    pool.close()
    pack = tmp_path / "pool/packs" / f"{place.pack.hex()}.pack"
    data = bytearray(pack.read_bytes())
    data[place.offset + 70] ^= 255
    pack.write_bytes(data)
    (tmp_path / "pool/catalogue.sqlite").unlink()
    with sp.Pool(tmp_path / "pool") as opened:
        assert opened["maps/c"].row == row
        with pytest.raises(Damaged):
            _ = opened["maps/c"].meta
        assert opened["maps/a"].meta["seed"].value == 11
        assert any("maps/c@0" in problem.hurt for problem in opened.verify().problems)


def test_rebuild_refuses_a_log_that_lacks_commits(pool: Pool, tmp_path: Path) -> None:
    said = answers(pool)
    log = tmp_path / "pool/commits.log"
    data = bytearray(log.read_bytes())
    data[300] ^= 1
    log.write_bytes(data)
    with pytest.raises(Damaged, match="nothing was rebuilt"):
        pool.reindex()
    assert answers(pool) == said


def test_damaged_log_is_kept_where_the_catalogue_is_lost_too(
    pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool.close()
    log = tmp_path / "pool/commits.log"
    data = bytearray(log.read_bytes())
    ends = [data.find(b"\x8bSKC", 1)]
    data[ends[0] + 30] ^= 1
    log.write_bytes(data)
    (tmp_path / "pool/catalogue.sqlite").unlink()
    with sp.Pool(tmp_path / "pool") as opened:
        assert len(opened.history()) == 1
        opened.tag(opened.ls()[0], "x")
    assert "damaged" in caplog.text
    (kept,) = (tmp_path / "pool").glob("commits.log.damaged-*")
    assert kept.read_bytes() == data[ends[0] :]


@pytest.mark.parametrize("how", ["cut", "missing"])
def test_log_that_lost_records_is_not_written_to(
    pool: Pool, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = answers(pool)
    log = tmp_path / "pool/commits.log"
    whole = log.read_bytes()
    if how == "cut":
        log.write_bytes(whole[:200])
    else:
        log.unlink()
    with pytest.raises(Damaged, match="put it back"):
        pool.tag("maps/a", "x")
    pool.close()
    with sp.Pool(tmp_path / "pool") as opened:
        assert "to commit" in caplog.text
        assert answers(opened) == said
        assert "log" in {p.kind for p in opened.verify().problems}
        with pytest.raises(Damaged, match="put it back"):
            opened.tag("maps/a", "x")
        assert not log.exists() or log.stat().st_size == 200
        log.write_bytes(whole)
        opened.tag("maps/a", "y")
        assert "y" in opened["maps/a"].tags
        assert opened.verify().ok


def test_records_not_durable_yet_are_made_so(pool: Pool, tmp_path: Path) -> None:
    """What another writer has appended gets places too: it must be on disk by then."""
    other = sp.Pool(tmp_path / "pool")
    other.view.session.store.candidates = lambda: ()
    writer = unknowing(other.view.session)
    writer.put(bytes(range(256)) * 400)
    writer.flush()
    synced = []
    files = pool.view.session.folder.files
    real = files.sync
    files.sync = lambda handle: (synced.append(handle.path), real(handle))
    pool.reindex()
    assert set(synced) >= {str(path) for path in packs_of(tmp_path / "pool")}
    writer.abandon()


# -- catalogue and log, one ahead of the other


def test_log_that_lacks_the_last_commits_is_completed(pool: Pool, tmp_path: Path) -> None:
    log = tmp_path / "pool/commits.log"
    before = log.read_bytes()
    pool.tag("maps/a", "late")
    after = log.read_bytes()
    said = answers(pool)
    pool.close()
    log.write_bytes(before)
    with sp.Pool(tmp_path / "pool", "r") as reading:
        assert answers(reading) == said
    assert log.read_bytes() == before
    with sp.Pool(tmp_path / "pool") as opened:
        assert answers(opened) == said
        assert log.read_bytes() == after


def test_older_catalogue_is_completed_from_the_log(
    pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pool/catalogue.sqlite"
    pool.close()
    older = path.read_bytes()
    with sp.Pool(tmp_path / "pool") as later:
        later.save(product(70), name="late", tags=["t"])
        later.rename("maps/c", "maps/d")
        later.add(tmp_path / "tree", name="again")
        said = answers(later)
    newer = logical(path)
    with open(path, "r+b") as file:  # the same file, as a backup program puts it back
        file.truncate(0)
        file.write(older)
    with sp.Pool(tmp_path / "pool", "r") as reading:
        assert "late" not in reading
    assert "lacks the commits" in caplog.text
    with sp.Pool(tmp_path / "pool") as opened:
        assert answers(opened) == said
        assert opened.verify().ok
    assert logical(path) == newer
    with sp.Pool(tmp_path / "pool") as opened:
        opened.save(product(71), name="later still")
        assert opened.verify().ok


def test_pool_that_crashed_while_made_opens(tmp_path: Path) -> None:
    from skypool.pool.folder import PoolFolder
    from skypool.storage.filelayer import LocalFiles

    PoolFolder.create(str(tmp_path / "pool"), LocalFiles(), exclusive=False)
    with sp.Pool(tmp_path / "pool") as pool:
        assert pool.history() == []
        assert pool.verify().ok
        pool.save(product(1), name="a")
    assert len(packs_of(tmp_path / "pool")) == 1
