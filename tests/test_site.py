"""The documentation builds as a site, without a link that leads nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import skypool

ROOT = Path(__file__).resolve().parents[1]


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("myst_parser", reason="the extra `docs` is not installed")
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/docs.py", tmp_path], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    public = (tmp_path / "html/python.html").read_text()
    for name in set(skypool.__all__) - {"__version__", "errors"}:
        assert f'id="skypool.{name}"' in public
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in docs()}
    assert all((tmp_path / "html" / page).is_file() for page in pages)


def docs() -> list[Path]:
    return list((ROOT / "docs").rglob("*.md"))
