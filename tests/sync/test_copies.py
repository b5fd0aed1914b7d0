"""Pools copied with other tools while they are in use: any order of files, torn files, twice."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import skypool as sp

from .pools import image, log_of, product

campaign = os.environ.get("HYPOTHESIS_PROFILE") == "campaign"


class Busy:
    """A pool in use: each step changes it, and some steps move bytes about."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.rng = rng
        self.pool = sp.Pool(path, mode="x")
        self.count = 0
        for _ in range(8):
            self.save()

    def save(self) -> None:
        self.count += 1
        self.pool.save(product(self.count, 60), name=f"n/{self.count % 5}", tags=["t"])

    def step(self, *, moving: bool) -> None:
        what = self.rng.randrange(10)
        if what < 4:
            self.save()
        elif what == 4:
            self.pool.tag(f"n/{self.rng.randrange(1, 5)}", f"tag {self.count}")
        elif what == 5:
            connection = self.pool.view.session.catalogue.database.connection()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif what == 6 and moving:
            self.waste()
            self.pool.gc(grace=0)
        elif what == 7:
            path = self.pool.path
            self.pool.close()  # SQLite's own files go
            self.pool = sp.Pool(path)

    def waste(self) -> None:
        session = self.pool.view.session
        writer = session.writer()
        for _ in range(3):
            writer.put(self.rng.randbytes(60_000))
        session.stage(writer, ())
        writer.abandon()


def files_of(pool: Path) -> list[str]:
    return [str(p.relative_to(pool)) for p in sorted(pool.rglob("*")) if p.is_file()]


def copy_slowly(busy: Busy, target: Path, *, moving: bool) -> Iterator[str]:
    """Copy a pool in blocks, in a random order of its files, while it is in use."""
    source = Path(busy.pool.path)
    names = files_of(source)
    busy.rng.shuffle(names)
    for name in names:
        busy.step(moving=moving)
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = (source / name).open("rb")
        except FileNotFoundError:
            yield name  # vanished: the tool says so
            continue
        with file, place.open("wb") as out:
            while block := file.read(64 << 10):
                out.write(block)
                if busy.rng.random() < 0.3:
                    busy.step(moving=moving)


def check_whole(target: Path, source: Path) -> None:
    """A copy is the source as of some commit: whole, and it takes commits."""
    with sp.Pool(target) as copy:
        report = copy.verify()
        assert report.ok, [str(problem) for problem in report.problems]
        assert log_of(source).startswith(log_of(target))
        for ref in copy.find("", all_versions=True):
            seed = ref.meta["seed"].value
            assert np.array_equal(ref.product["image"], image(seed, 60))
            assert ref in list(copy.find(f"seed == {seed}", all_versions=True))
        copy.save(product(9999, 20), name="in the copy")
        assert copy.verify().ok
    with sp.Pool(target) as again:
        assert "in the copy" in again


@pytest.mark.parametrize("seed", range(400) if campaign else [*range(10), 89])
def test_copied_in_any_order(tmp_path: Path, seed: int) -> None:
    busy = Busy(tmp_path / "a", random.Random(seed))
    assert not list(copy_slowly(busy, tmp_path / "copy", moving=False))
    busy.pool.close()
    check_whole(tmp_path / "copy", tmp_path / "a")


def copy_again(source: Path, target: Path) -> None:
    """Do what a second run of rsync does: copy what has another size or time; remove nothing."""
    for name in files_of(source):
        place, state = target / name, (source / name).stat()
        if place.exists():
            old = place.stat()
            if (old.st_size, old.st_mtime_ns) == (state.st_size, state.st_mtime_ns):
                continue
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(place.name + ".part")
        shutil.copy2(source / name, temporary)
        temporary.replace(place)


@pytest.mark.parametrize("seed", range(200 if campaign else 6))
def test_copied_twice_is_all_of_it(tmp_path: Path, seed: int) -> None:
    """The first time while packs are moved about, so that files vanish; then at rest."""
    busy = Busy(tmp_path / "a", random.Random(1000 + seed))
    list(copy_slowly(busy, tmp_path / "copy", moving=True))
    busy.step(moving=True)
    busy.pool.close()
    copy_again(tmp_path / "a", tmp_path / "copy")
    assert log_of(tmp_path / "copy") == log_of(tmp_path / "a")
    check_whole(tmp_path / "copy", tmp_path / "a")


WRITER = """
import sys, time
import numpy as np
import skypool as sp
pool = sp.Pool(sys.argv[1])
n = 1
while True:
    n += 1
    image = np.random.default_rng(n).normal(size=(60, 60)).astype("f4")
    made = sp.Product(type="MAP", meta={"seed": n}, datasets={"image": sp.Array(image, unit="Jy")})
    pool.save(made, name=f"n/{n % 5}")
    print(n, flush=True)
"""


@pytest.mark.parametrize("tool", ["cp", "rsync"])
def test_real_tools_beside_a_real_writer(tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    command = {"cp": ["cp", "-r"], "rsync": ["rsync", "-a"]}[tool]
    source = tmp_path / "a"
    with sp.Pool(source, mode="x") as pool:
        pool.save(product(1, 60), name="n/1")
    run = [sys.executable, "-c", WRITER, str(source)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            writer.stdout.readline()
        places = []
        for number in range(4):
            place = tmp_path / f"copy{number}"
            end = "/" if tool == "rsync" else ""
            done = subprocess.run([*command, f"{source}{end}", place], check=False)
            assert done.returncode in (0, 24, 1)
            places.append(place)
            time.sleep(0.05)
        if tool == "rsync":
            subprocess.run([*command, f"{source}/", places[0]], check=False)
        writer.kill()
    for place in places:
        check_whole(place, source)


def test_a_copy_can_be_pulled_from(tmp_path: Path) -> None:
    busy = Busy(tmp_path / "a", random.Random(5))
    list(copy_slowly(busy, tmp_path / "copy", moving=False))
    with sp.Pool(tmp_path / "copy") as copy:
        assert copy.pull(busy.pool).how in ("forward", "same")
        assert log_of(copy.path) == log_of(busy.pool.path)
        assert copy.verify().ok
    busy.pool.close()
