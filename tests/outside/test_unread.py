"""Folders that are added again while a part of them cannot be read: it stays as it was."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skypool.cli.app import app
from skypool.errors import NotFound, SourceMissing, StorageError, UsageError
from skypool.pool.pool import Pool
from skypool.storage.inplace import FileSource

from .conftest import image


@pytest.fixture
def forbid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Have a folder that cannot be listed, whoever asks."""
    before = os.scandir

    def forbid(folder: Path) -> None:
        def scandir(path: Any = ".") -> Iterator[os.DirEntry[str]]:
            if os.fspath(path) == str(folder):
                raise PermissionError(errno.EACCES, "Permission denied", str(folder))
            return before(path)

        monkeypatch.setattr("skypool.pool.trees.os.scandir", scandir)

    return forbid


@pytest.mark.parametrize("in_place", [False, True])
def test_a_folder_that_cannot_be_listed_is_not_empty(
    pool: Pool, survey: Path, forbid: Callable[[Path], None], in_place: bool
) -> None:
    pool.add(survey, in_place=in_place)
    names = [ref.name for ref in pool.ls()]
    forbid(survey / "maps")
    report = pool.add_report(survey, in_place=in_place)
    assert [path for path, _ in report.skipped] == [str(survey / "maps")]
    assert (report.removed, list(report.saved)) == ([], [])
    assert [ref.name for ref in pool.ls()] == names
    assert sorted(pool["survey/maps"].refs) == ["m0.fits", "m1.fits", "m2.fits"]


def test_what_is_behind_a_link_to_a_disk_that_is_away_stays(
    pool: Pool, survey: Path, tmp_path: Path
) -> None:
    away = tmp_path / "disk2"
    image(away / "deep/d1.fits", 11)
    (survey / "a disk").symlink_to(away)
    (survey / "maps/m9.fits").symlink_to(away / "deep/d1.fits")
    pool.add(survey, in_place=True)
    names = [ref.name for ref in pool.ls()]
    away.rename(tmp_path / "disk3")
    image(survey / "maps/m1.fits", 12)
    report = pool.add_report(survey, in_place=True)
    assert report.removed == []
    assert [ref.name for ref in pool.ls()] == names
    assert list(pool["survey"].refs) == list(pool["survey@0"].refs)
    assert pool["survey/maps"].refs["m9.fits"] == pool["survey/maps/m9.fits"]
    assert pool["survey/maps"].refs["m1.fits"].version == 1
    # What has gone for good is no unread one.
    (survey / "a disk").unlink()
    report = pool.add_report(survey, in_place=True)
    assert set(report.removed) == {
        "survey/a disk/deep/d1.fits",
        "survey/a disk/deep",
        "survey/a disk",
    }
    assert "a disk" not in pool["survey"].refs


def test_a_folder_of_which_nothing_is_seen_is_refused(
    pool: Pool, survey: Path, forbid: Callable[[Path], None]
) -> None:
    forbid(survey)
    with pytest.raises(StorageError, match="cannot be read: Permission denied"):
        pool.add(survey)
    assert list(pool.ls()) == []


@pytest.fixture
def later(pool: Pool, survey: Path) -> Iterator[Pool]:
    """A pool of files in place that remembers no content."""
    pool.add(survey, in_place=True)
    pool.close()
    with Pool(pool.path) as later:
        yield later


def test_the_rest_is_exported(later: Pool, survey: Path, tmp_path: Path) -> None:
    pool = later
    lost = survey / "maps/m1.fits"
    lost.unlink()
    with pytest.raises(SourceMissing):
        pool.export("survey", tmp_path / "a")
    report = pool.export("survey", tmp_path / "b", skip_damaged=True)
    assert [name for name, _ in report.skipped] == ["survey/maps/m1.fits@0"]
    assert len(report.files) == 4
    whole = pool.export_all(tmp_path / "c", skip_damaged=True)
    assert (whole.files, whole.skipped) == (4, report.skipped)
    for folder in (tmp_path / "b", tmp_path / "c/survey"):
        for path in (p for p in survey.rglob("*") if p.is_file()):
            assert (folder / path.relative_to(survey)).read_bytes() == path.read_bytes()
        assert not (folder / "maps/m1.fits").exists()
    # A product that was asked for is no rest.
    with pytest.raises(SourceMissing):
        pool.export("survey/maps/m1.fits", tmp_path / "d", skip_damaged=True)
    words = ["-p", pool.path, "export", "survey", str(tmp_path / "e"), "--skip-damaged"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert f"left out: survey/maps/m1.fits@0: {lost} is gone\n" in result.output
    image(lost, 1)
    assert pool.add_report(survey, in_place=True).overwritten == []
    assert pool.export_all(tmp_path / "c", skip_damaged=True).files == 1


def test_what_is_not_there_is_said(pool: Pool, survey: Path) -> None:
    pool.add(survey)
    for words in (["drop", "survey", "--versions", "9"], ["get", "survey", "--versions", "9"]):
        result = CliRunner().invoke(app, ["-p", pool.path, *words])
        assert result.exit_code == 4
        assert "no versions 9" in result.output
    with pytest.raises(UsageError, match="empty"):
        pool.relocate("", survey)
    nothing = pool.find("false")
    assert (pool.drop(nothing).versions, pool.bring_back(nothing).versions) == (0, 0)
    with pytest.raises(NotFound, match="nothing to copy"):
        pool.copy(nothing, to=survey.parent / "other")


def test_a_file_that_changes_while_it_is_read(
    pool: Pool, survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.add(survey, in_place=True)
    before = FileSource.pread

    def pread(self: FileSource, offset: int, length: int) -> bytes:
        if os.path.basename(self.path) == "notes.txt":
            with open(self.path, "ab") as file:
                file.write(b"x")
        return before(self, offset, length)

    with open(survey / "notes.txt", "a") as file:
        file.write("more")
    with monkeypatch.context() as patch:
        patch.setattr(FileSource, "pread", pread)
        report = pool.add_report(survey, in_place=True)
    path = str(survey / "notes.txt")
    assert report.skipped == [(path, f"{path} changed while it was read")]
    assert "notes.txt" in pool["survey"].refs
    assert pool.add_report(survey, in_place=True).skipped == []
    assert pool["survey/notes.txt"].version == 1
