"""The program itself, in a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.docs.pages import page

import skypool as sp
from skypool.cli.app import app

_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|[PX^_\]].*?(?:\x1b\\|\x07)|.)", re.DOTALL)
LIMIT = 120


class Terminal:
    """A program in a pseudo-terminal; what it writes is read until some text appears."""

    def __init__(self, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skypool", *words],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        os.close(slave)
        self.written = b""

    def wait_for(self, text: str) -> None:
        start = time.monotonic()
        wanted = text.encode()
        while wanted not in _ESCAPES.sub(b"", self.written):
            assert time.monotonic() - start < LIMIT, self.written[-2000:]
            ready, _, _ = select.select([self.master], [], [], 1)
            if ready:
                self.written += os.read(self.master, 65_536)
        self.written = b""

    def press(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        """Read on until the program ends: it must not wait for the terminal."""
        start = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() - start < LIMIT
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                try:
                    self.written += os.read(self.master, 65_536)
                except OSError:  # the other end is closed
                    break
        return self.process.wait(LIMIT)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LIMIT)
        os.close(self.master)


def test_the_program_in_a_terminal(looked: sp.Pool) -> None:
    terminal = Terminal("tui", str(looked.path), "-q", "kind == 'SimpleImage'")
    try:
        terminal.wait_for("12 products of 17")
        terminal.press(" ")
        terminal.wait_for("Jy/beam")
        terminal.press("j3")
        terminal.wait_for("wavelength")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()


def test_it_needs_a_terminal_and_a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["tui", "--json"])
    assert result.exit_code == 2 and '"usage"' in result.stderr + result.stdout
    result = CliRunner().invoke(app, ["tui"])
    assert result.exit_code == 2 and "needs a terminal" in result.stderr
    monkeypatch.setattr("skypool.cli.verbs.tui._in_terminal", lambda: True)
    result = CliRunner().invoke(app, ["tui", "nowhere"])
    assert result.exit_code == 10
    result = CliRunner().invoke(app, ["tui"])
    assert result.exit_code == 10


def test_commits_that_are_not_there(looked: sp.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skypool.cli.verbs.tui._in_terminal", lambda: True)
    result = CliRunner().invoke(app, ["tui", str(looked.path), "--at", "999"])
    assert result.exit_code == 4


def test_without_textual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual", None)
    result = CliRunner().invoke(app, ["tui"])
    assert result.exit_code == 1
    assert "pip install 'skypool[tui]'" in result.stderr


def test_nothing_else_loads_textual() -> None:
    code = (
        "import sys, skypool, skypool.cli.app, skypool.cli.verbs.tui, skypool.pool.pool\n"
        "sys.exit('textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_guide_has_every_key() -> None:
    from skypool.tui.help import KEYS

    text = page("terminal-browser.md").read_text("utf-8")
    for _, keys in KEYS:
        for key, what in keys:
            assert f"| `{key}` | {what} |" in text, key
