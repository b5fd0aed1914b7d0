"""Real limits: a full disk, limits on sizes and open files, folders that cannot be written to."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skypool as sp
from skypool.errors import DiskFull, Locked, ReadOnly, SkypoolError, StorageError
from skypool.pool.pool import Pool

from .operations import product, state


def check_whole(pool: Pool) -> None:
    """Look that a pool is whole, and that every image can be read."""
    report = pool.verify()
    assert report.ok, [str(problem) for problem in report.problems]
    for ref in pool.ls("maps"):
        assert ref.product["image"][:].size


def check_clear(error: SkypoolError, place: Path) -> None:
    assert str(place) in error.message
    assert "\n" not in error.message
    assert error.hint


def check_goes_on(pool: Pool, path: Path) -> None:
    """Look that the pool object that saw the failure, and a new one, are as good as ever."""
    check_whole(pool)
    assert pool.save(product(90), name="next/same").version == 0
    with sp.Pool(path) as fresh:
        assert fresh.save(product(91), name="next/fresh").version == 0
        check_whole(fresh)


def large(seed: int) -> sp.Product:
    image = np.random.default_rng(seed).normal(size=(300, 300))
    return sp.Product(type="MAP", datasets={"image": image})


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=6m", "none", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small file system can be mounted: {done.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(pool: Pool, place: Path) -> int:
    """Save until there is no room; return how many saves were acknowledged."""
    count = 0
    while True:
        try:
            pool.save(large(count), name=f"maps/{count}")
        except DiskFull as error:
            check_clear(error, place)
            return count
        count += 1


def use_up(path: Path) -> None:
    """Take what is left of a disk."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_full_disk(small_disk: Path) -> None:
    path = small_disk / "pool"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    with sp.Pool(path) as pool:
        pool.save(product(1), name="maps/first")
        with sp.Pool(path, "r") as reader:
            count = fill(pool, path)
            assert count
            assert len(reader.ls("maps")) == count + 1
            use_up(small_disk / "rest")
            for seed in range(3):
                with pytest.raises(DiskFull):
                    pool.save(large(seed + 50), name=f"maps/{seed}")
                with pytest.raises(DiskFull):
                    pool.tag("maps/first", f"tag {seed}" * 2000)
            check_whole(reader)
            check_whole(pool)
            with sp.Pool(path, "r") as other:
                check_whole(other)
                assert state(other) == state(reader) == state(pool)
            ballast.unlink()
            assert pool.save(large(60), name="maps/again").version == 0
            check_whole(reader)
        check_goes_on(pool, path)


@pytest.mark.parametrize("sealed", [False, True])
def test_space_is_given_back_on_a_disk_that_is_full_to_the_last_byte(
    small_disk: Path, sealed: bool
) -> None:
    """Even where a pack must be rewritten, and nobody has the pool open."""
    path = small_disk / "pool"
    with sp.Pool(path, "x") as pool:
        pool.view.session.store._roll_bytes = 2_000_000 if sealed else 1 << 30
        for seed in range(5):
            pool.save(large(seed), name="maps/a")
        pool.tag("maps/a@1", "kept")
    use_up(small_disk / "rest")
    assert os.statvfs(small_disk).f_bavail == 0
    with sp.Pool(path) as pool:
        assert pool["maps/a"].version == 4
        with pytest.raises(DiskFull, match="no room left"):
            pool.save(large(9), name="maps/b")
    with sp.Pool(path) as pool:
        assert pool.purge("maps/a").versions == 3
    with sp.Pool(path) as pool:
        assert pool.gc(grace=0).reclaimed > 1_500_000
        check_whole(pool)
        assert pool["kept"].product["image"][:].shape == (300, 300)
        pool.save(large(9), name="maps/b")
        check_goes_on(pool, path)


def test_gc_goes_on_where_its_copies_find_no_room(small_disk: Path) -> None:
    """It stops with what it has given back, and nothing is lost by that."""
    path = small_disk / "pool"
    with sp.Pool(path) as pool:
        for seed in range(5):
            pool.save(large(seed), name="maps/a")
        pool.purge("maps/a")
        folder = pool.view.session.folder
        (small_disk / "pool" / "reserve").unlink()
        use_up(small_disk / "rest")
        real, left = folder.files.write, [3]

        def write(handle: Any, offset: int, buffers: Any) -> None:
            if handle.path.endswith(".pack"):
                left[0] -= 1
                if left[0] == 0:
                    raise DiskFull(f"cannot write to {handle.path}", hint="-")
            real(handle, offset, buffers)

        os.truncate(small_disk / "rest", (small_disk / "rest").stat().st_size - (2 << 20))
        folder.files.write = write  # type: ignore[method-assign]
        with contextlib.suppress(DiskFull):
            pool.gc(grace=0)
        check_whole(pool)
        left[0] = 10**9
        pool.gc(grace=0)
        check_whole(pool)
        assert pool["maps/a"].product["image"][:].size


# -- limits of the process


@contextlib.contextmanager
def limited(what: int, limit: int) -> Iterator[None]:
    """Lower a limit of this process for a while."""
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def test_limit_on_the_size_of_files(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(product(1), name="maps/first")
        before = state(pool)
        # Python ignores the signal of this limit (SIGXFSZ): writing fails instead.
        with limited(resource.RLIMIT_FSIZE, 200_000):
            with pytest.raises(DiskFull) as caught:
                pool.save(large(1), name="maps/large")
            check_clear(caught.value, path)
            check_whole(pool)
        assert state(pool) == before
        # Now the catalogue cannot grow. SQLite does not tell this from a bad disk.
        size = max(file.stat().st_size for file in path.rglob("catalogue*"))
        with limited(resource.RLIMIT_FSIZE, size), pytest.raises(StorageError) as failed:
            for number in range(1000):
                pool.tag("maps/first", f"tag {number} {'x' * 500}")
        check_clear(failed.value, path)
        assert "size" in failed.value.hint or isinstance(failed.value, DiskFull)
        check_goes_on(pool, path)


def test_no_file_descriptors_left(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(product(1), name="maps/first")
        before = state(pool)
        image = pool["maps/first"].product["image"][:]
        here = max(int(name) for name in os.listdir("/proc/self/fd"))
        taken = []
        with limited(resource.RLIMIT_NOFILE, here + 10):
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            try:
                with pytest.raises(StorageError, match="open") as caught:
                    pool.save(product(2), name="maps/second")
                check_clear(caught.value, path)
                assert "ulimit" in caught.value.hint
                # What is open can be read on.
                assert np.array_equal(pool["maps/first"].product["image"][:], image)
                with pytest.raises(StorageError):
                    sp.Pool(path)
            finally:
                for fd in taken:
                    os.close(fd)
        assert state(pool) == before
        check_goes_on(pool, path)


def test_no_threads_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            image = np.random.default_rng(1).normal(size=(600, 600))
            pool.save(sp.Product(type="MAP", datasets={"image": image}), name="maps/large")
        assert np.array_equal(pool["maps/large"].product["image"][:], image)
    with sp.Pool(path) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            assert np.array_equal(pool["maps/large"].product["image"][:], image)
        check_goes_on(pool, path)


# -- SQLite


def connection(pool: Pool) -> Any:
    return pool.view.session.catalogue.database.connection()


def test_catalogue_may_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(product(1), name="maps/first")
        (pages,) = connection(pool).execute("PRAGMA page_count").fetchone()
        (most,) = connection(pool).execute("PRAGMA max_page_count").fetchone()
        connection(pool).execute(f"PRAGMA max_page_count={pages + 4}")
        count = 0
        with pytest.raises(DiskFull) as caught:
            for number in range(500):
                pool.tag("maps/first", *(f"{number} {more} {'x' * 100}" for more in range(5)))
                count += 5
        check_clear(caught.value, path)
        assert len(pool["maps/first"].tags) == count > 0
        connection(pool).execute(f"PRAGMA max_page_count={most}")
        check_goes_on(pool, path)


def test_catalogue_may_not_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(product(1), name="maps/first")
        connection(pool).execute("PRAGMA query_only=1")
        for change in (
            lambda: pool.save(product(2), name="maps/second"),
            lambda: pool.tag("maps/first", "a tag"),
            lambda: pool.gc(grace=0),
        ):
            with contextlib.suppress(ReadOnly):  # gc has connections of its own
                change()
        with pytest.raises(ReadOnly) as caught:
            pool.tag("maps/first", "a tag")
        check_clear(caught.value, path)
        assert not pool["maps/first"].tags
        connection(pool).execute("PRAGMA query_only=0")
        check_goes_on(pool, path)


def test_catalogue_is_held_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skypool.catalogue.database.WAIT_SECONDS", 0.05)
    path = tmp_path / "pool"
    with sp.Pool(path) as pool, sp.Pool(path) as other:
        pool.save(product(1), name="maps/first")
        held = connection(other)
        held.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked) as caught:
            pool.save(product(2), name="maps/second")
        check_clear(caught.value, path)
        assert pool["maps/first"].product["image"][:].size
        held.execute("ROLLBACK")
        check_goes_on(pool, path)


# -- folders that cannot be written to


@contextlib.contextmanager
def as_nobody(*, really: bool = True) -> Iterator[None]:
    """Have no right to write: root becomes another user for a while.

    With *really* false only for what is done, so that `os.access` still promises it.
    """
    if os.geteuid() != 0:
        if not really:
            pytest.skip("only root may take another user's rights")
        yield
        return
    os.setresuid(65534 if really else 0, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody can reach, with a pool in it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        with as_nobody():
            if not os.access(folder, os.R_OK | os.X_OK):
                pytest.skip("temporary folders cannot be reached by other users")
        with sp.Pool(folder / "pool") as pool:
            pool.save(product(1), name="maps/first", tags=["a tag"])
            pool.save(product(2), name="maps/second")
            # What is imported when it is used must be there: others cannot read it.
            check_whole(pool)
            pool.gc(grace=0)
            pool.reindex()
            list(pool.find("seed == 1"))
        yield folder
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)


def close(*paths: Path) -> None:
    """Take away the right to write."""
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)


CHANGES = {
    "save": lambda pool: pool.save(product(3), name="maps/third"),
    "tag": lambda pool: pool.tag("maps/first", "another"),
    "gc": lambda pool: pool.gc(grace=0),
    "reindex": lambda pool: pool.reindex(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_read_only_folder(readable: Path, change: str) -> None:
    path = readable / "pool"
    close(path, *path.rglob("*"))
    with as_nobody():
        for mode in ("a", "r"):
            with sp.Pool(path, mode) as pool:
                check_whole(pool)
                assert len(pool.find("seed == 1")) == 1
                with pytest.raises(ReadOnly) as caught:
                    CHANGES[change](pool)
                assert mode == "r" or str(path) in caught.value.message
                assert caught.value.hint
        with pytest.raises(ReadOnly) as caught:
            sp.Pool(path / "packs/new").save(product(1))
        check_clear(caught.value, path)


@pytest.mark.parametrize("part", ["", "packs", "commits.log", "catalogue.sqlite", "lock"])
@pytest.mark.parametrize("change", ["save", "tag"])
def test_part_that_cannot_be_written_to(readable: Path, part: str, change: str) -> None:
    """Whatever it is, the change is refused clearly or truly made, and the pool is whole."""
    path = readable / "pool"
    for found in [path, *path.rglob("*")]:
        os.chown(found, 65534, -1) if os.geteuid() == 0 else None
    with sp.Pool(path, "r") as pool:
        before = state(pool)
    close(path / part)
    with as_nobody():
        refused = None
        try:
            with sp.Pool(path) as pool:
                CHANGES[change](pool)
        except ReadOnly as error:
            refused = error
            check_clear(error, path)
        with sp.Pool(path, "r") as pool:
            check_whole(pool)
            # The log comes last: the commit is there, and not acknowledged.
            if refused is not None and part != "commits.log":
                assert state(pool) == before
            if refused is None:
                assert state(pool) != before
    assert refused is not None or part in ("lock", "packs")
    # SQLite gives its other files the rights of the catalogue.
    for found in [path, *path.rglob("*")]:
        found.chmod(0o755)
    with as_nobody(), sp.Pool(path) as pool:
        check_goes_on(pool, path)


def test_writing_is_promised_and_refused(readable: Path) -> None:
    """As on file servers that do not trust root."""
    path = readable / "pool"
    close(path, *path.rglob("*"))
    with as_nobody(really=False), pytest.raises(ReadOnly) as caught, sp.Pool(path) as pool:
        pool.save(product(3), name="maps/third")
    check_clear(caught.value, path)


# -- signals


def test_calls_that_signals_interrupt_go_on(tmp_path: Path) -> None:
    """Python makes them again (PEP 475), and so does SQLite."""
    caught = []
    before = signal.signal(signal.SIGALRM, lambda *_: caught.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        with sp.Pool(tmp_path / "pool") as pool:
            for number in range(5):
                pool.save(large(number), name=f"maps/{number}")
            check_whole(pool)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught


class Stop(Exception):
    """What the handler of a signal raises."""


# What is raised inside a callback of the garbage collector is only told.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_handler_that_raises_leaves_the_pool_whole(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise Stop

    path = tmp_path / "pool"
    before = signal.signal(signal.SIGALRM, stop)
    stopped = 0
    try:
        with sp.Pool(path) as pool:
            pool.save(product(1), name="maps/first")
            for number in range(12):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0007 * (number + 1))
                    for more in range(50):
                        pool.save(product(100 * number + more), name=f"maps/{number}/{more}")
                except (Stop, KeyboardInterrupt):  # the latter where it came inside SQLite
                    stopped += 1
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                check_whole(pool)
            check_goes_on(pool, path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stopped
