"""A home of pools that belongs to the test alone."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of named pools; the old software's own is beside it, and empty."""
    monkeypatch.setenv("SKYPOOL_HOME", str(tmp_path / "pools"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "pools"
