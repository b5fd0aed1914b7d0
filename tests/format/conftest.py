"""The pool that most tests of the format read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from skypool.storage.store import ChunkStore

from .pools import Made, fill


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A pool of several packs with many kinds of files, versions, names and tags."""
    base = tmp_path_factory.mktemp("format")
    made_pool = Made(base / "pool")
    options: dict[str, Any] = ChunkStore.__init__.__kwdefaults__
    before = options["roll_bytes"]
    options["roll_bytes"] = 6_000_000
    try:
        fill(made_pool, base / "obs")
    finally:
        options["roll_bytes"] = before
    yield made_pool
    shutil.rmtree(base)
