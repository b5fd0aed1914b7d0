"""The program as a process: signals, pipes, terminals, and names of every kind."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skypool.errors import Locked

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of 8 files that take a second or two to add: gzip is slow."""
    folder = tmp_path_factory.mktemp("slow") / "big"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(8):
        data = rng.integers(0, 14, 3_000_000).astype("u1").tobytes()
        (folder / f"{number}.dat.gz").write_bytes(gzip.compress(data, 6, mtime=0))
    return folder


@pytest.fixture
def big(slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the current folder an empty one with that folder in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(slow, tmp_path / "big", copy_function=os.link)
    return tmp_path


def start(*args: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "skypool", *args], **options)


def wait_for_packs(folder: Path, size: int) -> None:
    for _ in range(20_000):
        if sum(path.stat().st_size for path in folder.glob("packs/*")) > size:
            return
        time.sleep(0.001)
    raise AssertionError("nothing was written")


def test_ctrl_c_leaves_a_whole_pool(big: Path, sky: Callable[..., Any]) -> None:
    sky("-p", "./pool", "add", "big/0.dat.gz")
    before = sum(path.stat().st_size for path in (big / "pool/packs").iterdir())
    process = start("-p", "./pool", "add", "big", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_packs(big / "pool", before)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert b"nothing was added: the pool is as it was, at commit 1" in err
    assert out == b""
    assert sky("-p", "./pool", "info", "--json").json["commits"] == 1
    assert sky("-p", "./pool", "verify", "--json").json["ok"] is True
    sky("-p", "./pool", "add", "big")
    assert len(sky("-p", "./pool", "ls", "-q").out.splitlines()) == 9


def test_ctrl_c_is_json_too(big: Path) -> None:
    process = start(
        "-p", "./pool", "add", "big", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for_packs(big / "pool", 100)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"


def test_a_closed_pipe_is_silent(tree: Path, sky: Callable[..., Any]) -> None:
    for number in range(300):
        (tree / f"obs/{number:0200d}").write_text(str(number))
    sky("-p", "./pool", "add", "obs")
    for words in (["ls"], ["ls", "--json"], ["tree", "obs"]):
        process = start("-p", "./pool", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
        process.stderr.close()


def test_a_full_output_is_an_error(pool: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = start("-p", "./pool", "ls", stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(b"skypool: ")
    assert b"Traceback" not in err
    assert err.count(b"\n") == 1


def test_streams_that_the_caller_has_closed(pool: Path, sky: Callable[..., Any]) -> None:
    words = f"{sys.executable} -m skypool -p ./pool"
    # No file of the pool may get the number of a stream that is closed.
    script = f"{words} ls >&-; {words} add obs --as-version <&- >&- 2>&- && {words} nosuch 2>&-"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")
    sky("-p", "./pool", "verify")


def test_a_file_is_no_pool(tree: Path, program: Program) -> None:
    done = program("-p", "./obs/notes.txt", "ls")
    assert done.returncode == 10
    assert b"notes.txt is a file; a pool is a folder" in done.stderr


NAMES = [
    b"plain.txt", b"with space.txt", b"it's \"quoted\".txt", b"$HOME `x`.txt", b"new\nline.txt",
    "café 長い名前 🔭.txt".encode(), b"latin1-caf\xe9.txt", b"-dash.txt", b"*.txt", b"tab\there",
    b"back\\slash", b"a=b;c", "e\u0301.txt".encode(), b".hidden",
]  # fmt: skip


def test_names_of_every_kind_go_in_and_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program, sky: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in NAMES:
        with open(b"in/" + name, "wb") as file:
            file.write(b"content of " + name)
    added = program("-p", "./pool", "add", "in", "--json")
    assert added.returncode == 0, added.stdout + added.stderr
    listed = program("-p", "./pool", "ls", "-0").stdout.split(b"\0")[:-1]
    assert set(listed) == {b"in"} | {b"in/" + name for name in NAMES}
    rows = [
        json.loads(line) for line in program("-p", "./pool", "ls", "--json").stdout.splitlines()
    ]
    assert {os.fsencode(row["name"]) for row in rows} == set(listed)
    for name in NAMES:
        path = sky("-p", "./pool", "path", "--json", os.fsdecode(b"in/" + name)).json["path"]
        with open(path, "rb") as file:
            assert file.read() == b"content of " + name
    path = program("-p", "./pool", "path", b"in/latin1-caf\xe9.txt").stdout.removesuffix(b"\n")
    assert path.endswith(b"caf\xe9.txt")
    assert os.path.isfile(path)
    assert program("-p", "./pool", "export", "in", "out").returncode == 0
    assert set(os.listdir(b"out")) == set(NAMES)
    assert len(program("-p", "./pool", "ls").stdout.splitlines()) == len(NAMES) + 1


def test_names_of_every_kind_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program, sky: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (b'it\'s a "test".txt', b"new\nline", b"caf\xe9", b"-dash.txt"):
        with open(name, "wb") as file:
            file.write(name)
        word = os.fsdecode(name)
        assert sky("-p", "./pool", "add", "--json", "--", word).json["saved"][0]["name"] == word
        assert sky("-p", "./pool", "show", "--json", "--", word).json["name"] == word
        assert sky("-p", "./pool", "tag", "--json", "--", word, "a tag").json["name"] == word
    shown = program("-p", "./pool", "show", b"caf\xe9")
    assert shown.stdout.startswith(b"name      caf\xe9@")
    missing = program("-p", "./pool", "show", b"caf\xe8")
    assert missing.returncode == 4
    assert b"  caf\\xe9\n" in missing.stderr  # on a terminal, it could be anything


def test_other_locales(tree: Path, program: Program, sky: Callable[..., Any]) -> None:
    (tree / "obs/长.txt").write_text("x")
    sky("-p", "./pool", "add", "obs")
    for env in ({"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}):
        for words in (["tree", "obs"], ["show", "missing 长"]):
            run = program("-p", "./pool", *words, env=env)
            assert run.returncode in (0, 4)
            assert b"unexpected" not in run.stderr


def test_processes_that_make_a_pool_together_all_succeed(tree: Path) -> None:
    for number in range(4):
        (tree / f"f{number}.txt").write_text(str(number))
    processes = [
        start("-p", "./together", "add", f"f{number}.txt", stderr=subprocess.PIPE,
              stdout=subprocess.PIPE)
        for number in range(4)
    ] + [start("init", "./together", stdout=subprocess.PIPE, stderr=subprocess.PIPE)]  # fmt: skip
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err


def test_init_completes_a_pool_whose_maker_is_not_done(
    tmp_path: Path, sky: Callable[..., Any]
) -> None:
    from skypool.pool.folder import PoolFolder
    from skypool.storage.filelayer import LocalFiles

    PoolFolder.create(str(tmp_path / "half"), LocalFiles(), exclusive=True)
    made = sky("-p", str(tmp_path / "half"), "init", "--json")
    assert made.json["created"] is False
    sky("-p", str(tmp_path / "half"), "ls")


def test_locked_exits_11(
    pool: Path, sky: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from skypool.pool.pool import Pool

    def locked(*args: object, **options: object) -> None:
        raise Locked("another process rebuilds the catalogue")

    monkeypatch.setattr(Pool, "reindex", locked)
    assert sky("reindex", "--json", code=11).json["error"]["code"] == "locked"


def on_terminal(
    *args: str, columns: int = 100, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command on a terminal of its own; give its exit code and what it shows."""
    code = (
        "import fcntl, os, struct, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'skypool', *sys.argv[2:]])\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        words = [sys.executable, "-c", code, str(columns), *args]
        # The readline that pytest loads exports the size of pytest's own terminal.
        own = {key: os.environ[key] for key in os.environ if key not in ("COLUMNS", "LINES")}
        os.execve(sys.executable, words, own | {"TERM": "xterm-256color"} | (env or {}))
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode("utf-8")


def test_a_progress_bar_on_a_terminal(big: Path) -> None:
    code, shown = on_terminal("-p", "./pool", "add", "big")
    assert code == 0
    assert "━" in shown
    assert re.search(r"\d+(\.\d+)? MB/\d+(\.\d+)? MB", shown)
    assert re.search(r"\d MB/s", shown)
    assert re.search(r"\b\d/8\b", shown)
    assert "saved" in shown.splitlines()[-1]
    assert shown.rstrip().endswith("s")
    assert "\x1b[?25h" in shown  # the cursor is back


def test_no_bar_without_a_terminal(big: Path, program: Program) -> None:
    run = program("-p", "./pool", "add", "big")
    assert b"\x1b" not in run.stdout + run.stderr
    assert "━".encode() not in run.stderr
    assert run.stderr.count(b"\n") <= 3


def test_tables_and_colours_on_a_terminal(
    tree: Path, program: Program, sky: Callable[..., Any]
) -> None:
    (tree / ("obs/" + "long name " * 12 + ".txt")).write_text("x")
    sky("-p", "./pool", "add", "obs", "-t", "a rather long tag")
    code, shown = on_terminal("-p", "./pool", "ls", columns=60)
    assert code == 0
    assert shown.startswith("\x1b[1mNAME")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r", "").splitlines()
    assert len(plain) == 7
    assert max(len(line) for line in plain) <= 60
    for words in (["tree", "obs"], ["history"]):
        shown = on_terminal("-p", "./pool", *words, columns=50)[1]
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r", "").splitlines()
        assert max(len(line) for line in lines) <= 50
    _, uncoloured = on_terminal("-p", "./pool", "ls", env={"NO_COLOR": "1"})
    assert "\x1b" not in uncoloured
    assert b"\x1b" not in program("-p", "./pool", "ls").stdout


LISTING = [["ls"], ["ls", "--json"], ["info", "--json"], ["find", "-q"]]


def imported(words: list[str]) -> set[str]:
    code = (
        "import sys\nfrom skypool.cli.app import run\n"
        "assert run(sys.argv[1:]) == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, "-p", "./pool", *words], check=True, capture_output=True
    )
    return set(run.stderr.decode().split())


@pytest.mark.parametrize("words", LISTING)
def test_little_is_imported_to_list(pool: Path, words: list[str]) -> None:
    assert not {"numpy", "astropy", "rich", "asyncio"} & imported(words)


def test_what_speaks_to_servers_is_not_imported_to_add_files(pool: Path) -> None:
    assert not {"ssl", "http.client", "urllib.request"} & imported(["add", "obs/notes.txt"])


def test_names_are_completed(pool: Path, program: Program) -> None:
    env = {"_SKYPOOL_COMPLETE": "bash_complete", "SKYPOOL": "./pool", "COMP_CWORD": "2"}
    for typed, found in (("ob", ["obs"]), ("obs/", ["obs/level2", "obs/notes.txt"]),
                         ("obs/level2/P", ["obs/level2/PSW.fits"])):  # fmt: skip
        run = program(env=env | {"COMP_WORDS": f"skypool show {typed}"})
        names = [line.partition(b",")[2].decode() for line in run.stdout.splitlines()]
        assert names == found
    # A shell takes a line for each.
    (pool.parent / "obs/odd\nname.txt").write_text("odd")
    program("add", "obs", env=env | {"_SKYPOOL_COMPLETE": ""})
    assert program("ls", "-0", env={"SKYPOOL": "./pool"}).stdout.count(b"odd\nname.txt\0") == 1
    run = program(env=env | {"COMP_WORDS": "skypool show obs/"})
    assert run.stdout == b"plain,obs/level2\nplain,obs/notes.txt\n"
