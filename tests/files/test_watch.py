"""Watching folders: complete files only, one commit for each burst, nothing twice, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skypool as sp
from skypool.errors import MissingDependency, NotFound, UsageError
from skypool.files import watch_ready, watching
from skypool.files.watch_ready import Ignored, Readiness, is_being_written
from skypool.files.watch_report import WatchOptions
from skypool.files.watch_sources import Event, PollSource, differences
from skypool.pool import seen_before

PATIENCE = 120


@pytest.fixture
def pool(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        yield pool


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def names(pool: sp.Pool) -> list[str]:
    return [ref.name for ref in pool.ls()]


def once(pool: sp.Pool, folder: Path, **options):
    return list(pool.watch(folder, once=True, **options))


def followed(pool: sp.Pool, folder: Path, clock=None, **options) -> watching.Watch:
    """A watch that is told by hand what happens."""
    return watching.Watch(pool, [str(folder)], WatchOptions(**options), clock=clock or Clock())


def text(path: Path) -> str:
    return Path(path).read_text()


# -- what is added


def test_names_are_those_of_add(pool, out, tmp_path):
    (out / "level2" / "deep").mkdir(parents=True)
    (out / "level2" / "deep" / "a.txt").write_text("a")
    (out / "b.txt").write_text("b")
    (report,) = once(pool, out, under="night", tags=["t"], message="first")
    with sp.Pool(tmp_path / "other") as other:
        other.add(out, under="night")
        assert names(other) == names(pool)
        assert [ref.hash for ref in other.ls()] == [ref.hash for ref in pool.ls()]
    assert pool["night/out"].tags == ("t",) and pool.history()[0].message == "first"
    assert (report.commit, report.problems, report.added.files_read) == (1, [], 2)
    assert once(pool, out, under="night") == []


def test_temporary_hidden_and_excluded_names_are_left_out(pool, out, tmp_path):
    for name in ("a.fits.tmp", ".b", "c~", "d.log", "e.txt", "sub/f.txt", "sub/g.txt", ".git/h"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(name)
    os.symlink(out / "nowhere", out / "broken.tmp")
    once(pool, out, exclude=["*.log", "sub/g*"])
    assert names(pool) == ["out", "out/e.txt", "out/sub", "out/sub/f.txt"]
    once(pool, out, dot_files=True)
    assert "out/.git/h" in pool and "out/d.log" in pool and "out/a.fits.tmp" not in pool
    # What was added once stays, whatever is left out now.
    (out / "new.txt").write_text("new")
    once(pool, out, exclude=["*.txt", "sub"])
    pool.export("out", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "f.txt").is_file()
    assert (tmp_path / "back" / "e.txt").is_file() and not (tmp_path / "back" / "new.txt").exists()


def test_what_is_deleted_stays_unless_asked(pool, out, tmp_path):
    for name in ("a", "b", "sub/c", "sub/d"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(name)
    once(pool, out)
    (out / "a").unlink()
    shutil.rmtree(out / "sub")
    (out / "new").write_text("new")
    (report,) = once(pool, out)
    assert [ref.name for ref in report.added.saved] == ["out/new", "out"]
    assert report.added.removed == []
    pool.export("out", tmp_path / "all")
    assert sorted(p.name for p in (tmp_path / "all").rglob("*")) == [*"abcd", "new", "sub"]
    assert once(pool, out) == []
    (report,) = once(pool, out, remove=True)
    assert sorted(report.added.removed) == ["out/a", "out/sub", "out/sub/c", "out/sub/d"]
    assert names(pool) == ["out", "out/b", "out/new"]
    pool.export("out", tmp_path / "rest")
    assert sorted(p.name for p in (tmp_path / "rest").rglob("*")) == ["b", "new"]
    assert text(pool.at(1)["out/a"].path) == "a" and pool.verify().ok


def test_what_the_user_removed_does_not_come_back(pool, out):
    (out / "a").write_text("a")
    (out / "b").write_text("b")
    once(pool, out)
    (out / "a").unlink()
    pool.remove("out/a")
    (out / "c").write_text("c")
    once(pool, out)
    assert names(pool) == ["out", "out/b", "out/c"]
    assert sorted(pool["out"].refs) == ["b", "c"]


def test_an_unreadable_file_does_not_stop_the_others(pool, out):
    os.symlink(out / "nowhere", out / "broken")
    (out / "good").write_text("good")
    watch = followed(pool, out)
    report = watch._add()
    assert [Path(path).name for path, _ in report.problems] == ["broken"]
    assert names(pool) == ["out", "out/good"]
    assert watch._add() is None  # it was reported
    (out / "nowhere").write_text("there")
    report = watch._add()
    assert report.problems == [] and "out/broken" in pool


def test_a_file_of_another_observation_does_not_stop_the_others(pool, out):
    def image(name: str, obsid: int) -> None:
        header = fits.Header({"OBS_ID": obsid, "INSTRUME": "PACS", "TELESCOP": "Herschel"})
        hdu = fits.PrimaryHDU(np.zeros((4, 4), "f4") + obsid, header)
        hdu.header["OBSID"] = obsid
        hdu.writeto(out / name, overwrite=True)

    image("a.fits", 1342180001)
    watch = followed(pool, out)
    watch._add()
    image("a.fits", 1342180002)
    image("b.fits", 1342180003)
    report = watch._add()
    assert report.commit == 2 and [Path(p).name for p, _ in report.problems] == ["a.fits"]
    assert "as-version" in report.problems[0][1]
    assert pool["out/a.fits"].version == 0 and "out/b.fits" in pool
    assert sorted(pool["out"].refs) == ["a.fits", "b.fits"]
    assert watch._add() is None
    image("a.fits", 1342180001)  # mended
    assert watch._add() is None and watch._told == {}
    image("a.fits", 1342180004)
    once(pool, out, as_version=True)
    assert pool["out/a.fits"].version == 1


def test_one_that_cannot_be_watched(pool, tmp_path, out):
    with pytest.raises(NotFound, match="no folder"):
        pool.watch(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="quiet"):
        pool.watch(out, quiet=-1)
    with pytest.raises(UsageError, match="one name"):
        pool.watch([out, tmp_path], name="x")


def test_without_watchdog_the_error_names_the_extra(pool, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    with pytest.raises(MissingDependency, match=r"skypool\[watch\]"):
        next(iter(pool.watch(out)))
    with pool.watch(out, poll=0.05) as watch:
        assert next(iter(watch)).commit == 1


# -- moves


def test_what_is_renamed_goes_on_as_it_was(pool, out, tmp_path):
    (out / "sub").mkdir()
    (out / "sub" / "a.txt").write_text("a")
    (out / "b.txt").write_text("b")
    watch = followed(pool, out)
    watch._add()
    pool.tag("out/sub/a.txt", "good")
    (out / "sub").rename(out / "other")
    (out / "b.txt").rename(out / "other" / "c.txt")
    watch._take_event(Event("moved", str(out / "sub"), str(out / "other")))
    watch._take_event(Event("moved", str(out / "sub/a.txt"), str(out / "other/a.txt")))
    watch._take_event(Event("moved", str(out / "b.txt"), str(out / "x.txt")))
    watch._take_event(Event("moved", str(out / "x.txt"), str(out / "other/c.txt")))
    report = watch._add()
    assert {Path(n).name: Path(o).name for n, o in report.moved.items()} == {
        "other": "sub", "c.txt": "b.txt"
    }  # fmt: skip
    assert names(pool) == ["out", "out/other", "out/other/a.txt", "out/other/c.txt"]
    assert pool["out/other/a.txt"].tags == ("good",) and pool["out/other/a.txt"].version == 0
    assert sorted(pool["out"].refs) == ["other"]
    assert report.added.removed == [] and pool.verify().ok
    pool.reindex()
    assert names(pool) == ["out", "out/other", "out/other/a.txt", "out/other/c.txt"]
    pool.export("out", tmp_path / "back")
    assert sorted(p.name for p in (tmp_path / "back").rglob("*")) == ["a.txt", "c.txt", "other"]
    assert watch._add() is None


@pytest.mark.parametrize("remove", [False, True])
def test_renamed_and_written_anew(pool, out, remove):
    (out / "a.txt").write_text("first")
    watch = followed(pool, out, remove=remove)
    watch._add()
    (out / "a.txt").rename(out / "a.old")
    (out / "a.txt").write_text("second")
    watch._take_event(Event("moved", str(out / "a.txt"), str(out / "a.old")))
    watch._add()
    assert names(pool) == ["out", "out/a.old", "out/a.txt"]
    assert pool["out/a.txt"].version == 1 and text(pool["out/a.old"].path) == "first"


def test_a_temporary_name_that_becomes_the_final_one(pool, out):
    (out / "a.fits.tmp").write_text("half")
    watch = followed(pool, out)
    watch._add()
    for content in ("first", "second"):
        (out / "a.fits.tmp").write_text(content)
        os.replace(out / "a.fits.tmp", out / "a.fits")
        watch._take_event(Event("moved", str(out / "a.fits.tmp"), str(out / "a.fits")))
        watch._add()
    assert pool["out/a.fits"].version == 1 and text(pool["out/a.fits"].path) == "second"


# -- complete files


@pytest.fixture
def no_leases(monkeypatch):
    monkeypatch.setattr(watch_ready, "is_being_written", lambda path: None)


def test_a_file_that_is_open_for_writing_waits(pool, out):
    path = out / "growing"
    with path.open("w") as file:
        file.write("a")
        file.flush()
        if is_being_written(str(path)) is None:
            pytest.skip("this file system does not tell who writes")
        (out / "whole").write_text("whole")
        watch = followed(pool, out)
        watch._add()
        assert names(pool) == ["out", "out/whole"]
        assert watch._ready.waiting == {str(path)} and not watch._is_due()
        file.write("b")
    assert not is_being_written(str(path))
    watch._is_due()
    assert watch._ready.waiting == set() and watch._first is not None
    watch._add()
    assert text(pool["out/growing"].path) == "ab"
    # The old version stays while the file is written anew.
    with path.open("w") as file:
        (out / "more").write_text("more")
        watch._add()
        assert sorted(pool["out"].refs) == ["growing", "more", "whole"]


def test_where_the_system_does_not_tell_it_must_stay_the_same(pool, out, no_leases):
    clock = Clock()
    path = out / "a"
    path.write_text("a")
    watch = followed(pool, out, clock, quiet=2.0)
    watch._add()
    assert not pool.exists or names(pool) == ["out"]
    clock.now += 1.9
    path.write_text("ab")
    assert not watch._is_due()
    clock.now += 1.9
    assert not watch._is_due() and watch._ready.waiting
    clock.now += 0.2
    watch._is_due()
    assert not watch._ready.waiting
    watch._add()
    assert text(pool["out/a"].path) == "ab"


def test_where_the_system_does_not_tell_a_closed_file_is_complete(pool, out, no_leases):
    watch = followed(pool, out)
    (out / "a").write_text("a")
    watch._take_event(Event("changed", str(out / "a")))
    watch._add()
    assert not pool.exists or names(pool) == ["out"]
    watch._take_event(Event("closed", str(out / "a")))
    watch._add()
    assert names(pool) == ["out", "out/a"]


def test_an_empty_file_is_not_taken_before_somebody_may_write_to_it(pool, out):
    clock = Clock()
    (out / "a").touch()
    watch = followed(pool, out, clock)
    watch._add()
    assert watch._ready.waiting == {str(out / "a")}
    clock.now += 5
    assert not watch._is_due() and not watch._ready.waiting  # it stayed so: a burst begins
    watch._add()
    assert pool["out/a"].size == 0


# -- when


def test_a_burst_ends_when_it_is_quiet_or_has_lasted(pool, out):
    clock = Clock()
    watch = followed(pool, out, clock, quiet=1.0, longest=10.0, rescan=100.0)
    watch._add()
    assert not watch._is_due() and watch._patience() == 60.0
    path = str(out / "a")
    watch._take_event(Event("closed", path))
    assert not watch._is_due() and watch._patience() == 1.0
    clock.now += 0.9
    watch._take_event(Event("closed", path))
    clock.now += 0.9
    assert not watch._is_due()
    clock.now += 0.1
    assert watch._is_due()
    watch._add()
    for _ in range(20):
        watch._take_event(Event("closed", path))
        assert not watch._is_due()
        clock.now += 0.5
    assert watch._is_due()
    watch._add()
    clock.now += 100.0
    assert watch._is_due()  # all is looked at now and then


def test_a_link_to_a_folder_does_not_hold_up_the_burst(pool, out, tmp_path):
    """It is told of as a file is, which nobody closes."""
    clock = Clock()
    watch = followed(pool, out, clock, quiet=1.0, longest=10.0)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("a")
    watch._add()
    (out / "linked").symlink_to(tmp_path / "elsewhere")
    watch._take_event(Event("changed", str(out / "linked")))
    assert not watch._is_due()
    clock.now += 1
    assert watch._is_due()
    assert watch._add().commit == 2 and "out/linked/a" in pool
    clock.now += 1
    assert not watch._is_due() and watch._patience() > 30


def test_a_folder_that_is_made_anew_is_watched_anew(pool, out, tmp_path):
    """The system would go on telling of the one that was moved away."""
    clock = Clock()
    watch = followed(pool, out, clock, rescan=1000.0)
    watch._open()
    first = watch._source
    watch._add()
    assert not watch._is_due() and watch._source is first
    out.rename(tmp_path / "last night")
    assert watch._is_due()
    assert "not there" in watch._add().problems[0][1]
    out.mkdir()
    (out / "b").write_text("b")
    clock.now += 10
    assert watch._is_due()
    assert watch._add().commit == 2 and "out/b" in pool
    assert watch._source is not first and watch._source.is_alive
    watch._close()


def test_what_is_left_out_and_the_pool_itself_are_no_change(out):
    with sp.Pool(out / "pool") as pool:
        watch = followed(pool, out)
        watch._add()
        for path in ("pool/packs/x", "a.tmp", ".hidden/a", "pool"):
            watch._take_event(Event("closed", str(out / path)))
        assert watch._first is None
        assert names(pool) == ["out"] and watch._add() is None


def test_a_failure_is_tried_again_later(pool, out, tmp_path):
    clock = Clock()
    (out / "a").write_text("a")
    watch = followed(pool, out, clock, poll=60.0, rescan=1000.0)
    watch._add()
    out.rename(tmp_path / "away")
    watch._note_change()
    report = watch._add()
    assert report.commit is None and "not there" in report.problems[0][1]
    clock.now += 4
    assert not watch._is_due()
    clock.now += 2
    assert watch._is_due()
    assert watch._add() is None  # said once
    (tmp_path / "away").rename(out)
    (out / "b").write_text("b")
    assert watch._add().commit == 2
    watch._close()


def test_a_pool_whose_catalogue_was_replaced(pool, out, tmp_path):
    (out / "a").write_text("a")
    watch = followed(pool, out)
    watch._add()
    catalogue = tmp_path / "pool" / "catalogue.sqlite"
    if not catalogue.exists():
        (catalogue,) = (p for p in (tmp_path / "pool").iterdir() if p.name.startswith("catalog")
                        and not p.name.endswith(("-wal", "-shm")))  # fmt: skip
    shutil.copy2(catalogue, tmp_path / "copy")
    os.replace(tmp_path / "copy", catalogue)
    for end in ("-wal", "-shm"):
        Path(f"{catalogue}{end}").unlink(missing_ok=True)
    (out / "b").write_text("b")
    reports = [watch._add(), watch._add()]
    assert any(report is not None and report.commit is not None for report in reports)
    with sp.Pool(tmp_path / "pool") as other:
        assert "out/b" in other and other.verify().ok
    watch._close()


# -- what is told


def test_differences_of_two_looks():
    before = {"/a/x": (1, 2, 10, 1), "/a/d": (-1, 0, 11, 1), "/a/d/y": (3, 4, 12, 1),
              "/a/gone": (5, 6, 13, 1), "/a/e": (-1, 0, 14, 1)}  # fmt: skip
    now = {"/a/x": (1, 3, 10, 1), "/a/n": (-1, 0, 11, 1), "/a/n/y": (3, 4, 12, 1),
           "/a/new": (5, 9, 13, 1), "/a/f": (-1, 0, 14, 1)}  # fmt: skip
    assert set(differences(before, now)) == {
        Event("changed", "/a/x"),
        Event("moved", "/a/d", "/a/n"),
        Event("moved", "/a/d/y", "/a/n/y"),
        Event("changed", "/a/new"),  # the number of a file that is gone, given again
        Event("closed", "/a/gone"),
        Event("closed", "/a/f"),
        Event("closed", "/a/e"),
    }


def test_ignored_names():
    ignored = Ignored(["*.log", "raw/*.dat", "cache/"])
    for path in (
        "a.log",
        "x/a.log",
        "raw/a.dat",
        "cache",
        "x/cache/y",
        ".a",
        "x/.y/z",
        "a~",
        "a.part",
    ):
        assert path in ignored, path
    for path in ("a", "x/raw/a.dat", "a.dat", "cached"):
        assert path not in ignored, path
    assert ".a" not in Ignored(dot_files=True)


def test_a_folder_that_is_one_product_waits_for_all_its_files(out, monkeypatch):
    store = out / "cube.zarr"
    store.mkdir()
    (store / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    (store / "c").write_text("1")
    ready = Readiness(5.0, Clock())
    monkeypatch.setattr(watch_ready, "is_being_written", lambda path: path.endswith("c"))
    if watch_ready.folder_format(store) is None:
        pytest.skip("no such format")
    assert not ready.is_complete(str(store), store.stat())
    monkeypatch.setattr(watch_ready, "is_being_written", lambda path: False)
    assert ready.is_complete(str(store), store.stat()) and not ready.waiting


def test_network_disks_are_looked_at(pool, out, monkeypatch):
    monkeypatch.setattr(watching, "file_system", lambda path: "nfs4")
    monkeypatch.setattr(watching, "is_network", lambda path: True)
    monkeypatch.setattr(watching, "_POLL", 0.05)
    notes = []
    with pool.watch(out, quiet=0.1, on_note=notes.append) as watch:
        reports = iter(watch)
        assert next(reports).commit == 1
        assert isinstance(watch._source, PollSource)
    assert "nfs4" in notes[0]


# -- live


def gathered(watch, wanted: set[str], act=lambda commit: None) -> None:
    """Iterate until all names are saved; *act* is called behind each report."""
    watchdog = threading.Timer(PATIENCE, watch.stop)
    watchdog.start()
    left = set(wanted)
    for report in watch:
        if report.added is not None:
            left -= {ref.name for ref in report.added.saved}
        act(report.commit)
        if not left:
            watch.stop()
    watchdog.cancel()
    assert not left


@pytest.mark.parametrize("poll", [None, 0.05])
def test_files_folders_and_renames_as_they_appear(pool, out, poll, monkeypatch):
    monkeypatch.setattr(seen_before, "_CLOCK_GRAIN_NS", -(10**18))
    (out / "before").write_text("before")

    def act(commit: int | None) -> None:
        if commit == 1:
            (out / "new" / "deep").mkdir(parents=True)
            (out / "new" / "deep" / "a").write_text("a")
        elif commit is not None and "out/new/deep/a" in pool and not (out / "b").exists():
            (out / "b.tmp").write_text("b")
            os.replace(out / "b.tmp", out / "b")

    with pool.watch(out, poll=poll, quiet=0.1) as watch:
        gathered(watch, {"out/before", "out/new/deep/a", "out/b"}, act)
    files = [ref for ref in pool.ls() if ref.kind == "File"]
    assert {ref.name for ref in files} == {"out/before", "out/new/deep/a", "out/b"}
    assert {ref.version for ref in files} == {0} and pool.verify().ok


def test_the_command_survives_restarts_and_ends_on_signals(tmp_path, out):
    words = [sys.executable, "-m", "skypool", "-p", str(tmp_path / "pool"), "watch", str(out)]
    seen = []
    for number, end in enumerate((signal.SIGTERM, signal.SIGINT)):
        (out / f"away{number}").write_text(f"written while nobody watched {number}")
        process = subprocess.Popen(
            [*words, "--json", "--quiet", "0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        seen.append(json.loads(process.stdout.readline()))
        (out / f"live{number}").write_text(f"now {number}")
        seen.append(json.loads(process.stdout.readline()))
        process.send_signal(end)
        _, err = process.communicate(timeout=PATIENCE)
        guard.cancel()
        assert process.returncode == 0, err
        assert "Traceback" not in err
    saved = [[item["name"] for item in found["saved"]] for found in seen]
    assert saved == [["out/away0", "out"], ["out/live0", "out"], ["out/away1", "out"],
                     ["out/live1", "out"]]  # fmt: skip
    assert [found["commit"] for found in seen] == [1, 2, 3, 4]
    with sp.Pool(tmp_path / "pool") as pool:
        assert {ref.version for ref in pool.ls() if ref.kind == "File"} == {0}


def test_a_look_does_not_follow_rings(out, tmp_path):
    (out / "sub").mkdir()
    os.symlink(out, out / "sub" / "up")
    (out / "sub" / "a").write_text("a")
    import queue

    source = PollSource([str(out)], queue.SimpleQueue(), 60.0, lambda path: True)
    source.close()
    assert sorted(source._before) == [str(out / "sub"), str(out / "sub" / "a")]
