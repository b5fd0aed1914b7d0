"""A quota of the file system is used up: nobody sees it beforehand, and the disk shows room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import skypool as sp
from skypool.errors import DiskFull
from skypool.storage.filelayer import LocalFiles
from skypool.testing.faults import sqlite_is_reachable
from skypool.testing.faults.quota import QuotaCalls, quota

from .operations import product, state
from .test_limits import check_clear, check_goes_on, check_whole, large

LIMIT = 6 << 20

pytestmark = pytest.mark.skipif(
    not sqlite_is_reachable(), reason="the library of SQLite does not show its functions"
)


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[QuotaCalls]:
    found = QuotaCalls(tmp_path / "disk", LIMIT)
    (tmp_path / "disk").mkdir()
    with quota(found):
        yield found


def use_up(calls: QuotaCalls, path: Path, left: int = 0) -> None:
    path.write_bytes(bytes(max(0, calls.room() - left)))
    assert calls.room() == left
    assert shutil.disk_usage(path).free > 64 << 20


def without_tags(pool: sp.Pool) -> dict[str, list[Any]]:
    return {name: [version[:3] for version in found] for name, found in state(pool).items()}


@pytest.mark.parametrize("left", [0, 8192, 49 * 4096])
def test_nothing_is_lost_and_what_is_refused_is_said(
    calls: QuotaCalls, tmp_path: Path, left: int
) -> None:
    path, files = tmp_path / "disk/pool", LocalFiles(calls)
    with sp.Pool(path, files=files) as pool:
        pool.save(product(1), name="maps/first")
        with sp.Pool(path, "r", files=files) as reader:
            before = without_tags(reader)
            use_up(calls, tmp_path / "disk/rest", left)
            for seed in range(3):
                with pytest.raises(DiskFull) as caught:
                    pool.save(large(seed), name=f"maps/{seed}")
                check_clear(caught.value, path)
            with pytest.raises(DiskFull) as caught:
                for number in range(1000):
                    pool.tag("maps/first", f"tag {number} {'x' * 500}")
            check_clear(caught.value, path)
            assert calls.refused
            check_whole(pool)
            check_whole(reader)
            assert without_tags(pool) == before
            (tmp_path / "disk/rest").unlink()
        check_goes_on(pool, path)


@pytest.mark.parametrize("sealed", [False, True])
def test_space_is_given_back(calls: QuotaCalls, tmp_path: Path, sealed: bool) -> None:
    """Also by who opens the pool only then, and where a pack must be rewritten."""
    path, files = tmp_path / "disk/pool", LocalFiles(calls)
    with sp.Pool(path, "x", files=files) as pool:
        pool.view.session.store._roll_bytes = 2_000_000 if sealed else 1 << 30
        for seed in range(5):
            pool.save(large(seed), name="maps/a")
        pool.tag("maps/a@1", "kept")
    assert (path / "reserve").exists()
    use_up(calls, tmp_path / "disk/rest")
    with sp.Pool(path, files=files) as pool:
        assert pool["maps/a"].version == 4
        with pytest.raises(DiskFull):
            pool.save(large(9), name="maps/b")
    with sp.Pool(path, files=files) as pool:
        assert pool.purge("maps/a").versions == 3
    with sp.Pool(path, files=files) as pool:
        assert pool.gc(grace=0).reclaimed > 1_500_000
        check_whole(pool)
        assert pool["kept"].product["image"][:].shape == (300, 300)
        pool.save(large(9), name="maps/b")
        check_goes_on(pool, path)
    assert calls.refused
