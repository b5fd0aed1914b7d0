"""What a pool may take: refused before it is written, and nothing is left half written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import skypool as sp
from skypool.cli.app import app
from skypool.errors import DiskFull, QuotaExceeded, UsageError
from skypool.model.amounts import read_size
from skypool.storage.filelayer import Handle, LocalFiles

LIMIT = 2_000_000


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def product(seed: int, size: int = 200) -> sp.Product:
    data = np.random.default_rng(seed).normal(size=(size, size))
    return sp.Product(type="MAP", datasets={"image": data})


def packed(pool: sp.Pool) -> int:
    return sum(path.stat().st_size for path in Path(pool.path).glob("packs/*.pack"))


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool", "x", max_size=LIMIT) as pool:
        for seed in range(3):
            pool.save(product(seed), name=f"maps/{seed}")
        yield pool


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for seed in range(4):
        (folder / f"{seed}.bin").write_bytes(noise(seed, 400_000))
    return folder


def many(pool: sp.Pool) -> None:
    with pool.commit() as commit:
        for seed in range(600):
            commit.save(product(1000 + seed, 40), name=f"many/{seed}")


@pytest.mark.parametrize("what", ["add", "save", "commit", "pull", "commit of very many"])
def test_what_does_not_fit_is_refused(
    pool: sp.Pool, tree: Path, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def together(pool: sp.Pool) -> None:
        with pool.commit() as commit:
            for seed in range(10, 20):
                commit.save(product(seed), name=f"new/{seed}")

    with sp.Pool(tmp_path / "other") as other:
        other.add(tree)
        doing: dict[str, Callable[[], object]] = {
            "add": lambda: pool.add(tree),
            "save": lambda: pool.save(product(9, 600), name="large"),
            "commit": lambda: together(pool),
            "pull": lambda: pool.pull(other, unrelated=True),
            "commit of very many": lambda: many(pool),
        }
        written: list[str] = []
        real = LocalFiles.write

        def write(files: LocalFiles, handle: Handle, offset: int, data: Any) -> None:
            if handle.path.endswith(".pack"):
                written.append(handle.path)
            real(files, handle, offset, data)

        if what != "commit of very many":  # that is stored as it comes
            monkeypatch.setattr(LocalFiles, "write", write)
        before, names = packed(pool), [ref.name for ref in pool.ls()]
        with pytest.raises(QuotaExceeded, match=r"may take 2\.00 MB: it takes .* and this needs"):
            doing[what]()
    assert not written
    assert packed(pool) - before < 100
    assert [ref.name for ref in pool.ls()] == names
    assert pool.verify().ok


def test_what_fits_is_taken(pool: sp.Pool, tmp_path: Path) -> None:
    """Neither its size before compression counts, nor what the pool has already."""
    (tmp_path / "zeros").write_bytes(bytes(50_000_000))
    pool.add(tmp_path / "zeros", name="zeros")
    pool.save(product(0, 200), name="again")
    assert pool["again"].product["image"].shape == (200, 200)
    assert pool.verify().ok


def test_space_is_given_back_whatever_the_limit(pool: sp.Pool) -> None:
    for corner in range(2):
        pool.save(product(10 + corner, 100), name="maps/0")
    with pytest.warns(UserWarning, match="already"):
        pool.configure(max_size=1)
    with pytest.raises(QuotaExceeded):
        pool.save(product(20), name="more")
    pool.tag("maps/1", "kept")
    pool.remove("maps/2")
    assert pool.purge("maps/0").versions == 2
    report = pool.gc(grace=0, removed_after=0)
    assert report.reclaimed > 600_000
    pool.configure(max_size=LIMIT)
    assert pool.save(product(20), name="more").version == 0
    assert pool.verify().ok


def test_limit_is_kept_and_holds_for_those_who_have_the_pool_open(pool: sp.Pool) -> None:
    with sp.Pool(pool.path) as other:
        other.configure(max_size="1.5MB")
        with pytest.raises(QuotaExceeded, match=r"1\.50 MB"):
            for seed in range(5):
                pool.save(product(30 + seed), name=f"new/{seed}")
        other.configure(max_size="none")
        pool.save(product(50), name="last")
        assert other.options.max_size is None
    assert issubclass(QuotaExceeded, DiskFull)


@pytest.mark.parametrize(
    ("text", "size"),
    [("500GB", 500 * 10**9), ("1.5 tb", 15 * 10**11), ("64MiB", 64 << 20), ("7", 7), ("2k", 2000)],
)
def test_sizes(text: str, size: int) -> None:
    assert read_size(text) == size


def test_what_is_no_size(tmp_path: Path) -> None:
    for text in ("much", "-3GB", "3 XB", ""):
        with pytest.raises(UsageError):
            read_size(text)
    with pytest.raises(UsageError):
        sp.Pool(tmp_path / "pool", "x", max_size=-5)


def test_a_limit_that_is_exceeded_already_is_said(pool: sp.Pool) -> None:
    size = taken(pool)
    with pytest.warns(UserWarning, match=r"may take 50.0 kB and takes .*: nothing can be added"):
        assert pool.configure(max_size="50KB").max_size == 50_000
    with pytest.raises(QuotaExceeded):
        pool.save(product(8), name="new")
    pool.configure(shared=False)  # nothing to say of the limit
    pool.tag("maps/0", "still works")
    ran = CliRunner().invoke(app, ["-p", str(pool.path), "config", "max_size", "60KB"])
    assert ran.exit_code == 0
    assert ran.stdout.split() == ["max_size", "60.0", "kB"]
    assert "takes" in ran.stderr
    assert "already: nothing can be added until" in ran.stderr
    pool.configure(max_size=size * 3)
    pool.save(product(8), name="new")


def taken(pool: sp.Pool) -> int:
    return pool.view.session.quota.used()
