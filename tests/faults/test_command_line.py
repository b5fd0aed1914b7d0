"""What the command line says of a disk that is full, fails, or may not be written to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import skypool as sp
from skypool.cli.app import run
from skypool.storage.filelayer import LocalFiles
from skypool.testing.faults import Faults, FaultyCalls

from .operations import noise, product, write_tree

CODES = {"ENOSPC": "disk_full", "EIO": "storage", "EACCES": "read_only", "EROFS": "read_only"}
VERBS = {
    "add": ["add", "OBS"],
    "tag": ["tag", "maps/a", "new"],
    "mv": ["mv", "maps/a", "maps/b"],
    "rm": ["rm", "maps/a"],
    "gc": ["gc", "--grace", "0"],
    "reindex": ["reindex"],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_tree(tmp_path / "obs")
    with sp.Pool(tmp_path / "pool") as pool:
        pool.save(product(1), name="maps/a")
    return tmp_path / "pool"


def check_error(out: str, err: str, path: Path, code: str) -> None:
    """Look for one line that says what and where, one what to do, and the error object."""
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 2, err
    assert lines[0].startswith("skypool: ")
    assert str(path) in lines[0]
    assert "Traceback" not in err
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert f"skypool: {error['message']}" == lines[0]
    assert error["hint"] == lines[1]


@pytest.mark.parametrize("error", CODES)
@pytest.mark.parametrize("verb", VERBS)
def test_one_clear_error(
    path: Path,
    verb: str,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    faults = Faults(path)
    words = [str(path.parent / "obs") if word == "OBS" else word for word in VERBS[verb]]
    call = {"ENOSPC": "pwritev", "EIO": "fdatasync"}.get(error, "open")
    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "system", FaultyCalls(faults))
        with faults.armed(error, 1, call=call, lasting=True):
            code = run(["-p", str(path), *words, "--json"])
        fired = bool(faults.fired)
    told = capsys.readouterr()
    if fired:
        assert code == 1
        check_error(told.out, told.err, path, CODES[error])
    else:
        assert (verb, code) in {("gc", 0), ("reindex", 0)}  # they had nothing to write
    assert run(["-p", str(path), "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert run(["-p", str(path), "add", str(path.parent / "obs"), "--name", "next"]) == 0


def test_full_disk(tmp_path: Path) -> None:
    """A process of its own, and a limit on the size of files, which every system has."""
    write_tree(tmp_path / "obs")
    (tmp_path / "large.bin").write_bytes(noise(1, 400_000))
    path = tmp_path / "pool"
    code = """if True:
        import resource, sys
        from skypool.cli.app import run
        if sys.argv[1] != "0":
            limit = int(sys.argv[1])
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        sys.exit(run(sys.argv[2:]))
    """

    def skypool(limit: int, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(limit), "-p", str(path), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )

    assert skypool(0, "add", tmp_path / "obs").returncode == 0
    done = skypool(300_000, "add", tmp_path / "large.bin", "--json")
    assert done.returncode == 1, done.stderr
    check_error(done.stdout, done.stderr, path, "disk_full")
    for words in (["verify"], ["ls"], ["export", "obs", tmp_path / "out"]):
        assert skypool(300_000, *words).returncode == 0
    assert (tmp_path / "out/notes.txt").read_bytes() == (tmp_path / "obs/notes.txt").read_bytes()
    assert skypool(0, "add", tmp_path / "large.bin", "--json").returncode == 0
    assert skypool(0, "verify").returncode == 0


def test_read_only_folder(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    path = folder / "pool"
    try:
        with sp.Pool(path) as pool:
            pool.save(product(1), name="maps/a")
        write_tree(folder / "obs")
        # The verbs are imported before the rights are gone: others cannot read the program.
        for verb in VERBS:
            run([verb, "--help"])
        assert run(["-p", str(path), "add", str(folder / "obs"), "--name", "before"]) == 0
        assert run(["-p", str(path), "gc"]) == 0
        assert run(["-p", str(path), "reindex"]) == 0
        assert run(["-p", str(path), "verify"]) == 0
        for found in [path, *path.rglob("*")]:
            found.chmod(0o555 if found.is_dir() else 0o444)
        capsys.readouterr()
        root = os.geteuid() == 0
        if root:
            os.setresuid(65534, 65534, 0)
        try:
            for words in VERBS.values():
                given = [str(folder / "obs") if word == "OBS" else word for word in words]
                assert run(["-p", str(path), *given, "--json"]) == 1
                told = capsys.readouterr()
                check_error(told.out, told.err, path, "read_only")
            assert run(["-p", str(path), "verify"]) == 0
            assert run(["-p", str(path), "ls"]) == 0
        finally:
            if root:
                os.setresuid(0, 0, 0)
    finally:
        for found in [folder, *folder.rglob("*")]:
            found.chmod(0o755)
        shutil.rmtree(folder)
