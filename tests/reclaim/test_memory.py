"""Memory does not grow with the pool: fresh processes work on pools of many small chunks."""

from __future__ import annotations

from pathlib import Path

import pytest

import skypool as sp
from reclaim.made import content, fill, measured
from skypool.pool.pool import Pool

MOST = 300

WORK = {
    "gc": ("assert pool.gc(grace=0, removed_after=0).reclaimed > 0", "a"),
    "gc without garbage": ("assert pool.gc(grace=0).reclaimed == 0", "a"),
    "gc --dry-run": ("pool.gc(grace=0, dry_run=True)", "r"),
    "verify": ("assert pool.verify().ok", "r"),
    "verify --quick": ("assert pool.verify(quick=True).ok", "r"),
    "reindex": ("pool.reindex()", "a"),
}


def made(folder: Path, chunks: int) -> Path:
    with sp.Pool(folder) as pool:
        fill(pool, chunks, dead=0.4)
    return folder


def is_right(folder: Path, chunks: int, *numbers: int) -> None:
    with sp.Pool(folder) as pool:
        for number in numbers:
            data = Path(pool[f"f/1/{number}"].path).read_bytes()
            assert data == content(chunks, number, dead=0.4)


def test_memory_of_upkeep_does_not_grow_with_the_pool(tmp_path: Path) -> None:
    small, large = made(tmp_path / "small", 20_000), made(tmp_path / "large", 80_000)
    for name, (work, mode) in WORK.items():
        few, _ = measured(small, work, mode)
        many, _ = measured(large, work, mode)
        # 60,000 chunks more: a list of their names alone would be twice of that.
        assert many - few < 30, (name, few, many)
    is_right(large, 80_000, 0, 7)


@pytest.mark.campaign
def test_a_million_chunks_in_less_than_300_mb(tmp_path: Path) -> None:
    folder = made(tmp_path / "pool", 1_000_000)
    for name, (work, mode) in WORK.items():
        peak, _ = measured(folder, work, mode)
        assert peak < MOST, (name, peak)
    is_right(folder, 1_000_000, 0, 99)


def test_many_small_chunks_are_collected_right(tmp_path: Path) -> None:
    """Blocks of which a part is needed, over several ranges and packs."""
    with sp.Pool(tmp_path / "pool") as pool:
        start(pool)
        fill(pool, 15_000, dead=0.9)
        fill(pool, 15_000, dead=0.3, seed=2)
        pool.remove("f/2/0")
        report = pool.gc(grace=0, removed_after=0)
        assert report.purged == 1
        assert pool.verify().ok
    with sp.Pool(tmp_path / "pool", "r") as pool:
        for seed, dead, number in ((1, 0.9, 0), (1, 0.9, 1), (2, 0.3, 1)):
            data = Path(pool[f"f/{seed}/{number}"].path).read_bytes()
            assert data == content(15_000, number, dead=dead, seed=seed)
        left = pool.view.session.catalogue.database.query("SELECT count(*) FROM chunks")[0][0]
        assert left < 2 * 15_000 * 0.5


def start(pool: Pool) -> None:
    """Let packs be rolled early."""
    pool._create().store._roll_bytes = 500_000
