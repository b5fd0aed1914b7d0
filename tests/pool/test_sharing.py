"""Pools that a group shares, readers that may not write, and disks of the network."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skypool as sp
from skypool.catalogue import keeping
from skypool.errors import Locked, ReadOnly, UsageError
from skypool.storage import mounts

GROUP = 54400
ANNA, BERT, CARL = 54321, 54322, 54323  # Carl is not of the group
WAIT = 120
# The interpreter may lie where others cannot look: everything is loaded, by doing it once, before
# the process becomes another user.
BECOME = """
import contextlib, io, os, sys, tempfile
import numpy as np
import skypool as sp
from skypool.catalogue import keeping
from skypool.cli.app import run

def save(path, name, seed):
    data = np.random.default_rng(int(seed)).normal(size=(50, 50))
    with sp.Pool(path) as pool:
        return pool.save(sp.Product(datasets={"image": data}), name=name).version

def look(path, name):
    with sp.Pool(path, "r") as pool:
        return pool[name].product["image"][:].shape

def follow(path):
    with sp.Pool(path, "r") as pool:
        for line in sys.stdin:
            ref = pool[line.strip()]
            print(ref.version, ref.product["image"][:].shape, flush=True)

def save_as_told(path, name):
    for line in sys.stdin:
        print(save(path, name, line), flush=True)

with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    path = os.path.join(folder, "pool")
    run(["init", path])
    save(path, "a", 1)
    look(path, "a")
    with sp.Pool(path) as pool:
        pool.configure(max_size=1)
        with contextlib.suppress(sp.errors.SkypoolError):
            save(path, "b", 2)
        pool.configure(max_size=0, shared=True)
        pool.reindex(), pool.gc(grace=0), pool.verify()
    catalogue = os.path.join(path, "catalogue.sqlite")
    keeping.OnlyReading(catalogue, keeping.Keeping(network=True), lambda path: None).open()
user, group, umask = map(int, sys.argv[1:4])
words = sys.argv[4:]
os.chdir("/")
os.umask(umask)
os.setgroups([]), os.setgid(group), os.setuid(user)
"""


def become(user: int, *, member: bool, umask: int = 0o077) -> list[str]:
    return [str(user), str(GROUP if member else user), str(umask)]


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {"HOME": "/nonexistent", "SKYPOOL_AUTHOR": "somebody"}


def python(code: str, *words: object, who: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BECOME + code, *who, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
        env=environment(),
    )


@contextlib.contextmanager
def asked(code: str, *words: object, who: list[str]) -> Iterator[Callable[[str], str]]:
    """Run code that answers each line with one."""
    process = subprocess.Popen(
        [sys.executable, "-c", BECOME + code, *who, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines, answers = process.stdin, process.stdout

    def ask(line: str) -> str:
        lines.write(f"{line}\n")
        lines.flush()
        return answers.readline().strip()

    try:
        yield ask
        lines.close()
        assert process.wait(timeout=WAIT) == 0
    finally:
        process.kill()
        process.wait()
        lines.close()
        answers.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the group that all may look into."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two other users")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, ANNA, GROUP)
        os.chmod(folder, 0o2775)
        yield Path(folder)


def saved(path: Path, name: str, seed: int, who: list[str]) -> str:
    done = python("print(save(*words))", path, name, seed, who=who)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make(path: Path, *words: str, umask: int = 0o077) -> None:
    who = become(ANNA, member=True, umask=umask)
    done = python("sys.exit(run(['init', *words]))", path, *words, who=who)
    assert done.returncode == 0, done.stderr


def test_two_of_a_group_write_into_one_pool(place: Path) -> None:
    path = place / "pool"
    make(path, "--shared=group")
    anna, bert = become(ANNA, member=True), become(BERT, member=True)
    assert [saved(path, "a", n, (anna, bert)[n % 2]) for n in range(4)] == list("0123")
    # Both have it open at once: SQLite's own files beside the catalogue are shared too.
    with sp.Pool(path, "r"):
        assert saved(path, "b", 9, bert) == "0"
        assert saved(path, "b", 10, anna) == "1"
    for user, code in (
        (bert, "reindex()"),
        (anna, "gc(grace=0)"),
        (bert, "configure(max_size=9**9)"),
    ):
        done = python(f"sp.Pool(words[0]).{code}", path, who=user)
        assert done.returncode == 0, done.stderr
    assert saved(path, "a", 5, anna) == "4"
    for root, folders, files in os.walk(path):
        for name in folders:
            mode = stat.S_IMODE((Path(root) / name).stat().st_mode)
            assert mode == 0o2775
        for name in files:
            found = (Path(root) / name).stat()
            assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o664, GROUP), name
    with sp.Pool(path, "r") as pool:
        assert pool.verify().ok


def test_pool_that_is_not_shared_refuses_the_group(place: Path) -> None:
    path = place / "pool"
    make(path, umask=0o022)
    saved(path, "a", 1, become(ANNA, member=True, umask=0o022))
    done = python("save(*words)", path, "a", 2, who=become(BERT, member=True))
    assert "ReadOnly" in done.stderr
    assert "ask its owner" in done.stderr
    os.chmod(place, 0o2777)
    code = "sp.Pool(words[0]).configure(shared=True)"
    assert python(code, path, who=become(ANNA, member=True)).returncode == 0
    assert saved(path, "a", 2, become(BERT, member=True)) == "1"


@pytest.mark.parametrize("open_meanwhile", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_reader_who_may_not_write_follows_a_live_pool(
    place: Path, open_meanwhile: bool, large: bool
) -> None:
    path = place / "pool"
    make(path, "--shared=group")
    code = f"keeping._COPIED_BYTES = {0 if large else 2**40}\nfollow(words[0])"
    anna, carl = become(ANNA, member=True), become(CARL, member=False)
    with (
        asked("save_as_told(*words)", path, "a", who=anna) as writer,
        asked(code, path, who=carl) as reader,
        contextlib.ExitStack() as holder,
    ):
        assert writer("0") == "0"
        for number in range(6):
            assert reader("a").split(maxsplit=1)[0] == str(number)
            if open_meanwhile and number == 2:
                holder.enter_context(sp.Pool(path))
            # The pool is opened for each save, and closed behind it.
            assert writer(str(number + 1)) == str(number + 1)
            if number == 4:
                holder.close()


def test_copy_is_made_anew_when_the_files_change(tmp_path: Path) -> None:
    """Whoever cannot even look at the shared memory reads a copy, and sees new commits."""
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(sp.Product(meta={"n": 1}), name="a")
        path = pool.view.session.folder.catalogue
        how = keeping.Keeping(network=True)
        from skypool.catalogue.sqlite import SqliteCatalogue

        reader = SqliteCatalogue(path, writable=False, how=how)
        try:
            for number in range(2, 6):
                assert reader.head() == number - 1
                pool.save(sp.Product(meta={"n": number}), name="a")
                assert reader.head() == number
        finally:
            reader.close()


# -- network file systems


def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> Path:
    """Pretend that a folder is a mount of some file system."""
    folder = tmp_path / "a disk"
    folder.mkdir(exist_ok=True)
    escaped = str(folder).replace(" ", "\\040")
    listed = tmp_path / "mountinfo"
    listed.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"40 22 0:35 / {escaped} rw,relatime shared:2 - {kind} server:/disk rw,vers=4.2\n"
    )
    monkeypatch.setattr(mounts, "_MOUNTS", str(listed))
    return folder


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "lustre", "fuse.sshfs"])
def test_file_systems_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = mounted(tmp_path, monkeypatch, kind)
    assert mounts.file_system(str(folder / "pool")) == kind
    assert mounts.is_network(str(folder / "pool"))
    assert not mounts.is_network(str(tmp_path))
    with sp.Pool(folder / "pool") as pool:
        pool.save(sp.Product(meta={"n": 1}), name="a")
        assert pool.options.journal == "delete"
        assert not list(folder.glob("pool/*-wal"))
        pool.save(sp.Product(meta={"n": 2}), name="a")
        with sp.Pool(folder / "pool", "r") as reader:
            assert reader["a"].version == 1
    with pytest.raises(UsageError, match="network"):
        sp.Pool(folder / "other", "x", journal="wal")


def test_wal_over_the_network_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a disk"
    folder.mkdir()
    with sp.Pool(folder / "pool") as pool:
        pool.save(sp.Product(meta={"n": 1}), name="a")
    mounted(tmp_path, monkeypatch, "nfs4")
    with sp.Pool(folder / "pool") as pool:
        assert pool["a"].meta["n"].value == 1
        with pytest.raises(ReadOnly, match="nfs4") as caught:
            pool.save(sp.Product(meta={"n": 2}), name="a")
        assert "skypool config journal delete" in caught.value.hint
    monkeypatch.undo()
    with sp.Pool(folder / "pool") as pool, sp.Pool(folder / "pool") as other:
        with pytest.raises(Locked, match="others have"):
            _configured_quickly(pool, monkeypatch)
        assert pool.save(sp.Product(meta={"n": 2}), name="a").version == 1
        assert other["a"].version == 1
    with sp.Pool(folder / "pool") as pool:
        assert pool.configure(journal="delete").journal == "delete"
        assert pool["a"].version == 1
    mounted(tmp_path, monkeypatch, "nfs4")
    with sp.Pool(folder / "pool") as pool:
        assert pool.save(sp.Product(meta={"n": 3}), name="a").version == 2
        assert pool.verify().ok


def _configured_quickly(pool: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    from skypool.pool import configuring

    with monkeypatch.context() as patch:
        patch.setattr(configuring, "_WAIT", 0.1)
        pool.configure(journal="delete")


def test_real_nfs(tmp_path: Path) -> None:
    """The same over a real mount, where this machine can make one."""
    if os.geteuid() != 0 or shutil.which("exportfs") is None or shutil.which("mount.nfs") is None:
        pytest.skip("needs root, and the server and client of NFS")
    shared, seen = tmp_path / "shared", tmp_path / "seen"
    shared.mkdir()
    seen.mkdir()
    export = ["exportfs", "-o", "rw,no_root_squash,fsid=77,insecure", f"127.0.0.1:{shared}"]
    if subprocess.run(export, capture_output=True, check=False).returncode:
        pytest.skip("the kernel serves no NFS here")
    try:
        mount = ["mount", "-t", "nfs", f"127.0.0.1:{shared}", str(seen)]
        if subprocess.run(mount, capture_output=True, check=False, timeout=WAIT).returncode:
            pytest.skip("NFS cannot be mounted here")
        try:
            with sp.Pool(seen / "pool") as pool:
                assert pool.options.journal == "delete"
                for number in range(3):
                    pool.save(sp.Product(meta={"n": number}), name="a")
                assert pool.verify().ok
        finally:
            subprocess.run(["umount", str(seen)], check=True)
    finally:
        subprocess.run(["exportfs", "-u", f"127.0.0.1:{shared}"], check=False)
