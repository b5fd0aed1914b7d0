"""Mounts of tests: in a process of their own, and gone at the end whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS = 120


def need_fuse() -> None:
    """Skip where nothing can be mounted."""
    pytest.importorskip("mfusepy", exc_type=(ImportError, OSError))
    if shutil.which("fusermount3") is None:
        pytest.skip("there is no fusermount3 (Debian: fuse3)")
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        pytest.skip(f"/dev/fuse cannot be used: {error.strerror}")
    if os.geteuid() == 0 and not _may_mount():
        pytest.skip("this user is root, and may not mount: a container without CAP_SYS_ADMIN")


def _may_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> 21 & 1)
    return True


def need(program: str) -> None:
    """Skip a test whose program is not installed, unless it has to be."""
    if shutil.which(program) is None:
        if os.environ.get("SKYPOOL_REQUIRE_PROGRAMS"):
            pytest.fail(f"{program} is not installed, and SKYPOOL_REQUIRE_PROGRAMS is set")
        pytest.skip(f"{program} is not installed")


@contextmanager
def screen() -> Iterator[str]:
    """Run a screen without a display, and give its name."""
    need("Xvfb")
    readable, writable = os.pipe()
    words = ["Xvfb", "-displayfd", str(writable), "-screen", "0", "800x600x24"]
    with subprocess.Popen(
        [*words, "-nolisten", "tcp"], pass_fds=[writable], stderr=subprocess.DEVNULL
    ) as process:
        os.close(writable)
        try:
            with os.fdopen(readable) as told:
                yield f":{told.readline().strip()}"  # it ends with the process at the latest
        finally:
            process.kill()


@dataclass
class Mounted:
    """A mounted pool, and the process that serves it."""

    folder: Path
    process: subprocess.Popen[str]

    def end(self) -> str:
        """Unmount it, wait until all is saved, and return what it said."""
        run("fusermount3", "-u", self.folder)
        _, said = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, said
        return said


def run(*words: object, code: int = 0, folder: Path | None = None) -> str:
    """Run a program, and return what it prints."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def mounted(pool: Path, folder: Path, *options: str) -> Iterator[Mounted]:
    """Mount a pool; without FUSE the test is skipped."""
    need_fuse()
    words = [sys.executable, "-m", "skypool", "-p", str(pool), "mount", "--foreground", "--json"]
    process = subprocess.Popen(
        [*words, *options, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # A process that hangs must not hold the tests: what waits for it fails when it is killed.
    guard = threading.Timer(SECONDS, process.kill)
    guard.daemon = True
    guard.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, said = process.communicate(timeout=SECONDS)
            if "fuse: " in said and "ermi" in said:  # a container that may not mount
                pytest.skip(said)
            raise AssertionError(said)
        assert json.loads(line)["folder"] == str(folder)
        yield Mounted(folder, process)
    finally:
        guard.cancel()
        subprocess.run(
            ["fusermount3", "-uz", str(folder)],
            capture_output=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=SECONDS)
        except ValueError:  # its output is read already
            process.wait(SECONDS)
