"""What the campaign of faults has found, each as small as it can be."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool.errors import DiskFull, NotFound, ReadOnly, StorageError
from skypool.storage.filelayer import LocalFiles
from skypool.storage.looking import is_file, list_folder, status_of
from skypool.storage.system import SystemCalls
from skypool.storage.whole_files import publish
from skypool.testing.faults import Faults, FaultyCalls

from .operations import product, write_tree


def failing(code: int) -> Any:
    def call(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(product(1), name="maps/a")
    return tmp_path / "pool"


@pytest.fixture
def faults(path: Path) -> Faults:
    return Faults(path)


@pytest.fixture
def files(faults: Faults) -> LocalFiles:
    return LocalFiles(FaultyCalls(faults))


def test_padding_that_is_not_there_is_no_damage(path: Path) -> None:
    """A failed write, or a crash, may leave the last record without its padding."""
    for size in range(2000, 2020):
        with sp.Pool(path) as pool:
            pool.add(_file(path.parent / "file", os.urandom(size)), name=f"file {size}")
        (pack,) = path.glob("packs/*.pack")
        data = pack.read_bytes()
        cut = len(data) - len(data.rstrip(b"\0"))
        if 0 < cut < 8:
            break
    pack.write_bytes(data[:-cut])
    with sp.Pool(path) as pool:
        assert pool.verify().ok
        pool.reindex()
        assert pool.verify().ok
        pool.save(product(2), name="maps/b")
        assert pool.verify().ok


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_file_that_cannot_be_looked_at_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a catalogue behind a bad disk was taken for a lost one, and rebuilt."""
    there = str(_file(tmp_path / "there", b"x"))
    assert status_of(there) is not None
    assert is_file(there)
    for nothing in ("not here", "there/below", "x" * 300, "nul\0l"):
        assert status_of(str(tmp_path / nothing)) is None
        assert not is_file(str(tmp_path / nothing))
    for code, kind in ((errno.EIO, StorageError), (errno.EACCES, ReadOnly)):
        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", failing(code))
            patch.setattr(os, "scandir", failing(code))
            with pytest.raises(kind, match="there"):
                status_of(there)
            with pytest.raises(kind, match=tmp_path.name):
                list_folder(str(tmp_path))


@pytest.mark.parametrize("name", ["catalogue.sqlite", "skypool.json", "commits.log"])
def test_pool_that_cannot_be_looked_at_is_no_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    real = os.stat

    def stat(place: Any, *args: Any, **options: Any) -> os.stat_result:
        if str(place).endswith(name):
            raise OSError(errno.EIO, os.strerror(errno.EIO), place)
        return real(place, *args, **options)

    before = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    for mode in ("a", "r"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", stat)
            with pytest.raises(StorageError, match=name) as caught, sp.Pool(path, mode) as pool:
                pool.save(product(3))
            assert type(caught.value) is StorageError
    after = {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}
    assert {p: t for p, t in after.items() if p.name == "catalogue.sqlite"} == {
        p: t for p, t in before.items() if p.name == "catalogue.sqlite"
    }
    with sp.Pool(path) as pool:
        assert pool.verify().ok


def test_failure_of_the_pool_is_not_blamed_on_a_file(
    path: Path, files: LocalFiles, faults: Faults
) -> None:
    """A pack that could not be opened made `add` skip the user's file, and go on without it."""
    write_tree(path.parent / "obs")
    with sp.Pool(path, files=files) as pool:
        for error, call in (("EMFILE", "open"), ("EIO", "pread"), ("EIO", "fstat")):
            for nth in range(1, 20):
                with faults.armed(error, nth, call=call):
                    try:
                        report = pool.add_report([path.parent / "obs"], force_read=True)
                    except StorageError as problem:
                        assert str(path) in problem.message
                    else:
                        assert not report.skipped
                    fired = faults.fired
                if not fired:
                    break
        assert pool.verify().ok


def test_file_of_the_user_that_cannot_be_read_is_skipped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(path.parent / "obs")
    bad = path.parent / "obs/notes.txt"
    inode = bad.stat().st_ino
    real = SystemCalls.pread

    def pread(fd: int, length: int, offset: int) -> bytes:
        if os.fstat(fd).st_ino == inode:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, length, offset)

    monkeypatch.setattr(SystemCalls, "pread", staticmethod(pread))
    with sp.Pool(path) as pool:
        report = pool.add_report([path.parent / "obs"])
        ((where, why),) = report.skipped
        assert where == str(bad)
        assert "Input/output error" in why
        assert "obs/level2/map.fits" in pool
        assert "obs/notes.txt" not in pool
        with pytest.raises(StorageError, match=r"notes\.txt"):
            pool.add(bad)
        with pytest.raises(NotFound):
            pool.add(path.parent / "not here")


def test_log_that_can_only_be_read_says_so(path: Path, faults: Faults, files: LocalFiles) -> None:
    """It was opened for reading, to be locked, and then written to."""
    with sp.Pool(path, files=files) as pool:
        for nth in range(1, 5):
            with faults.armed("EACCES", nth, call="open"):
                try:
                    pool.tag("maps/a", f"tag {nth}")
                except ReadOnly as error:
                    # The second one is for the lock alone, which can be had by reading.
                    assert "open for writing" in error.message
                    assert "commits.log" in error.message
                    assert "catalogue" in error.hint
        assert pool.verify().ok


def test_full_pack_left_behind_is_let_go_where_sealing_fails(
    path: Path, faults: Faults, files: LocalFiles
) -> None:
    """It stayed locked and open as long as the process lived."""
    (pack,) = path.glob("packs/*.pack")
    with sp.Pool(path, files=files) as pool:
        pool.view.session.store._roll_bytes = 1000
        with faults.armed("EIO", 1, call="fdatasync"), pytest.raises(StorageError):
            pool.save(product(5), name="maps/c")
        with pack.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pool.save(product(5), name="maps/c")
        assert pool.verify().ok


def test_pool_that_nobody_closed_lets_its_pack_go(path: Path) -> None:
    pool = sp.Pool(path)
    pool.save(product(6), name="maps/d")
    (pack,) = path.glob("packs/*.pack")
    with pack.open("r+b") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    connections = pool.view.session.catalogue.database
    del pool
    gc.collect()
    with pack.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    connections.close()


def test_pack_whose_write_failed_can_be_collected(
    path: Path, faults: Faults, files: LocalFiles
) -> None:
    """It was kept locked, so that `gc` could not give back what was in it on a full disk."""
    with sp.Pool(path, files=files) as pool:
        with faults.armed("ENOSPC", 1, call="pwritev"), pytest.raises(DiskFull):
            pool.save(product(7), name="maps/e")
        assert pool.gc(grace=0, dry_run=True).busy == 0
        report = pool.gc(grace=0)
        assert report.busy == 0
        assert pool.verify().ok


def test_no_byte_of_a_failed_sync_is_counted_on(path: Path, faults: Faults, tmp_path: Path) -> None:
    """What was written is in memory and reads well; on disk it never arrives."""
    calls = FaultyCalls(faults)
    files = LocalFiles(calls)
    for seed, target in enumerate(("taken over", "new"), 8):
        with sp.Pool(path, files=files) as pool:
            if target == "new":
                pool.view.session.store.candidates = lambda: ()
            before = set(path.glob("packs/*.pack"))
            with faults.armed("EIO", 1, call="fdatasync"), pytest.raises(StorageError):
                pool.save(product(seed), name=f"maps/{target}")
            hurt = set(path.glob("packs/*.pack")) - (before if target == "new" else set())
            # Others who look at the packs meanwhile must not find it either.
            with sp.Pool(path, files=files) as other:
                other.reindex()
                other.save(product(seed), name=f"maps/other {target}")
            pool.save(product(seed), name=f"maps/{target}")
        assert hurt
        calls.lose(str(path))
        with sp.Pool(path) as pool:
            report = pool.verify()
            assert report.ok, [str(problem) for problem in report.problems]
            assert pool[f"maps/{target}"].product["image"][:].size


def test_commit_that_the_log_did_not_take_is_told_of(
    path: Path, faults: Faults, files: LocalFiles
) -> None:
    with sp.Pool(path, files=files) as pool:
        with faults.armed("EIO", 1, call="fdatasync"), pytest.raises(StorageError) as caught:
            pool.tag("maps/a", "a tag")
        assert "commits.log" in caught.value.message
        assert "commit 2 is in the catalogue" in caught.value.hint
    with sp.Pool(path) as pool:
        assert pool["a tag"].name == "maps/a"
        assert pool.verify().ok


@pytest.mark.parametrize("other", [False, True])
def test_record_of_the_log_whose_sync_failed_is_written_again(
    path: Path, faults: Faults, other: bool
) -> None:
    """It could not be cut off either: later syncs say nothing of it, and it is lost in a crash."""
    calls = FaultyCalls(faults)
    files = LocalFiles(calls)
    with sp.Pool(path, files=files) as pool, sp.Pool(path, files=files) as more:
        with faults.armed("EIO", 1, call="fdatasync"):
            calls.ftruncate = failing(errno.EIO)  # type: ignore[method-assign]
            with pytest.raises(StorageError):
                pool.tag("maps/a", "first")
        calls.ftruncate = os.ftruncate  # type: ignore[method-assign]
        (more if other else pool).tag("maps/a", "second")
    assert calls.lose(str(path)) == 0
    (path / "catalogue.sqlite").unlink()
    with sp.Pool(path) as pool:
        assert pool["maps/a"].tags == ("first", "second")
        assert pool.verify().ok


def test_failure_cuts_off_no_record_of_others(
    path: Path, faults: Faults, files: LocalFiles
) -> None:
    with sp.Pool(path, files=files) as pool, sp.Pool(path) as more:
        for number in range(5):
            more.tag("maps/a", f"tag {number}")
        size = (path / "commits.log").stat().st_size
        with faults.armed("EIO", 1, call="fdatasync"), pytest.raises(StorageError):
            pool.tag("maps/a", "failed")
        assert (path / "commits.log").stat().st_size == size
        pool.tag("maps/a", "last")
    (path / "catalogue.sqlite").unlink()
    with sp.Pool(path) as pool:
        assert len(pool["maps/a"].tags) == 7
        assert pool.verify().ok


def test_marker_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    system = SystemCalls()
    system.link = failing(errno.EIO)  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        publish(LocalFiles(system), str(tmp_path / "file"), b"data")
    assert os.listdir(tmp_path) == []
