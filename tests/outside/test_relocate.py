"""`relocate`: the files of a user have another place, and only those that are the same count."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.format.reader import Pool as Reader

from skypool import Product
from skypool.cli.app import app
from skypool.errors import Dropped, NotFound, SourceChanged, SourceMissing, UsageError
from skypool.pool.pool import Pool

from .conftest import image


@pytest.fixture
def moved(pool: Pool, survey: Path, tmp_path: Path) -> Path:
    """A pool with the files of a disk that has another place now."""
    pool.add(survey, in_place=True)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    return tmp_path / "disk2"


def test_a_moved_disk(pool: Pool, moved: Path, tmp_path: Path) -> None:
    dry = pool.relocate(tmp_path / "disk1", moved, dry_run=True)
    assert (dry.moved, dry.refused, dry.commit, dry.bytes_read) == (5, [], None, 0)
    assert not pool.status().ok
    report = pool.relocate(tmp_path / "disk1", moved)
    assert (report.moved, report.refused) == (5, [])
    assert report.commit == pool.history()[0].number
    for _ in range(2):
        full = pool.status(full=True)
        assert (full.ok, full.counts) == (True, {"fine": 5})
        assert pool["survey/maps/m1"].path == str(moved / "survey/maps/m1.fits")
        pool.reindex()
    with Pool(pool.path, "r") as again:
        assert np.isfinite(np.asarray(again["survey/maps/m1"].product["image"])).any()
    assert pool.verify().ok
    # And back again, one file as well.
    moved.rename(tmp_path / "disk1")
    assert pool.relocate(str(moved) + "/", tmp_path / "disk1").moved == 5
    assert pool.status().ok
    notes = tmp_path / "disk1/survey/notes.txt"
    notes.rename(tmp_path / "elsewhere.txt")
    assert pool.relocate(notes, tmp_path / "elsewhere.txt").moved == 1
    assert pool.status().ok


def test_a_file_that_was_written_anew(pool: Pool, survey: Path, tmp_path: Path) -> None:
    """What it held before is nowhere; what it holds now was not followed because of that."""
    pool.add(survey, in_place=True)
    image(survey / "maps/m1.fits", 8)
    pool.add(survey, in_place=True)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    report = pool.relocate(tmp_path / "disk1", tmp_path / "disk2")
    assert (report.moved, report.refused) == (5, [])
    for _ in range(2):
        assert pool.status().counts == {"fine": 5, "replaced": 1}
        assert pool["survey/maps/m1"].path == str(tmp_path / "disk2/survey/maps/m1.fits")
        pool.reindex()


def test_what_a_file_held_before_is_still_at_the_old_path(
    pool: Pool, survey: Path, tmp_path: Path
) -> None:
    path = survey / "maps/m1.fits"
    pool.add(survey, in_place=True)
    shutil.copy2(path, tmp_path / "first.fits")
    image(path, 8)
    pool.add(survey, in_place=True)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    (tmp_path / "first.fits").rename(image(path))
    report = pool.relocate(survey, tmp_path / "disk2/survey")
    assert report.moved == 5
    assert [path for path, _ in report.refused] == [str(path)]
    for _ in range(2):
        assert pool.status(full=True).counts == {"fine": 6}
        assert pool["survey/maps/m1"].path == str(tmp_path / "disk2/survey/maps/m1.fits")
        assert pool["survey/maps/m1@0"].path == str(path)
        pool.reindex()


@pytest.mark.parametrize("copied", [False, True])
def test_files_that_have_dropped_content(
    pool: Pool, survey: Path, tmp_path: Path, copied: bool
) -> None:
    image(tmp_path / "a.fits", 5)
    with tarfile.open(tmp_path / "disk1/obs.tar", "w") as tar:
        tar.add(tmp_path / "a.fits", "obs/a.fits")
    pool.add(survey)
    pool.add(tmp_path / "disk1/obs.tar")
    pool.save(Product(datasets={"x": np.arange(9000.0)}), name="made")
    image(tmp_path / "disk1/gone.fits", 9)
    pool.add(tmp_path / "disk1/gone.fits")
    pool.clone(tmp_path / "disk1/clone").close()
    pool.drop(["name:survey", "name:obs", "gone.fits"])
    pool.drop("made", from_=tmp_path / "disk1/clone")
    pool.gc(grace=0)
    disk = tmp_path / "disk2"
    if copied:
        shutil.copytree(tmp_path / "disk1", disk, copy_function=shutil.copyfile)
        shutil.rmtree(tmp_path / "disk1")
    else:
        (tmp_path / "disk1").rename(disk)
    (disk / "gone.fits").write_text("something else")
    with pytest.raises(Dropped, match="is gone"):
        pool.bring_back("survey/maps/m1.fits")
    report = pool.relocate(tmp_path / "disk1", disk)
    assert report.moved == 7  # files, archive, pool
    assert [Path(path).name for path, _ in report.refused] == ["gone.fits"]
    for _ in range(2):
        assert pool["survey/maps/m1.fits"].dropped == (f"file {disk}/survey/maps/m1.fits",)
        assert pool["made"].dropped == (f"pool {disk}/clone",)
        assert pool["gone.fits"].dropped == (f"file {tmp_path}/disk1/gone.fits",)
        pool.reindex()
    reader = Reader(Path(pool.path)).at()
    assert reader.dropped[pool["made"].number][0]["from"][0]["pool"] == f"{disk}/clone"
    # The disk may move again; then one file alone.
    disk.rename(tmp_path / "disk3")
    assert pool.relocate(disk, tmp_path / "disk3").moved == 7
    (tmp_path / "disk3/survey/notes.txt").rename(tmp_path / "notes.txt")
    with pytest.raises(SourceMissing):
        pool.relocate(tmp_path / "disk3/survey/notes.txt", tmp_path / "other.txt")
    assert pool.relocate(tmp_path / "disk3/survey/notes.txt", tmp_path / "notes.txt").moved == 1
    assert pool.bring_back(["name:survey", "name:obs", "made"]).versions == 7
    assert pool.verify().ok


def test_a_copy_with_other_times_is_compared(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    shutil.copytree(survey, tmp_path / "copy", copy_function=shutil.copyfile)
    size = sum(path.stat().st_size for path in survey.rglob("*.*"))
    shutil.rmtree(survey)
    report = pool.relocate(survey, tmp_path / "copy")
    assert (report.moved, report.bytes_read) == (5, size)
    assert pool.status(full=True).ok
    pool.reindex()
    assert pool.status(full=True).counts == {"fine": 5}


def test_what_is_not_the_same_is_refused(pool: Pool, moved: Path, tmp_path: Path) -> None:
    image(moved / "survey/maps/m0.fits", 8)  # of the same size, with another time
    (moved / "survey/notes.txt").write_text("short")
    (moved / "survey/maps/m2.fits").unlink()
    report = pool.relocate(tmp_path / "disk1", moved)
    assert report.moved == 2
    reasons = {Path(path).name: reason for path, reason in report.refused}
    assert reasons.keys() == {"m0.fits", "notes.txt", "m2.fits"}
    assert "other content" in reasons["m0.fits"]
    assert "5 bytes instead of" in reasons["notes.txt"]
    for _ in range(2):
        states = {source.path: source.state for source in pool.status().sources}
        assert states == {
            str(tmp_path / "disk1/survey/maps/m0.fits"): "missing",
            str(tmp_path / "disk1/survey/maps/m2.fits"): "missing",
            str(tmp_path / "disk1/survey/notes.txt"): "missing",
        }
        assert pool["survey/maps/m1"].path == str(moved / "survey/maps/m1.fits")
        pool.reindex()


def test_a_change_that_hides(pool: Pool, moved: Path, tmp_path: Path) -> None:
    path = moved / "survey/notes.txt"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"our", b"his"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pool.relocate(tmp_path / "disk1", moved, dry_run=True).refused == []
    report = pool.relocate(tmp_path / "disk1", moved, full=True)
    assert [Path(path).name for path, _ in report.refused] == ["notes.txt"]
    assert report.moved == 4


def test_nothing_to_follow(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    commits = len(pool.history())
    with pytest.raises(SourceMissing, match="none of the 5 files"):
        pool.relocate(survey, tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceChanged, match="none of the 5 files"):
        pool.relocate(survey, tmp_path / "other")
    with pytest.raises(NotFound, match="holds content"):
        pool.relocate(str(survey)[:-1], tmp_path / "other")
    with pytest.raises(UsageError):
        pool.relocate(survey, survey)
    assert len(pool.history()) == commits
    assert pool.status().ok


def test_only_what_is_below(pool: Pool, tmp_path: Path) -> None:
    for name in ("disk", "disk.old", "disk0"):
        image(tmp_path / name / "a.fits", len(name))
        pool.add(tmp_path / name, in_place=True)
    (tmp_path / "disk").rename(tmp_path / "new")
    assert pool.relocate(tmp_path / "disk", tmp_path / "new").moved == 1
    assert pool.status().ok
    pool.reindex()
    assert pool.status().counts == {"fine": 3}


def test_into_a_folder_below(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    (tmp_path / "disk1").rename(tmp_path / "x")
    (tmp_path / "disk1").mkdir()
    (tmp_path / "x").rename(tmp_path / "disk1" / "sub")
    assert pool.relocate(tmp_path / "disk1", tmp_path / "disk1" / "sub").moved == 5
    assert pool.status().ok
    pool.reindex()
    assert pool.status().counts == {"fine": 5}


def test_headers_only(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True, headers_only=True)
    shutil.copytree(survey, tmp_path / "copy")
    os.utime(tmp_path / "copy/notes.txt", (5, 5))
    shutil.rmtree(survey)
    report = pool.relocate(survey, tmp_path / "copy")
    assert report.moved == 4
    assert [(Path(path).name, "only headers" in why) for path, why in report.refused] == [
        ("notes.txt", True)
    ]
    assert pool.complete("survey/maps").completed == 3
    assert pool["survey/maps/m1"].complete


@pytest.mark.parametrize(("completed", "rebuilt"), [(False, True), (True, False)])
def test_headers_added_again_are_of_the_same_file(
    pool: Pool, survey: Path, tmp_path: Path, completed: bool, rebuilt: bool
) -> None:
    pool.add(survey, in_place=True, headers_only=True)
    if completed:
        pool.complete()
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    pool.relocate(tmp_path / "disk1", tmp_path / "disk2")
    if rebuilt:
        pool.reindex()
    here = tmp_path / "disk2" / "survey"
    for force in (False, True):
        report = pool.add_report(here, in_place=True, headers_only=True, force_read=force)
        assert (report.saved, report.commit) == ([], None)
    assert {ref.version for ref in pool.ls()} == {0}
    assert pool["survey/maps/m1"].complete == completed
    assert pool.verify().ok
    # What has the same headers, and changed, is another version.
    image(here / "maps/m1.fits", 8)
    os.utime(here / "maps/m1.fits", (1.5e9, 1.5e9))
    pool.add(here, in_place=True, headers_only=True)
    assert pool["survey/maps/m1"].version == 1
    assert pool["survey/maps/m1"].meta["SEED"].value == 8
    assert pool["survey/maps/m0"].version == 0
    assert pool.complete().completed == (1 if completed else 4)


def test_another_file_of_the_same_headers_is_another(
    pool: Pool, survey: Path, tmp_path: Path
) -> None:
    """Also where size and time are the same: its inode is not."""
    pool.add(survey / "maps/m0.fits", in_place=True)
    other = image(tmp_path / "other.fits", 5, SEED=0)
    state = (survey / "maps/m0.fits").stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(survey / "maps/m0.fits")
    pool.add(survey / "maps/m0.fits", in_place=True, headers_only=True)
    assert not pool["m0.fits"].complete
    assert pool["m0.fits"].version == 1


def test_a_clone_follows(pool: Pool, moved: Path, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "early") as early, pool.clone(tmp_path / "apart") as apart:
        apart.tag("survey", "mine")
        pool.relocate(tmp_path / "disk1", moved)
        early.pull(pool.path)
        assert early.status().ok
        pool.add(moved / "survey/notes.txt", name="again", in_place=True)
        apart.pull(pool.path)
        assert apart["again"].path == str(moved / "survey/notes.txt")


def test_the_command(pool: Pool, moved: Path, tmp_path: Path) -> None:
    old = str(tmp_path / "disk1")
    words = ["-p", pool.path, "relocate", old, str(moved)]
    run = CliRunner().invoke(app, [*words, "-n"])
    assert (run.exit_code, run.stdout) == (0, "5 files would be followed\n")
    (moved / "survey/notes.txt").unlink()
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 3
    lines = run.stdout.splitlines()
    assert lines[0] == f"refused: {old}/survey/notes.txt: {moved}/survey/notes.txt is gone"
    assert lines[1] == "4 files followed"
    run = CliRunner().invoke(app, [*words, "--json"])
    assert run.exit_code == 1
    assert json.loads(run.stdout)["error"]["code"] == "source_changed"
