"""Every snippet of the README runs, in order, where a newcomer would run it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from skypool.testing.observation import OBSID, write

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    language: str
    line: int
    text: str


def blocks() -> list[Block]:
    found = []
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```$", README, re.M | re.S):
        line = README.count("\n", 0, match.start()) + 2
        found.append(Block(match[1].strip(), line, match[2]))
    return found


def commands(block: Block) -> list[str]:
    return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]


# Stands for DS9: shows nothing, and fails where DS9 would find no image.
DS9 = """#!{python}
import sys
from astropy.io import fits
with fits.open(sys.argv[1]) as hdus:
    assert any(hdu.data is not None for hdu in hdus if hdu.is_image), "no image"
open("ds9-was-here", "w").write(sys.argv[1])
"""


class Newcomer:
    """Somebody with a folder of data, a shell, and no settings at all."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.data = self.home / "data"
        self.data.mkdir(parents=True)
        write(self.data, scale=0.02)
        tools = folder / "tools"
        tools.mkdir()
        ds9 = tools / "ds9"
        ds9.write_text(DS9.format(python=sys.executable))
        ds9.chmod(0o755)
        path = f"{Path(sys.executable).parent}:{tools}:/usr/bin:/bin"
        self.environment = {"PATH": path, "HOME": str(self.home)}

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.data,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def test_only_known_blocks() -> None:
    assert {block.language for block in blocks()} == {"sh", "python", "console", "console five"}


def test_the_two_commands_exist() -> None:
    (block,) = (block for block in blocks() if block.language == "sh")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert [line.split() for line in block.text.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]
    assert {"demo", "test"} <= targets


def test_five_commands_and_no_configuration(newcomer: Newcomer) -> None:
    (block,) = (block for block in blocks() if block.language == "console five")
    lines = commands(block)
    assert len(lines) == 5
    assert block.text.count("\n") == 5, "nothing but the commands"
    words = [shlex.split(line.replace("$(", " ").replace(")", " ")) for line in lines]
    verbs = [line[1] if line[0] == "skypool" else line[2] for line in words]
    assert verbs == ["add", "find", "path", "tag", "export"]
    assert words[2][0] == "ds9"

    outputs = [newcomer.run(line) for line in lines]
    assert "PSW" in outputs[1]
    shown = Path((newcomer.data / "ds9-was-here").read_text())
    assert shown.name.startswith("hspirepsw")
    given = files(newcomer.data / "copy")
    assert given == files(newcomer.data / str(OBSID))


def test_tour(newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(newcomer.data)
    namespace: dict[str, object] = {}
    ran = 0
    for block in blocks():
        if block.language == "python":
            # Blank lines in front make tracebacks name the line of the README.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(ROOT / "README.md"), "exec"), namespace)
        elif block.language == "console":
            newcomer.run("\n".join(commands(block)))
        ran += 1
    assert ran == len(blocks())
    assert files(newcomer.data / "given-back") == files(newcomer.data / str(OBSID))


def files(folder: Path) -> dict[str, bytes]:
    """Give the content of all files below a folder that holds one folder, or is it."""
    inner = folder / str(OBSID)
    top = inner if inner.is_dir() else folder
    return {
        os.path.relpath(path, top): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
