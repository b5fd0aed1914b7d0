"""Files that other processes read: the pool is the same, and none of them outlives its user."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from tests.pool.upkeep import packs, reading_processes

import skypool as sp
from skypool.config import Settings, from_environment
from skypool.pool import reading_ahead, reading_files, reading_process, seen_before
from skypool.pool.reading_files import How
from skypool.pool.reading_socket import Channel

FILES = 36
LONG = pytest.mark.campaign


def settings(processes: int) -> Settings:
    from dataclasses import replace

    return replace(from_environment(), processes=processes)


@pytest.fixture(autouse=True)
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes read from few files on, and few at a time."""
    monkeypatch.setattr(reading_ahead, "_FEWEST", 8)
    monkeypatch.setattr(reading_ahead, "_FILES_OF_EACH", FILES)  # one process
    monkeypatch.setattr(reading_ahead, "_JOB_FILES", 3)
    monkeypatch.setattr(seen_before, "_CLOCK_GRAIN_NS", -(10**18))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of all sorts: images, tables, packed, damaged, plain bytes, and some twice."""
    top = tmp_path / "tree"
    for number in range(FILES):
        path = top / f"{number % 3}" / f"map{number:03d}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = fits.Header({"OBJECT": f"field {number}", "EXPTIME": number / 7})
        header["CTYPE1"], header["CTYPE2"], header["CRVAL1"] = "RA---TAN", "DEC--TAN", number
        header["CDELT1"], header["CDELT2"] = -0.01, 0.01
        pixels = np.random.default_rng(number).normal(size=(30, 20 + number)).astype("f4")
        pixels[number % 30] = np.nan if number % 5 == 0 else 1
        fits.PrimaryHDU(pixels, header).writeto(path)
    some = (top / "0" / "map000.fits").read_bytes()
    odd = top / "odd"
    odd.mkdir()
    (odd / "again.fits").write_bytes(some)
    (odd / "cut.fits").write_bytes(some[:-3000])
    (odd / "noise.fits").write_bytes(np.random.default_rng(1).bytes(9000))
    (odd / "empty.fits").touch()
    (odd / "text.txt").write_text("text")
    (odd / "packed.fits.gz").write_bytes(gzip.compress(some, mtime=1))
    (odd / "much.dat.gz").write_bytes(gzip.compress(bytes(9 << 20), mtime=1))
    (odd / "cut.fits.gz").write_bytes(gzip.compress(some, mtime=1)[:-100])
    (odd / "large.dat").write_bytes(np.random.default_rng(2).bytes(2 << 20))
    table = Table({"ra": [1.0, 2.0], "name": ["a", "b"]})
    table.write(odd / "table.ecsv")
    table.write(odd / "table.vot", format="votable")
    table.write(odd / "table.fits")
    for path in top.rglob("*"):
        os.utime(path, (10**9, 10**9))
    return top


TABLES = ("documents", "chunks", "coverages", "boxes", "points", "attributes", "postings", "seen")


def content(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what a pool's catalogue has, but for times and names of packs."""
    with contextlib.closing(sqlite3.connect(folder / "catalogue.sqlite")) as connection:
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        versions = "SELECT urn, name, document, total FROM versions JOIN names USING (track)"
        found["versions"] = connection.execute(versions).fetchall()
    assert all(map(len, found.values()))
    return found


def add(path: Path, what: object, processes: int, **options: object) -> tuple[object, ...]:
    with sp.Pool(path, settings=settings(processes)) as pool:
        report = pool.add_report(what, **options)
        assert pool.verify().ok
        return (
            content(path),
            report.skipped,
            report.opaque,
            report.files_read,
            report.bytes_in,
            report.bytes_added,
        )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="stored"),
        pytest.param({"in_place": True}, id="in-place", marks=LONG),
        pytest.param({"in_place": True, "headers_only": True}, id="headers-only"),
        pytest.param({"gzip": "content"}, id="content", marks=LONG),
    ],
)
def test_the_pool_is_the_same(tmp_path, tree, counted, options, monkeypatch):
    if not options:  # two processes
        monkeypatch.setattr(reading_ahead, "_FILES_OF_EACH", 4)
    alone = add(tmp_path / "alone", tree, 1, **options)
    assert counted == []
    assert add(tmp_path / "together", tree, 2, **options) == alone
    assert len(counted) >= FILES // 3
    assert packs(tmp_path / "together") == packs(tmp_path / "alone")


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the files that threads read."""
    found: list[str] = []
    original = reading_ahead.records

    def read(begin: object, files: list[tuple[str, ...]]) -> object:
        found.extend(os.path.basename(file[0]) for file in files)
        return original(begin, files)

    monkeypatch.setattr(reading_ahead, "records", read)
    return found


@pytest.mark.parametrize("options", [{}, pytest.param({"in_place": True}, marks=LONG)])
def test_larger_files_are_read_by_threads(tmp_path, tree, threaded, monkeypatch, options):
    odd = tree / "odd"
    for number in range(4):
        name = odd / f"more{number}.fits"
        fits.PrimaryHDU(np.full((500 + number, 600), number, "f8")).writeto(name)
        os.utime(name, (10**9, 10**9))
    blank = np.random.default_rng(4).bytes(1 << 20) + bytes(9 << 20)  # more than is kept
    (odd / "large.gz").write_bytes(gzip.compress(blank, 1, mtime=1))
    os.utime(odd / "large.gz", (10**9, 10**9))
    monkeypatch.setattr(reading_files, "_MOST_AHEAD", 5 << 20)
    alone = add(tmp_path / "alone", odd, 1, **options)
    assert threaded == []
    assert add(tmp_path / "together", odd, 2, **options) == alone
    assert packs(tmp_path / "together") == packs(tmp_path / "alone")
    assert {"large.dat", "more3.fits"} <= set(threaded) and "noise.fits" not in threaded
    with sp.Pool(tmp_path / "pool", settings=settings(2)) as pool:
        pool.add(odd / "more1.fits")  # half of what comes is there
        pool.add(odd, **options)
        made = Path(pool["odd/more1.fits"].path).read_bytes()
        assert made == (odd / "more1.fits").read_bytes()
        assert pool.verify().ok


@pytest.mark.parametrize(
    ("how", "under_way"),
    [(How(), [3, 4, 4, 4, 3, 2, 1, 0]), (How(in_place=True), [4, 4, 4, 4, 3, 2, 1, 0])],
    ids=["kept", "in-place"],
)
def test_what_threads_keep_is_bounded(monkeypatch, how, under_way):
    from skypool.pool.reading_lanes import Job, Lane

    monkeypatch.setattr(reading_files, "_MOST_AHEAD", 35)
    lane, found = Lane(lambda job: job.bytes, 2, 4, how.most_ahead), []
    jobs = [Job() for _ in range(8)]
    for number, job in enumerate(jobs):
        job.bytes = 15 if number < 3 else 5
        lane.add(job)
    lane.start()
    for job in jobs:
        assert lane.answer(job) == job.bytes
        found.append(lane._running)
    lane.close()
    assert found == under_way


def test_where_no_thread_can_be_started(tmp_path, tree, monkeypatch):
    from skypool.pool.reading_lanes import Job, Lane

    class Refusing:
        def submit(self, *_: object) -> None:
            raise RuntimeError("can't start new thread")

    lane = Lane(lambda job: [], 2, 2)
    lane._executor = Refusing()
    job = Job()
    lane.add(job)
    assert lane.answer(job) is None and lane.waiting == 0


@LONG
def test_a_tar_and_several_folders(tmp_path, tree, counted):
    with tarfile.open(tmp_path / "tree.tar", "w") as archive:
        archive.add(tree, "inside")
    what = [str(tmp_path / "tree.tar"), str(tree / "0"), str(tree / "odd" / "text.txt")]
    alone = add(tmp_path / "alone", what, 1)
    assert add(tmp_path / "together", what, 2) == alone
    assert counted and packs(tmp_path / "together") == packs(tmp_path / "alone")


@LONG
@pytest.mark.parametrize("options", [{}, {"in_place": True}, {"in_place": True, "headers_only": 1}])
def test_real_files(tmp_path, shared_data, counted, options):
    alone = add(tmp_path / "alone", shared_data / "files", 1, **options)
    assert add(tmp_path / "together", shared_data / "files", 2, **options) == alone
    assert counted and packs(tmp_path / "together") == packs(tmp_path / "alone")


@LONG
def test_files_that_go_away_or_change_meanwhile(tmp_path, tree):
    def progress(step: object) -> None:
        if step.items == 0:
            (tree / "1" / "map001.fits").unlink(missing_ok=True)
            (tree / "2" / "map002.fits").write_bytes(b"SIMPLE  = no more")

    with sp.Pool(tmp_path / "pool", settings=settings(2)) as pool:
        report = pool.add_report(tree, progress=progress)
        assert [path for path, _ in report.skipped] == [str(tree / "1" / "map001.fits")]
        assert "is gone" in report.skipped[0][1]
        assert Path(pool["tree/2/map002.fits"].path).read_bytes() == b"SIMPLE  = no more"
        assert pool.verify().ok


@pytest.mark.parametrize("deaths", [pytest.param(1, marks=LONG), 99])
def test_processes_that_are_killed(tmp_path, tree, caplog, monkeypatch, deaths):
    alone = add(tmp_path / "alone", tree, 1)
    original, killed = reading_ahead._Process.ask, []

    def ask(self: reading_ahead._Process, data: bytes) -> bytes:
        if len(killed) < deaths:
            killed.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)
        return original(self, data)

    monkeypatch.setattr(reading_ahead._Process, "ask", ask)
    assert add(tmp_path / "together", tree, 2) == alone
    assert packs(tmp_path / "together") == packs(tmp_path / "alone")
    assert len(killed) == min(deaths, 3)
    assert "a process that read files ended (-9)" in caplog.text


def test_where_no_process_can_be_started(tmp_path, tree, monkeypatch):
    alone = add(tmp_path / "alone", tree, 1)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert add(tmp_path / "together", tree, 2) == alone


@LONG
def test_a_wrong_file_of_rules_is_an_error_as_ever(tmp_path, tree, monkeypatch):
    from skypool.catalogue.attributes import reload_rules

    monkeypatch.setenv("SKYPOOL_CONFIG", str(tmp_path / "config"))
    rules = tmp_path / "config" / "attributes"
    rules.mkdir(parents=True)
    (rules / "mine.toml").write_text("this is no rule")
    reload_rules()
    try:
        with sp.Pool(tmp_path / "pool", settings=settings(2)) as pool:
            with pytest.raises(sp.errors.UsageError, match=r"mine\.toml"):
                pool.add(tree)
            assert pool.ls() == []
    finally:
        shutil.rmtree(rules)
        reload_rules()


def test_ctrl_c_ends_the_processes_and_keeps_what_was_read(tmp_path, tree, monkeypatch):
    made = reading_processes(monkeypatch)

    def progress(step: object) -> None:
        if step.items == 30:
            raise KeyboardInterrupt

    with sp.Pool(tmp_path / "pool", settings=settings(2)) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.add(tree, progress=progress)
        assert made and all(process._process.poll() is not None for process in made)
        assert pool.ls() == [] and pool.verify().ok
        report = pool.add_report(tree)
        assert report.files_read == sum(path.is_file() for path in tree.rglob("*")) - 30
    assert all(process._process.poll() is not None for process in made)


# A script without a main guard, read from standard input: nothing of it may run twice.
SCRIPT = """
import os, signal, sys
import skypool as sp
from skypool.pool import reading_ahead
reading_ahead._FEWEST, reading_ahead._FILES_OF_EACH, reading_ahead._JOB_FILES = 8, 4, 3
def progress(step):
    if step.items == 30:
        print(*[each._process.pid for each in running], flush=True)
        if sys.argv[3] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
running, original = [], reading_ahead._Process.__init__
def init(self):
    original(self)
    running.append(self)
reading_ahead._Process.__init__ = init
sp.Pool(sys.argv[1]).add(sys.argv[2], progress=progress)
"""


@pytest.mark.parametrize("how", ["die", pytest.param("live", marks=LONG)])
def test_a_script_that_is_killed_leaves_no_processes(tmp_path, tree, how):
    done = subprocess.run(
        [sys.executable, "-", str(tmp_path / "pool"), str(tree), how],
        input=SCRIPT,
        env=os.environ | {"SKYPOOL_PROCESSES": "2"},
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == (-signal.SIGKILL if how == "die" else 0), done.stderr
    numbers = [int(word) for word in done.stdout.split()]
    assert numbers and len(done.stdout.splitlines()) == 1
    end = time.monotonic() + 60
    while any(map(lives, numbers)):
        assert time.monotonic() < end
        time.sleep(0.05)
    with sp.Pool(tmp_path / "pool") as pool:
        assert pool.verify().ok and len(pool.ls()) == (0 if how == "die" else FILES + 17)


def lives(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def test_what_is_logged_there_is_logged_here(monkeypatch):
    def begin(_: How, path: str, *__: object) -> Iterator[None]:
        yield
        logging.getLogger("skypool.formats.registry").warning("format %r failed", path)
        raise OSError("cannot")

    monkeypatch.setattr(How, "begin", begin)
    here, there = Channel.pair()
    root = logging.getLogger()
    before = list(root.handlers)
    thread = threading.Thread(target=reading_process.serve, args=(there,))
    thread.start()
    try:
        import pickle

        here.send(pickle.dumps((How(), [("a", "a", "", 1), ("b", "b", "", 1)])))
        found, said = pickle.loads(here.receive())
    finally:
        here.close()
        thread.join()
        there.close()
        root.handlers[:] = before
    assert found == [None, None]
    name = "skypool.formats.registry"
    assert said == [(name, logging.WARNING, f"format {path!r} failed") for path in "ab"]


@pytest.mark.parametrize(
    ("files", "wanted", "processors", "count"),
    [
        (35, 0, 8, 0),
        (72, 0, 8, 2),
        (400, 0, 64, 8),
        (999, 12, 2, 12),
        (400, 1, 8, 0),
        (400, 0, 1, 0),
    ],
)
def test_how_many_processes(monkeypatch, files, wanted, processors, count):
    monkeypatch.setattr(reading_ahead, "_processors", lambda: processors)
    assert reading_ahead.processes_for(files, wanted) == count


def test_messages_of_any_length_come_whole():
    here, there = Channel.pair()
    messages = [b"", b"a", b"b" * 70_000, os.urandom(3_000_000)]

    def answer() -> None:
        with contextlib.suppress(EOFError):
            while True:
                there.send(bytes(there.receive()))

    thread = threading.Thread(target=answer)
    thread.start()
    for message in messages:
        here.send(message)
        assert here.receive() == message
    here.close()
    thread.join()
    there.close()


def test_the_end_of_the_other_process_is_told():
    here, there = Channel.pair()
    there.close()
    with pytest.raises(EOFError):
        here.receive()
    with pytest.raises(OSError, match="pipe"):
        here.send(b"a")
    here.close()
