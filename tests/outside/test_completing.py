"""Completing many files: by processes, threads, or one by one, the pool is the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from tests.pool.upkeep import packs, reading_processes

from skypool.catalogue.interface import ChunksGone
from skypool.config import from_environment
from skypool.pool import completing, reading_ahead, reading_kept
from skypool.pool.completing import CompleteReport
from skypool.pool.pool import Pool
from skypool.pool.session import Session

from .conftest import settle

FILES = 40
BATCH = 16
BRIGHT = "max(image) > 3.2"
LONG = pytest.mark.campaign


@pytest.fixture(autouse=True)
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes read from few files on, and few at a time; commits are small."""
    monkeypatch.setattr(reading_ahead, "_FEWEST", 8)
    monkeypatch.setattr(reading_ahead, "_FILES_OF_EACH", FILES)  # one process
    monkeypatch.setattr(reading_ahead, "_JOB_FILES", 3)
    monkeypatch.setattr(completing, "_FILES", BATCH)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, and a pool that has their headers."""
    base = tmp_path_factory.mktemp("many")
    top = base / "files"
    for number in range(FILES):
        header = fits.Header({"OBJECT": f"field {number}", "EXPTIME": number / 7})
        header["CTYPE1"], header["CTYPE2"], header["CRVAL1"] = "RA---TAN", "DEC--TAN", number
        header["CDELT1"], header["CDELT2"] = -0.01, 0.01
        pixels = np.random.default_rng(number).normal(size=(30, 20 + number)).astype("f4")
        pixels[number % 30] = np.nan if number % 5 == 0 else 1
        path = top / f"{number % 3}" / f"map{number:03d}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(pixels, header).writeto(path)
        settle(path)
    large = np.random.default_rng(1).normal(size=(700, 500)).astype("f4")
    fits.PrimaryHDU(large).writeto(top / "1" / "large.fits")
    rows = Table({"ra": np.linspace(10, 11, 50), "dec": np.linspace(-5, -4, 50)})
    rows.write(top / "2" / "rows.fits")
    for path in (top / "1" / "large.fits", top / "2" / "rows.fits"):
        settle(path)
    with opened(base / "pool", 1) as pool:
        pool.add(top, in_place=True, headers_only=True)
    return base


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Iterator[Path]:
    """The same, with files that are gone, changed, changed in secret, and cannot be read."""
    files, kept = base / "files", tmp_path / "kept"
    shutil.copytree(files, kept)
    (files / "0" / "map003.fits").unlink()
    (files / "1" / "map004.fits").write_bytes(b"SIMPLE  = no more")
    hidden = files / "2" / "map005.fits"
    times = hidden.stat()
    hidden.write_bytes(hidden.read_bytes().replace(b"'field 5", b"'FIELD 5"))
    os.utime(hidden, ns=(times.st_atime_ns, times.st_mtime_ns))
    (files / "0" / "map006.fits").unlink()
    (files / "0" / "map006.fits").mkdir()
    yield base
    shutil.rmtree(files)
    shutil.copytree(kept, files)


def opened(path: Path, processes: int) -> Pool:
    return Pool(path, settings=replace(from_environment(), processes=processes))


def completed(
    base: Path, path: Path, processes: int, **options: Any
) -> tuple[dict[str, Any], list[bytes], CompleteReport]:
    """Complete a copy of the pool; return what is in it then, and the report."""
    shutil.copytree(base / "pool", path)
    with opened(path, processes) as pool:
        report = pool.complete(**options)
        assert {problem.kind for problem in pool.verify().problems} <= {"source"}
    return content(path), packs(path), report


TABLES = ("documents", "chunks", "coverages", "boxes", "points", "attributes", "postings")


def content(folder: Path) -> dict[str, Any]:
    """Return what a pool's catalogue has, but for times and names of packs."""
    with contextlib.closing(sqlite3.connect(folder / "catalogue.sqlite")) as connection:
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        for name in ("versions", "sources", "completed"):
            found[name] = connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
    assert all(map(len, found.values()))
    return found


def known(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return, by name, what a pool says of each product: document, coverage, place."""
    with contextlib.closing(sqlite3.connect(folder / "catalogue.sqlite")) as connection:
        rows = connection.execute(
            "SELECT n.name, d.digest, d.file_hash, c.parts, p.x0, p.y0, p.z0 FROM versions v"
            " JOIN names n USING (track) JOIN documents d ON d.id = v.document"
            " LEFT JOIN coverages c ON c.document = d.id LEFT JOIN points p ON p.id = d.id"
        ).fetchall()
    return {name: tuple(rest) for name, *rest in rows}


def test_the_pool_is_the_same(changed: Path, tmp_path: Path, counted: list[int]) -> None:
    alone = completed(changed, tmp_path / "alone", 0, threads=1)
    report = alone[2]
    assert (report.completed, len(report.commits), len(report.skipped)) == (38, 3, 4)
    reasons = {os.path.basename(path): reason for path, reason in report.skipped}
    assert "is gone" in reasons["map003.fits"] and "has changed" in reasons["map004.fits"]
    assert "though its size and time are" in reasons["map005.fits"]
    assert "not a regular file" in reasons["map006.fits"]
    assert completed(changed, tmp_path / "threads", 1, threads=3) == alone
    assert counted == []
    assert completed(changed, tmp_path / "together", 2) == alone
    assert len(counted) >= FILES // 3 - 1


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=LONG)])
def test_completed_files_are_those_that_are_added(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(reading_ahead, "_FILES_OF_EACH", 4)  # as many as there may be
    completed(base, tmp_path / "later", processes)
    with opened(tmp_path / "once", 1) as pool:
        pool.add(base / "files", in_place=True)
        bright = [ref.name for ref in pool.find(BRIGHT)]
    assert known(tmp_path / "later") == known(tmp_path / "once")
    with opened(tmp_path / "later", 1) as pool:
        assert [ref.name for ref in pool.find(BRIGHT)] == bright != []


def test_what_is_read_twice_is_the_same(base: Path, tmp_path: Path, monkeypatch) -> None:
    """Files with more to keep than there is room for, and batches whose chunks were reclaimed."""
    alone = completed(base, tmp_path / "alone", 1)
    publish, gone = Session.publish, []

    def refuse(self: Session, *args: Any) -> Any:
        if len(gone) < 2:
            gone.append(args)
            raise ChunksGone(set())
        return publish(self, *args)

    monkeypatch.setattr(Session, "publish", refuse)
    monkeypatch.setattr(reading_kept, "_MOST_BYTES", 10)
    assert completed(base, tmp_path / "again", 1)[0]["versions"] == alone[0]["versions"]
    assert known(tmp_path / "again") == known(tmp_path / "alone")


@pytest.mark.parametrize("deaths", [pytest.param(1, marks=LONG), 99])
def test_processes_that_are_killed(base: Path, tmp_path: Path, caplog, monkeypatch, deaths) -> None:
    alone = completed(base, tmp_path / "alone", 1)
    original, killed = reading_ahead._Process.ask, []

    def ask(self: reading_ahead._Process, data: bytes) -> bytes:
        if len(killed) < deaths:
            killed.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)
        return original(self, data)

    monkeypatch.setattr(reading_ahead._Process, "ask", ask)
    assert completed(base, tmp_path / "together", 2) == alone
    assert len(killed) == min(deaths, 3)
    assert "a process that read files ended (-9)" in caplog.text


def test_ctrl_c_ends_the_processes_and_keeps_commits(base: Path, tmp_path: Path, monkeypatch):
    started = reading_processes(monkeypatch)

    def progress(step: Any) -> None:
        if step.items == BATCH + 2:
            raise KeyboardInterrupt

    shutil.copytree(base / "pool", tmp_path / "pool")
    with opened(tmp_path / "pool", 2) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.complete(progress=progress)
        assert started and all(each._process.poll() is not None for each in started)
        assert pool.verify().ok
        assert pool.complete().completed == FILES + 2 - BATCH
        assert all(each._process.poll() is not None for each in started)


# Completes, and is killed in the midst of a batch.
SCRIPT = """
import os, signal, sys
import skypool as sp
from skypool.pool import completing, reading_ahead
reading_ahead._FEWEST, reading_ahead._FILES_OF_EACH, reading_ahead._JOB_FILES = 8, 4, 3
completing._FILES = 16
def progress(step):
    if step.items == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
sp.Pool(sys.argv[1]).complete(progress=progress)
"""


@LONG
def test_killed_again_and_again(base: Path, tmp_path: Path) -> None:
    whole = completed(base, tmp_path / "alone", 1)[0]
    shutil.copytree(base / "pool", tmp_path / "killed")
    left = FILES + 2
    for at, done in ((5, 0), (BATCH, 1), (BATCH + 3, 1), (9, 0)):
        run = subprocess.run(
            [sys.executable, "-", str(tmp_path / "killed"), str(at)],
            input=SCRIPT,
            env=os.environ | {"SKYPOOL_PROCESSES": "2"},
            text=True,
            check=False,
            timeout=120,
        )
        assert run.returncode == -signal.SIGKILL
        left -= done * BATCH
        with opened(tmp_path / "killed", 1) as pool:
            assert sum(not ref.complete for ref in pool.ls("files/")) == left
            assert pool.verify().ok
    with opened(tmp_path / "killed", 1) as pool:
        assert pool.complete().completed == left
        assert pool.verify().ok
    assert known(tmp_path / "killed") == known(tmp_path / "alone")
    assert content(tmp_path / "killed")["completed"] == whole["completed"]
