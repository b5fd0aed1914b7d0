"""Copying pieces of a pool to another one, and working sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp
from skypool.errors import (
    Damaged,
    NameConflict,
    NotFound,
    QueryError,
    QuotaExceeded,
    UsageError,
)


def image(seed: int, **meta: object) -> sp.Product:
    data = np.random.default_rng(seed).normal(size=(120, 120))
    return sp.Product(
        kind="SimpleImage", type="MAP", meta={"seed": seed, **meta}, datasets={"image": data}
    )


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[sp.Pool]:
    with sp.Pool(tmp_path / "pool") as pool:
        flat = pool.save(image(1), name="cal/flat")
        for seed in range(3):
            child = pool.save(image(10 + seed, object="M83"), name="obs/psw")
            pool.tag(child, f"try {seed}")
            pool.save(
                sp.Product(kind="MapContext", refs={"PSW": child, "flat": flat}),
                name="obs",
                message=f"run {seed}",
            )
        pool.save(image(20, object="M31"), name="other")
        yield pool


def same(a: sp.Ref, b: sp.Ref) -> None:
    assert (a.name, a.hash, a.tags, a.kind) == (b.name, b.hash, b.tags, b.kind)
    assert list(a.refs) == list(b.refs)
    for role, child in a.refs.items():
        same(child, b.refs[role])


def test_copy_with_children_names_tags_and_provenance(pool: sp.Pool, tmp_path: Path) -> None:
    report = pool.copy("obs", tmp_path / "piece", message="for a student")
    assert (report.how, report.versions) == ("copied", 3)
    with sp.Pool(tmp_path / "piece") as piece:
        assert [ref.name for ref in piece] == ["cal/flat", "obs", "obs/psw"]
        same(pool["obs"], piece["obs"])
        made = piece["obs"].origin["made"]
        assert (made["pool"], made["message"]) == ("pool", "run 2")
        assert piece.history()[0].message == "for a student"
        assert piece["obs/psw"].tags == ("try 2",)
        assert np.array_equal(piece["obs/psw"].product["image"], pool["obs/psw"].product["image"])
        again = pool.copy("obs", piece)
        assert (again.how, again.chunks, again.bytes_added) == ("same", 0, 0)
        assert len(piece.history()) == 1
        # What changes later comes alone.
        pool.save(pool["obs/psw"].product.replace(meta={"seed": 99}), name="obs/psw")
        more = pool.copy("obs/psw", piece)
        assert (more.versions, piece["obs/psw"].version) == (1, 1)
        assert more.bytes_added < 3000
        assert piece.verify().ok
        piece.reindex()
        same(pool["obs/psw"], piece["obs/psw"])
        # A merge later knows what came before.
        merged = piece.pull(pool, unrelated=True)
        assert piece.verify().ok
        assert len(piece["obs/psw"].versions) >= 4
        assert merged.versions == 5
        same(pool["obs"], piece["obs"])


@pytest.mark.parametrize(
    ("versions", "numbers"), [("all", [0, 1, 2]), ("0..1", [0, 1]), ("1..", [1, 2]), (1, [1])]
)
def test_chosen_versions(
    pool: sp.Pool, tmp_path: Path, versions: str | int, numbers: list[int]
) -> None:
    pool.copy(["name:obs/psw"], tmp_path / "piece", versions=versions)
    with sp.Pool(tmp_path / "piece") as piece:
        seeds = [ref.meta["seed"].value for ref in piece["obs/psw"].versions]
        assert seeds == [10 + number for number in numbers]
        assert [ref.tags for ref in piece["obs/psw"].versions] == [
            (f"try {number}",) for number in numbers
        ]
        pool.copy("name:obs/psw", piece, versions="all")
        assert piece["obs/psw"].meta["seed"].value == 12  # the one that was saved last
        assert piece.verify().ok


def test_copy_what_a_query_finds(pool: sp.Pool, tmp_path: Path) -> None:
    report = pool.copy("object == 'M83'", tmp_path / "piece")
    assert report.versions == 1
    hits = pool.find("object == 'M31'")
    assert pool.copy(hits, tmp_path / "piece").versions == 1
    with sp.Pool(tmp_path / "piece") as piece:
        assert [ref.name for ref in piece] == ["obs/psw", "other"]


def test_what_cannot_be_copied(pool: sp.Pool, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        pool.copy("nothing", tmp_path / "piece")
    with pytest.raises(QueryError):
        pool.copy("object ===", tmp_path / "piece")
    with pytest.raises(UsageError):
        pool.copy("obs", tmp_path / "piece", versions="some")
    with pytest.raises(NotFound):
        pool.copy("obs", tmp_path / "piece", versions="7..9")
    with pytest.raises(UsageError):
        pool.copy("obs", pool)
    assert not (tmp_path / "piece").exists()
    with sp.Pool(tmp_path / "small", "x", max_size=150_000) as small:
        with pytest.raises(QuotaExceeded):
            pool.copy("obs", small)
        assert not list(Path(small.path).glob("packs/*.pack"))


@pytest.mark.parametrize("cloned", [False, True])
def test_what_was_removed_there_is_in_view_again(
    pool: sp.Pool, tmp_path: Path, cloned: bool
) -> None:
    target = tmp_path / "student"
    if cloned:
        pool.clone(target).close()
    else:
        pool.copy("obs", to=target)
    with sp.Pool(target) as other:
        other.remove("obs")
        other.remove("cal/flat")
        assert "obs" not in other
    report = pool.copy("obs", to=target)
    assert report.changed
    assert sorted(report.restored) == ["cal/flat", "obs", "obs/psw"]
    with sp.Pool(target) as other:
        same(pool["obs"], other["obs"])
        assert other.verify().ok
        other.rename("obs/psw", "mine")
        other.remove("mine")
    assert pool.copy("obs", to=target).restored == ["mine"]  # under the name that it has there
    assert not pool.copy("obs", to=target).changed


def test_names_that_are_taken(pool: sp.Pool, tmp_path: Path) -> None:
    """As in a merge: what another made under that name goes on as one line of versions."""
    with sp.Pool(tmp_path / "piece") as piece:
        piece.save(image(5), name="other")
        pool.copy("other", piece)
        # What was saved last is the newest.
        assert [ref.meta["seed"].value for ref in piece["other"].versions] == [5, 20, 5]


def test_to_a_clone_and_back(pool: sp.Pool, tmp_path: Path) -> None:
    with pool.clone(tmp_path / "clone") as clone:
        assert pool.copy("obs", clone).how == "same"
        clone.save(image(77), name="new")
        pool.save(image(78), name="mine")
        assert clone.copy("new", pool).versions == 1
        assert pool.copy("obs", clone).how == "same"
        pool.pull(clone)
        clone.pull(pool)
        assert [ref.name for ref in pool] == [ref.name for ref in clone]
        assert pool.verify().ok
        assert clone.verify().ok


def test_interrupted_copy_goes_on(
    pool: sp.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skypool.pool.sync import transfer

    monkeypatch.setattr(transfer, "STAGE_BYTES", 1)

    def stop(progress: object) -> None:
        if getattr(progress, "bytes", 0):
            raise KeyboardInterrupt

    with sp.Pool(tmp_path / "piece") as piece:
        with pytest.raises(KeyboardInterrupt):
            pool.copy("obs", piece, progress=stop)
        assert not piece.ls()
        report = pool.copy("obs", piece)
        assert report.versions == 3
        same(pool["obs"], piece["obs"])
        assert piece.verify().ok


def test_damaged_products_are_told(pool: sp.Pool, tmp_path: Path) -> None:
    path = next(Path(pool.path).glob("packs/*.pack"))
    with path.open("r+b") as file:
        file.seek(2000)
        file.write(b"damaged" * 40)
    with pytest.raises(Damaged):
        pool.copy(["obs", "other"], tmp_path / "piece", versions="all")
    assert not (tmp_path / "piece").exists()  # it was made for what was refused
    with pytest.raises(Damaged):
        pool.clone(tmp_path / "all")
    assert not (tmp_path / "all").exists()
    with sp.Pool(tmp_path / "there") as there:
        there.save(sp.Product(meta={"a": 1}), "mine")
        with pytest.raises(Damaged):
            pool.copy(["obs", "other"], there, versions="all")
        with pytest.raises(Damaged):
            pool.copy(["obs", "other"], there.path, versions="all")
    with sp.Pool(tmp_path / "there") as there:
        assert [ref.name for ref in there.ls()] == ["mine"]


# -- working sets


def test_collect(pool: sp.Pool, tmp_path: Path) -> None:
    first = pool.collect("sets/m83", "object == 'M83'")
    assert list(first.refs) == ["obs/psw"]
    assert first.meta["query"].value == "object == 'M83'"
    head = len(pool.history())
    assert pool.collect("sets/m83", "object == 'M83'") == first
    assert len(pool.history()) == head
    pool.save(image(30, object="M83"), name="third")
    second = pool.collect("sets/m83", "object == 'M83'")
    assert (second.version, list(second.refs)) == (1, ["obs/psw", "third"])
    assert second.total_size == sum(ref.size for ref in second.refs.values())
    both = pool.collect("sets/both", pool.find("object == 'M31'", all_versions=True))
    assert list(both.refs) == ["other"]
    every = pool.collect("sets/psw", list(pool["obs/psw"].versions))
    assert len(every.refs) == 3
    report = pool.copy("sets/m83", tmp_path / "piece")
    assert report.versions == 3
    with pytest.raises(NotFound):
        pool.collect("sets/none", "object == 'M1'")


def test_a_working_set_takes_no_name_of_a_product(pool: sp.Pool) -> None:
    name = pool.ls()[0].name
    with pytest.raises(NameConflict, match="not a working set"):
        pool.collect(name, "True")
    assert pool[name].version == 0
