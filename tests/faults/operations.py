"""What is done to a pool while calls fail: the pools to start from, and the operations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import skypool as sp
from skypool.catalogue.sqlite import SqliteCatalogue
from skypool.pool.pool import Pool
from skypool.pool.recovery import file_identity
from skypool.storage.filelayer import FileLayer

Act = Callable[[Any, Path, FileLayer], Any]


class Listed(Exception):
    """Files of the user's could not be read: they are listed, and the rest was done."""


def listed(problems: list[tuple[str, str]]) -> None:
    """Raise `Listed` where there are any."""
    if problems:
        raise Listed(str(problems))


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def product(seed: int, size: int = 64) -> sp.Product:
    image = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    return sp.Product(
        type="MAP",
        creator="tester",
        meta={"seed": seed, "creationDate": datetime(2026, 1, 1, tzinfo=UTC)},
        datasets={"image": sp.Array(image, unit="Jy")},
    )


# -- pools to start from


def write_tree(folder: Path) -> None:
    (folder / "level2").mkdir(parents=True)
    (folder / "notes.txt").write_bytes(b"notes\n" * 20)
    (folder / "level2/mask.bin").write_bytes(noise(1, 40_000))
    data = np.arange(3000, dtype="f4").reshape(50, 60)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="image")]).writeto(
        folder / "level2/map.fits"
    )


def change_tree(folder: Path) -> None:
    (folder / "notes.txt").write_bytes(b"other notes\n" * 20)
    (folder / "level2/new.bin").write_bytes(noise(2, 3_000))
    (folder / "level2/mask.bin").unlink()


def make_empty(base: Path) -> None:
    write_tree(base / "obs")


def make_filled(base: Path) -> None:
    write_tree(base / "obs")
    with sp.Pool(base / "pool") as pool:
        pool.add(base / "obs", tags=["first"])
        pool.save(product(1), name="maps/a", tags=["good"])
        pool.save(product(2), name="maps/a")
        pool.save(product(3), name="maps/b")
        pool.save(product(4), name="gone")
        pool.remove("gone")


def make_changed(base: Path) -> None:
    make_filled(base)
    change_tree(base / "obs")


def make_garbage(base: Path) -> None:
    """A pack that nothing needs, and one of which half is of no use."""
    make_filled(base)
    for keep in (False, True):
        with sp.Pool(base / "pool") as pool:
            session = pool.view.session
            session.store.candidates = lambda: ()
            writer = session.writer()
            for seed in range(3):
                writer.put(noise(10 + seed, 50_000))
            session.stage(writer, [])
            writer.abandon()
            if keep:
                pool.save(product(5), name="maps/kept")


def make_unlogged(base: Path) -> None:
    """The last commits are in the catalogue and not in the log."""
    make_filled(base)
    log = base / "pool/commits.log"
    before = log.read_bytes()
    with sp.Pool(base / "pool") as pool:
        pool.tag("maps/b", "late")
    log.write_bytes(log.read_bytes()[: len(before) + 30])  # a torn record


def make_behind(base: Path) -> None:
    """The catalogue lacks the last commits of the log."""
    make_filled(base)
    catalogue = base / "pool/catalogue.sqlite"
    before = catalogue.read_bytes()
    with sp.Pool(base / "pool") as pool:
        pool.tag("maps/b", "late")
        pool.save(product(6), name="late")
    with catalogue.open("r+b") as file:
        file.truncate()
        file.write(before)


def make_lost(base: Path) -> None:
    make_filled(base)
    (base / "pool/catalogue.sqlite").unlink()


def make_versions(base: Path) -> None:
    """Versions that may be given up, and a clone that has all content."""
    make_filled(base)
    with sp.Pool(base / "pool") as pool:
        for seed in range(20, 23):
            pool.save(product(seed), name="series")
        pool.clone(base / "clone").close()


def make_dropped(base: Path) -> None:
    make_versions(base)
    with sp.Pool(base / "pool") as pool:
        pool.drop(["obs", "series"], from_=base / "clone")
        pool.gc(grace=0)


def make_outside(base: Path, *, headers_only: bool = False) -> None:
    """Files that stay where they are."""
    make_filled(base)
    write_tree(base / "disk")
    for path in (base / "disk").rglob("*.*"):
        os.utime(path, (1.5e9, 1.5e9))
    with sp.Pool(base / "pool") as pool:
        pool.add(base / "disk", in_place=True, headers_only=headers_only)


def make_unread(base: Path) -> None:
    make_outside(base, headers_only=True)


MAKERS = (
    *(make_empty, make_filled, make_changed, make_garbage),
    *(make_unlogged, make_behind, make_lost),
    *(make_versions, make_dropped, make_outside, make_unread),
)


def copy_base(source: Path, target: Path) -> None:
    """Copy a pool, and make it believe that it is no copy."""
    shutil.copytree(source, target)
    catalogue = target / "pool/catalogue.sqlite"
    if catalogue.exists():
        opened = SqliteCatalogue(str(catalogue), writable=True)
        opened.set_state({"file": str(file_identity(str(catalogue)))})
        opened.close()


# -- operations


@dataclass(frozen=True)
class Operation:
    """Something that changes a pool.

    Attributes
    ----------
    name : str
    base : str
        The pool to start from.
    act : callable
        Does it; given an open pool (None where `opens`), the folder, and the file layer.
    opens : bool
        Opening the pool is the operation, or part of it.
    again : bool
        It can be done twice.
    """

    name: str
    base: str
    act: Act
    opens: bool = False
    again: bool = False


def _create(_: Any, base: Path, files: FileLayer) -> Pool:
    pool = sp.Pool(base / "pool", files=files)
    pool.save(product(1), name="maps/first", tags=["made"])
    return pool


def _open(_: Any, base: Path, files: FileLayer) -> Pool:
    pool = sp.Pool(base / "pool", files=files)
    assert len(pool.history())
    return pool


def _save(pool: Pool, base: Path, files: FileLayer) -> None:
    pool.save(product(7), name="maps/a", tags=["newest"])


def _save_many(pool: Pool, base: Path, files: FileLayer) -> None:
    with pool.commit("many") as commit:
        for seed in range(8, 11):
            pending = commit.save(product(seed), name=f"many/{seed}")
            commit.tag(pending, "many")
        commit.tag(pool["maps/b"], "many")


def _add(pool: Pool, base: Path, files: FileLayer) -> None:
    report = pool.add_report([base / "obs"], name="other", force_read=True)
    assert not report.skipped


def _add_again(pool: Pool, base: Path, files: FileLayer) -> None:
    report = pool.add_report([base / "obs"])
    assert not report.skipped


def _add_in_place(pool: Pool, base: Path, files: FileLayer) -> None:
    report = pool.add_report([base / "obs"], name="placed", in_place=True)
    assert not report.skipped


def _roll(pool: Pool, base: Path, files: FileLayer) -> None:
    pool.view.session.store._roll_bytes = 30_000
    with pool.commit("rolled") as commit:
        for seed in range(12, 16):
            commit.save(product(seed), name=f"rolled/{seed}")


def _collect(pool: Pool, base: Path, files: FileLayer) -> None:
    pool.gc(grace=0)


def _relocate(pool: Pool, base: Path, files: FileLayer) -> None:
    there = {path.partition("/disk/")[0] + "/disk" for path in sources(pool)}
    for old in there - {str(base / "disk")}:
        listed(pool.relocate(old, base / "disk").refused)


def _absorb(pool: Pool, base: Path, files: FileLayer) -> None:
    listed(pool.absorb("disk").skipped)


def _complete(pool: Pool, base: Path, files: FileLayer) -> None:
    listed(pool.complete(threads=1).skipped)


def _drop(pool: Pool, base: Path, files: FileLayer) -> None:
    report = pool.drop(["obs", "series"], from_=base / "clone")
    assert report.versions + report.already == 6


def _get(pool: Pool, base: Path, files: FileLayer) -> None:
    report = pool.bring_back(["obs", "series"], from_=base / "clone")
    assert report.versions + report.already == 6


OPERATIONS = [
    Operation("create", "empty", _create, opens=True),
    Operation("open", "filled", _open, opens=True),
    Operation("complete the log", "unlogged", _open, opens=True),
    Operation("replay the log", "behind", _open, opens=True),
    Operation("rebuild at opening", "lost", _open, opens=True),
    Operation("save", "filled", _save, again=True),
    Operation("save many", "filled", _save_many, again=True),
    Operation("add", "filled", _add, again=True),
    Operation("add again", "changed", _add_again, again=True),
    Operation("add in place", "filled", _add_in_place, again=True),
    Operation("tag", "filled", lambda pool, *_: pool.tag("maps/a@0", "one", "two")),
    Operation("untag", "filled", lambda pool, *_: pool.untag("maps/a@0", "good")),
    Operation("rename", "filled", lambda pool, *_: pool.rename("obs", "renamed/obs")),
    Operation("remove", "filled", lambda pool, *_: pool.remove("obs")),
    Operation("restore", "filled", lambda pool, *_: pool.restore("gone")),
    Operation("roll", "filled", _roll, again=True),
    Operation("gc", "garbage", _collect),
    Operation("reindex", "filled", lambda pool, *_: pool.reindex()),
    Operation("relocate", "outside", _relocate, again=True),
    Operation("absorb", "outside", _absorb, again=True),
    Operation("complete", "unread", _complete, again=True),
    Operation("absorb unread", "unread", _absorb, again=True),
    Operation("drop", "versions", _drop, again=True),
    Operation("get", "dropped", _get, again=True),
    Operation("purge", "versions", lambda pool, *_: pool.purge("series"), again=True),
    Operation("forget", "versions", lambda pool, *_: pool.forget(len(pool.history())), again=True),
    Operation("limit", "filled", lambda pool, *_: pool.configure(max_size="1GB"), again=True),
]


def state(pool: Pool) -> dict[str, Any]:
    """Return what a pool says: names, versions, documents, tags, and where content is."""
    found: dict[str, Any] = {
        ref.name: [
            (old.version, old.hash, old.total_size, tuple(old.tags), old.purged, old.dropped)
            for old in ref.versions
        ]
        for ref in pool.ls()
    }
    if pool.exists and pool.options.max_size is not None:
        found["max_size"] = pool.options.max_size
    outside = sources(pool) if pool.exists else []
    return found | ({"sources": outside} if outside else {})


def sources(pool: Pool) -> list[str]:
    """Return the paths of the files that hold content of a pool."""
    database = pool.view.session.catalogue.database
    return sorted({str(path) for (path,) in database.query("SELECT path FROM sources")})


def files_open() -> set[str]:
    """Return what the file descriptors of this process stand for, terminals left out."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue
    return found
