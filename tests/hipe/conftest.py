"""A home of pools that belongs to the test alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skypool.hipe import managers


@pytest.fixture(autouse=True)
def close_pools() -> Iterator[None]:
    """Close the pools that a test opened by their names: HIPE's manager keeps them for good."""
    yield
    for opened in (managers._OPEN, managers._PUT):
        for pool in opened.values():
            pool.pool.close()
        opened.clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of named pools; the old software's own is beside it, and empty."""
    monkeypatch.setenv("SKYPOOL_HOME", str(tmp_path / "pools"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "pools"
