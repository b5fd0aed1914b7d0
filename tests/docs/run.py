"""Running the blocks of a page, in order, in one folder and one process.

| language | what is done |
|---|---|
| `python` | with `>>>` as a doctest, output compared; else executed; names stay for later blocks |
| `console` | each `$ ` line is a command; what stands below it is compared with its output |
| `sh` | each line is a command that must succeed (`# exit 5`: with that code); no output compared |
| `json` | the output of the command before it, keys and values; `"…"` stands for any value |
| `jython` | a script for `skypool hipe run` |

`skypool VERB ...` runs in this process, all else in bash. In outputs `...` and `…` stand for
anything; times, durations, sizes and check sums may differ (`SAME`).
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from skypool.cli.app import app

from .pages import ROOT, Block

FLAGS = doctest.ELLIPSIS
#: Texts that differ from run to run, and what they are replaced by on both sides.
SAME = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?", "TIME"),
    (r"\b[0-9a-f]{32,64}\b", "SUM"),
    (r"\b[\d.]+ (ms|s|min)\b", "DURATION"),
    (r"\b[\d.,]+ ([kMG]i?B|bytes|B)(/s)?\b", "SIZE"),
)
#: Places of other machines that pages speak of; they are folders of the page's own here.
PLACES = ("/archive/", "/data/", "/disk/", "/disk1/", "/disk2/", "/scratch/")
#: Verbs of which the words are read, and no more, with what runs them instead.
READ_ONLY = {
    "ui": "serves until Ctrl-C: tests/web",
    "tui": "needs a terminal: tests/tui",
    "receive": "waits for other programs: tests/vo",
    "send": "needs other programs, but for files and pools: tests/vo",
    "mount": "needs FUSE: tests/files, and docs/howto/mount.md where there is FUSE",
    "unmount": "the same",
    "serve": "serves until Ctrl-C: tests/files/test_webdav.py",
    "watch": "runs until Ctrl-C: tests of watch",
    "herschel": "needs the archive: tests/herschel",
}
NETWORK = re.compile(r"https?://|--object\b")


class Failed(AssertionError):
    """A block that does not do what the page says."""


class Runner:
    """Runs blocks of one page.

    Parameters
    ----------
    page
        The page.
    folder
        Where it runs.
    names
        What Python blocks know from the start.
    really
        Verbs of `READ_ONLY` that this page's world lets run.
    """

    def __init__(
        self, page: Path, folder: Path, names: dict[str, Any], really: tuple[str, ...] = ()
    ) -> None:
        self.page = page
        self.folder = folder
        self.names = names
        self.really = really
        self.output = ""
        self.ran = 0
        self.read = 0

    def run(self, block: Block) -> None:
        """Run a block."""
        try:
            getattr(self, f"_{block.language}")(block)
        except Failed as error:
            raise Failed(f"{self.page.name}, line {block.line}: {error}") from None

    def close(self) -> None:
        """Close the pools that the page opened."""
        for value in list(self.names.values()):
            close = getattr(value, "close", None)
            if callable(close) and type(value).__module__.startswith("skypool."):
                close()
        self.names.clear()

    def _python(self, block: Block) -> None:
        if not re.search(r"^>>> ", block.text, re.M):
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(self.page), "exec"), self.names)
            self.ran += 1
            return
        parser = doctest.DocTestParser()
        case = parser.get_doctest(block.text, {}, self.page.name, str(self.page), block.line - 1)
        case.globs = self.names
        told: list[str] = []
        runner = doctest.DocTestRunner(checker=Checker(), verbose=False, optionflags=FLAGS)
        result = runner.run(case, out=told.append, clear_globs=False)
        self.ran += result.attempted
        if result.failed:
            raise Failed("".join(told))

    def _console(self, block: Block) -> None:
        for command, expected in commands(block.text):
            code, output = self.command(command)
            wanted = re.search(r"# exit (\d+)", command)
            if code not in (None, int(wanted[1]) if wanted else 0):
                raise Failed(f"$ {command}\nexit {code}\n{output}")
            if code is not None and expected.strip() and not same(expected, output):
                raise Failed(f"$ {command}\nexpected:\n{expected}\ngot:\n{output}")

    def _sh(self, block: Block) -> None:
        for command in lines(block.text):
            code, output = self.command(command)
            wanted = re.search(r"# .*\bexit (\d+)", command)
            if code is not None and code != (int(wanted[1]) if wanted else 0):
                raise Failed(f"$ {command}\nexit {code}\n{output}")

    def _json(self, block: Block) -> None:
        wanted = json.loads(block.text)
        if not self.output.startswith("{"):  # an object of a file, not of a command
            self.read += 1
            return
        got = json.loads(self.output)
        if not like(wanted, got):
            raise Failed(f"expected {wanted}\ngot {got}")
        self.ran += 1

    def _jython(self, block: Block) -> None:
        Path("script.py").write_text(block.text, "utf-8")
        code, output = self.command("skypool hipe run script.py")
        if code:
            raise Failed(output)

    def command(self, line: str) -> tuple[int | None, str]:
        """Run a command line; the code is None where its words were read only."""
        for place in PLACES:
            line = re.sub(rf"(?<![\w.:/]){place}", f"{self.folder}/elsewhere{place}", line)
        line = re.sub(r"\s+#.*$", "", line)
        if match := re.fullmatch(r"cd (\S+)", line):
            os.chdir(os.path.expanduser(match[1]))
            return 0, ""
        if match := re.fullmatch(r"export (\w+)=(.*)", line):
            (os.environ[match[1]],) = shlex.split(os.path.expandvars(match[2])) or [""]
            return 0, ""
        if match := re.match(r"(?:python -m )?pip install (.*)$", line):
            return self._extra(match[1])
        if (words := simple(line)) is None:
            found = self._verb_in(line)
            if self._only_read(found, line):
                return self._parse(line)
            code, self.output = shell(line)
        elif self._only_read(words[0], line):
            return self._parse(line)
        else:
            result = CliRunner().invoke(app, words)
            if result.exception and not isinstance(result.exception, SystemExit):
                raise result.exception
            code, self.output = result.exit_code, result.output
        self.ran += 1
        return code, self.output.replace(f"{self.folder}/elsewhere", "")

    def _extra(self, what: str) -> tuple[None, str]:
        """Look whether the extras that are to be installed exist."""
        (word,) = shlex.split(what)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        if not (match := re.fullmatch(r"skypool(?:\[([\w,]+)\])?", word)):
            raise Failed(f"pip install {word} is no installation of skypool")
        if not set((match[1] or "all").split(",")) <= set(project["optional-dependencies"]):
            raise Failed(f"{word}: no such extra")
        self.read += 1
        return None, ""

    def _verb_in(self, line: str) -> str:
        found = re.search(r"\bskypool (?:-p \S+ )?(\w+)", line)
        return found[1] if found else ""

    def _only_read(self, verb: str, line: str) -> bool:
        if verb == "-p":
            verb = self._verb_in(line)
        if verb == "send" and re.search(r"--to (pool|file|text):", line):
            return False
        return verb not in self.really and (verb in READ_ONLY or bool(NETWORK.search(line)))

    def _parse(self, line: str) -> tuple[None, str]:
        """Let click read the words of a command, and no more."""
        words = shlex.split(re.split(r" (?:\||>|&)", line)[0])[1:]
        while words[0] in ("-p", "--json"):
            words = words[2 if words[0] == "-p" else 1 :]
        from skypool.cli.state import State

        context = app.make_context("skypool", [], obj=State(), resilient_parsing=True)
        command: Any = app
        while hasattr(command, "get_command") and words and not words[0].startswith("-"):
            command = command.get_command(context, words.pop(0))
        with command.make_context(command.name, words, obj=State()):
            self.read += 1
        return None, ""


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console and what stands below each."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = re.sub(r"\\\n>? *", "", part).partition("\n")
        yield command, output


def lines(text: str) -> Iterator[str]:
    """Yield commands, a line each; `\\` at the end joins the next one."""
    for line in re.sub(r"\\\n *", "", text).splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def simple(line: str) -> list[str] | None:
    """Return the words behind `skypool` of a line without anything that a shell must do."""
    bare = re.sub(r"'[^']*'", "", line)
    if not line.startswith("skypool ") or re.search(r"[|<>;&`*?~]|\$[({A-Za-z]", bare):
        return None
    return shlex.split(line)[1:]


def shell(line: str) -> tuple[int, str]:
    """Run a line in bash, with the program beside this Python."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", line],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


class Checker(doctest.OutputChecker):
    """Compares as doctest does; blanks at the ends of lines do not count."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Return whether they are the same."""
        return super().check_output(trimmed(want), trimmed(got), optionflags)


def trimmed(text: str) -> str:
    """Return text without blanks at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def same(expected: str, output: str) -> bool:
    """Return whether an output is the one expected, words apart by any white space."""
    texts = [expected.replace("…", "..."), output.replace("…", "...")]
    for pattern, name in SAME:
        texts = [re.sub(pattern, name, text) for text in texts]
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(*(f"{text.strip()}\n" for text in texts), flags)


def like(wanted: Any, got: Any) -> bool:
    """Return whether a JSON value is the one wanted; `…` stands for any."""
    if wanted == "…":
        return True
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() <= got.keys() and all(like(wanted[k], got[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        if wanted[-1:] == ["…"]:
            wanted, got = wanted[:-1], got[: len(wanted) - 1]
        return len(wanted) == len(got) and all(map(like, wanted, got))
    return bool(wanted == got)
