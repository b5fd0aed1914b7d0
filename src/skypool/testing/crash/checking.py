"""What must hold for a pool that a crash has left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import skypool as sp
from skypool.config import from_environment
from skypool.errors import PoolNotFound, ReadOnly, SkypoolError
from skypool.testing.crash.model import Entry, Model
from skypool.testing.crash.states import State

__all__ = ["CrashFailure", "Site", "check", "compare", "identify", "product"]


class CrashFailure(AssertionError):
    """A state in which a pool does not keep what it promised."""


class Site:
    """A folder in which states are built, one after the other.

    SQLite's files are written into the very files of the recording, since the pool knows its
    catalogue by the inode: another one would be taken for that of a copy.

    Parameters
    ----------
    root
        The folder; it is emptied.
    pins
        The files of the recording; see `Trace`.
    """

    def __init__(self, root: str, pins: Mapping[int, str]) -> None:
        self.root = root
        self._pins = pins

    def build(self, state: State) -> None:
        """Make the folder what a state says."""
        shutil.rmtree(self.root, ignore_errors=True)
        os.mkdir(self.root)  # noqa: PTH102
        for folder in sorted(state.tree.folders):
            os.mkdir(os.path.join(self.root, folder))  # noqa: PTH102
        made: dict[int, str] = {}
        for name, file in state.tree.names.items():
            path = os.path.join(self.root, name)
            source = made.get(file) or self._pins.get(file)
            if source is not None:
                os.link(source, path)
            if file not in made:
                with open(path, "wb") as out:
                    out.write(state.tree.contents[file])
                made[file] = path
        for name, data in state.extra.items():
            with open(os.path.join(self.root, name), "wb") as out:
                out.write(data)


def check(
    path: str,
    allowed: Sequence[Model],
    *,
    read_only: bool = False,
    then: Callable[[sp.Pool], object] | None = None,
    resume: Callable[[sp.Pool, Model], Model] | None = None,
) -> Model:
    """Check a pool after a crash, and return what it holds now.

    Parameters
    ----------
    path
        The pool.
    allowed
        What it may hold: the first is the last state that was acknowledged.
    read_only
        Open it for reading first.
    then
        Something more to do with it, such as garbage collection, before the next save.
    resume
        What the crash broke off, done again; it returns what the pool holds then.

    Raises
    ------
    CrashFailure
        If it does not open, lacks something, has a part of something, or takes no save.
    """
    try:
        if read_only:
            _check_read_only(path, allowed)
        with _opened(path) as pool:
            found = identify(pool, allowed)
            if pool.exists:
                compare(pool, found)
                if found.commit > 1:
                    _compare_names(pool.at(found.commit - 1))
                _verify(pool, "after the crash")
                if then is not None:
                    then(pool)
                    compare(pool, found)
            if resume is not None:
                found = resume(pool, found)
                compare(pool, found)
                _verify(pool, "after it was done again")
            after = _save_again(pool, found, allowed)
        with _opened(path) as pool:
            compare(pool, after)
            _verify(pool, "after the next save", quick=True)
    except SkypoolError as error:
        raise CrashFailure(f"{type(error).__name__}: {error}") from error
    return after


def _opened(path: str, mode: str = "a") -> sp.Pool:
    """Open a pool with a cache of its own: what it notes is about this state alone."""
    cache = Path(os.path.dirname(path), "cache")
    return sp.Pool(path, mode, settings=replace(from_environment(), cache=cache))


def _check_read_only(path: str, allowed: Sequence[Model]) -> None:
    """Open for reading: it shows one of the states, or says that there is nothing to show."""
    try:
        pool = _opened(path, "r")
    except (PoolNotFound, ReadOnly) as error:
        if allowed[0].commit:
            raise CrashFailure(f"cannot be opened for reading: {error}") from error
        return
    with pool:
        compare(pool, identify(pool, allowed))


def identify(pool: sp.Pool, allowed: Sequence[Model]) -> Model:
    """Return which of several models is the one of a pool's newest commit."""
    head = pool.view.at if pool.exists else 0
    for model in allowed:
        if model.commit == head:
            return model
    raise CrashFailure(f"the pool is at commit {head}, not at {[m.commit for m in allowed]}")


def _verify(pool: sp.Pool, when: str, quick: bool = False) -> None:
    report = pool.verify(quick=quick)
    if not report.ok:
        raise CrashFailure(f"verify, {when}: " + "; ".join(map(str, report.problems)))


def _save_again(pool: sp.Pool, found: Model, allowed: Sequence[Model]) -> Model:
    """Save what a commit under way had, too: none of its remains may be counted on."""
    lost: dict[str, Any] = {"new": np.arange(3000.0)}
    for model in allowed:
        for name, entry in model.live.items():
            if len(entry.contents) > len(found.live.get(name, Entry()).contents):
                lost[name] = entry.contents[-1]
    with pool.commit("after the crash") as commit:
        contents = {}
        for name, content in lost.items():
            if content is None:
                continue
            data = content if isinstance(content, np.ndarray) else np.frombuffer(content, np.uint8)
            commit.save(product(data), name=f"after/{name}", tags=["after"])
            contents[f"after/{name}"] = data
    return found.added(contents, {name: ["after"] for name in contents})


def product(data: np.ndarray[Any, Any]) -> sp.Product:
    """Return a product that has one array, called `x`."""
    return sp.Product(type="T", meta={"values": int(data.size)}, datasets={"x": data})


# -- comparing


def compare(pool: sp.Pool, model: Model) -> None:
    """Compare all of a pool with what it should hold.

    Raises
    ------
    CrashFailure
        If something differs.
    """
    found = {ref.name: ref for ref in pool.ls()} if pool.exists else {}
    if found.keys() != model.live.keys():
        raise CrashFailure(
            f"missing: {sorted(model.live.keys() - found.keys())}, "
            f"not wanted: {sorted(found.keys() - model.live.keys())}"
        )
    for name, entry in model.live.items():
        _compare_entry(found[name], entry)


def _compare_entry(ref: sp.Ref, entry: Entry) -> None:
    versions = ref.versions
    if len(versions) != len(entry.contents):
        raise CrashFailure(f"{ref.name}: {len(versions)} versions, not {len(entry.contents)}")
    for number, (version, content, tags) in enumerate(
        zip(versions, entry.contents, entry.tags, strict=True)
    ):
        if version.version != number or set(version.tags) != tags:
            raise CrashFailure(f"{ref.name}@{number}: tags {version.tags}, not {sorted(tags)}")
        if not _same_content(version, content):
            raise CrashFailure(f"{ref.name}@{number}: its content is another one")


def _same_content(ref: sp.Ref, content: Any) -> bool:
    if content is None:
        return all(child.name.startswith(ref.name) for child in ref.refs.values())
    if isinstance(content, np.ndarray):
        if ref.dropped:  # what stays of it; its content is compared once it is back
            return bool(ref.meta["values"].value == content.size)
        return np.array_equal(np.asarray(ref.product["x"]), content)
    source = ref.view.content(ref)
    return bool(source.size == len(content) and source.pread(0, source.size) == content)


def _compare_names(pool: sp.Pool) -> None:
    """Look that the pool as of an earlier commit can be read."""
    for ref in pool.ls():
        len(ref.document["datasets"])
