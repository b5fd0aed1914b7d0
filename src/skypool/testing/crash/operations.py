"""The operations whose crashes are enumerated, each on a small pool of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import skypool as sp
from skypool.storage.filelayer import FileLayer
from skypool.testing.crash.checking import Site, identify, product
from skypool.testing.crash.files_again import (
    add_again,
    bursts,
    interrupt,
    many,
    watch_again,
    watch_once,
    with_tree,
    write_tree,
)
from skypool.testing.crash.model import Model
from skypool.testing.crash.recording import Recorder
from skypool.testing.crash.states import State
from skypool.testing.crash.trace import Trace

__all__ = ["OPERATIONS", "Operation", "Wrap", "record", "record_recovery"]

Wrap = Callable[[FileLayer], FileLayer]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that is done to a pool while it is recorded.

    Attributes
    ----------
    name : str
    run : callable
        Does it.
    prepare : callable
        Makes the pool before the recording starts, and returns what it holds.
    readable : bool
        The pool can be opened for reading all the time.
    resume : callable or None
        What a user does again after a crash, given the folder of the recording, the pool, and
        what it holds; it returns what that holds then.
    """

    name: str
    run: Callable[[Work], None]
    prepare: Callable[[Work], Model]
    readable: bool = True
    resume: Callable[[str, sp.Pool, Model], Model] | None = None


@dataclass(slots=True)
class Work:
    """A folder for one recording.

    Attributes
    ----------
    folder : str
        Holds `disk` (recorded), `pins`, and what is to be added.
    files : FileLayer or None
        The file layer for pools; None before the recording.
    recorder : Recorder or None
    """

    folder: str
    files: FileLayer | None = None
    recorder: Recorder | None = None

    @property
    def path(self) -> str:
        """The pool."""
        return os.path.join(self.folder, "disk", "pool")

    def open(self) -> sp.Pool:
        """Open the pool, recorded if a recording is on."""
        return sp.Pool(self.path, files=self.files)

    def commit(self, result: Callable[[Model], Model], work: Callable[[], object]) -> None:
        """Do something that makes a commit of the model's."""
        assert self.recorder is not None
        with self.recorder.committing(result(self.recorder.model)):
            work()

    def save(self, pool: sp.Pool, name: str, data: Any, *tags: str) -> None:
        """Save an array."""
        self.commit(
            lambda model: model.saved(name, data, tags),
            lambda: pool.save(product(data), name=name, tags=tags),
        )


def record(operation: Operation, folder: str, wrap: Wrap | None = None) -> Trace:
    """Record an operation.

    Parameters
    ----------
    operation
        What is done.
    folder
        An empty folder, which stays as long as the states of the recording are built.
    wrap
        Puts another file layer before the recording one: one that leaves out a step.
    """
    work = Work(folder)
    for name in ("disk", "pins"):
        os.mkdir(os.path.join(folder, name))  # noqa: PTH102
    model = operation.prepare(work)
    with Recorder(os.path.join(folder, "disk"), os.path.join(folder, "pins"), model) as recorder:
        work.recorder = recorder
        work.files = recorder.files if wrap is None else wrap(recorder.files)
        operation.run(work)
    return recorder.trace


# -- pools to start from


def _image(seed: int, size: int = 60) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=(size, size))


def _noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def _nothing(work: Work) -> Model:
    return Model()


def _filled(work: Work) -> Model:
    """Make a pool with two versions, a tag, and a removed product."""
    model = Model()
    with work.open() as pool:
        for name, seed, tags in (("a", 1, ["good"]), ("b/c", 2, []), ("a", 3, []), ("gone", 4, [])):
            pool.save(product(_image(seed)), name=name, tags=tags)
            model = model.saved(name, _image(seed), tags)
        pool.remove("gone")
    return model.without("gone")


def _with_garbage(work: Work) -> Model:
    """Make a pool with chunks of commits that never happened, in the midst of packs."""
    model = _filled(work)
    for seed in range(10, 13):
        with work.open() as pool:
            # Small packs: some become all garbage, some need rewriting.
            pool.view.session.store._roll_bytes = 100_000
            writer = pool.view.session.writer()
            for number in range(3):
                writer.put(_noise(100 * seed + number, 30_000))
            pool.view.session.stage(writer, ())
            writer.close()
            pool.save(product(_image(seed)), name=f"kept/{seed}")
            model = model.saved(f"kept/{seed}", _image(seed))
    return model


def _cloned(work: Work) -> Model:
    model = _filled(work)
    with work.open() as pool, pool.clone(os.path.join(work.folder, "clone")):
        return model


def _without_catalogue(work: Work) -> Model:
    model = _filled(work)
    os.unlink(os.path.join(work.path, "catalogue.sqlite"))
    return model


def _with_damaged_catalogue(work: Work) -> Model:
    model = _filled(work)
    with open(os.path.join(work.path, "catalogue.sqlite"), "r+b") as file:
        file.write(b"no database at all")
    return model


# -- what is done


def _first_save(work: Work) -> None:
    with work.open() as pool:
        work.save(pool, "a", _image(1), "good", "first")


def _new_version(work: Work) -> None:
    data = _image(3)
    data[:5] = 0
    with work.open() as pool:
        work.save(pool, "a", data, "better")
        work.save(pool, "new", _image(5, 120))


def _checkpoints(work: Work) -> None:
    """Save so often, and copy the `-wal` file back so early, that SQLite starts it anew."""
    with work.open() as pool:
        database = pool.view.session.catalogue.database
        database.connection().execute("PRAGMA wal_autocheckpoint=10")
        for number in range(4):
            work.save(pool, f"saved/{number}", _image(20 + number, 20))


def _tree(changed: bool = False) -> dict[str, bytes | None]:
    header = [f"{key:8}= {value:>20}" for key, value in _CARDS] + ["END"]
    fits = "".join(card.ljust(80) for card in header).ljust(2880).encode()
    fits += np.arange(900, dtype=">f4").tobytes().ljust(2 * 2880, b"\0")
    return {
        "obs": None,
        "obs/notes.txt": b"changed\n" if changed else b"a short text\n",
        "obs/empty": b"",
        "obs/image.fits": fits,
        "obs/level1": None,
        "obs/level1/frames.bin": _noise(30, 40_000) + _noise(31 + changed, 9_000),
    }


_CARDS = (("SIMPLE", "T"), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", 30), ("NAXIS2", 30))


def _add_tree(work: Work) -> None:
    with work.open() as pool:
        for tree in (_tree(), _tree(changed=True)):
            path = write_tree(work.folder, tree)
            work.commit(
                partial(with_tree, tree=tree), partial(pool.add, path, name="obs", force_read=True)
            )


def _outside(work: Work) -> None:
    """Leave files where they are: headers first, all of them, another place, and into the pool."""
    path = write_tree(work.folder, _tree())
    moved = shutil.copytree(path, os.path.join(work.folder, "moved"))
    for folder in (path, moved):  # both are there in every state that is looked at
        for base, _, names in os.walk(folder):
            for name in names:
                os.utime(os.path.join(base, name), (1.5e9, 1.5e9))
    with work.open() as pool:
        add = partial(pool.add, path, name="obs", in_place=True, headers_only=True)
        work.commit(partial(with_tree, tree=_tree()), add)
        for change in (
            partial(pool.complete, threads=1),
            partial(pool.relocate, path, moved),
            partial(pool.absorb, "obs"),
        ):
            work.commit(lambda model: replace(model, commit=model.commit + 1), change)


def _interrupted(work: Work) -> None:
    """Add very many files, be stopped in their midst, and go on."""
    path = write_tree(work.folder, many())
    with work.open() as pool:
        interrupt(pool, path)
        work.commit(partial(with_tree, tree=many()), lambda: add_again(work.folder, pool, Model()))


def _watch(work: Work) -> None:
    """Take in what a pipeline writes, burst by burst."""
    with work.open() as pool:
        for tree in bursts():
            write_tree(work.folder, tree)
            work.commit(partial(with_tree, tree=tree), partial(watch_once, work.folder, pool))


def _tag(work: Work) -> None:
    with work.open() as pool:
        work.commit(lambda m: m.tagged("b/c", "x", "y"), lambda: pool.tag("b/c", "x", "y"))
        work.commit(lambda m: m.tagged("b/c", "x", on=False), lambda: pool.untag("b/c", "x"))


def _rename(work: Work) -> None:
    with work.open() as pool:
        work.commit(lambda m: m.renamed("b/c", "d/e"), lambda: pool.rename("b/c", "d/e"))


def _remove(work: Work) -> None:
    with work.open() as pool:
        work.commit(lambda m: m.without("a"), lambda: pool.remove("a"))
        work.commit(lambda m: m.restored("gone"), lambda: pool.restore("gone"))


def _several(work: Work) -> None:
    """Change many things in one commit."""

    def result(model: Model) -> Model:
        after = model.saved("b/c", _image(8)).saved("e", _image(9), ["good"]).tagged("a", "old")
        return replace(after, commit=model.commit + 1)

    def change() -> None:
        with pool.commit("several") as commit:
            commit.save(product(_image(8)), name="b/c")
            commit.save(product(_image(9)), name="e", tags=["good"])
            commit.tag(pool["name:a"], "old")

    with work.open() as pool:
        work.commit(result, change)


def _gc(work: Work) -> None:
    with work.open() as pool:
        report = pool.gc(grace=0)
        assert report.reclaimed > 50_000, report
        work.save(pool, "after gc", _image(40))


def _purge(work: Work) -> None:
    """Give up what was removed, by a commit, and its chunks."""
    with work.open() as pool:
        work.commit(lambda m: m.without("a"), lambda: pool.remove("a"))
        work.commit(
            lambda model: replace(model, commit=model.commit + 1, removed={}),
            lambda: pool.gc(grace=0, removed_after=0),
        )
        assert len(os.listdir(os.path.join(work.path, "packs"))) == 1
        assert pool.info().bytes_stored < 60_000  # a version that has a tag stays


def _drop(work: Work) -> None:
    """Drop content that a clone has, take its space, and get it back."""

    def told(model: Model) -> Model:
        return replace(model, commit=model.commit + 1)

    with work.open() as pool:
        clone = os.path.join(work.folder, "clone")
        work.commit(told, lambda: pool.drop(["name:a", "name:b/c"], from_=clone))
        assert pool.gc(grace=0).reclaimed > 20_000
        work.commit(told, lambda: pool.bring_back(["name:a", "name:b/c"]))


def _reindex(work: Work) -> None:
    with work.open() as pool:
        pool.reindex()
        work.save(pool, "after reindex", _image(41))


def _roll(work: Work) -> None:
    with work.open() as pool:
        pool.view.session.store._roll_bytes = 60_000
        for number in range(3):
            work.save(pool, f"rolled/{number}", _image(50 + number, 80))
        assert len(os.listdir(os.path.join(work.path, "packs"))) > 2


def _open_and_save(work: Work) -> None:
    with work.open() as pool:
        work.save(pool, "later", _image(60))


def _threads(work: Work) -> None:
    """Save from two threads at once; which commit comes first is found out afterwards."""
    assert work.recorder is not None
    recorder, start = work.recorder, work.recorder.model
    done: list[tuple[int, sp.Ref, Any]] = []

    def save(first: int) -> None:
        for number in range(first, first + 2):
            data = _image(70 + number)
            ref = pool.save(product(data), name=f"thread/{number}")
            with recorder.ordered() as step:
                done.append((step, ref, data))

    with work.open() as pool:
        begun = len(recorder.trace.steps)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(save, (0, 2)))
        ordered = sorted(done, key=lambda d: d[1].commit)
        chain = [start]
        for _, ref, data in ordered:
            chain.append(chain[-1].saved(ref.name, data))
        assert [ref.commit for _, ref, _ in ordered] == [m.commit for m in chain[1:]]
        recorder.mark(begun, *chain)
        last = 0
        for step, ref, _ in done:
            last = max(last, ref.commit - start.commit)
            recorder.mark(step, *chain[last:])
        recorder.model = chain[-1]


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("first save", _first_save, _nothing),
        Operation("new version", _new_version, _filled),
        Operation("several changes", _several, _filled),
        Operation("saves with checkpoints", _checkpoints, _filled),
        Operation("add a tree", _add_tree, _filled),
        Operation("files outside", _outside, _filled),
        Operation("tag", _tag, _filled),
        Operation("rename", _rename, _filled),
        Operation("remove and restore", _remove, _filled),
        Operation("gc and repacking", _gc, _with_garbage),
        Operation("gc of what was removed", _purge, _filled),
        Operation("drop and get", _drop, _cloned),
        Operation("reindex", _reindex, _filled),
        Operation("roll of a pack", _roll, _filled),
        Operation("two threads", _threads, _filled),
        Operation("interrupted add", _interrupted, _filled, resume=add_again),
        Operation("watch", _watch, _filled, resume=watch_again),
        Operation("rebuild a lost catalogue", _open_and_save, _without_catalogue, False),
        Operation("rebuild a damaged catalogue", _open_and_save, _with_damaged_catalogue, False),
    )
}


def record_recovery(trace: Trace, state: State, folder: str) -> Trace:
    """Record how a pool is opened after a crash, and the next save.

    Parameters
    ----------
    trace
        The recording that the state comes from.
    state
        What the crash left.
    folder
        An empty folder on the same file system.
    """
    disk, pins = os.path.join(folder, "disk"), os.path.join(folder, "pins")
    os.mkdir(pins)  # noqa: PTH102
    Site(disk, trace.pins).build(state)
    work = Work(folder)
    with Recorder(disk, pins, state.allowed[0], state.allowed[1:]) as recorder:
        work.recorder, work.files = recorder, recorder.files
        with work.open() as pool:
            # What is shown once must stay.
            recorder.settle(identify(pool, state.allowed))
            work.save(pool, "later", _image(60))
    return recorder.trace
