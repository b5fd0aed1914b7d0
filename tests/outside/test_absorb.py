"""`absorb`: content goes into the pool, and its files may go away."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from skypool.cli.app import app
from skypool.errors import SourceChanged, SourceMissing
from skypool.pool.pool import Pool

from .conftest import image


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}


@pytest.mark.parametrize("headers_only", [False, True])
@pytest.mark.parametrize("how", ["exact", "content"])
def test_the_files_may_go(
    pool: Pool, survey: Path, tmp_path: Path, headers_only: bool, how: str
) -> None:
    pool.add(survey, in_place=True, headers_only=headers_only, gzip=how)
    urns = {ref.name: ref.urn for ref in pool.ls()}
    size = sum(path.stat().st_size for path in survey.rglob("*.*"))
    report = pool.absorb("survey")
    assert (report.absorbed, report.skipped, report.bytes) == (5, [], size)
    assert report.commits == [pool.history()[0].number]
    content = files_of(survey)
    shutil.rmtree(survey)
    assert {ref.name: ref.urn for ref in pool.ls()} == urns
    pool.gc(grace=0)
    pool.gc(grace=0)
    for attempt in range(2):
        assert pool.status().counts == {}
        with Pool(pool.path, "r") as again:
            assert again.verify().ok
            if how == "exact":
                again.export("survey", tmp_path / f"out{attempt}")
                assert files_of(tmp_path / f"out{attempt}") == content
        pool.reindex()


def test_what_was_dropped_stays(pool: Pool, survey: Path, tmp_path: Path) -> None:
    """It was dropped because its file has it: gc took away what was absorbed, and the file went."""
    pool.add(survey)
    pool.add(survey, in_place=True)
    pool.add(survey / "maps/m1.fits", name="again.fits", in_place=True)
    assert pool.drop(["name:survey", "again.fits"]).versions == 6
    pool.gc(grace=0)
    assert pool.verify().ok
    content = files_of(survey)
    pool.absorb("survey")
    shutil.rmtree(survey)
    for _ in range(2):
        pool.gc(grace=0)
        assert pool["again.fits"].dropped == ()
        pool.export("name:survey", tmp_path / "out", overwrite=True)
        assert files_of(tmp_path / "out") == content
        pool.reindex()
    assert pool.verify().ok


def test_one_of_them(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    values = fits.getdata(survey / "maps/m1.fits").copy()
    assert pool.absorb("survey/maps/m1.fits").absorbed == 1
    assert pool.absorb("survey/maps/m1.fits").absorbed == 0
    shutil.rmtree(survey)
    with Pool(pool.path, "r") as again:
        np.testing.assert_array_equal(np.asarray(again["survey/maps/m1"].product["image"]), values)
        assert again.status().counts == {"missing": 4}


def test_an_old_version_outlives_its_file(pool: Pool, survey: Path) -> None:
    path = survey / "maps/m1.fits"
    values = fits.getdata(path).copy()
    pool.add(survey, in_place=True)
    pool.absorb("survey/maps/m1")
    image(path, 9)
    pool.add(survey, in_place=True)
    with Pool(pool.path, "r") as again:
        np.testing.assert_array_equal(
            np.asarray(again["survey/maps/m1.fits@0"].product["image"]), values
        )
        assert again["survey/maps/m1.fits@1"].meta["SEED"].value == 9
        assert again.status().ok
        assert again.verify().ok


def test_changed_files_are_not_taken(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True)
    image(survey / "maps/m0.fits", 8)
    hidden = survey / "notes.txt"
    before = hidden.stat()
    hidden.write_bytes(hidden.read_bytes().replace(b"our", b"his"))
    os.utime(hidden, ns=(before.st_atime_ns, before.st_mtime_ns))
    (survey / "maps/m2.fits").unlink()
    report = pool.absorb("survey")
    assert report.absorbed == 2
    assert {Path(path).name for path, _ in report.skipped} == {"m0.fits", "notes.txt", "m2.fits"}
    with pytest.raises(SourceMissing):
        pool.absorb("survey/maps/m2.fits")
    with pytest.raises(SourceChanged, match="though its size and time are"):
        pool.absorb("survey/notes.txt")
    assert pool.status().counts == {"changed": 1, "missing": 1, "fine": 1}


def test_stopping_keeps_what_was_done(
    pool: Pool, survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.add(survey, in_place=True)
    monkeypatch.setattr("skypool.pool.absorbing._FILES", 2)

    def stop(step: Any) -> None:
        if step.items >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.absorb("survey", progress=stop)
    assert sum(pool.status().counts.values()) == 1
    assert pool.absorb(pool["survey"]).absorbed == 1
    assert pool.verify().ok


def test_a_file_in_two_places(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    shutil.copytree(survey, tmp_path / "copy")
    pool.add(tmp_path / "copy", in_place=True)
    shutil.rmtree(survey)
    assert pool.absorb("survey").absorbed == 5
    shutil.rmtree(tmp_path / "copy")
    assert pool.status().counts == {}
    assert pool.verify().ok


def test_a_clone_has_it(pool: Pool, survey: Path, tmp_path: Path) -> None:
    pool.add(survey, in_place=True)
    with pool.clone(tmp_path / "early") as early:
        pool.absorb("survey")
        shutil.rmtree(survey)
        with pool.clone(tmp_path / "late") as late:
            assert late.verify().ok
            assert late["survey/maps/m1"].product["image"].shape == (280, 300)
        early.pull(pool.path)
        assert early.status().counts == {}
        assert early.verify().ok


def test_the_command(pool: Pool, survey: Path) -> None:
    pool.add(survey, in_place=True, headers_only=True)
    run = CliRunner().invoke(app, ["-p", pool.path, "complete", "survey/notes.txt"])
    assert run.exit_code == 0
    assert run.stdout.startswith("1 file read, 2.30 kB, ")
    (survey / "notes.txt").unlink()
    run = CliRunner().invoke(app, ["-p", pool.path, "absorb", "survey", "--json"])
    found = json.loads(run.stdout)
    assert run.exit_code == 3
    assert found["absorbed"] == 4
    assert found["skipped"][0]["path"] == str(survey / "notes.txt")
    run = CliRunner().invoke(app, ["-p", pool.path, "complete", "--json"])
    assert json.loads(run.stdout) == {"completed": 0, "bytes": 0, "skipped": [], "commits": []}


def test_what_is_in_files_alone_has_nothing_to_drop(pool: Pool, survey: Path) -> None:
    """Dropping it took headers for lost, which are in the file as well."""
    pool.add(survey, in_place=True)
    report = pool.drop("name:survey")
    assert (report.versions, report.already, report.commit) == (0, 7, None)
    assert pool["survey/maps/m1.fits"].dropped == ()
    assert pool.verify().ok


def test_what_the_pool_has_needs_no_file(pool: Pool, survey: Path, tmp_path: Path) -> None:
    """Its files were missed for ever, as nothing could end that they are looked for."""
    pool.add(survey)
    pool.add(survey, in_place=True)
    pool.add(image(tmp_path / "own.fits", 5), in_place=True)
    content = files_of(survey)
    shutil.rmtree(survey)
    (tmp_path / "own.fits").unlink()
    report = pool.absorb(["name:survey", "own.fits"])
    assert report.absorbed == 5
    assert [Path(path).name for path, _ in report.skipped] == ["own.fits"]
    for _ in range(2):
        pool.gc(grace=0)
        assert pool.status().counts == {"missing": 1}
        pool.export("name:survey", tmp_path / "out", overwrite=True)
        assert files_of(tmp_path / "out") == content
        pool.reindex()
