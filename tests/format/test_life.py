"""Pools of a newer format are refused, with what to do, by Python and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool.errors import Damaged, FormatTooNew
from skypool.pool.folder import FORMAT_VERSION

NEWER = {
    "version": ({"version": FORMAT_VERSION + 1}, f"format {FORMAT_VERSION + 1}"),
    "feature": ({"features": ["rings"]}, "rings"),
    "both": ({"version": 99, "features": ["rings"]}, "format 99"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(type="A"), name="a")
    return tmp_path / "pool"


def mark(path: Path, **changed: Any) -> None:
    marker = path / "skypool.json"
    marker.write_text(json.dumps(json.loads(marker.read_text("ascii")) | changed), "ascii")


def content(path: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_a_pool_records_its_format(path: Path) -> None:
    marker = json.loads((path / "skypool.json").read_text("ascii"))
    assert (marker["format"], marker["version"], marker["features"]) == ("skypool", 1, [])


@pytest.mark.parametrize("newer", NEWER)
@pytest.mark.parametrize("mode", ["a", "r"])
def test_python_refuses_a_newer_format(path: Path, newer: str, mode: str) -> None:
    changed, what = NEWER[newer]
    mark(path, **changed)
    before = content(path)
    with pytest.raises(FormatTooNew, match=what) as caught:
        sp.Pool(path, mode)
    assert str(path) in caught.value.message
    assert "newer skypool" in caught.value.hint
    assert content(path) == before


@pytest.mark.parametrize("newer", NEWER)
@pytest.mark.parametrize(
    "verb", [["ls"], ["verify"], ["add", "FILE"], ["gc"], ["reindex"], ["tag", "a", "b"]]
)
def test_the_command_line_refuses_a_newer_format(
    path: Path, newer: str, verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from skypool.cli.app import run

    changed, what = NEWER[newer]
    mark(path, **changed)
    file = path.parent / "file"
    file.write_bytes(b"x")
    before = content(path)
    words = [str(file) if word == "FILE" else word for word in verb]
    assert run(["-p", str(path), *words]) == FormatTooNew.exit_code == 1
    told = capsys.readouterr()
    assert told.out == ""
    first, hint = told.err.splitlines()
    assert first.startswith(f"skypool: the pool {path} has ")
    assert what in first
    assert "pip install --upgrade skypool" in hint
    assert run(["-p", str(path), *words, "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "format_too_new"
    assert "pip install --upgrade" in error["hint"]
    assert content(path) == before


def test_the_program_refuses_a_newer_format(path: Path) -> None:
    mark(path, version=2)
    done = subprocess.run(
        [sys.executable, "-m", "skypool", "-p", path, "ls", "--json"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "format_too_new"


def test_keys_of_later_releases_are_no_obstacle(path: Path) -> None:
    """What needs to be known to read a pool is a feature; other additions are ignored, kept."""
    mark(path, colour="blue", nested={"a": [1]})
    (path / "notes of a later release.json").write_text("{}")
    before = (path / "skypool.json").read_bytes()
    with sp.Pool(path) as pool:
        pool.save(sp.Product(type="B"), name="b")
        pool.gc(grace=0)
        pool.reindex()
        assert pool.verify().ok
    assert (path / "skypool.json").read_bytes() == before
    assert (path / "notes of a later release.json").exists()


def test_catalogue_of_a_later_release_is_made_anew(path: Path) -> None:
    """It is an index, no part of the format: whoever may write gets one that fits."""
    import sqlite3

    connection = sqlite3.connect(path / "catalogue.sqlite")
    connection.execute("PRAGMA user_version=9999")
    connection.close()
    with pytest.raises(sp.errors.StorageError, match="another version") as caught:
        sp.Pool(path, "r").ls()
    assert "reindex" in caught.value.hint
    with sp.Pool(path) as pool:
        assert [ref.name for ref in pool] == ["a"]
        assert pool.verify().ok


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": "skypool"}', '{"format": "other", "version": 1}', "\0\xff"]
)
def test_marker_that_is_none(path: Path, text: str) -> None:
    (path / "skypool.json").write_text(text, "latin-1")
    with pytest.raises(Damaged, match=r"skypool\.json") as caught:
        sp.Pool(path)
    assert caught.value.hint
