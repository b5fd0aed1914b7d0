"""The demo and the benchmarks run; what they print fits a terminal. No test looks at times."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("skypool_demo", ROOT / "examples/demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_demo_gets_everything_back(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    folder = Path("demo")
    assert demo.main(folder, scale=0.02) == 0
    first = capsys.readouterr().out
    # It fits a terminal; the commands to try hold the path of this environment, however long.
    lines = first.splitlines()
    assert [line for line in lines if len(line) > 80 and "skypool -p" not in line] == []
    assert "DIFFERENT" not in first
    assert first.count("files the same") == 3
    tried = [line for line in first.splitlines() if "skypool -p" in line]
    assert len(tried) == 3
    for line in tried:
        done = subprocess.run(
            line.strip(), shell=True, cwd=Path.cwd(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()

    # Again from scratch, in the same folder.
    assert demo.main(folder, scale=0.02) == 0
    again = capsys.readouterr().out
    assert again.count("\n") == first.count("\n")


def test_the_demo_leaves_other_folders_alone(demo: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("three years of work")
    with pytest.raises(SystemExit, match="left alone"):
        demo.main(tmp_path, scale=0.02)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "peers", [(), pytest.param(("Butler", "fdi"), marks=pytest.mark.campaign)], ids=["files", "all"]
)
def test_the_benchmarks_run(tmp_path: Path, peers: tuple[str, ...]) -> None:
    results = tmp_path / "results.json"
    words = [
        sys.executable, ROOT / "benchmarks/run.py", "--small", "--runs", "1",
        "--only", "observation",
        "--scratch", tmp_path / "scratch", "--json", results,
    ]  # fmt: skip
    if not peers:  # these would be installed, each into an environment of its own
        words += ["--without", "butler", "--without", "fdi"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text())
    assert not set(peers) & set(found["missing"])
    figures = found["figures"]
    assert set(figures) == {"observation"}
    assert all(figure["ours"] > 0 for family in figures.values() for figure in family)
    assert len(figures["observation"]) == 4 * (1 + len(peers))
    assert not (tmp_path / "scratch/run").exists()
