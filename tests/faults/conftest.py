"""Pools to start from, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .operations import MAKERS


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for make in MAKERS:
        base = folder / make.__name__.removeprefix("make_")
        base.mkdir()
        make(base)
    return folder
