"""`status`: which files kept in place are fine, changed, moved, gone, replaced."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from skypool.catalogue.draft import SourceRow
from skypool.cli.app import app
from skypool.errors import SourceChanged
from skypool.pool import moved_files
from skypool.pool.pool import Pool
from skypool.pool.sources import good_sources
from skypool.storage.file_errors import explained
from skypool.storage.filelayer import LocalFiles

from .conftest import image, settle


def states(pool: Pool, **options: bool) -> dict[str, str]:
    found = pool.status(every=True, **options)
    assert sum(found.counts.values()) == len(found.sources)
    return {Path(source.path).name: source.state for source in found.sources}


def test_all_is_fine(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    quick = pool.status()
    assert (quick.ok, quick.counts, quick.sources, quick.bytes) == (True, {"fine": 5}, [], 0)
    full = pool.status(full=True)
    assert (full.ok, full.counts) == (True, {"fine": 5})
    assert full.bytes == sum(path.stat().st_size for path in survey.rglob("*") if path.is_file())
    assert full.unproven == 0


def test_a_pool_without_such_files(pool: Pool, survey: Path) -> None:
    assert pool.status().counts == {}  # there is none yet
    pool.add(survey)
    assert pool.status().ok
    assert pool.status().counts == {}


def test_what_is_wrong_is_said(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    image(survey / "maps" / "m0.fits", 7)
    (survey / "maps" / "m1.fits").rename(survey / "maps" / "renamed.fits")
    (survey / "notes.txt").unlink()
    report = pool.status()
    assert not report.ok
    found = {Path(source.path).name: source for source in report.sources}
    assert {name: source.state for name, source in found.items()} == {
        "m0.fits": "changed",
        "m1.fits": "moved",
        "notes.txt": "missing",
    }
    assert found["m1.fits"].found == str(survey / "maps" / "renamed.fits")
    assert found["m0.fits"].products == ("survey/maps/m0.fits@0",)
    assert all(source.lost and source.newest for source in report.sources)
    assert pool.status("survey/maps/m2.fits").ok
    assert not pool.status(pool["survey"]).ok
    assert [s.state for s in pool.status(["survey/maps/m0.fits", "survey/events"]).sources] == [
        "changed"
    ]


def test_a_change_that_hides_needs_a_full_look(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    path = survey / "maps" / "m0.fits"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-3000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pool.status().ok
    report = pool.status(full=True)
    assert [(Path(s.path).name, s.state) for s in report.sources] == [("m0.fits", "changed")]
    assert not report.ok


def test_a_folder_that_was_moved(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    (tmp_path / "disk1").rename(tmp_path / "disk2")
    assert set(states(pool).values()) == {"moved"}
    # Added again from there: the same content, in two places, one of them gone.
    report = pool.add_report(tmp_path / "disk2" / "survey", in_place=True)
    assert not report.saved
    again = pool.status()
    assert again.ok
    assert again.counts["fine"] == 5
    assert all("has the same content" in s.reason and not s.lost for s in again.sources)


def test_a_copy_is_no_guess(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    notes = survey / "notes.txt"
    shutil.copy2(notes, survey / "one.txt")
    notes.unlink()
    assert states(pool)["notes.txt"] == "missing"


def test_a_changed_tree_added_again(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    image(survey / "maps" / "m0.fits", 7)
    report = pool.add_report(survey, in_place=True)
    assert {ref.name for ref in report.saved} >= {"survey/maps/m0.fits"}
    assert pool["survey/maps/m0.fits@1"].product["image"].max() > 0
    assert report.overwritten == ["survey/maps/m0.fits@0"]
    found = pool.status()
    assert found.ok
    (old,) = found.sources
    assert (old.state, old.products, old.newest) == ("replaced", ("survey/maps/m0.fits@0",), False)
    with Pool(pool.path, "r") as again:  # nothing of it is in memory
        with pytest.raises(SourceChanged, match="holds a newer version"):
            again["survey/maps/m0.fits@0"].product["image"][:]
        assert again["survey/maps/m0.fits@0"].meta["SEED"].value == 0


def test_what_was_overwritten_is_no_damage(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    pool.absorb("survey/maps/m1.fits")
    for number in range(2):
        image(survey / "maps" / f"m{number}.fits", 7 + number)
    pool.add(survey, in_place=True)
    for quick in (False, True):
        report = pool.verify(quick=quick)
        assert report.ok
        assert [each.hurt for each in report.overwritten] == [["survey/maps/m0.fits@0"]]
    run = CliRunner().invoke(app, ["verify", "-p", pool.path])
    assert run.exit_code == 0
    assert "sound: " in run.stdout
    assert "content of 1 older version gone, in files that hold newer ones" in run.stdout
    run = CliRunner().invoke(app, ["verify", "-p", pool.path, "--json"])
    (found,) = json.loads(run.stdout)["overwritten"]
    assert (found["where"], found["hurt"]) == (
        str(survey / "maps/m0.fits"), ["survey/maps/m0.fits@0"],
    )  # fmt: skip
    # Once nobody has added what the file holds, its newest version cannot be read any more.
    image(survey / "maps" / "m0.fits", 20)
    report = pool.verify()
    assert not pool.status().ok
    assert "survey/maps/m0.fits@1" in {name for each in report.problems for name in each.hurt}


def test_what_was_overwritten_is_no_damage_once_the_file_is_of_no_use(
    pool: Pool, survey: Path
) -> None:
    pool.add(survey, in_place=True)
    image(survey / "maps/m0.fits", 7)
    pool.add(survey, in_place=True)
    pool.absorb("survey/maps/m0.fits")
    for _ in range(2):
        report = pool.verify()
        assert report.ok
        assert [each.hurt for each in report.overwritten] == [["survey/maps/m0.fits@0"]]
        assert pool.status().ok
        (survey / "maps/m0.fits").unlink(missing_ok=True)
    # A file that nobody added anew is missed.
    (survey / "maps/m1.fits").unlink()
    assert [each.hurt for each in pool.verify().problems] == [["survey/maps/m1.fits@0"]]


def test_what_may_not_be_read_is_no_damage(
    pool: Pool, survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.add(survey, in_place=True)
    original = LocalFiles.open_read

    def refuse(self: LocalFiles, path: str) -> object:
        if path.endswith(("m0.fits", "m1.fits")):
            with explained("open", path):
                raise PermissionError(errno.EACCES, "Permission denied")
        return original(self, path)

    monkeypatch.setattr(LocalFiles, "open_read", refuse)
    report = pool.verify()
    assert not report.ok and report.problems == []
    hurt = {Path(each.where).name: each.hurt for each in report.unreadable}
    assert hurt == {"m0.fits": ["survey/maps/m0.fits@0"], "m1.fits": ["survey/maps/m1.fits@0"]}
    run = CliRunner().invoke(app, ["verify", "-p", pool.path])
    assert run.exit_code == 3
    assert "sound, but for 2 files that could not be read: " in run.stdout
    assert "not read: " in run.stdout and "damaged" not in run.stdout
    run = CliRunner().invoke(app, ["verify", "-p", pool.path, "--json"])
    assert len(json.loads(run.stdout)["unreadable"]) == 2
    (survey / "maps" / "m2.fits").unlink()
    run = CliRunner().invoke(app, ["verify", "-p", pool.path])
    assert run.exit_code == 12 and "damaged: " in run.stdout and "not read: " in run.stdout


def test_undo_names_content_that_does_not_come_back(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    pool.absorb("survey/maps/m1.fits")
    for number in range(2):
        image(survey / "maps" / f"m{number}.fits", 7 + number)
    commit = pool.add_report(survey, in_place=True).commit
    run = CliRunner().invoke(app, ["undo", str(commit), "-p", pool.path])
    assert run.exit_code == 0
    assert run.stdout.splitlines()[1:] == [
        "gone: survey/maps/m0.fits@2: its content was in a file that was written anew"
    ]
    run = CliRunner().invoke(app, ["undo", str(commit + 1), "-p", pool.path, "--json"])
    assert json.loads(run.stdout)["gone"] == []
    assert pool["survey/maps/m0.fits"].product["image"].max() > 0


def test_content_that_is_somewhere_is_not_told_gone(
    pool: Pool, survey: Path, tmp_path: Path
) -> None:
    pool.add(survey, in_place=True)
    pool.absorb("survey/maps/m0.fits")
    pool.add(survey / "maps" / "m1.fits", name="copy", in_place=True)
    shutil.copy2(survey / "maps" / "m2.fits", tmp_path / "m2.fits")
    pool.add(tmp_path / "m2.fits", name="elsewhere", in_place=True)
    for number in range(3):
        image(survey / "maps" / f"m{number}.fits", 7 + number)
    result = CliRunner().invoke(app, ["add", "-p", pool.path, "--in-place", str(survey)])
    assert "gone: survey/maps/m1.fits@0: its content was in a file" in result.stdout
    assert result.stdout.count("gone: ") == 1
    assert pool.add_report(survey, in_place=True).overwritten == []


def test_replaced_under_another_name_hurts(pool: Pool, survey: Path) -> None:
    pool.add(survey / "notes.txt", name="mine", in_place=True)
    (survey / "notes.txt").write_text("other words")
    pool.add(settle(survey / "notes.txt"), name="yours", in_place=True)
    report = pool.status()
    assert not report.ok
    assert [(s.state, s.products) for s in report.sources] == [("replaced", ("mine@0",))]
    assert [each.hurt for each in pool.verify().problems] == [["mine@0"]]  # the newest of its name


def test_which_files_have_the_content_now(pool: Pool, survey: Path) -> None:
    path = survey / "maps" / "m0.fits"
    ref = pool.add(path, in_place=True)
    session, document = ref.view.session, bytes.fromhex(ref.hash)
    assert [row.path for row in good_sources(session, document)] == [str(path)]
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert good_sources(session, document) == []
    assert len(good_sources(session, document, full=False)) == 1
    assert good_sources(session, bytes.fromhex(pool.add(survey / "notes.txt").hash)) == []


def test_the_command(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    run = CliRunner().invoke(app, ["-p", pool.path, "status"])
    assert (run.exit_code, run.stdout) == (0, "5 files in place: 5 fine\n")
    (survey / "notes.txt").unlink()
    run = CliRunner().invoke(app, ["-p", pool.path, "status"])
    assert run.exit_code == 3
    assert run.stdout.splitlines() == [
        f"missing    {survey}/notes.txt: gone (survey/notes.txt@0)",
        "5 files in place: 4 fine, 1 missing",
    ]
    run = CliRunner().invoke(app, ["-p", pool.path, "status", "--full", "--json", "survey"])
    found = json.loads(run.stdout)
    assert (run.exit_code, found["ok"]) == (3, False)
    assert found["counts"] == {"fine": 4, "missing": 1}
    assert found["sources"][0]["path"] == str(survey / "notes.txt")


def test_content_of_an_archive_is_copied(pool: Pool, survey: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "survey.tar", "w") as archive:
        archive.add(survey, "survey")
    pool.add(tmp_path / "survey.tar", in_place=True)
    assert pool.status().counts == {}
    with Pool(pool.path, "r") as again:
        assert again["survey/maps/m1.fits"].product["image"].shape == (280, 300)
        assert again.verify().ok


def test_a_file_of_another_time_is_told_what_to_do(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    touched, longer = survey / "maps/m0.fits", survey / "notes.txt"
    os.utime(touched, (1.5e9, 1.5e9))
    longer.write_text("more\n")
    reasons = {Path(s.path).name: s.reason for s in pool.status().sources}
    assert reasons["m0.fits"] == "its time is another one; --full compares its content"
    assert reasons["notes.txt"] == "it has 5 bytes now, and had 2,300"
    reasons = {Path(s.path).name: s.reason for s in pool.status(full=True).sources}
    assert "content is the same: add it again" in reasons["m0.fits"]
    assert pool.add_report(survey, in_place=True).overwritten == ["survey/notes.txt@0"]
    assert pool.status("survey").ok
    os.utime(touched, (1.4e9, 1.4e9))
    with open(touched, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(touched, (1.4e9, 1.4e9))
    (one,) = pool.status("survey/maps/m0.fits", full=True).sources
    assert one.reason == "its time is another one, and its content too"


def test_where_the_data_are_is_shown(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    path = str(survey / "maps/m0.fits")
    assert pool["survey/maps/m0.fits"].in_place == (path,)
    words = ["-p", pool.path, "show", "survey/maps/m0.fits"]
    assert f"data in   {path}" in CliRunner().invoke(app, words).output
    pool.absorb("survey/maps/m0.fits")
    assert pool["survey/maps/m0.fits"].in_place == ()
    assert "data in" not in CliRunner().invoke(app, words).output
    assert json.loads(CliRunner().invoke(app, [*words, "--json"]).output)["in_place"] == []


def test_a_folder_that_may_not_be_read_can_be_named(
    pool: Pool, survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.add(survey, in_place=True)
    shutil.copytree(survey, tmp_path / "disk2")
    before = os.access
    monkeypatch.setattr(os, "access", lambda path, *how: path != str(survey) and before(path, *how))
    words = ["-p", pool.path, "relocate", str(survey), str(tmp_path / "disk2")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert all(s.path.startswith(f"{tmp_path}/disk2/") for s in pool.status(every=True).sources)


def survey_of_folders(root: Path, count: int) -> None:
    for number in range(count):
        below = root / f"d{number:02d}"
        below.mkdir(parents=True)
        for each in range(3):
            path = below / f"f{number:02d}{each}.fits"
            image(path, 10 * number + each)
            os.utime(path, (1.5e9, 1.5e9))


def test_one_folder_of_many_is_looked_for_once(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moved_files, "_LOOKS", 2)
    survey = tmp_path / "many"
    survey_of_folders(survey, 12)
    pool.add(survey, in_place=True)
    looked: list[str] = []

    class Counting(moved_files.MovedFiles):
        def _fits(self, row: SourceRow, path: str) -> bool:
            looked.append(path)
            return super()._fits(row, path)

    monkeypatch.setattr("skypool.pool.sources.MovedFiles", Counting)
    (survey / "d05").rename(survey / "elsewhere")
    found = pool.status().sources
    assert [(s.state, s.found) for s in found] == [
        ("moved", str(survey / "elsewhere" / f"f05{each}.fits")) for each in range(3)
    ]
    assert len(looked) == 2 * 11 + 3  # twice in those that are known, always in the new one
    looked.clear()
    # Into a folder that the pool knows: found by the first looks, and then looked for there.
    for path in sorted((survey / "elsewhere").iterdir()):
        path.rename(survey / "d07" / path.name)
    (survey / "elsewhere").rmdir()
    assert {s.state for s in pool.status().sources} == {"moved"}
    assert len(looked) == 2 * 11 + 1
    looked.clear()
    for path in (survey / "d07").glob("f05*"):
        path.unlink()
    assert {s.state for s in pool.status().sources} == {"missing"}
    assert len(looked) == 2 * 11


def test_a_file_of_another_product_is_not_where_it_went(pool: Pool, tmp_path: Path) -> None:
    survey = tmp_path / "alike"
    for name in ("a", "b"):
        (survey / name).mkdir(parents=True)
        image(survey / name / "map.fits", ord(name))
        os.utime(survey / name / "map.fits", (1.5e9, 1.5e9))
    pool.add(survey, in_place=True)
    shutil.rmtree(survey / "a")
    (gone,) = pool.status().sources
    assert (gone.state, gone.found) == ("missing", "")
