"""A pool that is written to behaves as a folder on a disk does, whatever is done to it."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import skypool as sp
from skypool.files.writing import WriteOperations

FOLDERS = ["", "d", "d/e", "f", ".h"]
FILES = ["a", "b.txt", "c.fits", ".tmp1", "b.txt~", "sedAbCd12"]


class Disk:
    """The same calls on a real folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, path: str) -> str:
        return os.path.join(self.root, path)

    def write(self, path: str, data: bytes, offset: int | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if offset is None else 0)
        file = os.open(self.path(path), flags)
        os.pwrite(file, data, offset or 0)
        os.close(file)

    def truncate(self, path: str, length: int) -> None:
        os.truncate(self.path(path), length)

    def unlink(self, path: str) -> None:
        os.unlink(self.path(path))

    def mkdir(self, path: str) -> None:
        os.mkdir(self.path(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(self.path(path))

    def rename(self, old: str, new: str) -> None:
        os.rename(self.path(old), self.path(new))

    def tree(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            found[name] = None if path.is_dir() else path.read_bytes()
        return found


class Mount:
    """The same calls as the kernel makes them."""

    def __init__(self, ops: WriteOperations) -> None:
        self.ops = ops

    def write(self, path: str, data: bytes, offset: int | None) -> None:
        self.folder(path)
        try:
            file = self.ops.open(path, os.O_WRONLY | (os.O_TRUNC if offset is None else 0))
        except FileNotFoundError:
            file = self.ops.create(path)
        self.ops.write(file, data, offset or 0)
        self.ops.flush(file)
        self.ops.release(file)

    def folder(self, path: str) -> None:
        """Look the folder above up, as the kernel does first."""
        parts = path.split("/")[:-1]
        for place in range(1, len(parts) + 1):
            if not stat.S_ISDIR(self.ops.attributes("/".join(parts[:place]))[0]):
                raise NotADirectoryError

    def truncate(self, path: str, length: int) -> None:
        self.folder(path)
        self.ops.truncate(path, length)

    def unlink(self, path: str) -> None:
        self.folder(path)
        self.ops.unlink(path)

    def mkdir(self, path: str) -> None:
        self.folder(path)
        self.ops.mkdir(path)

    def rmdir(self, path: str) -> None:
        self.folder(path)
        if not stat.S_ISDIR(self.ops.attributes(path)[0]):
            raise NotADirectoryError
        self.ops.rmdir(path)

    def rename(self, old: str, new: str) -> None:
        self.folder(old)
        self.folder(new)
        mine = stat.S_ISDIR(self.ops.attributes(old)[0])
        try:
            there = stat.S_ISDIR(self.ops.attributes(new)[0])
        except FileNotFoundError:
            there = mine
        if mine and not there:
            raise NotADirectoryError
        if there and not mine:
            raise IsADirectoryError
        self.ops.rename(old, new)

    def tree(self, path: str = "") -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for name, (mode, size, _) in self.ops.listing(path):
            if name.startswith("@"):
                continue
            where = f"{path}/{name}" if path else name
            assert self.ops.attributes(where)[:2] == (mode, size)
            if stat.S_ISDIR(mode):
                found[where] = None
                found |= self.tree(where)
            else:
                file = self.ops.open(where)
                found[where] = self.ops.read(file, 0, 1 << 20)
                self.ops.release(file)
                assert len(found[where] or b"") == size
        return dict(sorted(found.items()))


def step(chance: random.Random) -> tuple[str, tuple[object, ...]]:
    """Choose what is done next."""

    def place() -> str:
        folder = chance.choice(FOLDERS)
        name = chance.choice(FILES)
        return f"{folder}/{name}" if folder else name

    what = chance.choice(["write"] * 4 + ["change", "cut", "unlink", "mkdir", "rmdir"]
                         + ["rename"] * 3 + ["move"])  # fmt: skip
    if what in ("write", "change"):
        data = chance.randbytes(chance.randrange(40))
        return "write", (place(), data, None if what == "write" else chance.randrange(20))
    if what == "cut":
        return "truncate", (place(), chance.randrange(30))
    if what == "rename":
        return "rename", (place(), place())
    if what == "move":
        return "rename", (chance.choice(FOLDERS[1:]), chance.choice(FOLDERS[1:]))
    if what == "unlink":
        return "unlink", (place(),)
    return what, (chance.choice(FOLDERS[1:]),)


def outcome(function: Callable[..., None], words: tuple[object, ...]) -> str:
    """Return the class of the error, or nothing."""
    try:
        function(*words)
    except OSError:
        # Which of several things that are wrong is told is left to the file system.
        return "error"
    return ""


def compare(seed: int, steps: int, tmp_path: Path) -> None:
    """Do the same things to a folder and to a pool."""
    chance = random.Random(seed)
    disk = Disk(tmp_path / f"disk{seed}")
    disk.root.mkdir()
    staging = tmp_path / f"staging{seed}"
    staging.mkdir()
    told: list[str] = []
    with sp.Pool(tmp_path / f"pool{seed}") as pool:
        ops = WriteOperations(pool, str(staging), tell=told.append)
        mount = Mount(ops)
        done = []
        for _ in range(steps):
            name, words = step(chance)
            done.append((name, *words))
            wanted = outcome(getattr(disk, name), words)
            assert outcome(getattr(mount, name), words) == wanted, (done[-1], disk.tree())
            got, right = mount.tree(), disk.tree()
            differ = {k: (got.get(k, "-"), right.get(k, "-")) for k in got.keys() | right.keys()
                      if got.get(k, "-") != right.get(k, "-")}  # fmt: skip
            assert differ == {}, done[-8:]
        ops.close()
        assert not any(staging.iterdir())
        # What has no name for a while is in the pool now, with the content that it had.
        from skypool.files.staged import is_temporary

        for path, data in disk.tree().items():
            if data is not None and not is_temporary(path):
                assert pool[f"name:{path}"].size == len(data)
        assert pool.verify().ok
    for folder in (disk.root, staging, tmp_path / f"pool{seed}"):
        shutil.rmtree(folder)


def test_it_is_like_a_folder(tmp_path: Path) -> None:
    compare(1, 60, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 140))
def test_it_is_like_a_folder_for_long(seed: int, tmp_path: Path) -> None:
    compare(seed, 400, tmp_path)
