"""The kit itself: recording, the disk that steps are played to, and states."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from skypool.testing.crash.campaign import sample
from skypool.testing.crash.checking import CrashFailure, Site, check, product
from skypool.testing.crash.model import Model
from skypool.testing.crash.operations import OPERATIONS, record
from skypool.testing.crash.recording import Recorder, read_tree, scratch_folder
from skypool.testing.crash.replay import Disk, Grown, Sectors, TornAt
from skypool.testing.crash.sqlite import can_trace
from skypool.testing.crash.states import Kind, Recipe, recipes, states
from skypool.testing.crash.trace import Do, Step, Trace, Tree

traced = pytest.mark.skipif(not can_trace(), reason="this Python hides the functions of its SQLite")


@pytest.fixture
def folder() -> Iterator[str]:
    with scratch_folder() as name:
        yield name


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    for name in ("disk", "pins"):
        (tmp_path / name).mkdir()
    return Recorder(str(tmp_path / "disk"), str(tmp_path / "pins"), Model())


def written(*steps: Step, before: bytes = b"") -> Disk:
    tree = Tree(names={"f": 1}, contents={1: before})
    disk = Disk(Trace(start=tree, steps=list(steps)))
    disk.play(len(steps))
    return disk


def write(offset: int, data: bytes) -> Step:
    return Step(Do.WRITE, "f", 1, "", offset, data)


SYNC = Step(Do.SYNC, "f", 1)


def test_what_was_synced_stays() -> None:
    disk = written(write(0, b"abc"), SYNC, write(1, b"x"), write(3, b"yz"))
    assert disk.pending_contents() == [2, 3]
    assert disk.content(1, [], {}) == b"abc"
    assert disk.content(1, [3], {}) == b"abcyz"
    assert disk.content(1, [2, 3], {}) == b"axcyz"


def test_an_old_length_is_durable_only_with_a_sync() -> None:
    cut = Step(Do.TRUNCATE, "f", 1, "", 1)
    assert written(cut, before=b"abc").content(1, [], {}) == b"abc"
    assert written(cut, before=b"abc").content(1, [0], {}) == b"a"
    assert written(cut, SYNC, before=b"abc").content(1, [], {}) == b"a"


def test_parts_of_a_write() -> None:
    disk = written(write(500, b"n" * 600), before=b"o" * 700)
    assert disk.content(1, [0], {0: TornAt(2)}) == b"o" * 500 + b"nn" + b"o" * 198
    assert disk.content(1, [0], {0: Grown()}) == b"o" * 700 + bytes(400)
    second = disk.content(1, [0], {0: Sectors(frozenset({1}))})
    assert second == b"o" * 512 + b"n" * 512
    third = disk.content(1, [0], {0: Sectors(frozenset({2}))})
    assert third == b"o" * 700 + bytes(324) + b"n" * 76


def test_names_without_a_sync_of_their_folder() -> None:
    steps = [
        Step(Do.FOLDER, "d"),
        Step(Do.SYNC_FOLDER, ""),
        Step(Do.CREATE, "d/t", 1),
        Step(Do.LINK, "d/t", 1, "d/f"),
        Step(Do.UNLINK, "d/t", 1),
    ]
    disk = Disk(Trace(steps=steps))
    disk.play(1)
    assert disk.names([]) == (set(), {})
    disk.play(5)
    assert disk.pending_entries() == [2, 3, 4]
    assert disk.names([2, 3, 4]) == ({"d"}, {"d/f": 1})
    assert disk.names([2, 3]) == ({"d"}, {"d/t": 1, "d/f": 1})
    assert disk.names([3]) == ({"d"}, {"d/f": 1})
    lost = Disk(Trace(steps=[steps[0], steps[2]]))
    lost.play(2)
    assert lost.names([1]) == (set(), {})  # a file goes with the folder that is in no folder


def test_a_name_is_not_taken_from_the_file_that_has_it_now() -> None:
    steps = [
        Step(Do.UNLINK, "f", 1),
        Step(Do.CREATE, "f", 2),
        Step(Do.CREATE, "t", 3),
        Step(Do.RENAME, "t", 3, "f"),
    ]
    disk = Disk(Trace(start=Tree(names={"f": 1}, contents={1: b""}), steps=steps))
    disk.play(4)
    assert disk.names([1, 2]) == (set(), {"f": 2, "t": 3})
    assert disk.names([2, 3]) == (set(), {"f": 3})


@traced
def test_sqlite_is_recorded(recorder: Recorder, tmp_path: Path) -> None:
    with recorder:
        connection = sqlite3.connect(tmp_path / "disk/db")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t(x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        connection.close()
    done = {(step.do, step.path) for step in recorder.trace.steps}
    assert {(Do.CREATE, "db"), (Do.WRITE, "db-wal"), (Do.SYNC, "db"), (Do.UNLINK, "db-wal")} <= done
    assert recorder.trace.shared
    # Connections of later times are none of the recorder's business.
    before = len(recorder.trace.steps)
    sqlite3.connect(tmp_path / "disk/db").execute("DROP TABLE t")
    assert len(recorder.trace.steps) == before


@traced
def test_who_writes_past_the_recorder_is_seen(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="past the recorder"), recorder:
        (tmp_path / "disk/f").write_bytes(b"x")


@traced
def test_states_are_distinct_and_built_as_they_are(folder: str) -> None:
    trace = record(OPERATIONS["tag"], folder)
    site = Site(os.path.join(folder, "site"), trace.pins)
    drawn = sample(trace, 5, 60)
    assert len({state.digest for state in drawn}) == len(drawn) == 60
    for state in drawn[:20]:
        site.build(state)
        found = read_tree(site.root)
        assert found.folders == state.tree.folders
        assert {n: found.contents[f] for n, f in found.names.items()} == {
            n: state.tree.contents[f] for n, f in state.tree.names.items()
        }


@traced
def test_equal_states_must_do_for_every_moment(folder: str) -> None:
    """Before and after a commit is acknowledged the disk is the same: it has to be there."""
    trace = record(OPERATIONS["rename"], folder)
    begun, done = trace.marks[-2:]
    assert (len(begun.allowed), len(done.allowed)) == (2, 1)
    before = Recipe(done.step, Kind.PREFIX)
    synced = [n for n in range(begun.step, done.step) if trace.steps[n].do is Do.SYNC]
    early = Recipe(synced[-1], Kind.PREFIX)  # the log is written, its sync not done
    (state,) = states(trace, [early, before])
    assert state.allowed == done.allowed


@traced
def test_all_kinds_occur(folder: str) -> None:
    trace = record(OPERATIONS["first save"], folder)
    assert {recipe.kind for recipe in recipes(trace, 1)} == set(Kind)


@traced
def test_the_checker_wants_what_was_acknowledged(folder: str) -> None:
    trace = record(OPERATIONS["new version"], folder)
    *_, last = states(trace, [Recipe(len(trace.steps), Kind.PREFIX)])
    site = Site(os.path.join(folder, "site"), trace.pins)
    path = os.path.join(site.root, "pool")
    (model,) = last.allowed
    image = np.zeros(3)
    for wrong in (
        model.saved("one more", image),
        Model(model.commit, {**model.live, "one more": model.live["a"]}),
        Model(model.commit, {n: e for n, e in model.live.items() if n != "a"}),
        Model(model.commit, model.tagged("a", "no").live),
        Model(model.commit, {**model.live, "a": model.live["new"]}),
    ):
        site.build(last)
        with pytest.raises(CrashFailure):
            check(path, [wrong])
    site.build(last)
    after = check(path, [model])
    assert after.commit == model.commit + 1
    assert product(image)["x"].shape == (3,)
