"""What `skypool doctor` finds, and what it advises."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import skypool as sp
from skypool.errors import DiskFull, PoolNotFound
from skypool.files import doctor
from skypool.files.disk_facts import DiskFacts, disk_facts
from skypool.storage.filelayer import LocalFiles

GOOD = DiskFacts(
    "/d", "ext4", False, 10**12, 2 * 10**12, 10**6, writable=True, full=False, sync_ms=1.0,
    locks=True, stable_inodes=True, case_sensitive=True, skew_s=0.0,
)  # fmt: skip


def texts(found) -> str:
    return "\n".join(f"{entry.level}: {entry.text}" for entry in found)


def test_a_disk_is_looked_at_and_left_as_it_was(tmp_path):
    found = disk_facts(str(tmp_path / "not" / "there"))
    assert found.folder == str(tmp_path) and found.writable and found.locks
    assert found.sync_ms is not None and found.free_bytes > 0 and found.stable_inodes
    assert os.listdir(tmp_path) == []


def test_a_disk_whose_locks_do_not_work(tmp_path):
    class NoLocks(LocalFiles):
        def lock(self, handle, *, exclusive, wait=0.0):
            return True

    found = disk_facts(str(tmp_path), NoLocks())
    assert found.locks is False
    assert "problem: locks do not work" in texts(doctor._of_disk(found))


def test_a_full_disk_is_told_from_one_that_may_not_be_written_to(tmp_path):
    class Full(LocalFiles):
        def write(self, handle, offset, parts):
            raise DiskFull("no room")

    class Nothing(LocalFiles):
        def create_exclusive(self, path):
            raise FileNotFoundError(path)  # as below /proc

    found = disk_facts(str(tmp_path), Full())
    assert (found.full, found.writable, found.sync_ms) == (True, True, None)
    found = disk_facts(str(tmp_path), Nothing())
    assert (found.full, found.writable) == (False, False)
    assert os.listdir(tmp_path) == []


def test_advice_on_sqlite_and_fuse(monkeypatch):
    assert texts(doctor._of_sqlite()) == ""
    there = {"/dev/fuse": "/dev/fuse", "fusermount3": "/bin/fusermount3"}
    assert texts(doctor._of_fuse({"mount": []}, there)) == ""
    assert texts(doctor._of_fuse({"mount": ["mfusepy"]}, dict.fromkeys(there))) == ""
    said = texts(doctor._of_fuse({"mount": []}, there | {"fusermount3": None}))
    assert said.startswith("advice: `skypool mount` needs the program fusermount3")
    said = texts(doctor._of_fuse({"mount": []}, dict.fromkeys(there)))
    assert said.startswith("advice: `skypool mount` cannot work")

    def lacking():
        raise sqlite3.OperationalError("no such module: rtree")

    monkeypatch.setattr(doctor, "schema_rows", lacking)
    assert "problem: SQLite" in texts(doctor._of_sqlite())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"network": True, "type": "nfs4"}, "advice: this is a network file system (nfs4)"),
        ({"free_bytes": 10**9}, "advice: only 1.0 GB of 2000.0 GB"),
        ({"free_bytes": 1000}, "advice: only 1,000 bytes"),
        ({"free_bytes": 0, "full": True}, "problem: the disk, or your quota there, is full"),
        ({"type": "tmpfs"}, "advice: this is memory (tmpfs)"),
        ({"free_inodes": 0}, "problem: no inodes"),
        ({"writable": False, "locks": None}, "advice: you may not write"),
        ({"sync_ms": 80.0}, "advice: a sync takes 80 ms"),
        ({"skew_s": -7.0}, "advice: the clock of the disk differs by -7 s"),
        ({"stable_inodes": False}, "advice: inode numbers"),
    ],
)
def test_advice_on_disks(changes, said):
    found = texts(doctor._of_disk(replace(GOOD, **changes)))
    assert found.startswith(said) and bool(found) == bool(said)


@pytest.mark.parametrize(
    ("changes", "disk", "said"),
    [
        ({}, {}, ""),
        ({"damage_noted": True}, {}, "problem: damage was found"),
        ({"packs_lost": 2}, {}, "problem: 2 of the pool's packs are gone"),
        ({"journal": "wal"}, {"network": True}, "problem: the journal"),
        ({"unsealed": 30}, {}, "advice: 30 packs"),
        ({"writable": False}, {}, "advice: you may only read"),
    ],
)
def test_advice_on_pools(changes, disk, said):
    facts = {"damage_noted": False, "packs_lost": 0, "journal": "wal", "unsealed": 1}
    facts |= {"writable": True} | changes
    found = texts(doctor._of_pool(facts, replace(GOOD, **disk)))
    assert found.startswith(said) and bool(found) == bool(said)


def test_extras_are_those_of_the_project(monkeypatch):
    found = doctor.extras()
    assert {"ui", "tui", "watch", "notebook", "parquet"} <= set(found) and "dev" not in found
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda n: None if n == "watchdog" else version(n))
    assert doctor.extras()["watch"] == ["watchdog"]
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    assert {"anywidget", "matplotlib", "starlette"} <= set(doctor.extras()["notebook"])


def skypool(*words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "skypool", *words)
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_pool_without_its_packs_is_not_well(tmp_path):
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(datasets={"a": np.arange(99)}), name="one")
    assert doctor.examine(str(tmp_path / "pool"), is_pool=True).ok
    (pack,) = (tmp_path / "pool" / "packs").glob("*.pack")
    pack.unlink()
    found = doctor.examine(str(tmp_path / "pool"), is_pool=True)
    assert not found.ok and "1 of the pool's packs" in texts(found.advice)


def test_what_is_no_pool_and_what_is_one_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    done = skypool("doctor", str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (10, "") and "is a file" in done.stderr
    monkeypatch.chdir(tmp_path)
    with sp.Pool("./here") as pool:
        pool.save(sp.Product(), name="one")
    for words in (("doctor", "here"), ("-p", "here", "info")):
        done = skypool(*words)
        assert (done.returncode, done.stdout) == (10, "")
        assert "./here" in done.stderr and "the one in this folder is a path" in done.stderr
    with pytest.raises(PoolNotFound, match="the one in this folder is a path"):
        sp.Pool("here", "r")


def test_the_command(tmp_path):
    path = tmp_path / "pool"
    with sp.Pool(path) as pool:
        pool.save(sp.Product(), name="one")
    done = skypool("doctor", str(path), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    assert found["versions"]["skypool"] == sp.__version__
    assert found["pool"]["products"] == 1 and found["pool"]["journal"] in ("wal", "delete")
    assert found["disk"]["folder"] == str(path) and "last_commit" in found["pool"]
    text = skypool("doctor", str(path)).stdout
    assert "optional parts:" in text and "1\n" in text
    nothing = json.loads(skypool("doctor", str(tmp_path / "none"), "--json").stdout)
    assert nothing["pool"] is None and nothing["disk"]["folder"] == str(tmp_path)
    (path / "catalogue.sqlite").write_bytes(b"this is no catalogue" * 1000)
    broken = skypool("doctor", str(path))
    assert broken.returncode == 1 and "problem: the pool cannot be opened" in broken.stdout
