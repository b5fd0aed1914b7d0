"""Small pools for tests of clones, and what is asked of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def packs_of(pool: Path | str) -> list[Path]:
    return sorted((Path(pool) / "packs").glob("*.pack"))
