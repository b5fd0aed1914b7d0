"""Very many files: adding them is interrupted and gone on with, and a folder is watched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import skypool as sp
from skypool.pool import adding_files, seen_before
from skypool.pool.progress import Progress
from skypool.testing.crash.model import Model

__all__ = [
    "Tree",
    "add_again",
    "bursts",
    "interrupt",
    "many",
    "watch_again",
    "watch_once",
    "with_tree",
    "write_tree",
]

Tree = Mapping[str, bytes | None]

_FILES, _READ = 9, 6


def many(count: int = _FILES) -> dict[str, bytes | None]:
    """Return a folder of files."""
    made = {f"many/{n}.bin": np.random.default_rng(n).bytes(2_000) for n in range(count)}
    return {"many": None, **made}


def write_tree(folder: str, tree: Tree) -> str:
    """Write files and folders; return the path of the first."""
    for name, data in tree.items():
        path = os.path.join(folder, name)
        if data is None:
            os.makedirs(path, exist_ok=True)
        elif _content(path) != data:
            with open(path, "wb") as file:
                file.write(data)
    return os.path.join(folder, next(iter(tree)))


def _content(path: str) -> bytes | None:
    return Path(path).read_bytes() if os.path.exists(path) else None


def with_tree(model: Model, tree: Tree) -> Model:
    """Return a model with a tree added: a folder is a new version where something in it is."""
    after = model.added(tree)
    changed = [name for name in tree if after.live[name] is not model.live.get(name)]
    folders = [n for n, data in tree.items() if data is None and n in model.live]
    live = dict(after.live)
    for name in folders:
        if any(other.startswith(f"{name}/") for other in changed):
            entry = live[name]
            live[name] = replace(
                entry, contents=(*entry.contents, None), tags=(*entry.tags, frozenset())
            )
    return replace(after, live=live)


@contextlib.contextmanager
def _small_steps() -> Iterator[None]:
    """Index what was read after every file, and take files of a moment ago for settled."""
    before = adding_files._STAGE_DOCUMENTS, seen_before._CLOCK_GRAIN_NS
    adding_files._STAGE_DOCUMENTS = 1
    seen_before._CLOCK_GRAIN_NS = -1
    try:
        yield
    finally:
        adding_files._STAGE_DOCUMENTS = before[0]
        seen_before._CLOCK_GRAIN_NS = before[1]


def interrupt(pool: sp.Pool, path: str) -> None:
    """Begin to add a folder, and stop in its midst."""

    def stop(step: Progress) -> None:
        if step.items >= _READ:
            raise KeyboardInterrupt

    with _small_steps(), contextlib.suppress(KeyboardInterrupt):
        pool.add(path, progress=stop)
        raise AssertionError("it was not interrupted")


def add_again(folder: str, pool: sp.Pool, model: Model) -> Model:
    """Add the folder, from wherever a crash left that, and return what the pool holds then."""
    report = pool.add_report(os.path.join(folder, "many"))
    assert not report.skipped
    return _after(model, many())


def _after(model: Model, tree: Tree) -> Model:
    return model if tree.keys() <= model.live.keys() else with_tree(model, tree)


def bursts() -> Iterator[dict[str, bytes | None]]:
    """Yield what a pipeline has written when the watch looks."""
    for count in (2, 5):
        yield many(count)


def watch_once(folder: str, pool: sp.Pool) -> None:
    """Take in what is there now."""
    for report in pool.watch(os.path.join(folder, "many"), once=True):
        assert not report.problems


def watch_again(folder: str, pool: sp.Pool, model: Model) -> Model:
    """Watch once more, from wherever a crash left that, and return what the pool holds then."""
    watch_once(folder, pool)
    *_, last = bursts()
    return _after(model, last)
