"""What the tests of Herschel's observations share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skypool as sp


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as made:
        yield made


@pytest.fixture(scope="session")
def content() -> Callable[[Path], dict[str, str]]:
    """Give the files below a folder, with a digest of each; empty folders end in a slash."""

    def of(root: Path) -> dict[str, str]:
        found = {}
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            if path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif not any(path.iterdir()):
                found[f"{name}/"] = ""
        return found

    return of
