"""Undo: a commit that does the contrary, refused where others changed it since."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skypool as sp
from skypool import errors


def made(value: float = 0.0, **more) -> sp.Product:
    return sp.Product(datasets={"image": np.full((3, 4), value)}, **more)


def seen(pool: sp.Pool) -> dict:
    """What a pool shows: names, content of the newest versions, tags of versions that are equal.

    A tag is on one version, and stays there when a later one has the same content.
    """
    return {
        ref.name: (
            ref.hash,
            [target.hash for target in ref.refs.values()],
            {tag for old in ref.versions if old.hash == ref.hash for tag in old.tags},
        )
        for ref in pool.ls()
    }


@pytest.fixture
def pool(tmp_path: Path):
    with sp.Pool(tmp_path / "pool") as opened:
        opened.save(made(1), "a", tags=["one"])
        opened.save(made(2), "a/b")
        opened.save(made(3), "c")
        yield opened


def last(pool: sp.Pool) -> int:
    return pool.history()[0].number


CHANGES = {
    "tag": lambda pool: pool.tag("c", "new", "newer"),
    "tag again": lambda pool: pool.tag("a", "one", "two"),
    "untag": lambda pool: pool.untag("a", "one"),
    "rename": lambda pool: pool.rename("a", "z"),
    "remove": lambda pool: pool.remove("a"),
    "save": lambda pool: pool.save(made(9), "new"),
    "version": lambda pool: pool.save(made(9), "c"),
    "context": lambda pool: pool.save(sp.Product(kind="MapContext", refs={"c": pool["c"]}), "all"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_undo_brings_back_what_was_and_undo_of_it_what_came(pool: sp.Pool, name: str) -> None:
    before = seen(pool)
    CHANGES[name](pool)
    after, changed = seen(pool), last(pool)
    assert after != before
    undone = pool.undo(changed)
    assert undone == changed + 1 == last(pool)
    assert seen(pool) == before
    assert pool.history()[0].message.startswith("undo ")
    assert pool.undo(undone) == undone + 1
    assert seen(pool) == after
    assert pool.verify().problems == []


def test_undo_of_restore(pool: sp.Pool) -> None:
    pool.remove("a")
    gone = seen(pool)
    pool.restore("a")
    pool.undo(last(pool))
    assert seen(pool) == gone
    assert [item.name for item in pool.trash()] == ["a", "a/b"]
    assert pool.trash()[0].author == "tester"


def test_a_version_that_comes_back_takes_no_content(pool: sp.Pool) -> None:
    packs = Path(pool.path, "packs")
    pool.save(made(9), "c")
    size = sum(file.stat().st_size for file in packs.iterdir())
    pool.undo(last(pool))
    assert [ref.version for ref in pool["c"].versions] == [0, 1, 2]
    assert pool["c"].hash == pool["c@0"].hash
    assert sum(file.stat().st_size for file in packs.iterdir()) == size


CONFLICTS = {
    "tag taken away": ("tag", lambda pool: pool.untag("c", "new"), "the tag 'new' was taken away"),
    "tag put on": ("untag", lambda pool: pool.tag("a", "one"), "the tag 'one' was put on again"),
    "renamed on": ("rename", lambda pool: pool.rename("z", "y"), "it is called 'y' now"),
    "renamed one removed": ("rename", lambda pool: pool.remove("z"), "it was removed"),
    "restored": ("remove", lambda pool: pool.restore("a"), "it was brought back"),
    "saved on": ("save", lambda pool: pool.save(made(8), "new"), "version 1 was saved"),
    "version on": ("version", lambda pool: pool.save(made(8), "c"), "version 2 was saved"),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_what_others_changed_since_is_left_alone(pool: sp.Pool, name: str) -> None:
    change, later, words = CONFLICTS[name]
    CHANGES[change](pool)
    number = last(pool)
    with sp.Pool(pool.path) as other:
        later(other)
    before = seen(pool)
    with pytest.raises(errors.EditConflict, match="cannot be undone") as caught:
        pool.undo(number)
    assert words in str(caught.value)
    assert caught.value.commit == number + 1
    assert caught.value.author == "tester"
    assert seen(pool) == before
    assert last(pool) == number + 1


def test_a_name_that_was_given_away_is_not_taken_back(pool: sp.Pool) -> None:
    pool.rename("c", "d")
    number = last(pool)
    pool.save(made(5), "c")
    with pytest.raises(errors.NameConflict, match="'c' is taken"):
        pool.undo(number)
    pool.remove("d")
    removed = last(pool)
    pool.save(made(6), "d", exclusive=False)
    with pytest.raises(errors.Conflict):
        pool.undo(removed)


def test_changes_of_other_things_do_not_matter(pool: sp.Pool) -> None:
    pool.tag("c", "x")
    number = last(pool)
    pool.tag("c", "y")
    pool.save(made(7), "c")
    pool.undo(number)
    assert pool["c@0"].tags == ("y",)


def test_what_cannot_be_undone_says_so(pool: sp.Pool) -> None:
    with pytest.raises(errors.NotFound, match="no commit 99"):
        pool.undo(99)
    pool.remove("c")
    pool.gc(grace=0, removed_after=0)
    with pytest.raises(errors.UsageError, match="gave up content"):
        pool.undo(last(pool))
    with pytest.raises(errors.Purged):
        pool.undo(last(pool) - 1)
    assert pool.trash() == []


def test_reading_refuses(pool: sp.Pool) -> None:
    with sp.Pool(pool.path, "r") as reader, pytest.raises(errors.ReadOnly):
        reader.undo(1)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["save", "tag", "untag", "rename", "remove", "restore", "undo"]),
        st.sampled_from(["a", "b", "a/b", "c"]),
        st.sampled_from(["a", "b", "d", "x/y"]),
    ),
    max_size=8,
)


def step(pool: sp.Pool, action: str, name: str, other: str) -> None:
    if action == "save":
        pool.save(made(len(pool.history())), name, tags=[other.replace("/", "-")])
    elif action == "rename":
        pool.rename(name, other)
    elif action == "undo":
        pool.undo(max(1, len(pool.history()) - len(other)))
    else:
        arguments = (name, "x") if action in ("tag", "untag") else (name,)
        getattr(pool, action)(*arguments)


@given(steps=STEPS)
@settings(max_examples=25)
def test_any_commit_can_be_undone_at_once(steps) -> None:
    with tempfile.TemporaryDirectory() as folder, sp.Pool(Path(folder, "pool")) as pool:
        pool.save(made(), "a")
        for action, name, other in [*steps, ("tag", "a", "a")]:
            before, number = seen(pool), last(pool)
            try:
                step(pool, action, name, other)
            except errors.SkypoolError:
                assert seen(pool) == before
                continue
            if last(pool) > number:
                after = seen(pool)
                pool.undo(last(pool))
                assert seen(pool) == before
                pool.undo(last(pool))
                assert seen(pool) == after
        assert pool.verify().problems == []
