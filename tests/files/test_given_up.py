"""The pool as it was, where versions were given up since: all faces mark them alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import skypool as sp
from skypool.cli.app import app
from skypool.errors import NotFound, Purged
from skypool.files.tree import Tree


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    """A pool whose first state was given up, but for one product that has not changed since."""
    here = tmp_path / "obs"
    here.mkdir()
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(datasets={"x": np.arange(9.0)}), name="made/x")
        pool.save(sp.Product(kind="MapContext"), name="made/empty")
        (here / "old.txt").write_text("first")
        pool.add(here)
        pool.save(sp.Product(datasets={"x": np.arange(5.0)}), name="kept", tags=["good"])
        pool.at_first = pool.history()[0].number  # type: ignore[attr-defined]
        pool.save(sp.Product(datasets={"x": np.arange(8.0)}), name="made/x")
        pool.save(sp.Product(kind="MapContext", meta={"n": 1}), name="made/empty")
        (here / "old.txt").write_text("second")
        pool.add(here)
        pool.purge(pool.ls(), keep=1)
        pool.gc(grace=0)
        yield pool


WERE = ["made/empty", "made/x", "obs", "obs/old.txt"]


@pytest.fixture
def before(pool: sp.Pool) -> sp.Pool:
    return pool.at(pool.at_first)  # type: ignore[attr-defined]


def test_refs_tell(before: sp.Pool) -> None:
    assert [ref.name for ref in before.ls() if ref.purged] == WERE
    assert [ref.name for ref in before.ls() if not ref.purged] == ["kept"]
    assert "given up" in repr(before["made/x"])
    assert before["obs/old.txt"].size == 5
    assert [ref.name for ref in before.find("")] == ["kept"]
    with pytest.raises(Purged):
        _ = before["made/x"].meta


def test_saved_searches(pool: sp.Pool) -> None:
    pool.save_search("all", "")
    at = pool.history()[0].number
    pool.save_search("all", "version == 0")
    pool.purge(next(ref for ref in pool.ls() if "all" in ref.name), keep=1)
    assert list(pool.searches()) == ["all"]
    assert list(pool.at(at).searches()) == []


def test_folders(pool: sp.Pool, before: sp.Pool) -> None:
    tree = Tree(pool)
    for top in (f"@at/{before.view.at}/", ""):
        tree = Tree(before if not top else pool)
        assert {entry.name for entry in tree.children(top)} >= {"made", "obs", "kept.fits"}
        assert [entry.name for entry in tree.children(f"{top}made")] == [
            "empty.given-up",
            "x.given-up",
        ]
        note = tree.entry(f"{top}obs/old.txt.given-up")
        assert [entry.name for entry in tree.children(f"{top}obs")] == [note.name]
        with note.open() as file:
            text = file.pread(0, 1000)
        assert text.startswith(b"obs/old.txt@0 was given up by commit")
        assert note.size == len(text)
        with pytest.raises(NotFound):
            tree.entry(f"{top}obs/old.txt")
        assert [entry.name for entry in tree.children(f"{top}@versions/obs")] == []
    # One is found before its folder was listed, too.
    assert Tree(before).entry("made/x.given-up").size


def test_export_of_all(before: sp.Pool, tmp_path: Path) -> None:
    report = before.export_all(tmp_path / "out")
    assert report.files == 1
    assert [name for name, _ in report.skipped] == [f"{name}@0" for name in WERE]
    assert all(why.startswith("was given up by commit") for _, why in report.skipped)
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["kept.fits"]
    with pytest.raises(Purged):
        before.export_all(tmp_path / "bag", bag=True)
    with pytest.raises(Purged):
        before.export("obs", tmp_path / "obs2")
    left: list[tuple[str, str]] = []
    assert [file.path for file in before.manifest(given_up=left)] == ["kept.fits"]
    assert len(left) == 4
    with pytest.raises(Purged):
        list(before.manifest())


def test_commands(before: sp.Pool, tmp_path: Path) -> None:
    at = ["--at", str(before.view.at)]

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["-p", before.path, *words, *at])
        return result.exit_code, result.stdout

    code, out = run("ls")
    assert code == 0
    assert [line.split("\t")[-1] for line in out.splitlines()] == ["good", *["(given up)"] * 4]
    code, out = run("--json", "ls")
    assert [json.loads(line).get("purged") for line in out.splitlines()] == [None, *[True] * 4]
    code, out = run("export", "--all", str(tmp_path / "out"))
    assert code == 3
    assert out.count("left out: ") == 4
    code, out = run("manifest")
    assert code == 3
    assert len(out.splitlines()) == 1
    (tmp_path / "list").write_text(out)
    assert run("manifest", "--check", str(tmp_path / "list"))[0] == 0
