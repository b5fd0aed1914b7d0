"""Parts of a pool that are missing or of another pool: clear errors, and ways back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.pool.upkeep import answers, state_of

import skypool as sp
from skypool.cli.app import run
from skypool.errors import Damaged, PoolNotFound, SkypoolError

from .made import product, small_pool


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    small_pool(tmp_path / "pool", tmp_path / "tree")
    return tmp_path / "pool"


def said(pool: Path) -> object:
    with sp.Pool(pool, "r") as reading:
        return answers(reading)


@pytest.mark.parametrize("how", ["missing", "empty", "flipped", "json", "other id", "not text"])
def test_marker_is_made_anew(
    pool: Path, how: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = said(pool)
    marker = pool / "skypool.json"
    old = json.loads(marker.read_text())
    content = {
        "empty": b"",
        "flipped": marker.read_bytes().replace(b'"id"', b'"ie"'),
        "json": b"{}",
        "other id": marker.read_bytes().replace(old["id"].encode(), b"ab" * 16),
        "not text": bytes(range(255, 100, -1)),
    }
    if how == "missing":
        marker.unlink()
    else:
        marker.write_bytes(content[how])
    with pytest.raises((Damaged, PoolNotFound)) as caught, sp.Pool(pool, "r") as reading:
        reading.verify()
        with sp.Pool(pool) as writing:
            writing.save(product(5), name="x")
    if how != "missing":
        assert "reindex" in caught.value.hint
    assert run(["-p", str(pool), "reindex"]) == 0
    assert "made anew" in capsys.readouterr().err
    new = json.loads(marker.read_text())
    assert {key: new[key] for key in ("id", "version", "journal", "features")} == {
        key: old[key] for key in ("id", "version", "journal", "features")
    }
    assert said(pool) == before
    assert run(["-p", str(pool), "verify"]) == 0
    with sp.Pool(pool) as writing:
        writing.save(product(5), name="x")
        assert writing.verify().ok


def test_right_marker_is_left_alone(pool: Path) -> None:
    before = (pool / "skypool.json").read_bytes()
    assert run(["-p", str(pool), "reindex"]) == 0
    assert (pool / "skypool.json").read_bytes() == before


def test_folder_that_is_no_pool_does_not_become_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert run(["-p", str(tmp_path / "folder"), "reindex"]) == 10
    assert list((tmp_path / "folder").iterdir()) == []


def test_marker_of_a_newer_format_is_left_alone(pool: Path) -> None:
    marker = pool / "skypool.json"
    marker.write_text(marker.read_text().replace('"version": 1', '"version": 2'))
    before = state_of(pool)
    assert run(["-p", str(pool), "reindex"]) == 1
    assert state_of(pool) == before


@pytest.mark.parametrize("part", ["lock", "README.txt", "commits.log", "packs", "catalogue.sqlite"])
def test_missing_parts_in_writing(pool: Path, tmp_path: Path, part: str) -> None:
    shutil.copytree(pool, tmp_path / "copy")
    before = said(pool)
    path = pool / part
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    try:
        with sp.Pool(pool) as writing:
            writing.save(product(5), name="x")
            writing.remove("x")
    except SkypoolError as error:
        assert error.hint
    with sp.Pool(pool) as writing:
        report = writing.repair([tmp_path / "copy"])
        assert report.ok, report.verified.problems
        writing.save(product(6), name="y")
    with sp.Pool(pool, "r") as reading:
        assert reading.verify().ok
        assert reading["maps/a"].meta["seed"].value == 11
        assert reading.diff("maps/a@0", "maps/a@1") is not None
    known = {str(entry) for entry in before}  # type: ignore[attr-defined]
    assert known - {str(entry) for entry in said(pool)} == set()  # type: ignore[attr-defined]
